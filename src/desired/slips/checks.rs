//! Checks of lines for slips, each of which is a guess with its repair.

use std::ops::Range;

use super::super::message::truncate;
use super::line::{Level, Line, entry, shift, unquoted};
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

/// Slip in a line, as its check found it.
pub(super) struct Found {
    pub(super) message: String,
    pub(super) hint: String,
    /// Byte offset in the text.
    pub(super) at: usize,
    pub(super) length: usize,
    pub(super) edits: Vec<Edit>,
    /// Bytes for which the repair is a guess.
    pub(super) guessed: Range<usize>,
}

pub(super) type Check = fn(&[Line<'_>], usize) -> Vec<Found>;

/// Checks of a line and the lines around it. Each is a guess, which `explain` verifies.
pub(super) const CHECKS: [Check; 14] = [
    unusual_indent,
    foreign_comment,
    missing_spaces,
    missing_colon,
    wide_colon,
    unclosed_quote,
    flow_with_step,
    template,
    unclosed_bracket,
    list_of_entries,
    misplaced_level,
    steps_below_value,
    too_deep,
    unknown_level,
];

impl Found {
    /// Creates the slip of the content of a line.
    fn new(line: &Line<'_>, message: String, hint: String, edits: Vec<Edit>) -> Self {
        Self { message, hint, at: line.content_start(), length: line.content.len(), edits, guessed: 0..0 }
    }
}

/// Creates the edit that inserts a text.
fn insert(at: usize, text: impl Into<String>) -> Edit {
    Edit { range: at..at, text: text.into() }
}

/// Finds indentation by other characters than spaces. Lines that follow one another are one slip.
fn unusual_indent(lines: &[Line<'_>], index: usize) -> Vec<Found> {
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
        Some(Found {
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

/// Finds comments of JSON with comments.
fn foreign_comment(lines: &[Line<'_>], index: usize) -> Vec<Found> {
    let found = || {
        let line = lines.get(index)?;
        let start = ["//", "/*"].into_iter().find(|start| line.content.starts_with(start))?;
        let at = line.content_start();
        let edit = Edit { range: at..at.saturating_add(2), text: "# ".to_owned() };
        let message = format!("`{start}` does not begin a comment");
        Some(Found::new(line, message, "begin each line of a comment with `#`".to_owned(), vec![edit]))
    };
    found().into_iter().collect()
}

/// Finds keys without a space after their colon: at the beginning of a line, and in `{…}`.
fn missing_spaces(lines: &[Line<'_>], index: usize) -> Vec<Found> {
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
        let is_key =
            !key.is_empty() && key.chars().all(|char| char.is_ascii_alphanumeric() || "-_".contains(char));
        if !is_key || (is_nested && !NESTED_KEYS.contains(&key) && key.parse::<Step>().is_err()) {
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
        Some(Found { message, hint, at, length, edits, guessed: 0..0 })
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
fn missing_colon(lines: &[Line<'_>], index: usize) -> Vec<Found> {
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
        let end = line.content_start().saturating_add(line.content.len());
        let range = end.saturating_sub(value.len())..end.saturating_sub(meant.len());
        Some(Found::new(line, message, hint, vec![Edit { range, text: ":".to_owned() }]))
    };
    found().into_iter().collect()
}

/// Finds keys before a full-width colon.
fn wide_colon(lines: &[Line<'_>], index: usize) -> Vec<Found> {
    let found = || {
        let line = lines.get(index)?;
        let (key, value) = line.content.split_once(WIDE_COLON)?;
        if !key.chars().all(|char| char.is_ascii_alphanumeric() || "-_".contains(char)) {
            return None;
        }
        let meant = if value.is_empty() { format!("{key}:") } else { format!("{key}: {}", value.trim()) };
        let message = format!("`{WIDE_COLON}` after `{}` is not a colon", truncate(key));
        let at = line.content_start().saturating_add(key.len());
        let edit = Edit { range: at..at.saturating_add(WIDE_COLON.len_utf8()), text: ": ".to_owned() };
        Some(Found::new(line, message, format!("write `{}`", truncate(&meant)), vec![edit]))
    };
    found().into_iter().collect()
}

/// Finds a value whose quote the line opens and does not close.
fn unclosed_quote(lines: &[Line<'_>], index: usize) -> Vec<Found> {
    let found = || {
        let line = lines.get(index)?;
        let (key, value) = line.entry()?;
        let quote = value.chars().next().filter(|char| matches!(char, '"' | '\''))?;
        let is_end = lines.get(index.saturating_add(1)).is_none_or(|next| next.depth() <= line.depth());
        if !is_end || value.matches(quote).count() != 1 {
            return None;
        }
        let end = line.content_start().saturating_add(line.content.len());
        let at = end.saturating_sub(value.len());
        let message = format!("missing closing `{quote}`");
        let hint = format!("write `{}`", truncate(&format!("{key}: {value}{quote}")));
        let edits = vec![insert(end, quote)];
        Some(Found { message, hint, at, length: value.len(), edits, guessed: 0..0 })
    };
    found().into_iter().collect()
}

/// Finds a step in the line of its flow.
fn flow_with_step(lines: &[Line<'_>], index: usize) -> Vec<Found> {
    let found = || {
        let line = lines.get(index)?;
        let (flow, rest) = line.content.split_once(':')?;
        let (step, value) = rest.trim_start().split_once(':')?;
        if FlowId::parse(flow).is_err() || step.parse::<Step>().is_err() {
            return None;
        }
        let text = format!("{flow}: {{{step}: {}}}", value.trim());
        let start = line.content_start();
        let message = format!("`{step}` is in the line of its flow");
        let hint = format!("write `{}`, or `{step}:` in a line of its own", truncate(&text));
        let before_step = start.saturating_add(flow.len()).saturating_add(1);
        let rest = value.len().saturating_add(step.len()).saturating_add(1);
        let step_start = start.saturating_add(line.content.len().saturating_sub(rest));
        let value_start = start.saturating_add(line.content.len().saturating_sub(value.len()));
        let end = start.saturating_add(line.content.len());
        let edits = vec![
            Edit { range: before_step..step_start, text: " {".to_owned() },
            Edit { range: value_start..value_start, text: " ".to_owned() },
            Edit { range: end..end, text: "}".to_owned() },
        ];
        Some(Found::new(line, message, hint, edits))
    };
    found().into_iter().collect()
}

/// Finds the variable of a template as a value, which YAML reads as a mapping.
fn template(lines: &[Line<'_>], index: usize) -> Vec<Found> {
    let found = || {
        let line = lines.get(index)?;
        let open = line.content.find("{{")?;
        let length = line.content.get(open..)?.find("}}")?.saturating_add(2);
        let at = line.content_start().saturating_add(open);
        let text = line.content.get(open..open.saturating_add(length))?;
        let message = format!("`{}` is a variable, not a value", truncate(text));
        let edits = vec![Edit { range: at..at.saturating_add(length), text: "null".to_owned() }];
        Some(Found {
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
fn unclosed_bracket(lines: &[Line<'_>], index: usize) -> Vec<Found> {
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
        let end = |line: &Line<'_>| line.content_start().saturating_add(line.content.len());
        let is_block = |line: &Line<'_>| line.entry().is_some() && !line.content.ends_with(',');
        let message = format!("missing closing `{missing}`");
        let (hint, edit) = match (below.first(), below.last()) {
            (Some(first), _) if is_block(first) => {
                let without = line.content.trim_end_matches(['[', '{', ' ']);
                let range = end(line).saturating_sub(1)..end(line);
                (format!("write `{}`", truncate(without)), Edit { range, text: String::new() })
            }
            (_, Some(last)) => {
                (format!("add `{missing}` after `{}`", truncate(last.content)), insert(end(last), missing))
            }
            _ => {
                let closed = format!("write `{}`", truncate(&format!("{}{missing}", line.content)));
                let is_last = line.content.ends_with(['[', '{']);
                let hint = if is_last { format!("{closed}, or remove the bracket") } else { closed };
                (hint, insert(end(line), missing))
            }
        };
        let at = line.content_start().saturating_add(at);
        Some(Found { guessed: at..at.saturating_add(1), ..Found::new(line, message, hint, vec![edit]) })
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

/// Finds keys that are the items of a list. All items of a list are one slip.
fn list_of_entries(lines: &[Line<'_>], index: usize) -> Vec<Found> {
    let found = || {
        let line = lines.get(index)?;
        let item =
            |line: &Line<'_>| line.content.strip_prefix("- ").and_then(|item| entry(item.trim())).is_some();
        let before = lines.get(..index)?.iter().rev();
        let previous = before
            .take_while(|other| other.depth() >= line.depth() && !other.key().is_empty() || item(other));
        let mut previous = previous.filter(|other| other.depth() == line.depth());
        if !item(line) || previous.next().is_some_and(item) {
            return None;
        }
        let parent =
            lines.get(..index)?.iter().rev().find(|other| !item(other) && other.depth() <= line.depth())?;
        let items =
            lines.get(index..)?.iter().take_while(|other| other.depth() > line.depth() || item(other));
        let edits = items.filter(|other| other.depth() == line.depth()).map(|item| {
            let at = item.content_start();
            Edit { range: at..at.saturating_add(1), text: " ".to_owned() }
        });
        let message = format!("`{}` is a list, not a mapping", truncate(parent.key()));
        let meant = line.content.strip_prefix('-')?.trim();
        Some(Found::new(
            line,
            message,
            format!("remove each `-`: write `{}`", truncate(meant)),
            edits.collect(),
        ))
    };
    found().into_iter().collect()
}

/// Finds flows and steps at the level of the file, and keys of a binding at the level of their step.
fn misplaced_level(lines: &[Line<'_>], index: usize) -> Vec<Found> {
    let found = || {
        let line = lines.get(index)?;
        let level = line.level();
        let is_parent = |other: &&Line<'_>| match level {
            Level::Flow => line.depth() == 0 && other.key() == "flows",
            Level::Step => line.depth() == 0 && other.level() == Level::Flow && other.depth() > 0,
            Level::Binding => other.level() == Level::Step && other.depth() == line.depth(),
            Level::Other => false,
        };
        let before = lines.get(..index)?;
        let is_same = |other: &Line<'_>| other.level() == level && other.depth() == line.depth();
        let previous = before.iter().rev().find(|other| other.depth() <= line.depth());
        if previous.is_some_and(is_same) {
            return None;
        }
        let parent = before.iter().rev().find(|other| !is_same(other)).filter(is_parent);
        let parent = parent.filter(|parent| parent.entry().is_some_and(|(_, value)| value.is_empty()))?;
        let what = match level {
            Level::Flow => "is a flow, not a key of the file",
            Level::Step => "is a step, not a key of the file",
            Level::Binding | Level::Other => "is a key of a binding, not of a flow",
        };
        let more = parent.depth().saturating_add(2).saturating_sub(line.depth());
        let message = format!("`{}` {what}", truncate(line.key()));
        let hint = format!("indent `{}` below `{}:`", truncate(line.content), truncate(parent.key()));
        Some(Found::new(line, message, hint, shift(lines, index, more, is_same)))
    };
    found().into_iter().collect()
}

/// Finds steps below a flow with a value such as `{}`.
fn steps_below_value(lines: &[Line<'_>], index: usize) -> Vec<Found> {
    let found = || {
        let line = lines.get(index)?;
        let next = lines.get(index.saturating_add(1))?;
        let (key, value) = line.entry()?;
        if line.level() != Level::Flow
            || next.level() != Level::Step
            || next.depth() <= line.depth()
            || value.is_empty()
        {
            return None;
        }
        let end = line.content_start().saturating_add(line.content.len());
        let message = format!("`{}` has a value in its line, and steps below", truncate(key));
        let hint = format!("write `{}:` without `{}`", truncate(key), truncate(value));
        let range = end.saturating_sub(value.len())..end;
        Some(Found::new(line, message, hint, vec![Edit { range, text: String::new() }]))
    };
    found().into_iter().collect()
}

/// Finds a line that is indented deeper than the line before, which has a value.
fn too_deep(lines: &[Line<'_>], index: usize) -> Vec<Found> {
    let found = || {
        let line = lines.get(index)?;
        let before = lines.get(index.checked_sub(1)?)?;
        let (_, value) = before.entry()?;
        let key = truncate(line.key());
        if value.is_empty()
            || line.depth() <= before.depth()
            || key.is_empty()
            || line.level() != before.level()
        {
            return None;
        }
        let depth = before.depth();
        let message = format!(
            "`{key}` is indented deeper than `{}`, which already has a value",
            truncate(before.key())
        );
        let hint = format!("indent `{key}` by {depth} spaces, like `{}`", truncate(before.key()));
        let more = line.depth().saturating_sub(depth);
        let same = lines.get(index..)?.iter().take_while(|other| other.depth() >= line.depth());
        let edits =
            same.map(|line| Edit { range: line.start..line.start.saturating_add(more), text: String::new() });
        Some(Found::new(line, message, hint, edits.collect()))
    };
    found().into_iter().collect()
}

/// Finds a line that is indented less than the lines before, but not like any line that it could continue.
fn unknown_level(lines: &[Line<'_>], index: usize) -> Vec<Found> {
    let found = || {
        let line = lines.get(index)?;
        let before = lines.get(..index)?;
        let deeper = before.iter().rev().take_while(|other| other.depth() > line.depth());
        let is_known =
            before.iter().rev().find(|other| other.depth() <= line.depth())?.depth() == line.depth();
        let sibling =
            deeper.filter(|other| other.level() == line.level()).min_by_key(|other| other.depth())?;
        if is_known {
            return None;
        }
        let more = sibling.depth().saturating_sub(line.depth());
        let key = truncate(line.key());
        let message = format!("`{key}` is indented less than `{}`", truncate(sibling.key()));
        let hint =
            format!("indent `{key}` by {} spaces, like `{}`", sibling.depth(), truncate(sibling.key()));
        Some(Found::new(line, message, hint, shift(lines, index, more, |_| false)))
    };
    found().into_iter().collect()
}
