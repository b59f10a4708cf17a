//! The words that all modules share: flows, steps, connectors, bindings, desired and current.
//!
//! Plain values without behaviour beyond their own rules: nothing here reads, writes or decides.

mod id;
mod listing;
mod pins;
mod step;
mod target_url;
mod tenant;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic, Span};
pub use id::{ConnectorId, FlowId, FlowKind, InvalidId, is_guid};
pub use listing::{Line, Listing, Literal};
pub use pins::Pins;
pub use step::{Step, StepMap};
pub use target_url::{InvalidTargetUrl, TargetUrl};
pub use tenant::{Api, Cloud, InvalidTenant, Tenant};

/// A connector as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connector {
    /// Its id, which is what a binding holds.
    pub id: ConnectorId,
    /// Its name, where it has one and it was read.
    pub display_name: Option<String>,
}

/// A connector as the tenant lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedConnector {
    /// What a binding may hold.
    pub connector: Connector,
    /// The address that it calls, where it is one.
    pub target_url: Option<TargetUrl>,
}

/// A flow as the tenant lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFlow {
    /// Its id, whatever it looks like.
    pub id: String,
    /// What it is for, such as `signUpOrSignIn`.
    pub user_flow_type: Option<String>,
    /// The version of its type, such as 3.
    pub version: Option<serde_json::Number>,
}

/// All that a tenant has of what flowbind speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// The kind of its flows.
    pub kind: FlowKind,
    /// Its connectors.
    pub connectors: Vec<ListedConnector>,
    /// Its flows, and what is bound to the steps that were asked for.
    pub flows: Vec<(ListedFlow, BTreeMap<Step, Bound>)>,
}

/// What a binding's value may be: a connector, or nothing.
pub type Bound = Option<Connector>;

/// What two values are compared by: the id, since a name may or may not have been read.
pub fn bound_id(bound: &Bound) -> Option<&ConnectorId> {
    bound.as_ref().map(|connector| &connector.id)
}

/// What one file wants of one tenant, checked and in the file's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The file's name, as given.
    pub file: String,
    /// The tenant.
    pub tenant: Tenant,
    /// The app that signs in.
    pub client_id: Option<String>,
    /// The tenant's cloud.
    pub cloud: Cloud,
    /// The version of Graph to ask.
    pub api: Api,
    /// The steps that the file speaks of, in the order of [`Step::ALL`].
    pub steps: Vec<Step>,
    /// The flows, in the file's order.
    pub flows: Vec<DesiredFlow>,
    /// The addresses that connectors have to have.
    pub pins: Pins,
    /// What else is to be disabled, and where the file says so.
    pub prune: Option<(Prune, Span)>,
    /// How much a plan may change.
    pub guards: Guards,
}

impl Desired {
    /// What the file manages of the flows that it lists: what it mentions, and what it prunes.
    pub fn managed(&self) -> impl Iterator<Item = (&FlowId, Step)> {
        let prunes = matches!(self.prune, Some((Prune::Steps | Prune::Flows, _)));
        self.flows.iter().flat_map(move |flow| {
            let managed = move |step: &Step| prunes || flow.bindings.contains_key(*step);
            self.steps.iter().copied().filter(managed).map(move |step| (&flow.id, step))
        })
    }

    /// Whether the file manages all flows of its tenant, listed or not.
    pub fn prunes_flows(&self) -> bool {
        matches!(self.prune, Some((Prune::Flows, _)))
    }
}

/// What happens to bindings that a file does not mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prune {
    /// They are left alone.
    #[default]
    None,
    /// Those of listed flows are disabled.
    Steps,
    /// Those of all flows are disabled.
    Flows,
}

impl Prune {
    /// Every way to prune.
    pub const ALL: [Self; 3] = [Self::None, Self::Steps, Self::Flows];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Steps => "steps",
            Self::Flows => "flows",
        }
    }
}

/// How much a plan may change before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guards {
    /// The most changes.
    pub max_changes: Option<u32>,
    /// The most disables.
    pub max_disables: u32,
}

impl Default for Guards {
    fn default() -> Self {
        Self { max_changes: None, max_disables: 5 }
    }
}

/// What a file wants of one flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredFlow {
    /// The flow.
    pub id: FlowId,
    /// Where the file names it.
    pub span: Span,
    /// The managed bindings of the flow.
    pub bindings: StepMap<DesiredBinding>,
}

/// What a file wants of one binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredBinding {
    /// The connector to bind, or nothing. Shared, since many bindings may name the same.
    pub connector: Option<Arc<ConnectorRef>>,
    /// Where the file says so.
    pub span: Span,
    /// Whether a plan that disables or replaces it is refused.
    pub protect: bool,
}

/// How a file names a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorRef {
    /// By what.
    pub by: ConnectorKey,
    /// Where the name or id is written: the place to point to when it does not fit.
    pub span: Span,
}

/// What a connector is looked up by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectorKey {
    /// By id alone: needs no reading of the connectors, unless it may have a pin.
    Id(ConnectorId),
    /// By display name alone.
    Name(String),
    /// By both, which must fit the same connector.
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
    /// Creates an error that no single request explains.
    pub fn new(code: Code, cause: impl Into<Arc<str>>) -> Self {
        Self { code, cause: cause.into(), meaning: None, hint: None, request: None }
    }

    /// Returns what is equal for all values that one cause keeps from being read.
    pub fn cause_key(&self) -> (Code, &str, Option<&str>) {
        (self.code, &self.cause, self.meaning.as_deref())
    }

    /// Adds the cause, its meaning, the request and the hint to a problem.
    pub fn explain(&self, problem: Diagnostic) -> Diagnostic {
        self.add_details(problem.caused_by(&*self.cause))
    }

    /// Creates a problem of its own: `subject` is what could not be read.
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

/// What a tenant has, as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// The tenant's connectors; `None` where nothing needs them.
    pub connectors: Option<Reading<Vec<ListedConnector>>>,
    /// The flows that were asked for.
    pub flows: BTreeMap<FlowId, CurrentFlow>,
    /// The ids of all flows of the tenant; `None` where nothing needed them.
    pub flow_list: Option<Reading<Vec<String>>>,
}

/// What a tenant says of one flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CurrentFlow {
    /// The tenant has no such flow; with the service's answer.
    Missing(ReadError),
    /// The steps that were asked for.
    Found(StepMap<Reading<Bound>>),
}

/// How one binding changes. One change is exactly one PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nothing → a connector.
    Enable,
    /// One connector → another.
    Replace,
    /// A connector → nothing.
    Disable,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 3] = [Self::Enable, Self::Replace, Self::Disable];

    /// How a binding has to change; `None` where it is as desired.
    pub fn of(current: Option<&Connector>, desired: Option<&Connector>) -> Option<Self> {
        match (current, desired) {
            (None, None) => None,
            (None, Some(_)) => Some(Self::Enable),
            (Some(_), None) => Some(Self::Disable),
            (Some(current), Some(desired)) => (current.id != desired.id).then_some(Self::Replace),
        }
    }

    /// The action of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// Its name in plans and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enable => "enable",
            Self::Replace => "replace",
            Self::Disable => "disable",
        }
    }
}
