//! Problems as values: id, message, location, causes and hints.
//!
//! Owns [`Diagnostic`], the text locations it points to ([`Source`], [`Span`]), the registry of ids
//! ([`Code`]) and name suggestions. It does not print: `render::diagnostic` does.

pub mod code;
pub mod secrets;

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

pub use code::Code;
use strum::IntoStaticStr;

/// One problem, with its location, its causes and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Effect on the run.
    pub severity: Severity,
    /// Stable id.
    pub code: Code,
    /// What failed: lower case, no full stop, values in backticks.
    pub message: String,
    /// Location in a file, if the problem has one. Boxed, because problems are returned as errors.
    pub location: Option<Box<Location>>,
    /// Causes, nearest first.
    pub causes: Vec<String>,
    /// Facts that help to find the cause, such as request ids.
    pub notes: Vec<String>,
    /// What to do next, one imperative sentence each.
    pub hints: Vec<String>,
}

/// Effect of a [`Diagnostic`] on the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// The run fails.
    Error,
    /// A guard blocks the plan.
    Blocked,
    /// The run continues.
    Warning,
}

impl Severity {
    /// Returns the word in front of the message.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Location of a problem: in a loaded text, or as a saved file records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Span of a loaded text.
    Span(Span),
    /// File, line and column, without the text.
    Position(SourceLocation),
}

impl Location {
    /// Returns file, line and column.
    pub fn position(&self) -> SourceLocation {
        match self {
            Self::Span(span) => span.into(),
            Self::Position(position) => position.clone(),
        }
    }
}

/// File, line and column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceLocation {
    /// Name of the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in Unicode characters, from 1.
    pub column: usize,
}

impl From<&Span> for SourceLocation {
    fn from(span: &Span) -> Self {
        let Position { line, column } = span.position();
        Self { file: span.source().name().to_owned(), line, column }
    }
}

impl fmt::Display for SourceLocation {
    /// Writes `file:line:column`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Diagnostic {
    fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            location: None,
            causes: Vec::new(),
            notes: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Creates an error without a location.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// Creates a blocker without a location.
    pub fn blocked(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Blocked, code, message)
    }

    /// Creates a warning without a location.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// Sets the location to a span.
    #[must_use]
    pub fn at(mut self, span: &Span) -> Self {
        self.location = Some(Box::new(Location::Span(span.clone())));
        self
    }

    /// Adds a cause. The nearest cause is added first.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds a fact that helps to find the cause.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds the hint ``did you mean `a` or `b`?`` with all `names`; none if there are no names.
    #[must_use]
    pub fn did_you_mean(self, names: impl IntoIterator<Item = impl fmt::Display>) -> Self {
        let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
        if names.is_empty() { self } else { self.hint(format!("did you mean {}?", names.join(" or "))) }
    }

    /// Returns the span of the location; `None` without a location or if the text is not loaded.
    pub fn span(&self) -> Option<&Span> {
        match self.location.as_deref() {
            Some(Location::Span(span)) => Some(span),
            Some(Location::Position(_)) | None => None,
        }
    }

    /// Returns the message and its causes in one line, joined by `: `.
    pub fn summary(&self) -> String {
        let parts = std::iter::once(&self.message).chain(&self.causes).map(String::as_str);
        parts.collect::<Vec<_>>().join(": ")
    }
}

/// Suggests similar names. Its work is limited, because comparing all candidates for each of thousands of
/// problems would take minutes.
#[derive(Debug)]
pub struct Suggester {
    /// Number of pairs of characters that may still be compared.
    budget: Cell<usize>,
}

impl Default for Suggester {
    fn default() -> Self {
        Self { budget: Cell::new(200_000_000) }
    }
}

impl Suggester {
    /// Adds a hint `did you mean …` with the candidates that [`Self::nearest`] returns; none if it returns
    /// none.
    pub fn suggest<'a>(
        &self,
        problem: Diagnostic,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Diagnostic {
        problem.did_you_mean(self.nearest(word, candidates))
    }

    /// Returns the candidates nearest to `word`, at most three. If some differ from it only in case, returns
    /// only these. Empty if none is similar or the limit of the work is reached. Names of more than 256 bytes
    /// are not compared.
    pub fn nearest<'a>(&self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let budget = self.budget.get();
        if budget == 0 || word.len() > MAX_NAME_LENGTH {
            return Vec::new();
        }
        let candidates: Vec<_> =
            candidates.into_iter().filter(|candidate| candidate.len() <= MAX_NAME_LENGTH).collect();
        let cost = |cost: usize, it: &&str| cost.saturating_add(word.len().max(1).saturating_mul(it.len()));
        let cost = candidates.iter().fold(candidates.len(), cost);
        self.budget.set(budget.saturating_sub(cost));
        if cost > budget { Vec::new() } else { nearest(word, candidates) }
    }
}

/// Length in bytes above which names are not compared.
const MAX_NAME_LENGTH: usize = 256;

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

/// Shortens a text of more than `max` characters to `max` characters from its beginning and its end, with `…`
/// between. The end is kept, because request ids are there.
pub fn clipped(text: &str, max: usize) -> Cow<'_, str> {
    let count = text.chars().count();
    if count <= max {
        return Cow::Borrowed(text);
    }
    let last = max.saturating_mul(2) / 5;
    let start = |of: usize| text.char_indices().nth(of).map_or(text.len(), |(at, _)| at);
    let (beginning, end) = (start(max.saturating_sub(last)), start(count.saturating_sub(last)));
    let (beginning, end) = (text.get(..beginning), text.get(end..));
    Cow::Owned(format!("{}…{}", beginning.unwrap_or_default(), end.unwrap_or_default()))
}

/// Text with a name, usually a file.
pub struct Source {
    name: String,
    text: String,
    /// Index of line starts, built on first use: most files have no problems.
    lines: OnceLock<Vec<LineStart>>,
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.text) == (&other.name, &other.text)
    }
}

impl Eq for Source {}

/// Byte offset whose line and column are known.
struct LineStart {
    offset: usize,
    line: usize,
    column: usize,
}

/// Line and column, both from 1; columns count Unicode characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in Unicode characters, from 1.
    pub column: usize,
}

impl Source {
    /// Creates a source from its name and a text, which must not begin with a byte order mark.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into(), lines: OnceLock::new() })
    }

    /// Returns the name, usually a path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the complete text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns a span of this text. An offset out of range or inside a character moves to the nearest valid one.
    pub fn span(self: &Arc<Self>, range: Range<usize>) -> Span {
        let start = self.text.floor_char_boundary(range.start);
        let end = self.text.floor_char_boundary(range.end).max(start);
        Span { source: Arc::clone(self), start, end }
    }

    /// Returns the byte offset of a position, or of the nearest valid position before it.
    pub fn offset(&self, position: Position) -> usize {
        let lines = self.line_starts();
        let after =
            lines.partition_point(|entry| (entry.line, entry.column) <= (position.line, position.column));
        let Some(entry) = after.checked_sub(1).and_then(|at| lines.get(at)) else {
            return 0;
        };
        let rest = self.text.get(entry.offset..).unwrap_or_default();
        let line = rest.split(['\n', '\r']).next().unwrap_or_default();
        let skip = if entry.line == position.line {
            position.column.saturating_sub(entry.column)
        } else {
            usize::MAX
        };
        let within = line.char_indices().nth(skip).map_or(line.len(), |(at, _)| at);
        entry.offset.saturating_add(within)
    }

    fn line_starts(&self) -> &[LineStart] {
        self.lines.get_or_init(|| line_starts(&self.text))
    }

    fn position(&self, offset: usize) -> Position {
        let lines = self.line_starts();
        let after = lines.partition_point(|entry| entry.offset <= offset);
        let Some(entry) = after.checked_sub(1).and_then(|at| lines.get(at)) else {
            return Position { line: 1, column: 1 };
        };
        let between = self.text.get(entry.offset..offset).unwrap_or_default();
        Position { line: entry.line, column: entry.column.saturating_add(between.chars().count()) }
    }
}

/// Returns the offset, line and column of each line start. Lines end at `\n`, `\r\n` or a lone `\r`, as in
/// YAML 1.2. Long lines get additional entries, so that the search for a column is fast on a line of
/// megabytes.
fn line_starts(text: &str) -> Vec<LineStart> {
    const MAX_GAP: usize = 4096;
    let mut entries = vec![LineStart { offset: 0, line: 1, column: 1 }];
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
        if ends_line || next.saturating_sub(last) >= MAX_GAP {
            last = next;
            entries.push(LineStart { offset: next, line, column });
        }
    }
    entries
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?}, {} bytes)", self.name, self.text.len())
    }
}

/// Range of a [`Source`].
#[derive(Clone, PartialEq, Eq)]
pub struct Span {
    source: Arc<Source>,
    start: usize,
    end: usize,
}

impl Span {
    /// Returns the source.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Returns the byte range in the source.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Returns the covered text.
    pub fn text(&self) -> &str {
        self.source.text.get(self.range()).unwrap_or_default()
    }

    /// Returns the position of the start.
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
    fn position_with_any_line_end_counts_lines_and_characters() {
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
    fn offset_on_a_long_line_is_the_inverse_of_position() {
        let source = Source::new("f", format!("a\n{}\nb", "é".repeat(10_000)));
        for offset in [0, 2, 4, 9_000, 16_000, 20_000, 20_003] {
            let position = source.span(offset..offset).position();
            assert_eq!(source.offset(position), offset, "{position:?}");
        }
        assert_eq!(source.offset(Position { line: 1, column: 99 }), 1);
        assert_eq!(source.offset(Position { line: 99, column: 1 }), source.text().len());
    }

    #[test]
    fn span_out_of_range_or_inside_a_character_is_moved_within() {
        let source = Source::new("f", "é");
        assert_eq!(source.span(1..9).range(), 0..2);
        assert_eq!(source.span(7..9).range(), 2..2);
    }

    #[test]
    fn nearest_with_a_difference_of_case_returns_it_alone() {
        let names = ["Fraud check", "fraud checks", "Enricher"];
        let nearest = |word, names| Suggester::default().nearest(word, names);
        assert_eq!(nearest("fraud check", names), ["Fraud check"]);
        assert_eq!(nearest("Frod check", names)[0], "Fraud check");
        assert!(nearest("zzz", names).is_empty());
    }

    #[test]
    fn clipped_with_multi_byte_text_cuts_between_characters() {
        assert_eq!(clipped("éèê", 3), "éèê");
        assert_eq!(clipped("éèê", 2), "éè…");
        assert_eq!(clipped("éèêëe", 4), "éèê…e");
        let id = "(00000000-0000-4000-8000-000000000001)";
        assert!(clipped(&format!("{} {id}", "é".repeat(400)), 300).ends_with(id));
    }

    #[test]
    fn nearest_beyond_its_budget_returns_nothing() {
        let suggester = Suggester::default();
        let names: Vec<_> = (0..2_000).map(|name| format!("{}{name}", "abcdefghij".repeat(20))).collect();
        let word = "abcdefghji".repeat(20);
        let find = |word: &str| suggester.nearest(word, names.iter().map(String::as_str)).len();
        assert_eq!((find(&word), find(&word), find(&word), find("abc")), (3, 3, 0, 0));
    }
}
