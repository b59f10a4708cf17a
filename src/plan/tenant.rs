//! Plan of one tenant.

use std::collections::{BTreeMap, BTreeSet};

use super::binding::{Change, unreadable_causes};
use super::blocker::Blocker;
use super::overrides::Override;
use super::resolve_connectors::missing_connector;
use super::target::{Summary, Target};
use super::warning::Warning;
use crate::diagnostic::{Diagnostic, Location};
use crate::model::{ListedConnector, Tenant};

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

    /// Returns whether any change binds a connector.
    pub fn binds(&self) -> bool {
        self.changes().any(|change| change.desired.is_some())
    }

    /// Adds an error for each connector that a change binds and the tenant does not have.
    pub fn check_connectors(&mut self, listed: &[ListedConnector]) {
        let known: BTreeSet<_> = listed.iter().map(|listed| &listed.connector.id).collect();
        let mut missing = BTreeMap::new();
        for change in self.changes() {
            if let Some(id) = change.desired.as_ref().map(|connector| &connector.id)
                && !known.contains(id)
            {
                missing.entry(id.clone()).or_insert_with(|| change.source.clone());
            }
        }
        self.errors.extend(missing.into_iter().map(|(id, source)| {
            let problem = missing_connector(&id);
            Diagnostic { location: Some(Box::new(Location::Position(source))), ..problem }
        }));
    }

    /// Returns the blockers of all files.
    pub fn blockers(&self) -> impl Iterator<Item = &Blocker> {
        self.targets.iter().flat_map(|target| &target.blockers)
    }

    /// Returns the flag that lifts a blocker of the tenant, and with which no other file of the tenant is blocked: a
    /// limit applies to each file. `None` if no flag lifts it.
    pub fn lifted_by(&self, blocker: &Blocker) -> Option<Override> {
        let code = blocker.code();
        let is_blocked = |target: &&Target| target.blockers.iter().any(|other| other.code() == code);
        let allowed = self.targets.iter().filter(|target| !is_blocked(target)).map(Target::summary);
        let highest = |count: fn(Summary) -> usize, limit: u32| {
            let allowed = allowed.map(|summary| u32::try_from(count(summary)).unwrap_or(u32::MAX));
            allowed.fold(limit, u32::max)
        };
        Some(match blocker.lifted_by()? {
            Override::MaxChanges(limit) => Override::MaxChanges(highest(Summary::changes, limit)),
            Override::MaxDisables(limit) => Override::MaxDisables(highest(|it| it.disable, limit)),
            flag => flag,
        })
    }

    /// Returns the flags that lift the blockers of the tenant, each once and in order. A limit is the highest that any
    /// blocker needs.
    pub fn lifting_flags(&self) -> Vec<Override> {
        let mut flags: Vec<_> = self.blockers().filter_map(|blocker| self.lifted_by(blocker)).collect();
        flags.sort_unstable();
        flags.dedup_by(|flag, before| match (flag, before) {
            (Override::MaxChanges(limit), Override::MaxChanges(lower))
            | (Override::MaxDisables(limit), Override::MaxDisables(lower)) => {
                *lower = *limit;
                true
            }
            (flag, before) => flag == before,
        });
        flags
    }

    /// Returns one problem for each cause that keeps bindings of the tenant from being read.
    pub fn unreadable_causes(&self) -> Vec<Diagnostic> {
        unreadable_causes(self.targets.iter().flat_map(|target| &target.unreadable))
    }

    /// Returns the problems that are not errors of their own: the warnings, which files share, the unreadable
    /// bindings by cause, and the blockers, with flags that name the tenant if the run has `several`.
    pub fn findings(&self, several: bool) -> Vec<Diagnostic> {
        let mut warnings = Vec::new();
        for warning in self.targets.iter().flat_map(Target::warnings) {
            if matches!(warning, Warning::Dangling(_)) || !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        let warnings = warnings.iter().map(Warning::diagnostic);
        let blockers = self.blockers().map(|blocker| {
            let flag = self.lifted_by(blocker).map(|flag| flag.scoped(&self.tenant, several));
            blocker.diagnostic(flag.as_ref())
        });
        warnings.chain(self.unreadable_causes()).chain(blockers).collect()
    }
}
