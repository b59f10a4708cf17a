//! `explain`: prints the explanation of the id of a problem.

use std::fmt::Write as _;

use anstyle::Style;
use clap::Args;
use strum::VariantArray as _;

use super::exit::Exit;
use super::{help, outputs, values};
use crate::diagnostic::code::{Area, Explanation};
use crate::diagnostic::{Code, Diagnostic, Suggester};
use crate::run::CommandError;
use crate::terminal;

const HEADING: Style = Style::new().bold();

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Id as in `error[ID]`; without it, all ids are listed
    #[arg(value_parser = values::ProblemId, hide_possible_values = true)]
    id: Option<String>,
}

pub(super) fn run(args: &ExplainArgs) -> Result<Exit, CommandError> {
    let text = match args.id.as_deref() {
        None => list(),
        Some(id) => explain(id.parse().map_err(|_| unknown(id))?),
    };
    terminal::print(&text).map_err(outputs::stdout_error)?;
    Ok(Exit::Done)
}

/// Returns the usage error of an unknown id, with similar ids as a hint.
fn unknown(id: &str) -> Diagnostic {
    let problem = Diagnostic::error(Code::Usage, format!("unknown id `{id}`"));
    let ids = Code::VARIANTS.iter().map(|code| code.id());
    Suggester::default().suggest(problem, id, ids).hint("run `flowbind explain` to list all ids")
}

/// Returns the explanation of an id, wrapped to the width of the terminal.
fn explain(code: Code) -> String {
    let Explanation { title, meaning, changed, action } = code.explanation();
    let mut text = format!("{HEADING}{code}: {title}{HEADING:#}\n");
    for (heading, paragraph) in [("Meaning", meaning), ("What was changed", changed), ("What to do", action)]
    {
        _ = write!(text, "\n{HEADING}{heading}{HEADING:#}\n  {paragraph}\n");
    }
    help::wrap(text)
}

/// Returns a line with id and title for each problem, below a heading for each area.
fn list() -> String {
    let width = Code::VARIANTS.iter().map(|code| code.id().len()).max().unwrap_or_default();
    let areas = Area::VARIANTS.iter().map(|area| {
        let mut text = format!("{HEADING}{}{HEADING:#}\n", area.title());
        for code in Code::VARIANTS.iter().filter(|code| code.area() == *area) {
            _ = writeln!(text, "  {:width$}  {}", code.id(), code.explanation().title);
        }
        text
    });
    areas.collect::<Vec<_>>().join("\n")
}
