//! Order of what is displayed: the most dangerous first, and flows as in the files.

use std::collections::{BTreeMap, BTreeSet};

use crate::apply::OutcomeKind;
use crate::diagnostic::SourceLocation;
use crate::model::{Action, FlowId, Step};
use crate::plan::{Blocker, BrokenPin, Target};

/// Actions, the most dangerous first.
pub(super) const ACTIONS: [Action; 3] = [Action::Disable, Action::Replace, Action::Enable];

/// Outcomes, those of changes that are not done first.
pub(super) const OUTCOMES: [OutcomeKind; 5] = [
    OutcomeKind::Failed,
    OutcomeKind::Unverified,
    OutcomeKind::NotAttempted,
    OutcomeKind::Applied,
    OutcomeKind::Already,
];

/// Values for the steps of flows. The flows are in the order in which they were added.
pub(super) struct FlowSteps<'a, T> {
    flows: Vec<&'a FlowId>,
    steps: BTreeMap<&'a FlowId, BTreeMap<Step, T>>,
}

impl<'a, T> FlowSteps<'a, T> {
    /// Creates flows without values. Each of them must occur only once.
    pub(super) fn new(flows: Vec<&'a FlowId>) -> Self {
        Self { steps: flows.iter().map(|flow| (*flow, BTreeMap::new())).collect(), flows }
    }

    /// Returns the values of a flow, which is added if it is new.
    pub(super) fn flow(&mut self, flow: &'a FlowId) -> &mut BTreeMap<Step, T> {
        self.steps.entry(flow).or_insert_with(|| {
            self.flows.push(flow);
            BTreeMap::new()
        })
    }

    /// Returns each flow with its values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a FlowId, &BTreeMap<Step, T>)> {
        self.flows.iter().filter_map(|flow| Some((*flow, self.steps.get(flow)?)))
    }
}

/// Returns the broken pins of a target that do not block its changes.
pub(super) fn unblocking_pins(target: &Target) -> Vec<&BrokenPin> {
    let blocking_pin = |blocker: &Blocker| match blocker {
        Blocker::PinMismatch(pin) => Some(pin.clone()),
        _ => None,
    };
    let blocking: BTreeSet<_> = target.blockers.iter().filter_map(blocking_pin).collect();
    target.pins.iter().filter(|pin| !blocking.contains(pin)).collect()
}

/// Returns the flows of a target's changes and of its bindings in sync, each once, in the order of the files.
/// Each of the two lists is in this order, but only together they have all flows. If both lists leave the
/// order open, the locations in the files decide.
pub(super) fn flows(target: &Target) -> Vec<&FlowId> {
    let changes = distinct(target.changes.iter().map(|it| (&it.flow, &it.source)));
    let in_sync = distinct(target.in_sync.iter().map(|it| (&it.flow, &it.source)));
    let changed: BTreeSet<_> = changes.iter().map(|(flow, _)| *flow).collect();
    let unchanged: BTreeSet<_> = in_sync.iter().map(|(flow, _)| *flow).collect();
    let (mut changes, mut in_sync) = (changes.into_iter().peekable(), in_sync.into_iter().peekable());
    // The flows of the file itself come after those of the files that it extends.
    let location = |location: &SourceLocation| (location.file == target.file, location.line);
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
            // A flow in both lists comes when both lists have reached it.
            (Some((one, _)), Some(_)) if unchanged.contains(one) => false,
            (Some(_), Some((other, _))) if changed.contains(other) => true,
            (Some((_, one)), Some((_, other))) => location(one) <= location(other),
        };
        merged.extend(if changes_first { changes.next() } else { in_sync.next() });
    }
    distinct(merged.into_iter()).into_iter().map(|(flow, _)| flow).collect()
}

/// Returns each flow with its first location.
fn distinct<'a>(
    flows: impl Iterator<Item = (&'a FlowId, &'a SourceLocation)>,
) -> Vec<(&'a FlowId, &'a SourceLocation)> {
    let mut seen = BTreeSet::new();
    flows.filter(|(flow, _)| seen.insert(*flow)).collect()
}
