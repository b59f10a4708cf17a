//! `show`: prints saved plans, drift or reports, and exits with their code.

use std::path::PathBuf;

use clap::Args;

use super::environment::Environment;
use super::options::OutputArgs;
use crate::diagnostic::Code;
use crate::exit::Exit;
use crate::output::RenderedRun;
use crate::render::{self, Document};
use crate::run::{CommandError, Reader, join_saved, read_saved};
use crate::saved::{self, Saved};

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Saved plans, drift or reports; several of one kind are joined
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    outputs: OutputArgs,
    /// Exit with 2 if a plan has changes
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) async fn run(args: &ShowArgs, environment: &Environment) -> Result<Exit, CommandError> {
    let inputs: Vec<_> = args.files.iter().map(PathBuf::as_path).collect();
    let outputs = args.outputs.open(&inputs, environment)?;
    let saved =
        args.files.iter().map(|path| read_saved(path, Reader::Show)).collect::<Result<Vec<_>, _>>()?;
    let mut codes: Vec<_> = saved.iter().filter_map(exit_code).collect();
    match join_saved(saved)? {
        Saved::Plan(plan, at) => {
            let json = &|| saved::plan::to_json(&plan, &at);
            let (text, document) = (render::plan_text(&plan), Document::Plan(&plan));
            outputs.emit_plan(&plan, &RenderedRun { text, json, document, at: &at }).await?;
            Ok(Exit::of_plan(&plan, args.detailed_exitcode))
        }
        Saved::Drift(drift, at) => {
            outputs.emit_drift(&drift, &at).await?;
            Ok(Exit::of_drift(&drift, false))
        }
        Saved::Report(mut report, from, to) => {
            let is_shard_missing = report.errors.iter().any(|it| it.diagnostic.code == Code::MissingShard);
            codes.extend(is_shard_missing.then_some(Exit::Error as u8));
            let exit = Exit::worst(&codes);
            report.exit_code = exit as u8;
            let json = &|| saved::report::to_json(&report, &from, &to);
            let (text, document) = (render::report_text(&report), Document::Report(&report));
            let several = report.has_several_tenants();
            outputs.emit(&RenderedRun { text, json, document, at: &to }, &report.errors, several).await?;
            Ok(exit)
        }
    }
}

fn exit_code(saved: &Saved) -> Option<u8> {
    match saved {
        Saved::Plan(..) | Saved::Drift(..) => None,
        Saved::Report(report, ..) => Some(report.exit_code),
    }
}
