//! What stdout gets.

use clap::ValueEnum;

/// The formats of a plan and of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}
