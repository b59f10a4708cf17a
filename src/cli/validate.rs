//! `validate`: checks a file alone, without network and credentials.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::failure::Failure;
use super::{Exit, Global};
use crate::render::escape;
use crate::{desired, render, terminal};

#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// Desired-state file
    #[arg(default_value = "flowbind.yaml")]
    file: PathBuf,
}

pub(super) fn run(args: &ValidateArgs, global: &Global) -> Result<Exit, Failure> {
    let desired = desired::load(&args.file)?;
    let bindings: usize = desired.flows.iter().map(|flow| flow.bindings.len()).sum();
    let file = escape::text(&desired.file);
    let flows = render::counted(desired.flows.len(), "flow", "flows");
    let bindings = render::counted(bindings, "managed binding", "managed bindings");
    if !global.quiet {
        terminal::print(&format!("{file}: valid, {flows}, {bindings}\n"))
            .context("cannot write to stdout")?;
    }
    Ok(Exit::Done)
}
