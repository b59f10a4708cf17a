//! A plan's fingerprint: the SHA-256 of what it would do and where, and of nothing else.
//!
//! It catches accidents. Someone who can rewrite a plan can compute it as well.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Refusal, Target};
use crate::model::{Cloud, ConnectorId, FlowId, Step, bound_id};

/// What goes in. The fields are in the order of their names, which makes the JSON canonical.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Canonical<'a> {
    changes: Vec<CanonicalChange<'a>>,
    cloud: Cloud,
    graph_url: &'a str,
    refusals: Vec<CanonicalRefusal<'a>>,
    tenant: &'a str,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct CanonicalChange<'a> {
    current: Option<&'a ConnectorId>,
    desired: Option<&'a ConnectorId>,
    flow: &'a FlowId,
    step: Step,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct CanonicalRefusal<'a> {
    allow: Option<&'a str>,
    reason: &'a str,
}

/// The fingerprint of one tenant's changes, as 64 hexadecimal digits.
pub(super) fn of_target(target: &Target) -> String {
    let mut changes: Vec<_> = target
        .changes
        .iter()
        .map(|change| CanonicalChange {
            current: bound_id(&change.current),
            desired: bound_id(&change.desired),
            flow: &change.flow,
            step: change.step,
        })
        .collect();
    changes.sort_unstable_by_key(|change| (change.flow, change.step));
    let mut refusals: Vec<_> = target
        .refusals
        .iter()
        .map(|Refusal { reason, allow }| CanonicalRefusal { allow: allow.as_deref(), reason })
        .collect();
    refusals.sort_unstable();
    let canonical = Canonical {
        changes,
        cloud: target.cloud,
        graph_url: &target.graph_url,
        refusals,
        tenant: &target.tenant,
    };
    // Strings, lists and maps with string keys are always JSON.
    sha256(&serde_json::to_vec(&canonical).unwrap_or_default())
}

/// The fingerprint of a run: its target's, or that of the sorted ones of several.
pub(super) fn of_run(targets: impl Iterator<Item = String>) -> String {
    let mut targets: Vec<_> = targets.collect();
    targets.sort_unstable();
    match targets.as_slice() {
        [only] => only.clone(),
        several => sha256(several.join("\n").as_bytes()),
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        _ = write!(hex, "{byte:02x}");
        hex
    })
}
