//! A tenant of a plan as JSON, its bindings apart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::parts::{ConnectorPart, Unreadable, named, tenant};
use super::binding::{PlanChange, PlanInSync, PlanUnknown, PlanUnmanaged};
use crate::model::{Api, Cloud};
use crate::plan::{BrokenPin, Change, InSync, Refusal, Summary, Target, Unknown, Unmanaged, is_override};

/// What a run would do to one tenant.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanTarget {
    /// The tenant, as the file names it.
    tenant: String,
    /// The tenant's GUID, where it is known.
    tenant_id: Option<String>,
    /// The app that signs in, where the file names one.
    #[serde(default)]
    client_id: Option<String>,
    /// The tenant's cloud.
    #[schemars(extend("enum" = Cloud::ALL.map(Cloud::name)))]
    cloud: String,
    /// The version of Graph that is asked.
    #[schemars(extend("enum" = Api::ALL.map(Api::name)))]
    api: String,
    /// Graph's root, version included.
    graph_url: String,
    /// The file that wants this.
    file: String,
    /// What tells this tenant's changes from any others.
    pub(super) fingerprint: String,
    /// The bindings that differ; each is exactly one PUT.
    changes: Vec<PlanChange>,
    /// The managed bindings that are as desired.
    #[serde(default)]
    in_sync: Vec<PlanInSync>,
    /// What is bound and not mentioned by the file.
    unmanaged: Vec<PlanUnmanaged>,
    /// The bindings to connectors that are gone, whatever else is said of them; absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<PlanUnmanaged>,
    /// Connectors that do not call the address that the file pins them to.
    pins: Vec<PlanPin>,
    /// What could not be read. Never taken for nothing.
    unknown: Vec<PlanUnknown>,
    /// Why the changes must not be made as things are.
    refusals: Vec<PlanRefusal>,
    /// The flags that were given when the plan was made, and that allow or forbid.
    overrides: Vec<String>,
    /// What a reviewer should know.
    warnings: Vec<String>,
    /// The counts.
    summary: PlanSummary,
}

/// A connector that does not call the address that the file pins it to.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct PlanPin {
    /// The connector.
    connector: ConnectorPart,
    /// The address that the file gives.
    expected: String,
    /// The address that the tenant gives, where it gives one.
    actual: Option<String>,
}

/// A reason against the plan.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct PlanRefusal {
    /// What is wrong.
    reason: String,
    /// The flag that would allow it, where one would.
    allow: Option<String>,
}

/// How many bindings there are of each kind.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct PlanSummary {
    /// Nothing → a connector.
    enable: usize,
    /// One connector → another.
    replace: usize,
    /// A connector → nothing.
    disable: usize,
    /// As desired.
    unchanged: usize,
}

impl From<&Target> for PlanTarget {
    fn from(target: &Target) -> Self {
        let Target {
            tenant,
            tenant_id,
            client_id,
            cloud,
            api,
            graph_url,
            file,
            changes,
            unchanged: _,
            in_sync,
            unmanaged,
            gone,
            unknown,
            pins,
            refusals,
            overrides,
            warnings,
        } = target;
        Self {
            tenant: tenant.clone(),
            tenant_id: tenant_id.clone(),
            client_id: client_id.clone(),
            cloud: cloud.name().to_owned(),
            api: api.name().to_owned(),
            graph_url: graph_url.clone(),
            file: file.clone(),
            fingerprint: target.fingerprint(),
            changes: changes.iter().map(PlanChange::from).collect(),
            in_sync: in_sync.iter().map(PlanInSync::from).collect(),
            unmanaged: unmanaged.iter().map(PlanUnmanaged::from).collect(),
            gone: gone.iter().map(PlanUnmanaged::from).collect(),
            pins: pins.iter().map(PlanPin::from).collect(),
            unknown: unknown.iter().map(PlanUnknown::from).collect(),
            refusals: refusals.iter().map(PlanRefusal::from).collect(),
            overrides: overrides.clone(),
            warnings: warnings.clone(),
            summary: target.summary().into(),
        }
    }
}

impl TryFrom<PlanTarget> for Target {
    type Error = Unreadable;

    fn try_from(target: PlanTarget) -> Result<Self, Unreadable> {
        Ok(Self {
            tenant: tenant(target.tenant)?,
            tenant_id: target.tenant_id,
            client_id: target.client_id,
            cloud: named(&target.cloud, Cloud::from_name)?,
            api: named(&target.api, Api::from_name)?,
            graph_url: target.graph_url,
            file: target.file,
            changes: target.changes.into_iter().map(Change::try_from).collect::<Result<_, _>>()?,
            unchanged: target.summary.unchanged,
            in_sync: target.in_sync.into_iter().map(InSync::try_from).collect::<Result<_, _>>()?,
            unmanaged: target.unmanaged.into_iter().map(Unmanaged::try_from).collect::<Result<_, _>>()?,
            gone: target.gone.into_iter().map(Unmanaged::try_from).collect::<Result<_, _>>()?,
            unknown: target.unknown.into_iter().map(Unknown::try_from).collect::<Result<_, _>>()?,
            pins: target.pins.into_iter().map(BrokenPin::try_from).collect::<Result<_, _>>()?,
            refusals: target.refusals.into_iter().map(Refusal::try_from).collect::<Result<_, _>>()?,
            overrides: target.overrides.into_iter().map(override_flag).collect::<Result<_, _>>()?,
            warnings: target.warnings,
        })
    }
}

impl From<&BrokenPin> for PlanPin {
    fn from(BrokenPin { connector, expected, actual }: &BrokenPin) -> Self {
        Self { connector: connector.into(), expected: expected.clone(), actual: actual.clone() }
    }
}

impl TryFrom<PlanPin> for BrokenPin {
    type Error = Unreadable;

    fn try_from(PlanPin { connector, expected, actual }: PlanPin) -> Result<Self, Unreadable> {
        Ok(Self { connector: connector.try_into()?, expected, actual })
    }
}

/// Reads a flag: it is shown as a part of commands, and must not be one that does anything else.
fn override_flag(flag: String) -> Result<String, Unreadable> {
    if is_override(&flag) { Ok(flag) } else { Err(Unreadable::Value(flag)) }
}

impl TryFrom<PlanRefusal> for Refusal {
    type Error = Unreadable;

    fn try_from(PlanRefusal { reason, allow }: PlanRefusal) -> Result<Self, Unreadable> {
        Ok(Self { reason, allow: allow.map(override_flag).transpose()? })
    }
}

impl From<&Refusal> for PlanRefusal {
    fn from(Refusal { reason, allow }: &Refusal) -> Self {
        Self { reason: reason.clone(), allow: allow.clone() }
    }
}

impl From<Summary> for PlanSummary {
    fn from(Summary { enable, replace, disable, unchanged }: Summary) -> Self {
        Self { enable, replace, disable, unchanged }
    }
}
