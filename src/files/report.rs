//! The report as JSON, format version 1. These structs are the format: they change only by adding.

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

use super::Saved;
use super::parts::{
    ConnectorPart, ErrorPart, FORMAT_VERSION, ShardPart, Tool, Unreadable, action, bound, flow_id, named,
    tenant,
};
use crate::apply::{ChangeReport, Outcome, Report, TargetReport};
use crate::model::{Action, Api, Cloud, Step};
use crate::plan::{Change, Part, Place, Problem};

/// Writes a report as JSON. The times are RFC 3339.
pub fn to_json(report: &Report, started_at: &str, finished_at: &str) -> String {
    let Report { fingerprint, targets, errors, exit_code, part } = report;
    let file = ReportFile {
        format_version: FORMAT_VERSION.to_owned(),
        kind: "report".to_owned(),
        tool: Tool::this(),
        started_at: started_at.to_owned(),
        finished_at: finished_at.to_owned(),
        fingerprint: fingerprint.clone(),
        targets: targets.iter().map(ReportTarget::from).collect(),
        errors: errors.iter().map(ErrorPart::from).collect(),
        exit_code: *exit_code,
        shard: part.as_ref().map(ShardPart::from),
    };
    // Strings, numbers and lists are always JSON.
    serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
}

/// Reads a report whose kind is known.
///
/// # Errors
/// It is not of this shape, or holds what cannot be.
pub(super) fn from_json(text: &str) -> Result<Saved, Unreadable> {
    let file: ReportFile = serde_json::from_str(text)?;
    let ReportFile { started_at, finished_at, fingerprint, targets, errors, exit_code, shard, .. } = file;
    let report = Report {
        fingerprint,
        targets: targets.into_iter().map(TargetReport::try_from).collect::<Result<_, _>>()?,
        errors: errors.into_iter().map(Problem::from).collect(),
        exit_code,
        part: shard.map(Part::try_from).transpose()?,
    };
    // Code 0 is what others go by: nothing else in the report may say that something is missing.
    if report.exit_code == 0 && !report.is_whole() {
        return Err(Unreadable::Value("exitCode: 0".to_owned()));
    }
    Ok(Saved::Report(report, started_at, finished_at))
}

/// The JSON Schema of a report.
pub fn json_schema() -> Schema {
    schema_for!(ReportFile)
}

/// What became of each change of a plan.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "flowbind report")]
struct ReportFile {
    /// The version of this format; the same number means that keys are only ever added.
    #[schemars(extend("const" = FORMAT_VERSION))]
    format_version: String,
    /// What the file is.
    #[schemars(extend("const" = "report"))]
    kind: String,
    /// What wrote it.
    tool: Tool,
    /// When the run started, in RFC 3339.
    started_at: String,
    /// When the run ended, in RFC 3339.
    finished_at: String,
    /// The fingerprint of the plan.
    fingerprint: String,
    /// One for each tenant.
    targets: Vec<ReportTarget>,
    /// What kept the run from changing anything.
    errors: Vec<ErrorPart>,
    /// What the run ended with.
    exit_code: u8,
    /// Which part of a fleet the report is about; absent where it is about all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<ShardPart>,
}

/// What became of one tenant's changes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ReportTarget {
    /// The tenant, as the file names it.
    tenant: String,
    /// The tenant's GUID, where it is known.
    tenant_id: Option<String>,
    /// The tenant's cloud.
    cloud: String,
    /// The version of Graph that was asked.
    api: String,
    /// Graph's root, version included.
    graph_url: String,
    /// The fingerprint of what was planned.
    #[serde(default)]
    fingerprint: String,
    /// Every change of the plan.
    changes: Vec<ReportChange>,
    /// How many changes ended how.
    summary: ReportSummary,
}

/// What became of one change.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ReportChange {
    /// The flow.
    flow: String,
    /// The step.
    step: String,
    /// `enable`, `replace` or `disable`.
    #[schemars(extend("enum" = Action::ALL.map(Action::name)))]
    action: String,
    /// What was bound; null for nothing.
    current: Option<ConnectorPart>,
    /// What was to be bound; null for nothing.
    desired: Option<ConnectorPart>,
    /// `applied`: seen in the tenant. `already`: there before, nothing sent. `failed`: refused,
    /// and not seen. `unverified`: not known. `not-attempted`: nothing sent.
    #[schemars(extend("enum" = Outcome::ALL.map(Outcome::name)))]
    outcome: String,
    /// How often the PUT was sent.
    attempts: u32,
    /// Graph's tag of the PUT, where there was an answer.
    request_id: Option<String>,
    /// Why it is not applied.
    error: Option<String>,
}

/// How many changes ended how.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
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

impl From<&TargetReport> for ReportTarget {
    fn from(target: &TargetReport) -> Self {
        let TargetReport { tenant, tenant_id, cloud, api, graph_url, fingerprint, changes } = target;
        Self {
            tenant: tenant.clone(),
            tenant_id: tenant_id.clone(),
            cloud: cloud.name().to_owned(),
            api: api.name().to_owned(),
            graph_url: graph_url.clone(),
            fingerprint: fingerprint.clone(),
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

impl From<&ChangeReport> for ReportChange {
    fn from(ChangeReport { change, outcome, attempts, request_id, error }: &ChangeReport) -> Self {
        let Change { flow, step, action, current, desired, protected: _, pin: _, source: _ } = change;
        Self {
            flow: flow.to_string(),
            step: step.name().to_owned(),
            action: action.name().to_owned(),
            current: current.as_ref().map(ConnectorPart::from),
            desired: desired.as_ref().map(ConnectorPart::from),
            outcome: outcome.name().to_owned(),
            attempts: *attempts,
            request_id: request_id.clone(),
            error: error.clone(),
        }
    }
}

impl TryFrom<ReportTarget> for TargetReport {
    type Error = Unreadable;

    fn try_from(target: ReportTarget) -> Result<Self, Unreadable> {
        Ok(Self {
            tenant: tenant(target.tenant)?,
            tenant_id: target.tenant_id,
            cloud: named(&target.cloud, Cloud::from_name)?,
            api: named(&target.api, Api::from_name)?,
            graph_url: target.graph_url,
            fingerprint: target.fingerprint,
            changes: target.changes.into_iter().map(ChangeReport::try_from).collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<ReportChange> for ChangeReport {
    type Error = Unreadable;

    fn try_from(change: ReportChange) -> Result<Self, Unreadable> {
        let ReportChange { flow, step, action: name, current, desired, outcome, attempts, request_id, error } =
            change;
        let (current, desired) = (bound(current)?, bound(desired)?);
        Ok(Self {
            change: Change {
                flow: flow_id(flow)?,
                step: named(&step, Step::from_name)?,
                action: action(&name, &current, &desired)?,
                current,
                desired,
                // A report does not say what only mattered to the plan.
                protected: false,
                pin: None,
                source: Place { file: String::new(), line: 1, column: 1 },
            },
            outcome: named(&outcome, Outcome::named)?,
            attempts,
            request_id,
            error,
        })
    }
}
