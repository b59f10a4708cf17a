//! `apply`: plans or takes a saved plan, asks, PUTs, reads back, and tells what became of each
//! change.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::approval::{Approval, approval};
use super::connect::{Connection, Place, connect};
use super::environment::Environment;
use super::failure::Failure;
use super::format::Format;
use super::outputs::{OutPath, Outputs};
use super::plan::{OverrideArgs, Planned, make, unread};
use super::signals::Signals;
use super::tenant::{Checked, Rule};
use super::{Exit, Global, report, saved, values};
use crate::apply::{self, Moved, Options, Recheck, Report};
use crate::diagnostic::Diagnostic;
use crate::files::{self, Output, Saved};
use crate::plan::{BrokenPin, Plan, Problem, Target};
use crate::{render, terminal};

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// Desired-state file
    #[arg(default_value = "flowbind.yaml")]
    file: PathBuf,
    /// Make the changes of this saved plan and no others
    #[arg(long, value_name = "PLAN.json", conflicts_with_all = ["file", "max_changes", "max_disables", "allow_protected", "allow_empty"])]
    plan: Option<PathBuf>,
    /// Approve the changes beforehand
    #[arg(long)]
    yes: bool,
    /// Approve the plan of this fingerprint and no other
    #[arg(long, value_name = "FINGERPRINT")]
    expect: Option<String>,
    /// Begin no further change after one that failed
    #[arg(long)]
    fail_fast: bool,
    /// Seconds for which changes are read back until they show
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = values::seconds)]
    verify_timeout: Duration,
    /// Go on where it cannot be established which tenant the token is for
    #[arg(long)]
    tenant_unchecked: bool,
    /// Write the report to this file as well, in the format of its ending: .json or .txt
    #[arg(long, value_name = "FILE")]
    out: Vec<OutPath>,
    /// What stdout gets; with json the report alone, and the plan goes to stderr
    #[arg(long, default_value = "text")]
    format: Format,
    // Last, since its heading holds for all that follows.
    #[command(flatten)]
    overrides: OverrideArgs,
}

/// What became of a run.
struct Ended {
    report: Report,
    exit: Exit,
}

/// Why a run ended before it changed anything.
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

/// The one tenant of a run: what is to be done, and the way there.
struct Work {
    plan: Plan,
    /// What kept the plan from being whole, already among its errors.
    errors: Vec<Diagnostic>,
    connection: Connection,
}

pub(super) async fn run(
    args: &ApplyArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, Failure> {
    // What cannot be written is found out before anything is asked.
    let input = args.plan.as_deref().unwrap_or(&args.file);
    let inputs: Vec<_> = [Some(input), global.sandbox.as_deref()].into_iter().flatten().collect();
    let outputs = Outputs::open(&args.out, &inputs)?;
    if let Some(sandbox) = &global.sandbox {
        Output::open(sandbox).map_err(Failure::output)?;
    }
    let signals = Signals::catch()?;
    let started = environment.now().to_string();
    let mut plan = Plan::default();
    let mut ended = match end(args, global, environment, &signals, &mut plan).await {
        Ok(ended) => ended,
        Err(Early { reasons, exit }) => {
            report(&reasons);
            let mut early = Report::not_attempted(&plan);
            early.errors.extend(reasons.iter().map(Problem::from));
            Ended { report: early, exit }
        }
    };
    ended.report.exit_code = ended.exit as u8;
    let json = files::report::to_json(&ended.report, &started, &environment.now().to_string())
        .context("cannot write the report as JSON")?;
    let text = |format| match format {
        Format::Text => render::report_text(&ended.report),
        Format::Json => json.clone(),
    };
    // Files first: nobody may be reading stdout.
    let mut unwritten = outputs.write(text);
    if let Err(error) = print(text(args.format), &signals).await {
        unwritten.extend(Failure::from(error).diagnostics);
    }
    report(&unwritten);
    Ok(match ended.exit {
        exit if unwritten.is_empty() => exit,
        exit @ (Exit::Interrupted | Exit::Terminated) => exit,
        // Code 1 says that nothing was written to the tenant.
        _ if ended.report.has_sent() => Exit::Incomplete,
        _ => Exit::Error,
    })
}

/// Prints, unless the run is stopped while nobody reads.
async fn print(text: String, signals: &Signals) -> anyhow::Result<()> {
    tokio::select! {
        printed = tokio::task::spawn_blocking(move || terminal::print(&text)) => {
            printed.context("cannot print")?.context("cannot write to stdout")
        }
        () = signals.stopped() => Ok(()),
    }
}

/// Runs to the end. `seen` becomes the plan as soon as there is one.
async fn end(
    args: &ApplyArgs,
    global: &Global,
    environment: &Environment,
    signals: &Signals,
    seen: &mut Plan,
) -> Result<Ended, Early> {
    let work = tokio::select! {
        () = signals.stopped() => return Err(Early::stopped(signals)),
        work = work(args, global, environment, signals) => work?,
    };
    let Work { plan, errors, connection } = work;
    seen.clone_from(&plan);
    report(&errors);
    show(args, &plan, signals).await?;
    may_be_applied(args, &plan)?;
    let Some(target) = plan.targets.first().filter(|target| !target.changes.is_empty()) else {
        return Ok(Ended { report: Report::not_attempted(&plan), exit: Exit::Done });
    };
    let given = args.yes || args.expect.is_some() || args.plan.is_some();
    let recheck = match approval(given, target.changes.len(), signals).await {
        Approval::Given if args.plan.is_some() => Some(recheck(target, &connection, signals).await?),
        Approval::Given => None,
        Approval::Waited => Some(recheck(target, &connection, signals).await?),
        Approval::Stopped => return Err(Early::stopped(signals)),
        Approval::Denied => {
            return Err(Early::refused(Diagnostic::error("not approved: nothing was changed")));
        }
        Approval::Nobody => {
            let nobody = Diagnostic::error("nobody to approve the changes: this is no terminal");
            return Err(Early::refused(nobody.hint("review the plan, then give `--yes` or `--expect`")));
        }
    };
    let options = Options {
        fail_fast: args.fail_fast,
        verify_timeout: args.verify_timeout,
        deadline: connection.deadline,
        stop: signals.stop.clone(),
    };
    let done = apply::apply(&connection.graph, target, recheck.as_ref(), &options).await;
    let report = Report { targets: vec![done], ..Report::not_attempted(&plan) };
    let exit = signals.exit().unwrap_or_else(|| exit_of(&report));
    Ok(Ended { report, exit })
}

/// Plans the file's tenant, or connects to the saved plan's.
async fn work(
    args: &ApplyArgs,
    global: &Global,
    environment: &Environment,
    signals: &Signals,
) -> Result<Work, Early> {
    let rule = if args.tenant_unchecked { Rule::Warn } else { Rule::Refuse };
    let Some(path) = &args.plan else {
        let request = args.overrides.request(rule);
        let planned = make(&args.file, global, environment, &signals.stop, &request).await?;
        let Planned { target, errors, connection, gone: _ } = planned;
        let plan = Plan { targets: vec![target], errors: errors.iter().map(Problem::from).collect() };
        return Ok(Work { plan, errors, connection });
    };
    let plan = match saved::read(path)? {
        Saved::Plan(plan, _) => plan,
        Saved::Report(..) => {
            let problem = Diagnostic::error(format!("`{}` is a report, not a plan", path.display()));
            return Err(Early::error(problem.hint("give what `flowbind plan --out plan.json` wrote")));
        }
    };
    let [target] = plan.targets.as_slice() else {
        let problem = format!("`{}` holds the plans of {} tenants", path.display(), plan.targets.len());
        return Err(Early::error(Diagnostic::error(problem).hint("apply a plan of one tenant")));
    };
    let tenant = target.tenant.parse().map_err(|_| {
        Early::error(Diagnostic::error(format!(
            "`{}` is of `{}`, which is no tenant",
            path.display(),
            target.tenant
        )))
    })?;
    let place = Place { tenant: &tenant, cloud: target.cloud, api: target.api };
    let connection = connect(&place, global, environment, &signals.stop, rule).await;
    // A plan for another tenant is refused; a file for another tenant is a mistake.
    let connection = connection.map_err(|failure| match failure {
        Failure { foreign: true, diagnostics, .. } => Early { reasons: diagnostics, exit: Exit::Refused },
        failure => Early::from(failure),
    })?;
    is_of(target, &connection)?;
    Ok(Work { plan, errors: Vec::new(), connection })
}

/// A plan is for the place that it was made from.
fn is_of(target: &Target, connection: &Connection) -> Result<(), Early> {
    let foreign = |what: &str, theirs: &str, ours: &str| {
        let problem =
            Diagnostic::error(format!("the plan is for the {what} `{theirs}`, and this run is for `{ours}`"));
        Err(Early::refused(problem.hint("plan anew, for the place that is meant")))
    };
    if target.graph_url != connection.shown_url {
        return foreign("Graph URL", &target.graph_url, &connection.shown_url);
    }
    match (&target.tenant_id, &connection.checked) {
        (Some(theirs), Checked::Same(ours)) if !theirs.eq_ignore_ascii_case(ours) => {
            foreign("tenant", theirs, ours)
        }
        _ => Ok(()),
    }
}

/// Shows the plan: on stdout, unless that is for the report alone; and to whoever is asked.
async fn show(args: &ApplyArgs, plan: &Plan, signals: &Signals) -> Result<(), Early> {
    let text = render::plan_text(plan);
    if args.format == Format::Json || !terminal::stdout_is_terminal() && terminal::can_ask() {
        terminal::message(&text);
    }
    if args.format == Format::Text {
        print(text, signals).await.map_err(|error| Early::from(Failure::from(error)))?;
    }
    Ok(())
}

/// Whether a plan is one that may be applied at all.
fn may_be_applied(args: &ApplyArgs, plan: &Plan) -> Result<(), Early> {
    let saved = args.plan.is_some();
    if !plan.is_whole() {
        let unread = unread(plan).into_iter().map(|unread| unread.hint("nothing was changed"));
        let incomplete = Diagnostic::error("the saved plan is not whole: nothing was changed");
        let errors = plan.errors.iter().map(|problem| problem.message.as_str());
        let incomplete = errors.fold(incomplete, Diagnostic::caused_by);
        let incomplete = saved.then_some(incomplete);
        let reasons = unread.chain(incomplete).collect();
        // Whoever saved such a plan was told; to apply it is another matter.
        return Err(Early { reasons, exit: if saved { Exit::Refused } else { Exit::Error } });
    }
    if let Some(expected) = args.expect.as_ref().filter(|expected| !is_same(expected, plan)) {
        let problem = Diagnostic::error("this is not the plan that was approved: nothing was changed")
            .caused_by(format!("expected {expected}"))
            .caused_by(format!("planned {}", plan.fingerprint()));
        return Err(Early::refused(problem.hint("review this plan, and give its fingerprint")));
    }
    if plan.is_refused() {
        let refusals = plan.targets.iter().flat_map(|target| &target.refusals);
        let problem = Diagnostic::error("the plan is refused: nothing was changed");
        let problem = refusals.clone().fold(problem, |problem, refusal| problem.caused_by(&refusal.reason));
        let flags = refusals.filter_map(|refusal| refusal.allow.as_ref());
        let problem = flags.fold(problem, |problem, flag| problem.hint(format!("allow it with {flag}")));
        return Err(Early::refused(problem));
    }
    Ok(())
}

fn is_same(expected: &str, plan: &Plan) -> bool {
    expected.trim().eq_ignore_ascii_case(&plan.fingerprint())
}

/// Looks whether the tenant is still what was approved.
async fn recheck(target: &Target, connection: &Connection, signals: &Signals) -> Result<Recheck, Early> {
    let recheck = apply::recheck(&connection.graph, target).await;
    if !recheck.moved.is_empty() {
        let stale = Diagnostic::error("the tenant changed since the plan was made: nothing was changed");
        let told = |stale: Diagnostic, moved: &Moved| stale.caused_by(render::moved_text(target, moved));
        let stale = recheck.moved.iter().fold(stale, told);
        return Err(Early::refused(stale.hint("plan again, and review what is there now")));
    }
    if !recheck.broken.is_empty() {
        let problem = Diagnostic::error("a connector changed since the plan was made: nothing was changed");
        let told = |problem: Diagnostic, pin: &BrokenPin| {
            let actual = pin.actual.as_deref().unwrap_or("no address");
            let name = pin.connector.display_name.as_deref().unwrap_or(pin.connector.id.as_str());
            problem.caused_by(format!("`{name}` is pinned to {}, but calls {actual}", pin.expected))
        };
        return Err(Early::refused(
            recheck.broken.iter().fold(problem, told).hint("mend the connector, or plan again"),
        ));
    }
    match recheck.unknown.first() {
        None => Ok(recheck),
        Some(_) if signals.exit().is_some() => Err(Early::stopped(signals)),
        Some(unknown) => {
            let problem = Diagnostic::error("the tenant could not be read again: nothing was changed");
            Err(Early::error(problem.caused_by(&*unknown.error)))
        }
    }
}

/// What a run ends with that was not stopped.
fn exit_of(report: &Report) -> Exit {
    if report.is_done() {
        Exit::Done
    } else if report.has_sent() {
        Exit::Incomplete
    } else {
        Exit::Error
    }
}
