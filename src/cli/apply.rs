//! `apply`: plans, asks, PUTs, reads back, and tells what became of each change.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::approval::{Approval, approval};
use super::connect::Connection;
use super::environment::Environment;
use super::failure::Failure;
use super::format::Format;
use super::plan::{OverrideArgs, Planned, make, unread};
use super::signals::Signals;
use super::tenant::Rule;
use super::{Exit, Global, report, values};
use crate::apply::{self, Options, Report};
use crate::diagnostic::Diagnostic;
use crate::files::{self, Output};
use crate::plan::{Plan, Problem, Target};
use crate::{render, terminal};

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// Desired-state file
    #[arg(default_value = "flowbind.yaml")]
    file: PathBuf,
    /// Approve the changes beforehand
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    overrides: OverrideArgs,
    /// Begin no further change after one that failed
    #[arg(long)]
    fail_fast: bool,
    /// Seconds for which changes are read back until they show
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = values::seconds)]
    verify_timeout: Duration,
    /// Go on where it cannot be established which tenant the token is for
    #[arg(long)]
    tenant_unchecked: bool,
    /// Write the report to this file as well, as JSON
    #[arg(long, value_name = "FILE.json", value_parser = files::json_path)]
    out: Vec<PathBuf>,
    /// What stdout gets; with json the report alone, and the plan goes to stderr
    #[arg(long, default_value = "text")]
    format: Format,
}

/// What became of a run.
struct Ended {
    report: Report,
    exit: Exit,
}

impl Ended {
    /// The run came to nothing: every change of the plan is not attempted.
    fn before(plan: &Plan, exit: Exit) -> Self {
        Self { report: Report::not_attempted(plan), exit }
    }
}

pub(super) async fn run(
    args: &ApplyArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, Failure> {
    // An output that cannot be written is found out before anything is asked.
    let outputs = args.out.iter().map(|path| Output::open(path));
    let outputs: Vec<_> = outputs.collect::<Result<_, _>>().map_err(Failure::output)?;
    let signals = Signals::catch()?;
    let started = environment.now();
    let ended = end(args, global, environment, &signals).await?;
    let finished = environment.now();
    let json = files::report::to_json(&ended.report, &started.to_string(), &finished.to_string())
        .context("cannot write the report as JSON")?;
    let text = match args.format {
        Format::Text => render::report_text(&ended.report),
        Format::Json => json.clone(),
    };
    // Whatever cannot be written, the rest is.
    let printed = terminal::print(&text).context("cannot write to stdout");
    let written: Vec<_> = outputs.into_iter().map(|output| output.write(&json)).collect();
    written.into_iter().collect::<Result<(), _>>().map_err(Failure::output)?;
    printed?;
    Ok(ended.exit)
}

/// Runs to an end that can be reported.
async fn end(
    args: &ApplyArgs,
    global: &Global,
    environment: &Environment,
    signals: &Signals,
) -> Result<Ended, Failure> {
    let rule = if args.tenant_unchecked { Rule::Warn } else { Rule::Refuse };
    let request = args.overrides.request(rule);
    let made = tokio::select! {
        () = signals.stopped() => return Ok(stopped(&Plan::default(), signals)),
        made = make(&args.file, global, environment, &signals.stop, &request) => made,
    };
    let Planned { target, errors, connection } = match made {
        Ok(planned) => planned,
        Err(Failure { diagnostics, exit }) => {
            report(&diagnostics);
            let errors = diagnostics.iter().map(Problem::from).collect();
            return Ok(Ended::before(&Plan { targets: Vec::new(), errors }, exit));
        }
    };
    report(&errors);
    let plan = Plan { targets: vec![target], errors: errors.iter().map(Problem::from).collect() };
    report(unread(&plan).as_slice());
    let text = render::plan_text(&plan);
    match args.format {
        Format::Text => terminal::print(&text).context("cannot write to stdout")?,
        Format::Json => terminal::message(&text),
    }
    if !plan.is_whole() {
        return Ok(Ended::before(&plan, Exit::Error));
    }
    if plan.is_refused() {
        report(&[Diagnostic::error("the plan is refused: nothing was changed")
            .hint("the plan names each reason, and the flag that would allow it where there is one")]);
        return Ok(Ended::before(&plan, Exit::Refused));
    }
    if !plan.has_changes() {
        return Ok(Ended::before(&plan, Exit::Done));
    }
    let mut ended = Ended::before(&plan, Exit::Done);
    for (target, report) in plan.targets.iter().zip(&mut ended.report.targets) {
        match change(args, target, &connection, signals).await {
            Ok(done) => *report = done,
            Err(exit) => return Ok(Ended::before(&plan, exit)),
        }
    }
    ended.exit = exit(&ended.report, signals);
    Ok(ended)
}

/// Changes one tenant, once somebody said yes.
async fn change(
    args: &ApplyArgs,
    target: &Target,
    connection: &Connection,
    signals: &Signals,
) -> Result<apply::TargetReport, Exit> {
    let recheck = match approval(args.yes, target.changes.len(), signals).await {
        Approval::Given => None,
        Approval::Waited => Some(recheck(target, connection).await?),
        Approval::Stopped => return Err(signals.exit().unwrap_or(Exit::Interrupted)),
        Approval::Denied => {
            report(&[Diagnostic::error("not approved: nothing was changed")]);
            return Err(Exit::Refused);
        }
        Approval::Nobody => {
            report(&[Diagnostic::error("nobody to approve the changes: this is no terminal")
                .hint("review the plan, then give `--yes`")]);
            return Err(Exit::Refused);
        }
    };
    let options = Options {
        fail_fast: args.fail_fast,
        verify_timeout: args.verify_timeout,
        deadline: connection.deadline,
        stop: signals.stop.clone(),
    };
    Ok(apply::apply(&connection.graph, target, recheck.as_ref(), &options).await)
}

/// Looks whether the tenant is still what was approved.
async fn recheck(target: &Target, connection: &Connection) -> Result<apply::Recheck, Exit> {
    let recheck = apply::recheck(&connection.graph, target).await;
    if !recheck.moved.is_empty() {
        let stale = Diagnostic::error("the tenant changed since the plan was made: nothing was changed");
        let stale = recheck
            .moved
            .iter()
            .fold(stale, |stale, moved| stale.caused_by(render::moved_text(target, moved)));
        report(&[stale.hint("plan again, and review what is there now")]);
        return Err(Exit::Refused);
    }
    if let Some(unknown) = recheck.unknown.first() {
        report(&[Diagnostic::error("the tenant could not be read again: nothing was changed")
            .caused_by(&*unknown.error)]);
        return Err(Exit::Error);
    }
    Ok(recheck)
}

fn stopped(plan: &Plan, signals: &Signals) -> Ended {
    Ended::before(plan, signals.exit().unwrap_or(Exit::Interrupted))
}

fn exit(report: &Report, signals: &Signals) -> Exit {
    match signals.exit() {
        Some(exit) => exit,
        None if report.is_done() => Exit::Done,
        None if report.has_sent() => Exit::Incomplete,
        None => Exit::Error,
    }
}
