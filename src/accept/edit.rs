//! Edits of a desired-state file, and why one cannot be made.

use crate::model::{Bound, Connector, FlowId, Step};

/// Value of a tenant that its file should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Value of a binding.
    Binding {
        /// Flow, in any spelling.
        flow: FlowId,
        /// Step of the flow.
        step: Step,
        /// Connector that the tenant calls; `None` if nothing is bound.
        connector: Bound,
    },
    /// Address of a connector, for all its pins.
    Pin {
        /// Connector that is pinned.
        connector: Connector,
    },
}

/// Reason why an edit was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The tenant is bound to a connector that does not exist any more.
    #[error("the connector `{0}` was deleted")]
    DeletedConnector(String),
    /// Neither id nor displayName can be in a file.
    #[error(
        "a file cannot name the connector `{0}`: its id is not a GUID, and its displayName is not unique"
    )]
    UnnameableConnector(String),
    /// The connector is pinned, and its address is missing or not a URL.
    #[error("`{0}` is pinned, and the tenant has no readable address for it")]
    UnreadableAddress(String),
    /// The pin is by a displayName that several connectors have.
    #[error("`{0}` is pinned by a displayName that several connectors have")]
    SharedPin(String),
    /// The step is not in `steps`, and `prune` would disable the same step of other flows.
    #[error(
        "with `prune`, the step `{0}` cannot be added to `steps`: the same step of other flows would be disabled"
    )]
    PrunedStep(Step),
    /// The flow is not in the file, and `prune` would disable another of its steps.
    #[error("with `prune: steps`, the flow cannot be added without its step `{0}`, which would be disabled")]
    PrunedFlow(Step),
    /// The binding has a hold, which the edit would contradict or keep without need.
    #[error("the binding has a `hold`; remove it first, if the tenant's value is to stay")]
    Held,
    /// Another file has this file as a base.
    #[error("`{0}` extends the file, so the edit would also change the desired state of that file")]
    Extended(String),
    /// The mapping or list is a YAML alias.
    #[error("`{0}` is a YAML alias")]
    Alias(String),
    /// The value has a YAML anchor, and an alias elsewhere in the file repeats it.
    #[error("the value has a YAML anchor, and the edit would also change its aliases")]
    Anchor,
    /// The value would break a rule of desired-state files.
    #[error("the file would be invalid: {0}")]
    Invalid(String),
    /// The new text would not have exactly the wanted values.
    #[error("the layout of the file does not allow the edit")]
    Layout,
}
