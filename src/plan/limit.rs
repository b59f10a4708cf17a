//! Runs that are limited to some bindings.

use crate::model::Only;

/// Limit of a run to the bindings that the user selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Selected flows and bindings.
    pub only: Vec<Only>,
    /// Number of managed bindings that are selected.
    pub selected: usize,
    /// Number of managed bindings of all files of the run.
    pub of: usize,
}
