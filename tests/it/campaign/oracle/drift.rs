//! Drift: it lists the same bindings as a plan, by what differs in the tenant.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{Evidence, list};

/// Kinds of differences, the most dangerous first.
const KINDS: [&str; 8] =
    ["missing", "changed", "dangling", "unresolved", "address", "certificate", "added", "unmanaged"];

/// Returns drift in the form of a plan: a difference of a managed binding as a change, and any other as an unmanaged
/// binding or a pin.
pub(super) fn to_plan(drift: &Value) -> Value {
    let mut plan = drift.clone();
    for target in plan["targets"].as_array_mut().into_iter().flatten() {
        let differences = target["differences"].take();
        let differences = differences.as_array().cloned().unwrap_or_default();
        let of_kind =
            |kind: &str| differences.iter().filter(|it| it["kind"] == kind).cloned().collect::<Vec<_>>();
        let count = |kind: &str| of_kind(kind).len();
        target["summary"] = json!({
            "enable": count("missing"),
            "replace": count("changed"),
            "disable": count("added"),
            "unchanged": list(target, "inSync").len(),
            "notCompared": target["notCompared"],
        });
        target["pins"] = of_kind("address").into();
        let (managed, unmanaged): (Vec<_>, Vec<_>) =
            differences.iter().filter(|it| it["step"].is_string()).partition(|it| !it["source"].is_null());
        let change = |it: &&Value| {
            let (flow, step) = (&it["flow"], &it["step"]);
            let (current, desired) = (&it["tenant"], &it["file"]);
            json!({ "flow": flow, "step": step, "current": current, "desired": desired, "source": it["source"],
                "action": action(current, desired), "protected": null })
        };
        target["changes"] = managed.iter().map(change).collect();
        let listed = target["unmanaged"].as_array().cloned().unwrap_or_default();
        target["unmanaged"] = unmanaged.iter().map(change).chain(listed).collect();
    }
    plan
}

fn action(current: &Value, desired: &Value) -> &'static str {
    match (current.is_null(), desired.is_null()) {
        (true, _) => "enable",
        (false, false) => "replace",
        (false, true) => "disable",
    }
}

impl Evidence<'_> {
    /// Checks that the printed drift has the counts of the document, and that the most dangerous difference of each
    /// target comes first.
    pub(super) fn check_printed_drift(&self, drift: &Value) -> Result<()> {
        if self.scenario.json {
            return self.check_same_document();
        }
        if self.is_stdout_lost() {
            return Ok(());
        }
        let targets = list(drift, "targets");
        let is_complete = list(drift, "errors").is_empty()
            && targets.iter().all(|target| list(target, "unknown").is_empty());
        ensure!(drift["fingerprint"].is_string() == is_complete, "fingerprint {}", drift["fingerprint"]);
        let position = |it: &Value| KINDS.iter().position(|kind| it["kind"] == *kind);
        for target in targets {
            ensure!(
                list(target, "differences").is_sorted_by_key(position),
                "differences of {}",
                target["file"]
            );
        }
        let differences: Vec<_> = targets.iter().flat_map(|target| list(target, "differences")).collect();
        let count = |kind: &str| differences.iter().filter(|it| it["kind"] == kind).count();
        let counts =
            KINDS.iter().filter(|kind| count(kind) > 0).map(|kind| format!("{} {kind}", count(kind)));
        let counts = counts.collect::<Vec<_>>().join(", ");
        let expected = match (is_complete, counts.is_empty()) {
            (true, true) => "No drift.".to_owned(),
            (true, false) => format!("Drift: {counts}."),
            (false, true) => "Drift incomplete: ".to_owned(),
            (false, false) => format!(" Found: {counts}."),
        };
        let is_summary = |line: &&str| line.starts_with("Drift") || *line == "No drift.";
        let summary = self.result.stdout.lines().find(is_summary).context("no summary")?;
        ensure!(summary.contains(&expected), "{summary:?}, not {expected:?}");
        Ok(())
    }
}
