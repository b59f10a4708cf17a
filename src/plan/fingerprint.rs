//! Fingerprint of a plan: SHA-256 over the tenant, the changes and the blockers, as ids and values.
//!
//! It covers the displayNames of the changes, so a saved plan cannot show a reviewer another name for an id. It
//! covers the lifted blockers, so a plan that needs an override flag differs from one that does not, and the
//! pins, the ends of holds and the app, because `apply` uses them. It does not cover messages and unmanaged bindings,
//! because they do not change what a run would do, nor the GUID of the tenant, which a plan from a snapshot may not have.
//!
//! It protects against accidents: anyone who can rewrite a plan can compute it as well.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::blocker::Blocker;
use super::target::Target;
use crate::model::{Bound, ClientIds, Cloud, ConnectorId, FlowId, Step, Tenant, bound_id};

/// Hashed content. Fields are sorted by name, which makes the JSON canonical. Another `format` gives every plan
/// another fingerprint.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Canonical<'a> {
    blockers: Vec<Vec<String>>,
    changes: Vec<CanonicalChange<'a>>,
    client_id: Option<CanonicalClientIds<'a>>,
    cloud: Cloud,
    format: u32,
    graph_url: &'a str,
    lifted: Vec<Vec<String>>,
    tenant: &'a Tenant,
}

/// The apps that sign in. Plans with one app have the fingerprint of its id alone.
#[derive(Serialize)]
#[serde(untagged)]
enum CanonicalClientIds<'a> {
    Single(&'a str),
    Split { apply: &'a str, plan: &'a str },
}

impl<'a> From<&'a ClientIds> for CanonicalClientIds<'a> {
    fn from(ids: &'a ClientIds) -> Self {
        match ids {
            single if single.is_single() => Self::Single(&ids.plan),
            ClientIds { plan, apply } => Self::Split { apply, plan },
        }
    }
}

/// The values of a change that decide whether and which PUT is sent, and what a reviewer saw of them.
#[derive(Serialize)]
struct CanonicalChange<'a> {
    current: Option<CanonicalConnector<'a>>,
    desired: Option<CanonicalConnector<'a>>,
    flow: &'a FlowId,
    /// End of the hold, if the desired value is that of a hold. Plans without holds keep their fingerprints.
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<String>,
    pin: Option<String>,
    protected: bool,
    step: Step,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalConnector<'a> {
    display_name: Option<&'a str>,
    id: &'a ConnectorId,
}

fn canonical_connector(bound: &Bound) -> Option<CanonicalConnector<'_>> {
    let connector = bound.as_ref()?;
    Some(CanonicalConnector { display_name: connector.display_name.as_deref(), id: &connector.id })
}

/// Returns the id of a blocker and the values that identify it.
fn canonical_blocker(blocker: &Blocker) -> Vec<String> {
    let mut parts = vec![blocker.code().id().to_owned()];
    parts.extend(match blocker {
        Blocker::MaxChanges { changes: number, limit, source: _ }
        | Blocker::MaxDisables { disables: number, limit, source: _ } => {
            vec![number.to_string(), limit.to_string()]
        }
        Blocker::Protected { flow, step, action, source: _ } => {
            vec![flow.to_string(), step.name().to_owned(), action.name().to_owned()]
        }
        Blocker::UndoStale { flow, step, set, current, source: _ } => {
            let id = |bound| bound_id(bound).map(ToString::to_string).unwrap_or_default();
            vec![flow.to_string(), step.name().to_owned(), id(set), id(current)]
        }
        Blocker::UndoDeleted { flow, step, connector, source: _ } => {
            vec![flow.to_string(), step.name().to_owned(), connector.id.to_string()]
        }
        Blocker::EmptyPrune { source: _ } => Vec::new(),
        Blocker::PinMismatch(pin) => {
            let values = [pin.connector.id.as_str(), &pin.expected];
            values.into_iter().chain(pin.actual.as_deref()).map(str::to_owned).collect()
        }
    });
    parts
}

/// Returns the fingerprint of one target, as 64 hexadecimal digits.
pub fn target_fingerprint(target: &Target) -> String {
    let changes = target.changes.iter().map(|change| CanonicalChange {
        current: canonical_connector(&change.current),
        desired: canonical_connector(&change.desired),
        flow: &change.flow,
        hold: change.active_hold().map(|hold| hold.until.to_string()),
        pin: change.pin.as_ref().map(ToString::to_string),
        protected: change.protected,
        step: change.step,
    });
    let mut changes: Vec<_> = changes.collect();
    changes.sort_unstable_by_key(|change| (change.flow, change.step));
    let sorted = |blockers: &[Blocker]| {
        let mut blockers: Vec<_> = blockers.iter().map(canonical_blocker).collect();
        blockers.sort_unstable();
        blockers
    };
    let canonical = Canonical {
        blockers: sorted(&target.blockers),
        changes,
        client_id: target.client_id.as_ref().map(CanonicalClientIds::from),
        cloud: target.cloud,
        format: 2,
        graph_url: &target.graph_url,
        lifted: sorted(&target.lifted),
        tenant: &target.tenant,
    };
    #[expect(
        clippy::expect_used,
        reason = "strings, numbers and lists are always JSON; a default would give all plans the same fingerprint"
    )]
    let json = serde_json::to_vec(&canonical).expect("strings, numbers and lists are JSON");
    sha256(&json)
}

/// Returns the fingerprint of a run, computed from those of its targets in any order. A run with one target has
/// its fingerprint. `None` if any target has none.
pub fn combine_fingerprints(targets: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    let mut targets: Vec<_> = targets.into_iter().collect::<Option<_>>()?;
    targets.sort_unstable();
    Some(match targets.as_slice() {
        [only] => only.clone(),
        several => sha256(several.join("\n").as_bytes()),
    })
}

/// Returns the SHA-256 of bytes, as 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a `String` never fails.
        _ = write!(hex, "{byte:02x}");
        hex
    })
}
