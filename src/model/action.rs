//! Kinds of changes.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::connector::Connector;

/// Kind of change of a binding. One change is exactly one PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[derive(EnumString, IntoStaticStr, VariantArray)]
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
