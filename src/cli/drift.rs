//! `drift`: a plan whose answer is the exit code. Writes nothing to the tenant.

use clap::Args;

use super::environment::Environment;
use super::failure::Failure;
use super::fleet::{FilesArgs, Run, ShardArgs};
use super::outputs::{OutputArgs, Outputs, Shown};
use super::plan::{Request, inputs, of_nothing, tell};
use super::sandboxes::Sandboxes;
use super::tenant::Rule;
use super::{Exit, Global, signals};
use crate::current::Scope;
use crate::plan::{Drift, Overrides, Plan};
use crate::render::{Document, escape};
use crate::{files, render};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  flowbind drift --strict\n  flowbind drift tenants --format text --out drift.prom"
)]
pub(super) struct DriftArgs {
    #[command(flatten)]
    files: FilesArgs,
    #[command(flatten)]
    shard: ShardArgs,
    /// Read the whole tenant, and count what is bound and not in the file
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    outputs: OutputArgs,
}

pub(super) async fn run(
    args: &DriftArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, Failure> {
    let mut outputs = Outputs::open(&args.outputs, &inputs(&args.files, global), environment)?;
    let run = Run::start(global, environment, signals::never());
    let scope = if args.strict { Scope::Whole } else { Scope::Listed };
    let request = Request { rule: Rule::Warn, scope, overrides: Overrides::default() };
    let mut plan = match &run {
        Ok(run) => tell(&args.files, &args.shard, run, &request, &mut outputs).await,
        Err(failure) => of_nothing(&failure.diagnostics, &args.shard, global),
    };
    plan.drift = Some(Drift { strict: args.strict });
    let at = environment.now().to_string();
    let json = &|| files::plan::to_json(&plan, &at);
    let next = |run: &Run<'_>| -> String {
        let is_whole = plan.whole_targets();
        let options = |target| is_whole(target).then(|| options(global, &run.sandboxes, &target.tenant));
        let told = |target| render::drift(target, args.strict, options(target).as_deref());
        plan.targets.iter().map(told).collect()
    };
    let text = render::plan_text(&plan) + &run.as_ref().map(next).unwrap_or_default();
    outputs.emit(&Shown { text, json, document: Document::of(&plan), at: &at }).await?;
    Ok(exit(&plan))
}

/// What the answer stands for.
pub(super) fn exit(plan: &Plan) -> Exit {
    if !plan.is_whole() {
        Exit::Error
    } else if plan.differs() {
        Exit::Differs
    } else {
        Exit::Done
    }
}

/// The options that lead another command to the same tenant.
fn options(global: &Global, sandboxes: &Sandboxes, tenant: &str) -> String {
    let sandbox = sandboxes.of(tenant).map(|path| ("--sandbox", path.to_string_lossy().into_owned()));
    let url = global.graph_url.as_ref().map(|url| ("--graph-url", url.clone()));
    let options = sandbox.into_iter().chain(url);
    options.map(|(name, value)| format!(" {name} {}", escape::shell(&value))).collect()
}
