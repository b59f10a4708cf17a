//! `schema`: prints the JSON Schemas that `schemas/` holds.

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::Exit;
use super::failure::Failure;
use crate::{desired, files, snapshot, terminal};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  flowbind schema desired")]
pub(super) struct SchemaArgs {
    /// The format that it describes
    name: Name,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// The desired-state file
    Desired,
    /// A saved plan
    Plan,
    /// The report of an apply
    Report,
    /// The snapshot that a sandbox is loaded from
    Snapshot,
}

pub(super) fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    let schema = match args.name {
        Name::Desired => desired::json_schema(),
        Name::Plan => files::plan::json_schema(),
        Name::Report => files::report::json_schema(),
        Name::Snapshot => snapshot::json_schema(),
    };
    let text = serde_json::to_string_pretty(&schema).context("cannot write the schema as JSON")?;
    terminal::print(&(text + "\n")).context("cannot write to stdout")?;
    Ok(Exit::Done)
}
