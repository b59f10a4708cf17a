//! Common mistakes in YAML, in terms that users know.

use std::sync::Arc;

use super::message::truncate;
use crate::diagnostic::secrets::masked;
use crate::diagnostic::{Source, Span};

/// Mistake in YAML.
pub(super) struct Mistake {
    pub(super) what: String,
    pub(super) hint: String,
}

impl Mistake {
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

/// Returns what is wrong with another line than that of the error, and its location: a conflict of git, or a tab at
/// which the value of the line before is cut off.
pub(super) fn mistake_in_line(source: &Arc<Source>, span: &Span, what: &str) -> Option<(Mistake, Span)> {
    let mut start = 0_usize;
    for line in source.text().split_inclusive('\n') {
        let end = start.saturating_add(line.len());
        if line.starts_with("<<<<<<< ") {
            let hint = "resolve the conflict, and remove the lines that begin with `<<<<<<<`, `=======` and `>>>>>>>`";
            return Some((
                Mistake::new("unresolved merge conflict", hint),
                source.span(start..start.saturating_add(7)),
            ));
        }
        let blanks = line.trim_start_matches(' ');
        if what.ends_with("found a tab") && start > span.range().start && blanks.starts_with('\t') {
            let at = end.saturating_sub(blanks.len());
            let span = source.span(at..at.saturating_add(1));
            let what = format!("line {} is indented with a tab", span.position().line);
            return Some((Mistake::new(what, "indent with spaces"), span));
        }
        start = end;
    }
    None
}

/// Returns what is wrong and a hint if the error is a common mistake in YAML; otherwise `None`. `what` is the
/// message of the parser, whose terms few users know.
pub(super) fn common_mistake(source: &Source, span: &Span, what: &str) -> Option<Mistake> {
    let (before, after) = source.text().split_at_checked(span.range().start)?;
    let start = before.rfind(['\n', '\r']).map_or(0, |at| at.saturating_add(1));
    let in_line = before.get(start..)?;
    let number = span.position().line;
    if what.contains("tabs disallowed") && in_line.trim_start_matches(' ').starts_with('\t') {
        return Some(Mistake::new(format!("line {number} is indented with a tab"), "indent with spaces"));
    }
    if let Some(char) = what.strip_prefix("unexpected character: `").and_then(|it| it.strip_suffix('\'')) {
        let hint = match char {
            "@" | "%" | "`" => "put the value in quotes",
            _ => "put the value in double quotes, and write the character as an escape such as `\\u0007`",
        };
        return Some(Mistake::new(format!("unexpected character `{char}`"), hint));
    }
    if what == "unclosed quote" {
        let quote = after.chars().next().filter(|char| matches!(char, '"' | '\''))?;
        let hint = format!("add `{quote}` at the end of the value");
        return Some(Mistake::new(format!("missing closing `{quote}`"), hint));
    }
    for (part, hint) in [
        ("block scalar", "put the value in quotes"),
        ("block sequence entries are not allowed", "put the value in quotes"),
        ("mapping keys are not allowed", "put the value in quotes"),
        ("unknown escape character", "write `\\\\` for a backslash, or put the value in single quotes"),
        (
            "trailing content after single-quoted",
            "write `''` for a quote in the value, and end the line after it",
        ),
        (
            "trailing content after double-quoted",
            "write `\\\"` for a quote in the value, and end the line after it",
        ),
        ("did not find expected ',' or", "put `,` between the entries of a bracket, and close each bracket"),
        ("implicit flow mapping", "put one `,` between the entries of a bracket, and close each bracket"),
        ("':' may not precede", "put a space after the `:`"),
        ("misplaced bracket", "remove the bracket, or put the value in quotes"),
        ("mismatched bracket", "close each bracket with its own kind"),
        ("unclosed bracket", "close the bracket after its last entry"),
        ("expected <document start>", "indent all keys of the file alike"),
    ] {
        if what.contains(part) {
            return Some(Mistake::new(what, hint));
        }
    }
    if what != "mapping values are not allowed in this context" || in_line.trim_start().starts_with('-') {
        return None;
    }
    let (_, value) = in_line.split_once(": ")?;
    let rest = after.split(['\n', '\r']).next().unwrap_or_default();
    let (line, value) = (format!("{in_line}{rest}"), format!("{value}{rest}"));
    // An address may contain a key, so it is not repeated.
    let is_plain = !value.contains(['"', '\'', '\\', '#']) && !value.contains("://") && masked(&line) == line;
    let quoted = if is_plain { format!(": `\"{}\"`", truncate(value.trim())) } else { String::new() };
    Some(Mistake::new("a value with `: ` is not in quotes", format!("put the value in quotes{quoted}")))
}
