//! Planning: ([`Desired`], [`Current`]) → [`Plan`]. Pure: no I/O, no clock, the same input gives the same
//! plan.
//!
//! `prune` adds the bindings that a file manages without listing them, `resolve` maps names to connectors,
//! `diff` compares, `guard` finds blockers, `fingerprint` identifies plans, `dedupe` removes what several
//! files of one tenant would report twice, and `shard` splits a run and joins its results.
//!
//! [`Desired`]: crate::model::Desired
//! [`Current`]: crate::model::Current

mod dedupe;
mod diff;
mod fingerprint;
mod guard;
mod prune;
mod resolve;
pub mod shard;
mod warning;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Severity, SourceLocation};
use crate::model::{Action, Api, Bound, Cloud, Connector, FlowId, ReadError, Step, TargetUrl};

pub use dedupe::dedupe_findings;
pub use diff::{create_unplanned_target, plan};
pub use guard::{Blocker, Override, Overrides, override_hint};
pub use shard::{Member, Shard, ShardInfo};
pub use warning::Warning;

/// Changes that a run would make to its tenants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// One for each file, in the order of the files.
    pub targets: Vec<Target>,
    /// Errors that make the plan incomplete: it can be read, not applied.
    pub errors: Vec<Problem>,
    /// Shard of the run, if it was split.
    pub shard: Option<ShardInfo>,
    /// Set if the plan was made to report drift.
    pub drift: Option<Drift>,
}

/// Options of a drift run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drift {
    /// Whether bindings that the file does not list count as drift.
    pub strict: bool,
}

/// Problem of a run, and the tenant that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The problem.
    pub diagnostic: Diagnostic,
    /// Tenant that cannot be changed because of it; `None` if it concerns the run.
    pub tenant: Option<String>,
}

/// Changes that a run would make to the tenant of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Tenant, as the file names it.
    pub tenant: String,
    /// GUID of the tenant, if it is known.
    pub tenant_id: Option<String>,
    /// Why the tenant of the access token could not be verified, if it could not.
    pub unverified: Option<String>,
    /// App that signs in, if the file names one.
    pub client_id: Option<String>,
    /// Cloud of the tenant.
    pub cloud: Cloud,
    /// Version of Graph.
    pub api: Api,
    /// Root of Graph, version included.
    pub graph_url: String,
    /// File that lists the bindings.
    pub file: String,
    /// Differences: flows in the file's order, then steps in the order of `Step::VARIANTS`.
    pub changes: Vec<Change>,
    /// Managed bindings that are as desired, in the order of the changes.
    pub in_sync: Vec<InSync>,
    /// Number of managed bindings that could not be compared, because they could not be read or resolved.
    pub not_compared: usize,
    /// Bindings of the listed flows that the file does not list.
    pub unmanaged: Vec<Unmanaged>,
    /// Bindings to deleted connectors, managed or not.
    pub dangling: Vec<Unmanaged>,
    /// Bindings of the listed flows that could not be read.
    pub unreadable: Vec<UnreadableBinding>,
    /// Pins that do not hold.
    pub pins: Vec<BrokenPin>,
    /// Guards that block the changes.
    pub blockers: Vec<Blocker>,
    /// Blockers that the overrides lifted.
    pub lifted: Vec<Blocker>,
    /// Flags that were given when the plan was made and that lift or set guards.
    pub overrides: Vec<Override>,
}

/// Connector that does not call its pinned address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BrokenPin {
    /// The connector.
    pub connector: Connector,
    /// Address that the file pins.
    pub expected: String,
    /// Address in the tenant, if it has one.
    pub actual: Option<String>,
}

/// Binding that differs. One change is exactly one PUT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// Kind of change.
    pub action: Action,
    /// Value in the tenant.
    pub current: Bound,
    /// Value in the file.
    pub desired: Bound,
    /// Whether the file protects the binding.
    pub protected: bool,
    /// Address that the file pins the desired connector to, if it does.
    pub pin: Option<Arc<TargetUrl>>,
    /// Location of the value in the file.
    pub source: SourceLocation,
}

/// Managed binding that is as desired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InSync {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// Value in the tenant and in the file.
    pub current: Bound,
    /// Location of the value in the file.
    pub source: SourceLocation,
}

/// Binding that the file does not list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmanaged {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// Value in the tenant.
    pub current: Bound,
}

/// Binding of a listed flow that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableBinding {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// Why it could not be read.
    pub error: ReadError,
}

/// Numbers of bindings of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Nothing → a connector.
    pub enable: usize,
    /// One connector → another.
    pub replace: usize,
    /// A connector → nothing.
    pub disable: usize,
    /// As desired.
    pub unchanged: usize,
    /// Managed, but not compared.
    pub not_compared: usize,
}

impl Summary {
    /// Returns the number of changes.
    pub fn changes(self) -> usize {
        [self.enable, self.replace, self.disable].into_iter().fold(0, usize::saturating_add)
    }

    /// Returns the number of managed bindings.
    pub fn managed(self) -> usize {
        [self.changes(), self.unchanged, self.not_compared].into_iter().fold(0, usize::saturating_add)
    }
}

impl std::iter::Sum for Summary {
    fn sum<I: Iterator<Item = Self>>(summaries: I) -> Self {
        summaries.fold(Self::default(), |sum, one| Self {
            enable: sum.enable.saturating_add(one.enable),
            replace: sum.replace.saturating_add(one.replace),
            disable: sum.disable.saturating_add(one.disable),
            unchanged: sum.unchanged.saturating_add(one.unchanged),
            not_compared: sum.not_compared.saturating_add(one.not_compared),
        })
    }
}

/// Returns each tenant once, in order, ignoring case and in its first spelling.
pub fn unique_tenants<'a>(tenants: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    tenants.filter(|tenant| seen.insert(tenant.to_ascii_lowercase())).map(str::to_owned).collect()
}

/// Returns the fingerprint of a run, computed from those of its targets in any order. A run with one target has
/// its fingerprint. `None` if any target has none.
pub fn fingerprint(targets: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    let targets: Option<Vec<_>> = targets.into_iter().collect();
    targets.map(fingerprint::run_fingerprint)
}

/// Returns one problem for each tenant name whose GUID another name in the plan has too, such as a domain and
/// its GUID. Files that name one tenant differently are not compared, so two of them could manage the same
/// binding.
pub fn find_aliased_tenants(targets: &[Target]) -> Vec<Problem> {
    let mut names = BTreeMap::<_, BTreeSet<_>>::new();
    for target in targets {
        if let Some(id) = &target.tenant_id {
            names.entry(id.to_ascii_lowercase()).or_default().insert(target.tenant.to_ascii_lowercase());
        }
    }
    let mut seen = BTreeSet::new();
    let problem = |target: &Target| {
        let id = target.tenant_id.as_ref()?.to_ascii_lowercase();
        let names = names.get(&id).filter(|names| names.len() > 1)?;
        // The files of one tenant share the problem.
        if !seen.insert(target.tenant.to_ascii_lowercase()) {
            return None;
        }
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let message = format!("{} are the same tenant, `{id}`", names.join(" and "));
        let diagnostic = Diagnostic::error(Code::TenantAlias, message);
        let diagnostic = diagnostic.hint("write the tenant in the same way in all files");
        Some(Problem { diagnostic, tenant: Some(target.tenant.clone()) })
    };
    targets.iter().filter_map(problem).collect()
}

impl Plan {
    /// Returns a predicate that is true if neither the target nor another target of its tenant has errors or
    /// unreadable bindings. It is always false if an error concerns the run and not one tenant.
    pub fn completeness_check(&self) -> impl Fn(&Target) -> bool + use<> {
        let concerns_all = self.errors.iter().any(|error| error.tenant.is_none());
        let with_errors = self.errors.iter().filter_map(|error| error.tenant.as_ref());
        let unreadable = self.targets.iter().filter(|target| !target.unreadable.is_empty());
        let tenants = with_errors.chain(unreadable.map(|target| &target.tenant));
        let incomplete: BTreeSet<_> = tenants.map(|tenant| tenant.to_ascii_lowercase()).collect();
        move |target| !concerns_all && !incomplete.contains(&target.tenant.to_ascii_lowercase())
    }

    /// Returns a predicate that is true if nothing of the target's tenant was read, such as after a failed
    /// sign-in: the target has no findings, and its tenant has an error.
    pub fn unread_check(&self) -> impl Fn(&Target) -> bool + use<> {
        let with_errors = self.errors.iter().filter_map(|error| error.tenant.as_ref());
        let with_errors: BTreeSet<_> = with_errors.map(|tenant| tenant.to_ascii_lowercase()).collect();
        move |target| !target.has_findings() && with_errors.contains(&target.tenant.to_ascii_lowercase())
    }

    /// Returns the first binding, with its tenant, that two targets of this tenant manage or that one target
    /// has twice, ignoring case. No plan that was made by [`plan`] has one.
    pub fn find_duplicate_binding(&self) -> Option<(&str, &FlowId, Step)> {
        let mut managed = BTreeSet::new();
        self.targets.iter().find_map(|target| {
            let mut seen = BTreeSet::new();
            let changes = target.changes.iter().map(|it| (&it.flow, it.step, true));
            let in_sync = target.in_sync.iter().map(|it| (&it.flow, it.step, true));
            let unmanaged = target.unmanaged.iter().map(|it| (&it.flow, it.step, false));
            let unreadable = target.unreadable.iter().map(|it| (&it.flow, it.step, false));
            let mut bindings = changes.chain(in_sync).chain(unmanaged).chain(unreadable);
            let duplicate = bindings.find(|(flow, step, is_managed)| {
                let binding = (flow.as_str().to_ascii_lowercase(), *step);
                let is_new = seen.insert(binding.clone());
                let tenant = target.tenant.to_ascii_lowercase();
                !is_new || *is_managed && !managed.insert((tenant, binding))
            });
            duplicate.map(|(flow, step, _)| (&*target.tenant, flow, step))
        })
    }

    /// Returns the tenants of the plan, each once, in the order of the files. Tenants without a target, which
    /// only errors name, come last.
    pub fn tenants(&self) -> Vec<String> {
        let with_errors = self.errors.iter().filter_map(|error| error.tenant.as_deref());
        unique_tenants(self.targets.iter().map(|target| target.tenant.as_str()).chain(with_errors))
    }

    /// Returns whether the plan is about more than one tenant.
    pub fn has_several_tenants(&self) -> bool {
        self.tenants().len() > 1
    }

    /// Returns the targets of a tenant, ignoring case.
    pub fn targets_of<'a>(&'a self, tenant: &'a str) -> impl Iterator<Item = &'a Target> {
        self.targets.iter().filter(move |target| target.tenant.eq_ignore_ascii_case(tenant))
    }

    /// Returns every problem of the plan: the warnings, the unreadable bindings by cause and the blockers of
    /// each tenant, and the errors. Files of one tenant share warnings and causes.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for tenant in unique_tenants(self.targets.iter().map(|target| target.tenant.as_str())) {
            let targets: Vec<_> = self.targets_of(&tenant).collect();
            let mut warnings = Vec::new();
            for warning in targets.iter().flat_map(|target| target.warnings()) {
                if matches!(warning, Warning::Dangling(_)) || !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
            let blockers = targets.iter().flat_map(|target| &target.blockers);
            let diagnostics = warnings
                .iter()
                .map(Warning::diagnostic)
                .chain(unreadable_causes(targets.iter().flat_map(|it| &it.unreadable)));
            let diagnostics = diagnostics.chain(blockers.map(Blocker::diagnostic));
            problems.extend(diagnostics.map(|diagnostic| Problem::for_tenant(&tenant, diagnostic)));
        }
        problems.extend(self.errors.iter().cloned());
        problems
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
        self.targets.iter().map(Target::summary).sum()
    }

    /// Returns the fingerprint of the run. It is equal for plans that would do the same, whenever and wherever they are made.
    /// `None` if the plan is incomplete.
    pub fn fingerprint(&self) -> Option<String> {
        if !self.errors.is_empty() {
            return None;
        }
        fingerprint(self.target_fingerprints())
    }

    /// Returns the fingerprint of each target, in order; `None` for incomplete ones.
    pub fn target_fingerprints(&self) -> Vec<Option<String>> {
        let is_complete = self.completeness_check();
        let fingerprint = |target| is_complete(target).then(|| fingerprint::target_fingerprint(target));
        self.targets.iter().map(fingerprint).collect()
    }

    /// Returns whether anything would change.
    pub fn has_changes(&self) -> bool {
        self.targets.iter().any(|target| !target.changes.is_empty())
    }

    /// Returns whether bindings that the files do not list count as drift.
    pub fn is_strict(&self) -> bool {
        self.drift.is_some_and(|drift| drift.strict)
    }

    /// Returns whether the tenants differ from their files; `None` if not everything could be read and no
    /// difference was found in the rest.
    pub fn is_drifted(&self) -> Option<bool> {
        let differs = self.differs();
        (differs || self.is_complete()).then_some(differs)
    }

    /// Returns whether anything that was read differs from its file: changes and broken pins, in a drift run
    /// also dangling bindings, and in a strict one also unmanaged bindings.
    pub fn differs(&self) -> bool {
        self.has_changes()
            || self.targets.iter().any(|target| {
                let dangling = self.drift.is_some() && !target.dangling.is_empty();
                !target.pins.is_empty() || dangling || self.is_strict() && !target.unmanaged.is_empty()
            })
    }

    /// Returns whether guards block any changes.
    pub fn is_blocked(&self) -> bool {
        self.targets.iter().any(|target| !target.blockers.is_empty())
    }

    /// Returns whether everything that the plan needs could be read and resolved.
    pub fn is_complete(&self) -> bool {
        self.errors.is_empty() && self.targets.iter().all(|target| target.unreadable.is_empty())
    }
}

impl Target {
    /// Returns the numbers of bindings of each kind in this target.
    pub fn summary(&self) -> Summary {
        let count = |action| self.changes.iter().filter(|change| change.action == action).count();
        Summary {
            enable: count(Action::Enable),
            replace: count(Action::Replace),
            disable: count(Action::Disable),
            unchanged: self.in_sync.len(),
            not_compared: self.not_compared,
        }
    }

    /// Returns whether anything that was read of the tenant is in the target.
    fn has_findings(&self) -> bool {
        let Self { changes, in_sync, unmanaged, dangling, unreadable, pins, .. } = self;
        let has_bindings = !(changes.is_empty() && in_sync.is_empty() && unmanaged.is_empty());
        has_bindings || !(dangling.is_empty() && unreadable.is_empty() && pins.is_empty())
    }

    /// Returns the warnings of this target: a tenant that could not be verified, a changed undocumented step,
    /// and bindings to deleted connectors.
    pub fn warnings(&self) -> Vec<Warning> {
        warning::collect_warnings(self)
    }

    /// Returns one problem for each cause that keeps bindings of this target from being read.
    pub fn unreadable_causes(&self) -> Vec<Diagnostic> {
        unreadable_causes(&self.unreadable)
    }
}

/// Returns one problem for each cause that keeps bindings of one tenant from being read, in the order of the
/// bindings: a cause that concerns many flows is one problem.
pub fn unreadable_causes<'a>(bindings: impl IntoIterator<Item = &'a UnreadableBinding>) -> Vec<Diagnostic> {
    let mut causes: Vec<(&ReadError, Vec<&UnreadableBinding>)> = Vec::new();
    let mut positions = BTreeMap::new();
    for binding in bindings {
        let position = *positions.entry(binding.error.cause_key()).or_insert(causes.len());
        match causes.get_mut(position) {
            Some((_, bindings)) => bindings.push(binding),
            None => causes.push((&binding.error, vec![binding])),
        }
    }
    causes.iter().map(|(error, bindings)| unreadable_cause(error, bindings)).collect()
}

fn unreadable_cause(error: &ReadError, bindings: &[&UnreadableBinding]) -> Diagnostic {
    const LISTED: usize = 5;
    let mut seen = BTreeSet::new();
    let flows = bindings.iter().map(|binding| &binding.flow).filter(|flow| seen.insert(*flow));
    let flows: Vec<&FlowId> = flows.collect();
    match flows.as_slice() {
        // The host is the cause, whatever was to be read from it.
        _ if error.code == Code::GraphUnreachable => {
            let problem = Diagnostic::error(error.code, &*error.cause);
            error.hint.iter().fold(problem, |problem, hint| problem.hint(&**hint))
        }
        [flow] => {
            let steps: Vec<_> = bindings.iter().map(|binding| binding.step.name()).collect();
            error.diagnostic(&format!("could not read `{flow}` ({})", steps.join(", ")))
        }
        flows => {
            let problem = error.diagnostic(&format!("{} flows could not be read", flows.len()));
            let listed: Vec<_> = flows.iter().take(LISTED).map(|flow| format!("`{flow}`")).collect();
            let more = flows.len().saturating_sub(LISTED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            problem.note(format!("flows: {}{more}", listed.join(", ")))
        }
    }
}

impl Problem {
    /// Creates a problem of one tenant.
    pub fn for_tenant(tenant: &str, diagnostic: Diagnostic) -> Self {
        Self { tenant: Some(tenant.to_owned()), diagnostic }
    }

    /// Returns whether the problem is about this tenant, ignoring case. A problem of the run is about none.
    pub fn concerns_tenant(&self, tenant: &str) -> bool {
        self.tenant.as_ref().is_some_and(|other| other.eq_ignore_ascii_case(tenant))
    }
}

impl From<Diagnostic> for Problem {
    /// Creates a problem of the run, which concerns every tenant.
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostic, tenant: None }
    }
}
