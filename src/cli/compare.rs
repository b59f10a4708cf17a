//! `compare`: compares two desired-state files or snapshots, offline.

use std::path::PathBuf;

use clap::Args;

use super::environment::Environment;
use super::values;
use crate::exit::Exit;
use crate::output::{OutPath, Outputs, RenderedRun, StepFiles};
use crate::render::{self, Document, Format};
use crate::run::{CommandError, compare_files};
use crate::saved;

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// Desired-state file or snapshot, or - for stdin
    #[arg(value_name = "A")]
    a: PathBuf,
    /// Desired-state file or snapshot that A is compared with
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Also write to FILE; the extension selects the format (.txt .json .md). Repeatable
    #[arg(short, long, value_name = "FILE", value_parser = values::out_parser(values::COMPARISON_FORMATS))]
    out: Vec<OutPath>,
    /// Output format on stdout
    #[arg(long, default_value = "text", value_parser = values::comparison_format_parser())]
    format: Format,
    /// Exit with 2 if the files differ
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) async fn run(args: &CompareArgs) -> Result<Exit, CommandError> {
    let now = Environment::read_now()?;
    let outputs = Outputs::open(args.format, &args.out, &[&args.a, &args.b], &StepFiles::default())?;
    let comparison = compare_files(&args.a, &args.b, now)?;
    let json = &|| saved::comparison::to_json(&comparison);
    let (text, document) = (render::comparison_text(&comparison), Document::Comparison(&comparison));
    outputs.emit(&RenderedRun { text, json, document, at: "" }, &[], false).await?;
    Ok(Exit::of_comparison(&comparison, args.detailed_exitcode))
}
