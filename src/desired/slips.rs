//! Slips in the layout of a file, such as a missing space after a colon: finds them in the lines of an invalid text,
//! and repairs them in a copy. A slip is reported only if its repair removes problems, so that a wrong guess changes
//! nothing. The copy is parsed for the problems elsewhere, and never used as a valid file.

mod candidate;
mod characters;
mod levels;
mod line;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

use super::message::error;
use super::schema::File;
use crate::diagnostic::{Code, Diagnostic, Edit, Source};
use candidate::{Candidate, Check};
use characters::{
    foreign_comment, missing_colon, missing_spaces, template, unclosed_bracket, unclosed_quote,
    unusual_indent, wide_colon,
};
use levels::{flow_with_step, list_of_entries, misplaced_level, steps_below_value, too_deep, unknown_level};
use line::lines;

/// Limit of the bytes that are parsed to try repairs.
const MAX_TRIED: usize = 4 << 20;

/// Limit of the slips in a file.
const MAX_SLIPS: usize = 16;

/// Checks of a line and the lines around it. Each is a guess, which `explain` verifies.
const CHECKS: [Check; 14] = [
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

/// Keys of one file without its bases, and its problems.
pub(super) type ParseResult = (Option<File>, Vec<Diagnostic>);

/// Likely slip.
struct Slip {
    problem: Diagnostic,
    /// Repair.
    edits: Vec<Edit>,
    /// Bytes for which the repair is a guess. Problems that begin there are left out.
    guessed: Range<usize>,
}

/// Replaces the problems of an invalid file by its slips and the problems that are left without them. `parse` returns
/// the file and the problems of a text.
pub(super) fn explain(
    source: &Arc<Source>,
    invalid: ParseResult,
    parse: impl Fn(&Arc<Source>) -> ParseResult,
) -> ParseResult {
    // A file of another format has no slips.
    if invalid.0.is_none() && invalid.1.iter().any(|problem| problem.code == Code::UnknownKey) {
        return invalid;
    }
    let limit = MAX_SLIPS.min(MAX_TRIED.checked_div(source.text().len()).unwrap_or(MAX_SLIPS));
    if limit == 0 {
        return invalid;
    }
    let mut slips = find(source, limit);
    if slips.is_empty() {
        return invalid;
    }
    let repaired = |slips: &[Slip], left_out: Option<usize>| {
        let slips = slips.iter().enumerate().filter(|(index, _)| Some(*index) != left_out);
        let slips: Vec<_> = slips.map(|(_, slip)| slip).collect();
        let edits = slips.iter().flat_map(|slip| slip.edits.iter().cloned()).collect();
        let (file, mut problems) = parse(&source.edited(edits));
        let is_guessed = |start: usize| slips.iter().any(|slip| slip.guessed.contains(&start));
        problems.retain(|problem| !problem.span().is_some_and(|span| is_guessed(span.range().start)));
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
    let (repaired, problems) = best;
    // The keys of a text that is not YAML are a guess, on which no other file may depend.
    let file = invalid.0.and(repaired);
    (file, slips.into_iter().map(|slip| slip.problem).chain(problems).collect())
}

/// Returns how far a text is from a valid one: a text that is not YAML is worse the earlier its error is, and any other
/// by the number of its problems.
fn badness((file, problems): &ParseResult) -> (bool, Reverse<usize>, usize) {
    let first = problems.iter().filter_map(|problem| problem.span()).map(|span| span.range().start).min();
    let readable_to = if file.is_none() { first.unwrap_or_default() } else { 0 };
    (file.is_none(), Reverse(readable_to), problems.len())
}

/// Returns the first likely slips of a text, in its order.
fn find(source: &Arc<Source>, limit: usize) -> Vec<Slip> {
    let lines = lines(source.text());
    let lines = &lines;
    let found = (0..lines.len()).flat_map(|index| CHECKS.iter().flat_map(move |check| check(lines, index)));
    let to_slip = |Candidate { message, hint, at, length, edits, guessed }| {
        let span = source.span(at..at.saturating_add(length));
        Slip { problem: error(Code::InvalidYaml, message, &span, hint), edits, guessed }
    };
    found.map(to_slip).take(limit).collect()
}
