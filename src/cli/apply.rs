//! `apply`: plans, or reads a saved plan, asks for approval, sends the PUTs, reads back, and reports.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use tracing::warn;

use super::approval;
use super::environment::Environment;
use super::options::{
    ConnectionArgs, FilesArgs, Global, LabelArgs, OnlyArgs, OutputArgs, OverrideArgs, ShardArgs,
};
use super::plan::print_shard;
use super::progress::ProgressLine;
use super::values;
use crate::apply::{Report, TargetReport, UnverifiedTenantPolicy};
use crate::diagnostic::{Code, Diagnostic};
use crate::exit::Exit;
use crate::model::Label;
use crate::output::{self, Outputs, RenderedRun, print_diagnostics};
use crate::plan::{
    DEFAULT_CERTIFICATE_DAYS, ExpectedFingerprint, ExpectedFingerprints, Plan, PlanTime, Problem,
    RunOverrides, ShardInfo, TenantPlan,
};
use crate::render::{self, Document, Format};
use crate::run::{self, Answer, Applied, ApplyRequest, ApplySource, CommandError, DesiredSource, Host, Run};
use crate::signals::Signals;
use crate::{saved, terminal};

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    files: FilesArgs,
    /// Apply the changes of a saved plan
    #[arg(long, value_name = "PLAN.json", conflicts_with_all = ["files", "only", "max_changes", "max_disables", "allow_protected", "allow_empty"])]
    plan: Option<PathBuf>,
    /// Take back the applied changes of a saved report
    #[arg(long, value_name = "REPORT.json", conflicts_with_all = ["files", "plan"])]
    undo: Option<PathBuf>,
    /// Skip the prompt and apply
    #[arg(short, long)]
    yes: bool,
    /// Apply only if the plan has this fingerprint (12 or more digits), or TENANT=FINGERPRINT. Repeatable
    #[arg(long, value_name = "FINGERPRINT")]
    expect: Vec<ExpectedFingerprint>,
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
    only: OnlyArgs,
    #[command(flatten)]
    label: LabelArgs,
    #[command(flatten)]
    shard: ShardArgs,
    // Last, because their headings apply to all options after them.
    #[command(flatten)]
    overrides: OverrideArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl ApplyArgs {
    fn request(&self, now: Timestamp) -> Result<ApplyRequest<'_>, Diagnostic> {
        let expected = ExpectedFingerprints::from_values(&self.expect).map_err(|error| {
            Diagnostic::error(Code::Usage, format!("`--expect`: {error}"))
                .hint("pass the fingerprint of the run, or one `TENANT=FINGERPRINT` for each tenant")
        })?;
        Ok(ApplyRequest {
            source: match &self.plan {
                Some(path) => ApplySource::Saved(path),
                None => ApplySource::Files {
                    source: match &self.undo {
                        Some(report) => DesiredSource::Undo(report),
                        None => DesiredSource::Files(&self.files.files),
                    },
                    only: &self.only.only,
                    overrides: RunOverrides::from(&self.overrides),
                    is_approved: self.yes,
                    time: PlanTime::new(now, DEFAULT_CERTIFICATE_DAYS),
                },
            },
            policy: match self.tenant_unchecked {
                true => UnverifiedTenantPolicy::Warn,
                false => UnverifiedTenantPolicy::Reject,
            },
            now,
            shard: self.shard.shard,
            label: self.label.label.clone(),
            expected,
            fail_fast: self.fail_fast,
            verify_timeout: self.verify_timeout,
        })
    }
}

/// Runs `flowbind apply`: applies files or a saved plan, writes the outputs and prints problems. Returns the exit
/// code; only outputs that cannot be opened and failed signal handlers are an error.
pub(super) async fn run(
    args: &ApplyArgs,
    global: &Global,
    environment: &Environment,
    signals: &Signals,
) -> Result<Exit, CommandError> {
    let started = environment.now();
    let request = args.request(started)?;
    let saved = args.plan.as_deref().into_iter().chain(args.undo.as_deref());
    let inputs: Vec<_> = args.files.inputs(&args.connection).into_iter().chain(saved).collect();
    // Outputs are opened before the first request.
    let outputs = args.outputs.open(&inputs, environment)?;
    let mut host = Terminal {
        global,
        format: args.outputs.format,
        signals,
        progress: Rc::new(ProgressLine::new(global)),
        outputs,
        shown: None,
        is_on_stderr: false,
    };
    let Applied { mut report, failure } = apply(args, &request, environment, &mut host).await;
    let ended = signals.exit().unwrap_or(failure.map_or(Exit::Done, Exit::from));
    report.exit_code = ended as u8;
    let Terminal { mut outputs, shown, is_on_stderr, .. } = host;
    let times = [started.to_string(), environment.now().to_string()];
    let write_files = |outputs: &mut Outputs, report: &Report| {
        let write = |rendered: &RenderedRun<'_>| outputs.write_files(rendered);
        with_rendered(report, &times, write)
    };
    let unwritten = write_files(&mut outputs, &report);
    let are_files_written = unwritten.is_empty();
    let mut exit = add_unwritten(&mut report, ended, unwritten);
    let is_shown = |problem: &&Problem| shown.as_ref().is_some_and(|shown| shown.contains(problem));
    let new_problems: Vec<_> = report.errors.iter().filter(|it| !is_shown(it)).cloned().collect();
    let rest = match args.outputs.format {
        Format::Text if shown.is_some() => render::report_end(&report, &new_problems),
        Format::Text => render::report_text(&report),
        _ => with_rendered(&report, &times, |rendered| outputs.on_stdout(rendered).into_owned()),
    };
    let unprinted = outputs.print_rest(rest, signals.stopped()).await;
    if is_on_stderr && !new_problems.is_empty() && Outputs::reports_on_stderr(args.outputs.format) {
        terminal::eprint("\n");
    }
    Outputs::report_errors(args.outputs.format, &new_problems, report.has_several_tenants());
    // Stdout that failed before the apply fails again, with the same error.
    let is_new = |unprinted: &Diagnostic| report.errors.iter().all(|it| it.diagnostic != *unprinted);
    let unprinted: Vec<_> = unprinted.into_iter().filter(is_new).collect();
    print_diagnostics(&unprinted);
    if !are_files_written || !unprinted.is_empty() {
        exit = add_unwritten(&mut report, exit, unprinted);
        // The files get the exit code of the run, and all its problems.
        print_diagnostics(&write_files(&mut outputs, &report));
        if report.has_sent() && !outputs.has_saved_form() {
            output::rescue_report(&with_rendered(&report, &times, |rendered| (rendered.json)()));
        }
    }
    Ok(exit)
}

/// Adds the outputs that could not be written to a report with this exit code. Returns the new exit code, which is also
/// in the report.
fn add_unwritten(report: &mut Report, exit: Exit, unwritten: Vec<Diagnostic>) -> Exit {
    let exit = match exit {
        exit if unwritten.is_empty() => exit,
        exit @ (Exit::Interrupted | Exit::Terminated) => exit,
        // Code 1 means that nothing was written to the tenant.
        _ if report.has_sent() => Exit::Incomplete,
        _ => Exit::Error,
    };
    report.errors.extend(unwritten.into_iter().map(Problem::from));
    report.exit_code = exit as u8;
    exit
}

/// Calls `consume` with a report that is ready to be written. `times` are the start and the end of the run.
fn with_rendered<T>(
    report: &Report,
    [from, to]: &[String; 2],
    consume: impl FnOnce(&RenderedRun<'_>) -> T,
) -> T {
    let json = &|| saved::report::to_json(report, from, to);
    let (text, document) = (render::report_text(report), Document::Report(report));
    consume(&RenderedRun { text, json, document, at: to })
}

/// Starts the run and applies. A run that cannot start gives a report with its errors.
async fn apply(
    args: &ApplyArgs,
    request: &ApplyRequest<'_>,
    environment: &Environment,
    host: &mut Terminal<'_>,
) -> Applied {
    // The changes of an emulated tenant are written back.
    let unwritable: Vec<_> =
        args.connection.sandbox.iter().filter_map(|sandbox| output::open_file(sandbox).err()).collect();
    let writable = if unwritable.is_empty() { Ok(()) } else { Err(CommandError::from(unwritable)) };
    let options = args.connection.run_options(environment);
    let run = writable.and_then(|()| Run::start(options, host.signals.stop.clone()));
    match run {
        Ok(run) => {
            let (progress, signals) = (Rc::clone(&host.progress), host.signals);
            let notice = async {
                signals.stopped().await;
                warn!("stopping after the changes in flight; a second signal ends the run at once");
                std::future::pending().await
            };
            let applied = progress.show_while(&run, run::apply(&run, request, host));
            tokio::select! {
                applied = applied => applied,
                never = notice => never,
            }
        }
        Err(CommandError { kind, diagnostics }) => {
            let errors = diagnostics.into_iter().map(Problem::from).collect();
            let shard = args.shard.shard.map(|shard| ShardInfo { shard, fleet: Vec::new() });
            let label = args.label.label.clone();
            Applied { report: Report { errors, shard, label, ..Report::default() }, failure: Some(kind) }
        }
    }
}

/// Terminal of an apply: shows the plan and the results, and asks.
struct Terminal<'a> {
    global: &'a Global,
    format: Format,
    signals: &'a Signals,
    progress: Rc<ProgressLine>,
    outputs: Outputs,
    /// Problems that were shown with the plan, if it was shown.
    shown: Option<Vec<Problem>>,
    /// Whether the plan or its errors were printed on stderr.
    is_on_stderr: bool,
}

impl Host for Terminal<'_> {
    fn begin(&mut self) {
        self.signals.end_in_stages();
    }

    fn show_shard(&mut self, shard: &ShardInfo) {
        print_shard(shard, self.global);
    }

    /// Prints the plan on stdout for text, on stderr for other formats, and on both for text if only stdin and
    /// stderr are terminals. If stderr does not get the plan, prints its errors there. Waits until stdout is written
    /// or a signal arrives.
    async fn show_plan(&mut self, plan: &Plan) -> Result<(), CommandError> {
        self.progress.clear();
        let errors = plan.incompleteness_errors();
        let text = render::plan_text(plan);
        let on_stderr =
            self.format != Format::Text || !terminal::stdout_is_terminal() && terminal::is_interactive();
        if on_stderr {
            terminal::eprint(&text);
        }
        self.outputs.print(&text);
        let printed = tokio::select! {
            printed = self.outputs.flushed() => printed.map_err(|error| output::stdout_error(error).into()),
            () = self.signals.stopped() => Ok(()),
        };
        self.is_on_stderr = on_stderr || !errors.is_empty();
        if !on_stderr {
            Outputs::report_errors(self.format, &errors, plan.has_several_tenants());
        }
        self.shown = Some(errors);
        printed
    }

    async fn ask(&mut self, tenants: &[&TenantPlan], label: Option<&Label>) -> io::Result<Answer> {
        self.progress.clear();
        approval::ask(&render::approval_question(tenants, label)).await
    }

    fn show_result(&mut self, report: &TargetReport) {
        self.outputs.print(&render::target_report_text(report));
    }
}
