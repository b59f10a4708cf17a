//! Bindings in a plan, by how they compare with the file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::hold::Hold;
use crate::diagnostic::{Diagnostic, SourceLocation};
use crate::model::{Action, Bound, Connector, ConnectorKey, FlowId, ReadError, Step, TargetUrl};

/// Binding that differs. One change is exactly one PUT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// Kind of change.
    pub action: Action,
    /// Value in the tenant.
    pub current: Bound,
    /// Value in the file.
    pub desired: Bound,
    /// Whether the file protects the binding.
    pub protected: bool,
    /// Address that the file pins the desired connector to, if it does.
    pub pin: Option<Arc<TargetUrl>>,
    /// Hold of the binding, also if it has expired.
    pub hold: Option<Box<Hold>>,
    /// Location of the value in the file.
    pub source: SourceLocation,
}

impl Change {
    /// Returns the hold to which the desired value belongs.
    pub fn active_hold(&self) -> Option<&Hold> {
        self.hold.as_deref().filter(|hold| !hold.is_expired)
    }
}

/// Managed binding that is as desired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InSync {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// Value in the tenant and in the file.
    pub current: Bound,
    /// Hold of the binding, also if it has expired.
    pub hold: Option<Box<Hold>>,
    /// Location of the value in the file.
    pub source: SourceLocation,
}

/// Binding that the file does not list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmanaged {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// Value in the tenant.
    pub current: Bound,
}

/// Binding at a step that its flow never calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeverCalled {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// Type of the flow, such as `passwordReset`.
    pub user_flow_type: String,
}

/// Binding of a listed flow that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableBinding {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// Why it could not be read.
    pub error: ReadError,
}

/// Flow or connector that a file names and the tenant does not have, or has several of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// The flow.
    pub flow: FlowId,
    /// What the tenant does not have.
    pub missing: UnresolvedName,
    /// Hold of the binding, also if it has expired.
    pub hold: Option<Box<Hold>>,
    /// Location of the name in the file.
    pub source: Option<SourceLocation>,
    /// Number of managed bindings that were not compared because of it.
    pub not_compared: usize,
    /// Error of a plan.
    pub problem: Diagnostic,
}

/// What a file names that the tenant does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnresolvedName {
    /// The flow.
    Flow,
    /// The connector of a binding that could be read.
    Connector {
        /// The step.
        step: Step,
        /// Key in the file.
        wanted: ConnectorKey,
        /// Value in the tenant.
        current: Bound,
    },
}

/// Connector that does not call its pinned address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BrokenPin {
    /// The connector.
    pub connector: Connector,
    /// Address that the file pins.
    pub expected: String,
    /// Address in the tenant, if it has one.
    pub actual: Option<String>,
    /// Location of the pin in the file, if it is known.
    pub source: Option<SourceLocation>,
}

impl BrokenPin {
    /// Returns whether both are about the same connector and the same addresses.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.connector, &self.expected, &self.actual) == (&other.connector, &other.expected, &other.actual)
    }
}

/// Returns one problem for each cause that keeps bindings of one tenant from being read, in the order of the
/// bindings: a cause that concerns many flows is one problem.
pub fn unreadable_causes<'a>(bindings: impl IntoIterator<Item = &'a UnreadableBinding>) -> Vec<Diagnostic> {
    let mut causes: Vec<(&ReadError, Vec<&UnreadableBinding>)> = Vec::new();
    let mut positions = BTreeMap::new();
    for binding in bindings {
        let position = *positions.entry(binding.error.cause_key()).or_insert(causes.len());
        match causes.get_mut(position) {
            Some((_, bindings)) => bindings.push(binding),
            None => causes.push((&binding.error, vec![binding])),
        }
    }
    causes.iter().map(|(error, bindings)| unreadable_cause(error, bindings)).collect()
}

fn unreadable_cause(error: &ReadError, bindings: &[&UnreadableBinding]) -> Diagnostic {
    const LISTED: usize = 5;
    let mut seen = BTreeSet::new();
    let flows = bindings.iter().map(|binding| &binding.flow).filter(|flow| seen.insert(*flow));
    let flows: Vec<&FlowId> = flows.collect();
    match flows.as_slice() {
        _ if error.concerns_every_request() => error.common_diagnostic(),
        [flow] => {
            let steps: Vec<_> = bindings.iter().map(|binding| binding.step.name()).collect();
            error.diagnostic(&format!("could not read `{flow}` ({})", steps.join(", ")))
        }
        flows => {
            let problem = error.diagnostic(&format!("{} flows could not be read", flows.len()));
            let listed: Vec<_> = flows.iter().take(LISTED).map(|flow| format!("`{flow}`")).collect();
            let more = flows.len().saturating_sub(LISTED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            problem.note(format!("flows: {}{more}", listed.join(", ")))
        }
    }
}
