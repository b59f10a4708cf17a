//! Plan of a run: the plans of its tenants.

use std::collections::{BTreeMap, BTreeSet};

use super::binding::Change;
use super::blocker::Blocker;
use super::fingerprint::{combine_fingerprints, target_fingerprint};
use super::limit::Limit;
use super::overrides::{Override, ScopedOverride};
use super::problem::Problem;
use super::shard::{ShardInfo, has_several_tenants};
use super::target::{Summary, Target};
use super::tenant::TenantPlan;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::model::{FlowId, FlowKey, Label, Step, Tenant};

/// Changes that a run would make to its tenants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Plans of the tenants, in the order of their first file. Those without a file, which only errors name,
    /// come last.
    pub tenants: Vec<TenantPlan>,
    /// Errors that concern the run and not one tenant. They make the plan of every tenant incomplete.
    pub errors: Vec<Diagnostic>,
    /// Shard of the run, if it was split.
    pub shard: Option<ShardInfo>,
    /// Bindings that the run is limited to, if it is.
    pub limit: Option<Limit>,
    /// Name of the run, if it has one.
    pub label: Option<Label>,
}

impl Plan {
    /// Creates the plan of a run from the targets of its files, in order, and its errors. Groups both by tenant.
    pub fn new(targets: Vec<Target>, errors: Vec<Problem>) -> Self {
        let mut plan = Self::default();
        let mut positions = BTreeMap::new();
        for (position, target) in targets.into_iter().enumerate() {
            let tenant = plan.tenant_mut(&mut positions, &target.tenant);
            tenant.targets.push(Target { position, ..target });
        }
        for Problem { tenant, diagnostic } in errors {
            match tenant {
                Some(tenant) => plan.tenant_mut(&mut positions, &tenant).errors.push(diagnostic),
                None => plan.errors.push(diagnostic),
            }
        }
        plan
    }

    /// Returns the plan of a tenant, which is added if it is new.
    fn tenant_mut(&mut self, positions: &mut BTreeMap<Tenant, usize>, tenant: &Tenant) -> &mut TenantPlan {
        let at = *positions.entry(tenant.clone()).or_insert(self.tenants.len());
        if at == self.tenants.len() {
            let tenant = tenant.clone();
            self.tenants.push(TenantPlan { tenant, targets: Vec::new(), errors: Vec::new() });
        }
        #[expect(clippy::indexing_slicing, reason = "the position is below the length")]
        &mut self.tenants[at]
    }

    /// Keeps the tenants of a shard, and sets the shard.
    pub fn retain_shard(&mut self, info: ShardInfo) {
        self.tenants.retain(|tenant| info.shard.contains(&tenant.tenant));
        self.shard = Some(info);
        let mut targets: Vec<_> = self.tenants.iter_mut().flat_map(|tenant| &mut tenant.targets).collect();
        targets.sort_by_key(|target| target.position);
        targets.into_iter().enumerate().for_each(|(position, target)| target.position = position);
    }

    /// Returns the targets of all tenants, in the order of the files.
    pub fn targets(&self) -> std::vec::IntoIter<&Target> {
        in_file_order(self.tenants.iter().flat_map(|tenant| &tenant.targets))
    }

    /// Returns the targets of all tenants by value, in the order of the files.
    pub fn into_targets(self) -> Vec<Target> {
        let mut targets: Vec<_> = self.tenants.into_iter().flat_map(|tenant| tenant.targets).collect();
        targets.sort_by_key(|target| target.position);
        targets
    }

    /// Returns the targets of which anything was read, in the order of the files. After a failed sign-in, a target
    /// has no findings, and its tenant has an error.
    pub fn read_targets(&self) -> std::vec::IntoIter<&Target> {
        in_file_order(self.tenants.iter().flat_map(|tenant| {
            let is_read = |target: &&Target| tenant.errors.is_empty() || target.has_findings();
            tenant.targets.iter().filter(is_read)
        }))
    }

    /// Returns the errors of the run, then those of each tenant.
    pub fn errors(&self) -> Vec<Problem> {
        let of_tenant = |tenant: &TenantPlan| -> Vec<_> {
            tenant.errors.iter().map(|error| Problem::for_tenant(&tenant.tenant, error.clone())).collect()
        };
        let of_run = self.errors.iter().cloned().map(Problem::from);
        of_run.chain(self.tenants.iter().flat_map(of_tenant)).collect()
    }

    /// Adds the errors of [`alias_errors`] to the tenants of the plan.
    pub fn add_alias_errors(&mut self) {
        let targets = self.tenants.iter().flat_map(|tenant| &tenant.targets);
        let ids = targets.filter_map(|target| Some((&target.tenant, target.tenant_id.as_deref()?)));
        let mut errors = alias_errors(ids);
        for tenant in &mut self.tenants {
            let Some(error) = errors.remove(&tenant.tenant) else { continue };
            // Joined plans can have it already.
            tenant.errors.retain(|other| *other != error);
            tenant.errors.push(error);
        }
    }

    /// Returns the first binding, with its tenant, that two targets of this tenant manage or that one target
    /// has twice, ignoring case. A plan that was made from files has none.
    pub fn find_duplicate_binding(&self) -> Option<(&Tenant, &FlowId, Step)> {
        self.tenants.iter().find_map(|tenant| {
            let mut managed = BTreeSet::new();
            let duplicate = tenant.targets.iter().find_map(|target| {
                let mut seen = BTreeSet::new();
                let unmanaged = target.unmanaged.iter().map(|it| (&it.flow, it.step));
                let unreadable = target.unreadable.iter().map(|it| (&it.flow, it.step));
                let others = unmanaged.chain(unreadable).map(|(flow, step)| (flow, step, false));
                let all = target.managed().map(|(flow, step)| (flow, step, true)).chain(others);
                let mut all = all.map(|(flow, step, is_managed)| {
                    let key = (FlowKey::from(flow), step);
                    let is_new = seen.insert(key) && (!is_managed || managed.insert(key));
                    (flow, step, is_new)
                });
                all.find(|(.., is_new)| !is_new)
            });
            duplicate.map(|(flow, step, _)| (&tenant.tenant, flow, step))
        })
    }

    /// Returns whether the plan is about more than one tenant.
    pub fn has_several_tenants(&self) -> bool {
        self.tenants.len() > 1
    }

    /// Returns whether flags must name their tenant: the run, with all its shards, has several.
    pub fn needs_scoped_flags(&self) -> bool {
        self.has_several_tenants() || self.shard.as_ref().is_some_and(|it| has_several_tenants(&it.fleet))
    }

    /// Returns the flag that lifts a blocker of a target, in the form that works for this run. `None` if no flag
    /// lifts it.
    pub fn lifting_flag(&self, target: &Target, blocker: &Blocker) -> Option<ScopedOverride> {
        let tenant = self.tenants.iter().find(|it| it.tenant == target.tenant)?;
        let flag = tenant.lifted_by(blocker)?;
        Some(flag.scoped(&target.tenant, self.needs_scoped_flags()))
    }

    /// Returns the blockers of a target as problems.
    pub fn blocker_diagnostics(&self, target: &Target) -> Vec<Diagnostic> {
        let diagnostic = |blocker: &Blocker| blocker.diagnostic(self.lifting_flag(target, blocker).as_ref());
        target.blockers.iter().map(diagnostic).collect()
    }

    /// Returns whether a tenant of the plan can be applied, as far as its reads are concerned: neither it nor the
    /// run has an error, and everything could be read.
    pub fn is_tenant_complete(&self, tenant: &TenantPlan) -> bool {
        self.errors.is_empty() && tenant.is_complete()
    }

    /// Returns every problem of the plan: warnings, unreadable bindings by cause and blockers of each tenant,
    /// then the errors.
    pub fn problems(&self) -> Vec<Problem> {
        let of_tenant = |tenant: &TenantPlan| -> Vec<_> {
            let findings = tenant.findings(self.needs_scoped_flags()).into_iter();
            findings.map(|finding| Problem::for_tenant(&tenant.tenant, finding)).collect()
        };
        self.tenants.iter().flat_map(of_tenant).chain(self.errors()).collect()
    }

    /// Returns the problems that make the plan incomplete: its errors, and one for each cause of unreadable
    /// bindings.
    pub fn incompleteness_errors(&self) -> Vec<Problem> {
        let mut problems = self.problems();
        problems.retain(|problem| problem.diagnostic.severity == Severity::Error);
        problems
    }

    /// Returns the numbers of bindings of each kind over all targets.
    pub fn summary(&self) -> Summary {
        self.targets().map(Target::summary).sum()
    }

    /// Returns the fingerprint of the run. It is equal for plans that would do the same, whenever and wherever
    /// they are made. `None` if the plan is incomplete.
    pub fn fingerprint(&self) -> Option<String> {
        self.is_complete().then(|| combine_fingerprints(self.target_fingerprints())).flatten()
    }

    /// Returns the fingerprint of one tenant, which is that of a run with this tenant alone. `None` if the tenant is
    /// incomplete.
    pub fn tenant_fingerprint(&self, tenant: &TenantPlan) -> Option<String> {
        let targets = tenant.targets.iter().map(|target| Some(target_fingerprint(target)));
        self.is_tenant_complete(tenant).then(|| combine_fingerprints(targets)).flatten()
    }

    /// Returns the fingerprint of each tenant, `None` for an incomplete one.
    pub fn tenant_fingerprints(&self) -> Vec<(&Tenant, Option<String>)> {
        self.tenants.iter().map(|tenant| (&tenant.tenant, self.tenant_fingerprint(tenant))).collect()
    }

    /// Returns the plan as it were if flags lifted its blockers. A broken pin stays.
    #[must_use]
    pub fn with_lifted_blockers(&self) -> Self {
        let mut plan = self.clone();
        for target in plan.tenants.iter_mut().flat_map(|tenant| &mut tenant.targets) {
            let blockers = std::mem::take(&mut target.blockers).into_iter();
            let (lifted, kept): (Vec<_>, _) = blockers.partition(|blocker| blocker.lifted_by().is_some());
            // The limit of a flag is not one of the file, which is already among the lifted blockers.
            let is_of_file = |blocker: &Blocker| match blocker {
                Blocker::MaxChanges { limit, .. } => {
                    !target.overrides.contains(&Override::MaxChanges(*limit))
                }
                Blocker::MaxDisables { limit, .. } => {
                    !target.overrides.contains(&Override::MaxDisables(*limit))
                }
                _ => true,
            };
            target.lifted.extend(lifted.into_iter().filter(is_of_file));
            target.blockers = kept;
        }
        plan
    }

    /// Returns the fingerprint of each target, in the order of the files; `None` for those of incomplete tenants.
    pub fn target_fingerprints(&self) -> Vec<Option<String>> {
        let mut complete = BTreeSet::new();
        for tenant in self.tenants.iter().filter(|tenant| self.is_tenant_complete(tenant)) {
            complete.extend(tenant.targets.iter().map(|target| target.position));
        }
        let fingerprint =
            |target: &Target| complete.contains(&target.position).then(|| target_fingerprint(target));
        self.targets().map(fingerprint).collect()
    }

    /// Returns the changes of all targets.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.tenants.iter().flat_map(TenantPlan::changes)
    }

    /// Returns whether anything would change.
    pub fn has_changes(&self) -> bool {
        self.changes().next().is_some()
    }

    /// Returns whether a binding or a pinned address differs from its file; `None` if not everything could be read
    /// and no difference was found in the rest.
    pub fn is_drifted(&self) -> Option<bool> {
        let differs = self.has_changes() || self.targets().any(|target| !target.pins.is_empty());
        (differs || self.is_complete()).then_some(differs)
    }

    /// Returns whether guards block any changes.
    pub fn is_blocked(&self) -> bool {
        self.tenants.iter().any(|tenant| tenant.blockers().next().is_some())
    }

    /// Returns whether everything that the plan needs could be read and resolved.
    pub fn is_complete(&self) -> bool {
        self.errors.is_empty() && self.tenants.iter().all(TenantPlan::is_complete)
    }
}

fn in_file_order<'a>(targets: impl Iterator<Item = &'a Target>) -> std::vec::IntoIter<&'a Target> {
    let mut targets: Vec<_> = targets.collect();
    targets.sort_by_key(|target| target.position);
    targets.into_iter()
}

/// Returns an error for each tenant whose GUID another tenant of a run has too, such as a domain and its GUID. Files
/// that name one tenant differently are not compared, so two of them could manage the same binding.
pub fn alias_errors<'a>(ids: impl Iterator<Item = (&'a Tenant, &'a str)>) -> BTreeMap<Tenant, Diagnostic> {
    let mut names = BTreeMap::<_, BTreeSet<_>>::new();
    for (tenant, id) in ids {
        names.entry(id.to_ascii_lowercase()).or_default().insert(tenant);
    }
    let mut errors = BTreeMap::new();
    for (id, tenants) in names.into_iter().filter(|(_, tenants)| tenants.len() > 1) {
        let names: BTreeSet<_> = tenants.iter().map(|name| name.as_str().to_ascii_lowercase()).collect();
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let message = format!("{} are the same tenant, `{id}`", names.join(" and "));
        let error = Diagnostic::error(Code::TenantAlias, message);
        let error = error.hint("write the tenant in the same way in all files");
        errors.extend(tenants.into_iter().map(|tenant| (tenant.clone(), error.clone())));
    }
    errors
}
