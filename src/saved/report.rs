//! Report as JSON, format version 2. These structs are the format: within a version, keys are only added.

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};
use strum::VariantArray;

use super::Saved;
use super::parts::{
    ConnectorPart, ErrorPart, FORMAT_VERSION, SavedFileError, ShardPart, Tool, action, binding_value,
    flow_id, from_name, tenant,
};
use crate::apply::{
    ChangeReport, Outcome, OutcomeKind, Reason, Report, ReportedChange, SentPut, TargetReport,
};
use crate::model::{Action, names};
use crate::plan::{Problem, ShardInfo};

/// Serializes a report to indented JSON. The times are RFC 3339.
pub fn to_json(report: &Report, started_at: &str, finished_at: &str) -> String {
    let Report { fingerprint, targets, errors, exit_code, shard } = report;
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
        shard: shard.as_ref().map(ShardPart::from),
    };
    // Strings, numbers and lists are always JSON.
    serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
}

/// Parses a report, whose `kind` and version the caller has checked. Exit code 0 in a report whose changes
/// are not all done is an error.
///
/// # Errors
/// The text is not of this shape, or has a value that cannot occur.
pub(super) fn from_json(text: &str) -> Result<Saved, SavedFileError> {
    let file: ReportFile = serde_json::from_str(text)?;
    let ReportFile { started_at, finished_at, fingerprint, targets, errors, exit_code, shard, .. } = file;
    let report = Report {
        fingerprint,
        targets: targets.into_iter().map(TargetReport::try_from).collect::<Result<_, _>>()?,
        errors: errors.into_iter().map(Problem::try_from).collect::<Result<_, _>>()?,
        exit_code,
        shard: shard.map(ShardInfo::try_from).transpose()?,
    };
    // Pipelines rely on code 0, so nothing else in the report may contradict it.
    if report.exit_code == 0 && !report.is_complete() {
        return Err(SavedFileError::InvalidValue(
            "`exitCode`: 0, although not all changes are done".to_owned(),
        ));
    }
    Ok(Saved::Report(report, started_at, finished_at))
}

/// Returns the JSON Schema of a report.
pub fn json_schema() -> Schema {
    schema_for!(ReportFile)
}

/// Result of applying a plan.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "flowbind report")]
struct ReportFile {
    /// Version of this format. Within a version, keys are only added.
    #[schemars(extend("const" = FORMAT_VERSION))]
    format_version: String,
    /// Kind of the file.
    #[schemars(extend("const" = "report"))]
    kind: String,
    /// Program that wrote it.
    tool: Tool,
    /// Start of the run, in RFC 3339.
    started_at: String,
    /// End of the run, in RFC 3339.
    finished_at: String,
    /// Fingerprint of the plan; null if it was incomplete.
    fingerprint: Option<String>,
    /// One for each file.
    targets: Vec<ReportTarget>,
    /// Problems that kept the run from changing anything.
    errors: Vec<ErrorPart>,
    /// Exit code of the run.
    exit_code: u8,
    /// Shard of the run; absent if it was not split.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<ShardPart>,
}

/// Result of one tenant's changes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ReportTarget {
    /// Tenant, as the file names it.
    tenant: String,
    /// GUID of the tenant; null if it is not known.
    tenant_id: Option<String>,
    /// Cloud of the tenant.
    cloud: String,
    /// Version of Graph.
    api: String,
    /// Root of Graph, version included.
    graph_url: String,
    /// Fingerprint of the plan for this tenant; null if it was incomplete.
    fingerprint: Option<String>,
    /// Every change of the plan.
    changes: Vec<ReportChange>,
    /// Counts.
    summary: ReportSummary,
}

/// Result of one change.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ReportChange {
    /// The flow.
    flow: String,
    /// The step.
    step: String,
    /// `enable`, `replace` or `disable`.
    #[schemars(extend("enum" = names::<Action>()))]
    action: String,
    /// Value in the tenant before; null for nothing.
    current: Option<ConnectorPart>,
    /// Desired value; null for nothing.
    desired: Option<ConnectorPart>,
    /// `applied`: the read-back showed the desired value. `already`: the tenant had it before, nothing was sent.
    /// `failed`: rejected, and not changed. `unverified`: not known whether it took effect. `not-attempted`:
    /// nothing was sent.
    #[schemars(with = "String", extend("enum" = OutcomeKind::VARIANTS))]
    outcome: OutcomeKind,
    /// Stable id of the problem; null for `applied` and `already`.
    id: Option<String>,
    /// Number of times the PUT was sent.
    attempts: u32,
    /// Graph's id of the PUT; null without a response.
    request_id: Option<String>,
    /// Why it is not applied; null if it is.
    error: Option<String>,
    /// What to do about it; null if that is not known.
    hint: Option<String>,
}

/// Numbers of changes with each outcome.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ReportSummary {
    /// The read-back showed the desired value.
    applied: usize,
    /// The tenant had the desired value before.
    already: usize,
    /// Rejected, and not changed.
    failed: usize,
    /// Not known whether it took effect.
    unverified: usize,
    /// Nothing was sent.
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
                applied: target.count(OutcomeKind::Applied),
                already: target.count(OutcomeKind::Already),
                failed: target.count(OutcomeKind::Failed),
                unverified: target.count(OutcomeKind::Unverified),
                not_attempted: target.count(OutcomeKind::NotAttempted),
            },
        }
    }
}

impl From<&ChangeReport> for ReportChange {
    fn from(ChangeReport { change, outcome }: &ChangeReport) -> Self {
        let ReportedChange { flow, step, action, current, desired, source: _ } = change;
        Self {
            flow: flow.to_string(),
            step: step.name().to_owned(),
            action: action.name().to_owned(),
            current: current.as_ref().map(ConnectorPart::from),
            desired: desired.as_ref().map(ConnectorPart::from),
            outcome: outcome.kind(),
            id: outcome.kind().code().map(|code| code.id().to_owned()),
            attempts: outcome.put().map_or(0, |put| put.attempts),
            request_id: outcome.request_id().map(str::to_owned),
            error: outcome.error().map(str::to_owned),
            hint: outcome.hint().map(str::to_owned),
        }
    }
}

impl TryFrom<ReportTarget> for TargetReport {
    type Error = SavedFileError;

    fn try_from(target: ReportTarget) -> Result<Self, SavedFileError> {
        Ok(Self {
            tenant: tenant(target.tenant)?,
            tenant_id: target.tenant_id,
            cloud: from_name("cloud", &target.cloud, |name| name.parse().ok())?,
            api: from_name("api", &target.api, |name| name.parse().ok())?,
            graph_url: target.graph_url,
            fingerprint: target.fingerprint,
            changes: target.changes.into_iter().map(ChangeReport::try_from).collect::<Result<_, _>>()?,
        })
    }
}

impl ReportChange {
    /// Returns the outcome with its values. Values that this kind of outcome cannot have are an error.
    fn outcome(&self) -> Result<Outcome, SavedFileError> {
        let Self { outcome: kind, attempts, request_id, error, hint, .. } = self;
        let put = SentPut { attempts: *attempts, request_id: request_id.clone() };
        let reason = error.clone().map(|error| Reason { error, hint: hint.clone() });
        let outcome = match (kind, reason) {
            (OutcomeKind::Applied, None) => Some(Outcome::Applied(put)),
            (OutcomeKind::Already, None) => Some(Outcome::Already),
            (OutcomeKind::Failed, Some(reason)) => Some(Outcome::Failed(put, reason)),
            (OutcomeKind::Unverified, Some(reason)) => Some(Outcome::Unverified(put, reason)),
            (OutcomeKind::NotAttempted, reason) => Some(Outcome::NotAttempted(reason)),
            _ => None,
        };
        let fits = |outcome: &Outcome| {
            outcome.put().is_some() == (*attempts > 0)
                && outcome.request_id() == request_id.as_deref()
                && outcome.hint() == hint.as_deref()
        };
        outcome.filter(fits).ok_or_else(|| {
            let keys = "`attempts`, `requestId`, `error` or `hint`";
            SavedFileError::InvalidValue(format!("`outcome`: `{}` contradicts {keys}", kind.name()))
        })
    }
}

impl TryFrom<ReportChange> for ChangeReport {
    type Error = SavedFileError;

    fn try_from(change: ReportChange) -> Result<Self, SavedFileError> {
        let outcome = change.outcome()?;
        let ReportChange { flow, step, action: name, current, desired, .. } = change;
        let (current, desired) = (binding_value(current)?, binding_value(desired)?);
        Ok(Self {
            change: ReportedChange {
                flow: flow_id(flow)?,
                step: from_name("step", &step, |name| name.parse().ok())?,
                action: action(&name, &current, &desired)?,
                current,
                desired,
                source: None,
            },
            outcome,
        })
    }
}
