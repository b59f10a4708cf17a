//! `plan`: compares files with their tenants and prints the changes. Writes nothing to the tenants.

use std::path::{Path, PathBuf};

use clap::Args;

use super::environment::Environment;
use super::options::{
    ConnectionArgs, FilesArgs, Global, LabelArgs, OnlyArgs, OutputArgs, OverrideArgs, ShardArgs,
};
use super::progress::ProgressLine;
use crate::apply::UnverifiedTenantPolicy;
use crate::exit::Exit;
use crate::http::never_stopped;
use crate::model::{Purpose, Scope};
use crate::output::RenderedRun;
use crate::plan::{DEFAULT_CERTIFICATE_DAYS, PlanTime, RunOverrides, ShardInfo, Target};
use crate::render::{self, Document};
use crate::run::{self, CommandError, DesiredSource, Event, PlanRequest, Run};
use crate::{saved, terminal};

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    files: FilesArgs,
    /// Take back the applied changes of a saved report
    #[arg(long, value_name = "REPORT.json", conflicts_with = "files")]
    undo: Option<PathBuf>,
    #[command(flatten)]
    outputs: OutputArgs,
    /// Exit with 2 if the plan has changes
    #[arg(long)]
    detailed_exitcode: bool,
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

impl PlanArgs {
    fn source(&self) -> DesiredSource<'_> {
        self.undo.as_deref().map_or(DesiredSource::Files(&self.files.files), DesiredSource::Undo)
    }

    /// Returns the files that no output may replace.
    fn inputs(&self) -> Vec<&Path> {
        self.files.inputs(&self.connection).into_iter().chain(self.undo.as_deref()).collect()
    }
}

pub(super) async fn run(
    args: &PlanArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, CommandError> {
    let mut outputs = args.outputs.open(&args.inputs(), environment)?;
    let request = PlanRequest {
        purpose: Purpose::Plan,
        policy: UnverifiedTenantPolicy::Warn,
        scope: Scope::Listed,
        overrides: RunOverrides::from(&args.overrides),
        shard: args.shard.shard,
        only: args.only.only.clone(),
        label: args.label.label.clone(),
        time: PlanTime::new(environment.now(), DEFAULT_CERTIFICATE_DAYS),
    };
    let run = Run::start(args.connection.run_options(environment), never_stopped());
    let print = |target: &Target, several| outputs.print(&render::target_text(target, several));
    let plan = plan_with_progress(&run, args.source(), &request, global, print).await;
    let at = environment.now().to_string();
    let json = &|| saved::plan::to_json(&plan, &at);
    let text = render::plan_text(&plan);
    outputs.emit_plan(&plan, &RenderedRun { text, json, document: Document::Plan(&plan), at: &at }).await?;
    Ok(Exit::of_plan(&plan, args.detailed_exitcode))
}

/// Plans the files, and calls `on_planned` with each target as soon as it and those before it are planned, and with
/// whether the run has several tenants. Errors are in the plan, also those of a run that could not start.
pub(super) async fn plan_with_progress(
    run: &Result<Run, CommandError>,
    source: DesiredSource<'_>,
    request: &PlanRequest,
    global: &Global,
    mut on_planned: impl FnMut(&Target, bool),
) -> crate::plan::Plan {
    let on_event = |event: Event<'_>| match event {
        Event::Sharded(info) => print_shard(info, global),
        Event::Planned { target, several } => on_planned(target, several),
    };
    match run {
        Ok(run) => {
            let planned = run::plan_files(run, source, request, on_event);
            ProgressLine::new(global).show_while(run, planned).await
        }
        Err(error) => run::create_error_plan(error.diagnostics.clone(), request, on_event),
    }
}

/// Prints the number of tenants of a shard on stderr, unless `--quiet`.
pub(super) fn print_shard(info: &ShardInfo, global: &Global) {
    if !global.quiet {
        let (mine, all) = info.count_tenants();
        terminal::eprint(&format!("shard {}: {mine} of {all} tenants\n", info.shard));
    }
}
