//! Desired state of a tenant.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use strum::{IntoStaticStr, VariantArray};

use super::client_ids::ClientIds;
use super::connector::ConnectorRef;
use super::id::FlowId;
use super::only::Only;
use super::pins::Pins;
use super::step::{Step, StepMap};
use super::tenant::{Api, Cloud, Tenant};
use crate::diagnostic::Span;

/// Desired state of one tenant, from one file: validated, and in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Name of the file, as given.
    pub file: String,
    /// Tenant.
    pub tenant: Tenant,
    /// Apps that sign in, if the file names any.
    pub client_id: Option<ClientIds>,
    /// Cloud of the tenant.
    pub cloud: Cloud,
    /// Version of Graph to use.
    pub api: Api,
    /// Steps that the file manages, in the order of [`Step`].
    pub steps: Vec<Step>,
    /// Flows, in the order of the file.
    pub flows: Vec<DesiredFlow>,
    /// Addresses to which connectors are pinned.
    pub pins: Pins,
    /// Bindings to disable in addition, with the location of `prune` in the file.
    pub prune: Option<(Prune, Span)>,
    /// Limits on the changes of a plan.
    pub guards: Guards,
    /// Whether the run is limited to the bindings in `flows`, so that nothing else of the tenant is read.
    pub is_limited: bool,
    /// Whether the list of connectors is read even if no name or pin needs it, to find deleted connectors.
    pub lists_connectors: bool,
}

impl Desired {
    /// Returns the bindings that the file manages in its listed flows: those that it mentions and those
    /// that it prunes.
    pub fn managed_bindings(&self) -> impl Iterator<Item = (&FlowId, Step)> {
        let prunes = matches!(self.prune, Some((Prune::Steps | Prune::Flows, _)));
        self.flows.iter().flat_map(move |flow| {
            let managed = move |step: &Step| prunes || flow.bindings.contains_key(*step);
            self.steps.iter().copied().filter(managed).map(move |step| (&flow.id, step))
        })
    }

    /// Returns the file with only the bindings that are selected, and without `prune`; `None` if it lists none of them.
    pub fn select(mut self, only: &[Only]) -> Option<Self> {
        let is_selected = |flow: &FlowId, step| only.iter().any(|only| only.contains(flow, step));
        for DesiredFlow { id, bindings, .. } in &mut self.flows {
            for step in Step::VARIANTS {
                if !is_selected(id, *step) {
                    bindings.remove(*step);
                }
            }
        }
        self.flows.retain(|flow| flow.bindings.iter().next().is_some());
        (!self.flows.is_empty()).then_some(Self { prune: None, is_limited: true, ..self })
    }

    /// Returns the steps of a flow that are read for the file.
    pub fn steps_of(&self, flow: &DesiredFlow) -> Cow<'_, [Step]> {
        if self.is_limited {
            Cow::Owned(flow.bindings.iter().map(|(step, _)| step).collect())
        } else {
            Cow::Borrowed(&self.steps)
        }
    }

    /// Returns whether the file manages all flows of its tenant, including those that it does not list
    /// (`prune: flows`).
    pub fn prunes_flows(&self) -> bool {
        matches!(self.prune, Some((Prune::Flows, _)))
    }
}

/// Handling of bindings that a file does not mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Prune {
    /// Leave them unchanged.
    #[default]
    None,
    /// Disable those of listed flows.
    Steps,
    /// Disable those of all flows.
    Flows,
}

impl Prune {
    /// Returns the name in files.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Limits beyond which a plan is blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guards {
    /// Maximum number of changes; unlimited if `None`.
    pub max_changes: Option<GuardLimit>,
    /// Maximum number of disables.
    pub max_disables: GuardLimit,
}

impl Default for Guards {
    fn default() -> Self {
        Self { max_changes: None, max_disables: 5.into() }
    }
}

/// Limit of a guard. Limits are equal if their numbers are.
#[derive(Debug, Clone)]
pub struct GuardLimit {
    /// Highest number that is not blocked.
    pub number: u32,
    /// Location of the number in the file; `None` for a default.
    pub span: Option<Span>,
}

impl From<u32> for GuardLimit {
    /// Creates a limit that is not in a file.
    fn from(number: u32) -> Self {
        Self { number, span: None }
    }
}

impl PartialEq for GuardLimit {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for GuardLimit {}

/// Desired state of one flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredFlow {
    /// Id of the flow.
    pub id: FlowId,
    /// Location of the id in the file.
    pub span: Span,
    /// Managed bindings of the flow.
    pub bindings: StepMap<DesiredBinding>,
}

/// Desired state of one binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredBinding {
    /// Connector to bind; `None` to disable. Shared, because many bindings may refer to the same
    /// connector.
    pub connector: Option<Arc<ConnectorRef>>,
    /// Location of the value in the file.
    pub span: Span,
    /// Location of `true` in the file, if a plan that disables or replaces the binding is blocked.
    pub protect: Option<Span>,
    /// Temporary exception, if the file has one. Boxed, because few bindings have one.
    pub hold: Option<Box<DesiredHold>>,
}

impl DesiredBinding {
    /// Returns the hold if it still counts at this time.
    pub fn active_hold(&self, now: Timestamp) -> Option<&DesiredHold> {
        self.hold.as_deref().filter(|hold| !hold.is_expired(now))
    }

    /// Returns the connector to bind at this time: that of an active hold, otherwise the regular one.
    pub fn connector_at(&self, now: Timestamp) -> Option<&Arc<ConnectorRef>> {
        match self.active_hold(now) {
            Some(hold) => hold.connector.as_ref(),
            None => self.connector.as_ref(),
        }
    }
}

/// Temporary exception: another value of a binding, until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredHold {
    /// Connector to bind; `None` to disable.
    pub connector: Option<Arc<ConnectorRef>>,
    /// Time from which the regular value counts again.
    pub until: Timestamp,
    /// Why the binding has another value, in one line.
    pub reason: String,
    /// Location of `until` in the file.
    pub span: Span,
}

impl DesiredHold {
    /// Returns whether the regular value counts at this time, because the hold is over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.until
    }
}
