//! Values → text for a person or a pipeline. One file for each format; nothing here decides.

mod diagnostic;
mod diff;
mod document;
mod drift;
pub mod escape;
mod export;
mod github;
mod html;
mod junit;
mod listing;
mod markdown;
mod order;
mod prom;
mod report;
mod text;

pub use diagnostic::diagnostic;
pub use document::{Document, Format};
pub use drift::drift;
pub use export::export;
pub use github::outputs as github_outputs;
pub use listing::listing;
pub use report::{
    end as report_end, moved as moved_text, report as report_text, target as target_report_text,
};
pub use text::{counted, plan as plan_text, target as target_text};
