//! Saved plans, drift, reports and comparisons: versioned structs, apart from the values that the code works with.

pub mod comparison;
pub mod drift;
mod error;
mod parts;
pub mod plan;
pub mod report;
mod saved_as;
mod text;

pub use error::SavedFileError;
pub use parts::find_kind;

use crate::apply::Report;
use crate::drift::Drift;
use crate::plan::Plan;

/// Content of a saved file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// Plan, and when it was made.
    Plan(Plan, String),
    /// Drift, and when the tenants were read.
    Drift(Drift, String),
    /// Report, and when its run started and finished.
    Report(Report, String, String),
}

/// Parses the text of a saved plan, drift or report; its key `kind` decides which. Any other text or format version
/// is an error, and so is a plan or drift that does not match its fingerprint.
///
/// # Errors
/// The text is none of them, of another version, or was modified.
pub fn read(text: &str) -> Result<Saved, SavedFileError> {
    match parts::kind(text)?.as_str() {
        "plan" => plan::from_json(text).map(|(plan, created)| Saved::Plan(plan, created)),
        "drift" => drift::from_json(text).map(|(drift, created)| Saved::Drift(drift, created)),
        "report" => report::from_json(text)
            .map(|(report, started, finished)| Saved::Report(report, started, finished)),
        other => Err(SavedFileError::InvalidValue(format!("`kind`: `{other}`"))),
    }
}
