//! Explanations of problems.

use std::fmt::Write as _;

use anstyle::Style;
use strum::VariantArray as _;

use super::help;
use crate::diagnostic::Code;
use crate::diagnostic::code::{Area, Explanation};

const HEADING: Style = Style::new().bold();

/// Returns the explanation of an id, wrapped to the width of the terminal.
pub fn explanation(code: Code) -> String {
    let Explanation { title, meaning, changed, action } = code.explanation();
    let mut text = format!("{HEADING}{code}: {title}{HEADING:#}\n");
    for (heading, paragraph) in [("Meaning", meaning), ("What was changed", changed), ("What to do", action)]
    {
        _ = write!(text, "\n{HEADING}{heading}{HEADING:#}\n  {paragraph}\n");
    }
    help::wrap(text)
}

/// Returns a line with id and title for each problem, below a heading for each area.
pub fn list_of_problems() -> String {
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
