//! Fingerprint of a set of differences: SHA-256 over tenant, kind, subject and both values of each.
//!
//! It changes if a difference appears, disappears or changes. It does not cover the locations in the files and the
//! times, so that a run later on has the same fingerprint.

use serde_json::json;

use super::difference::Value;
use super::target::TargetDrift;
use crate::plan::sha256;

/// Returns the fingerprint of the differences of these targets, as 64 hexadecimal digits.
pub(super) fn of_differences(targets: &[TargetDrift]) -> String {
    let mut lines: Vec<_> = targets
        .iter()
        .flat_map(|target| {
            target.differences.iter().map(|it| {
                let tenant = target.tenant.as_str().to_ascii_lowercase();
                let flow = it.subject.flow().map(|flow| flow.as_str());
                let step = it.subject.step().map(|step| step.name());
                let connector = it.subject.connector().map(|connector| connector.id.as_str());
                let value = |value: &Option<Value>| value.as_ref().map(|it| it.identity().to_owned());
                json!([tenant, it.kind.name(), flow, step, connector, value(&it.file), value(&it.tenant)])
                    .to_string()
            })
        })
        .collect();
    lines.sort_unstable();
    sha256(lines.join("\n").as_bytes())
}
