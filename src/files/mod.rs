//! What is saved: each format in structs of its own, apart from the values that the code works with.

mod output;
mod parts;
pub mod plan;
pub mod report;

pub use output::{Output, OutputError, json_path, write};
