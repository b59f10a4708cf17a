//! Applies a plan: PUTs and read-back → [`Report`].
//!
//! `gate` approves the plan of a tenant, `staleness` reads its bindings again, `put` sends, `read_back` reads back,
//! and `outcome` classifies each change. The plan has decided what to change: a change is one PUT, or none if the
//! binding is already as desired.

mod gate;
mod options;
mod outcome;
mod put;
mod read;
mod read_back;
mod report;
mod staleness;
mod undo;

use std::collections::BTreeMap;

use futures_util::StreamExt as _;

use crate::graph::Graph;
use crate::plan::{Change, Target, target_fingerprint};
use put::PutChange;

pub use gate::{
    Access, Approved, Blocked, Consent, MatchingFingerprint, UnverifiedTenantPolicy, approve, check_complete,
    check_fingerprint, check_guards, check_holds,
};
pub use options::Options;
pub use report::{ChangeReport, Outcome, OutcomeKind, Reason, Report, ReportedChange, SentPut, TargetReport};
pub use staleness::{StaleBinding, StaleConnector, StalenessCheck, check_staleness};
pub use undo::{Undo, undo};

/// Applies the changes of one tenant, except those that the staleness check found done already, and reads them back.
/// Returns one report for each target, in order, with the outcome of each change; a failed request is an outcome,
/// not an error. Targets are applied one after the other.
pub async fn apply(approved: &Approved<'_>, options: &Options) -> Vec<TargetReport> {
    let mut reports = Vec::<TargetReport>::new();
    for target in approved.targets() {
        let has_failed = options.fail_fast && !reports.iter().all(TargetReport::is_done);
        reports.push(apply_target(approved.graph(), target, approved.staleness(), has_failed, options).await);
    }
    reports
}

async fn apply_target(
    graph: &Graph,
    target: &Target,
    staleness: Option<&StalenessCheck>,
    has_failed: bool,
    options: &Options,
) -> TargetReport {
    let already = |change: &Change| staleness.is_some_and(|check| check.is_already(change));
    let puts = put::put_all(graph, &target.changes, &already, has_failed, options);
    let verified = puts.map(async |puts| {
        let seen = read_back::read_back(graph, &puts, options).await;
        let report = |(PutChange { position, change, put }, seen)| {
            let outcome = outcome::classify_outcome(change, put, seen);
            (position, ChangeReport { change: change.into(), outcome })
        };
        puts.into_iter().zip(seen).map(report).collect::<Vec<_>>()
    });
    let reports: Vec<_> = verified.buffer_unordered(target.changes.len().max(1)).collect().await;
    let changes: BTreeMap<_, _> = reports.into_iter().flatten().collect();
    TargetReport {
        changes: changes.into_values().collect(),
        ..TargetReport::not_attempted(target, Some(target_fingerprint(target)))
    }
}
