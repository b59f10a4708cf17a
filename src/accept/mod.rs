//! Edits desired-state files so that they have the values of the tenant. Computes new texts, and writes nothing.
//!
//! `changes` chooses the names and pins for the wanted values, `rewrite` finds the locations, `editor` edits the text
//! there, and `verify` compares what the file means before and after.
//!
//! An edit replaces or inserts bytes at the locations of the reader of `desired`, so every other byte stays as it is.
//! yaml-edit, the most complete lossless editor, would be a second YAML parser with six crates and `unsafe`. It drops
//! the quotes of a replaced value and indents new mappings by two spaces in every file.

mod changes;
mod connectors;
mod content;
mod edit;
mod editor;
mod rewrite;
mod verify;

pub use edit::{Edit, EditError};

use crate::desired::Document;
use crate::diagnostic::Code;
use crate::model::{FlowKey, ListedConnector};
use connectors::Connectors;

/// Rules that a wanted value can break, whatever the layout of the file.
const RULES: [Code; 4] = [Code::FileTooLarge, Code::MixedFlowKinds, Code::UnsupportedByApi, Code::YamlLimit];

/// Result of editing one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// New text, without a byte order mark. Equals the old one if nothing was edited.
    pub text: String,
    /// Edits that were not made, with the reason.
    pub rejected: Vec<(Edit, EditError)>,
}

/// Edits a file so that it has the wanted values. `connectors` are all connectors of the tenant.
///
/// The new text is parsed, merged with the bases of the file and compared: it has exactly the values of the edits
/// that were made, and all others as before. An edit for which this is not possible is rejected alone.
///
/// A binding to another connector also updates the pins of that connector. A pin is never removed.
pub fn accept(document: &Document, connectors: &[ListedConnector], edits: &[Edit]) -> Accepted {
    let mut rejected = Vec::new();
    let edited = match document.extended_by() {
        Some(file) => {
            let reason = EditError::Extended(file.to_owned());
            rejected.extend(edits.iter().map(|edit| (edit.clone(), reason.clone())));
            document.clone()
        }
        None => {
            let connectors = Connectors::new(connectors);
            let mut edited = accept_all(document.clone(), &connectors, edits, &mut rejected);
            // An edit may have replaced the alias that another edit would have changed.
            let mut count = edits.len();
            while !rejected.is_empty() && rejected.len() < count {
                count = rejected.len();
                let again: Vec<_> = rejected.drain(..).map(|(edit, _)| edit).collect();
                edited = accept_all(edited, &connectors, &again, &mut rejected);
            }
            edited
        }
    };
    Accepted { text: edited.text().to_owned(), rejected }
}

/// Replaces the text of a file in its bytes, and keeps a byte order mark. Returns `None` if the file no longer has
/// the old text.
pub fn replace_text(bytes: &[u8], old: &str, new: &str) -> Option<Vec<u8>> {
    let mark =
        bytes.strip_suffix(old.as_bytes()).filter(|mark| [&b""[..], b"\xef\xbb\xbf"].contains(mark))?;
    Some([mark, new.as_bytes()].concat())
}

/// Makes all edits together. If one of them cannot be made, makes each half alone, so that few attempts are needed
/// to find it.
fn accept_all(
    document: Document,
    connectors: &Connectors<'_>,
    edits: &[Edit],
    rejected: &mut Vec<(Edit, EditError)>,
) -> Document {
    match (accept_together(&document, connectors, edits), edits) {
        (Ok(edited), _) => edited,
        (Err(reason), [edit]) => {
            rejected.push((edit.clone(), reason));
            document
        }
        (Err(_), edits) => {
            let (first, second) = edits.split_at(middle(edits));
            let document = accept_all(document, connectors, first, rejected);
            accept_all(document, connectors, second, rejected)
        }
    }
}

/// Returns the index near the middle of several edits at which another flow begins. The edits of one flow may depend
/// on one another, so they are separated only if there is no other flow.
fn middle(edits: &[Edit]) -> usize {
    let half = edits.len().div_ceil(2);
    let is_same_flow = |pair: &[Edit]| match pair {
        [Edit::Binding { flow, .. }, Edit::Binding { flow: next, .. }] => {
            FlowKey::from(flow) == FlowKey::from(next)
        }
        _ => false,
    };
    let borders = edits.windows(2).enumerate().filter(|(_, pair)| !is_same_flow(pair));
    borders.map(|(at, _)| at.saturating_add(1)).min_by_key(|at| at.abs_diff(half)).unwrap_or(half)
}

fn accept_together(
    document: &Document,
    connectors: &Connectors<'_>,
    edits: &[Edit],
) -> Result<Document, EditError> {
    let changes = changes::plan(document, connectors, edits)?;
    let text = rewrite::rewrite(document, &changes)?;
    if text == document.text() {
        return Ok(document.clone());
    }
    let failure = || if rewrite::has_alias(document) { EditError::Anchor } else { EditError::Layout };
    let edited = document.with_text(&text).map_err(|problems| match problems.first() {
        Some(problem) if RULES.contains(&problem.code) => EditError::Invalid(problem.message.clone()),
        _ => failure(),
    })?;
    let is_exact = verify::is_exact((document, &edited), connectors, &changes, edits);
    if is_exact { Ok(edited) } else { Err(failure()) }
}
