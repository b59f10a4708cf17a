//! Saved files: a file that can be read is written and reads back unchanged.

use flowbind::files::{self, Saved, Unreadable};
use flowbind::model::{Cloud, ConnectorId, Step};
use flowbind::snapshot::Snapshot;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// Checks a plan or report as it is. A plan is also checked with corrected fingerprints.
pub fn saved(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match files::read(text) {
        Ok(saved) => _ = assert_reads_again(&saved),
        Err(error) => _ = error.to_string(),
    }
    let Some(valid) = with_valid_fingerprints(text) else { return };
    match files::read(&valid) {
        Ok(saved) => assert_edits_are_found(&assert_reads_again(&saved)),
        Err(error) => assert_ne!(error, Unreadable::Edited, "{valid}"),
    }
}

/// Checks that a saved file reads back unchanged. Returns its text.
fn assert_reads_again(saved: &Saved) -> String {
    let written = match saved {
        Saved::Plan(plan, created) => files::plan::to_json(plan, created),
        Saved::Report(report, started, finished) => files::report::to_json(report, started, finished),
    };

    assert_eq!(files::read(&written).as_ref(), Ok(saved), "{written}");
    written
}

/// Checks that an edit of every value that the fingerprint covers is detected.
fn assert_edits_are_found(plan: &str) {
    let plan: Value = serde_json::from_str(plan).expect("JSON");
    let assert_found = |pointer: &str, edit: &dyn Fn(&mut Value)| {
        let mut edited = plan.clone();
        let Some(value) = edited.pointer_mut(pointer) else { return };
        let before = value.clone();
        edit(value);
        if *value != before {
            assert_eq!(files::read(&edited.to_string()), Err(Unreadable::Edited), "{pointer} of {before}");
        }
    };
    let lengthen = |value: &mut Value| {
        if let Value::String(text) = value {
            text.push('x');
        }
    };
    assert_found("/fingerprint", &lengthen);
    let count = |pointer: &str| plan.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len);
    for target in 0..count("/targets").min(MAX_ITEMS) {
        let target = format!("/targets/{target}");
        for key in ["tenant", "graphUrl", "fingerprint"] {
            assert_found(&format!("{target}/{key}"), &lengthen);
        }
        assert_found(&format!("{target}/cloud"), &|cloud| rotate(cloud, Cloud::ALL.map(Cloud::name)));
        for change in 0..count(&format!("{target}/changes")).min(MAX_ITEMS) {
            let change = format!("{target}/changes/{change}");
            assert_found(&format!("{change}/flow"), &lengthen);
            assert_found(&format!("{change}/step"), &|step| rotate(step, Step::ALL.map(Step::name)));
            for side in ["current", "desired"] {
                assert_found(&format!("{change}/{side}/id"), &other_id(&plan, &change));
            }
        }
        for refusal in 0..count(&format!("{target}/refusals")).min(MAX_ITEMS) {
            let refusal = format!("{target}/refusals/{refusal}");
            assert_found(&format!("{refusal}/reason"), &lengthen);
            assert_found(&format!("{refusal}/allow"), &|allow| {
                *allow = if allow.is_null() { "--allow-empty".into() } else { Value::Null };
            });
        }
        for list in ["changes", "refusals"] {
            assert_found(&format!("{target}/{list}"), &|list| _ = list.as_array_mut().map(Vec::pop));
        }
        let one_more = |refusals: &mut Value| {
            let refusal = json!({"reason": "", "allow": null});
            _ = refusals.as_array_mut().map(|refusals| refusals.push(refusal));
        };
        assert_found(&format!("{target}/refusals"), &one_more);
    }
}

/// Number of list items that are edited. The remaining items add no coverage.
const MAX_ITEMS: usize = 3;

/// Replaces one of several names by the next one.
fn rotate<const N: usize>(value: &mut Value, names: [&str; N]) {
    let at = names.iter().position(|name| value == name).expect("one of the names");
    *value = names[(at + 1) % N].into();
}

/// Replaces an id by one that neither side of a change has, so that its `action` stays valid.
fn other_id(plan: &Value, change: &str) -> impl Fn(&mut Value) {
    let ids = ["current", "desired"].map(|side| plan.pointer(&format!("{change}/{side}/id")));
    let is_other = |id: &&str| ids.into_iter().flatten().all(|used| used != id);
    let other = ["a", "b", "c"].into_iter().find(is_other).expect("two ids use at most two of three");
    move |id| *id = other.into()
}

/// Recomputes the fingerprints of a plan according to their documentation: SHA-256 of the canonical JSON
/// of tenant, cloud, Graph URL, changes and refusals; for several targets, of their sorted fingerprints.
/// Returns `None` if the text is not a plan.
fn with_valid_fingerprints(text: &str) -> Option<String> {
    let mut plan: Value = serde_json::from_str(text).ok()?;
    if plan.get("kind")? != "plan" {
        return None;
    }
    let mut fingerprints = Vec::new();
    for target in plan.get_mut("targets")?.as_array_mut()? {
        let target = target.as_object_mut()?;
        let fingerprint = sha256(&canonical(target)?.to_string());
        fingerprints.push(fingerprint.clone());
        target.insert("fingerprint".into(), fingerprint.into());
    }
    fingerprints.sort_unstable();
    let fingerprint = match fingerprints.as_slice() {
        [only] => only.clone(),
        several => sha256(&several.join("\n")),
    };
    plan.as_object_mut()?.insert("fingerprint".into(), fingerprint.into());
    Some(plan.to_string())
}

fn canonical(target: &Map<String, Value>) -> Option<Value> {
    let id = |change: &Value, side: &str| match change.pointer(&format!("/{side}/id")) {
        Some(Value::String(id)) => ConnectorId::parse(id).map_or(Value::Null, |id| id.as_str().into()),
        _ => Value::Null,
    };
    let mut changes = target.get("changes")?.as_array()?.clone();
    let steps = ["postFederationSignup", "postAttributeCollection", "preTokenIssuance"];
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    changes.sort_by_key(|change| {
        let step = text(change, "step");
        (text(change, "flow"), steps.iter().position(|name| Some(*name) == step.as_deref()))
    });
    let changes: Vec<_> = changes
        .iter()
        .map(|change| {
            json!({"current": id(change, "current"), "desired": id(change, "desired"),
                "flow": change.get("flow"), "step": change.get("step")})
        })
        .collect();
    let mut refusals: Vec<_> = target.get("refusals")?.as_array()?.clone();
    refusals.sort_by_key(|refusal| (text(refusal, "allow"), text(refusal, "reason")));
    let refusals: Vec<_> = refusals
        .iter()
        .map(|refusal| json!({"allow": refusal.get("allow"), "reason": refusal.get("reason")}))
        .collect();
    Some(json!({"changes": changes, "cloud": target.get("cloud"), "graphUrl": target.get("graphUrl"),
        "refusals": refusals, "tenant": target.get("tenant")}))
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks that a snapshot reads back unchanged and keeps no part of an address that may be a secret.
pub fn snapshot(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match Snapshot::parse(text) {
        Ok(snapshot) => {
            let written = snapshot.to_json();
            assert_eq!(Snapshot::parse(&written).ok().as_ref(), Some(&snapshot), "{written}");
            for url in snapshot.connectors.iter().filter_map(|connector| connector.target_url.as_ref()) {
                assert!(!url.as_str().contains(['?', '#']), "{url}");
            }
        }
        Err(error) => _ = error.to_string(),
    }
}
