//! Applies a plan: PUTs and read-back → [`Report`].
//!
//! `staleness` reads the plan's bindings again, `put` sends, `verify` reads back, and `outcome` classifies
//! each change. The plan has decided what to change: a change is one PUT, or none if the binding is already
//! as desired.

mod options;
mod outcome;
mod put;
mod read;
mod report;
mod staleness;
mod verify;

use crate::graph::Graph;
use crate::plan::{Change, Target};

pub use options::Options;
pub use report::{ChangeReport, Outcome, OutcomeKind, Reason, Report, ReportedChange, SentPut, TargetReport};
pub use staleness::{StaleBinding, StalenessCheck, check_staleness};

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
    let changes = target.changes.iter().zip(puts).zip(seen);
    let report = |((change, put), seen): ((&Change, _), _)| ChangeReport {
        change: change.into(),
        outcome: outcome::classify_outcome(change, put, seen),
    };
    TargetReport {
        changes: changes.map(report).collect(),
        ..TargetReport::not_attempted(target, fingerprint)
    }
}
