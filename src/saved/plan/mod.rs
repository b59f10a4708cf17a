//! Plan as JSON, format version 2. These structs are the format: within a version, keys are only added.

mod binding;
mod blocker;
mod target;

#[cfg(test)]
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

use super::error::{FORMAT_VERSION, SavedFileError};
use super::parts::{self, Tool};
use crate::model::{Label, Tenant};
use crate::plan::{Limit, Plan, Problem, ShardInfo, Target};
use target::PlanTarget;

/// Serializes a plan with its fingerprints to indented JSON. `created_at` is RFC 3339.
pub fn to_json(plan: &Plan, created_at: &str) -> String {
    let targets = plan.targets().cloned().zip(plan.target_fingerprints());
    let targets = targets.map(|(target, fingerprint)| PlanTarget::new(target, fingerprint));
    let file = PlanFile {
        format_version: FORMAT_VERSION.to_owned(),
        kind: "plan".to_owned(),
        tool: Tool::this(),
        created_at: created_at.to_owned(),
        fingerprint: plan.fingerprint(),
        tenants: tenant_fingerprints(plan),
        targets: targets.collect(),
        errors: plan.errors(),
        shard: plan.shard.clone(),
        limit: plan.limit.clone(),
        label: plan.label.clone(),
    };
    parts::to_json(&file)
}

/// Parses a plan, whose `kind` and version the caller has checked. A plan that does not match its
/// fingerprints, or has a binding twice, is an error.
///
/// # Errors
/// The text is not of this shape, has a value that cannot occur, or does not match its fingerprints.
pub(super) fn from_json(text: &str) -> Result<(Plan, String), SavedFileError> {
    let file: PlanFile = parts::parse(text)?;
    let fingerprints: Vec<_> = file.targets.iter().map(|target| target.fingerprint.clone()).collect();
    let targets = file.targets.into_iter().map(Target::from).collect();
    let PlanFile { shard, limit, label, .. } = file;
    let plan = Plan { shard, limit, label, ..Plan::new(targets, file.errors) };
    let are_of_tenants = file.tenants.is_none() || file.tenants == tenant_fingerprints(&plan);
    if !are_of_tenants || plan.fingerprint() != file.fingerprint || plan.target_fingerprints() != fingerprints
    {
        return Err(SavedFileError::FingerprintMismatch);
    }
    match plan.find_duplicate_binding() {
        None => Ok((plan, file.created_at)),
        Some((tenant, flow, step)) => {
            Err(SavedFileError::DuplicateBinding { tenant: tenant.clone(), flow: flow.clone(), step })
        }
    }
}

/// Returns the fingerprint of each tenant of a run over several, in the order of their names. `None` for one tenant.
fn tenant_fingerprints(plan: &Plan) -> Option<Vec<TenantFingerprint>> {
    let of_tenant =
        |(tenant, fingerprint): (&Tenant, _)| TenantFingerprint { tenant: tenant.clone(), fingerprint };
    let mut fingerprints: Vec<_> = plan.tenant_fingerprints().into_iter().map(of_tenant).collect();
    fingerprints.sort_by(|one, other| one.tenant.cmp(&other.tenant));
    plan.has_several_tenants().then_some(fingerprints)
}

/// Returns the JSON Schema of a plan.
#[cfg(test)]
pub(crate) fn json_schema() -> Schema {
    schema_for!(PlanFile)
}

/// Changes that a run would make to its tenants.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, schemars(title = "flowbind plan"))]
struct PlanFile {
    /// Version of this format. Within a version, keys are only added.
    #[cfg_attr(test, schemars(extend("const" = FORMAT_VERSION)))]
    format_version: String,
    /// Kind of the file.
    #[cfg_attr(test, schemars(extend("const" = "plan")))]
    kind: String,
    /// Program that wrote it.
    tool: Tool,
    /// When the plan was made, in RFC 3339.
    created_at: String,
    /// SHA-256 over what the plan would change and where; null if the plan is incomplete.
    fingerprint: Option<String>,
    /// Fingerprints of the tenants, for `apply --expect TENANT=FINGERPRINT`; absent if there is one tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenants: Option<Vec<TenantFingerprint>>,
    /// One for each file.
    targets: Vec<PlanTarget>,
    /// Errors that make the plan incomplete.
    errors: Vec<Problem>,
    /// Shard of the run; absent if it was not split.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<ShardInfo>,
    /// Limit of the run to some bindings; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Limit>,
    /// Name of the run; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Label>,
}

/// Fingerprint of one tenant of a run.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
struct TenantFingerprint {
    /// Tenant, as the files name it.
    tenant: Tenant,
    /// Fingerprint of a plan of this tenant alone; null if its plan is incomplete.
    fingerprint: Option<String>,
}
