//! Lines of a file as the checks of slips see them, without a parser.

use unicode_width::UnicodeWidthStr as _;

use crate::diagnostic::Edit;
use crate::model::{FlowId, Step, is_invisible};

/// Line that is neither blank nor a comment.
pub(super) struct Line<'t> {
    /// Byte offset of the line.
    pub(super) start: usize,
    /// Characters before the content.
    pub(super) indent: &'t str,
    /// Line without indentation, comment, and blanks at the end.
    pub(super) content: &'t str,
}

impl<'t> Line<'t> {
    /// Returns the byte offset of the content.
    pub(super) fn content_start(&self) -> usize {
        self.start.saturating_add(self.indent.len())
    }

    /// Returns the byte offset after the content.
    pub(super) fn content_end(&self) -> usize {
        self.content_start().saturating_add(self.content.len())
    }

    /// Returns the number of columns before the content.
    pub(super) fn depth(&self) -> usize {
        self.indent.width()
    }

    /// Returns the key and the value, which may be empty; `None` for a line without a key.
    pub(super) fn entry(&self) -> Option<(&'t str, &'t str)> {
        entry(self.content)
    }

    pub(super) fn key(&self) -> &'t str {
        self.entry().map_or("", |(key, _)| key)
    }

    pub(super) fn level(&self) -> Level {
        match self.key() {
            "" => Level::Other,
            "connector" | "protect" | "hold" => Level::Binding,
            key if key.parse::<Step>().is_ok() => Level::Step,
            key if FlowId::parse(key).is_ok() => Level::Flow,
            _ => Level::Other,
        }
    }
}

/// What a key can be at one place only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Flow,
    Step,
    Binding,
    Other,
}

/// Returns whether a text has the form of a key.
pub(super) fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || "-_".contains(char))
}

pub(super) fn entry(content: &str) -> Option<(&str, &str)> {
    if let Some(key) = content.strip_suffix(':').filter(|key| !key.contains(": ")) {
        return Some((key, ""));
    }
    content.split_once(": ").map(|(key, value)| (key, value.trim()))
}

pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut start = 0_usize;
    let mut lines = Vec::new();
    for line in text.split_inclusive(['\n', '\r']) {
        let trimmed = line
            .trim_start_matches(|char: char| char == ' ' || (!"\t\r\n".contains(char) && is_invisible(char)));
        let indent = line.get(..line.len().saturating_sub(trimmed.len())).unwrap_or_default();
        let content = trimmed.split(" #").next().unwrap_or_default().trim_end();
        if !content.is_empty() && !content.starts_with('#') {
            lines.push(Line { start, indent, content });
        }
        start = start.saturating_add(line.len());
    }
    lines
}

/// Returns the characters outside of quotes with their offsets.
pub(super) fn unquoted(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote = None;
    text.char_indices().filter(move |(_, char)| {
        match quote {
            Some(open) if open == *char => quote = None,
            None if matches!(char, '"' | '\'') => quote = Some(*char),
            Some(_) => {}
            None => return true,
        }
        false
    })
}

/// Returns the edits that indent a line, and the lines that belong to it or come after it and are `similar`.
pub(super) fn shift(
    lines: &[Line<'_>],
    index: usize,
    by: usize,
    similar: impl Fn(&Line<'_>) -> bool,
) -> Vec<Edit> {
    let Some((line, after)) = lines.get(index..).and_then(<[_]>::split_first) else { return Vec::new() };
    let below = after.iter().take_while(|other| other.depth() > line.depth() || similar(other));
    let to_edit = |line: &Line<'_>| Edit { range: line.start..line.start, text: " ".repeat(by) };
    std::iter::once(line).chain(below).map(to_edit).collect()
}
