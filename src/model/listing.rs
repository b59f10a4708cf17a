//! A desired-state file as it stands after composition, each value with its place.

use crate::diagnostic::Span;

/// The keys of a file and of all that it extends, in the order of the format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The file's name.
    pub file: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How many keys it stands below.
    pub depth: usize,
    /// The key.
    pub key: String,
    /// The value, where the lines below are not it.
    pub value: Option<Literal>,
    /// Where the value stands.
    pub span: Option<Span>,
}

/// A value as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// A string.
    Text(String),
    /// Anything else, in YAML.
    Yaml(String),
}
