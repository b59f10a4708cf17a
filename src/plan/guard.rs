//! Guards: finds all blockers of a plan.
//!
//! A guard protects against accidents, not against users who can change the file: they can change its guards.

use std::collections::BTreeSet;

use super::binding::{BrokenPin, Change};
use super::blocker::Blocker;
use super::overrides::Overrides;
use super::resolve_connectors::Resolved;
use super::target::Target;
use crate::model::{Action, Desired, FlowId, FlowKey, Guards, Pins, Step, TargetUrl, bound_id};

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
    let Guards { max_changes, max_disables } = desired.guards;
    let changes = target.changes.len();
    let disables = target.changes.iter().filter(|change| change.action == Action::Disable).count();
    let exceeds = |number: usize, limit: &u32| number > *limit as usize;
    let mut blockers = Vec::new();
    let max_changes = overrides.max_changes.or(max_changes).filter(|limit| exceeds(changes, limit));
    blockers.extend(max_changes.map(|limit| Blocker::MaxChanges { changes, limit }));
    let max_disables = overrides.max_disables.unwrap_or(max_disables);
    if exceeds(disables, &max_disables) {
        blockers.push(Blocker::MaxDisables { disables, limit: max_disables });
    }
    let is_allowed = |change: &&Change| {
        let key = |flow| FlowKey::from(flow);
        overrides
            .allow_protected
            .iter()
            .any(|(flow, step)| (key(flow), *step) == (key(&change.flow), change.step))
    };
    let protected = target.changes.iter().filter(|it| it.protected && it.action != Action::Enable);
    blockers.extend(protected.filter(|change| !is_allowed(change)).map(|change| Blocker::Protected {
        flow: change.flow.clone(),
        step: change.step,
        action: change.action,
        source: change.source.clone(),
    }));
    let prunes_all = desired.prunes_flows() && desired.flows.is_empty();
    blockers.extend((prunes_all && !overrides.allow_empty).then_some(Blocker::EmptyPrune));
    blockers
        .extend(target.pins.iter().filter(|pin| is_bound_by(target, pin)).cloned().map(Blocker::PinMismatch));
    blockers
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
