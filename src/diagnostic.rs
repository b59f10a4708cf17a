//! Problems as values: id, message, location, causes and hints.
//!
//! Owns [`Diagnostic`], the text locations it points to ([`Source`], [`Span`]), the registry of ids
//! ([`Code`]) and name suggestions. It does not print: `render::diagnostic` does.

pub mod code;
pub mod secrets;
mod source;

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use similar::get_close_matches;
use strum::IntoStaticStr;

pub use code::Code;
pub use source::{Edit, Position, STDIN, Source, SourceLocation, Span};

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

    /// Sets the location to a span, or to the same place in the text from which its text was edited.
    #[must_use]
    pub fn at(mut self, span: &Span) -> Self {
        self.location = Some(Box::new(Location::Span(span.in_original())));
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
        let mut candidates: Vec<_> =
            candidates.into_iter().filter(|candidate| candidate.len() <= MAX_NAME_LENGTH).collect();
        let cost = |cost: usize, it: &&str| cost.saturating_add(word.len().max(1).saturating_mul(it.len()));
        let cost = candidates.iter().fold(candidates.len(), cost);
        self.budget.set(budget.saturating_sub(cost));
        if cost > budget {
            return Vec::new();
        }
        candidates.sort_unstable();
        candidates.dedup();
        let folded = word.to_lowercase();
        let same_but_case = candidates.iter().copied().filter(|candidate| candidate.to_lowercase() == folded);
        let same_but_case: Vec<_> = same_but_case.take(3).collect();
        if !same_but_case.is_empty() {
            return same_but_case;
        }
        let close = get_close_matches(word, &candidates, 10, 0.6).into_iter();
        close.filter(|candidate| has_similar_words(word, candidate)).take(3).collect()
    }
}

/// Returns whether each word of a name is similar to the word at its place in the other, if both have as many. `KYC
/// check` and `Fraud check` are different checks, although most of their characters are equal.
fn has_similar_words(one: &str, other: &str) -> bool {
    let words = |name: &str| -> Vec<String> {
        let words = name.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect()
    };
    let (one, other) = (words(one), words(other));
    let is_similar =
        |(one, other): (&String, &String)| !get_close_matches(one.as_str(), &[other], 1, 0.5).is_empty();
    one.len() != other.len() || one.iter().zip(&other).all(is_similar)
}

/// Length in bytes above which names are not compared.
const MAX_NAME_LENGTH: usize = 256;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_with_a_difference_of_case_returns_it_alone() {
        let names = ["Fraud check", "fraud checks", "Enricher"];
        let nearest = |word, names| Suggester::default().nearest(word, names);
        assert_eq!(nearest("fraud check", names), ["Fraud check"]);
        assert_eq!(nearest("Frod check", names)[0], "Fraud check");
        assert!(nearest("zzz", names).is_empty());
        assert!(nearest("KYC check", names).is_empty());
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
