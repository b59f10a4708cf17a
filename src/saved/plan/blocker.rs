//! Blockers of a plan as JSON: id and values, with the message for readers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::parts::{ConnectorPart, LocationPart, SavedFileError, code, flow_id, from_name};
use crate::diagnostic::Code;
use crate::plan::{Blocker, BrokenPin};

/// Guard that blocks the changes. The keys after `allow` are the values of the guard.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct PlanBlocker {
    /// Stable id of the guard.
    id: String,
    /// Message.
    reason: String,
    /// Flag that lifts the guard; null if none does.
    allow: Option<String>,
    /// Number of changes or disables.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<usize>,
    /// Limit that the number exceeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    /// Flow of a protected binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<String>,
    /// Step of a protected binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    /// Change to a protected binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    /// Location of a protected binding in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<LocationPart>,
    /// Connector that does not call its pinned address.
    #[serde(skip_serializing_if = "Option::is_none")]
    connector: Option<ConnectorPart>,
    /// Address that the file pins.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    /// Address in the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<String>,
}

impl From<&Blocker> for PlanBlocker {
    fn from(blocker: &Blocker) -> Self {
        let part = Self {
            id: blocker.code().id().to_owned(),
            reason: blocker.to_string(),
            allow: blocker.lifted_by().map(|flag| flag.to_string()),
            ..Self::default()
        };
        match blocker {
            Blocker::MaxChanges { changes: number, limit }
            | Blocker::MaxDisables { disables: number, limit } => {
                Self { number: Some(*number), limit: Some(*limit), ..part }
            }
            Blocker::Protected { flow, step, action, source } => Self {
                flow: Some(flow.to_string()),
                step: Some(step.name().to_owned()),
                action: Some(action.name().to_owned()),
                source: Some(source.into()),
                ..part
            },
            Blocker::EmptyPrune => part,
            Blocker::PinMismatch(BrokenPin { connector, expected, actual }) => Self {
                connector: Some(connector.into()),
                expected: Some(expected.clone()),
                actual: actual.clone(),
                ..part
            },
        }
    }
}

impl TryFrom<PlanBlocker> for Blocker {
    type Error = SavedFileError;

    fn try_from(part: PlanBlocker) -> Result<Self, SavedFileError> {
        let PlanBlocker {
            id, number, limit, flow, step, action, source, connector, expected, actual, ..
        } = part;
        let missing = |key: &str| SavedFileError::InvalidValue(format!("`{id}` without `{key}`"));
        let number = || number.ok_or_else(|| missing("number"));
        let limit = || limit.ok_or_else(|| missing("limit"));
        Ok(match code(&id)? {
            Code::GuardMaxChanges => Self::MaxChanges { changes: number()?, limit: limit()? },
            Code::GuardMaxDisables => Self::MaxDisables { disables: number()?, limit: limit()? },
            Code::ProtectedBinding => Self::Protected {
                flow: flow_id(flow.ok_or_else(|| missing("flow"))?)?,
                step: from_name("step", &step.ok_or_else(|| missing("step"))?, |name| name.parse().ok())?,
                action: from_name("action", &action.ok_or_else(|| missing("action"))?, |name| {
                    name.parse().ok()
                })?,
                source: source.ok_or_else(|| missing("source"))?.into(),
            },
            Code::EmptyPrune => Self::EmptyPrune,
            Code::PinMismatch => Self::PinMismatch(BrokenPin {
                connector: connector.ok_or_else(|| missing("connector"))?.try_into()?,
                expected: expected.ok_or_else(|| missing("expected"))?,
                actual,
            }),
            _ => return Err(SavedFileError::InvalidValue(format!("`refusals`: `{id}`"))),
        })
    }
}
