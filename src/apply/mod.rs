//! Plan → PUTs, read-back → [`Report`].
//!
//! `recheck` reads the plan's bindings again, `put` sends, `verify` reads back (both `look`), and
//! `settle` tells from the last two what became of each change. Nothing is decided here that the plan has not decided:
//! a change is one PUT, or none where the binding is as desired already.

mod look;
mod put;
mod recheck;
mod settle;
mod verify;

use std::time::Duration;

use tokio::time::Instant;

use crate::graph::{Graph, Stop};
use crate::model::{Api, Cloud};
use crate::plan::{Change, Part, Plan, Problem, Target};

pub use recheck::{Moved, Recheck, recheck};

/// How changes are made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Begin no further PUT after one that failed.
    pub fail_fast: bool,
    /// Whether one failed already, in another file of the tenant.
    pub halted: bool,
    /// How long changes are read back until they show.
    pub verify_timeout: Duration,
    /// When the run has to be over.
    pub deadline: Instant,
    /// Turns true when nothing new may begin.
    pub stop: Stop,
}

/// What became of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The fingerprint of the plan.
    pub fingerprint: String,
    /// One for each tenant, in the plan's order.
    pub targets: Vec<TargetReport>,
    /// What kept the run from changing anything.
    pub errors: Vec<Problem>,
    /// What the run ended with.
    pub exit_code: u8,
    /// Which part of which fleet it is about, where it is one.
    pub part: Option<Part>,
}

/// What became of one tenant's changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetReport {
    /// The tenant, as the file names it.
    pub tenant: String,
    /// The tenant's GUID, where it is known.
    pub tenant_id: Option<String>,
    /// The tenant's cloud.
    pub cloud: Cloud,
    /// The version of Graph that was asked.
    pub api: Api,
    /// Graph's root, version included.
    pub graph_url: String,
    /// The fingerprint of what was planned.
    pub fingerprint: String,
    /// The plan's changes, in its order.
    pub changes: Vec<ChangeReport>,
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeReport {
    /// The change.
    pub change: Change,
    /// What became of it.
    pub outcome: Outcome,
    /// How often its PUT was sent.
    pub attempts: u32,
    /// Graph's tag of the PUT, where there was an answer.
    pub request_id: Option<String>,
    /// Why it is not applied.
    pub error: Option<String>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The tenant shows the desired value.
    Applied,
    /// The tenant had the desired value before, so nothing was sent.
    Already,
    /// The service turned it away each time, so that it changed nothing.
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

    /// The outcome of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Already => "already",
            Self::Failed => "failed",
            Self::Unverified => "unverified",
            Self::NotAttempted => "not-attempted",
        }
    }

    /// Whether the binding is known to be as desired.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Applied | Self::Already)
    }
}

impl Report {
    /// The report of a plan of which nothing has been done yet.
    pub fn not_attempted(plan: &Plan) -> Self {
        Self {
            fingerprint: plan.fingerprint(),
            targets: plan.targets.iter().map(TargetReport::not_attempted).collect(),
            errors: plan.errors.clone(),
            exit_code: 0,
            part: plan.part.clone(),
        }
    }

    /// Every change of every tenant.
    pub fn changes(&self) -> impl Iterator<Item = &ChangeReport> {
        self.targets.iter().flat_map(|target| &target.changes)
    }

    /// How many changes ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.changes().filter(|change| change.outcome == outcome).count()
    }

    /// Whether all that there was to do is known, and known to be done. Of a run that was stopped its
    /// errors tell what it was kept from.
    pub fn is_whole(&self) -> bool {
        let stopped_or_done = matches!(self.exit_code, 0 | 130 | 143);
        stopped_or_done && self.errors.is_empty() && self.changes().all(|change| change.outcome.is_done())
    }

    /// Whether any PUT was sent.
    pub fn has_sent(&self) -> bool {
        self.targets.iter().any(TargetReport::has_sent)
    }
}

impl TargetReport {
    /// The report of a target of which nothing has been done yet.
    pub fn not_attempted(target: &Target) -> Self {
        Self {
            tenant: target.tenant.clone(),
            tenant_id: target.tenant_id.clone(),
            cloud: target.cloud,
            api: target.api,
            graph_url: target.graph_url.clone(),
            fingerprint: target.fingerprint(),
            changes: target.changes.iter().cloned().map(ChangeReport::not_attempted).collect(),
        }
    }

    /// Whether any PUT was sent.
    pub fn has_sent(&self) -> bool {
        self.changes.iter().any(|change| change.attempts > 0)
    }

    /// Whether every change is known to be as desired.
    pub fn is_done(&self) -> bool {
        self.changes.iter().all(|change| change.outcome.is_done())
    }

    /// Whether nothing was sent and nothing is known of any change but that.
    pub fn is_untouched(&self) -> bool {
        self.changes.iter().all(|change| change.outcome == Outcome::NotAttempted && change.error.is_none())
    }

    /// How many changes ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.changes.iter().filter(|change| change.outcome == outcome).count()
    }
}

impl ChangeReport {
    fn not_attempted(change: Change) -> Self {
        Self { change, outcome: Outcome::NotAttempted, attempts: 0, request_id: None, error: None }
    }
}

/// Makes the changes of one tenant, except those that `recheck` found made already, and reads them
/// back.
pub async fn apply(
    graph: &Graph,
    target: &Target,
    recheck: Option<&Recheck>,
    options: &Options,
) -> TargetReport {
    let already = |change: &Change| recheck.is_some_and(|recheck| recheck.is_already(change));
    let puts = put::put_all(graph, &target.changes, already, options).await;
    let seen = verify::read_back(graph, &target.changes, &puts, options).await;
    let changes = target.changes.iter().cloned().zip(puts).zip(seen);
    TargetReport {
        changes: changes.map(|((change, put), seen)| settle::settle(change, put, seen)).collect(),
        ..TargetReport::not_attempted(target)
    }
}
