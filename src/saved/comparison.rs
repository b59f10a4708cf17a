//! JSON of a comparison. It is for programs: no command reads it.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::error::FORMAT_VERSION;
use super::parts;
use crate::compare::{Comparison, Difference};
use crate::model::{FlowId, Step};

/// Differences between two desired-state files or snapshots.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, schemars(title = "flowbind comparison"))]
struct ComparisonFile<'a> {
    /// Version of this format. Within a version, keys are only added.
    #[cfg_attr(test, schemars(extend("const" = FORMAT_VERSION)))]
    format_version: &'static str,
    /// Kind of the document.
    #[cfg_attr(test, schemars(extend("const" = "comparison")))]
    kind: &'static str,
    /// Name of the first file.
    a: &'a str,
    /// Name of the second file.
    b: &'a str,
    /// Bindings that differ, by flow and step.
    differences: Vec<DifferencePart<'a>>,
}

/// Binding that differs.
#[derive(Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct DifferencePart<'a> {
    /// Id of the flow.
    flow: &'a FlowId,
    /// Step.
    #[cfg_attr(test, schemars(with = "String"))]
    step: Step,
    /// displayName of the connector in the first file; its id if it has no unique one; null for nothing.
    a: Option<&'a str>,
    /// The same in the second file.
    b: Option<&'a str>,
}

/// Serializes a comparison to JSON.
pub fn to_json(Comparison { a, b, differences }: &Comparison) -> String {
    let differences = differences.iter().map(|Difference { flow, step, a, b }| DifferencePart {
        flow,
        step: *step,
        a: a.as_deref(),
        b: b.as_deref(),
    });
    parts::to_json(&ComparisonFile {
        format_version: FORMAT_VERSION,
        kind: "comparison",
        a: &a.file,
        b: &b.file,
        differences: differences.collect(),
    })
}

/// Returns the JSON Schema of a comparison.
#[cfg(test)]
pub(crate) fn json_schema() -> schemars::Schema {
    schemars::schema_for!(ComparisonFile<'_>)
}
