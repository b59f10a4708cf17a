//! Slips in the levels of lines: steps, flows and keys that are not where they belong.

use super::super::message::truncate;
use super::candidate::Candidate;
use super::line::{Level, Line, entry, shift};
use crate::diagnostic::Edit;
use crate::model::{FlowId, Step};

/// Finds a step in the line of its flow.
pub(super) fn flow_with_step(lines: &[Line<'_>], index: usize) -> Vec<Candidate> {
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
        Some(Candidate::new(line, message, hint, edits))
    };
    found().into_iter().collect()
}

/// Finds keys that are the items of a list. All items of a list are one slip.
pub(super) fn list_of_entries(lines: &[Line<'_>], index: usize) -> Vec<Candidate> {
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
        Some(Candidate::new(
            line,
            message,
            format!("remove each `-`: write `{}`", truncate(meant)),
            edits.collect(),
        ))
    };
    found().into_iter().collect()
}

/// Finds flows and steps at the level of the file, and keys of a binding at the level of their step.
pub(super) fn misplaced_level(lines: &[Line<'_>], index: usize) -> Vec<Candidate> {
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
        Some(Candidate::new(line, message, hint, shift(lines, index, more, is_same)))
    };
    found().into_iter().collect()
}

/// Finds steps below a flow with a value such as `{}`.
pub(super) fn steps_below_value(lines: &[Line<'_>], index: usize) -> Vec<Candidate> {
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
        let end = line.content_end();
        let message = format!("`{}` has a value in its line, and steps below", truncate(key));
        let hint = format!("write `{}:` without `{}`", truncate(key), truncate(value));
        let range = end.saturating_sub(value.len())..end;
        Some(Candidate::new(line, message, hint, vec![Edit { range, text: String::new() }]))
    };
    found().into_iter().collect()
}

/// Finds a line that is indented deeper than the line before, which has a value.
pub(super) fn too_deep(lines: &[Line<'_>], index: usize) -> Vec<Candidate> {
    let found = || {
        let line = lines.get(index)?;
        let before = lines.get(index.checked_sub(1)?)?;
        let (_, value) = before.entry()?;
        let key = truncate(line.key());
        if value.is_empty()
            || line.depth() <= before.depth()
            || key.is_empty()
            // The keys of an item of a list.
            || before.content.starts_with("- ")
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
        let edits = same.map(|line| Edit {
            range: line.start..line.content_start(),
            text: " ".repeat(line.depth().saturating_sub(more)),
        });
        Some(Candidate::new(line, message, hint, edits.collect()))
    };
    found().into_iter().collect()
}

/// Finds a line that is indented less than the lines before, but not like any line that it could continue.
pub(super) fn unknown_level(lines: &[Line<'_>], index: usize) -> Vec<Candidate> {
    let found = || {
        let line = lines.get(index)?;
        let before = lines.get(..index)?;
        let deeper = before.iter().rev().take_while(|other| other.depth() > line.depth());
        let is_known =
            before.iter().rev().find(|other| other.depth() <= line.depth())?.depth() == line.depth();
        let sibling =
            deeper.filter(|other| other.level() == line.level()).min_by_key(|other| other.depth())?;
        // Lines without a key are those of a text over several lines.
        if is_known || line.key().is_empty() || sibling.key().is_empty() {
            return None;
        }
        let more = sibling.depth().saturating_sub(line.depth());
        let key = truncate(line.key());
        let message = format!("`{key}` is indented less than `{}`", truncate(sibling.key()));
        let hint =
            format!("indent `{key}` by {} spaces, like `{}`", sibling.depth(), truncate(sibling.key()));
        Some(Candidate::new(line, message, hint, shift(lines, index, more, |_| false)))
    };
    found().into_iter().collect()
}
