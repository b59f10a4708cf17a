//! Blockers of a plan as JSON: id and values, with the message for readers.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, SourceLocation};
use crate::model::{Action, Bound, Connector, FlowId, Step};
use crate::plan::{Blocker, BrokenPin};
use crate::saved::saved_as::saved_as;

/// Guard that blocks the changes. The keys after `allow` are the values of the guard.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default)]
struct PlanBlocker {
    /// Stable id of the guard.
    id: String,
    /// Message.
    reason: String,
    /// Flag that lifts the guard, without the tenant that a run over several needs; null if none does.
    allow: Option<String>,
    /// Number of changes or disables.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<usize>,
    /// Limit that the number exceeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    /// Flow of a protected binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<FlowId>,
    /// Step of a protected binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    step: Option<Step>,
    /// Change to a protected binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    action: Option<Action>,
    /// Location in the file of what blocks: the limit, `protect`, `prune`, the pin, or a binding that is taken back;
    /// absent for a default, for the limit of a flag, and if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceLocation>,
    /// Connector that does not call its pinned address.
    #[serde(skip_serializing_if = "Option::is_none")]
    connector: Option<Connector>,
    /// Value that was set and is to be taken back; null for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    set: Option<Bound>,
    /// Value in the tenant; null for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<Bound>,
    /// Address that the file pins.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    /// Address in the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<String>,
}

saved_as!(Blocker, PlanBlocker);

impl From<Blocker> for PlanBlocker {
    fn from(blocker: Blocker) -> Self {
        let part = Self {
            id: blocker.code().id().to_owned(),
            reason: blocker.to_string(),
            allow: blocker.lifted_by().map(|flag| flag.to_string()),
            ..Self::default()
        };
        match blocker {
            Blocker::MaxChanges { changes: number, limit, source }
            | Blocker::MaxDisables { disables: number, limit, source } => {
                Self { number: Some(number), limit: Some(limit), source, ..part }
            }
            Blocker::Protected { flow, step, action, source } => Self {
                flow: Some(flow),
                step: Some(step),
                action: Some(action),
                source: Some(source),
                ..part
            },
            Blocker::UndoStale { flow, step, set, current, source } => Self {
                flow: Some(flow),
                step: Some(step),
                set: Some(set),
                current: Some(current),
                source: Some(source),
                ..part
            },
            Blocker::UndoDeleted { flow, step, connector, source } => Self {
                flow: Some(flow),
                step: Some(step),
                connector: Some(connector),
                source: Some(source),
                ..part
            },
            Blocker::EmptyPrune { source } => Self { source, ..part },
            Blocker::PinMismatch(BrokenPin { connector, expected, actual, source }) => {
                Self { connector: Some(connector), expected: Some(expected), actual, source, ..part }
            }
        }
    }
}

impl TryFrom<PlanBlocker> for Blocker {
    type Error = String;

    fn try_from(part: PlanBlocker) -> Result<Self, String> {
        let PlanBlocker {
            id,
            number,
            limit,
            flow,
            step,
            action,
            source,
            connector,
            set,
            current,
            expected,
            actual,
            ..
        } = part;
        let missing = |key: &str| format!("`{id}` without `{key}`");
        let number = || number.ok_or_else(|| missing("number"));
        let limit = || limit.ok_or_else(|| missing("limit"));
        Ok(match id.parse() {
            Ok(Code::GuardMaxChanges) => Self::MaxChanges { changes: number()?, limit: limit()?, source },
            Ok(Code::GuardMaxDisables) => Self::MaxDisables { disables: number()?, limit: limit()?, source },
            Ok(Code::ProtectedBinding) => Self::Protected {
                flow: flow.ok_or_else(|| missing("flow"))?,
                step: step.ok_or_else(|| missing("step"))?,
                action: action.ok_or_else(|| missing("action"))?,
                source: source.ok_or_else(|| missing("source"))?,
            },
            Ok(Code::UndoStale) => Self::UndoStale {
                flow: flow.ok_or_else(|| missing("flow"))?,
                step: step.ok_or_else(|| missing("step"))?,
                set: set.flatten(),
                current: current.flatten(),
                source: source.ok_or_else(|| missing("source"))?,
            },
            Ok(Code::UndoDeleted) => Self::UndoDeleted {
                flow: flow.ok_or_else(|| missing("flow"))?,
                step: step.ok_or_else(|| missing("step"))?,
                connector: connector.ok_or_else(|| missing("connector"))?,
                source: source.ok_or_else(|| missing("source"))?,
            },
            Ok(Code::EmptyPrune) => Self::EmptyPrune { source },
            Ok(Code::PinMismatch) => Self::PinMismatch(BrokenPin {
                connector: connector.ok_or_else(|| missing("connector"))?,
                expected: expected.ok_or_else(|| missing("expected"))?,
                actual,
                source,
            }),
            _ => return Err(format!("`refusals`: `{id}`")),
        })
    }
}
