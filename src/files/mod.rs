//! What is saved: each format in structs of its own, apart from the values that the code works with.

mod output;
mod parts;
pub mod plan;
pub mod report;

pub use output::{Output, OutputError, write};
pub use parts::Unreadable;

use crate::apply::Report;
use crate::plan::Plan;

/// A file of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// What a run would do, and when that was planned.
    Plan(Plan, String),
    /// What became of it, and from when to when.
    Report(Report, String, String),
}

/// Reads a plan or a report.
///
/// # Errors
/// It is neither, of another version, or edited.
pub fn read(text: &str) -> Result<Saved, Unreadable> {
    match parts::kind(text)?.as_str() {
        "plan" => plan::from_json(text),
        "report" => report::from_json(text),
        other => Err(Unreadable::Value(other.to_owned())),
    }
}
