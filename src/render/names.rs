//! Names of connectors for a reader.

use std::collections::{BTreeMap, BTreeSet};

use unicode_width::UnicodeWidthChar as _;

use super::escape;
use crate::apply::TargetReport;
use crate::model::{Bound, Connector, ConnectorId, is_guid};
use crate::plan::Target;

/// Names of connectors in one target: the displayName, with the id if a reader could confuse it with another.
pub(super) struct Names<'a> {
    ids: BTreeMap<String, BTreeSet<&'a ConnectorId>>,
}

impl<'a> Names<'a> {
    pub(super) fn from_target(target: &'a Target) -> Self {
        let Target { changes, in_sync, unmanaged, pins, .. } = target;
        let changed = changes.iter().flat_map(|change| [&change.current, &change.desired]);
        let unchanged = in_sync.iter().map(|it| &it.current).chain(unmanaged.iter().map(|it| &it.current));
        let bound = changed.chain(unchanged).flatten();
        Self::from_connectors(bound.chain(pins.iter().map(|pin| &pin.connector)))
    }

    pub(super) fn from_report(target: &'a TargetReport) -> Self {
        let changes = target.changes.iter().map(|report| &report.change);
        let changed = changes.flat_map(|change| [&change.current, &change.desired]);
        let held = target.holds.iter().map(|held| &held.value);
        Self::from_connectors(changed.chain(held).flatten())
    }

    pub(super) fn from_connectors(shown: impl Iterator<Item = &'a Connector>) -> Self {
        let mut ids: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for connector in shown {
            if let Some(name) = &connector.display_name {
                ids.entry(confusable_key(name)).or_default().insert(&connector.id);
            }
        }
        Self { ids }
    }

    pub(super) fn bound(&self, bound: &Bound) -> String {
        bound.as_ref().map_or("nothing".to_owned(), |connector| self.connector(connector))
    }

    pub(super) fn connector(&self, Connector { id, display_name }: &Connector) -> String {
        let id = escape::text(id.as_str());
        match display_name.as_deref().filter(|name| !name.trim().is_empty()) {
            Some(name) => {
                let shown = escape::text(name);
                let shared = self.ids.get(&confusable_key(name)).is_some_and(|ids| ids.len() > 1);
                if shared || needs_id(name) { format!("{shown} ({id})") } else { shown.into_owned() }
            }
            // An id that is not a GUID can be any word.
            None if needs_id(&id) && !is_guid(&id) => format!("({id})"),
            None => id.into_owned(),
        }
    }
}

/// Returns the name of a connector without its id, or `nothing`. A name that would need its id is in quotes.
pub(super) fn name_only(name: Option<&str>) -> String {
    let Some(name) = name else { return "nothing".to_owned() };
    let shown = escape::text(name);
    if needs_id(name) && !is_guid(name) { format!("\"{shown}\"") } else { shown.into_owned() }
}

/// Returns whether a name needs its id: it looks like a keyword of the output, contains a GUID, has more than
/// [`MAX_NAME`] characters, or has invisible characters or outer spaces.
fn needs_id(name: &str) -> bool {
    let is_marked = MARKS.iter().any(|mark| name.contains(mark));
    let keyword = confusable_key(name) == "nothing" || name.contains('→') || is_marked;
    let is_long = name.chars().nth(MAX_NAME).is_some();
    keyword || is_long || has_guid(name) || !is_visible(name)
}

/// Marks that an output adds to a value.
const MARKS: [&str; 4] = ["(protected)", "(deleted)", "(unresolved)", "(not listed)"];

/// Number of characters up to which names are compared at a glance.
const MAX_NAME: usize = 120;

/// Returns whether a name contains a GUID.
fn has_guid(name: &str) -> bool {
    // Bytes, because a GUID is ASCII, and every name in every format is checked.
    name.as_bytes().windows(36).any(|bytes| str::from_utf8(bytes).is_ok_and(is_guid))
}

/// Returns whether a name has no white space at its ends, and no characters of width zero. The Hangul fillers
/// are also invisible.
fn is_visible(name: &str) -> bool {
    let blank = |char: char| {
        char.width() == Some(0) || matches!(char, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}')
    };
    name.trim() == name && !name.chars().any(blank)
}

/// Returns only the letters and digits of a name, in lower case: names with the same key look alike.
fn confusable_key(name: &str) -> String {
    name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
