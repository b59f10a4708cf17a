//! `show`: prints saved plans or reports again, and ends with the code that they stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;

use super::environment::Environment;
use super::failure::Failure;
use super::outputs::{OutputArgs, Outputs, Shown};
use super::{Exit, fleet, report, saved};
use crate::apply::{Outcome, Report, TargetReport};
use crate::diagnostic::Diagnostic;
use crate::files::{self, Saved};
use crate::model::{FlowId, Step};
use crate::plan::shard::{self, Joined, NotOneFleet};
use crate::plan::{self, Change, Part, Place, Plan, Problem, Target};
use crate::render::{self, Document};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  flowbind show plan.json --format html\n  flowbind show shard-1.json shard-2.json --out plan.md"
)]
pub(super) struct ShowArgs {
    /// Saved plans, or reports of applies; several are joined into one
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    outputs: OutputArgs,
    /// End with 2 when a plan has changes, as what `drift` saved does when anything differs
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) async fn run(args: &ShowArgs, environment: &Environment) -> Result<Exit, Failure> {
    let inputs: Vec<_> = args.files.iter().map(PathBuf::as_path).collect();
    let outputs = Outputs::open(&args.outputs, &inputs, environment)?;
    let saved = args.files.iter().map(|path| saved::read(path)).collect::<Result<Vec<_>, _>>()?;
    match joined(saved)? {
        Saved::Plan(plan, at) => {
            let several = are_several(plan.targets.iter().map(|target| &target.tenant), &plan.errors);
            report(&problems(&plan.errors, several));
            let json = &|| files::plan::to_json(&plan, &at);
            let (text, document) = (render::plan_text(&plan), Document::of(&plan));
            outputs.emit(&Shown { text, json, document, at: &at }).await?;
            Ok(match plan.drift {
                Some(_) => super::drift::exit(&plan),
                None => super::plan::exit(&plan, args.detailed_exitcode),
            })
        }
        Saved::Report(report, from, to) => {
            let several = are_several(report.targets.iter().map(|target| &target.tenant), &report.errors);
            self::report(&problems(&report.errors, several));
            let json = &|| files::report::to_json(&report, &from, &to);
            let (text, document) = (render::report_text(&report), Document::Report(&report));
            outputs.emit(&Shown { text, json, document, at: &to }).await?;
            Ok(Exit::worst([report.exit_code].into_iter()))
        }
    }
}

/// What was saved of the errors, told again; with their tenants, where there are several.
fn problems(saved: &[Problem], several: bool) -> Vec<Diagnostic> {
    let told = |Problem { message, place, tenant }: &Problem| {
        let tenant = tenant.as_ref().filter(|_| several).map(|tenant| format!("{tenant}: "));
        let tenant = tenant.unwrap_or_default();
        Diagnostic::error(match place {
            Some(Place { file, line, column }) => format!("{tenant}{file}:{line}:{column}: {message}"),
            None => format!("{tenant}{message}"),
        })
    };
    saved.iter().map(told).collect()
}

/// Whether a plan or a report is about more than one tenant.
fn are_several<'a>(targets: impl Iterator<Item = &'a String>, errors: &'a [Problem]) -> bool {
    let of_errors = errors.iter().filter_map(|error| error.tenant.as_ref());
    fleet::are_several(targets.chain(of_errors).map(String::as_str))
}

/// One plan of several, or one report of several; of shards, what their fleet's would be.
fn joined(saved: Vec<Saved>) -> Result<Saved, Failure> {
    let mut saved = saved.into_iter();
    let first = saved.next().ok_or_else(|| Failure::from(Diagnostic::error("nothing to show")))?;
    match first {
        Saved::Plan(first, at) => {
            let (mut plans, mut latest) = (vec![first], at);
            for next in saved {
                let Saved::Plan(plan, at) = next else { return Err(mixed()) };
                plans.push(plan);
                latest = latest.max(at);
            }
            Ok(Saved::Plan(joined_plan(plans)?, latest))
        }
        Saved::Report(first, from, to) => {
            let (mut reports, mut earliest, mut latest) = (vec![first], from, to);
            for next in saved {
                let Saved::Report(report, from, to) = next else { return Err(mixed()) };
                reports.push(report);
                earliest = earliest.min(from);
                latest = latest.max(to);
            }
            Ok(Saved::Report(joined_report(reports)?, earliest, latest))
        }
    }
}

fn mixed() -> Failure {
    let problem = Diagnostic::error("plans, reports, and what `drift` saved cannot be joined");
    problem.hint("show each kind by itself, what `drift --strict` saved as well, and what one version of flowbind saved").into()
}

fn joined_plan(plans: Vec<Plan>) -> Result<Plan, Failure> {
    let drift = plans.first().and_then(|plan| plan.drift);
    if plans.iter().any(|plan| plan.drift != drift) {
        return Err(mixed());
    }
    let parts = plans.into_iter().map(|Plan { targets, errors, part, drift: _ }| (part, targets, errors));
    let joined = join(parts.collect(), |target: &Target| &target.tenant)?;
    let Joined { fleet, mut targets, mut errors, missing: _ } = joined;
    tell_once(&mut targets);
    let mixed = plan::mixed_names(&targets);
    errors.retain(|error| !mixed.contains(error));
    errors.extend(mixed);
    if let Some(fleet) = fleet {
        shard::sort(&mut errors, &fleet);
    }
    let plan = Plan { targets, errors, part: None, drift };
    match plan.twice() {
        None => Ok(plan),
        Some((tenant, flow, step)) => Err(twice("plans", tenant, flow, step)),
    }
}

fn twice(what: &str, tenant: &str, flow: &FlowId, step: Step) -> Failure {
    let problem = format!("two of the {what} are about `{flow}` `{step}` of `{tenant}`");
    Diagnostic::error(problem).hint("give each once, and only those that go together").into()
}

/// One binding, however its tenant and its flow are written.
fn binding(tenant: &str, flow: &FlowId, step: Step) -> (String, String, Step) {
    (tenant.to_ascii_lowercase(), flow.as_str().to_ascii_lowercase(), step)
}

/// What several targets of a tenant tell is told once.
fn tell_once(targets: &mut [Target]) {
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
        plan::tell_once(&mut of_tenant, is_managed, manages);
    }
}

fn joined_report(reports: Vec<Report>) -> Result<Report, Failure> {
    let mut codes: Vec<_> = reports.iter().map(|report| report.exit_code).collect();
    let fingerprints: Vec<_> = reports.iter().map(|report| report.fingerprint.clone()).collect();
    let parts = reports.into_iter().map(|report| (report.part, report.targets, report.errors));
    let joined = join(parts.collect(), |target: &TargetReport| &target.tenant)?;
    let Joined { fleet, targets, errors, missing } = joined;
    let mut told = BTreeSet::new();
    for TargetReport { tenant, changes, .. } in &targets {
        // What one run left undone another may have done.
        let applied = changes.iter().filter(|report| report.outcome == Outcome::Applied);
        for Change { flow, step, .. } in applied.map(|report| &report.change) {
            if !told.insert(binding(tenant, flow, *step)) {
                return Err(twice("reports", tenant, flow, *step));
            }
        }
    }
    let fingerprint = match fleet {
        Some(_) => plan::fingerprint(targets.iter().map(|target| target.fingerprint.clone())),
        None => plan::fingerprint(fingerprints),
    };
    if !missing.is_empty() {
        codes.push(Exit::Error as u8);
    }
    let exit_code = Exit::worst(codes.into_iter()) as u8;
    Ok(Report { fingerprint, targets, errors, exit_code, part: None })
}

fn join<T>(
    parts: Vec<(Option<Part>, Vec<T>, Vec<Problem>)>,
    tenant: impl Fn(&T) -> &String,
) -> Result<Joined<T>, Failure> {
    let (shards, others): (Vec<_>, Vec<_>) = parts.into_iter().partition(|(part, ..)| part.is_some());
    if shards.is_empty() {
        let (targets, errors): (Vec<_>, Vec<_>) =
            others.into_iter().map(|(_, targets, errors)| (targets, errors)).unzip();
        let targets = targets.into_iter().flatten().collect();
        return Ok(Joined { fleet: None, targets, errors: errors.concat(), missing: Vec::new() });
    }
    let unjoinable = |why: NotOneFleet| {
        let problem = Diagnostic::error(why.to_string());
        Failure::from(problem.hint("give all shards of one run, each once, and nothing else"))
    };
    if !others.is_empty() {
        return Err(unjoinable(NotOneFleet::NoShard));
    }
    let shards = shards.into_iter().filter_map(|(part, targets, errors)| Some((part?, targets, errors)));
    shard::join(shards.collect(), |target| tenant(target)).map_err(unjoinable)
}
