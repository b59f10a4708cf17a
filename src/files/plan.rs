//! The plan as JSON, format version 1. These structs are the format: they change only by adding.

use std::sync::Arc;

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

use super::Saved;
use super::parts::{
    ConnectorPart, ErrorPart, FORMAT_VERSION, ShardPart, Tool, Unreadable, action, bound, flow_id, named,
};
use crate::model::{Action, Api, Cloud, Step};
use crate::plan::{
    BrokenPin, Change, InSync, Part, Place, Plan, Problem, Refusal, Summary, Target, Unknown, Unmanaged,
};

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
        Some((tenant, Change { flow, step, .. })) => {
            Err(Unreadable::Twice { tenant: tenant.to_owned(), flow: flow.clone(), step: *step })
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
}

/// What a run would do to one tenant.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PlanTarget {
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
    fingerprint: String,
    /// The bindings that differ; each is exactly one PUT.
    changes: Vec<PlanChange>,
    /// The managed bindings that are as desired.
    #[serde(default)]
    in_sync: Vec<PlanInSync>,
    /// What is bound and not mentioned by the file.
    unmanaged: Vec<PlanUnmanaged>,
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

/// One binding that differs.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct PlanChange {
    /// The flow.
    flow: String,
    /// The step.
    #[schemars(extend("enum" = Step::ALL.map(Step::name)))]
    step: String,
    /// How it changes.
    #[schemars(extend("enum" = Action::ALL.map(Action::name)))]
    action: String,
    /// What is bound; null for nothing.
    current: Option<ConnectorPart>,
    /// What is to be bound; null for nothing.
    desired: Option<ConnectorPart>,
    /// Whether the file protects the binding.
    protected: bool,
    /// The address that the connector to be bound has to have, where the file pins it.
    #[serde(default)]
    pin: Option<String>,
    /// Where the file says so.
    source: PlanPlace,
}

/// A managed binding that is as desired.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct PlanInSync {
    /// The flow.
    flow: String,
    /// The step.
    #[schemars(extend("enum" = Step::ALL.map(Step::name)))]
    step: String,
    /// What is bound, and is to be; null for nothing.
    current: Option<ConnectorPart>,
    /// Where the file says so.
    source: PlanPlace,
}

/// A place in a file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct PlanPlace {
    /// The file's name.
    file: String,
    /// The line, from 1.
    line: usize,
    /// The column in Unicode characters, from 1.
    column: usize,
}

/// A binding that the file does not mention.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct PlanUnmanaged {
    /// The flow.
    flow: String,
    /// The step.
    step: String,
    /// What is bound.
    current: Option<ConnectorPart>,
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

/// A binding that could not be read.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct PlanUnknown {
    /// The flow.
    flow: String,
    /// The step.
    step: String,
    /// Why it could not be read.
    error: String,
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
            tenant: target.tenant,
            tenant_id: target.tenant_id,
            client_id: target.client_id,
            cloud: named(&target.cloud, Cloud::named)?,
            api: named(&target.api, Api::named)?,
            graph_url: target.graph_url,
            file: target.file,
            changes: target.changes.into_iter().map(Change::try_from).collect::<Result<_, _>>()?,
            unchanged: target.summary.unchanged,
            in_sync: target.in_sync.into_iter().map(InSync::try_from).collect::<Result<_, _>>()?,
            unmanaged: target.unmanaged.into_iter().map(Unmanaged::try_from).collect::<Result<_, _>>()?,
            unknown: target.unknown.into_iter().map(Unknown::try_from).collect::<Result<_, _>>()?,
            pins: target.pins.into_iter().map(BrokenPin::try_from).collect::<Result<_, _>>()?,
            refusals: target
                .refusals
                .into_iter()
                .map(|PlanRefusal { reason, allow }| Refusal { reason, allow })
                .collect(),
            overrides: target.overrides,
            warnings: target.warnings,
        })
    }
}

impl From<&Change> for PlanChange {
    fn from(Change { flow, step, action, current, desired, protected, pin, source }: &Change) -> Self {
        Self {
            flow: flow.to_string(),
            step: step.name().to_owned(),
            action: action.name().to_owned(),
            current: current.as_ref().map(ConnectorPart::from),
            desired: desired.as_ref().map(ConnectorPart::from),
            protected: *protected,
            pin: pin.as_ref().map(|pin| pin.to_string()),
            source: source.into(),
        }
    }
}

impl From<&Place> for PlanPlace {
    fn from(Place { file, line, column }: &Place) -> Self {
        Self { file: file.clone(), line: *line, column: *column }
    }
}

impl From<PlanPlace> for Place {
    fn from(PlanPlace { file, line, column }: PlanPlace) -> Self {
        Self { file, line, column }
    }
}

impl From<&InSync> for PlanInSync {
    fn from(InSync { flow, step, current, source }: &InSync) -> Self {
        let current = current.as_ref().map(ConnectorPart::from);
        Self { flow: flow.to_string(), step: step.name().to_owned(), current, source: source.into() }
    }
}

impl TryFrom<PlanInSync> for InSync {
    type Error = Unreadable;

    fn try_from(PlanInSync { flow, step, current, source }: PlanInSync) -> Result<Self, Unreadable> {
        let (step, current) = (named(&step, Step::named)?, bound(current)?);
        Ok(Self { flow: flow_id(flow)?, step, current, source: source.into() })
    }
}

impl TryFrom<PlanChange> for Change {
    type Error = Unreadable;

    fn try_from(change: PlanChange) -> Result<Self, Unreadable> {
        let PlanChange { flow, step, action: name, current, desired, protected, pin, source } = change;
        let pin = pin.map(|pin| pin.parse().map_err(|_| Unreadable::Value(pin))).transpose()?;
        let (current, desired) = (bound(current)?, bound(desired)?);
        Ok(Self {
            flow: flow_id(flow)?,
            step: named(&step, Step::named)?,
            action: action(&name, &current, &desired)?,
            current,
            desired,
            protected,
            pin: pin.map(Arc::new),
            source: source.into(),
        })
    }
}

impl From<&Unmanaged> for PlanUnmanaged {
    fn from(Unmanaged { flow, step, current }: &Unmanaged) -> Self {
        let current = current.as_ref().map(ConnectorPart::from);
        Self { flow: flow.to_string(), step: step.name().to_owned(), current }
    }
}

impl TryFrom<PlanUnmanaged> for Unmanaged {
    type Error = Unreadable;

    fn try_from(PlanUnmanaged { flow, step, current }: PlanUnmanaged) -> Result<Self, Unreadable> {
        Ok(Self { flow: flow_id(flow)?, step: named(&step, Step::named)?, current: bound(current)? })
    }
}

impl From<&Unknown> for PlanUnknown {
    fn from(Unknown { flow, step, error }: &Unknown) -> Self {
        Self { flow: flow.to_string(), step: step.name().to_owned(), error: error.to_string() }
    }
}

impl TryFrom<PlanUnknown> for Unknown {
    type Error = Unreadable;

    fn try_from(PlanUnknown { flow, step, error }: PlanUnknown) -> Result<Self, Unreadable> {
        Ok(Self { flow: flow_id(flow)?, step: named(&step, Step::named)?, error: error.into() })
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
