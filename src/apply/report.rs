//! Report of an apply: the result of each change, by tenant.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use strum::{EnumDiscriminants, IntoStaticStr, VariantArray};

use crate::diagnostic::{Code, SourceLocation};
use crate::model::{Action, Actor, Api, Bound, ClientIds, Cloud, FlowId, Label, Step, Tenant};
use crate::plan::{Change, HeldBinding, Limit, Plan, Problem, ShardInfo, Target};

/// Result of applying a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Fingerprint of the plan; `None` if it was incomplete.
    pub fingerprint: Option<String>,
    /// One for each file, in the order of the files.
    pub targets: Vec<TargetReport>,
    /// Problems of the run, and of tenants in which nothing was started.
    pub errors: Vec<Problem>,
    /// Exit code of the run.
    pub exit_code: u8,
    /// Shard of the run, if it was split.
    pub shard: Option<ShardInfo>,
    /// Bindings that the run is limited to, if it is.
    pub limit: Option<Limit>,
    /// Name of the run, if it has one.
    pub label: Option<Label>,
}

/// Result of the changes of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetReport {
    /// Tenant, as the file names it.
    pub tenant: Tenant,
    /// GUID of the tenant, if it is known.
    pub tenant_id: Option<String>,
    /// Cloud of the tenant.
    pub cloud: Cloud,
    /// Version of Graph.
    pub api: Api,
    /// Root of Graph, version included.
    pub graph_url: String,
    /// Apps that sign in, if the file names any.
    pub client_id: Option<ClientIds>,
    /// Who acts with the access token, if it names that.
    pub actor: Option<Actor>,
    /// File that lists the bindings.
    pub file: String,
    /// Fingerprint of the plan for this tenant; `None` if it was incomplete.
    pub fingerprint: Option<String>,
    /// Changes of the plan, in its order.
    pub changes: Vec<ChangeReport>,
    /// Bindings with an active hold, whether they change or not.
    pub holds: Vec<HeldBinding>,
}

/// Result of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeReport {
    /// The change.
    pub change: ReportedChange,
    /// Outcome of the change.
    pub outcome: Outcome,
}

/// Planned change of a binding, without the values that only the plan needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedChange {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// Kind of change.
    pub action: Action,
    /// Value in the tenant before.
    pub current: Bound,
    /// Desired value.
    pub desired: Bound,
    /// Whether the file protects the binding.
    pub protected: bool,
    /// Location of the value in the file, if it is known.
    pub source: Option<SourceLocation>,
}

/// Outcome of a change.
#[derive(Debug, Clone, PartialEq, Eq, EnumDiscriminants)]
#[strum_discriminants(
    name(OutcomeKind),
    doc = "Kind of an outcome, in the order in which they are counted.",
    derive(PartialOrd, Ord, IntoStaticStr, VariantArray, Serialize, Deserialize),
    strum(serialize_all = "kebab-case"),
    serde(rename_all = "kebab-case")
)]
pub enum Outcome {
    /// The tenant shows the desired value.
    Applied(SentPut),
    /// The tenant already had the desired value, so nothing was sent.
    Already,
    /// The service rejected the PUT each time, so nothing was changed.
    Failed(SentPut, Reason),
    /// Whether it took effect is not known.
    Unverified(SentPut, Reason),
    /// Nothing was sent; without a reason of its own if the run ended before it.
    NotAttempted(Option<Reason>),
}

/// PUT that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentPut {
    /// Number of times it was sent, at least 1.
    pub attempts: u32,
    /// Graph's id of the request, if there was a response.
    pub request_id: Option<String>,
}

/// Why a change is not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// What failed.
    pub error: String,
    /// What to do about it, if that is known.
    pub hint: Option<String>,
}

impl OutcomeKind {
    /// Returns the name in reports.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the id of the problem; `None` for an outcome that is done.
    pub fn code(self) -> Option<Code> {
        match self {
            Self::Applied | Self::Already => None,
            Self::Failed => Some(Code::ChangeFailed),
            Self::Unverified => Some(Code::ChangeUnverified),
            Self::NotAttempted => Some(Code::ChangeNotAttempted),
        }
    }

    /// Returns whether the binding is known to be as desired.
    pub fn is_done(self) -> bool {
        self.code().is_none()
    }
}

impl Outcome {
    /// Returns the kind.
    pub fn kind(&self) -> OutcomeKind {
        self.into()
    }

    /// Returns whether the binding is known to be as desired.
    pub fn is_done(&self) -> bool {
        self.kind().is_done()
    }

    /// Returns the PUT, if one was sent.
    pub fn put(&self) -> Option<&SentPut> {
        match self {
            Self::Applied(put) | Self::Failed(put, _) | Self::Unverified(put, _) => Some(put),
            Self::Already | Self::NotAttempted(_) => None,
        }
    }

    /// Returns Graph's id of the PUT, if there was a response.
    pub fn request_id(&self) -> Option<&str> {
        self.put()?.request_id.as_deref()
    }

    /// Returns why the change is not applied, if there is a reason.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Failed(_, reason) | Self::Unverified(_, reason) => Some(reason),
            Self::NotAttempted(reason) => reason.as_ref(),
            Self::Applied(_) | Self::Already => None,
        }
    }

    /// Returns the text of the reason.
    pub fn error(&self) -> Option<&str> {
        Some(&self.reason()?.error)
    }

    /// Returns what to do about the reason, if that is known.
    pub fn hint(&self) -> Option<&str> {
        self.reason()?.hint.as_deref()
    }
}

impl Report {
    /// Creates the report of a plan before anything was sent: every change is not attempted, the errors are
    /// those of the plan, and the exit code is 0.
    pub fn not_attempted(plan: &Plan) -> Self {
        Self {
            fingerprint: plan.fingerprint(),
            targets: plan
                .targets()
                .zip(plan.target_fingerprints())
                .map(|(target, fingerprint)| TargetReport::not_attempted(target, fingerprint))
                .collect(),
            errors: plan.errors(),
            exit_code: 0,
            shard: plan.shard.clone(),
            limit: plan.limit.clone(),
            label: plan.label.clone(),
        }
    }

    /// Returns every change of every tenant.
    pub fn changes(&self) -> impl Iterator<Item = &ChangeReport> {
        self.targets.iter().flat_map(|target| &target.changes)
    }

    /// Returns whether every change is known to be done, no error was reported, and the exit code is 0, or
    /// 130 or 143 of an interrupted run. The errors of an interrupted run show what was left out.
    pub fn is_complete(&self) -> bool {
        let interrupted_or_done = matches!(self.exit_code, 0 | 130 | 143);
        interrupted_or_done && self.errors.is_empty() && self.changes().all(|change| change.outcome.is_done())
    }

    /// Returns whether every change of a tenant is known to be done, and no error concerns it.
    pub fn is_tenant_complete(&self, tenant: &Tenant) -> bool {
        let concerns = |error: &Problem| error.tenant.as_ref().is_none_or(|it| it == tenant);
        !self.errors.iter().any(concerns) && self.targets_of(tenant).all(TargetReport::is_done)
    }

    /// Returns whether any PUT was sent.
    pub fn has_sent(&self) -> bool {
        self.targets.iter().any(TargetReport::has_sent)
    }

    /// Returns the tenants of the report, each once, in the order of the files. Tenants that only errors name
    /// come last.
    pub fn tenants(&self) -> Vec<&Tenant> {
        let of_errors = self.errors.iter().filter_map(|error| error.tenant.as_ref());
        let mut seen = BTreeSet::new();
        let tenants = self.targets.iter().map(|target| &target.tenant).chain(of_errors);
        tenants.filter(|tenant| seen.insert(*tenant)).collect()
    }

    /// Returns whether the report is about more than one tenant.
    pub fn has_several_tenants(&self) -> bool {
        self.tenants().len() > 1
    }

    /// Returns the targets of a tenant.
    pub fn targets_of<'a>(&'a self, tenant: &'a Tenant) -> impl Iterator<Item = &'a TargetReport> {
        self.targets.iter().filter(move |target| target.tenant == *tenant)
    }
}

impl TargetReport {
    /// Creates the report of a target before anything was sent: every change is not attempted.
    pub fn not_attempted(target: &Target, fingerprint: Option<String>) -> Self {
        Self {
            tenant: target.tenant.clone(),
            tenant_id: target.tenant_id.clone(),
            cloud: target.cloud,
            api: target.api,
            graph_url: target.graph_url.clone(),
            client_id: target.client_id.clone(),
            actor: target.actor.clone(),
            file: target.file.clone(),
            fingerprint,
            changes: target
                .changes
                .iter()
                .map(|change| ChangeReport { change: change.into(), outcome: Outcome::NotAttempted(None) })
                .collect(),
            holds: target.held_bindings(),
        }
    }

    /// Returns whether any PUT was sent.
    pub fn has_sent(&self) -> bool {
        self.changes.iter().any(|change| change.outcome.put().is_some())
    }

    /// Returns whether every change is known to be as desired.
    pub fn is_done(&self) -> bool {
        self.changes.iter().all(|change| change.outcome.is_done())
    }

    /// Returns whether every change is not attempted and has no error of its own; true without changes.
    pub fn is_untouched(&self) -> bool {
        self.changes.iter().all(|change| change.outcome == Outcome::NotAttempted(None))
    }

    /// Returns the number of changes with this outcome.
    pub fn count(&self, outcome: OutcomeKind) -> usize {
        self.changes.iter().filter(|change| change.outcome.kind() == outcome).count()
    }
}

impl From<&Change> for ReportedChange {
    fn from(change: &Change) -> Self {
        let Change { flow, step, action, current, desired, protected, pin: _, hold: _, source } =
            change.clone();
        Self { flow, step, action, current, desired, protected, source: Some(source) }
    }
}
