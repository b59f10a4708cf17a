//! `explain`: prints the explanation of the id of a problem.

use clap::Args;
use strum::VariantArray as _;

use super::values;
use crate::diagnostic::{Code, Diagnostic, Suggester};
use crate::exit::Exit;
use crate::manual::{explanation, list_of_problems};
use crate::output;
use crate::run::CommandError;
use crate::terminal;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Id as in `error[ID]`; without it, all ids are listed
    #[arg(value_parser = values::ProblemId, hide_possible_values = true)]
    id: Option<String>,
}

pub(super) fn run(args: &ExplainArgs) -> Result<Exit, CommandError> {
    let text = match args.id.as_deref() {
        None => list_of_problems(),
        Some(id) => explanation(id.parse().map_err(|_| unknown(id))?),
    };
    terminal::print(&text).map_err(output::stdout_error)?;
    Ok(Exit::Done)
}

/// Returns the usage error of an unknown id, with similar ids as a hint.
fn unknown(id: &str) -> Diagnostic {
    let problem = Diagnostic::error(Code::Usage, format!("unknown id `{id}`"));
    let ids = Code::VARIANTS.iter().map(|code| code.id());
    Suggester::default().suggest(problem, id, ids).hint("run `flowbind explain` to list all ids")
}
