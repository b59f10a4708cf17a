//! Guards: finds all blockers of a plan.
//!
//! A guard protects against accidents, not against users who can change the file: they can change its guards.

use std::collections::{BTreeMap, BTreeSet};

use super::binding::{BrokenPin, Change};
use super::blocker::Blocker;
use super::overrides::Overrides;
use super::resolve_connectors::Resolved;
use super::target::Target;
use crate::diagnostic::{SourceLocation, Span};
use crate::model::{Action, Desired, FlowId, FlowKey, GuardLimit, Guards, Pins, Step, TargetUrl, bound_id};

/// Returns the blockers of a target, and those of its file that the overrides lifted. A limit of a flag lifts that of
/// the file, also if it blocks itself. `protect` does not block the changes that holds have `declared`.
pub(super) fn evaluate(
    target: &Target,
    desired: &Desired,
    declared: &BTreeSet<(FlowId, Step)>,
    overrides: &Overrides,
) -> (Vec<Blocker>, Vec<Blocker>) {
    let find = |overrides| {
        let mut blockers = find_blockers(target, desired, overrides);
        blockers.retain(|blocker| match blocker {
            Blocker::Protected { flow, step, .. } => !declared.contains(&(flow.clone(), *step)),
            _ => true,
        });
        blockers
    };
    let blockers = find(overrides);
    let mut lifted = find(&Overrides::default());
    lifted.retain(|guard| match guard {
        Blocker::MaxChanges { .. } => overrides.max_changes.is_some(),
        Blocker::MaxDisables { .. } => overrides.max_disables.is_some(),
        guard => !blockers.contains(guard),
    });
    (blockers, lifted)
}

fn find_blockers(target: &Target, desired: &Desired, overrides: &Overrides) -> Vec<Blocker> {
    let Guards { max_changes, max_disables } = &desired.guards;
    let changes = target.changes.len();
    let disables = target.changes.iter().filter(|change| change.action == Action::Disable).count();
    // The limit of a flag has no location.
    let limit = |flag: Option<u32>, guard: Option<&GuardLimit>| match (flag, guard) {
        (Some(limit), _) => Some((limit, None)),
        (None, guard) => guard.map(|guard| (guard.number, guard.span.as_ref().map(SourceLocation::from))),
    };
    let exceeds = |number: usize, limit: u32| number > limit as usize;
    let mut blockers = Vec::new();
    let max_changes = limit(overrides.max_changes, max_changes.as_ref());
    let max_changes = max_changes.filter(|(limit, _)| exceeds(changes, *limit));
    blockers.extend(max_changes.map(|(limit, source)| Blocker::MaxChanges { changes, limit, source }));
    let max_disables = limit(overrides.max_disables, Some(max_disables));
    let max_disables = max_disables.filter(|(limit, _)| exceeds(disables, *limit));
    blockers.extend(max_disables.map(|(limit, source)| Blocker::MaxDisables { disables, limit, source }));
    let is_allowed = |change: &&Change| {
        let mut allowed = overrides.allow_protected.iter();
        allowed.any(|(flow, step)| (FlowKey::from(flow), *step) == (FlowKey::from(&change.flow), change.step))
    };
    let protected = target.changes.iter().filter(|it| it.protected && it.action != Action::Enable);
    let spans = protect_spans(desired);
    blockers.extend(protected.filter(|change| !is_allowed(change)).map(|change| {
        let span = spans.get(&(FlowKey::from(&change.flow), change.step));
        Blocker::Protected {
            flow: change.flow.clone(),
            step: change.step,
            action: change.action,
            source: span.map_or_else(|| change.source.clone(), |span| SourceLocation::from(*span)),
        }
    }));
    let prune = desired.prune.as_ref().filter(|_| desired.prunes_flows() && desired.flows.is_empty());
    let prune = prune.filter(|_| !overrides.allow_empty);
    blockers.extend(prune.map(|(_, span)| Blocker::EmptyPrune { source: Some(span.into()) }));
    blockers
        .extend(target.pins.iter().filter(|pin| is_bound_by(target, pin)).cloned().map(Blocker::PinMismatch));
    blockers
}

/// Returns the locations of `protect` of all protected bindings.
fn protect_spans(desired: &Desired) -> BTreeMap<(FlowKey<'_>, Step), &Span> {
    let bindings = desired.flows.iter().flat_map(|flow| flow.bindings.iter().map(move |it| (&flow.id, it)));
    bindings.filter_map(|(flow, (step, it))| Some(((flow.into(), step), it.protect.as_ref()?))).collect()
}

/// Returns the pins that apply to a connector and have another address than it.
pub(super) fn find_broken_pins(pins: &Pins, resolved: &Resolved<'_>) -> impl Iterator<Item = BrokenPin> {
    let Resolved { connector, target_url, .. } = resolved;
    let broken = pins.for_connector(connector).filter(|pin| *target_url != Some(&*pin.url));
    broken.map(|pin| BrokenPin {
        connector: connector.clone(),
        expected: pin.url.to_string(),
        actual: target_url.map(TargetUrl::to_string),
        source: Some((&pin.span).into()),
    })
}

/// Returns whether a change would bind the connector of the pin. A broken pin blocks only plans with such a
/// change.
fn is_bound_by(target: &Target, pin: &BrokenPin) -> bool {
    target.changes.iter().any(|change| bound_id(&change.desired) == Some(&pin.connector.id))
}
