//! Holds of the bindings in a plan.

use jiff::Timestamp;

use crate::diagnostic::SourceLocation;
use crate::model::{Bound, DesiredHold, FlowId, Step};

/// Temporary exception of a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Time from which the regular value counts again.
    pub until: Timestamp,
    /// Why the binding has another value, in one line.
    pub reason: String,
    /// Whether the hold was over when the run started, so that the regular value counts.
    pub is_expired: bool,
    /// Name or id of the regular connector; `None` for nothing.
    pub regular: Option<String>,
    /// Location of its `until` in the file.
    pub source: SourceLocation,
}

impl Hold {
    /// Converts a hold of a file at a time. `regular` is the name or id of the regular connector.
    pub fn from_file(hold: &DesiredHold, regular: Option<String>, now: Timestamp) -> Self {
        let (until, reason, source) = (hold.until, hold.reason.clone(), SourceLocation::from(&hold.span));
        Self { until, reason, is_expired: hold.is_expired(now), regular, source }
    }
}

/// Binding that has another value than the regular one, because of a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBinding {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// Value until the hold ends.
    pub value: Bound,
    /// The hold.
    pub hold: Hold,
}
