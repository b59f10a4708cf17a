//! `drift`: reports what is different in the tenants, compared with their files. Writes nothing to the tenants.

use std::path::{Path, PathBuf};

use clap::Args;

use super::environment::Environment;
use super::options::{ConnectionArgs, FilesArgs, Global, LabelArgs, OnlyArgs, OutputArgs, ShardArgs};
use super::plan::plan_with_progress;
use crate::apply::UnverifiedTenantPolicy;
use crate::diagnostic::{Code, Diagnostic};
use crate::drift::{self, Drift};
use crate::exit::Exit;
use crate::http::never_stopped;
use crate::model::{Label, Purpose, Scope, Tenant};
use crate::output::print_diagnostics;
use crate::paths;
use crate::plan::{DEFAULT_CERTIFICATE_DAYS, PlanTime, RunOverrides};
use crate::run::{CommandError, DesiredSource, PlanRequest, Run, read_earlier_drift};

#[derive(Debug, Args)]
pub(super) struct DriftArgs {
    #[command(flatten)]
    files: FilesArgs,
    /// Read all flows and steps of the tenant; bindings that are not in the file are differences
    #[arg(long, conflicts_with = "only")]
    strict: bool,
    /// Mark what is new or resolved since the run that wrote FILE.json; the same FILE.json can be an output
    #[arg(long, value_name = "FILE.json")]
    since: Option<PathBuf>,
    /// Exit with 2 only if a difference is new
    #[arg(long, requires = "since")]
    new_only: bool,
    /// Report connectors without an active certificate that is valid for N more days; 0 turns it off
    #[arg(long, value_name = "N", default_value_t = DEFAULT_CERTIFICATE_DAYS)]
    certificate_days: u32,
    #[command(flatten)]
    outputs: OutputArgs,
    #[command(flatten)]
    only: OnlyArgs,
    #[command(flatten)]
    label: LabelArgs,
    #[command(flatten)]
    shard: ShardArgs,
    // Last, because its heading applies to all options after it.
    #[command(flatten)]
    connection: ConnectionArgs,
}

pub(super) async fn run(
    args: &DriftArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, CommandError> {
    let outputs = args.outputs.open(&args.files.inputs(&args.connection), environment)?;
    let label = args.label.label.as_ref();
    let earlier = args.since.as_deref().map(|path| read_earlier(path, label)).transpose()?;
    let request = PlanRequest {
        purpose: Purpose::Plan,
        policy: UnverifiedTenantPolicy::Warn,
        scope: if args.strict { Scope::All } else { Scope::Listed },
        overrides: RunOverrides::default(),
        shard: args.shard.shard,
        only: args.only.only.clone(),
        label: args.label.label.clone(),
        time: PlanTime::new(environment.now(), args.certificate_days),
    };
    let run = Run::start(args.connection.run_options(environment), never_stopped());
    let source = DesiredSource::Files(&args.files.files);
    let plan = plan_with_progress(&run, source, &request, global, |_, _| {}).await;
    let sandbox = |tenant: &Tenant| {
        let path = run.as_ref().ok()?.sandboxes().find_path(tenant)?;
        Some(paths::display(path))
    };
    let now = environment.now();
    let graph_url = args.connection.graph_url.as_deref();
    let options = drift::Options { strict: args.strict, now, graph_url, sandbox: &sandbox };
    let mut drift = drift::find_drift(plan, &options);
    if let Some(earlier) = earlier {
        drift = drift::compare_with_earlier(drift, &earlier);
    }
    outputs.emit_drift(&drift, &now.to_string()).await?;
    Ok(Exit::of_drift(&drift, args.new_only))
}

/// Reads the drift of an earlier run. Without the file, warns and returns drift without differences, so that the first
/// run of a job works.
fn read_earlier(path: &Path, label: Option<&Label>) -> Result<Drift, CommandError> {
    let earlier = read_earlier_drift(path, label)?;
    if earlier.is_none() {
        let message = format!("`{}` does not exist, so every difference is new", paths::display(path));
        let warning = Diagnostic::warning(Code::EarlierDriftMissing, message);
        print_diagnostics(&[warning.hint("this is normal for a first run")]);
    }
    Ok(earlier.unwrap_or_default())
}
