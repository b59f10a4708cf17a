//! Target of a plan as JSON, without its bindings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::parts::{ConnectorPart, SavedFileError, from_name, tenant};
use super::binding::{PlanChange, PlanInSync, PlanUnmanaged, PlanUnreadable};
use super::blocker::PlanBlocker;
use crate::model::{Api, Cloud, names};
use crate::plan::{
    Blocker, BrokenPin, Change, InSync, Override, Summary, Target, Unmanaged, UnreadableBinding, Warning,
};

/// Changes that a run would make to the tenant of one file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanTarget {
    /// Tenant, as the file names it.
    tenant: String,
    /// GUID of the tenant; null if it is not known.
    tenant_id: Option<String>,
    /// Why the tenant of the access token could not be verified; null if it was.
    unverified: Option<String>,
    /// App that signs in; null if the file names none.
    client_id: Option<String>,
    /// Cloud of the tenant.
    #[schemars(extend("enum" = names::<Cloud>()))]
    cloud: String,
    /// Version of Graph.
    #[schemars(extend("enum" = names::<Api>()))]
    api: String,
    /// Root of Graph, version included.
    graph_url: String,
    /// File that lists the bindings.
    file: String,
    /// Fingerprint of the changes to this tenant; null if its plan is incomplete.
    pub(super) fingerprint: Option<String>,
    /// Bindings that differ; each is exactly one PUT.
    changes: Vec<PlanChange>,
    /// Managed bindings that are as desired.
    in_sync: Vec<PlanInSync>,
    /// Bindings that the file does not list.
    unmanaged: Vec<PlanUnmanaged>,
    /// Bindings to deleted connectors, managed or not.
    dangling: Vec<PlanUnmanaged>,
    /// Connectors that do not call their pinned address.
    pins: Vec<PlanPin>,
    /// Bindings that could not be read. They are never treated as unbound.
    unknown: Vec<PlanUnreadable>,
    /// Guards that block the changes.
    refusals: Vec<PlanBlocker>,
    /// Guards that would block the changes without the overrides.
    lifted: Vec<PlanBlocker>,
    /// Flags that were given when the plan was made and that lift or set guards.
    overrides: Vec<String>,
    /// Facts that a reviewer should know.
    warnings: Vec<PlanWarning>,
    /// Counts.
    summary: PlanSummary,
}

/// Connector that does not call its pinned address.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct PlanPin {
    /// The connector.
    connector: ConnectorPart,
    /// Address that the file pins.
    expected: String,
    /// Address in the tenant; null if it has none.
    actual: Option<String>,
}

/// Fact that a reviewer should know.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct PlanWarning {
    /// Stable id of the problem.
    id: String,
    /// Message.
    message: String,
}

/// Numbers of bindings of each kind.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
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

impl PlanTarget {
    /// Converts a target and its fingerprint.
    pub(super) fn new(target: &Target, fingerprint: Option<String>) -> Self {
        let Target {
            tenant,
            tenant_id,
            unverified,
            client_id,
            cloud,
            api,
            graph_url,
            file,
            changes,
            in_sync,
            not_compared: _,
            unmanaged,
            dangling,
            unreadable,
            pins,
            blockers,
            lifted,
            overrides,
        } = target;
        Self {
            tenant: tenant.clone(),
            tenant_id: tenant_id.clone(),
            unverified: unverified.clone(),
            client_id: client_id.clone(),
            cloud: cloud.name().to_owned(),
            api: api.name().to_owned(),
            graph_url: graph_url.clone(),
            file: file.clone(),
            fingerprint,
            changes: changes.iter().map(PlanChange::from).collect(),
            in_sync: in_sync.iter().map(PlanInSync::from).collect(),
            unmanaged: unmanaged.iter().map(PlanUnmanaged::from).collect(),
            dangling: dangling.iter().map(PlanUnmanaged::from).collect(),
            pins: pins.iter().map(PlanPin::from).collect(),
            unknown: unreadable.iter().map(PlanUnreadable::from).collect(),
            refusals: blockers.iter().map(PlanBlocker::from).collect(),
            lifted: lifted.iter().map(PlanBlocker::from).collect(),
            overrides: overrides.iter().map(ToString::to_string).collect(),
            warnings: target.warnings().iter().map(PlanWarning::from).collect(),
            summary: target.summary().into(),
        }
    }
}

impl TryFrom<PlanTarget> for Target {
    type Error = SavedFileError;

    fn try_from(target: PlanTarget) -> Result<Self, SavedFileError> {
        let override_flag = |flag: String| {
            flag.parse().map_err(|_| SavedFileError::InvalidValue(format!("`overrides`: `{flag}`")))
        };
        Ok(Self {
            tenant: tenant(target.tenant)?,
            tenant_id: target.tenant_id,
            unverified: target.unverified,
            client_id: target.client_id,
            cloud: from_name("cloud", &target.cloud, |name| name.parse().ok())?,
            api: from_name("api", &target.api, |name| name.parse().ok())?,
            graph_url: target.graph_url,
            file: target.file,
            changes: target.changes.into_iter().map(Change::try_from).collect::<Result<_, _>>()?,
            in_sync: target.in_sync.into_iter().map(InSync::try_from).collect::<Result<_, _>>()?,
            not_compared: target.summary.not_compared,
            unmanaged: target.unmanaged.into_iter().map(Unmanaged::try_from).collect::<Result<_, _>>()?,
            dangling: target.dangling.into_iter().map(Unmanaged::try_from).collect::<Result<_, _>>()?,
            unreadable: target
                .unknown
                .into_iter()
                .map(UnreadableBinding::try_from)
                .collect::<Result<_, _>>()?,
            pins: target.pins.into_iter().map(BrokenPin::try_from).collect::<Result<_, _>>()?,
            blockers: target.refusals.into_iter().map(Blocker::try_from).collect::<Result<_, _>>()?,
            lifted: target.lifted.into_iter().map(Blocker::try_from).collect::<Result<_, _>>()?,
            // Flags are shown as part of commands, so they must be nothing else.
            overrides: target
                .overrides
                .into_iter()
                .map(override_flag)
                .collect::<Result<Vec<Override>, _>>()?,
        })
    }
}

impl From<&BrokenPin> for PlanPin {
    fn from(BrokenPin { connector, expected, actual }: &BrokenPin) -> Self {
        Self { connector: connector.into(), expected: expected.clone(), actual: actual.clone() }
    }
}

impl TryFrom<PlanPin> for BrokenPin {
    type Error = SavedFileError;

    fn try_from(PlanPin { connector, expected, actual }: PlanPin) -> Result<Self, SavedFileError> {
        Ok(Self { connector: connector.try_into()?, expected, actual })
    }
}

impl From<&Warning> for PlanWarning {
    fn from(warning: &Warning) -> Self {
        let diagnostic = warning.diagnostic();
        Self { id: diagnostic.code.id().to_owned(), message: diagnostic.message }
    }
}

impl From<Summary> for PlanSummary {
    fn from(Summary { enable, replace, disable, unchanged, not_compared }: Summary) -> Self {
        Self { enable, replace, disable, unchanged, not_compared }
    }
}
