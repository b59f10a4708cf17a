//! `show`: prints saved plans or reports again, and ends with the code that they stand for.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::environment::Environment;
use super::failure::Failure;
use super::outputs::{OutputArgs, Outputs, Shown};
use super::{Exit, fleet, report, saved};
use crate::apply::Report;
use crate::diagnostic::Diagnostic;
use crate::files::{self, Saved};
use crate::plan::{Place, Problem};
use crate::render::Document;
use crate::{plan, render};

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
    /// End with 2 when a plan has changes
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) async fn run(args: &ShowArgs, environment: &Environment) -> Result<Exit, Failure> {
    let inputs: Vec<_> = args.files.iter().map(PathBuf::as_path).collect();
    let outputs = Outputs::open(&args.outputs, &inputs, environment)?;
    let saved = args.files.iter().map(|path| saved::read(path)).collect::<Result<Vec<_>, _>>()?;
    let codes: Vec<_> = saved.iter().filter_map(exit_code).collect();
    match joined(saved)? {
        Saved::Plan(plan, at) => {
            let several = are_several(plan.targets.iter().map(|target| &target.tenant), &plan.errors);
            report(&problems(&plan.errors, several));
            let json = files::plan::to_json(&plan, &at).context("cannot write the plan as JSON")?;
            let (text, document) = (render::plan_text(&plan), Document::Plan(&plan));
            outputs.emit(&Shown { text, json, document, at: &at }).await?;
            Ok(super::plan::exit(&plan, args.detailed_exitcode))
        }
        Saved::Report(report, from, to) => {
            let several = are_several(report.targets.iter().map(|target| &target.tenant), &report.errors);
            self::report(&problems(&report.errors, several));
            let json =
                files::report::to_json(&report, &from, &to).context("cannot write the report as JSON")?;
            let (text, document) = (render::report_text(&report), Document::Report(&report));
            outputs.emit(&Shown { text, json, document, at: &to }).await?;
            Ok(Exit::worst(codes.into_iter()))
        }
    }
}

fn exit_code(saved: &Saved) -> Option<u8> {
    match saved {
        Saved::Report(report, ..) => Some(report.exit_code),
        Saved::Plan(..) => None,
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

/// One plan of several, or one report of several.
fn joined(saved: Vec<Saved>) -> Result<Saved, Failure> {
    let fingerprints: Vec<_> = saved.iter().filter_map(fingerprint).collect();
    let mut saved = saved.into_iter();
    let first = saved.next().ok_or_else(|| Failure::from(Diagnostic::error("nothing to show")))?;
    let joined = saved.try_fold(first, |all, next| match (all, next) {
        (Saved::Plan(mut all, at), Saved::Plan(next, next_at)) => {
            all.targets.extend(next.targets);
            all.errors.extend(next.errors);
            Ok(Saved::Plan(all, at.max(next_at)))
        }
        (Saved::Report(mut all, from, to), Saved::Report(next, next_from, next_to)) => {
            all.exit_code = Exit::worst([all.exit_code, next.exit_code].into_iter()) as u8;
            all.targets.extend(next.targets);
            all.errors.extend(next.errors);
            Ok(Saved::Report(all, from.min(next_from), to.max(next_to)))
        }
        _ => Err(Failure::from(
            Diagnostic::error("plans and reports cannot be joined")
                .hint("show the plans by themselves, and the reports by themselves"),
        )),
    })?;
    Ok(match joined {
        Saved::Report(report, from, to) => {
            Saved::Report(Report { fingerprint: plan::fingerprint(fingerprints), ..report }, from, to)
        }
        plan @ Saved::Plan(..) => plan,
    })
}

fn fingerprint(saved: &Saved) -> Option<String> {
    match saved {
        Saved::Report(report, ..) => Some(report.fingerprint.clone()),
        Saved::Plan(..) => None,
    }
}
