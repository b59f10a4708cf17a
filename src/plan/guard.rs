//! What must not be done as things are: every reason at once, each with the flag that would allow it.
//!
//! A guard is a tripwire against accidents: who may change the file decides who may change it.

use std::collections::BTreeSet;

use super::resolve::Resolved;
use super::{BrokenPin, Change, Refusal, Target};
use crate::model::{Action, Desired, FlowId, Guards, Pins, Prune, Step, TargetUrl, bound_id};

/// What somebody allows or forbids besides the file, when a plan is made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    /// The most changes, in place of the file's.
    pub max_changes: Option<u32>,
    /// The most disables, in place of the file's.
    pub max_disables: Option<u32>,
    /// Protected bindings that may be disabled or replaced.
    pub allow_protected: Vec<(FlowId, Step)>,
    /// Whether a file without flows may prune all flows.
    pub allow_empty: bool,
}

impl Overrides {
    /// The flags that say so.
    pub fn flags(&self) -> Vec<String> {
        let Self { max_changes, max_disables, allow_protected, allow_empty } = self;
        let max_changes = max_changes.map(|most| format!("--max-changes {most}"));
        let max_disables = max_disables.map(|most| format!("--max-disables {most}"));
        let mut told = BTreeSet::new();
        let protected = allow_protected.iter().filter(|binding| told.insert(*binding));
        let protected = protected.map(|(flow, step)| format!("--allow-protected {flow}/{step}"));
        let empty = allow_empty.then(|| "--allow-empty".to_owned());
        max_changes.into_iter().chain(max_disables).chain(protected).chain(empty).collect()
    }
}

/// Whether a flag, with its value behind a space, is one that overrides a guard.
pub fn is_override(flag: &str) -> bool {
    let name = flag.split_once(' ').map_or(flag, |(name, _)| name);
    ["--max-changes", "--max-disables", "--allow-protected", "--allow-empty"].contains(&name)
}

/// Every reason against the changes of a target.
pub(super) fn refusals(target: &Target, desired: &Desired, overrides: &Overrides) -> Vec<Refusal> {
    let Guards { max_changes, max_disables } = desired.guards;
    let disables = target.changes.iter().filter(|change| change.action == Action::Disable).count();
    let changes = (target.changes.len(), overrides.max_changes.or(max_changes));
    let disables = (disables, Some(overrides.max_disables.unwrap_or(max_disables)));
    let mut refusals = Vec::new();
    refusals.extend(too_many(changes, "changes", "maxChanges", "--max-changes"));
    refusals.extend(too_many(disables, "disables", "maxDisables", "--max-disables"));
    let protected = |change: &&Change| change.protected && change.action != Action::Enable;
    let allowed = |change: &&Change| {
        overrides.allow_protected.iter().any(|(flow, step)| *flow == change.flow && *step == change.step)
    };
    let protected = target.changes.iter().filter(protected).filter(|change| !allowed(change));
    refusals.extend(protected.map(protected_binding));
    let prunes_all = matches!(desired.prune, Some((Prune::Flows, _))) && desired.flows.is_empty();
    refusals.extend((prunes_all && !overrides.allow_empty).then(|| Refusal {
        reason: "`prune: flows` in a file without flows would disable every binding of the tenant".to_owned(),
        allow: Some("--allow-empty".to_owned()),
    }));
    refusals.extend(target.pins.iter().filter_map(|pin| bound_to_a_broken_pin(target, pin)));
    refusals
}

/// Exactly as many as the limit pass.
fn too_many((number, most): (usize, Option<u32>), what: &str, guard: &str, flag: &str) -> Option<Refusal> {
    let most = most.filter(|most| number > *most as usize)?;
    Some(Refusal {
        reason: format!("{what}: {number}, and `{guard}` allows {most}"),
        allow: Some(format!("{flag} {number}")),
    })
}

fn protected_binding(change: &Change) -> Refusal {
    let Change { flow, step, action, .. } = change;
    Refusal {
        reason: format!("`{flow}` has a protected binding at `{step}`, and this would {} it", action.name()),
        allow: Some(format!("--allow-protected {flow}/{step}")),
    }
}

/// The pins that do not hold for a connector.
pub(super) fn broken_pins(pins: &Pins, resolved: &Resolved) -> impl Iterator<Item = BrokenPin> {
    let Resolved { connector, target_url } = resolved;
    let broken = pins.for_connector(connector).filter(|pin| target_url.as_ref() != Some(&***pin));
    broken.map(|pin| BrokenPin {
        connector: connector.clone(),
        expected: pin.to_string(),
        actual: target_url.as_ref().map(TargetUrl::to_string),
    })
}

/// A pin that does not hold only matters to the changes that would bind its connector.
fn bound_to_a_broken_pin(target: &Target, pin: &BrokenPin) -> Option<Refusal> {
    let BrokenPin { connector, expected, actual } = pin;
    let binds = target.changes.iter().any(|change| bound_id(&change.desired) == Some(&connector.id));
    binds.then(|| {
        let name = connector.display_name.as_deref().unwrap_or(connector.id.as_str());
        let actual = actual.as_deref().unwrap_or("no address");
        let reason =
            format!("`{name}` is pinned to {expected}, but calls {actual}: mend the file or the connector");
        Refusal { reason, allow: None }
    })
}
