//! Slips in the characters of a line: indentation, colons, comments, quotes and brackets.

use super::super::message::truncate;
use super::candidate::{Candidate, insert};
use super::line::{Line, is_key, unquoted};
use crate::diagnostic::Edit;
use crate::model::{FlowId, Step, describe, is_invisible};

/// Lines above this number of bytes are not searched for several slips.
const MAX_LINE: usize = 2_000;

/// Keys below steps, connectors and other keys of the file.
const NESTED_KEYS: [&str; 13] = [
    "connector",
    "protect",
    "hold",
    "bind",
    "until",
    "reason",
    "displayName",
    "id",
    "targetUrl",
    "plan",
    "apply",
    "maxChanges",
    "maxDisables",
];

/// Colon that keyboards for Chinese and Japanese write.
const WIDE_COLON: char = '：';

/// Finds indentation by other characters than spaces. Lines that follow one another are one slip.
pub(super) fn unusual_indent(lines: &[Line<'_>], index: usize) -> Vec<Candidate> {
    let found = || {
        let unusual = |line: &Line<'_>| line.indent.chars().find(|char| *char != ' ');
        let line = lines.get(index)?;
        let char = unusual(line)?;
        if index.checked_sub(1).and_then(|before| unusual(lines.get(before)?)).is_some() {
            return None;
        }
        let same: Vec<_> = lines.get(index..)?.iter().take_while(|line| unusual(line).is_some()).collect();
        let edits = same
            .iter()
            .map(|line| Edit { range: line.start..line.content_start(), text: " ".repeat(line.depth()) });
        let hint = match same.len() {
            1 => format!("indent `{}` with {} spaces", truncate(line.content), line.depth()),
            _ => format!("indent with spaces, here and in the next lines, up to `{}`", last_content(&same)),
        };
        Some(Candidate {
            message: format!("the line is indented with {}", describe(char)),
            hint,
            at: line.start,
            length: line.indent.len(),
            edits: edits.collect(),
            guessed: 0..0,
        })
    };
    found().into_iter().collect()
}

/// Returns the content of the last line.
fn last_content(lines: &[&Line<'_>]) -> String {
    lines.last().map(|line| truncate(line.content).into_owned()).unwrap_or_default()
}

/// Finds comments that begin with `//` or `/*`, as in JSON with comments.
pub(super) fn foreign_comment(lines: &[Line<'_>], index: usize) -> Vec<Candidate> {
    let found = || {
        let line = lines.get(index)?;
        let start = ["//", "/*"].into_iter().find(|start| line.content.starts_with(start))?;
        let at = line.content_start();
        let edit = Edit { range: at..at.saturating_add(2), text: "# ".to_owned() };
        let message = format!("`{start}` does not begin a comment");
        Some(Candidate::new(line, message, "begin each line of a comment with `#`".to_owned(), vec![edit]))
    };
    found().into_iter().collect()
}

/// Finds keys without a space after their colon: at the beginning of a line, and in `{…}`.
pub(super) fn missing_spaces(lines: &[Line<'_>], index: usize) -> Vec<Candidate> {
    let Some(line) = lines.get(index) else { return Vec::new() };
    if line.content.len() > MAX_LINE {
        return Vec::new();
    }
    let content = line.content.strip_prefix("- ").unwrap_or(line.content);
    let first = line.content.len().saturating_sub(content.len());
    let inner =
        unquoted(content).filter(|(_, char)| matches!(char, '{' | ',')).map(|(at, _)| at.saturating_add(1));
    let starts = std::iter::once(0).chain(inner);
    let found = starts.filter_map(|start| {
        let rest = content.get(start..)?;
        let blanks = rest.len().saturating_sub(rest.trim_start().len());
        let (key, value) = rest.trim_start().split_once(':')?;
        let is_nested = start > 0;
        if !is_key(key) || (is_nested && !NESTED_KEYS.contains(&key) && key.parse::<Step>().is_err()) {
            return None;
        }
        let end = unquoted(value).find(|(_, char)| is_nested && matches!(char, ',' | '}')).map(|(at, _)| at);
        let value = value.get(..end.unwrap_or(value.len()))?;
        if value.is_empty() || value.starts_with([' ', '\t', '/']) || is_entry(value) {
            return None;
        }
        let meant = value.trim_matches(is_invisible);
        let blank = value.chars().next().filter(|char| is_invisible(*char));
        let message = match blank {
            Some(char) => format!("`{key}:` is followed by {}, not by a space", describe(char)),
            None => format!("missing space after `:` in `{}`", masked_entry(key, ":", meant)),
        };
        let hint = format!("write `{}`", masked_entry(key, ": ", meant));
        let at = line.content_start().saturating_add(first).saturating_add(start).saturating_add(blanks);
        let colon = at.saturating_add(key.len()).saturating_add(1);
        let length = key.len().saturating_add(1).saturating_add(value.len());
        let range = colon..colon.saturating_add(blank.map_or(0, char::len_utf8));
        let edits = vec![Edit { range, text: " ".to_owned() }];
        Some(Candidate { message, hint, at, length, edits, guessed: 0..0 })
    });
    found.collect()
}

/// Returns whether a value has a key of its own, outside of brackets.
fn is_entry(value: &str) -> bool {
    value.contains(": ") && !value.trim_start_matches(is_invisible).starts_with(['{', '['])
}

/// Returns an entry for a message. An address may contain a key, so it is not repeated.
fn masked_entry(key: &str, colon: &str, value: &str) -> String {
    let value = if value.contains("://") { "https://…" } else { value };
    truncate(&format!("{key}{colon}{value}")).into_owned()
}

/// Finds known keys without a colon.
pub(super) fn missing_colon(lines: &[Line<'_>], index: usize) -> Vec<Candidate> {
    let found = || {
        let line = lines.get(index)?;
        let key = line.content.split(' ').next()?;
        let is_known =
            FlowId::parse(key).is_ok() || key.parse::<Step>().is_ok() || NESTED_KEYS.contains(&key);
        if !is_known || line.content.contains([':', WIDE_COLON]) {
            return None;
        }
        let value = line.content.get(key.len()..)?;
        let meant = value.strip_prefix(" =").unwrap_or(value);
        let message = format!("missing `:` after `{}`", truncate(key));
        let hint = format!("write `{}`", truncate(&format!("{key}:{meant}")));
        let end = line.content_end();
        let range = end.saturating_sub(value.len())..end.saturating_sub(meant.len());
        Some(Candidate::new(line, message, hint, vec![Edit { range, text: ":".to_owned() }]))
    };
    found().into_iter().collect()
}

/// Finds keys before a full-width colon.
pub(super) fn wide_colon(lines: &[Line<'_>], index: usize) -> Vec<Candidate> {
    let found = || {
        let line = lines.get(index)?;
        let (key, value) = line.content.split_once(WIDE_COLON)?;
        if !is_key(key) {
            return None;
        }
        let colon = if value.is_empty() { ":" } else { ": " };
        let hint = format!("write `{}`", masked_entry(key, colon, value.trim()));
        let message = format!("`{WIDE_COLON}` after `{}` is not a colon", truncate(key));
        let at = line.content_start().saturating_add(key.len());
        let edit = Edit { range: at..at.saturating_add(WIDE_COLON.len_utf8()), text: ": ".to_owned() };
        Some(Candidate::new(line, message, hint, vec![edit]))
    };
    found().into_iter().collect()
}

/// Finds a value whose quote the line opens and does not close.
pub(super) fn unclosed_quote(lines: &[Line<'_>], index: usize) -> Vec<Candidate> {
    let found = || {
        let line = lines.get(index)?;
        let (_, value) = line.entry()?;
        let quote = value.chars().next().filter(|char| matches!(char, '"' | '\''))?;
        let is_end = lines.get(index.saturating_add(1)).is_none_or(|next| next.depth() <= line.depth());
        if !is_end || value.matches(quote).count() != 1 {
            return None;
        }
        let end = line.content_end();
        let at = end.saturating_sub(value.len());
        let message = format!("missing closing `{quote}`");
        let hint = format!("add `{quote}` at the end of the value");
        let edits = vec![insert(end, quote)];
        Some(Candidate { message, hint, at, length: value.len(), edits, guessed: 0..0 })
    };
    found().into_iter().collect()
}

/// Finds the variable of a template as a value, which YAML reads as a mapping.
pub(super) fn template(lines: &[Line<'_>], index: usize) -> Vec<Candidate> {
    let found = || {
        let line = lines.get(index)?;
        let open = line.content.find("{{")?;
        let length = line.content.get(open..)?.find("}}")?.saturating_add(2);
        let at = line.content_start().saturating_add(open);
        let text = line.content.get(open..open.saturating_add(length))?;
        let message = format!("`{}` is a variable, not a value", truncate(text));
        let edits = vec![Edit { range: at..at.saturating_add(length), text: "null".to_owned() }];
        Some(Candidate {
            message,
            hint: "write the value itself; flowbind does not expand variables".to_owned(),
            at,
            length,
            edits,
            guessed: at..at.saturating_add(length),
        })
    };
    found().into_iter().collect()
}

/// Finds a bracket that the line opens, and that neither it nor the lines below it close. Only a bracket at the end of
/// its line is continued below.
pub(super) fn unclosed_bracket(lines: &[Line<'_>], index: usize) -> Vec<Candidate> {
    let found = || {
        let line = lines.get(index)?;
        let (at, _) = *open_brackets([line.content]).first()?;
        let is_below = |next: &&Line<'_>| {
            next.depth() > line.depth()
                || next.depth() == line.depth() && next.content.starts_with(['}', ']'])
        };
        let below: Vec<_> = lines.get(index.saturating_add(1)..)?.iter().take_while(is_below).collect();
        if !below.is_empty() && (line.key().is_empty() || !line.content.ends_with(['[', '{'])) {
            return None;
        }
        let contents = std::iter::once(line.content).chain(below.iter().map(|line| line.content));
        let missing: String = open_brackets(contents).into_iter().rev().map(|(_, closing)| closing).collect();
        if missing.is_empty() {
            return None;
        }
        let is_block = |line: &Line<'_>| line.entry().is_some() && !line.content.ends_with(',');
        let message = format!("missing closing `{missing}`");
        let (hint, edit) = match (below.first(), below.last()) {
            (Some(first), _) if is_block(first) => {
                let without = line.content.trim_end_matches(['[', '{', ' ']);
                let range = line.content_end().saturating_sub(1)..line.content_end();
                (format!("write `{}`", truncate(without)), Edit { range, text: String::new() })
            }
            (_, Some(last)) => (
                format!("add `{missing}` after `{}`", truncate(last.content)),
                insert(last.content_end(), missing),
            ),
            _ => {
                let closed = format!("write `{}`", truncate(&format!("{}{missing}", line.content)));
                let is_last = line.content.ends_with(['[', '{']);
                let hint = if is_last { format!("{closed}, or remove the bracket") } else { closed };
                (hint, insert(line.content_end(), missing))
            }
        };
        let at = line.content_start().saturating_add(at);
        Some(Candidate {
            guessed: at..at.saturating_add(1),
            ..Candidate::new(line, message, hint, vec![edit])
        })
    };
    found().into_iter().collect()
}

/// Returns the brackets that lines open and do not close: the offset of each in its line, and what closes it.
fn open_brackets<'t>(contents: impl IntoIterator<Item = &'t str>) -> Vec<(usize, char)> {
    let mut open = Vec::new();
    for (at, char) in contents.into_iter().flat_map(unquoted) {
        match char {
            '{' => open.push((at, '}')),
            '[' => open.push((at, ']')),
            '}' | ']' if open.last().is_some_and(|(_, closing)| *closing == char) => _ = open.pop(),
            _ => {}
        }
    }
    open
}
