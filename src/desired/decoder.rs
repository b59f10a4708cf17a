//! How a tree is walked: one problem for each thing that is not as it should be, and on it goes.
//!
//! Knows mappings, keys and types, and nothing of which keys there are.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;

use super::source::{Node, Value};
use crate::diagnostic::{Code, Diagnostic, Source, Span, Suggester, clipped};

/// A value with its place in the file.
#[derive(Clone)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// Collects the problems of one file.
pub(super) struct Decoder<'s> {
    source: &'s Arc<Source>,
    problems: Problems,
}

/// Collects problems.
#[derive(Default)]
pub(super) struct Problems {
    found: Vec<Diagnostic>,
    suggester: Suggester,
}

impl Problems {
    pub(super) fn report(&mut self, problem: Diagnostic) {
        self.found.push(problem);
    }

    /// Adds what is near a word that is not as it should be.
    pub(super) fn suggest<'a>(
        &self,
        problem: Diagnostic,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Diagnostic {
        self.suggester.suggest(problem, word, candidates)
    }

    /// Gives the problems that were found since this was called last.
    pub(super) fn take(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.found)
    }
}

/// A key of a mapping and its value.
pub(super) struct Entry<'n> {
    pub(super) key: Spanned<&'n str>,
    pub(super) value: &'n Node<'n>,
}

/// The entries of a mapping whose keys are ours, each to be taken by name.
pub(super) struct Fields<'n> {
    span: Span,
    entries: Vec<Entry<'n>>,
    known: Vec<&'static str>,
}

impl<'s> Decoder<'s> {
    pub(super) fn new(source: &'s Arc<Source>) -> Self {
        Self { source, problems: Problems::default() }
    }

    /// Gives the problems that were found.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.problems.take()
    }

    /// How many problems were found so far.
    pub(super) fn problem_count(&self) -> usize {
        self.problems.found.len()
    }

    pub(super) fn report(&mut self, problem: Diagnostic) {
        self.problems.report(problem);
    }

    /// Adds what is near a word that is not as it should be.
    pub(super) fn suggest<'a>(
        &self,
        problem: Diagnostic,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Diagnostic {
        self.problems.suggest(problem, word, candidates)
    }

    pub(super) fn span(&self, node: &Node<'_>) -> Span {
        self.source.span(node.range.clone())
    }

    /// What stands in the source.
    pub(super) fn text(&self, range: &Range<usize>) -> &'s str {
        self.source.text().get(range.clone()).unwrap_or_default()
    }

    /// Whether a null was written out. Nothing after a key is one as well for YAML, not for us.
    pub(super) fn is_spelled_null(&self, literal: &Range<usize>) -> bool {
        matches!(self.text(literal), "null" | "Null" | "NULL" | "~")
    }

    /// The text of a string that is not empty, or a problem that says what would be `expected`.
    fn string<'n>(&mut self, node: &'n Node<'n>, key: &str, expected: &str) -> Option<Spanned<&'n str>> {
        let span = self.span(node);
        match &node.value {
            Value::String(text) if text.is_empty() => {
                self.report(
                    Diagnostic::error(Code::InvalidValue, format!("`{}` is empty", truncate(key)))
                        .at(&span)
                        .hint(format!("write {expected}")),
                );
                None
            }
            Value::String(text) => Some(Spanned { value: text, span }),
            _ => {
                self.wrong_type(node, key, "a string", expected);
                None
            }
        }
    }

    /// A name that may be any string, even one that looks like a number.
    pub(super) fn name(&mut self, node: &Node<'_>, key: &str, expected: &str) -> Option<Spanned<String>> {
        let span = self.span(node);
        let expected = match node.value {
            // Where an alias stands, quotes would make it a name.
            Value::Number { .. } | Value::Bool(_) if !span.text().starts_with('*') => {
                &format!("{expected}; a name goes in quotes: \"{}\"", truncate(span.text()))
            }
            _ => expected,
        };
        let Spanned { value, span } = self.string(node, key, expected)?;
        Some(Spanned { value: value.to_owned(), span })
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, node: &Node<'_>, key: &str) -> Option<Spanned<bool>> {
        let Value::Bool(value) = node.value else {
            self.wrong_type(node, key, "a boolean", "`true` or `false`");
            return None;
        };
        Some(Spanned { value, span: self.span(node) })
    }

    /// A whole number from 0.
    pub(super) fn count(&mut self, node: &Node<'_>, key: &str) -> Option<Spanned<u32>> {
        let expected = "a whole number from 0 to 4294967295";
        let Value::Number { literal } = &node.value else {
            self.wrong_type(node, key, "a number", expected);
            return None;
        };
        let text = self.text(literal);
        let count = text.parse().ok();
        if count.is_none() {
            let message = format!("invalid `{key}`: {}", truncate(text));
            let problem = Diagnostic::error(Code::InvalidValue, message).at(&self.span(node));
            self.report(problem.hint(format!("write {expected}")));
        }
        Some(Spanned { value: count?, span: self.span(node) })
    }

    /// A string that `parse` takes.
    pub(super) fn parsed<T, E: Display>(
        &mut self,
        node: &Node<'_>,
        key: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Spanned<T>> {
        let Spanned { value: text, span } = self.string(node, key, expected)?;
        match parse(text) {
            Ok(value) => Some(Spanned { value, span }),
            Err(error) => {
                self.report(
                    Diagnostic::error(
                        Code::InvalidValue,
                        format!("invalid `{key}` `{}`: {error}", truncate(text)),
                    )
                    .at(&span)
                    .hint(format!("write {expected}")),
                );
                None
            }
        }
    }

    /// A string that is one of the names of `all`.
    pub(super) fn one_of<T: Copy, const N: usize>(
        &mut self,
        node: &Node<'_>,
        key: &str,
        all: [T; N],
        name: fn(T) -> &'static str,
    ) -> Option<Spanned<T>> {
        let names = all.map(name);
        let expected = listed(&names);
        let Spanned { value: text, span } = self.string(node, key, &expected)?;
        match all.into_iter().find(|value| name(*value) == text) {
            Some(value) => Some(Spanned { value, span }),
            None => {
                let message = format!("invalid `{key}`: `{}`", truncate(text));
                let problem = Diagnostic::error(Code::InvalidValue, message).at(&span);
                let problem = self.suggest(problem, text, names);
                self.report(problem.hint(format!("use {expected}")));
                None
            }
        }
    }

    /// The entries of a mapping, their keys strings and single.
    pub(super) fn entries<'n>(
        &mut self,
        node: &'n Node<'n>,
        key: &str,
        expected: &str,
    ) -> Option<Vec<Entry<'n>>> {
        let Value::Mapping(pairs) = &node.value else {
            self.wrong_type(node, key, "a mapping", expected);
            return None;
        };
        let mut entries = Vec::with_capacity(pairs.len());
        for (key_node, value) in pairs {
            let span = self.span(key_node);
            let Value::String(name) = &key_node.value else {
                self.report(
                    Diagnostic::error(
                        Code::InvalidType,
                        format!("a key must be a string, not {}", kind(&key_node.value)),
                    )
                    .at(&span)
                    .hint("put the key in quotes"),
                );
                continue;
            };
            if name == "<<" {
                self.report(
                    Diagnostic::error(Code::UnsupportedYaml, "YAML merge keys (`<<`) are not supported")
                        .at(&span)
                        .hint("write the keys out, or use `extends`"),
                );
                continue;
            }
            entries.push(Entry { key: Spanned { value: name.as_ref(), span }, value });
        }
        self.keep_first(&mut entries);
        Some(entries)
    }

    /// Reports each entry whose key another before it has, and takes it out.
    fn keep_first(&mut self, entries: &mut Vec<Entry<'_>>) {
        let mut by_name: Vec<_> = entries.iter().map(|entry| &entry.key).enumerate().collect();
        by_name.sort_by_key(|(_, key)| key.value);
        let mut later = BTreeSet::new();
        for same in by_name.chunk_by(|(_, one), (_, next)| one.value == next.value) {
            if let [(_, first), others @ ..] = same {
                for (at, key) in others {
                    self.report(duplicate(key.value, &key.span, &first.span));
                    later.insert(*at);
                }
            }
        }
        let mut at = 0..entries.len();
        entries.retain(|_| at.next().is_none_or(|at| !later.contains(&at)));
    }

    /// The entries of a mapping whose keys are ours.
    pub(super) fn fields<'n>(&mut self, node: &'n Node<'n>, key: &str, expected: &str) -> Option<Fields<'n>> {
        Some(Fields { span: self.span(node), entries: self.entries(node, key, expected)?, known: Vec::new() })
    }

    pub(super) fn wrong_type(&mut self, node: &Node<'_>, key: &str, type_name: &str, expected: &str) {
        let span = self.span(node);
        let problem = match &node.value {
            Value::Null { literal } if !self.is_spelled_null(literal) => {
                Diagnostic::error(Code::MissingValue, format!("`{}` has no value", truncate(key)))
            }
            value => Diagnostic::error(
                Code::InvalidType,
                format!("`{}` must be {type_name}, not {}", truncate(key), kind(value)),
            ),
        };
        self.report(problem.at(&span).hint(format!("write {expected}")));
    }
}

impl<'n> Fields<'n> {
    /// Takes the value of a key, where it is given. What is never taken is unknown.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'n Node<'n>> {
        self.known.push(name);
        let at = self.entries.iter().position(|entry| entry.key.value == name)?;
        Some(self.entries.remove(at).value)
    }

    /// Takes the value of a key that must be given.
    pub(super) fn require(
        &mut self,
        decoder: &mut Decoder<'_>,
        name: &'static str,
        example: &str,
    ) -> Option<&'n Node<'n>> {
        let node = self.take(name);
        if node.is_none() {
            decoder.report(missing(name, &self.span, example));
        }
        node
    }

    /// Where the mapping begins.
    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// Reports the keys that nobody took.
    pub(super) fn finish(self, decoder: &mut Decoder<'_>) {
        for Entry { key, value: _ } in self.entries {
            let message = format!("unknown key `{}`", truncate(key.value));
            let problem = Diagnostic::error(Code::UnknownKey, message).at(&key.span);
            let problem = decoder.suggest(problem, key.value, self.known.iter().copied());
            decoder.report(problem.hint(format!("valid keys: {}", list(&self.known))));
        }
    }
}

/// What a file says, as far as it is repeated in a message: it may be anything, and the place is shown.
pub(super) fn truncate(text: &str) -> Cow<'_, str> {
    clipped(text, 80)
}

/// Reports a key that must be given.
pub(super) fn missing(name: &str, span: &Span, example: &str) -> Diagnostic {
    Diagnostic::error(Code::MissingKey, format!("missing key `{name}`"))
        .at(span)
        .hint(format!("add `{name}: {example}`"))
}

/// Reports a second `name` and tells where the first is.
pub(super) fn duplicate(name: &str, second: &Span, first: &Span) -> Diagnostic {
    Diagnostic::error(Code::DuplicateKey, format!("`{}` is listed twice", truncate(name)))
        .at(second)
        .hint(format!("keep one of them (first: line {})", first.position().line))
}

/// Returns the names in backticks, with commas between.
fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Returns the names in backticks, with `or` before the last.
fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null { .. } => "null",
        Value::Bool(_) => "a boolean",
        Value::Number { .. } => "a number",
        Value::String(_) => "a string",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
    }
}
