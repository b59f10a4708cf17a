//! `drift`: a plan whose answer is the exit code. Writes nothing to the tenant.

use anyhow::Context as _;
use clap::Args;

use super::environment::Environment;
use super::failure::Failure;
use super::fleet::{FilesArgs, Run};
use super::format::Format;
use super::outputs::{OutPath, Outputs};
use super::plan::{Request, Told, inputs, tell};
use super::sandboxes::Sandboxes;
use super::tenant::Rule;
use super::{Exit, Global, signals};
use crate::current::Scope;
use crate::plan::Overrides;
use crate::render::escape;
use crate::{files, render};

#[derive(Debug, Args)]
pub(super) struct DriftArgs {
    #[command(flatten)]
    files: FilesArgs,
    /// Read the whole tenant, and count what is bound and not in the file
    #[arg(long)]
    strict: bool,
    /// What stdout gets
    #[arg(long, default_value = "text")]
    format: Format,
    /// Write to this file as well, in the format of its ending: .json or .txt
    #[arg(long, value_name = "FILE")]
    out: Vec<OutPath>,
}

pub(super) async fn run(
    args: &DriftArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, Failure> {
    let mut outputs = Outputs::open(&args.out, &inputs(&args.files, global), args.format)?;
    let run = Run::start(global, environment, signals::never())?;
    let scope = if args.strict { Scope::Whole } else { Scope::Listed };
    let request = Request { rule: Rule::Warn, scope, overrides: Overrides::default() };
    let Told { plan, gone } = tell(&args.files.files, &run, &request, &mut outputs).await;
    let json = files::plan::to_json(&plan, &environment.now().to_string())
        .context("cannot write the plan as JSON")?;
    let text = |format| match format {
        Format::Json => json.clone(),
        Format::Text if plan.targets.is_empty() => String::new(),
        Format::Text => {
            let next = plan.targets.iter().zip(&gone).map(|(target, gone)| {
                render::drift(target, gone, args.strict, &options(global, &run.sandboxes, &target.tenant))
            });
            render::plan_text(&plan) + &next.collect::<String>()
        }
    };
    outputs.emit(text).await?;
    let unmanaged = args.strict && plan.targets.iter().any(|target| !target.unmanaged.is_empty());
    let pins = plan.targets.iter().any(|target| !target.pins.is_empty());
    let gone = gone.iter().any(|gone| !gone.is_empty());
    Ok(if !plan.is_whole() {
        Exit::Error
    } else if plan.has_changes() || pins || unmanaged || gone {
        Exit::Differs
    } else {
        Exit::Done
    })
}

/// The options that lead another command to the same tenant.
fn options(global: &Global, sandboxes: &Sandboxes, tenant: &str) -> String {
    let sandbox = sandboxes.of(tenant).map(|path| ("--sandbox", path.to_string_lossy().into_owned()));
    let url = global.graph_url.as_ref().map(|url| ("--graph-url", url.clone()));
    let options = sandbox.into_iter().chain(url);
    options.map(|(name, value)| format!(" {name} {}", escape::shell(&value))).collect()
}
