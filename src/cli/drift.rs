//! `drift`: reports by exit code whether tenants differ from their files. Writes nothing to the tenants.

use clap::Args;

use super::connect::ConnectionArgs;
use super::environment::Environment;
use super::failure::Failure;
use super::fleet::{FilesArgs, Run, ShardArgs};
use super::outputs::{OutputArgs, Outputs, RenderedRun};
use super::plan::{Request, create_error_plan, inputs, plan_and_print};
use super::sandboxes::Sandboxes;
use super::tenant::UnverifiedTenantPolicy;
use super::{Exit, Global, signals};
use crate::current::Scope;
use crate::plan::{Drift, Overrides, Plan};
use crate::render::{Document, escape};
use crate::{render, saved};

#[derive(Debug, Args)]
pub(super) struct DriftArgs {
    #[command(flatten)]
    files: FilesArgs,
    /// Read all flows of the tenant; bindings that are not in the file count as drift
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    outputs: OutputArgs,
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
) -> Result<Exit, Failure> {
    let mut outputs = Outputs::open(&args.outputs, &inputs(&args.files, &args.connection), environment)?;
    let run = Run::start(global, &args.connection, environment, signals::no_shutdown());
    let scope = if args.strict { Scope::All } else { Scope::Listed };
    let request = Request { policy: UnverifiedTenantPolicy::Warn, scope, overrides: Overrides::default() };
    let mut plan = match &run {
        Ok(run) => plan_and_print(&args.files, &args.shard, run, &request, &mut outputs).await,
        Err(failure) => create_error_plan(&failure.diagnostics, &args.shard, global),
    };
    let drift = Drift { strict: args.strict };
    plan.drift = Some(drift);
    let at = environment.now().to_string();
    let json = &|| saved::plan::to_json(&plan, &at);
    let next = |run: &Run<'_>| -> String {
        let is_complete = plan.completeness_check();
        let options = |target| {
            is_complete(target).then(|| tenant_options(&args.connection, &run.sandboxes, &target.tenant))
        };
        let actions = |target| render::drift(target, drift, options(target).as_deref());
        plan.targets.iter().map(actions).collect()
    };
    let text = render::plan_text(&plan) + &run.as_ref().map(next).unwrap_or_default();
    let document = Document::from_plan(&plan);
    let written = outputs.emit(&RenderedRun { text, json, document, at: &at }).await;
    Outputs::report_errors(args.outputs.format, &plan.incompleteness_errors(), plan.has_several_tenants());
    written?;
    Ok(exit(&plan))
}

/// Returns the exit code of a drift run: 1 if the plan is incomplete, otherwise 2 if anything differs,
/// otherwise 0.
pub(super) fn exit(plan: &Plan) -> Exit {
    if !plan.is_complete() {
        Exit::Error
    } else if plan.differs() {
        Exit::Differs
    } else {
        Exit::Done
    }
}

/// Returns the tenant's `--sandbox` and the `--graph-url` of this run, quoted for a shell and each with a
/// space before, for a suggested command about the same tenant. Empty if neither was given.
fn tenant_options(connection: &ConnectionArgs, sandboxes: &Sandboxes, tenant: &str) -> String {
    let sandbox = sandboxes.find_path(tenant).map(|path| ("--sandbox", path.to_string_lossy().into_owned()));
    let url = connection.graph_url.as_ref().map(|url| ("--graph-url", url.clone()));
    let options = sandbox.into_iter().chain(url);
    options.map(|(name, value)| format!(" {name} {}", escape::shell(&value))).collect()
}
