//! `drift`: reports by exit code whether tenants differ from their files. Writes nothing to the tenants.

use std::collections::BTreeSet;

use clap::Args;

use super::environment::Environment;
use super::options::{ConnectionArgs, FilesArgs, Global, OutputArgs, ShardArgs};
use super::plan::plan_and_print;
use super::signals;
use crate::apply::UnverifiedTenantPolicy;
use crate::exit::Exit;
use crate::model::{Scope, Tenant};
use crate::output::RenderedRun;
use crate::plan::{Drift, Overrides};
use crate::render::{self, Document, escape};
use crate::run::{CommandError, PlanRequest, Run};
use crate::saved;

#[derive(Debug, Args)]
pub(super) struct DriftArgs {
    #[command(flatten)]
    files: FilesArgs,
    /// Read all flows and steps of the tenant; bindings that are not in the file count as drift
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
) -> Result<Exit, CommandError> {
    let mut outputs = args.outputs.open(&args.files.inputs(&args.connection), environment)?;
    let request = PlanRequest {
        policy: UnverifiedTenantPolicy::Warn,
        scope: if args.strict { Scope::All } else { Scope::Listed },
        overrides: Overrides::default(),
        shard: args.shard.shard,
    };
    let run = Run::start(args.connection.run_options(environment), signals::no_shutdown());
    let mut plan = plan_and_print(&run, &args.files, &request, global, &mut outputs).await;
    let drift = Drift { strict: args.strict };
    plan.drift = Some(drift);
    let at = environment.now().to_string();
    let json = &|| saved::plan::to_json(&plan, &at);
    let mut text = render::plan_text(&plan);
    if let Ok(run) = &run {
        let complete = plan.tenants.iter().filter(|tenant| plan.is_tenant_complete(tenant));
        let complete: BTreeSet<_> = complete.map(|tenant| &tenant.tenant).collect();
        for target in plan.targets() {
            let is_complete = complete.contains(&target.tenant);
            let options = is_complete.then(|| tenant_options(&args.connection, run, &target.tenant));
            text += &render::drift(target, drift, options.as_deref());
        }
    }
    outputs
        .emit_plan(&plan, &RenderedRun { text, json, document: Document::from_plan(&plan), at: &at })
        .await?;
    Ok(Exit::of_drift(&plan))
}

/// Returns the tenant's `--sandbox` and the `--graph-url` of this run, quoted for a shell and each with a
/// space before, for a suggested command about the same tenant. Empty if neither was given.
fn tenant_options(connection: &ConnectionArgs, run: &Run, tenant: &Tenant) -> String {
    let sandbox = run.sandboxes().find_path(tenant);
    let sandbox = sandbox.map(|path| ("--sandbox", path.to_string_lossy().into_owned()));
    let url = connection.graph_url.as_ref().map(|url| ("--graph-url", url.clone()));
    let options = sandbox.into_iter().chain(url);
    options.map(|(name, value)| format!(" {name} {}", escape::shell(&value))).collect()
}
