//! Applies a plan: PUTs and read-back → [`Report`].
//!
//! `staleness` reads the plan's bindings again, `put` sends, `verify` reads back, and `outcome` classifies
//! each change. The plan has decided what to change: a change is one PUT, or none if the binding is already
//! as desired.

mod outcome;
mod put;
mod read;
mod staleness;
mod verify;

use std::time::Duration;

use tokio::time::Instant;

use crate::diagnostic::Code;
use crate::graph::{Graph, Stop};
use crate::model::{Api, Cloud};
use crate::plan::{Change, Plan, Problem, ShardInfo, Target, unique_tenants};

pub use staleness::{StaleBinding, StalenessCheck, check_staleness};

/// Options of an apply.
#[derive(Debug, Clone)]
pub struct Options {
    /// Send no further PUT after a failed one.
    pub fail_fast: bool,
    /// Whether a change of another file of the tenant failed before.
    pub aborted_by_fail_fast: bool,
    /// Time for which changes are read back until they show.
    pub verify_timeout: Duration,
    /// Deadline of the run.
    pub deadline: Instant,
    /// Shutdown signal.
    pub stop: Stop,
}

/// Result of applying a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Fingerprint of the plan; `None` if it was incomplete.
    pub fingerprint: Option<String>,
    /// One for each tenant, in the plan's order.
    pub targets: Vec<TargetReport>,
    /// Problems of the run, and of tenants in which nothing was started.
    pub errors: Vec<Problem>,
    /// Exit code of the run.
    pub exit_code: u8,
    /// Shard of the run, if it was split.
    pub shard: Option<ShardInfo>,
}

/// Result of one tenant's changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetReport {
    /// Tenant, as the file names it.
    pub tenant: String,
    /// GUID of the tenant, if it is known.
    pub tenant_id: Option<String>,
    /// Cloud of the tenant.
    pub cloud: Cloud,
    /// Version of Graph.
    pub api: Api,
    /// Root of Graph, version included.
    pub graph_url: String,
    /// Fingerprint of the plan for this tenant; `None` if it was incomplete.
    pub fingerprint: Option<String>,
    /// Changes of the plan, in its order.
    pub changes: Vec<ChangeReport>,
}

/// Result of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeReport {
    /// The change.
    pub change: Change,
    /// Outcome of the change.
    pub outcome: Outcome,
    /// Number of times its PUT was sent.
    pub attempts: u32,
    /// Graph's id of the PUT, if there was a response.
    pub request_id: Option<String>,
    /// Why the change is not applied.
    pub error: Option<String>,
    /// What to do about it, if that is known.
    pub hint: Option<String>,
}

/// Outcome of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The tenant shows the desired value.
    Applied,
    /// The tenant already had the desired value, so nothing was sent.
    Already,
    /// The service rejected the PUT each time, so nothing was changed.
    Failed,
    /// Whether it took effect is not known.
    Unverified,
    /// Nothing was sent.
    NotAttempted,
}

impl Outcome {
    /// Every outcome, in the order in which they are counted.
    pub const ALL: [Self; 5] =
        [Self::Applied, Self::Already, Self::Failed, Self::Unverified, Self::NotAttempted];

    /// Returns the outcome with this name in reports.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Returns the name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Already => "already",
            Self::Failed => "failed",
            Self::Unverified => "unverified",
            Self::NotAttempted => "not-attempted",
        }
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
        matches!(self, Self::Applied | Self::Already)
    }
}

impl Report {
    /// Creates the report of a plan before anything was sent: every change is not attempted, the errors are
    /// those of the plan, and the exit code is 0.
    pub fn not_attempted(plan: &Plan) -> Self {
        Self {
            fingerprint: plan.fingerprint(),
            targets: plan
                .targets
                .iter()
                .zip(plan.target_fingerprints())
                .map(|(target, fingerprint)| TargetReport::not_attempted(target, fingerprint))
                .collect(),
            errors: plan.errors.clone(),
            exit_code: 0,
            shard: plan.shard.clone(),
        }
    }

    /// Returns every change of every tenant.
    pub fn changes(&self) -> impl Iterator<Item = &ChangeReport> {
        self.targets.iter().flat_map(|target| &target.changes)
    }

    /// Returns the number of changes with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.changes().filter(|change| change.outcome == outcome).count()
    }

    /// Returns whether every change is known to be done, no error was reported, and the exit code is 0, or
    /// 130 or 143 of an interrupted run. The errors of an interrupted run show what was left out.
    pub fn is_complete(&self) -> bool {
        let interrupted_or_done = matches!(self.exit_code, 0 | 130 | 143);
        interrupted_or_done && self.errors.is_empty() && self.changes().all(|change| change.outcome.is_done())
    }

    /// Returns whether any PUT was sent.
    pub fn has_sent(&self) -> bool {
        self.targets.iter().any(TargetReport::has_sent)
    }

    /// Returns the tenants of the report, each once, in the order of the files. Tenants that only errors name
    /// come last.
    pub fn tenants(&self) -> Vec<String> {
        let of_errors = self.errors.iter().filter_map(|error| error.tenant.as_deref());
        unique_tenants(self.targets.iter().map(|target| target.tenant.as_str()).chain(of_errors))
    }

    /// Returns whether the report is about more than one tenant.
    pub fn has_several_tenants(&self) -> bool {
        self.tenants().len() > 1
    }

    /// Returns the targets of a tenant, ignoring case.
    pub fn targets_of<'a>(&'a self, tenant: &'a str) -> impl Iterator<Item = &'a TargetReport> {
        self.targets.iter().filter(move |target| target.tenant.eq_ignore_ascii_case(tenant))
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
            fingerprint,
            changes: target.changes.iter().cloned().map(ChangeReport::not_attempted).collect(),
        }
    }

    /// Returns whether any PUT was sent.
    pub fn has_sent(&self) -> bool {
        self.changes.iter().any(|change| change.attempts > 0)
    }

    /// Returns whether every change is known to be as desired.
    pub fn is_done(&self) -> bool {
        self.changes.iter().all(|change| change.outcome.is_done())
    }

    /// Returns whether every change is not attempted and has no error of its own; true without changes.
    pub fn is_untouched(&self) -> bool {
        self.changes.iter().all(|change| change.outcome == Outcome::NotAttempted && change.error.is_none())
    }

    /// Returns the number of changes with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.changes.iter().filter(|change| change.outcome == outcome).count()
    }
}

impl ChangeReport {
    fn not_attempted(change: Change) -> Self {
        Self {
            change,
            outcome: Outcome::NotAttempted,
            attempts: 0,
            request_id: None,
            error: None,
            hint: None,
        }
    }
}

/// Applies the changes of one target, except those that `staleness` found done already, and reads them back.
/// Returns the outcome of each change; a failed request is an outcome, not an error.
pub async fn apply(
    graph: &Graph,
    target: &Target,
    fingerprint: Option<String>,
    staleness: Option<&StalenessCheck>,
    options: &Options,
) -> TargetReport {
    let already = |change: &Change| staleness.is_some_and(|check| check.is_already(change));
    let puts = put::put_all(graph, &target.changes, already, options).await;
    let seen = verify::read_back(graph, &target.changes, &puts, options).await;
    let changes = target.changes.iter().cloned().zip(puts).zip(seen);
    TargetReport {
        changes: changes.map(|((change, put), seen)| outcome::classify_outcome(change, put, seen)).collect(),
        ..TargetReport::not_attempted(target, fingerprint)
    }
}
