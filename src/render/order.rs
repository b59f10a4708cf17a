//! Display order: the most dangerous first, and flows as in the files.

use std::collections::BTreeSet;

use crate::apply::Outcome;
use crate::diagnostic::SourceLocation;
use crate::model::{Action, FlowId};
use crate::plan::Target;

/// The actions, the most dangerous first.
pub(super) const ACTIONS: [Action; 3] = [Action::Disable, Action::Replace, Action::Enable];

/// The outcomes, what is not as it should be first.
pub(super) const OUTCOMES: [Outcome; 5] =
    [Outcome::Failed, Outcome::Unverified, Outcome::NotAttempted, Outcome::Applied, Outcome::Already];

/// The flows of a target's changes and of what is in sync, each once. Both are in the order of the
/// flows, which neither alone tells whole; where both leave it open, the places in the files do.
pub(super) fn flows(target: &Target) -> Vec<&FlowId> {
    let changes = distinct(target.changes.iter().map(|it| (&it.flow, &it.source)));
    let in_sync = distinct(target.in_sync.iter().map(|it| (&it.flow, &it.source)));
    let changed: BTreeSet<_> = changes.iter().map(|(flow, _)| *flow).collect();
    let unchanged: BTreeSet<_> = in_sync.iter().map(|(flow, _)| *flow).collect();
    let (mut changes, mut in_sync) = (changes.into_iter().peekable(), in_sync.into_iter().peekable());
    // The flows of the file itself follow those of what it extends.
    let place = |place: &SourceLocation| (place.file == target.file, place.line);
    let mut merged = Vec::new();
    loop {
        let changes_first = match (changes.peek(), in_sync.peek()) {
            (None, None) => break,
            (next, None) => next.is_some(),
            (None, Some(_)) => false,
            (Some((one, _)), Some((other, _))) if one == other => {
                in_sync.next();
                true
            }
            // What is in both has to wait until both have come to it.
            (Some((one, _)), Some(_)) if unchanged.contains(one) => false,
            (Some(_), Some((other, _))) if changed.contains(other) => true,
            (Some((_, one)), Some((_, other))) => place(one) <= place(other),
        };
        merged.extend(if changes_first { changes.next() } else { in_sync.next() });
    }
    distinct(merged.into_iter()).into_iter().map(|(flow, _)| flow).collect()
}

/// Each flow where it appears first.
fn distinct<'a>(
    flows: impl Iterator<Item = (&'a FlowId, &'a SourceLocation)>,
) -> Vec<(&'a FlowId, &'a SourceLocation)> {
    let mut seen = BTreeSet::new();
    flows.filter(|(flow, _)| seen.insert(*flow)).collect()
}
