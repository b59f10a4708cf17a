//! Bindings of a plan as JSON.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::parts::{
    ConnectorPart, LocationPart, SavedFileError, action, binding_value, code, flow_id, from_name,
};
use crate::model::{Action, ReadError, Step, names};
use crate::plan::{Change, InSync, Unmanaged, UnreadableBinding};

/// Binding that differs.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct PlanChange {
    /// The flow.
    flow: String,
    /// The step.
    #[schemars(extend("enum" = names::<Step>()))]
    step: String,
    /// Kind of change.
    #[schemars(extend("enum" = names::<Action>()))]
    action: String,
    /// Value in the tenant; null for nothing.
    current: Option<ConnectorPart>,
    /// Value in the file; null for nothing.
    desired: Option<ConnectorPart>,
    /// Whether the file protects the binding.
    protected: bool,
    /// Address that the file pins the desired connector to; null without a pin.
    pin: Option<String>,
    /// Location of the value in the file.
    source: LocationPart,
}

/// Managed binding that is as desired.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct PlanInSync {
    /// The flow.
    flow: String,
    /// The step.
    #[schemars(extend("enum" = names::<Step>()))]
    step: String,
    /// Value in the tenant and in the file; null for nothing.
    current: Option<ConnectorPart>,
    /// Location of the value in the file.
    source: LocationPart,
}

/// Binding that the file does not list.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct PlanUnmanaged {
    /// The flow.
    flow: String,
    /// The step.
    step: String,
    /// Value in the tenant.
    current: Option<ConnectorPart>,
}

/// Binding that could not be read.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct PlanUnreadable {
    /// The flow.
    flow: String,
    /// The step.
    step: String,
    /// Stable id of the problem.
    id: String,
    /// Why it could not be read.
    error: String,
    /// What the error means, if that is known.
    meaning: Option<String>,
    /// What to do, if that is known.
    hint: Option<String>,
    /// Request with its ids, if one was sent.
    request: Option<String>,
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

impl TryFrom<PlanChange> for Change {
    type Error = SavedFileError;

    fn try_from(change: PlanChange) -> Result<Self, SavedFileError> {
        let PlanChange { flow, step, action: name, current, desired, protected, pin, source } = change;
        let invalid_pin = |pin: String| SavedFileError::InvalidValue(format!("`pin`: `{pin}`"));
        let pin = pin.map(|pin| pin.parse().map_err(|_| invalid_pin(pin))).transpose()?;
        let (current, desired) = (binding_value(current)?, binding_value(desired)?);
        Ok(Self {
            flow: flow_id(flow)?,
            step: from_name("step", &step, |name| name.parse().ok())?,
            action: action(&name, &current, &desired)?,
            current,
            desired,
            protected,
            pin: pin.map(Arc::new),
            source: source.into(),
        })
    }
}

impl From<&InSync> for PlanInSync {
    fn from(InSync { flow, step, current, source }: &InSync) -> Self {
        let current = current.as_ref().map(ConnectorPart::from);
        Self { flow: flow.to_string(), step: step.name().to_owned(), current, source: source.into() }
    }
}

impl TryFrom<PlanInSync> for InSync {
    type Error = SavedFileError;

    fn try_from(PlanInSync { flow, step, current, source }: PlanInSync) -> Result<Self, SavedFileError> {
        let (step, current) = (from_name("step", &step, |name| name.parse().ok())?, binding_value(current)?);
        Ok(Self { flow: flow_id(flow)?, step, current, source: source.into() })
    }
}

impl From<&Unmanaged> for PlanUnmanaged {
    fn from(Unmanaged { flow, step, current }: &Unmanaged) -> Self {
        let current = current.as_ref().map(ConnectorPart::from);
        Self { flow: flow.to_string(), step: step.name().to_owned(), current }
    }
}

impl TryFrom<PlanUnmanaged> for Unmanaged {
    type Error = SavedFileError;

    fn try_from(PlanUnmanaged { flow, step, current }: PlanUnmanaged) -> Result<Self, SavedFileError> {
        let (step, current) = (from_name("step", &step, |name| name.parse().ok())?, binding_value(current)?);
        Ok(Self { flow: flow_id(flow)?, step, current })
    }
}

impl From<&UnreadableBinding> for PlanUnreadable {
    fn from(UnreadableBinding { flow, step, error }: &UnreadableBinding) -> Self {
        let ReadError { code, cause, meaning, hint, request } = error;
        let text = |text: &Option<Arc<str>>| text.as_ref().map(ToString::to_string);
        Self {
            flow: flow.to_string(),
            step: step.name().to_owned(),
            id: code.id().to_owned(),
            error: cause.to_string(),
            meaning: text(meaning),
            hint: text(hint),
            request: text(request),
        }
    }
}

impl TryFrom<PlanUnreadable> for UnreadableBinding {
    type Error = SavedFileError;

    fn try_from(part: PlanUnreadable) -> Result<Self, SavedFileError> {
        let PlanUnreadable { flow, step, id, error, meaning, hint, request } = part;
        let text = |text: Option<String>| text.map(Arc::from);
        let error = ReadError {
            code: code(&id)?,
            cause: error.into(),
            meaning: text(meaning),
            hint: text(hint),
            request: text(request),
        };
        Ok(Self { flow: flow_id(flow)?, step: from_name("step", &step, |name| name.parse().ok())?, error })
    }
}
