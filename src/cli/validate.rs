//! `validate`: checks files offline.

use clap::Args;

use super::environment::Environment;
use super::options::{FilesArgs, Global};
use crate::exit::Exit;
use crate::model::Desired;
use crate::output::{self, print_diagnostics};
use crate::plan::expired_holds;
use crate::render::escape;
use crate::run::CommandError;
use crate::{desired, render, terminal};

#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    files: FilesArgs,
    /// Print the merged file, with the source of each value
    #[arg(long)]
    print: bool,
}

pub(super) fn run(args: &ValidateArgs, global: &Global) -> Result<Exit, CommandError> {
    let now = Environment::read_now()?;
    let desired = desired::load(&args.files.files, now)?;
    let text = if args.print {
        let listings = desired::list(&args.files.files, now)?;
        listings.iter().map(render::listing).collect::<Vec<_>>().join("---\n")
    } else if global.quiet {
        String::new()
    } else {
        desired.iter().map(summary).collect()
    };
    terminal::print(&text).map_err(output::stdout_error)?;
    print_diagnostics(&expired_holds(&desired, now));
    Ok(Exit::Done)
}

fn summary(desired: &Desired) -> String {
    let bindings: usize = desired.flows.iter().map(|flow| flow.bindings.values().count()).sum();
    let file = escape::text(&desired.file);
    let flows = render::pluralize(desired.flows.len(), "flow", "flows");
    let bindings = render::pluralize(bindings, "managed binding", "managed bindings");
    format!("{file}: valid, {flows}, {bindings}\n")
}
