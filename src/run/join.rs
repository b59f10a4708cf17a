//! Joins saved plans into one plan, drift into one drift, or saved reports into one report.

use std::collections::BTreeSet;

use super::error::CommandError;
use crate::apply::{Outcome, Report, TargetReport};
use crate::diagnostic::{Code, Diagnostic};
use crate::drift::{self, Drift};
use crate::model::{FlowId, FlowKey, Label, Step, Tenant};
use crate::plan::{self, JoinError, Joined, Limit, Plan, Target, combine_fingerprints};
use crate::saved::Saved;

/// Joins plans, drift or reports; shards become the result of an unsharded run. The result has the latest time, and the
/// earliest start. The exit code of a joined report is not set.
///
/// # Errors
/// There is nothing to join, the kinds differ, or the parts do not belong together.
pub fn join_saved(saved: Vec<Saved>) -> Result<Saved, CommandError> {
    let mut saved = saved.into_iter();
    match saved.next().ok_or_else(|| Diagnostic::error(Code::Usage, "nothing to show"))? {
        Saved::Plan(first, at) => {
            let (mut plans, mut latest) = (vec![first], at);
            for next in saved {
                let Saved::Plan(plan, at) = next else { return Err(mixed().into()) };
                plans.push(plan);
                latest = latest.max(at);
            }
            Ok(Saved::Plan(join_plans(plans)?, latest))
        }
        Saved::Drift(first, at) => {
            let (mut parts, mut latest) = (vec![first], at);
            for next in saved {
                let Saved::Drift(drift, at) = next else { return Err(mixed().into()) };
                parts.push(drift);
                latest = latest.max(at);
            }
            Ok(Saved::Drift(join_drift(parts)?, latest))
        }
        Saved::Report(first, from, to) => {
            let (mut reports, mut earliest, mut latest) = (vec![first], from, to);
            for next in saved {
                let Saved::Report(report, from, to) = next else { return Err(mixed().into()) };
                reports.push(report);
                earliest = earliest.min(from);
                latest = latest.max(to);
            }
            Ok(Saved::Report(join_reports(reports)?, earliest, latest))
        }
    }
}

fn mixed() -> Diagnostic {
    let message = "cannot join files of different kinds: plans, drift and reports";
    Diagnostic::error(Code::SavedFileKind, message).hint("show each kind separately")
}

fn unjoinable(error: JoinError) -> Diagnostic {
    let problem = Diagnostic::error(Code::CannotJoin, error.to_string());
    problem.hint("pass all shards of one run, each once, and nothing else")
}

/// Limit and label of a run.
type Scope = (Option<Limit>, Option<Label>);

/// Returns the limit and the label that all parts have.
fn common_scope(scopes: impl Iterator<Item = Scope>) -> Result<Scope, Diagnostic> {
    let (limits, labels): (Vec<_>, Vec<_>) = scopes.unzip();
    let limit = common(limits, "the runs are limited to different bindings (`--only`)", "--only")?;
    Ok((limit, common(labels, "the runs have different labels (`--label`)", "--label")?))
}

/// Returns the value of an option that all parts have.
fn common<T: PartialEq>(
    values: Vec<Option<T>>,
    message: &str,
    option: &str,
) -> Result<Option<T>, Diagnostic> {
    if values.windows(2).any(|pair| matches!(pair, [one, next] if one != next)) {
        let problem = Diagnostic::error(Code::CannotJoin, message);
        return Err(problem.hint(format!("pass results of runs with the same `{option}`")));
    }
    Ok(values.into_iter().next().flatten())
}

fn join_plans(plans: Vec<Plan>) -> Result<Plan, Diagnostic> {
    let (limit, label) = common_scope(plans.iter().map(|it| (it.limit.clone(), it.label.clone())))?;
    let parts = plans.into_iter().map(|mut plan| {
        let (shard, errors) = (plan.shard.take(), plan.errors());
        (shard, plan.into_targets(), errors)
    });
    let joined = plan::join(parts.collect(), |target: &Target| &target.tenant).map_err(unjoinable)?;
    let Joined { mut targets, errors, .. } = joined;
    plan::dedupe_findings(&mut targets);
    let mut plan = Plan { limit, label, ..Plan::new(targets, errors) };
    plan.add_alias_errors();
    match plan.find_duplicate_binding() {
        None => Ok(plan),
        Some((tenant, flow, step)) => Err(duplicate("plans", tenant, flow, step)),
    }
}

fn join_drift(parts: Vec<Drift>) -> Result<Drift, Diagnostic> {
    if parts.windows(2).any(|pair| matches!(pair, [one, other] if one.strict != other.strict)) {
        let problem = Diagnostic::error(Code::SavedFileKind, "cannot join drift with and without `--strict`");
        return Err(problem.hint("show each kind separately"));
    }
    let (limit, label) = common_scope(parts.iter().map(|it| (it.limit.clone(), it.label.clone())))?;
    let drift = Drift { limit, label, ..drift::join(parts).map_err(unjoinable)? };
    match drift.find_duplicate_binding() {
        None => Ok(drift),
        Some((tenant, flow, step)) => Err(duplicate("files", tenant, flow, step)),
    }
}

fn duplicate(what: &str, tenant: &Tenant, flow: &FlowId, step: Step) -> Diagnostic {
    let message = format!("two of the {what} contain `{flow}` `{step}` of `{tenant}`");
    Diagnostic::error(Code::CannotJoin, message).hint("pass each file once, and only files of one run")
}

fn join_reports(reports: Vec<Report>) -> Result<Report, Diagnostic> {
    let (limit, label) = common_scope(reports.iter().map(|it| (it.limit.clone(), it.label.clone())))?;
    let fingerprints: Vec<_> = reports.iter().map(|report| report.fingerprint.clone()).collect();
    let parts = reports.into_iter().map(|report| (report.shard, report.targets, report.errors));
    let joined = plan::join(parts.collect(), |target: &TargetReport| &target.tenant).map_err(unjoinable)?;
    let Joined { is_sharded, targets, errors, missing } = joined;
    let mut seen = BTreeSet::new();
    for TargetReport { tenant, changes, .. } in &targets {
        // One run may have done what another left undone.
        let applied = changes.iter().filter(|report| matches!(report.outcome, Outcome::Applied(_)));
        for change in applied.map(|report| &report.change) {
            if !seen.insert((tenant, FlowKey::from(&change.flow), change.step)) {
                return Err(duplicate("reports", tenant, &change.flow, change.step));
            }
        }
    }
    // A run is incomplete if one of its shards is, or is missing.
    let is_complete = missing.is_empty() && fingerprints.iter().all(Option::is_some);
    let fingerprint = match is_sharded {
        true if is_complete => combine_fingerprints(targets.iter().map(|target| target.fingerprint.clone())),
        true => None,
        false => combine_fingerprints(fingerprints),
    };
    Ok(Report { fingerprint, targets, errors, exit_code: 0, shard: None, limit, label })
}
