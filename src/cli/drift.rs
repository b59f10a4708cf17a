//! `drift`: a plan whose answer is the exit code. Writes nothing to the tenant.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::environment::Environment;
use super::failure::Failure;
use super::format::Format;
use super::outputs::{OutPath, Outputs};
use super::plan::{Request, Told, tell};
use super::tenant::Rule;
use super::{Exit, Global};
use crate::current::Scope;
use crate::plan::Overrides;
use crate::render::escape;
use crate::{files, render};

#[derive(Debug, Args)]
pub(super) struct DriftArgs {
    /// Desired-state file
    #[arg(default_value = "flowbind.yaml")]
    file: PathBuf,
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
    let inputs = [Some(args.file.as_path()), global.sandbox.as_deref()];
    let outputs = Outputs::open(&args.out, &inputs.into_iter().flatten().collect::<Vec<_>>())?;
    let scope = if args.strict { Scope::Whole } else { Scope::Listed };
    let request = Request { rule: Rule::Warn, scope, overrides: Overrides::default() };
    let Told { plan, gone } = tell(&args.file, global, environment, &request).await;
    let json = files::plan::to_json(&plan, &environment.now().to_string())
        .context("cannot write the plan as JSON")?;
    let text = |format| match format {
        Format::Json => json.clone(),
        Format::Text if plan.targets.is_empty() => String::new(),
        Format::Text => {
            let next =
                plan.targets.iter().map(|target| render::drift(target, &gone, args.strict, &options(global)));
            render::plan_text(&plan) + &next.collect::<String>()
        }
    };
    outputs.emit(args.format, text)?;
    let unmanaged = args.strict && plan.targets.iter().any(|target| !target.unmanaged.is_empty());
    let pins = plan.targets.iter().any(|target| !target.pins.is_empty());
    Ok(if !plan.is_whole() {
        Exit::Error
    } else if plan.has_changes() || pins || unmanaged || !gone.is_empty() {
        Exit::Differs
    } else {
        Exit::Done
    })
}

/// The options that lead another command to the same tenant.
fn options(global: &Global) -> String {
    let sandbox = global.sandbox.as_ref().map(|path| ("--sandbox", path.to_string_lossy().into_owned()));
    let url = global.graph_url.as_ref().map(|url| ("--graph-url", url.clone()));
    let options = sandbox.into_iter().chain(url);
    options.map(|(name, value)| format!(" {name} {}", escape::shell(&value))).collect()
}
