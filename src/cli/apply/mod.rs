//! `apply`: plans, or reads a saved plan, asks for approval, sends the PUTs, reads back, and reports.
//!
//! `session` holds the plan and the connections, `gate` the preconditions, and `tenant` applies. A tenant that
//! fails does not stop the others.

mod gate;
mod session;
mod tenant;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::connect::ConnectionArgs;
use super::environment::Environment;
use super::failure::Failure;
use super::fleet::{self, FilesArgs, Run, ShardArgs};
use super::outputs::{self, OutputArgs, Outputs, RenderedRun};
use super::plan::{OverrideArgs, inputs};
use super::signals::Signals;
use super::tenant::UnverifiedTenantPolicy;
use super::{Exit, Global, print_diagnostics, values};
use crate::apply::Report;
use crate::diagnostic::{Code, Diagnostic};
use crate::plan::{self, Plan, Problem, ShardInfo, shard};
use crate::render::{Document, Format};
use crate::saved;
use crate::{render, terminal};
use session::ApplySession;
use tenant::TargetResult;

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    files: FilesArgs,
    /// Apply the changes of a saved plan
    #[arg(long, value_name = "PLAN.json", conflicts_with_all = ["files", "max_changes", "max_disables", "allow_protected", "allow_empty"])]
    plan: Option<PathBuf>,
    /// Skip the prompt and apply
    #[arg(short, long)]
    yes: bool,
    /// Apply only if the plan has this fingerprint
    #[arg(long, value_name = "FINGERPRINT")]
    expect: Option<String>,
    // With a format other than text, stdout has only the report, and the plan goes to stderr.
    #[command(flatten)]
    outputs: OutputArgs,
    /// Stop after the first failed change (per tenant)
    #[arg(long)]
    fail_fast: bool,
    /// Time limit for reading changes back, such as 60s or 10m
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = values::parse_duration, hide_short_help = true)]
    verify_timeout: Duration,
    /// Proceed even if the token's tenant cannot be verified
    #[arg(long, hide_short_help = true)]
    tenant_unchecked: bool,
    #[command(flatten)]
    shard: ShardArgs,
    // Last, because their headings apply to all options after them.
    #[command(flatten)]
    overrides: OverrideArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Reasons that abort a tenant or the run before anything is changed.
struct Abort {
    reasons: Vec<Diagnostic>,
    exit: Exit,
}

impl Abort {
    fn error(reason: Diagnostic) -> Self {
        Self { reasons: vec![reason], exit: Exit::Error }
    }

    fn blocked(reason: Diagnostic) -> Self {
        Self { reasons: vec![reason], exit: Exit::Refused }
    }

    fn interrupted(signals: &Signals) -> Self {
        let reason = Diagnostic::error(Code::Interrupted, "the run was interrupted");
        Self { reasons: vec![reason], exit: signals.exit().unwrap_or(Exit::Interrupted) }
    }
}

impl From<Failure> for Abort {
    fn from(Failure { diagnostics, exit, is_wrong_target: _ }: Failure) -> Self {
        Self { reasons: diagnostics, exit }
    }
}

/// Runs `flowbind apply`: plans or reads a saved plan, applies it, writes the outputs and prints problems.
/// Returns the exit code; only outputs that cannot be opened and failed signal handlers are an error.
pub(super) async fn run(
    args: &ApplyArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, Failure> {
    // Outputs are opened before the first request.
    let saved = args.plan.as_deref();
    let inputs: Vec<_> = inputs(&args.files, &args.connection).into_iter().chain(saved).collect();
    let mut outputs = Outputs::open(&args.outputs, &inputs, environment)?;
    let signals = Signals::catch()?;
    let started = environment.now().to_string();
    let mut session = ApplySession::default();
    let writable = args.connection.sandbox.iter().try_for_each(|sandbox| outputs::open(sandbox).map(drop));
    let run = writable.and_then(|()| Run::start(global, &args.connection, environment, signals.stop.clone()));
    let ended = match &run {
        Ok(run) => apply_session(args, run, &signals, &mut outputs, &mut session).await,
        Err(failure) => Err(Abort::from(failure.clone())),
    };
    let mut exit = match ended {
        Ok(()) => Exit::worst(session.exits.iter().map(|exit| *exit as u8)),
        Err(Abort { reasons, exit }) => {
            session.report.errors.extend(reasons.into_iter().map(Problem::from));
            exit
        }
    };
    exit = signals.exit().unwrap_or(exit);
    let mut report = session.report;
    report.exit_code = exit as u8;
    if !session.is_printed {
        // No plan was made.
        report.fingerprint = None;
    }
    let mut new_problems = new_problems(&report.errors, &session.plan, session.is_printed);
    shard::sort(&mut report.errors, &session.fleet);
    shard::sort(&mut new_problems, &session.fleet);
    // Without readable files, the files of the run are unknown, for every shard.
    let without_files = |shard| ShardInfo { shard, fleet: Vec::new() };
    report.shard = report.shard.or_else(|| args.shard.shard.map(without_files));
    let at = environment.now().to_string();
    let json = &|| saved::report::to_json(&report, &started, &at);
    let (text, document) = (render::report_text(&report), Document::Report(&report));
    let rendered = RenderedRun { text, json, document, at: &at };
    let rest = match args.outputs.format {
        Format::Text if session.is_printed => render::report_end(&report, &new_problems),
        Format::Text => render::report_text(&report),
        format => rendered.in_format(format).into_owned(),
    };
    let unwritten = outputs.finish(&rendered, rest, signals.stopped()).await;
    if session.is_on_stderr && !new_problems.is_empty() && Outputs::reports_on_stderr(args.outputs.format) {
        terminal::eprint("\n");
    }
    Outputs::report_errors(args.outputs.format, &new_problems, report.has_several_tenants());
    // Stdout that failed before the apply fails again, with the same error.
    let is_reported = |unwritten: &&Diagnostic| report.errors.iter().any(|it| it.diagnostic == **unwritten);
    let new: Vec<_> = unwritten.iter().filter(|it| !is_reported(it)).cloned().collect();
    print_diagnostics(&new);
    Ok(match exit {
        exit if unwritten.is_empty() => exit,
        exit @ (Exit::Interrupted | Exit::Terminated) => exit,
        // Code 1 means that nothing was written to the tenant.
        _ if report.has_sent() => Exit::Incomplete,
        _ => Exit::Error,
    })
}

/// Plans or reads a saved plan, prints it, checks the preconditions, asks for approval, and applies. The plan
/// as far as it is known, the report and the exit codes go to `session`. An error aborts the run before any
/// change; aborts of single tenants are not errors.
async fn apply_session(
    args: &ApplyArgs,
    run: &Run<'_>,
    signals: &Signals,
    outputs: &mut Outputs,
    session: &mut ApplySession,
) -> Result<(), Abort> {
    let policy =
        if args.tenant_unchecked { UnverifiedTenantPolicy::Warn } else { UnverifiedTenantPolicy::Reject };
    let preparation = async {
        match &args.plan {
            Some(path) => session::load_saved_plan(path, &args.shard, run, policy, session).await,
            None => {
                let request = args.overrides.request(policy);
                session::plan_files(&args.files, &args.shard, run, &request, session).await
            }
        }
    };
    let prepared = tokio::select! {
        () = signals.stopped() => Err(Abort::interrupted(signals)),
        prepared = preparation => prepared,
    };
    session.report = Report::not_attempted(&session.plan);
    // A saved plan may already have the error of a tenant that could not be connected.
    let saved_errors = &session.report.errors;
    session.connection_errors.retain(|error| !saved_errors.contains(error));
    session.report.errors.append(&mut session.connection_errors);
    prepared?;
    let several = session.plan.targets.len() > 1;
    session.is_printed = true;
    print_plan(args, session, outputs, signals).await?;
    gate::require_complete(session, args.plan.as_deref());
    gate::require_fingerprint(session, args.expect.as_deref());
    gate::require_no_blockers(session, args.plan.is_some());
    let given = args.yes || args.expect.is_some() || args.plan.is_some();
    let asked = gate::require_approval(session, given, signals).await?;
    // The tenant may have changed since a plan was saved, while the prompt waited, or while other tenants were
    // planned.
    let check_staleness = args.plan.is_some() || asked || several;
    let tenant_apply = tenant::TenantApply { args, run, signals, check_staleness };
    let groups = fleet::group_by_tenant(session.plan.targets.iter().map(|target| target.tenant.as_str()));
    let (plan, connections) = (&session.plan, &session.connections);
    let (exits, report) = (&mut session.exits, &mut session.report);
    let apply = async |group: &[usize]| tenant_apply.apply(plan, connections, group).await;
    run.for_each_in_order(&groups, apply, |at, result| {
        let TargetResult { target, reasons, exit } = result;
        exits.push(exit);
        outputs.print(&render::target_report_text(&target));
        report.errors.extend(reasons.into_iter().map(|reason| Problem::for_tenant(&target.tenant, reason)));
        if let Some(slot) = report.targets.get_mut(at) {
            *slot = target;
        }
    })
    .await;
    Ok(())
}

/// Returns the problems of a report that were not printed with the plan; all of them if the plan was not
/// printed. `errors` must begin with the errors of the plan.
fn new_problems(errors: &[Problem], plan: &Plan, is_printed: bool) -> Vec<Problem> {
    if !is_printed {
        return errors.to_vec();
    }
    let tenants = plan::unique_tenants(plan.targets.iter().map(|target| target.tenant.as_str()));
    let causes = tenants.iter().flat_map(|tenant| {
        let targets: Vec<_> = plan.targets_of(tenant).collect();
        plan::unreadable_causes(targets.iter().flat_map(|it| &it.unreadable))
            .into_iter()
            .map(|diagnostic| Problem::for_tenant(tenant, diagnostic))
    });
    let causes: Vec<_> = causes.collect();
    let new = errors.iter().skip(plan.errors.len()).filter(|problem| !causes.contains(problem));
    new.cloned().collect()
}

/// Prints the plan on stdout for text, on stderr for other formats, and on both for text if only stdin and
/// stderr are terminals. If stderr does not get the plan, prints the errors of the plan there. Waits until
/// stdout is written or a signal arrives.
async fn print_plan(
    args: &ApplyArgs,
    session: &mut ApplySession,
    outputs: &mut Outputs,
    signals: &Signals,
) -> Result<(), Abort> {
    let text = render::plan_text(&session.plan);
    let on_stderr =
        args.outputs.format != Format::Text || !terminal::stdout_is_terminal() && terminal::is_interactive();
    if on_stderr {
        terminal::eprint(&text);
    }
    outputs.print(&text);
    let printed = tokio::select! {
        printed = outputs.flushed() => {
            printed.map_err(|error| Abort::from(Failure::stdout(error)))
        }
        () = signals.stopped() => Ok(()),
    };
    let errors = session.plan.incompleteness_errors();
    session.is_on_stderr = on_stderr || !errors.is_empty();
    if !on_stderr {
        Outputs::report_errors(args.outputs.format, &errors, session.plan.has_several_tenants());
    }
    printed
}
