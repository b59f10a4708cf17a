//! YAML values to write.

use super::edit::EditError;
use crate::desired::{Node, Value};
use crate::render::escape;

/// Value to write.
pub(super) enum Content {
    /// Text, in quotes if necessary.
    Text(String),
    /// YAML, such as `null`.
    Yaml(String),
    /// List of texts.
    List(Vec<String>),
    /// Mapping in this order.
    Mapping(Vec<(String, Self)>),
}

/// Quotes of new keys and texts that would need none.
#[derive(Clone, Copy, Default)]
pub(super) struct Quotes {
    pub(super) keys: Option<char>,
    pub(super) texts: Option<char>,
}

impl Content {
    /// Returns a text, or `null`.
    pub(super) fn from_name(name: Option<&str>) -> Self {
        name.map_or_else(|| Self::Yaml("null".to_owned()), |name| Self::Text(name.to_owned()))
    }

    /// Returns the value of a node. Lists are an error, because no entry of a flow or connector has one.
    pub(super) fn from_node(text: &str, node: &Node<'_>) -> Result<Self, EditError> {
        Ok(match &node.value {
            Value::Null { .. } => Self::Yaml("null".to_owned()),
            Value::Bool(value) => Self::Yaml(value.to_string()),
            Value::Number { literal } => {
                Self::Yaml(text.get(literal.clone()).ok_or(EditError::Layout)?.to_owned())
            }
            Value::String(text) => Self::Text(text.clone().into_owned()),
            Value::Sequence(_) => return Err(EditError::Layout),
            Value::Mapping(entries) => Self::Mapping(
                entries
                    .iter()
                    .map(|(key, value)| match &key.value {
                        Value::String(key) => Ok((key.clone().into_owned(), Self::from_node(text, value)?)),
                        _ => Err(EditError::Layout),
                    })
                    .collect::<Result<_, _>>()?,
            ),
        })
    }

    /// Returns the mapping with a value for a key. Anything else becomes a mapping in which `own` is the key of
    /// the previous value.
    pub(super) fn with(self, own: &str, key: &str, value: Self) -> Self {
        let mut entries = match self {
            Self::Mapping(entries) => entries,
            scalar => vec![(own.to_owned(), scalar)],
        };
        match entries.iter_mut().find(|(given, _)| given == key) {
            Some((_, previous)) => *previous = value,
            None => entries.push((key.to_owned(), value)),
        }
        Self::Mapping(entries)
    }

    /// Returns the value in one line.
    pub(super) fn inline(&self, quotes: Quotes) -> String {
        match self {
            Self::Text(text) => quoted(text, quotes.texts),
            Self::Yaml(yaml) => yaml.clone(),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| quoted(item, quotes.texts)).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Mapping(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| inline_entry(key, value, quotes)).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }
}

/// Returns an entry of a mapping in one line.
pub(super) fn inline_entry(key: &str, value: &Content, quotes: Quotes) -> String {
    format!("{}: {}", quoted(key, quotes.keys), value.inline(quotes))
}

/// Returns an entry of a block mapping, whose lines are indented by `indent` spaces, and those of mappings in it by
/// `step` more.
pub(super) fn block_entry(
    (key, value): (&str, &Content),
    (indent, step): (usize, usize),
    newline: &str,
    quotes: Quotes,
) -> String {
    let mut text = match quotes.keys.filter(|_| needs_no_quotes(key)) {
        Some(quote) => format!("{:indent$}{quote}{key}{quote}:", ""),
        None => escape::yaml_key(key, indent),
    };
    match value {
        Content::Mapping(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                text.push_str(newline);
                let inner = indent.saturating_add(step);
                text.push_str(&block_entry((key, value), (inner, step), newline, Quotes::default()));
            }
        }
        value => {
            text.push(' ');
            text.push_str(&value.inline(quotes));
        }
    }
    text
}

/// Returns a text in the given quotes if it needs none, otherwise as YAML requires.
pub(super) fn quoted(text: &str, quote: Option<char>) -> String {
    match quote.filter(|_| needs_no_quotes(text)) {
        Some(quote) => format!("{quote}{text}{quote}"),
        None => escape::yaml(text).into_owned(),
    }
}

fn needs_no_quotes(text: &str) -> bool {
    escape::yaml(text) == text
}

/// Returns the quote with which a scalar begins.
pub(super) fn quote_of(literal: &str) -> Option<char> {
    literal.chars().next().filter(|char| matches!(char, '"' | '\''))
}
