//! Value that a run displays.

use super::escape;
use crate::apply::Report;
use crate::plan::Plan;

/// Value that a run displays.
#[derive(Debug, Clone, Copy)]
pub enum Document<'a> {
    /// Changes that would be made.
    Plan(&'a Plan),
    /// Differences between tenants and files.
    Drift(&'a Plan),
    /// Results of changes.
    Report(&'a Report),
}

impl<'a> Document<'a> {
    /// Creates the document of a plan: drift if the plan was made to report drift.
    pub fn from_plan(plan: &'a Plan) -> Self {
        if plan.drift.is_some() { Self::Drift(plan) } else { Self::Plan(plan) }
    }

    /// Returns the command that made the document.
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Plan(_) => "plan",
            Self::Drift(_) => "drift",
            Self::Report(_) => "apply",
        }
    }

    /// Returns the fingerprint of the plan; `None` if the plan is incomplete.
    pub(super) fn fingerprint(self) -> Option<String> {
        match self {
            Self::Plan(plan) | Self::Drift(plan) => plan.fingerprint(),
            Self::Report(report) => report.fingerprint.as_deref().map(escape::fingerprint),
        }
    }

    /// Returns the suffix of a title: `, incomplete` or nothing; for a plan also `, blocked`, alone or after
    /// it. Blockers do not concern drift and reports.
    pub(super) fn status_suffix(self) -> String {
        let (is_complete, is_blocked) = match self {
            Self::Plan(plan) => (plan.is_complete(), plan.is_blocked()),
            Self::Drift(plan) => (plan.is_complete(), false),
            Self::Report(report) => (report.is_complete(), false),
        };
        let suffixes = [(!is_complete).then_some(", incomplete"), is_blocked.then_some(", blocked")];
        suffixes.into_iter().flatten().collect()
    }
}
