//! The plan as JSON, format version 1. These structs are the format: they change only by adding.

mod binding;
mod target;

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

use super::Saved;
use super::parts::{ErrorPart, FORMAT_VERSION, ShardPart, Tool, Unreadable};
use crate::plan::{Drift, Part, Plan, Problem, Target};
use target::PlanTarget;

/// Writes a plan as JSON. `created_at` is RFC 3339.
pub fn to_json(plan: &Plan, created_at: &str) -> String {
    let file = PlanFile {
        format_version: FORMAT_VERSION.to_owned(),
        kind: "plan".to_owned(),
        tool: Tool::this(),
        created_at: created_at.to_owned(),
        fingerprint: plan.fingerprint(),
        targets: plan.targets.iter().map(PlanTarget::from).collect(),
        errors: plan.errors.iter().map(ErrorPart::from).collect(),
        shard: plan.part.as_ref().map(ShardPart::from),
        drift: plan.drift.map(|Drift { strict }| PlanDrift { strict }),
    };
    // Strings, numbers and lists are always JSON.
    serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
}

/// Reads a plan whose kind is known.
///
/// # Errors
/// It is not of this shape, holds what cannot be, or does not fit its fingerprints.
pub(super) fn from_json(text: &str) -> Result<Saved, Unreadable> {
    let file: PlanFile = serde_json::from_str(text)?;
    let mut plan = Plan {
        targets: Vec::new(),
        errors: file.errors.into_iter().map(Problem::from).collect(),
        part: file.shard.map(Part::try_from).transpose()?,
        drift: file.drift.map(|PlanDrift { strict }| Drift { strict }),
    };
    for target in file.targets {
        let fingerprint = target.fingerprint.clone();
        let target = Target::try_from(target)?;
        if target.fingerprint() != fingerprint {
            return Err(Unreadable::Edited);
        }
        plan.targets.push(target);
    }
    if plan.fingerprint() != file.fingerprint {
        return Err(Unreadable::Edited);
    }
    match plan.twice() {
        None => Ok(Saved::Plan(plan, file.created_at)),
        Some((tenant, flow, step)) => {
            Err(Unreadable::Twice { tenant: tenant.to_owned(), flow: flow.clone(), step })
        }
    }
}

/// The JSON Schema of a plan.
pub fn json_schema() -> Schema {
    schema_for!(PlanFile)
}

/// What a run would do to its tenants.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "flowbind plan")]
struct PlanFile {
    /// The version of this format; the same number means that keys are only ever added.
    #[schemars(extend("const" = FORMAT_VERSION))]
    format_version: String,
    /// What the file is.
    #[schemars(extend("const" = "plan"))]
    kind: String,
    /// What wrote it.
    tool: Tool,
    /// When the plan was made, in RFC 3339.
    created_at: String,
    /// What tells this plan from every other: SHA-256 over what it would do and where.
    fingerprint: String,
    /// One for each tenant.
    targets: Vec<PlanTarget>,
    /// What keeps the plan from being whole.
    errors: Vec<ErrorPart>,
    /// Which part of a fleet the plan is about; absent where it is about all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<ShardPart>,
    /// What the plan answers; absent where it was not made to tell what differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<PlanDrift>,
}

/// The question whether tenants are what their files say.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct PlanDrift {
    /// Whether what is bound and not mentioned counts.
    strict: bool,
}
