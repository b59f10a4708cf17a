//! Bindings of a plan as JSON.

use std::sync::Arc;

use jiff::Timestamp;
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, SourceLocation};
use crate::model::{Action, Bound, Connector, FlowId, ReadError, Step, TargetUrl};
use crate::plan::{
    BoundCertificate, BrokenPin, Change, Hold, InSync, NeverCalled, Unmanaged, UnreadableBinding,
};
use crate::saved::parts::check_action;
use crate::saved::saved_as::saved_as;

/// Binding that differs.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct PlanChange {
    /// The flow.
    flow: FlowId,
    /// The step.
    #[cfg_attr(test, schemars(with = "String", extend("enum" = crate::model::names::<crate::model::Step>())))]
    step: Step,
    /// Kind of change.
    #[cfg_attr(test, schemars(with = "String", extend("enum" = crate::model::names::<crate::model::Action>())))]
    action: Action,
    /// Value in the tenant; null for nothing.
    current: Bound,
    /// Value in the file; null for nothing.
    desired: Bound,
    /// Whether the file protects the binding.
    protected: bool,
    /// Address that the file pins the desired connector to; null without a pin.
    pin: Option<TargetUrl>,
    /// Hold of the binding; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold: Option<Box<Hold>>,
    /// Location of the value in the file.
    source: SourceLocation,
}

saved_as!(Change, PlanChange);

impl From<Change> for PlanChange {
    fn from(change: Change) -> Self {
        let Change { flow, step, action, current, desired, protected, pin, hold, source } = change;
        let pin = pin.map(Arc::unwrap_or_clone);
        Self { flow, step, action, current, desired, protected, pin, hold, source }
    }
}

impl TryFrom<PlanChange> for Change {
    type Error = String;

    fn try_from(change: PlanChange) -> Result<Self, String> {
        let PlanChange { flow, step, action, current, desired, protected, pin, hold, source } = change;
        check_action(action, &current, &desired)?;
        Ok(Self { flow, step, action, current, desired, protected, pin: pin.map(Arc::new), hold, source })
    }
}

/// Managed binding that is as desired.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct PlanInSync {
    /// The flow.
    flow: FlowId,
    /// The step.
    #[cfg_attr(test, schemars(with = "String", extend("enum" = crate::model::names::<crate::model::Step>())))]
    step: Step,
    /// Value in the tenant and in the file; null for nothing.
    current: Bound,
    /// Hold of the binding; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold: Option<Box<Hold>>,
    /// Location of the value in the file.
    source: SourceLocation,
}

saved_as!(InSync, PlanInSync { flow, step, current, hold, source });

/// Binding that the file does not list.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct PlanUnmanaged {
    /// The flow.
    flow: FlowId,
    /// The step.
    #[cfg_attr(test, schemars(with = "String"))]
    step: Step,
    /// Value in the tenant.
    current: Bound,
}

saved_as!(Unmanaged, PlanUnmanaged { flow, step, current });

/// Connector that does not call its pinned address.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct PlanPin {
    /// The connector.
    connector: Connector,
    /// Address that the file pins.
    expected: String,
    /// Address in the tenant; null if it has none.
    actual: Option<String>,
    /// Location of the pin in the file; null if it is not known.
    #[serde(default)]
    source: Option<SourceLocation>,
}

saved_as!(BrokenPin, PlanPin { connector, expected, actual, source });

/// Certificates of a connector that the file binds.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
struct PlanCertificate {
    /// The connector.
    connector: Connector,
    /// Time until which the connector has an active certificate, in RFC 3339; null if it has none.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    not_after: Option<Timestamp>,
    /// Whether no active certificate is valid as long as the run required.
    is_expiring: bool,
}

saved_as!(BoundCertificate, PlanCertificate { connector, not_after, is_expiring });

/// Binding at a step that its flow never calls.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
struct PlanNeverCalled {
    /// The flow.
    flow: FlowId,
    /// The step.
    #[cfg_attr(test, schemars(with = "String"))]
    step: Step,
    /// Type of the flow, such as `passwordReset`.
    user_flow_type: String,
}

saved_as!(NeverCalled, PlanNeverCalled { flow, step, user_flow_type });

/// Binding that could not be read.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct PlanUnreadable {
    /// The flow.
    flow: FlowId,
    /// The step.
    #[cfg_attr(test, schemars(with = "String"))]
    step: Step,
    /// Stable id of the problem.
    id: Code,
    /// Why it could not be read.
    error: String,
    /// What the error means, if that is known.
    meaning: Option<String>,
    /// What to do, if that is known.
    hint: Option<String>,
    /// Request with its ids, if one was sent.
    request: Option<String>,
}

saved_as!(UnreadableBinding, PlanUnreadable);

impl From<UnreadableBinding> for PlanUnreadable {
    fn from(UnreadableBinding { flow, step, error }: UnreadableBinding) -> Self {
        let ReadError { code: id, cause, meaning, hint, request } = error;
        let text = |text: Option<Arc<str>>| text.map(|text| text.to_string());
        let (meaning, hint, request) = (text(meaning), text(hint), text(request));
        Self { flow, step, id, error: cause.to_string(), meaning, hint, request }
    }
}

impl From<PlanUnreadable> for UnreadableBinding {
    fn from(part: PlanUnreadable) -> Self {
        let PlanUnreadable { flow, step, id: code, error, meaning, hint, request } = part;
        let text = |text: Option<String>| text.map(Arc::from);
        let cause = error.into();
        let (meaning, hint, request) = (text(meaning), text(hint), text(request));
        Self { flow, step, error: ReadError { code, cause, meaning, hint, request } }
    }
}
