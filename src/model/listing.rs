//! Listing of a desired-state file after composition, with the location of each value.

use crate::diagnostic::Span;

/// Merged keys of a file and its bases, in the order of the format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Name of the file.
    pub file: String,
    /// Lines of the listing.
    pub lines: Vec<ListingLine>,
}

/// Key and value on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingLine {
    /// Nesting depth.
    pub depth: usize,
    /// Key.
    pub key: String,
    /// Value; `None` if the following lines are the value.
    pub value: Option<Literal>,
    /// Location of the value.
    pub span: Option<Span>,
}

/// Scalar value as written in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// String.
    Text(String),
    /// Any other value, as YAML.
    Yaml(String),
}
