//! What went wrong, where, and what to do next, as a value.
//!
//! Owns [`Diagnostic`], the places it points to ([`Source`], [`Span`]), and what it suggests and
//! repeats of what was written.
//! Knows nothing of terminals: `render::diagnostic` draws it.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// One problem, with its place, its causes and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the run can go on.
    pub severity: Severity,
    /// What happened: lower case, no full stop, the subject in backticks.
    pub what: String,
    /// The place in a file, where there is one.
    pub span: Option<Span>,
    /// What led to it, nearest cause first.
    pub causes: Vec<String>,
    /// What to do next.
    pub hints: Vec<String>,
}

/// How much a [`Diagnostic`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The run fails.
    Error,
    /// The run goes on.
    Warning,
}

impl Diagnostic {
    /// Makes an error without a place.
    pub fn error(what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            what: what.into(),
            span: None,
            causes: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Makes a warning without a place.
    pub fn warning(what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(what) }
    }

    /// Gives the place that the problem is at.
    #[must_use]
    pub fn at(mut self, span: &Span) -> Self {
        self.span = Some(span.clone());
        self
    }

    /// Adds a cause, further away than those before it.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds something to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds `did you mean …` where there are any `names`.
    #[must_use]
    pub fn did_you_mean(self, names: impl IntoIterator<Item = impl fmt::Display>) -> Self {
        let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
        if names.is_empty() { self } else { self.hint(format!("did you mean {}?", names.join(" or "))) }
    }
}

/// Suggests what was meant, as long as that costs little: looking through all candidates for each of
/// thousands of problems would take minutes.
#[derive(Debug)]
pub struct Suggester {
    /// How many pairs of characters may still be compared.
    left: Cell<usize>,
}

impl Default for Suggester {
    fn default() -> Self {
        Self { left: Cell::new(200_000_000) }
    }
}

impl Suggester {
    /// Adds `did you mean …` where `candidates` hold something near `word`.
    pub fn suggest<'a>(
        &self,
        problem: Diagnostic,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Diagnostic {
        problem.did_you_mean(self.nearest(word, candidates))
    }

    /// The candidates nearest to `word`, at most three, a difference of case first.
    pub fn nearest<'a>(&self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let left = self.left.get();
        if left == 0 || word.len() > LONGEST {
            return Vec::new();
        }
        let candidates: Vec<_> =
            candidates.into_iter().filter(|candidate| candidate.len() <= LONGEST).collect();
        let cost = |cost: usize, it: &&str| cost.saturating_add(word.len().max(1).saturating_mul(it.len()));
        let cost = candidates.iter().fold(candidates.len(), cost);
        self.left.set(left.saturating_sub(cost));
        if cost > left { Vec::new() } else { nearest(word, candidates) }
    }
}

/// The longest name that is compared, in bytes: no sensible one is longer.
const LONGEST: usize = 256;

fn nearest<'a>(word: &str, mut candidates: Vec<&'a str>) -> Vec<&'a str> {
    candidates.sort_unstable();
    candidates.dedup();
    let folded = word.to_lowercase();
    let same_but_case: Vec<_> =
        candidates.iter().copied().filter(|candidate| candidate.to_lowercase() == folded).take(3).collect();
    if !same_but_case.is_empty() {
        return same_but_case;
    }
    similar::get_close_matches(word, &candidates, 3, 0.6)
}

/// The beginning and the end of a text of more than `most` characters, with a mark for what is left out
/// between. Ids stand at the end, those of a request and of its answer too.
pub fn clipped(text: &str, most: usize) -> Cow<'_, str> {
    let count = text.chars().count();
    if count <= most {
        return Cow::Borrowed(text);
    }
    let last = most.saturating_mul(2) / 5;
    let start = |of: usize| text.char_indices().nth(of).map_or(text.len(), |(at, _)| at);
    let (beginning, end) = (start(most.saturating_sub(last)), start(count.saturating_sub(last)));
    let (beginning, end) = (text.get(..beginning), text.get(end..));
    Cow::Owned(format!("{}…{}", beginning.unwrap_or_default(), end.unwrap_or_default()))
}

/// A text with a name.
pub struct Source {
    name: String,
    text: String,
    /// Where its lines begin, once somebody asks: most files have nothing to be pointed at.
    landmarks: OnceLock<Vec<Landmark>>,
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.text) == (&other.name, &other.text)
    }
}

impl Eq for Source {}

/// A byte offset whose line and column are known.
struct Landmark {
    offset: usize,
    line: usize,
    column: usize,
}

/// A line and a column, both from 1; columns count Unicode characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in Unicode characters, from 1.
    pub column: usize,
}

impl Source {
    /// Takes a text without a byte order mark and the name to show for it.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into(), landmarks: OnceLock::new() })
    }

    /// The name that was given, usually a path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A place in this text; out of range or inside a character is moved to the nearest place within.
    pub fn span(self: &Arc<Self>, range: Range<usize>) -> Span {
        let start = self.text.floor_char_boundary(range.start);
        let end = self.text.floor_char_boundary(range.end).max(start);
        Span { source: Arc::clone(self), start, end }
    }

    /// The byte offset of a position, or of the nearest place before it that exists.
    pub fn offset(&self, position: Position) -> usize {
        let landmarks = self.landmarks();
        let after =
            landmarks.partition_point(|mark| (mark.line, mark.column) <= (position.line, position.column));
        let Some(mark) = after.checked_sub(1).and_then(|at| landmarks.get(at)) else {
            return 0;
        };
        let rest = self.text.get(mark.offset..).unwrap_or_default();
        let line = rest.split(['\n', '\r']).next().unwrap_or_default();
        let skip =
            if mark.line == position.line { position.column.saturating_sub(mark.column) } else { usize::MAX };
        let within = line.char_indices().nth(skip).map_or(line.len(), |(at, _)| at);
        mark.offset.saturating_add(within)
    }

    fn landmarks(&self) -> &[Landmark] {
        self.landmarks.get_or_init(|| landmarks(&self.text))
    }

    fn position(&self, offset: usize) -> Position {
        let landmarks = self.landmarks();
        let after = landmarks.partition_point(|mark| mark.offset <= offset);
        let Some(mark) = after.checked_sub(1).and_then(|at| landmarks.get(at)) else {
            return Position { line: 1, column: 1 };
        };
        let between = self.text.get(mark.offset..offset).unwrap_or_default();
        Position { line: mark.line, column: mark.column.saturating_add(between.chars().count()) }
    }
}

/// Lines end at `\n`, `\r\n` or a lone `\r`, as in YAML 1.2. Long lines get landmarks within, so
/// that finding a column stays cheap on a line of megabytes.
fn landmarks(text: &str) -> Vec<Landmark> {
    const APART: usize = 4096;
    let mut marks = vec![Landmark { offset: 0, line: 1, column: 1 }];
    let (mut line, mut column, mut last) = (1_usize, 1_usize, 0);
    let mut chars = text.char_indices().peekable();
    while let Some((offset, char)) = chars.next() {
        let next = offset.saturating_add(char.len_utf8());
        let ends_line = char == '\n' || (char == '\r' && chars.peek().is_none_or(|(_, next)| *next != '\n'));
        if ends_line {
            (line, column) = (line.saturating_add(1), 1);
        } else {
            column = column.saturating_add(1);
        }
        if ends_line || next.saturating_sub(last) >= APART {
            last = next;
            marks.push(Landmark { offset: next, line, column });
        }
    }
    marks
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?}, {} bytes)", self.name, self.text.len())
    }
}

/// A piece of a [`Source`].
#[derive(Clone, PartialEq, Eq)]
pub struct Span {
    source: Arc<Source>,
    start: usize,
    end: usize,
}

impl Span {
    /// The text that it is a piece of.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Its bytes in the source.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The text that it covers.
    pub fn text(&self) -> &str {
        self.source.text.get(self.range()).unwrap_or_default()
    }

    /// Where it starts.
    pub fn position(&self) -> Position {
        self.source.position(self.start)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Span {
    /// Writes `file:line:column`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position();
        write!(f, "{}:{line}:{column}", self.source.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_every_kind_of_line_end_ends_a_line() {
        let source = Source::new("f", "é1\r\n漢2\rx3\n4");
        let at = |needle: &str| {
            let start = source.text().find(needle).unwrap();
            let Position { line, column } = source.span(start..start + 1).position();
            (line, column)
        };
        assert_eq!(at("1"), (1, 2));
        assert_eq!(at("2"), (2, 2));
        assert_eq!(at("3"), (3, 2));
        assert_eq!(at("4"), (4, 1));
    }

    #[test]
    fn a_position_and_its_offset_are_each_others_inverse_on_long_lines_too() {
        let source = Source::new("f", format!("a\n{}\nb", "é".repeat(10_000)));
        for offset in [0, 2, 4, 9_000, 16_000, 20_000, 20_003] {
            let position = source.span(offset..offset).position();
            assert_eq!(source.offset(position), offset, "{position:?}");
        }
        assert_eq!(source.offset(Position { line: 1, column: 99 }), 1);
        assert_eq!(source.offset(Position { line: 99, column: 1 }), source.text().len());
    }

    #[test]
    fn a_span_out_of_range_or_inside_a_character_is_moved_within() {
        let source = Source::new("f", "é");
        assert_eq!(source.span(1..9).range(), 0..2);
        assert_eq!(source.span(7..9).range(), 2..2);
    }

    #[test]
    fn a_difference_of_case_is_nearer_than_any_other() {
        let names = ["Fraud check", "fraud checks", "Enricher"];
        let nearest = |word, names| Suggester::default().nearest(word, names);
        assert_eq!(nearest("fraud check", names), ["Fraud check"]);
        assert_eq!(nearest("Frod check", names)[0], "Fraud check");
        assert!(nearest("zzz", names).is_empty());
    }

    #[test]
    fn a_text_is_clipped_between_characters() {
        assert_eq!(clipped("éèê", 3), "éèê");
        assert_eq!(clipped("éèê", 2), "éè…");
        assert_eq!(clipped("éèêëe", 4), "éèê…e");
        let id = "(00000000-0000-4000-8000-000000000001)";
        assert!(clipped(&format!("{} {id}", "é".repeat(400)), 300).ends_with(id));
    }

    #[test]
    fn suggestions_end_with_the_work_that_they_may_cost() {
        let suggester = Suggester::default();
        let names: Vec<_> = (0..2_000).map(|name| format!("{}{name}", "abcdefghij".repeat(20))).collect();
        let word = "abcdefghji".repeat(20);
        let find = |word: &str| suggester.nearest(word, names.iter().map(String::as_str)).len();
        assert_eq!((find(&word), find(&word), find(&word), find("abc")), (3, 3, 0, 0));
    }
}
