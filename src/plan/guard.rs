//! What must not be done as things are: every reason at once, each with the flag that would allow it.
//!
//! A guard is a tripwire against accidents: who may change the file decides who may change it.

use super::resolve::Resolved;
use super::{BrokenPin, Refusal, Target};
use crate::model::{TargetUrl, bound_id};

/// The pin that does not hold for a connector, if it does not.
pub(super) fn broken_pin(pin: &TargetUrl, resolved: &Resolved) -> Option<BrokenPin> {
    let Resolved { connector, target_url } = resolved;
    (target_url.as_ref() != Some(pin)).then(|| BrokenPin {
        connector: connector.clone(),
        expected: pin.to_string(),
        actual: target_url.as_ref().map(TargetUrl::to_string),
    })
}

/// Every reason against the changes of a target.
pub(super) fn refusals(target: &Target) -> Vec<Refusal> {
    target.pins.iter().filter_map(|pin| bound_to_a_broken_pin(target, pin)).collect()
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
