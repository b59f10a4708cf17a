//! Target of a plan as JSON, without its bindings.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Actor, Api, ClientIds, Cloud, Step, Tenant};
use crate::plan::{
    Blocker, BoundCertificate, BrokenPin, Change, InSync, NeverCalled, Override, Summary, Target, Unmanaged,
    UnreadableBinding, Warning,
};
use crate::saved::saved_as::saved_as;

/// Changes that a run would make to the tenant of one file.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanTarget {
    /// Tenant, as the file names it.
    tenant: Tenant,
    /// GUID of the tenant; null if it is not known.
    tenant_id: Option<String>,
    /// Why the tenant of the access token could not be verified; null if it was.
    unverified: Option<String>,
    /// App that signs in, or the two that do; null if the file names none.
    client_id: Option<ClientIds>,
    /// Who read the tenant, as the access token names it: an app, or a user by name or object id; null if it is not known.
    #[serde(default)]
    actor: Option<Actor>,
    /// Cloud of the tenant.
    #[cfg_attr(test, schemars(with = "String", extend("enum" = crate::model::names::<crate::model::Cloud>())))]
    cloud: Cloud,
    /// Version of Graph.
    #[cfg_attr(test, schemars(with = "String", extend("enum" = crate::model::names::<crate::model::Api>())))]
    api: Api,
    /// Root of Graph, version included.
    graph_url: String,
    /// File that lists the bindings.
    file: String,
    /// Steps that the file manages.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    steps: Vec<Step>,
    /// Fingerprint of the changes to this tenant; null if its plan is incomplete.
    pub(super) fingerprint: Option<String>,
    /// Bindings that differ; each is exactly one PUT.
    changes: Vec<Change>,
    /// Report whose changes are taken back; absent if the plan does not do that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    undo: Option<String>,
    /// Managed bindings that are as desired.
    in_sync: Vec<InSync>,
    /// Bindings that the file does not list.
    unmanaged: Vec<Unmanaged>,
    /// Bindings to deleted connectors, managed or not.
    dangling: Vec<Unmanaged>,
    /// Bindings at steps that their flows never call.
    #[serde(default)]
    never_called: Vec<NeverCalled>,
    /// Step that was not read, because the service rejects it; null if all were read.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    unsupported_step: Option<Step>,
    /// Connectors that do not call their pinned address.
    pins: Vec<BrokenPin>,
    /// Certificates of the connectors that the file binds, as far as they are known; absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<BoundCertificate>,
    /// Bindings that could not be read. They are never treated as unbound.
    unknown: Vec<UnreadableBinding>,
    /// Guards that block the changes.
    refusals: Vec<Blocker>,
    /// Guards that would block the changes without the overrides.
    lifted: Vec<Blocker>,
    // Flags are shown as part of commands, so the file must have nothing else.
    /// Flags that were given for this tenant when the plan was made, without the tenant. They lift or set guards.
    overrides: Vec<Override>,
    /// Facts that a reviewer should know.
    warnings: Vec<PlanWarning>,
    /// Counts.
    summary: Summary,
}

/// Fact that a reviewer should know.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct PlanWarning {
    /// Stable id of the problem.
    id: String,
    /// Message.
    message: String,
}

/// Numbers of bindings of each kind.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
struct PlanSummary {
    /// Nothing → a connector.
    enable: usize,
    /// One connector → another.
    replace: usize,
    /// A connector → nothing.
    disable: usize,
    /// As desired.
    unchanged: usize,
    /// Managed, but not compared, because it could not be read or resolved.
    not_compared: usize,
}

saved_as!(Summary, PlanSummary { enable, replace, disable, unchanged, not_compared });

impl PlanTarget {
    /// Converts a target and its fingerprint.
    pub(super) fn new(target: Target, fingerprint: Option<String>) -> Self {
        Self {
            fingerprint,
            warnings: target.warnings().iter().map(PlanWarning::from).collect(),
            summary: target.summary(),
            tenant: target.tenant,
            tenant_id: target.tenant_id,
            unverified: target.unverified,
            client_id: target.client_id,
            actor: target.actor,
            cloud: target.cloud,
            api: target.api,
            graph_url: target.graph_url,
            file: target.file,
            steps: target.steps,
            changes: target.changes,
            undo: target.undo,
            in_sync: target.in_sync,
            unmanaged: target.unmanaged,
            dangling: target.dangling,
            never_called: target.never_called,
            unsupported_step: target.unsupported_step,
            pins: target.pins,
            certificates: target.certificates,
            unknown: target.unreadable,
            refusals: target.blockers,
            lifted: target.lifted,
            overrides: target.overrides,
        }
    }
}

impl From<PlanTarget> for Target {
    fn from(target: PlanTarget) -> Self {
        Self {
            position: 0,
            tenant: target.tenant,
            tenant_id: target.tenant_id,
            unverified: target.unverified,
            client_id: target.client_id,
            actor: target.actor,
            cloud: target.cloud,
            api: target.api,
            graph_url: target.graph_url,
            file: target.file,
            steps: target.steps,
            changes: target.changes,
            undo: target.undo,
            in_sync: target.in_sync,
            not_compared: target.summary.not_compared,
            unmanaged: target.unmanaged,
            dangling: target.dangling,
            unresolved: Vec::new(),
            never_called: target.never_called,
            unsupported_step: target.unsupported_step,
            unreadable: target.unknown,
            pins: target.pins,
            certificates: target.certificates,
            blockers: target.refusals,
            lifted: target.lifted,
            overrides: target.overrides,
        }
    }
}

impl From<&Warning> for PlanWarning {
    fn from(warning: &Warning) -> Self {
        let diagnostic = warning.diagnostic();
        Self { id: diagnostic.code.id().to_owned(), message: diagnostic.message }
    }
}
