//! Parts of messages about files.

use std::borrow::Cow;
use std::fmt::{self, Display};

use crate::diagnostic::secrets::masked;
use crate::diagnostic::{Code, Diagnostic, Span, clipped};

/// What a message is about.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    /// The file.
    File,
    /// Value of a key.
    Key(&'a str),
    /// Item of the list at a key.
    ItemOf(&'a str),
    /// Key itself.
    NameOf(&'a str),
}

impl<'a> From<&'a str> for Subject<'a> {
    fn from(key: &'a str) -> Self {
        Self::Key(key)
    }
}

impl Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("the file"),
            Self::Key(key) => write!(f, "`{}`", truncate(key)),
            Self::ItemOf(key) => write!(f, "an item of `{}`", truncate(key)),
            Self::NameOf(key) => write!(f, "the key `{}`", truncate(key)),
        }
    }
}

/// Shortens a text of the file to 80 characters, for a message. The text may be long, and the excerpt shows
/// it anyway. Secrets are masked before, because the end of a query alone does not look like one.
pub(super) fn truncate(text: &str) -> Cow<'_, str> {
    match masked(text) {
        Cow::Borrowed(text) => clipped(text, 80),
        Cow::Owned(text) => clipped(&text, 80).into_owned().into(),
    }
}

/// Creates an error with its location and a hint.
pub(super) fn error(
    code: Code,
    message: impl Into<String>,
    span: &Span,
    hint: impl Into<String>,
) -> Diagnostic {
    Diagnostic::error(code, message).at(span).hint(hint)
}

/// Returns the error for a missing key.
pub(super) fn missing(name: &str, span: &Span, example: &str) -> Diagnostic {
    error(Code::MissingKey, format!("missing key `{name}`"), span, format!("add `{name}: {example}`"))
}

/// Returns the error for a second `name`, with the location of the first.
pub(super) fn duplicate_error(name: &str, second: &Span, first: &Span) -> Diagnostic {
    let hint = format!("keep one of them (first: line {})", first.position().line);
    error(Code::DuplicateKey, format!("`{}` is listed twice", truncate(name)), second, hint)
}

/// Returns line numbers as text, at most five of them.
pub(super) fn join_lines(lines: &[usize]) -> String {
    let shown: Vec<_> = lines.iter().take(5).map(usize::to_string).collect();
    match (shown.as_slice(), lines.len().saturating_sub(shown.len())) {
        ([line], _) => format!("line {line}"),
        ([others @ .., last], 0) => format!("lines {} and {last}", others.join(", ")),
        (_, more) => format!("lines {} and {more} more", shown.join(", ")),
    }
}

/// Returns the names in backticks, separated by commas.
pub(super) fn join_quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Returns the names in backticks, with `or` before the last.
pub(super) fn join_with_or(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, [])) => format!("`{last}`"),
        Some((last, others)) => format!("{} or `{last}`", join_quoted(others)),
        None => String::new(),
    }
}
