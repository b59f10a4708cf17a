//! Renders a comparison of two files.

use super::escape;
use super::markdown::{Layout, Section, beginning, page};
use super::names::name_only;
use super::prose::code;
use super::text::STRONG;
use super::wording::{pluralize, push_line};
use crate::compare::{Comparison, Difference, Origin};

/// Renders both files, then each difference in three lines, so that names never run into one another, then the number
/// of differences.
pub fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    for (side, Origin { file, tenant }) in sides(comparison) {
        push_line(&mut text, format_args!("{side}: {} ({})", escape::text(file), escape::text(tenant)));
    }
    text.push('\n');
    for Difference { flow, step, a, b } in &comparison.differences {
        let flow = escape::text(flow.as_str());
        let (a, b) = (name_only(a.as_deref()), name_only(b.as_deref()));
        push_line(&mut text, format_args!("  {STRONG}{flow} {step}{STRONG:#}\n    a: {a}\n    b: {b}\n"));
    }
    push_line(&mut text, format_args!("{STRONG}{}.{STRONG:#}", count(comparison, "No")));
    text
}

/// Renders a Markdown comment of at most `limit` bytes. It begins with an invisible marker of its kind.
pub(super) fn markdown(comparison: &Comparison, limit: usize) -> String {
    let line = |(side, Origin { file, tenant }): (_, &Origin)| {
        format!("\n{side}: {} ({})\n", code(file), code(tenant))
    };
    let value = |name: Option<&str>| match name {
        None => "nothing".to_owned(),
        name => code(&name_only(name)),
    };
    let layout = Layout { names_tenants: false };
    let rows = comparison.differences.iter().map(|Difference { flow, step, a, b }| {
        let (flow, step) = (code(flow.as_str()), step.name().to_owned());
        layout.row("", &[flow, step, value(a.as_deref()), value(b.as_deref())])
    });
    let rows = Section::new(layout.table_head(&["Flow", "Step", "a", "b"]), rows.collect(), "differences");
    let title = format!("compare: {}", count(comparison, "no"));
    let lines = sides(comparison).map(line).to_vec();
    page(&beginning("compare", &title, None, lines), &[rows], "", limit)
}

fn sides(Comparison { a, b, .. }: &Comparison) -> [(&'static str, &Origin); 2] {
    [("a", a), ("b", b)]
}

fn count(comparison: &Comparison, none: &str) -> String {
    match comparison.differences.len() {
        0 => format!("{none} differences"),
        number => pluralize(number, "difference", "differences"),
    }
}
