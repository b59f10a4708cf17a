//! Plan of one tenant.

use super::binding::{Change, unreadable_causes};
use super::blocker::Blocker;
use super::target::Target;
use super::warning::Warning;
use crate::diagnostic::Diagnostic;
use crate::model::Tenant;

/// Changes that a run would make to one tenant, from all its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantPlan {
    /// Tenant, as its first file names it.
    pub tenant: Tenant,
    /// One for each file, in the order of the files.
    pub targets: Vec<Target>,
    /// Errors that make the plan incomplete: it can be read, not applied.
    pub errors: Vec<Diagnostic>,
}

impl TenantPlan {
    /// Returns whether everything that the plan needs could be read and resolved.
    pub fn is_complete(&self) -> bool {
        self.errors.is_empty() && self.targets.iter().all(|target| target.unreadable.is_empty())
    }

    /// Returns the changes of all files.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.targets.iter().flat_map(|target| &target.changes)
    }

    /// Returns the blockers of all files.
    pub fn blockers(&self) -> impl Iterator<Item = &Blocker> {
        self.targets.iter().flat_map(|target| &target.blockers)
    }

    /// Returns one problem for each cause that keeps bindings of the tenant from being read.
    pub fn unreadable_causes(&self) -> Vec<Diagnostic> {
        unreadable_causes(self.targets.iter().flat_map(|target| &target.unreadable))
    }

    /// Returns the problems that are not errors of their own: the warnings, which files share, the unreadable
    /// bindings by cause, and the blockers.
    pub fn findings(&self) -> Vec<Diagnostic> {
        let mut warnings = Vec::new();
        for warning in self.targets.iter().flat_map(Target::warnings) {
            if matches!(warning, Warning::Dangling(_)) || !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        let warnings = warnings.iter().map(Warning::diagnostic);
        warnings.chain(self.unreadable_causes()).chain(self.blockers().map(Blocker::diagnostic)).collect()
    }
}
