//! Shared domain types: flows, steps, connectors, bindings, desired and current state.
//!
//! Plain values that validate themselves. This module must not do I/O or make decisions about a plan.

mod id;
mod listing;
mod name_mistake;
mod pins;
mod step;
mod target_url;
mod tenant;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::diagnostic::{Code, Diagnostic, Span};
pub use id::{ConnectorId, FlowId, FlowKey, FlowKind, InvalidId, is_guid};
pub use listing::{Listing, ListingLine, Literal};
pub use name_mistake::NameMistake;
pub use pins::Pins;
pub use step::{Step, StepMap};
pub use target_url::{InvalidTargetUrl, TargetUrl};
pub use tenant::{Api, Cloud, InvalidTenant, Tenant};

/// Returns the names of all values of an enum, in order.
pub fn names<T: VariantArray + Copy + Into<&'static str>>() -> Vec<&'static str> {
    T::VARIANTS.iter().map(|value| (*value).into()).collect()
}

/// Id and name of a connector.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connector {
    /// Id, by which a binding refers to the connector.
    pub id: ConnectorId,
    /// Display name, if the connector has one and it was read.
    pub display_name: Option<String>,
}

/// Connector in the list of the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedConnector {
    /// Id and name.
    pub connector: Connector,
    /// Address that the connector calls, if it is a valid URL.
    pub target_url: Option<TargetUrl>,
}

/// Flow in the list of the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFlow {
    /// Id, not validated.
    pub id: String,
    /// Type, such as `signUpOrSignIn`.
    pub user_flow_type: Option<String>,
    /// Version of the type, such as 3.
    pub version: Option<serde_json::Number>,
}

/// Connectors, flows and bindings of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// Kind of the flows.
    pub kind: FlowKind,
    /// Connectors.
    pub connectors: Vec<ListedConnector>,
    /// Flows, with the bindings of the requested steps.
    pub flows: Vec<(ListedFlow, BTreeMap<Step, Bound>)>,
}

/// Value of a binding: a connector, or `None` if nothing is bound.
pub type Bound = Option<Connector>;

/// Returns the id by which binding values are compared; `None` if nothing is bound. Names may not have been
/// read.
pub fn bound_id(bound: &Bound) -> Option<&ConnectorId> {
    bound.as_ref().map(|connector| &connector.id)
}

/// Desired state of one tenant, from one file: validated, and in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Name of the file, as given.
    pub file: String,
    /// Tenant.
    pub tenant: Tenant,
    /// Client id of the app that signs in.
    pub client_id: Option<String>,
    /// Cloud of the tenant.
    pub cloud: Cloud,
    /// Version of Graph to use.
    pub api: Api,
    /// Steps that the file manages, in the order of [`Step::VARIANTS`].
    pub steps: Vec<Step>,
    /// Flows, in the order of the file.
    pub flows: Vec<DesiredFlow>,
    /// Addresses to which connectors are pinned.
    pub pins: Pins,
    /// Bindings to disable in addition, with the location of `prune` in the file.
    pub prune: Option<(Prune, Span)>,
    /// Limits on the changes of a plan.
    pub guards: Guards,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guards {
    /// Maximum number of changes; unlimited if `None`.
    pub max_changes: Option<u32>,
    /// Maximum number of disables.
    pub max_disables: u32,
}

impl Default for Guards {
    fn default() -> Self {
        Self { max_changes: None, max_disables: 5 }
    }
}

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
    /// Whether a plan that disables or replaces the binding is blocked.
    pub protect: bool,
}

/// Reference to a connector in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorRef {
    /// Key to look up.
    pub key: ConnectorKey,
    /// Location of the name or id, for diagnostics.
    pub span: Span,
}

/// Key by which a connector is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectorKey {
    /// Id only. The list of connectors is not needed, unless the connector may be pinned.
    Id(ConnectorId),
    /// Display name only.
    Name(String),
    /// Id and display name, which must match the same connector.
    IdAndName(ConnectorId, String),
}

/// Value read from a tenant, or why it could not be read. Never treated as "nothing is bound".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<T> {
    /// The value was read.
    Known(T),
    /// The value could not be read.
    Unknown(ReadError),
}

/// Value that may not have been requested from a tenant. Only a known value is complete.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fetched<T> {
    /// Nothing needed the value.
    #[default]
    NotRequested,
    /// The value was read.
    Known(T),
    /// The value was requested and could not be read.
    Failed(ReadError),
}

impl<T> Fetched<T> {
    /// Returns the value if it was read.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::NotRequested | Self::Failed(_) => None,
        }
    }

    /// Returns why the value could not be read, if it was requested.
    pub fn error(&self) -> Option<&ReadError> {
        match self {
            Self::Failed(error) => Some(error),
            Self::NotRequested | Self::Known(_) => None,
        }
    }
}

impl<T> From<Result<T, ReadError>> for Fetched<T> {
    fn from(read: Result<T, ReadError>) -> Self {
        match read {
            Ok(value) => Self::Known(value),
            Err(error) => Self::Failed(error),
        }
    }
}

/// Why a value could not be read. Values with the same [`cause_key`](Self::cause_key) share one cause.
/// The texts are shared, because one response may concern many values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// Id of the problem.
    pub code: Code,
    /// What happened, without the request.
    pub cause: Arc<str>,
    /// What the response means, if that is known.
    pub meaning: Option<Arc<str>>,
    /// What to do, if that is known.
    pub hint: Option<Arc<str>>,
    /// Request with its ids, if one was sent.
    pub request: Option<Arc<str>>,
}

impl ReadError {
    /// Creates an error with only a code and a cause, if no single request explains it.
    pub fn new(code: Code, cause: impl Into<Arc<str>>) -> Self {
        Self { code, cause: cause.into(), meaning: None, hint: None, request: None }
    }

    /// Returns code, cause and meaning, which are equal for all values that one cause keeps from being read.
    pub fn cause_key(&self) -> (Code, &str, Option<&str>) {
        (self.code, &self.cause, self.meaning.as_deref())
    }

    /// Adds the cause and its meaning as causes of a problem, the request as a note, and the hint.
    pub fn explain(&self, problem: Diagnostic) -> Diagnostic {
        self.add_details(problem.caused_by(&*self.cause))
    }

    /// Creates an error with the message `subject: cause`, and adds the meaning, the request and the hint.
    /// `subject` is what could not be read.
    pub fn diagnostic(&self, subject: &str) -> Diagnostic {
        self.add_details(Diagnostic::error(self.code, format!("{subject}: {}", self.cause)))
    }

    fn add_details(&self, problem: Diagnostic) -> Diagnostic {
        let problem = self.meaning.iter().fold(problem, |problem, meaning| problem.caused_by(&**meaning));
        let problem =
            self.request.iter().fold(problem, |problem, request| problem.note(format!("request: {request}")));
        self.hint.iter().fold(problem, |problem, hint| problem.hint(&**hint))
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request {
            Some(request) => write!(f, "{request}: {}", self.cause),
            None => f.write_str(&self.cause),
        }
    }
}

/// Everything that was read of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Current {
    /// The tenant's connectors.
    pub connectors: Fetched<Vec<ListedConnector>>,
    /// The requested flows.
    pub flows: BTreeMap<FlowId, CurrentFlow>,
    /// The ids of all flows of the tenant.
    pub flow_list: Fetched<Vec<String>>,
}

/// State of one flow in the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CurrentFlow {
    /// The tenant has no such flow; with the response of Graph.
    Missing(ReadError),
    /// Values of the requested steps.
    Found(StepMap<Reading<Bound>>),
}

/// Kind of change of a binding. One change is exactly one PUT.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Action {
    /// From nothing to a connector.
    Enable,
    /// From one connector to another.
    Replace,
    /// From a connector to nothing.
    Disable,
}

impl Action {
    /// Returns the action that changes `current` to `desired`; `None` if their ids are equal or both are
    /// `None`.
    pub fn from_values(current: Option<&Connector>, desired: Option<&Connector>) -> Option<Self> {
        match (current, desired) {
            (None, None) => None,
            (None, Some(_)) => Some(Self::Enable),
            (Some(_), None) => Some(Self::Disable),
            (Some(current), Some(desired)) => (current.id != desired.id).then_some(Self::Replace),
        }
    }

    /// Returns the name in plans and reports.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    #[test]
    fn enum_names_equal_those_of_serde() {
        fn check<T: VariantArray + Copy + Debug + Serialize + Into<&'static str>>() {
            for value in T::VARIANTS {
                assert_eq!(serde_json::to_value(value).unwrap(), Into::<&str>::into(*value), "{value:?}");
            }
        }
        check::<Step>();
        check::<Cloud>();
        check::<Api>();
        check::<Action>();
    }
}
