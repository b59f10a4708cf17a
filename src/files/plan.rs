//! The plan as JSON, format version 1. These structs are the format: they change only by adding.

use serde::Serialize;

use super::parts::{ConnectorPart, ErrorPart, TOOL, Tool};
use crate::model::{Action, Api, Cloud, FlowId, Step};
use crate::plan::{BrokenPin, Change, Place, Plan, Refusal, Summary, Target, Unknown, Unmanaged};

/// Writes a plan as JSON. `created_at` is RFC 3339.
///
/// # Errors
/// None that a plan could give.
pub fn to_json(plan: &Plan, created_at: &str) -> serde_json::Result<String> {
    let file = PlanFile {
        format_version: "1",
        kind: "plan",
        tool: TOOL,
        created_at,
        fingerprint: plan.fingerprint(),
        targets: plan.targets.iter().map(PlanTarget::from).collect(),
        errors: plan.errors.iter().map(ErrorPart::from).collect(),
    };
    Ok(serde_json::to_string_pretty(&file)? + "\n")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlanFile<'a> {
    format_version: &'a str,
    kind: &'a str,
    tool: Tool,
    created_at: &'a str,
    fingerprint: String,
    targets: Vec<PlanTarget<'a>>,
    errors: Vec<ErrorPart<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlanTarget<'a> {
    tenant: &'a str,
    tenant_id: Option<&'a str>,
    cloud: Cloud,
    api: Api,
    graph_url: &'a str,
    file: &'a str,
    fingerprint: String,
    changes: Vec<PlanChange<'a>>,
    unmanaged: Vec<PlanUnmanaged<'a>>,
    pins: Vec<PlanPin<'a>>,
    unknown: Vec<PlanUnknown<'a>>,
    refusals: Vec<PlanRefusal<'a>>,
    overrides: &'a [String],
    warnings: &'a [String],
    summary: PlanSummary,
}

#[derive(Serialize)]
struct PlanChange<'a> {
    flow: &'a FlowId,
    step: Step,
    action: Action,
    current: Option<ConnectorPart<'a>>,
    desired: Option<ConnectorPart<'a>>,
    protected: bool,
    source: PlanPlace<'a>,
}

#[derive(Serialize)]
struct PlanPlace<'a> {
    file: &'a str,
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct PlanUnmanaged<'a> {
    flow: &'a FlowId,
    step: Step,
    current: Option<ConnectorPart<'a>>,
}

#[derive(Serialize)]
struct PlanUnknown<'a> {
    flow: &'a FlowId,
    step: Step,
    error: &'a str,
}

#[derive(Serialize)]
struct PlanPin<'a> {
    connector: ConnectorPart<'a>,
    expected: &'a str,
    actual: Option<&'a str>,
}

#[derive(Serialize)]
struct PlanRefusal<'a> {
    reason: &'a str,
    allow: Option<&'a str>,
}

#[derive(Serialize)]
struct PlanSummary {
    enable: usize,
    replace: usize,
    disable: usize,
    unchanged: usize,
}

impl<'a> From<&'a Target> for PlanTarget<'a> {
    fn from(target: &'a Target) -> Self {
        let Target {
            tenant,
            tenant_id,
            cloud,
            api,
            graph_url,
            file,
            changes,
            unchanged: _,
            unmanaged,
            unknown,
            pins,
            refusals,
            overrides,
            warnings,
        } = target;
        Self {
            tenant,
            tenant_id: tenant_id.as_deref(),
            cloud: *cloud,
            api: *api,
            graph_url,
            file,
            fingerprint: target.fingerprint(),
            changes: changes.iter().map(PlanChange::from).collect(),
            unmanaged: unmanaged.iter().map(PlanUnmanaged::from).collect(),
            pins: pins.iter().map(PlanPin::from).collect(),
            unknown: unknown.iter().map(PlanUnknown::from).collect(),
            refusals: refusals.iter().map(PlanRefusal::from).collect(),
            overrides,
            warnings,
            summary: target.summary().into(),
        }
    }
}

impl<'a> From<&'a Change> for PlanChange<'a> {
    fn from(Change { flow, step, action, current, desired, protected, source }: &'a Change) -> Self {
        let Place { file, line, column } = source;
        Self {
            flow,
            step: *step,
            action: *action,
            current: current.as_ref().map(ConnectorPart::from),
            desired: desired.as_ref().map(ConnectorPart::from),
            protected: *protected,
            source: PlanPlace { file, line: *line, column: *column },
        }
    }
}

impl<'a> From<&'a Unmanaged> for PlanUnmanaged<'a> {
    fn from(Unmanaged { flow, step, current }: &'a Unmanaged) -> Self {
        Self { flow, step: *step, current: current.as_ref().map(ConnectorPart::from) }
    }
}

impl<'a> From<&'a Unknown> for PlanUnknown<'a> {
    fn from(Unknown { flow, step, error }: &'a Unknown) -> Self {
        Self { flow, step: *step, error }
    }
}

impl<'a> From<&'a BrokenPin> for PlanPin<'a> {
    fn from(BrokenPin { connector, expected, actual }: &'a BrokenPin) -> Self {
        Self { connector: connector.into(), expected, actual: actual.as_deref() }
    }
}

impl<'a> From<&'a Refusal> for PlanRefusal<'a> {
    fn from(Refusal { reason, allow }: &'a Refusal) -> Self {
        Self { reason, allow: allow.as_deref() }
    }
}

impl From<Summary> for PlanSummary {
    fn from(Summary { enable, replace, disable, unchanged }: Summary) -> Self {
        Self { enable, replace, disable, unchanged }
    }
}
