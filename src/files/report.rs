//! The report as JSON, format version 1. These structs are the format: they change only by adding.

use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;

use super::parts::{ConnectorPart, ErrorPart, TOOL, Tool};
use crate::apply::{ChangeReport, Outcome, Report, TargetReport};
use crate::plan::Change;

/// Writes a report as JSON. The times are RFC 3339.
///
/// # Errors
/// None that a report could give.
pub fn to_json(report: &Report, started_at: &str, finished_at: &str) -> serde_json::Result<String> {
    let Report { fingerprint, targets, errors } = report;
    let file = ReportFile {
        format_version: "1",
        kind: "report",
        tool: TOOL,
        started_at,
        finished_at,
        fingerprint,
        targets: targets.iter().map(ReportTarget::from).collect(),
        errors: errors.iter().map(ErrorPart::from).collect(),
    };
    Ok(serde_json::to_string_pretty(&file)? + "\n")
}

/// The JSON Schema of a report.
pub fn json_schema() -> Schema {
    schema_for!(ReportFile<'_>)
}

/// What became of each change of a plan.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "flowbind report")]
struct ReportFile<'a> {
    /// The version of this format; the same number means that keys are only ever added.
    #[schemars(extend("const" = "1"))]
    format_version: &'a str,
    /// What the file is.
    #[schemars(extend("const" = "report"))]
    kind: &'a str,
    /// What wrote it.
    tool: Tool,
    /// When the run started, in RFC 3339.
    started_at: &'a str,
    /// When the run ended, in RFC 3339.
    finished_at: &'a str,
    /// The fingerprint of the plan.
    fingerprint: &'a str,
    /// One for each tenant.
    targets: Vec<ReportTarget<'a>>,
    /// What kept the run from changing anything.
    errors: Vec<ErrorPart<'a>>,
}

/// What became of one tenant's changes.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ReportTarget<'a> {
    /// The tenant, as the file names it.
    tenant: &'a str,
    /// The tenant's GUID, where it is known.
    tenant_id: Option<&'a str>,
    /// The tenant's cloud.
    cloud: &'a str,
    /// The version of Graph that was asked.
    api: &'a str,
    /// Graph's root, version included.
    graph_url: &'a str,
    /// Every change of the plan.
    changes: Vec<ReportChange<'a>>,
    /// How many changes ended how.
    summary: ReportSummary,
}

/// What became of one change.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ReportChange<'a> {
    /// The flow.
    flow: &'a str,
    /// The step.
    step: &'a str,
    /// `enable`, `replace` or `disable`.
    #[schemars(extend("enum" = ["enable", "replace", "disable"]))]
    action: &'a str,
    /// What was bound; null for nothing.
    current: Option<ConnectorPart<'a>>,
    /// What was to be bound; null for nothing.
    desired: Option<ConnectorPart<'a>>,
    /// `applied`: seen in the tenant. `already`: there before, nothing sent. `failed`: not taken,
    /// and not seen. `unverified`: not known. `not-attempted`: nothing sent.
    #[schemars(extend("enum" = Outcome::ALL.map(Outcome::name)))]
    outcome: &'a str,
    /// How often the PUT was sent.
    attempts: u32,
    /// Graph's tag of the PUT, where there was an answer.
    request_id: Option<&'a str>,
    /// Why it is not applied.
    error: Option<&'a str>,
}

/// How many changes ended how.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ReportSummary {
    /// Seen in the tenant.
    applied: usize,
    /// There before.
    already: usize,
    /// Not taken, and not seen.
    failed: usize,
    /// Not known.
    unverified: usize,
    /// Nothing sent.
    not_attempted: usize,
}

impl<'a> From<&'a TargetReport> for ReportTarget<'a> {
    fn from(target: &'a TargetReport) -> Self {
        let TargetReport { tenant, tenant_id, cloud, api, graph_url, changes } = target;
        Self {
            tenant,
            tenant_id: tenant_id.as_deref(),
            cloud: cloud.name(),
            api: api.name(),
            graph_url,
            changes: changes.iter().map(ReportChange::from).collect(),
            summary: ReportSummary {
                applied: target.count(Outcome::Applied),
                already: target.count(Outcome::Already),
                failed: target.count(Outcome::Failed),
                unverified: target.count(Outcome::Unverified),
                not_attempted: target.count(Outcome::NotAttempted),
            },
        }
    }
}

impl<'a> From<&'a ChangeReport> for ReportChange<'a> {
    fn from(ChangeReport { change, outcome, attempts, request_id, error }: &'a ChangeReport) -> Self {
        let Change { flow, step, action, current, desired, protected: _, source: _ } = change;
        Self {
            flow: flow.as_str(),
            step: step.name(),
            action: action.name(),
            current: current.as_ref().map(ConnectorPart::from),
            desired: desired.as_ref().map(ConnectorPart::from),
            outcome: outcome.name(),
            attempts: *attempts,
            request_id: request_id.as_deref(),
            error: error.as_deref(),
        }
    }
}
