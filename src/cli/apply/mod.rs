//! `apply`: plans or takes a saved plan, asks, PUTs, reads back, and tells what became of each
//! change.
//!
//! `work` says what is to be done and where, `gate` what keeps a tenant from it, and `tenant` does
//! it. One tenant's trouble is its own: the others go on.

mod gate;
mod tenant;
mod work;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::environment::Environment;
use super::failure::Failure;
use super::fleet::{self, FilesArgs, Run, ShardArgs};
use super::outputs::{self, OutputArgs, Outputs, Shown};
use super::plan::{OverrideArgs, inputs};
use super::signals::Signals;
use super::tenant::Rule;
use super::{Exit, Global, report, values};
use crate::apply::Report;
use crate::diagnostic::Diagnostic;
use crate::files;
use crate::plan::{Part, Problem, shard};
use crate::render::{Document, Format};
use crate::{render, terminal};
use tenant::Done;
use work::Work;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  flowbind apply --plan plan.json --out report.json\n  flowbind apply --expect 3bd2d49827b5fe6b2df631f6baeafdcd820e951e636de848a9fafa63ed118c40\n\nWith any format but text, stdout gets the report alone and stderr the plan."
)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    files: FilesArgs,
    #[command(flatten)]
    shard: ShardArgs,
    /// Make the changes of this saved plan and no others
    #[arg(long, value_name = "PLAN.json", conflicts_with_all = ["files", "max_changes", "max_disables", "allow_protected", "allow_empty"])]
    plan: Option<PathBuf>,
    /// Approve the changes beforehand
    #[arg(long)]
    yes: bool,
    /// Approve the plan of this fingerprint and no other
    #[arg(long, value_name = "FINGERPRINT")]
    expect: Option<String>,
    /// Begin no further change to a tenant after one that failed
    #[arg(long)]
    fail_fast: bool,
    /// Seconds for which changes are read back until they show
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = values::seconds)]
    verify_timeout: Duration,
    /// Go on where it cannot be established which tenant the token is for
    #[arg(long)]
    tenant_unchecked: bool,
    // With any format but text stdout gets the report alone, and the plan goes to stderr.
    #[command(flatten)]
    outputs: OutputArgs,
    // Last, since its heading holds for all that follows.
    #[command(flatten)]
    overrides: OverrideArgs,
}

/// Why nothing was changed, in a tenant or in all.
struct Early {
    reasons: Vec<Diagnostic>,
    exit: Exit,
}

impl Early {
    fn error(reason: Diagnostic) -> Self {
        Self { reasons: vec![reason], exit: Exit::Error }
    }

    fn refused(reason: Diagnostic) -> Self {
        Self { reasons: vec![reason], exit: Exit::Refused }
    }

    fn stopped(signals: &Signals) -> Self {
        let reason = Diagnostic::error("the run was stopped: nothing was changed");
        Self { reasons: vec![reason], exit: signals.exit().unwrap_or(Exit::Interrupted) }
    }
}

impl From<Failure> for Early {
    fn from(Failure { diagnostics, exit, foreign: _ }: Failure) -> Self {
        Self { reasons: diagnostics, exit }
    }
}

pub(super) async fn run(
    args: &ApplyArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, Failure> {
    // What cannot be written is found out before anything is asked.
    let saved = args.plan.as_deref();
    let inputs: Vec<_> = inputs(&args.files, global).into_iter().chain(saved).collect();
    let mut outputs = Outputs::open(&args.outputs, &inputs, environment)?;
    let signals = Signals::catch()?;
    let started = environment.now().to_string();
    let mut work = Work::default();
    let writable = global.sandbox.iter().try_for_each(|sandbox| outputs::open(sandbox).map(drop));
    let run = writable.and_then(|()| Run::start(global, environment, signals.stop.clone()));
    let ended = match &run {
        Ok(run) => end(args, run, &signals, &mut outputs, &mut work).await,
        Err(failure) => Err(Early::from(failure.clone())),
    };
    let mut exit = match ended {
        Ok(()) => Exit::worst(work.exits.iter().map(|exit| *exit as u8)),
        Err(Early { reasons, exit }) => {
            report(&reasons);
            work.report.errors.extend(reasons.iter().map(Problem::from));
            exit
        }
    };
    exit = signals.exit().unwrap_or(exit);
    let mut report = work.report;
    report.exit_code = exit as u8;
    shard::sort(&mut report.errors, &work.fleet);
    // Where the files cannot be read nobody knows the fleet, and it is the same for every shard.
    let of_none = |shard| Part { shard, fleet: Vec::new() };
    report.part = report.part.or_else(|| args.shard.shard.map(of_none));
    let at = environment.now().to_string();
    let json = &|| files::report::to_json(&report, &started, &at);
    let (text, document) = (render::report_text(&report), Document::Report(&report));
    let shown = Shown { text, json, document, at: &at };
    let rest = match args.outputs.format {
        Format::Text => render::report_end(&report),
        format => shown.in_format(format).into_owned(),
    };
    let unwritten = outputs.finish(&shown, rest, signals.stopped()).await;
    self::report(&unwritten);
    Ok(match exit {
        exit if unwritten.is_empty() => exit,
        exit @ (Exit::Interrupted | Exit::Terminated) => exit,
        // Code 1 says that nothing was written to the tenant.
        _ if report.has_sent() => Exit::Incomplete,
        _ => Exit::Error,
    })
}

/// Runs to the end. `work` becomes what is to be done as far as that is known, and its report what
/// became of it.
async fn end(
    args: &ApplyArgs,
    run: &Run<'_>,
    signals: &Signals,
    outputs: &mut Outputs,
    work: &mut Work,
) -> Result<(), Early> {
    let rule = if args.tenant_unchecked { Rule::Warn } else { Rule::Refuse };
    let begun = async {
        match &args.plan {
            Some(path) => work::of_saved(path, &args.shard, run, rule, work).await,
            None => work::of_files(&args.files, &args.shard, run, &args.overrides.request(rule), work).await,
        }
    };
    let begun = tokio::select! {
        () = signals.stopped() => Err(Early::stopped(signals)),
        begun = begun => begun,
    };
    work.report = Report::not_attempted(&work.plan);
    begun?;
    // Of tenants that could not be planned there is no target.
    let several = work.plan.targets.len().saturating_add(work.exits.len()) > 1;
    show(args, work, outputs, signals).await?;
    gate::whole(work, args.plan.is_some());
    gate::expected(work, args.expect.as_deref());
    gate::allowed(work);
    let given = args.yes || args.expect.is_some() || args.plan.is_some();
    let waited = gate::approved(work, given, signals).await?;
    // What was planned while somebody was waited for, or other tenants, may be so no more.
    let recheck = args.plan.is_some() || waited || several;
    let todo = tenant::Todo { args, run, signals, recheck };
    let groups = fleet::by_tenant(work.plan.targets.iter().map(|target| target.tenant.as_str()));
    let several = groups.len() > 1;
    let (plan, ways) = (&work.plan, &work.ways);
    let (exits, report) = (&mut work.exits, &mut work.report);
    let change = async |group: &[usize]| todo.change(plan, ways, group).await;
    run.each(&groups, change, |at, done| {
        let Done { target, reasons, exit } = done;
        exits.push(exit);
        outputs.print(&render::target_report_text(&target));
        report.errors.extend(reasons.iter().map(|reason| Problem::about(&target.tenant, reason)));
        super::report(&super::plan::about(&target.tenant, several, reasons));
        if let Some(place) = report.targets.get_mut(at) {
            *place = target;
        }
    })
    .await;
    Ok(())
}

/// Shows the plan: on stdout, unless that is for the report alone; and to whoever is asked.
async fn show(args: &ApplyArgs, work: &Work, outputs: &mut Outputs, signals: &Signals) -> Result<(), Early> {
    let text = render::plan_text(&work.plan);
    if text.is_empty() {
        return Ok(());
    }
    if args.outputs.format != Format::Text || !terminal::stdout_is_terminal() && terminal::is_interactive() {
        terminal::eprint(&text);
    }
    outputs.print(&text);
    tokio::select! {
        shown = outputs.shown() => {
            shown.context("cannot write to stdout").map_err(|error| Early::from(Failure::from(error)))
        }
        () = signals.stopped() => Ok(()),
    }
}
