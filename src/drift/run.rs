//! Drift of a run.

use std::collections::{BTreeMap, BTreeSet};

use super::difference::Difference;
use super::fingerprint;
use super::kind::Kind;
use super::target::TargetDrift;
use crate::diagnostic::Severity;
use crate::model::{FlowId, FlowKey, Label, Step, Tenant};
use crate::plan::{Limit, Problem, ShardInfo, Warning, unreadable_causes};

/// Differences between the tenants of a run and their files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drift {
    /// Drift of each file, in the order of the files.
    pub targets: Vec<TargetDrift>,
    /// What could not be read, and invalid files. With an error, the drift is incomplete.
    pub errors: Vec<Problem>,
    /// Shard of the run, if it was split.
    pub shard: Option<ShardInfo>,
    /// Bindings that the run is limited to, if it is.
    pub limit: Option<Limit>,
    /// Name of the run, if it has one.
    pub label: Option<Label>,
    /// Whether bindings that the files do not list are differences.
    pub strict: bool,
    /// Whether the run was compared with an earlier one.
    pub is_compared: bool,
    /// Differences of earlier runs that this run could neither confirm nor refute.
    pub remembered: Vec<Remembered>,
}

/// Difference of an earlier run that this run did not look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The tenant.
    pub tenant: Tenant,
    /// The difference.
    pub difference: Difference,
}

/// Drift of one tenant.
#[derive(Debug, Clone)]
pub struct TenantDrift<'a> {
    /// Tenant, as its first file names it.
    pub tenant: &'a Tenant,
    /// Drift of its files, in their order.
    pub targets: Vec<&'a TargetDrift>,
    /// Errors of the tenant.
    pub errors: Vec<&'a Problem>,
    /// Number of errors that concern every tenant of the run.
    of_run: usize,
}

impl TenantDrift<'_> {
    /// Returns the number of errors that concern the tenant, those of the run included.
    pub fn count_errors(&self) -> usize {
        self.errors.len().saturating_add(self.of_run)
    }

    /// Returns whether everything of the tenant could be read.
    pub fn is_complete(&self) -> bool {
        self.count_errors() == 0 && self.targets.iter().all(|target| target.unreadable.is_empty())
    }

    /// Returns whether the tenant differs from its files. `None` if not everything could be read and nothing else
    /// differs.
    pub fn is_drifted(&self) -> Option<bool> {
        let differs = self.targets.iter().any(|target| !target.differences.is_empty());
        (differs || self.is_complete()).then_some(differs)
    }
}

impl Drift {
    /// Returns all differences, in the order of the files.
    pub fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.targets.iter().flat_map(|target| &target.differences)
    }

    /// Returns the number of differences of a kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.differences().filter(|difference| difference.kind == kind).count()
    }

    /// Returns whether everything could be read.
    pub fn is_complete(&self) -> bool {
        self.errors.is_empty() && self.targets.iter().all(|target| target.unreadable.is_empty())
    }

    /// Returns whether anything differs. `None` if not everything could be read and nothing else differs.
    pub fn is_drifted(&self) -> Option<bool> {
        let differs = self.differences().next().is_some();
        (differs || self.is_complete()).then_some(differs)
    }

    /// Returns the drift of each tenant: those of the files in their order, then those that only errors name.
    pub fn by_tenant(&self) -> Vec<TenantDrift<'_>> {
        let of_run = self.errors.iter().filter(|error| error.tenant.is_none()).count();
        let (mut tenants, mut positions) = (Vec::<TenantDrift<'_>>::new(), BTreeMap::new());
        let of_targets = self.targets.iter().map(|target| (&target.tenant, Some(target), None));
        let of_errors =
            self.errors.iter().filter_map(|error| Some((error.tenant.as_ref()?, None, Some(error))));
        for (tenant, target, error) in of_targets.chain(of_errors) {
            let at = *positions.entry(tenant).or_insert(tenants.len());
            if at == tenants.len() {
                tenants.push(TenantDrift { tenant, targets: Vec::new(), errors: Vec::new(), of_run });
            }
            if let Some(of_tenant) = tenants.get_mut(at) {
                of_tenant.targets.extend(target);
                of_tenant.errors.extend(error);
            }
        }
        tenants
    }

    /// Returns the targets of which anything was read. After a failed sign-in, a target has no findings, and its
    /// tenant has an error.
    pub fn read_targets(&self) -> impl Iterator<Item = &TargetDrift> {
        let failed: BTreeSet<_> = self.errors.iter().filter_map(|error| error.tenant.as_ref()).collect();
        self.targets.iter().filter(move |target| target.has_findings() || !failed.contains(&target.tenant))
    }

    /// Returns the problems that are not differences: the warnings of each tenant, which its files share, and the
    /// unreadable bindings by cause, then the errors.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for TenantDrift { tenant, targets, .. } in self.by_tenant() {
            let mut warnings: Vec<Warning> = Vec::new();
            for warning in targets.iter().flat_map(|target| target.warnings()) {
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
            let unreadable = unreadable_causes(targets.iter().flat_map(|target| &target.unreadable));
            let found = warnings.iter().map(Warning::diagnostic).chain(unreadable);
            problems.extend(found.map(|diagnostic| Problem::for_tenant(tenant, diagnostic)));
        }
        problems.extend(self.errors.iter().cloned());
        problems
    }

    /// Returns the problems that make the drift incomplete.
    pub fn incompleteness_errors(&self) -> Vec<Problem> {
        let mut problems = self.problems();
        problems.retain(|problem| problem.diagnostic.severity == Severity::Error);
        problems
    }

    /// Returns the fingerprint of the set of differences, as 64 hexadecimal digits; `None` if the drift is incomplete.
    pub fn fingerprint(&self) -> Option<String> {
        self.is_complete().then(|| fingerprint::of_differences(&self.targets))
    }

    /// Returns whether the run is about more than one tenant.
    pub fn has_several_tenants(&self) -> bool {
        self.by_tenant().len() > 1
    }

    /// Returns the first binding that two targets of one tenant manage, or that one target has twice. Drift that was
    /// found in files has none.
    pub fn find_duplicate_binding(&self) -> Option<(&Tenant, &FlowId, Step)> {
        let mut managed = BTreeSet::new();
        self.targets.iter().find_map(|target| {
            let mut bindings = target.managed();
            let twice =
                bindings.find(|(flow, step)| !managed.insert((&target.tenant, FlowKey::from(*flow), *step)));
            twice.map(|(flow, step)| (&target.tenant, flow, step))
        })
    }
}
