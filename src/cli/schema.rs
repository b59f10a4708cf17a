//! `schema`: prints the JSON Schemas of `schemas/`.

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::exit::Exit;
use super::outputs;
use crate::run::CommandError;
use crate::{desired, saved, snapshot, terminal};

#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Format that the schema describes
    name: Name,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// Desired-state file
    Desired,
    /// Saved plan
    Plan,
    /// Saved report of an apply
    Report,
    /// Snapshot of a tenant, for `--sandbox`
    Snapshot,
}

pub(super) fn run(args: &SchemaArgs) -> Result<Exit, CommandError> {
    let schema = match args.name {
        Name::Desired => desired::json_schema(),
        Name::Plan => saved::plan::json_schema(),
        Name::Report => saved::report::json_schema(),
        Name::Snapshot => snapshot::json_schema(),
    };
    let text = serde_json::to_string_pretty(&schema).context("cannot write the schema as JSON")?;
    terminal::print(&(text + "\n")).map_err(outputs::stdout_error)?;
    Ok(Exit::Done)
}
