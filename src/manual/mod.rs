//! Texts about the program: `--help`, the manual pages, and the explanations of problems.

mod explanation;
mod help;
mod man;

pub use explanation::{explanation, list_of_problems};
pub use help::{Entry, Help, MAX_WIDTH, decorate, find_help};
pub use man::{page, page_name};
