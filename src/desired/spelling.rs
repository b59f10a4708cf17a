//! Names whose text has characters that the author did not intend: line ends of block scalars, blanks, curly quotes.

use std::ops::Range;
use std::sync::Arc;

use super::message::{Subject, error, truncate};
use crate::diagnostic::{Code, Diagnostic, Source};
use crate::model::{describe, trim_blanks};

/// Quotes that YAML does not know. Word processors and chats write them in place of `"` and `'`.
const CURLY_QUOTES: [char; 9] = ['“', '”', '„', '‘', '’', '‚', '«', '»', '‟'];

/// Returns the text that the author of a name likely intended: without blanks around it, and for a plain scalar without
/// curly quotes.
pub(super) fn intended<'t>(text: &'t str, literal: &str) -> &'t str {
    let text = trim_blanks(text);
    let is_curly = literal.starts_with(CURLY_QUOTES) && text.ends_with(CURLY_QUOTES);
    if is_curly { text.trim_matches(CURLY_QUOTES) } else { text }
}

/// Returns the error for a name that is not what its author likely intended; `None` for any other name. `range` is the
/// location of the scalar, which for a block scalar begins at its first line.
pub(super) fn check(
    source: &Arc<Source>,
    text: &str,
    range: &Range<usize>,
    subject: Subject<'_>,
) -> Option<Diagnostic> {
    let span = source.span(range.clone());
    let literal = span.text();
    let name = intended(text, literal);
    if name == text || name.is_empty() {
        return None;
    }
    let value = if is_plain(name) { name.to_owned() } else { format!("\"{name}\"") };
    // An address may contain a key, so it is not repeated.
    let shown = match subject {
        _ if value.contains("://") => "the address".to_owned(),
        Subject::Key(key) => format!("`{}: {}`", truncate(key), truncate(&value)),
        Subject::ItemOf(_) | Subject::NameOf(_) | Subject::File => format!("`{}`", truncate(&value)),
    };
    let before = source.text().get(..range.start).unwrap_or_default().trim_end();
    let header = before.rfind(['|', '>']).filter(|_| !literal.starts_with(['"', '\'', '*']));
    if let Some((at, style)) = header.and_then(|at| Some((at, before.get(at..)?.chars().next()?)))
        && text.ends_with(['\n', ' '])
    {
        let span = source.span(at..at.saturating_add(1));
        let message = format!("{subject} is a block scalar (`{style}`), whose value ends with a line end");
        return Some(error(Code::InvalidValue, message, &span, format!("write {shown} on one line")));
    }
    let (message, hint) = if literal.starts_with(CURLY_QUOTES) {
        let message = format!("curly quotes do not quote, but are part of {subject}");
        (message, format!("write `\"{}\"`", truncate(name)))
    } else {
        let first = text.chars().next().filter(|_| !text.starts_with(name)).map(|char| ("begins", char));
        let (verb, char) = first.or_else(|| text.chars().next_back().map(|char| ("ends", char)))?;
        (format!("{subject} {verb} with {}", describe(char)), format!("write {shown}"))
    };
    Some(error(Code::InvalidValue, message, &span, hint))
}

/// Returns whether a text needs no quotes: it begins with a letter and has only characters without a meaning in YAML.
fn is_plain(text: &str) -> bool {
    text.starts_with(char::is_alphabetic)
        && text.chars().all(|char| char.is_alphanumeric() || " _-./".contains(char))
}
