//! Report as JSON, format version 2. These structs are the format: within a version, keys are only added.

#[cfg(test)]
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

use super::error::{FORMAT_VERSION, SavedFileError};
use super::parts::{self, Tool, check_action};
use super::saved_as::saved_as;
use crate::apply::{
    ChangeReport, Outcome, OutcomeKind, Reason, Report, ReportedChange, SentPut, TargetReport,
};
use crate::diagnostic::SourceLocation;
use crate::model::{Action, Actor, Api, Bound, ClientIds, Cloud, FlowId, Label, Step, Tenant};
use crate::plan::{HeldBinding, Hold, Limit, Problem, ShardInfo};

/// Serializes a report to indented JSON. The times are RFC 3339.
pub fn to_json(report: &Report, started_at: &str, finished_at: &str) -> String {
    let Report { fingerprint, targets, errors, exit_code, shard, limit, label } = report.clone();
    let file = ReportFile {
        format_version: FORMAT_VERSION.to_owned(),
        kind: "report".to_owned(),
        tool: Tool::this(),
        started_at: started_at.to_owned(),
        finished_at: finished_at.to_owned(),
        fingerprint,
        targets,
        errors,
        exit_code,
        shard,
        limit,
        label,
    };
    parts::to_json(&file)
}

/// Parses a report, whose `kind` and version the caller has checked. Exit code 0 in a report whose changes
/// are not all done is an error.
///
/// # Errors
/// The text is not of this shape, or has a value that cannot occur.
pub(super) fn from_json(text: &str) -> Result<(Report, String, String), SavedFileError> {
    let file: ReportFile = parts::parse(text)?;
    let ReportFile { started_at, finished_at, fingerprint, targets, errors, exit_code, .. } = file;
    let (shard, limit, label) = (file.shard, file.limit, file.label);
    let report = Report { fingerprint, targets, errors, exit_code, shard, limit, label };
    // Pipelines rely on code 0, so nothing else in the report may contradict it.
    if report.exit_code == 0 && !report.is_complete() {
        return Err(SavedFileError::InvalidValue(
            "`exitCode`: 0, although not all changes are done".to_owned(),
        ));
    }
    Ok((report, started_at, finished_at))
}

/// Returns the JSON Schema of a report.
#[cfg(test)]
pub(crate) fn json_schema() -> Schema {
    schema_for!(ReportFile)
}

/// Result of applying a plan.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, schemars(title = "flowbind report"))]
struct ReportFile {
    /// Version of this format. Within a version, keys are only added.
    #[cfg_attr(test, schemars(extend("const" = FORMAT_VERSION)))]
    format_version: String,
    /// Kind of the file.
    #[cfg_attr(test, schemars(extend("const" = "report")))]
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
    targets: Vec<TargetReport>,
    /// Problems of the run, also outputs that could not be written, and of tenants in which nothing was started.
    errors: Vec<Problem>,
    /// Exit code of the run.
    exit_code: u8,
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

/// Result of one tenant's changes.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
struct ReportTarget {
    /// Tenant, as the file names it.
    tenant: Tenant,
    /// GUID of the tenant; null if it is not known.
    tenant_id: Option<String>,
    /// Cloud of the tenant.
    #[cfg_attr(test, schemars(with = "String"))]
    cloud: Cloud,
    /// Version of Graph.
    #[cfg_attr(test, schemars(with = "String"))]
    api: Api,
    /// Root of Graph, version included.
    graph_url: String,
    /// App that signs in, or the two that do; null if the file names none.
    #[serde(default)]
    client_id: Option<ClientIds>,
    /// Who applied, as the access token names it: an app, or a user by name or object id; null if it is not known.
    #[serde(default)]
    actor: Option<Actor>,
    /// File that lists the bindings.
    #[serde(default)]
    file: String,
    /// Fingerprint of the plan for this tenant; null if it was incomplete.
    fingerprint: Option<String>,
    /// Every change of the plan.
    changes: Vec<ChangeReport>,
    /// Bindings with an active hold, whether they change or not; absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    holds: Vec<HeldBinding>,
    /// Counts.
    summary: ReportSummary,
}

/// Binding with an active hold.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct ReportHold {
    /// The flow.
    flow: FlowId,
    /// The step.
    #[cfg_attr(test, schemars(with = "String"))]
    step: Step,
    /// Value until the hold ends; null for nothing.
    value: Bound,
    /// The hold.
    hold: Hold,
}

saved_as!(HeldBinding, ReportHold { flow, step, value, hold });

/// Result of one change.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
struct ReportChange {
    /// The flow.
    flow: FlowId,
    /// The step.
    #[cfg_attr(test, schemars(with = "String"))]
    step: Step,
    /// `enable`, `replace` or `disable`.
    #[cfg_attr(test, schemars(with = "String", extend("enum" = crate::model::names::<crate::model::Action>())))]
    action: Action,
    /// Value in the tenant before; null for nothing.
    current: Bound,
    /// Desired value; null for nothing.
    desired: Bound,
    /// Whether the file protects the binding.
    #[serde(default)]
    protected: bool,
    /// Location of the value in the file; null if it is not known.
    #[serde(default)]
    source: Option<SourceLocation>,
    /// `applied`: the read-back showed the desired value. `already`: the tenant had it before, nothing was sent.
    /// `failed`: rejected, and not changed. `unverified`: not known whether it took effect. `not-attempted`:
    /// nothing was sent.
    #[cfg_attr(test, schemars(with = "String", extend("enum" = crate::model::names::<OutcomeKind>())))]
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
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
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

saved_as!(TargetReport, ReportTarget);

impl From<TargetReport> for ReportTarget {
    fn from(target: TargetReport) -> Self {
        let summary = ReportSummary {
            applied: target.count(OutcomeKind::Applied),
            already: target.count(OutcomeKind::Already),
            failed: target.count(OutcomeKind::Failed),
            unverified: target.count(OutcomeKind::Unverified),
            not_attempted: target.count(OutcomeKind::NotAttempted),
        };
        let TargetReport {
            tenant,
            tenant_id,
            cloud,
            api,
            graph_url,
            client_id,
            actor,
            file,
            fingerprint,
            changes,
            holds,
        } = target;
        Self {
            tenant,
            tenant_id,
            cloud,
            api,
            graph_url,
            client_id,
            actor,
            file,
            fingerprint,
            changes,
            holds,
            summary,
        }
    }
}

impl From<ReportTarget> for TargetReport {
    fn from(target: ReportTarget) -> Self {
        let ReportTarget {
            tenant,
            tenant_id,
            cloud,
            api,
            graph_url,
            client_id,
            actor,
            file,
            fingerprint,
            changes,
            holds,
            summary: _,
        } = target;
        Self { tenant, tenant_id, cloud, api, graph_url, client_id, actor, file, fingerprint, changes, holds }
    }
}

saved_as!(ChangeReport, ReportChange);

impl From<ChangeReport> for ReportChange {
    fn from(ChangeReport { change, outcome }: ChangeReport) -> Self {
        let ReportedChange { flow, step, action, current, desired, protected, source } = change;
        Self {
            flow,
            step,
            action,
            current,
            desired,
            protected,
            source,
            outcome: outcome.kind(),
            id: outcome.kind().code().map(|code| code.id().to_owned()),
            attempts: outcome.put().map_or(0, |put| put.attempts),
            request_id: outcome.request_id().map(str::to_owned),
            error: outcome.error().map(str::to_owned),
            hint: outcome.hint().map(str::to_owned),
        }
    }
}

impl ReportChange {
    /// Returns the outcome with its values. Values that this kind of outcome cannot have are an error.
    fn outcome(&self) -> Result<Outcome, String> {
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
            format!("`outcome`: `{}` contradicts {keys}", kind.name())
        })
    }
}

impl TryFrom<ReportChange> for ChangeReport {
    type Error = String;

    fn try_from(change: ReportChange) -> Result<Self, String> {
        let outcome = change.outcome()?;
        let ReportChange { flow, step, action, current, desired, protected, source, .. } = change;
        check_action(action, &current, &desired)?;
        let change = ReportedChange { flow, step, action, current, desired, protected, source };
        Ok(Self { change, outcome })
    }
}
