//! Slips in the layout of a file, such as a missing space after a colon: finds them in the lines of an invalid text,
//! and repairs them in a copy. A slip is reported only if its repair removes problems, so that a wrong guess changes
//! nothing. The copy is parsed for the problems elsewhere, and never used as a valid file.

use std::cmp::Reverse;
use std::sync::Arc;

use super::files::ParseResult;
use super::message::{error, truncate};
use crate::diagnostic::{Code, Diagnostic, Edit, Source};
use crate::model::{FlowId, Step, describe, is_invisible};

/// Limit of the bytes that are parsed to try repairs.
const MAX_TRIED: usize = 4 << 20;

/// Limit of the slips in a file.
const MAX_SLIPS: usize = 16;

/// Keys below steps, connectors and other keys of the file.
const NESTED_KEYS: [&str; 13] = [
    "connector", "protect", "hold", "bind", "until", "reason", "displayName", "id", "targetUrl", "plan", "apply",
    "maxChanges", "maxDisables",
];

/// Likely slip.
struct Slip {
    problem: Diagnostic,
    /// Repair.
    edits: Vec<Edit>,
}

/// Line that is neither blank nor a comment.
struct Line<'t> {
    /// Byte offset of the line.
    start: usize,
    /// Characters before the content.
    indent: &'t str,
    /// Line without indentation, comment, and blanks at the end.
    content: &'t str,
}

/// Replaces the problems of an invalid file by its slips and the problems that are left without them. `parse` returns
/// the file and the problems of a text.
pub(super) fn explain(
    source: &Arc<Source>,
    invalid: ParseResult,
    parse: impl Fn(&Arc<Source>) -> ParseResult,
) -> ParseResult {
    let mut slips = find(source);
    slips.truncate(MAX_SLIPS.min(MAX_TRIED / source.text().len().max(1)));
    let repaired = |slips: &[Slip], left_out: Option<usize>| {
        let slips = slips.iter().enumerate().filter(|(index, _)| Some(*index) != left_out);
        let edits: Vec<_> = slips.flat_map(|(_, slip)| slip.edits.iter().cloned()).collect();
        let (file, mut problems) = parse(&source.edited(edits));
        problems.retain(|problem| !problem.span().is_some_and(|span| is_replaced(span.text())));
        (file, problems)
    };
    let mut best = repaired(&slips, None);
    // From the end, because a syntax error hides all problems below it.
    for index in (0..slips.len()).rev() {
        let without = repaired(&slips, Some(index));
        if badness(&without) <= badness(&best) {
            slips.remove(index);
            best = without;
        }
    }
    if slips.is_empty() || badness(&best) >= badness(&invalid) {
        return invalid;
    }
    let (file, problems) = best;
    (file, slips.into_iter().map(|slip| slip.problem).chain(problems).collect())
}

/// Slip in a line, as its check found it.
struct Found {
    message: String,
    hint: String,
    /// Byte offset in the text.
    at: usize,
    length: usize,
    edits: Vec<Edit>,
}

type Check = fn(&[Line<'_>], usize) -> Vec<Found>;

/// Checks of a line and the lines around it. Each is a guess, which `explain` verifies.
const CHECKS: [Check; 8] = [
    unusual_indent, missing_spaces, flow_with_step, template, unclosed_bracket, list_of_entries, misplaced_level,
    unknown_level,
];

/// Returns how far a text is from a valid one: a text that is not YAML is worse the earlier its error is, and any other
/// by the number of its problems.
fn badness((file, problems): &ParseResult) -> (bool, Reverse<usize>, usize) {
    let first = problems.iter().filter_map(|problem| problem.span()).map(|span| span.range().start).min();
    let readable_to = if file.is_none() { first.unwrap_or_default() } else { 0 };
    (file.is_none(), Reverse(readable_to), problems.len())
}

/// Returns whether a problem is in a template, for which a repaired text has `null`.
fn is_replaced(text: &str) -> bool {
    text.starts_with("{{")
}

/// Returns the likely slips of a text, in its order.
fn find(source: &Arc<Source>) -> Vec<Slip> {
    let lines = lines(source.text());
    let mut slips = Vec::new();
    for index in 0..lines.len() {
        let found = CHECKS.iter().flat_map(|check| check(&lines, index));
        slips.extend(found.map(|Found { message, hint, at, length, edits }| {
            let span = source.span(at..at.saturating_add(length));
            Slip { problem: error(Code::InvalidYaml, message, &span, hint), edits }
        }));
    }
    slips
}

impl<'t> Line<'t> {
    /// Returns the byte offset of the content.
    fn content_start(&self) -> usize {
        self.start.saturating_add(self.indent.len())
    }

    /// Returns the number of characters before the content.
    fn depth(&self) -> usize {
        self.indent.chars().count()
    }

    /// Returns the key and the value, which may be empty; `None` for a line without a key.
    fn entry(&self) -> Option<(&'t str, &'t str)> {
        entry(self.content)
    }

    fn key(&self) -> &'t str {
        self.entry().map_or("", |(key, _)| key)
    }

    fn level(&self) -> Level {
        match self.key() {
            "" => Level::Other,
            "connector" | "protect" | "hold" => Level::Binding,
            key if key.parse::<Step>().is_ok() => Level::Step,
            key if FlowId::parse(key).is_ok() => Level::Flow,
            _ => Level::Other,
        }
    }

    /// Creates the slip of the content.
    fn found(&self, message: String, hint: String, edits: Vec<Edit>) -> Found {
        Found { message, hint, at: self.content_start(), length: self.content.len(), edits }
    }
}

/// What a key can be at one place only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Flow,
    Step,
    Binding,
    Other,
}

fn entry(content: &str) -> Option<(&str, &str)> {
    if let Some(key) = content.strip_suffix(':').filter(|key| !key.contains(": ")) {
        return Some((key, ""));
    }
    content.split_once(": ").map(|(key, value)| (key, value.trim()))
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut start = 0_usize;
    let mut lines = Vec::new();
    for line in text.split_inclusive(['\n', '\r']) {
        let trimmed = line.trim_start_matches(|char: char| char == ' ' || (!"\t\r\n".contains(char) && is_invisible(char)));
        let indent = line.get(..line.len().saturating_sub(trimmed.len())).unwrap_or_default();
        let content = trimmed.split(" #").next().unwrap_or_default().trim_end();
        if !content.is_empty() && !content.starts_with('#') {
            lines.push(Line { start, indent, content });
        }
        start = start.saturating_add(line.len());
    }
    lines
}

/// Finds indentation by other characters than spaces.
fn unusual_indent(lines: &[Line<'_>], index: usize) -> Vec<Found> {
    let Some(line) = lines.get(index) else { return Vec::new() };
    let Some(char) = line.indent.chars().find(|char| *char != ' ') else { return Vec::new() };
    let spaces = " ".repeat(line.depth());
    let range = line.start..line.content_start();
    vec![Found {
        message: format!("the line is indented with {}", describe(char)),
        hint: format!("indent `{}` with {} spaces", truncate(line.content), line.depth()),
        at: line.start,
        length: line.indent.len(),
        edits: vec![Edit { range, text: spaces }],
    }]
}

/// Finds keys without a space after their colon: at the beginning of a line, and in `{…}`.
fn missing_spaces(lines: &[Line<'_>], index: usize) -> Vec<Found> {
    let Some(line) = lines.get(index) else { return Vec::new() };
    let content = line.content.strip_prefix("- ").unwrap_or(line.content);
    let first = line.content.len().saturating_sub(content.len());
    let inner = unquoted(content).filter(|(_, char)| matches!(char, '{' | ',')).map(|(at, _)| at.saturating_add(1));
    let starts = std::iter::once(0).chain(inner);
    let found = starts.filter_map(|start| {
        let rest = content.get(start..)?;
        let blanks = rest.len().saturating_sub(rest.trim_start().len());
        let (key, value) = rest.trim_start().split_once(':')?;
        let is_nested = start > 0;
        let is_key = !key.is_empty() && key.chars().all(|char| char.is_ascii_alphanumeric() || "-_".contains(char));
        if !is_key || (is_nested && !NESTED_KEYS.contains(&key) && key.parse::<Step>().is_err()) {
            return None;
        }
        let end = unquoted(value).find(|(_, char)| is_nested && matches!(char, ',' | '}')).map(|(at, _)| at);
        let value = value.get(..end.unwrap_or(value.len()))?;
        if value.is_empty() || value.starts_with([' ', '\t', '/']) || value.contains(": ") {
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
        Some(Found { message, hint, at, length, edits: vec![Edit { range, text: " ".to_owned() }] })
    });
    found.collect()
}

/// Returns an entry for a message. An address may contain a key, so it is not repeated.
fn masked_entry(key: &str, colon: &str, value: &str) -> String {
    let value = if value.contains("://") { "https://…" } else { value };
    truncate(&format!("{key}{colon}{value}")).into_owned()
}

/// Returns the characters outside of quotes with their offsets.
fn unquoted(text: &str) -> impl Iterator<Item = (usize, char)> {
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
        let step_start = start.saturating_add(line.content.len().saturating_sub(value.len() + step.len() + 1));
        let value_start = start.saturating_add(line.content.len().saturating_sub(value.len()));
        let end = start.saturating_add(line.content.len());
        let edits = vec![
            Edit { range: before_step..step_start, text: " {".to_owned() },
            Edit { range: value_start..value_start, text: " ".to_owned() },
            Edit { range: end..end, text: "}".to_owned() },
        ];
        Some(line.found(message, hint, edits))
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
        let message = format!("`{}` is a variable, which flowbind does not expand", truncate(text));
        let edits = vec![Edit { range: at..at.saturating_add(length), text: "null".to_owned() }];
        Some(Found { message, hint: "write the value itself".to_owned(), at, length, edits })
    };
    found().into_iter().collect()
}

/// Finds a bracket that the line opens and neither it nor the next line closes.
fn unclosed_bracket(lines: &[Line<'_>], index: usize) -> Vec<Found> {
    let found = || {
        let line = lines.get(index)?;
        let is_end = lines.get(index.saturating_add(1)).is_none_or(|next| next.depth() <= line.depth());
        let mut open = Vec::new();
        for (_, char) in unquoted(line.content) {
            match char {
                '{' => open.push('}'),
                '[' => open.push(']'),
                '}' | ']' if open.last() == Some(&char) => _ = open.pop(),
                _ => {}
            }
        }
        if open.is_empty() || !is_end {
            return None;
        }
        let missing: String = open.into_iter().rev().collect();
        let message = format!("missing closing `{missing}`");
        let hint = format!("write `{}`", truncate(&format!("{}{missing}", line.content)));
        let end = line.content_start().saturating_add(line.content.len());
        Some(line.found(message, hint, vec![Edit { range: end..end, text: missing }]))
    };
    found().into_iter().collect()
}

/// Finds keys that are the items of a list. All items of a list are one slip.
fn list_of_entries(lines: &[Line<'_>], index: usize) -> Vec<Found> {
    let found = || {
        let line = lines.get(index)?;
        let item = |line: &Line<'_>| line.content.strip_prefix("- ").and_then(|item| entry(item.trim())).is_some();
        let before = lines.get(..index)?.iter().rev();
        let previous = before.take_while(|other| other.depth() >= line.depth() && !other.key().is_empty() || item(other));
        let mut previous = previous.filter(|other| other.depth() == line.depth());
        if !item(line) || previous.next().is_some_and(item) {
            return None;
        }
        let parent = lines.get(..index)?.iter().rev().find(|other| !item(other) && other.depth() <= line.depth())?;
        let items = lines.get(index..)?.iter().take_while(|other| other.depth() > line.depth() || item(other));
        let edits = items.filter(|other| other.depth() == line.depth()).map(|item| {
            let at = item.content_start();
            Edit { range: at..at.saturating_add(1), text: " ".to_owned() }
        });
        let message = format!("`{}` is a list, not a mapping", truncate(parent.key()));
        let meant = line.content.strip_prefix('-')?.trim();
        Some(line.found(message, format!("remove each `-`: write `{}`", truncate(meant)), edits.collect()))
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
        let parent = before.iter().rev().find(|other| !is_same(other)).filter(is_parent);
        let parent = parent.filter(|parent| parent.entry().is_some_and(|(_, value)| value.is_empty()))?;
        if previous.is_some_and(is_same) {
            return None;
        }
        let what = match level {
            Level::Flow => "is a flow, not a key of the file",
            Level::Step => "is a step, not a key of the file",
            Level::Binding | Level::Other => "is a key of a binding, not of a flow",
        };
        let more = parent.depth().saturating_add(2).saturating_sub(line.depth());
        let message = format!("`{}` {what}", truncate(line.key()));
        let hint = format!("indent `{}` below `{}:`", truncate(line.content), truncate(parent.key()));
        Some(line.found(message, hint, shift(lines, index, more, is_same)))
    };
    found().into_iter().collect()
}

/// Returns the edits that indent a line, and the lines that belong to it or come after it and are `similar`.
fn shift(lines: &[Line<'_>], index: usize, by: usize, similar: impl Fn(&Line<'_>) -> bool) -> Vec<Edit> {
    let Some((line, after)) = lines.get(index..).and_then(<[_]>::split_first) else { return Vec::new() };
    let below = after.iter().take_while(|other| other.depth() > line.depth() || similar(other));
    let to_edit = |line: &Line<'_>| Edit { range: line.start..line.start, text: " ".repeat(by) };
    std::iter::once(line).chain(below).map(to_edit).collect()
}

/// Finds a line that is indented less than the lines before, but not like any line that it could continue.
fn unknown_level(lines: &[Line<'_>], index: usize) -> Vec<Found> {
    let found = || {
        let line = lines.get(index)?;
        let before = lines.get(..index)?;
        let deeper = before.iter().rev().take_while(|other| other.depth() > line.depth());
        let is_known = before.iter().rev().find(|other| other.depth() <= line.depth())?.depth() == line.depth();
        let sibling = deeper.filter(|other| other.level() == line.level()).min_by_key(|other| other.depth())?;
        if is_known {
            return None;
        }
        let more = sibling.depth().saturating_sub(line.depth());
        let key = truncate(line.key());
        let message = format!("`{key}` is indented less than `{}`", truncate(sibling.key()));
        let hint = format!("indent `{key}` by {} spaces, like `{}`", sibling.depth(), truncate(sibling.key()));
        Some(line.found(message, hint, shift(lines, index, more, |_| false)))
    };
    found().into_iter().collect()
}
