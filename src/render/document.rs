//! Value that a run displays.

use crate::apply::Report;
use crate::compare::Comparison;
use crate::drift::Drift;
use crate::plan::Plan;

/// Value that a run displays.
#[derive(Debug, Clone, Copy)]
pub enum Document<'a> {
    /// Changes that would be made.
    Plan(&'a Plan),
    /// Differences between tenants and files.
    Drift(&'a Drift),
    /// Results of changes.
    Report(&'a Report),
    /// Differences between two files.
    Comparison(&'a Comparison),
}
