//! Texts with a name, and locations in them.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Name of the text of stdin, which `-` selects on the command line.
pub const STDIN: &str = "<stdin>";

/// Text with a name, usually a file.
pub struct Source {
    name: String,
    text: String,
    /// Index of line starts, built on first use: most files have no problems.
    lines: OnceLock<Vec<LineStart>>,
    /// Text from which this one was edited.
    original: Option<Original>,
}

/// Text of a file, and how another text differs from it.
struct Original {
    source: Arc<Source>,
    /// Ranges of the edits in the edited and in the original text, in their order.
    edits: Vec<(Range<usize>, Range<usize>)>,
}

/// Replacement of a range of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// New text.
    pub text: String,
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
    position: Position,
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
        Arc::new(Self { name: name.into(), text: text.into(), lines: OnceLock::new(), original: None })
    }

    /// Returns a text with edits. An edit that overlaps one before is left out. Problems in the edited text are
    /// reported at their location in this text.
    pub fn edited(self: &Arc<Self>, mut edits: Vec<Edit>) -> Arc<Self> {
        edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
        let (mut text, mut end) = (String::with_capacity(self.text.len()), 0);
        let mut ranges = Vec::with_capacity(edits.len());
        for Edit { range, text: new } in edits {
            let kept = self.text.get(end..range.start).filter(|_| self.text.is_char_boundary(range.end));
            let Some(kept) = kept else { continue };
            text.push_str(kept);
            let start = text.len();
            text.push_str(&new);
            end = range.end;
            ranges.push((start..text.len(), range));
        }
        text.push_str(self.text.get(end..).unwrap_or_default());
        let original = Some(Original { source: Arc::clone(self), edits: ranges });
        Arc::new(Self { name: self.name.clone(), text, lines: OnceLock::new(), original })
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
        let after = lines.partition_point(|entry| entry.position <= position);
        let Some(entry) = after.checked_sub(1).and_then(|at| lines.get(at)) else {
            return 0;
        };
        let rest = self.text.get(entry.offset..).unwrap_or_default();
        let line = rest.split(['\n', '\r']).next().unwrap_or_default();
        let is_in_line = entry.position.line == position.line;
        let skip =
            if is_in_line { position.column.saturating_sub(entry.position.column) } else { usize::MAX };
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
        let Position { line, column } = entry.position;
        Position { line, column: column.saturating_add(between.chars().count()) }
    }
}

/// Returns the offset, line and column of each line start. Lines end at `\n`, `\r\n` or a lone `\r`, as in
/// YAML 1.2. Long lines get additional entries, so that the search for a column is fast on a line of
/// megabytes.
fn line_starts(text: &str) -> Vec<LineStart> {
    const MAX_GAP: usize = 4096;
    let mut position = Position { line: 1, column: 1 };
    let mut entries = vec![LineStart { offset: 0, position }];
    let mut last = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((offset, char)) = chars.next() {
        let next = offset.saturating_add(char.len_utf8());
        let ends_line = char == '\n' || (char == '\r' && chars.peek().is_none_or(|(_, next)| *next != '\n'));
        if ends_line {
            position = Position { line: position.line.saturating_add(1), column: 1 };
        } else {
            position.column = position.column.saturating_add(1);
        }
        if ends_line || next.saturating_sub(last) >= MAX_GAP {
            last = next;
            entries.push(LineStart { offset: next, position });
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

    /// Returns the span of the text from which the source was edited, or this span if it was not.
    #[must_use]
    pub fn in_original(&self) -> Self {
        let Some(Original { source, edits }) = &self.source.original else { return self.clone() };
        let to_original = |offset: usize| {
            let after = edits.partition_point(|(edited, _)| edited.start <= offset);
            match after.checked_sub(1).and_then(|before| edits.get(before)) {
                None => offset,
                Some((edited, original)) if offset < edited.end => original.start,
                Some((edited, original)) => original.end.saturating_add(offset.saturating_sub(edited.end)),
            }
        };
        source.span(to_original(self.start)..to_original(self.end))
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
    fn span_of_an_edited_text_is_reported_in_the_original() {
        let source = Source::new("f", "a:b\nc{{d}}e\n");
        let edit = |range, text: &str| Edit { range, text: text.to_owned() };
        let edited = source.edited(vec![edit(5..10, "null"), edit(2..2, " "), edit(7..8, "overlap")]);
        assert_eq!(edited.text(), "a: b\ncnulle\n");
        for (part, original) in [("a", "a"), ("b\nc", "b\nc"), ("null", "{{d}}"), ("e\n", "e\n")] {
            let start = edited.text().find(part).unwrap();
            assert_eq!(edited.span(start..start + part.len()).in_original().text(), original);
        }
    }

    #[test]
    fn span_out_of_range_or_inside_a_character_is_moved_within() {
        let source = Source::new("f", "é");
        assert_eq!(source.span(1..9).range(), 0..2);
        assert_eq!(source.span(7..9).range(), 2..2);
    }
}
