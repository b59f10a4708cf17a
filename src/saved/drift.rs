//! Drift as JSON, format version 2. These structs are the format: within a version, keys are only added.

use jiff::Timestamp;
#[cfg(test)]
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

use super::error::{FORMAT_VERSION, SavedFileError};
use super::parts::{self, Tool};
use super::saved_as::saved_as;
use crate::diagnostic::SourceLocation;
use crate::drift::{Difference, Drift, Kind, Remembered, Revert, Subject, TargetDrift, Value};
use crate::model::{Api, Cloud, Connector, FlowId, Label, Step, Tenant};
use crate::plan::{
    BoundCertificate, Hold, InSync, Limit, NeverCalled, Problem, ShardInfo, Unmanaged, UnreadableBinding,
};

/// Serializes drift with its fingerprint to indented JSON. `created_at` is RFC 3339.
pub fn to_json(drift: &Drift, created_at: &str) -> String {
    let file = DriftFile {
        format_version: FORMAT_VERSION.to_owned(),
        kind: "drift".to_owned(),
        tool: Tool::this(),
        created_at: created_at.to_owned(),
        strict: drift.strict,
        compared: drift.is_compared,
        fingerprint: drift.fingerprint(),
        targets: drift.targets.clone(),
        remembered: drift.remembered.clone(),
        errors: drift.errors.clone(),
        shard: drift.shard.clone(),
        limit: drift.limit.clone(),
        label: drift.label.clone(),
    };
    parts::to_json(&file)
}

/// Parses drift, whose `kind` and version the caller has checked. Drift that does not match its fingerprint, or has
/// a binding twice, is an error.
///
/// # Errors
/// The text is not of this shape, has a value that cannot occur, or does not match its fingerprint.
pub(super) fn from_json(text: &str) -> Result<(Drift, String), SavedFileError> {
    let file: DriftFile = parts::parse(text)?;
    let drift = Drift {
        targets: file.targets,
        errors: file.errors,
        shard: file.shard,
        limit: file.limit,
        label: file.label,
        strict: file.strict,
        is_compared: file.compared,
        remembered: file.remembered,
    };
    if drift.fingerprint() != file.fingerprint {
        return Err(SavedFileError::FingerprintMismatch);
    }
    match drift.find_duplicate_binding() {
        None => Ok((drift, file.created_at)),
        Some((tenant, flow, step)) => {
            Err(SavedFileError::DuplicateBinding { tenant: tenant.clone(), flow: flow.clone(), step })
        }
    }
}

/// Returns the JSON Schema of drift.
#[cfg(test)]
pub(crate) fn json_schema() -> Schema {
    schema_for!(DriftFile)
}

/// Differences between the tenants of a run and their files.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, schemars(title = "flowbind drift"))]
struct DriftFile {
    /// Version of this format. Within a version, keys are only added.
    #[cfg_attr(test, schemars(extend("const" = FORMAT_VERSION)))]
    format_version: String,
    /// Kind of the file.
    #[cfg_attr(test, schemars(extend("const" = "drift")))]
    kind: String,
    /// Program that wrote it.
    tool: Tool,
    /// When the tenants were read, in RFC 3339.
    created_at: String,
    /// Whether bindings that the files do not list are differences.
    strict: bool,
    /// Whether the run was compared with an earlier one.
    compared: bool,
    /// SHA-256 over all differences; null if not everything could be read.
    fingerprint: Option<String>,
    /// One for each file.
    targets: Vec<TargetDrift>,
    /// Differences of earlier runs that this run could neither confirm nor refute.
    remembered: Vec<Remembered>,
    /// What could not be read, and invalid files.
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

/// Differences between one file and its tenant.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
struct DriftTarget {
    /// Tenant, as the file names it.
    tenant: Tenant,
    /// GUID of the tenant; null if it is not known.
    tenant_id: Option<String>,
    /// Why the tenant of the access token could not be verified; null if it was.
    unverified: Option<String>,
    /// Cloud of the tenant.
    #[cfg_attr(test, schemars(with = "String", extend("enum" = crate::model::names::<crate::model::Cloud>())))]
    cloud: Cloud,
    /// Version of Graph.
    #[cfg_attr(test, schemars(with = "String", extend("enum" = crate::model::names::<crate::model::Api>())))]
    api: Api,
    /// Root of Graph, version included.
    graph_url: String,
    /// Value of `--graph-url`; null if it was not given.
    graph_url_option: Option<String>,
    /// Snapshot that was read in place of the tenant; null if none was.
    sandbox: Option<String>,
    /// File that lists the bindings.
    file: String,
    /// Differences, the most dangerous first.
    differences: Vec<Difference>,
    /// Differences that an earlier run reported and this one did not find.
    resolved: Vec<Difference>,
    /// Managed bindings that are as desired.
    in_sync: Vec<InSync>,
    /// Bindings that the file does not list, if they are not differences.
    unmanaged: Vec<Unmanaged>,
    /// Bindings that could not be read. They are never treated as unbound.
    unknown: Vec<UnreadableBinding>,
    /// Number of managed bindings that could not be compared, because something could not be read.
    not_compared: usize,
    /// Bindings at steps that their flows never call.
    never_called: Vec<NeverCalled>,
    /// Step that was not read, because the service rejects it; null if all were read.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    unsupported_step: Option<Step>,
    /// Certificates of the connectors that the file binds, as far as they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<BoundCertificate>,
    /// Whether `apply` reverts the differences of bindings: `possible`, `blocked` by guards, or null.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    revert: Option<Revert>,
}

impl From<TargetDrift> for DriftTarget {
    fn from(target: TargetDrift) -> Self {
        let TargetDrift {
            tenant,
            tenant_id,
            unverified,
            cloud,
            api,
            graph_url,
            graph_url_option,
            sandbox,
            file,
            differences,
            resolved,
            in_sync,
            unmanaged,
            unreadable: unknown,
            not_compared,
            never_called,
            unsupported_step,
            certificates,
            revert,
        } = target;
        Self {
            tenant,
            tenant_id,
            unverified,
            cloud,
            api,
            graph_url,
            graph_url_option,
            sandbox,
            file,
            differences,
            resolved,
            in_sync,
            unmanaged,
            unknown,
            not_compared,
            never_called,
            unsupported_step,
            certificates,
            revert,
        }
    }
}

impl From<DriftTarget> for TargetDrift {
    fn from(target: DriftTarget) -> Self {
        let DriftTarget {
            tenant,
            tenant_id,
            unverified,
            cloud,
            api,
            graph_url,
            graph_url_option,
            sandbox,
            file,
            differences,
            resolved,
            in_sync,
            unmanaged,
            unknown: unreadable,
            not_compared,
            never_called,
            unsupported_step,
            certificates,
            revert,
        } = target;
        Self {
            tenant,
            tenant_id,
            unverified,
            cloud,
            api,
            graph_url,
            graph_url_option,
            sandbox,
            file,
            differences,
            resolved,
            in_sync,
            unmanaged,
            unreadable,
            not_compared,
            never_called,
            unsupported_step,
            certificates,
            revert,
        }
    }
}

saved_as!(TargetDrift, DriftTarget);

/// Difference between a file and its tenant.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
struct DriftDifference {
    /// Kind of difference.
    #[cfg_attr(test, schemars(with = "String", extend("enum" = crate::model::names::<Kind>())))]
    kind: Kind,
    /// The flow; null for a connector.
    flow: Option<FlowId>,
    /// The step; null for a connector or a flow.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    step: Option<Step>,
    /// The connector, for `address` and `certificate`; otherwise null.
    connector: Option<Connector>,
    /// Value in the file; null for nothing.
    file: Option<Value>,
    /// Value in the tenant; null for nothing.
    tenant: Option<Value>,
    /// Location in the file; null if the file has none.
    source: Option<SourceLocation>,
    /// Why a name of the file was not found, or that the hold of the binding expired; otherwise null.
    note: Option<String>,
    /// Hold of the binding; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold: Option<Box<Hold>>,
    /// Time of the first run that reported the difference, in RFC 3339.
    first_seen: String,
    /// Whether the earlier run did not report the difference; absent if the run was not compared with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<bool>,
}

impl From<Difference> for DriftDifference {
    fn from(difference: Difference) -> Self {
        let Difference { kind, subject, file, tenant, source, note, hold, first_seen, is_new: new } =
            difference;
        let (flow, step, connector) = match subject {
            Subject::Binding(flow, step) => (Some(flow), Some(step), None),
            Subject::Flow(flow) => (Some(flow), None, None),
            Subject::Connector(connector) => (None, None, Some(connector)),
        };
        Self {
            kind,
            flow,
            step,
            connector,
            file,
            tenant,
            source,
            note,
            hold,
            first_seen: first_seen.to_string(),
            new,
        }
    }
}

impl TryFrom<DriftDifference> for Difference {
    type Error = String;

    fn try_from(part: DriftDifference) -> Result<Self, String> {
        let DriftDifference {
            kind,
            flow,
            step,
            connector,
            file,
            tenant,
            source,
            note,
            hold,
            first_seen,
            new,
        } = part;
        let subject = match (flow, step, connector) {
            (Some(flow), Some(step), None) => Subject::Binding(flow, step),
            (Some(flow), None, None) => Subject::Flow(flow),
            (None, None, Some(connector)) => Subject::Connector(connector),
            _ => return Err("`differences`: expected `flow` and `step`, `flow`, or `connector`".to_owned()),
        };
        let is_possible = match kind {
            Kind::Missing | Kind::Changed | Kind::Dangling | Kind::Added | Kind::Unmanaged => {
                subject.step().is_some()
            }
            Kind::Unresolved => subject.flow().is_some(),
            Kind::Address | Kind::Certificate => subject.connector().is_some(),
        };
        if !is_possible {
            return Err(format!("`differences`: `{}` of another subject", kind.name()));
        }
        let time = |text: &str| text.parse::<Timestamp>();
        let first_seen = time(&first_seen).map_err(|_| format!("`firstSeen`: `{first_seen}`"))?;
        Ok(Self { kind, subject, file, tenant, source, note, hold, first_seen, is_new: new })
    }
}

saved_as!(Difference, DriftDifference);

/// Value in a file or in a tenant: a connector, or a text for `address` and `certificate`.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(untagged)]
enum DriftValue {
    /// Connector of the tenant.
    Connector(Connector),
    /// Connector by a name that none or several connectors of the tenant have.
    Name(DriftName),
    /// Address, or the time until which a certificate is valid.
    Text(String),
}

/// Connector by a name that none or several connectors of the tenant have.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
struct DriftName {
    /// Always null.
    id: (),
    /// displayName in the file.
    display_name: String,
}

impl From<Value> for DriftValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Connector(connector) => Self::Connector(connector),
            Value::Name(display_name) => Self::Name(DriftName { id: (), display_name }),
            Value::Text(text) => Self::Text(text),
        }
    }
}

impl From<DriftValue> for Value {
    fn from(value: DriftValue) -> Self {
        match value {
            DriftValue::Connector(connector) => Self::Connector(connector),
            DriftValue::Name(DriftName { id: (), display_name }) => Self::Name(display_name),
            DriftValue::Text(text) => Self::Text(text),
        }
    }
}

saved_as!(Value, DriftValue);

/// Difference of an earlier run, in a tenant that this run could not read.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct DriftRemembered {
    /// Tenant, as the file named it.
    tenant: Tenant,
    /// The difference.
    difference: Difference,
}

saved_as!(Remembered, DriftRemembered { tenant, difference });
