//! `show`: prints saved plans or reports, and exits with their code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;

use super::Exit;
use super::environment::Environment;
use super::failure::Failure;
use super::outputs::{OutputArgs, Outputs, RenderedRun};
use super::saved::{self, Reader};
use crate::apply::{Outcome, Report, ReportedChange, TargetReport};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{FlowId, Step};
use crate::plan::shard::{self, JoinError, Joined};
use crate::plan::{self, Plan, Problem, ShardInfo, Target};
use crate::render::{self, Document};
use crate::saved::Saved;

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Saved plans, or saved reports; several are joined
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    outputs: OutputArgs,
    /// Exit with 2 if a plan has changes
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) async fn run(args: &ShowArgs, environment: &Environment) -> Result<Exit, Failure> {
    let inputs: Vec<_> = args.files.iter().map(PathBuf::as_path).collect();
    let outputs = Outputs::open(&args.outputs, &inputs, environment)?;
    let saved =
        args.files.iter().map(|path| saved::read(path, Reader::Show)).collect::<Result<Vec<_>, _>>()?;
    match join_saved(saved)? {
        Saved::Plan(plan, at) => {
            let json = &|| crate::saved::plan::to_json(&plan, &at);
            let (text, document) = (render::plan_text(&plan), Document::from_plan(&plan));
            let written = outputs.emit(&RenderedRun { text, json, document, at: &at }).await;
            Outputs::report_errors(
                args.outputs.format,
                &plan.incompleteness_errors(),
                plan.has_several_tenants(),
            );
            written?;
            Ok(match plan.drift {
                Some(_) => super::drift::exit(&plan),
                None => super::plan::exit(&plan, args.detailed_exitcode),
            })
        }
        Saved::Report(report, from, to) => {
            let json = &|| crate::saved::report::to_json(&report, &from, &to);
            let (text, document) = (render::report_text(&report), Document::Report(&report));
            let written = outputs.emit(&RenderedRun { text, json, document, at: &to }).await;
            Outputs::report_errors(args.outputs.format, &report.errors, report.has_several_tenants());
            written?;
            Ok(Exit::worst([report.exit_code].into_iter()))
        }
    }
}

/// Joins plans into one plan, or reports into one report; shards become the result of an unsharded run. The
/// result has the latest time, and the earliest start. A mixture of both kinds, and parts that do not belong
/// together, are errors.
fn join_saved(saved: Vec<Saved>) -> Result<Saved, Failure> {
    let mut saved = saved.into_iter();
    let first =
        saved.next().ok_or_else(|| Failure::from(Diagnostic::error(Code::Usage, "nothing to show")))?;
    match first {
        Saved::Plan(first, at) => {
            let (mut plans, mut latest) = (vec![first], at);
            for next in saved {
                let Saved::Plan(plan, at) = next else { return Err(mixed()) };
                plans.push(plan);
                latest = latest.max(at);
            }
            Ok(Saved::Plan(join_plans(plans)?, latest))
        }
        Saved::Report(first, from, to) => {
            let (mut reports, mut earliest, mut latest) = (vec![first], from, to);
            for next in saved {
                let Saved::Report(report, from, to) = next else { return Err(mixed()) };
                reports.push(report);
                earliest = earliest.min(from);
                latest = latest.max(to);
            }
            Ok(Saved::Report(join_reports(reports)?, earliest, latest))
        }
    }
}

fn mixed() -> Failure {
    let message = "cannot join files of different kinds: plans, reports, and the output of `drift`";
    let problem = Diagnostic::error(Code::SavedFileKind, message);
    problem.hint("show each kind separately; `drift --strict` is a kind of its own").into()
}

fn join_plans(plans: Vec<Plan>) -> Result<Plan, Failure> {
    let drift = plans.first().and_then(|plan| plan.drift);
    if plans.iter().any(|plan| plan.drift != drift) {
        return Err(mixed());
    }
    let parts = plans.into_iter().map(|Plan { targets, errors, shard, drift: _ }| (shard, targets, errors));
    let joined = join(parts.collect(), |target: &Target| &target.tenant)?;
    let Joined { fleet, mut targets, mut errors, missing: _ } = joined;
    dedupe_tenant_findings(&mut targets);
    let aliased = plan::find_aliased_tenants(&targets);
    errors.retain(|error| !aliased.contains(error));
    errors.extend(aliased);
    if let Some(fleet) = fleet {
        shard::sort(&mut errors, &fleet);
    }
    let plan = Plan { targets, errors, shard: None, drift };
    match plan.find_duplicate_binding() {
        None => Ok(plan),
        Some((tenant, flow, step)) => Err(duplicate("plans", tenant, flow, step)),
    }
}

fn duplicate(what: &str, tenant: &str, flow: &FlowId, step: Step) -> Failure {
    let message = format!("two of the {what} contain `{flow}` `{step}` of `{tenant}`");
    Diagnostic::error(Code::CannotJoin, message).hint("pass each file once, and only files of one run").into()
}

/// Returns the key of a binding, ignoring case of tenant and flow.
fn binding(tenant: &str, flow: &FlowId, step: Step) -> (String, String, Step) {
    (tenant.to_ascii_lowercase(), flow.as_str().to_ascii_lowercase(), step)
}

/// Keeps each unreadable or dangling binding once among the targets of a tenant: in the target that manages it,
/// otherwise in the first. Keeps an unmanaged binding in the first target, and removes it if any target manages it.
fn dedupe_tenant_findings(targets: &mut [Target]) {
    let mut tenants = BTreeMap::<_, Vec<_>>::new();
    for target in targets {
        tenants.entry(target.tenant.to_ascii_lowercase()).or_default().push(target);
    }
    for mut of_tenant in tenants.into_values().filter(|targets| targets.len() > 1) {
        let own = |target: &Target| -> BTreeSet<_> {
            let changes = target.changes.iter().map(|it| (it.flow.clone(), it.step));
            changes.chain(target.in_sync.iter().map(|it| (it.flow.clone(), it.step))).collect()
        };
        let own: Vec<_> = of_tenant.iter().map(|target| own(target)).collect();
        let managed: BTreeSet<_> = own.iter().flatten().collect();
        let is_managed = |flow: &FlowId, step| managed.contains(&(flow.clone(), step));
        let manages = |at: usize, flow: &FlowId, step| {
            own.get(at).is_some_and(|own| own.contains(&(flow.clone(), step)))
        };
        plan::dedupe_findings(&mut of_tenant, is_managed, manages);
    }
}

fn join_reports(reports: Vec<Report>) -> Result<Report, Failure> {
    let mut codes: Vec<_> = reports.iter().map(|report| report.exit_code).collect();
    let fingerprints: Vec<_> = reports.iter().map(|report| report.fingerprint.clone()).collect();
    let parts = reports.into_iter().map(|report| (report.shard, report.targets, report.errors));
    let joined = join(parts.collect(), |target: &TargetReport| &target.tenant)?;
    let Joined { fleet, targets, errors, missing } = joined;
    let mut seen = BTreeSet::new();
    for TargetReport { tenant, changes, .. } in &targets {
        // One run may have done what another left undone.
        let applied = changes.iter().filter(|report| matches!(report.outcome, Outcome::Applied(_)));
        for ReportedChange { flow, step, .. } in applied.map(|report| &report.change) {
            if !seen.insert(binding(tenant, flow, *step)) {
                return Err(duplicate("reports", tenant, flow, *step));
            }
        }
    }
    // A run is incomplete if one of its shards is, or is missing.
    let is_complete = missing.is_empty() && fingerprints.iter().all(Option::is_some);
    let fingerprint = match fleet {
        Some(_) if is_complete => plan::fingerprint(targets.iter().map(|target| target.fingerprint.clone())),
        Some(_) => None,
        None => plan::fingerprint(fingerprints),
    };
    if !missing.is_empty() {
        codes.push(Exit::Error as u8);
    }
    let exit_code = Exit::worst(codes.into_iter()) as u8;
    Ok(Report { fingerprint, targets, errors, exit_code, shard: None })
}

fn join<T>(
    parts: Vec<(Option<ShardInfo>, Vec<T>, Vec<Problem>)>,
    tenant: impl Fn(&T) -> &String,
) -> Result<Joined<T>, Failure> {
    let (shards, others): (Vec<_>, Vec<_>) = parts.into_iter().partition(|(shard, ..)| shard.is_some());
    if shards.is_empty() {
        let (targets, errors): (Vec<_>, Vec<_>) =
            others.into_iter().map(|(_, targets, errors)| (targets, errors)).unzip();
        let targets = targets.into_iter().flatten().collect();
        return Ok(Joined { fleet: None, targets, errors: errors.concat(), missing: Vec::new() });
    }
    let unjoinable = |error: JoinError| {
        let problem = Diagnostic::error(Code::CannotJoin, error.to_string());
        Failure::from(problem.hint("pass all shards of one run, each once, and nothing else"))
    };
    if !others.is_empty() {
        return Err(unjoinable(JoinError::NotSharded));
    }
    let shards = shards.into_iter().filter_map(|(shard, targets, errors)| Some((shard?, targets, errors)));
    shard::join(shards.collect(), |target| tenant(target)).map_err(unjoinable)
}
