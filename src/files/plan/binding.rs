//! The bindings of a plan as JSON: what changes, what does not, and what is not known.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::parts::{ConnectorPart, Unreadable, action, bound, flow_id, named};
use crate::model::{Action, Step};
use crate::plan::{Change, InSync, Place, Unknown, Unmanaged};

/// One binding that differs.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct PlanChange {
    /// The flow.
    flow: String,
    /// The step.
    #[schemars(extend("enum" = Step::ALL.map(Step::name)))]
    step: String,
    /// How it changes.
    #[schemars(extend("enum" = Action::ALL.map(Action::name)))]
    action: String,
    /// What is bound; null for nothing.
    current: Option<ConnectorPart>,
    /// What is to be bound; null for nothing.
    desired: Option<ConnectorPart>,
    /// Whether the file protects the binding.
    protected: bool,
    /// The address that the connector to be bound has to have, where the file pins it.
    #[serde(default)]
    pin: Option<String>,
    /// Where the file says so.
    source: PlanPlace,
}

/// A managed binding that is as desired.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct PlanInSync {
    /// The flow.
    flow: String,
    /// The step.
    #[schemars(extend("enum" = Step::ALL.map(Step::name)))]
    step: String,
    /// What is bound, and is to be; null for nothing.
    current: Option<ConnectorPart>,
    /// Where the file says so.
    source: PlanPlace,
}

/// A place in a file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct PlanPlace {
    /// The file's name.
    file: String,
    /// The line, from 1.
    line: usize,
    /// The column in Unicode characters, from 1.
    column: usize,
}

/// A binding that the file does not mention.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct PlanUnmanaged {
    /// The flow.
    flow: String,
    /// The step.
    step: String,
    /// What is bound.
    current: Option<ConnectorPart>,
}

/// A binding that could not be read.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct PlanUnknown {
    /// The flow.
    flow: String,
    /// The step.
    step: String,
    /// Why it could not be read.
    error: String,
}

impl From<&Change> for PlanChange {
    fn from(Change { flow, step, action, current, desired, protected, pin, source }: &Change) -> Self {
        Self {
            flow: flow.to_string(),
            step: step.name().to_owned(),
            action: action.name().to_owned(),
            current: current.as_ref().map(ConnectorPart::from),
            desired: desired.as_ref().map(ConnectorPart::from),
            protected: *protected,
            pin: pin.as_ref().map(|pin| pin.to_string()),
            source: source.into(),
        }
    }
}

impl From<&Place> for PlanPlace {
    fn from(Place { file, line, column }: &Place) -> Self {
        Self { file: file.clone(), line: *line, column: *column }
    }
}

impl From<PlanPlace> for Place {
    fn from(PlanPlace { file, line, column }: PlanPlace) -> Self {
        Self { file, line, column }
    }
}

impl From<&InSync> for PlanInSync {
    fn from(InSync { flow, step, current, source }: &InSync) -> Self {
        let current = current.as_ref().map(ConnectorPart::from);
        Self { flow: flow.to_string(), step: step.name().to_owned(), current, source: source.into() }
    }
}

impl TryFrom<PlanInSync> for InSync {
    type Error = Unreadable;

    fn try_from(PlanInSync { flow, step, current, source }: PlanInSync) -> Result<Self, Unreadable> {
        let (step, current) = (named(&step, Step::from_name)?, bound(current)?);
        Ok(Self { flow: flow_id(flow)?, step, current, source: source.into() })
    }
}

impl TryFrom<PlanChange> for Change {
    type Error = Unreadable;

    fn try_from(change: PlanChange) -> Result<Self, Unreadable> {
        let PlanChange { flow, step, action: name, current, desired, protected, pin, source } = change;
        let pin = pin.map(|pin| pin.parse().map_err(|_| Unreadable::Value(pin))).transpose()?;
        let (current, desired) = (bound(current)?, bound(desired)?);
        Ok(Self {
            flow: flow_id(flow)?,
            step: named(&step, Step::from_name)?,
            action: action(&name, &current, &desired)?,
            current,
            desired,
            protected,
            pin: pin.map(Arc::new),
            source: source.into(),
        })
    }
}

impl From<&Unmanaged> for PlanUnmanaged {
    fn from(Unmanaged { flow, step, current }: &Unmanaged) -> Self {
        let current = current.as_ref().map(ConnectorPart::from);
        Self { flow: flow.to_string(), step: step.name().to_owned(), current }
    }
}

impl TryFrom<PlanUnmanaged> for Unmanaged {
    type Error = Unreadable;

    fn try_from(PlanUnmanaged { flow, step, current }: PlanUnmanaged) -> Result<Self, Unreadable> {
        Ok(Self { flow: flow_id(flow)?, step: named(&step, Step::from_name)?, current: bound(current)? })
    }
}

impl From<&Unknown> for PlanUnknown {
    fn from(Unknown { flow, step, error }: &Unknown) -> Self {
        Self { flow: flow.to_string(), step: step.name().to_owned(), error: error.to_string() }
    }
}

impl TryFrom<PlanUnknown> for Unknown {
    type Error = Unreadable;

    fn try_from(PlanUnknown { flow, step, error }: PlanUnknown) -> Result<Self, Unreadable> {
        Ok(Self { flow: flow_id(flow)?, step: named(&step, Step::from_name)?, error: error.into() })
    }
}
