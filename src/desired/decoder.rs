//! Decodes a YAML tree and collects one problem for each invalid node, instead of stopping at the first.
//!
//! Handles mappings, keys and types. Which keys exist is defined in `keys`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;

use strum::VariantArray;

use super::message::{
    Subject, duplicate_error, error, join_lines, join_quoted, join_with_or, missing, truncate,
};
use super::source::{Node, Value};
use super::spelling;
use crate::diagnostic::{Code, Diagnostic, Source, Span, Suggester};
use crate::model::{NameMistake, names};

/// Value with its location in the file.
#[derive(Clone)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// Decoder of the tree of one file.
pub(super) struct Decoder<'s> {
    source: &'s Arc<Source>,
    pub(super) problems: Problems,
    /// Keys that are numbers or booleans, because they are not in quotes.
    unquoted: BTreeMap<String, UnquotedKey>,
    /// Number of their uses.
    unquoted_uses: usize,
}

/// Key that is not in quotes.
struct UnquotedKey {
    /// Index of its problem.
    problem: usize,
    /// Lines in which it is a value, also without quotes.
    uses: Vec<usize>,
}

/// Collector of problems.
#[derive(Default)]
pub(super) struct Problems {
    found: Vec<Diagnostic>,
    pub(super) suggester: Suggester,
}

impl Problems {
    pub(super) fn report(&mut self, problem: Diagnostic) {
        self.found.push(problem);
    }

    /// Removes and returns all problems.
    pub(super) fn take(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.found)
    }
}

/// Key of a mapping and its value.
pub(super) struct Entry<'n> {
    pub(super) key: Spanned<&'n str>,
    pub(super) value: &'n Node<'n>,
}

/// Entries of a mapping with a fixed set of keys. Each is taken by its name.
pub(super) struct Fields<'n> {
    span: Span,
    entries: Vec<Entry<'n>>,
    known: Vec<&'static str>,
    /// Keys whose decoding reported a problem.
    invalid: BTreeSet<&'static str>,
}

impl<'s> Decoder<'s> {
    pub(super) fn new(source: &'s Arc<Source>) -> Self {
        Self { source, problems: Problems::default(), unquoted: BTreeMap::new(), unquoted_uses: 0 }
    }

    /// Returns all problems. The hint for a key without quotes has the lines in which the same name is a value.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        for UnquotedKey { problem, uses } in self.unquoted.values() {
            let hint = self.problems.found.get_mut(*problem).and_then(|problem| problem.hints.last_mut());
            if let Some(hint) = hint.filter(|_| !uses.is_empty()) {
                hint.push_str(&format!(", also in {}", join_lines(uses)));
            }
        }
        self.problems.take()
    }

    /// Returns the keys that are not in quotes.
    pub(super) fn unquoted_keys(&self) -> impl Iterator<Item = &str> {
        self.unquoted.keys().map(String::as_str)
    }

    /// Returns the number of problems so far, with those that were added to an earlier one.
    pub(super) fn problem_count(&self) -> usize {
        self.problems.found.len().saturating_add(self.unquoted_uses)
    }

    pub(super) fn report(&mut self, problem: Diagnostic) {
        self.problems.report(problem);
    }

    /// Reports a problem that leaves a key without a value: returns `None`.
    pub(super) fn reject<T>(&mut self, problem: Diagnostic) -> Option<T> {
        self.report(problem);
        None
    }

    pub(super) fn span(&self, node: &Node<'_>) -> Span {
        self.source.span(node.range.clone())
    }

    /// Returns a part of the source.
    pub(super) fn text(&self, range: &Range<usize>) -> &'s str {
        self.source.text().get(range.start..range.end.min(self.source.text().len())).unwrap_or_default()
    }

    /// Returns whether a value is left out. For YAML, it is then null, as if `null`, `Null`, `NULL` or `~` were
    /// written.
    pub(super) fn is_empty(&self, node: &Node<'_>) -> bool {
        let is_spelled_null = |literal| matches!(self.text(literal), "null" | "Null" | "NULL" | "~");
        matches!(&node.value, Value::Null { literal } if !is_spelled_null(literal))
    }

    /// Reports an empty list, with a hint to write `expected`.
    pub(super) fn reject_empty_list(&mut self, node: &Node<'_>, key: &str, expected: &str) {
        if matches!(&node.value, Value::Sequence(items) if items.is_empty()) {
            let hint = format!("write {expected}, or remove `{key}`");
            let message = format!("`{key}` is an empty list");
            self.report(error(Code::InvalidValue, message, &self.span(node), hint));
        }
    }

    /// Decodes a string that is not empty, and that its author likely intended. Reports any other value, with a hint
    /// to write `expected`, and returns `None`.
    fn string<'n>(
        &mut self,
        node: &'n Node<'n>,
        subject: Subject<'_>,
        expected: &str,
    ) -> Option<Spanned<&'n str>> {
        let span = self.span(node);
        match &node.value {
            Value::String(text) if text.is_empty() => {
                let hint = format!("write {expected}");
                self.reject(error(Code::InvalidValue, format!("{subject} is empty"), &span, hint))
            }
            Value::String(text) => {
                if let Some(problem) = spelling::check(self.source, text, &node.range, subject) {
                    return self.reject(problem);
                }
                Some(Spanned { value: text, span })
            }
            _ => self.wrong_type(node, subject, "a string", expected),
        }
    }

    /// Decodes a string that is not empty. Reports any other value and returns `None`; for a number or a
    /// boolean, the hint is to put it in quotes. If that was reported for a key of the same name, adds the line there.
    pub(super) fn name<'a>(
        &mut self,
        node: &Node<'_>,
        subject: impl Into<Subject<'a>>,
        expected: &str,
    ) -> Option<Spanned<String>> {
        let span = self.span(node);
        if let (Value::Number { .. } | Value::Bool(_), Some(key)) =
            (&node.value, self.unquoted.get_mut(span.text()))
        {
            key.uses.push(span.in_original().position().line);
            self.unquoted_uses = self.unquoted_uses.saturating_add(1);
            return None;
        }
        let expected = match node.value {
            // An alias in quotes would be a name.
            Value::Number { .. } | Value::Bool(_) if !span.text().starts_with('*') => {
                &format!("{expected}; a name goes in quotes: \"{}\"", truncate(span.text()))
            }
            _ => expected,
        };
        let Spanned { value, span } = self.string(node, subject.into(), expected)?;
        Some(Spanned { value: value.to_owned(), span })
    }

    /// Decodes `true` or `false`. Reports any other value and returns `None`.
    pub(super) fn boolean(&mut self, node: &Node<'_>, key: &str) -> Option<Spanned<bool>> {
        match node.value {
            Value::Bool(value) => Some(Spanned { value, span: self.span(node) }),
            _ => self.wrong_type(node, key, "a boolean", "`true` or `false`"),
        }
    }

    /// Decodes an integer from 0 to 4294967295. Reports any other value and returns `None`.
    pub(super) fn count(&mut self, node: &Node<'_>, key: &str) -> Option<Spanned<u32>> {
        let expected = "an integer from 0 to 4294967295";
        let Value::Number { literal } = &node.value else {
            return self.wrong_type(node, key, "a number", expected);
        };
        let (text, span) = (self.text(literal), self.span(node));
        let Ok(value) = text.parse() else {
            let message = format!("invalid `{key}`: `{}`", truncate(text));
            return self.reject(error(Code::InvalidValue, message, &span, format!("write {expected}")));
        };
        Some(Spanned { value, span })
    }

    /// Decodes a string with `parse`. Reports its error or a value that is not a string, with a hint to write
    /// `expected`, and returns `None`.
    pub(super) fn parsed<T, E: Display>(
        &mut self,
        node: &Node<'_>,
        key: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Spanned<T>> {
        let Spanned { value: text, span } = self.string(node, key.into(), expected)?;
        match parse(text) {
            Ok(value) => Some(Spanned { value, span }),
            Err(error) => {
                let message = format!("invalid `{key}` `{}`: {error}", truncate(text));
                let problem = Diagnostic::error(Code::InvalidValue, message).at(&span);
                self.reject(match NameMistake::detect(text) {
                    Some(mistake @ NameMistake::Variable) => problem.hint(mistake.hint()),
                    _ => problem.hint(format!("write {expected}")),
                })
            }
        }
    }

    /// Decodes a string that is the name of a value of `T`. Reports any other text, with the similar and all
    /// valid names, and returns `None`.
    pub(super) fn one_of<T: VariantArray + Copy + Into<&'static str>>(
        &mut self,
        node: &Node<'_>,
        key: &str,
    ) -> Option<Spanned<T>> {
        self.one_of_expected(node, key, &join_with_or(&names::<T>()))
    }

    /// Decodes a string that is the name of a value of `T`. Reports any other text, with similar names and
    /// `expected`, and returns `None`.
    pub(super) fn one_of_expected<T: VariantArray + Copy + Into<&'static str>>(
        &mut self,
        node: &Node<'_>,
        key: &str,
        expected: &str,
    ) -> Option<Spanned<T>> {
        let Spanned { value: text, span } = self.string(node, key.into(), expected)?;
        if let Some(value) = T::VARIANTS.iter().copied().find(|value| text == (*value).into()) {
            return Some(Spanned { value, span });
        }
        let message = format!("invalid `{key}`: `{}`", truncate(text));
        let problem = Diagnostic::error(Code::InvalidValue, message).at(&span);
        let problem = self.problems.suggester.suggest(problem, text, names::<T>());
        self.reject(problem.hint(format!("use {expected}")))
    }

    /// Returns the entries of a mapping. Reports and leaves out keys that are not strings, `<<`, and each key
    /// that occurs again. Reports a value that is not a mapping, and returns `None`.
    pub(super) fn entries<'n>(
        &mut self,
        node: &'n Node<'n>,
        subject: impl Into<Subject<'n>>,
        expected: &str,
    ) -> Option<Vec<Entry<'n>>> {
        let mut entries = self.all_entries(node, subject, expected)?;
        self.remove_duplicates(&mut entries);
        Some(entries)
    }

    /// Returns the entries of a mapping, with duplicate keys. Reports and leaves out keys that are not
    /// strings, and `<<`. Reports a value that is not a mapping, and returns `None`.
    pub(super) fn all_entries<'n>(
        &mut self,
        node: &'n Node<'n>,
        subject: impl Into<Subject<'n>>,
        expected: &str,
    ) -> Option<Vec<Entry<'n>>> {
        let Value::Mapping(pairs) = &node.value else {
            return self.wrong_type(node, subject, "a mapping", expected);
        };
        let mut entries = Vec::with_capacity(pairs.len());
        for (key_node, value) in pairs {
            let span = self.span(key_node);
            let Value::String(name) = &key_node.value else {
                let message = format!("a key must be a string, not {}", type_name(&key_node.value));
                let hint = match key_node.value {
                    Value::Number { .. } | Value::Bool(_) => {
                        let key = UnquotedKey { problem: self.problems.found.len(), uses: Vec::new() };
                        self.unquoted.entry(span.text().to_owned()).or_insert(key);
                        format!("write `\"{}\"`", truncate(span.text()))
                    }
                    _ => "put the key in quotes".to_owned(),
                };
                self.report(error(Code::InvalidType, message, &span, hint));
                continue;
            };
            if name == "<<" {
                let message = "YAML merge keys (`<<`) are not supported";
                let hint =
                    "write the keys here, or move them to a base file and name it in the top-level `extends`";
                self.report(error(Code::UnsupportedYaml, message, &span, hint));
                continue;
            }
            let intended = spelling::intended(name, span.text());
            let subject = Subject::NameOf(intended);
            if let Some(problem) = spelling::check(self.source, name, &key_node.range, subject) {
                self.report(problem);
            }
            entries.push(Entry { key: Spanned { value: intended, span }, value });
        }
        Some(entries)
    }

    /// Reports and removes each entry with the key of an earlier entry.
    pub(super) fn remove_duplicates(&mut self, entries: &mut Vec<Entry<'_>>) {
        let mut by_name: Vec<_> = entries.iter().map(|entry| &entry.key).enumerate().collect();
        by_name.sort_by_key(|(_, key)| key.value);
        let mut later = BTreeSet::new();
        for same in by_name.chunk_by(|(_, one), (_, next)| one.value == next.value) {
            if let [(_, first), others @ ..] = same {
                for (at, key) in others {
                    self.report(duplicate_error(key.value, &key.span, &first.span));
                    later.insert(*at);
                }
            }
        }
        let mut at = 0..entries.len();
        entries.retain(|_| at.next().is_none_or(|at| !later.contains(&at)));
    }

    /// Returns the entries of a mapping with a fixed set of keys, each once; `None` if the value is not a
    /// mapping. Reports what [`Self::entries`] reports; [`Fields::finish`] reports unknown keys.
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node<'n>,
        subject: impl Into<Subject<'n>>,
        expected: &str,
    ) -> Option<Fields<'n>> {
        let entries = self.entries(node, subject, expected)?;
        Some(Fields { span: self.span(node), entries, known: Vec::new(), invalid: BTreeSet::new() })
    }

    /// Reports a value that is missing or does not have the expected type, with a hint to write `expected`.
    /// Returns `None`.
    pub(super) fn wrong_type<'a, T>(
        &mut self,
        node: &Node<'_>,
        subject: impl Into<Subject<'a>>,
        expected_type: &str,
        expected: &str,
    ) -> Option<T> {
        let (subject, span) = (subject.into(), self.span(node));
        let hint = format!("write {expected}");
        if self.is_empty(node) {
            return self.reject(error(Code::MissingValue, format!("{subject} has no value"), &span, hint));
        }
        let message = format!("{subject} must be {expected_type}, not {}", type_name(&node.value));
        self.reject(error(Code::InvalidType, message, &span, hint))
    }
}

impl<'n> Fields<'n> {
    /// Takes the entry with a key, and decodes its value; `None` if the key is not given. A key that is never
    /// decoded is unknown.
    pub(super) fn decode<'s, T>(
        &mut self,
        decoder: &mut Decoder<'s>,
        name: &'static str,
        decode: impl FnOnce(&mut Decoder<'s>, &'n Node<'n>, &'static str) -> Option<T>,
    ) -> Option<T> {
        self.known.push(name);
        let at = self.entries.iter().position(|entry| entry.key.value == name)?;
        let before = decoder.problem_count();
        let value = decode(decoder, self.entries.remove(at).value, name);
        if decoder.problem_count() > before {
            self.invalid.insert(name);
        }
        value
    }

    /// Reports a required key that is not given, with `example`, unless a key is similar, which [`Self::finish`]
    /// reports.
    pub(super) fn require(&self, decoder: &mut Decoder<'_>, name: &str, example: &str) {
        let is_given = |entry: &Entry<'_>| {
            entry.key.value == name || !decoder.problems.suggester.nearest(entry.key.value, [name]).is_empty()
        };
        if !self.entries.iter().any(is_given) {
            decoder.report(missing(name, &self.span, example));
        }
    }

    /// Returns the location of the mapping.
    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// Returns whether the mapping is that of another format: it has none of `keys`, and few that are similar.
    pub(super) fn is_foreign(&self, decoder: &Decoder<'_>, keys: &[&str]) -> bool {
        let name = |entry: &Entry<'n>| entry.key.value;
        let similar = |entry: &&Entry<'n>| {
            !decoder.problems.suggester.nearest(name(entry), keys.iter().copied()).is_empty()
        };
        !self.entries.iter().any(|entry| keys.contains(&name(entry)))
            && self.entries.iter().take(20).filter(similar).count().saturating_mul(2) < self.entries.len()
    }

    /// Reports each key that was not decoded as unknown, with similar and all valid keys. Returns the keys with
    /// invalid values, and those that are similar to an unknown one, which was likely intended as such a key.
    pub(super) fn finish(mut self, decoder: &mut Decoder<'_>) -> BTreeSet<&'static str> {
        for Entry { key, value: _ } in self.entries {
            let message = format!("unknown key `{}`", truncate(key.value));
            let problem = Diagnostic::error(Code::UnknownKey, message).at(&key.span);
            let similar = decoder.problems.suggester.nearest(key.value, self.known.iter().copied());
            let problem = problem.did_you_mean(&similar);
            decoder.report(problem.hint(format!("valid keys: {}", join_quoted(&self.known))));
            self.invalid.extend(self.known.iter().filter(|known| similar.contains(known)));
        }
        self.invalid
    }
}

fn type_name(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null { .. } => "null",
        Value::Bool(_) => "a boolean",
        Value::Number { .. } => "a number",
        Value::String(_) => "a string",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
    }
}
