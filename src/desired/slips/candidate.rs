//! Slips that a check of lines finds, before a repair confirms them.

use std::ops::Range;

use super::line::Line;
use crate::diagnostic::Edit;

/// Likely slip in a line.
pub(super) struct Candidate {
    pub(super) message: String,
    pub(super) hint: String,
    /// Byte offset in the text.
    pub(super) at: usize,
    pub(super) length: usize,
    pub(super) edits: Vec<Edit>,
    /// Bytes for which the repair is a guess.
    pub(super) guessed: Range<usize>,
}

pub(super) type Check = fn(&[Line<'_>], usize) -> Vec<Candidate>;

impl Candidate {
    /// Creates the slip of the content of a line.
    pub(super) fn new(line: &Line<'_>, message: String, hint: String, edits: Vec<Edit>) -> Self {
        Self { message, hint, at: line.content_start(), length: line.content.len(), edits, guessed: 0..0 }
    }
}

/// Creates the edit that inserts a text.
pub(super) fn insert(at: usize, text: impl Into<String>) -> Edit {
    Edit { range: at..at, text: text.into() }
}
