//! Current state of a tenant: what was read of it, and what could not be read.

use std::collections::BTreeMap;

use super::connector::{Bound, ListedConnector};
use super::id::{FlowId, FlowKind};
use super::read_error::ReadError;
use super::step::{Step, StepMap};

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
    /// Step that was not read, because the service rejects it.
    pub unsupported_step: Option<Step>,
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

/// Part of a tenant that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// The flows that the files list, and the connectors if they name any.
    #[default]
    Listed,
    /// Every flow and every connector.
    All,
}

/// Everything that was read of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Current {
    /// What was to be read.
    pub scope: Scope,
    /// The tenant's connectors.
    pub connectors: Fetched<Vec<ListedConnector>>,
    /// The requested flows.
    pub flows: BTreeMap<FlowId, CurrentFlow>,
    /// All flows of the tenant.
    pub flow_list: Fetched<Vec<ListedFlow>>,
    /// Step that was not read, because the service rejects it.
    pub unsupported_step: Option<Step>,
}

/// State of one flow in the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CurrentFlow {
    /// The tenant has no such flow; with the response of Graph.
    Missing(ReadError),
    /// Values of the requested steps.
    Found(StepMap<Reading<Bound>>),
}
