//! Saved files: a file that can be read is written and reads back unchanged.

use flowbind::model::{Cloud, ConnectorId, Step, TargetUrl, names};
use flowbind::saved::{self, Saved, SavedFileError};
use flowbind::snapshot::Snapshot;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// Checks a plan or report as it is. A plan is also checked with corrected fingerprints.
pub fn saved(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match saved::read(text) {
        Ok(saved) => _ = assert_reads_again(&saved),
        Err(error) => _ = error.to_string(),
    }
    let Some(valid) = with_valid_fingerprints(text) else { return };
    match saved::read(&valid) {
        Ok(saved) => assert_edits_are_found(&assert_reads_again(&saved)),
        Err(error) => assert_ne!(error, SavedFileError::FingerprintMismatch, "{valid}"),
    }
}

/// Checks that a saved file reads back unchanged. Returns its text.
fn assert_reads_again(saved: &Saved) -> String {
    let written = match saved {
        Saved::Plan(plan, created) => saved::plan::to_json(plan, created),
        Saved::Drift(drift, created) => saved::drift::to_json(drift, created),
        Saved::Report(report, started, finished) => saved::report::to_json(report, started, finished),
    };

    assert_eq!(saved::read(&written).as_ref(), Ok(saved), "{written}");
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
            assert_eq!(
                saved::read(&edited.to_string()),
                Err(SavedFileError::FingerprintMismatch),
                "{pointer} of {before}"
            );
        }
    };
    let lengthen = |value: &mut Value| {
        if let Value::String(text) = value {
            text.push('x');
        }
    };
    let increment = |value: &mut Value| {
        if let Some(number) = value.as_u64() {
            *value = number.wrapping_add(1).into();
        }
    };
    if plan["fingerprint"].is_null() {
        return assert_completion_is_found(plan);
    }
    assert_found("/fingerprint", &lengthen);
    assert_found("/tenants/0/fingerprint", &lengthen);
    let count = |pointer: &str| plan.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len);
    for target in 0..count("/targets").min(MAX_ITEMS) {
        let target = format!("/targets/{target}");
        for key in ["tenant", "clientId", "graphUrl", "fingerprint"] {
            assert_found(&format!("{target}/{key}"), &lengthen);
        }
        assert_found(&format!("{target}/cloud"), &|cloud| rotate(cloud, names::<Cloud>()));
        for change in 0..count(&format!("{target}/changes")).min(MAX_ITEMS) {
            let change = format!("{target}/changes/{change}");
            assert_found(&format!("{change}/flow"), &lengthen);
            assert_found(&format!("{change}/step"), &|step| rotate(step, names::<Step>()));
            assert_found(&format!("{change}/pin"), &|pin| *pin = Value::Null);
            assert_found(&format!("{change}/protected"), &|protected| {
                *protected = (protected != &Value::Bool(true)).into();
            });
            for side in ["current", "desired"] {
                assert_found(&format!("{change}/{side}/id"), &other_id(&plan, &change));
                assert_found(&format!("{change}/{side}/displayName"), &lengthen);
            }
        }
        for refusal in 0..count(&format!("{target}/refusals")).min(MAX_ITEMS) {
            let refusal = format!("{target}/refusals/{refusal}");
            for key in ["number", "limit"] {
                assert_found(&format!("{refusal}/{key}"), &increment);
            }
            for key in ["flow", "expected", "actual"] {
                assert_found(&format!("{refusal}/{key}"), &lengthen);
            }
        }
        for list in ["changes", "refusals"] {
            assert_found(&format!("{target}/{list}"), &|list| _ = list.as_array_mut().map(Vec::pop));
        }
        let one_more = |refusals: &mut Value| {
            let refusal = json!({"id": "empty-prune", "reason": "", "allow": null});
            _ = refusals.as_array_mut().map(|refusals| refusals.push(refusal));
        };
        assert_found(&format!("{target}/refusals"), &one_more);
        assert_found(&format!("{target}/lifted"), &one_more);
    }
}

/// Checks that an incomplete plan does not pass for a complete one after its errors are removed.
fn assert_completion_is_found(mut plan: Value) {
    plan["errors"] = json!([]);
    for target in plan["targets"].as_array_mut().expect("targets") {
        target["unknown"] = json!([]);
    }
    if plan["targets"].as_array().is_some_and(|targets| !targets.is_empty()) {
        assert_eq!(saved::read(&plan.to_string()), Err(SavedFileError::FingerprintMismatch), "{plan}");
    }
}

/// Number of list items that are edited. The remaining items add no coverage.
const MAX_ITEMS: usize = 3;

/// Replaces one of several names by the next one.
fn rotate(value: &mut Value, names: Vec<&str>) {
    let at = names.iter().position(|name| value == name).expect("one of the names");
    *value = names[(at + 1) % names.len()].into();
}

/// Replaces an id by one that neither side of a change has, so that its `action` stays valid.
fn other_id(plan: &Value, change: &str) -> impl Fn(&mut Value) {
    let ids = ["current", "desired"].map(|side| plan.pointer(&format!("{change}/{side}/id")));
    let is_other = |id: &&str| ids.into_iter().flatten().all(|used| used != id);
    let other = ["a", "b", "c"].into_iter().find(is_other).expect("two ids use at most two of three");
    move |id| *id = other.into()
}

/// Recomputes the fingerprints of a plan according to their documentation: SHA-256 of the canonical JSON
/// of tenant, app, cloud, Graph URL, changes and blockers; for several targets, of their sorted fingerprints; null
/// for incomplete plans.
/// Returns `None` if the text is not a plan.
fn with_valid_fingerprints(text: &str) -> Option<String> {
    let mut plan: Value = serde_json::from_str(text).ok()?;
    if plan.get("kind")? != "plan" {
        return None;
    }
    let tenant = |value: &Value| value.get("tenant").and_then(Value::as_str).map(str::to_ascii_lowercase);
    let errors = plan.get("errors")?.as_array()?.clone();
    let concerns_all = errors.iter().any(|error| tenant(error).is_none());
    let mut incomplete: Vec<_> = errors.iter().filter_map(tenant).collect();
    for target in plan.get("targets")?.as_array()? {
        if !target.get("unknown")?.as_array()?.is_empty() {
            incomplete.extend(tenant(target));
        }
    }
    let mut fingerprints = Vec::new();
    for target in plan.get_mut("targets")?.as_array_mut()? {
        let is_incomplete = concerns_all || tenant(target).is_some_and(|it| incomplete.contains(&it));
        let target = target.as_object_mut()?;
        let fingerprint = sha256(&canonical(target)?.to_string());
        let fingerprint = (!is_incomplete).then_some(fingerprint);
        fingerprints.push(fingerprint.clone());
        target.insert("fingerprint".into(), fingerprint.into());
    }
    let fingerprints: Option<Vec<_>> = fingerprints.into_iter().collect();
    let fingerprint = fingerprints.filter(|_| errors.is_empty()).map(|mut fingerprints| {
        fingerprints.sort_unstable();
        match fingerprints.as_slice() {
            [only] => only.clone(),
            several => sha256(&several.join("\n")),
        }
    });
    let keys = plan.as_object_mut()?;
    keys.insert("fingerprint".into(), fingerprint.into());
    // May be left out. Those that are written are edited later.
    keys.remove("tenants");
    Some(plan.to_string())
}

fn canonical(target: &Map<String, Value>) -> Option<Value> {
    let connector = |change: &Value, side: &str| {
        let id = change.pointer(&format!("/{side}/id"))?.as_str()?;
        let id = ConnectorId::parse(id).ok()?;
        let name = change.pointer(&format!("/{side}/displayName"));
        Some(json!({"displayName": name, "id": id.as_str()}))
    };
    let pin = |change: &Value| {
        let pin: TargetUrl = change.get("pin")?.as_str()?.parse().ok()?;
        Some(pin.to_string())
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
            json!({"current": connector(change, "current"), "desired": connector(change, "desired"),
                "flow": change.get("flow"), "pin": pin(change), "protected": change.get("protected"),
                "step": change.get("step")})
        })
        .collect();
    let blockers = |key: &str| -> Option<Vec<Vec<String>>> {
        let mut blockers: Vec<_> =
            target.get(key)?.as_array()?.iter().map(canonical_blocker).collect::<Option<_>>()?;
        blockers.sort_unstable();
        Some(blockers)
    };
    Some(json!({"blockers": blockers("refusals")?, "changes": changes, "clientId": target.get("clientId"),
        "cloud": target.get("cloud"), "format": 2, "graphUrl": target.get("graphUrl"), "lifted": blockers("lifted")?,
        "tenant": target.get("tenant")}))
}

/// Returns the id of a blocker and the values that identify it.
fn canonical_blocker(blocker: &Value) -> Option<Vec<String>> {
    let text = |pointer: &&str| match blocker.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let id = blocker.get("id")?.as_str()?;
    let keys: &[&str] = match id {
        "guard-max-changes" | "guard-max-disables" => &["/number", "/limit"],
        "protected-binding" => &["/flow", "/step", "/action"],
        "pin-mismatch" => &["/connector/id", "/expected", "/actual"],
        _ => &[],
    };
    Some([id.to_owned()].into_iter().chain(keys.iter().filter_map(text)).collect())
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
