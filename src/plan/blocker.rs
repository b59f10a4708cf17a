//! Blockers: why a guard blocks a plan, each with the flag that lifts it.

use std::fmt;

use super::binding::BrokenPin;
use super::overrides::{Override, ScopedOverride};
use crate::diagnostic::{Code, Diagnostic, Location, SourceLocation};
use crate::model::{Action, Bound, Connector, FlowId, Step};

/// Reason why a guard blocks the changes of a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocker {
    /// More changes than `maxChanges`.
    MaxChanges {
        /// Number of changes.
        changes: usize,
        /// The limit.
        limit: u32,
        /// Location of the limit in the file; `None` for that of a flag.
        source: Option<SourceLocation>,
    },
    /// More disables than `maxDisables`.
    MaxDisables {
        /// Number of disables.
        disables: usize,
        /// The limit.
        limit: u32,
        /// Location of the limit in the file; `None` for the default and for that of a flag.
        source: Option<SourceLocation>,
    },
    /// A protected binding would be disabled or replaced.
    Protected {
        /// The flow.
        flow: FlowId,
        /// The step.
        step: Step,
        /// The change that it blocks.
        action: Action,
        /// Location of `protect` in the file.
        source: SourceLocation,
    },
    /// `prune: flows` in a file without flows.
    EmptyPrune {
        /// Location of `prune` in the file, if it is known.
        source: Option<SourceLocation>,
    },
    /// A binding that is to be taken back no longer has the value that was set.
    UndoStale {
        /// The flow.
        flow: FlowId,
        /// The step.
        step: Step,
        /// Value that was set.
        set: Bound,
        /// Value in the tenant.
        current: Bound,
        /// Location of the binding in the file.
        source: SourceLocation,
    },
    /// The connector that a binding had before does not exist any more.
    UndoDeleted {
        /// The flow.
        flow: FlowId,
        /// The step.
        step: Step,
        /// The deleted connector.
        connector: Connector,
        /// Location of the binding in the file.
        source: SourceLocation,
    },
    /// A connector that would be bound does not call its pinned address.
    PinMismatch(BrokenPin),
}

impl Blocker {
    /// Returns the id of the problem.
    pub fn code(&self) -> Code {
        match self {
            Self::MaxChanges { .. } => Code::GuardMaxChanges,
            Self::MaxDisables { .. } => Code::GuardMaxDisables,
            Self::Protected { .. } => Code::ProtectedBinding,
            Self::UndoStale { .. } => Code::UndoStale,
            Self::UndoDeleted { .. } => Code::UndoDeleted,
            Self::EmptyPrune { .. } => Code::EmptyPrune,
            Self::PinMismatch(_) => Code::PinMismatch,
        }
    }

    /// Returns the flag that lifts the blocker, with the lowest limit that does. `None` for a pin, which no
    /// flag lifts. Other files of the tenant may need a higher limit.
    pub fn lifted_by(&self) -> Option<Override> {
        match self {
            Self::MaxChanges { changes, .. } => u32::try_from(*changes).ok().map(Override::MaxChanges),
            Self::MaxDisables { disables, .. } => u32::try_from(*disables).ok().map(Override::MaxDisables),
            Self::Protected { flow, step, .. } => Some(Override::AllowProtected(flow.clone(), *step)),
            Self::EmptyPrune { .. } => Some(Override::AllowEmpty),
            Self::UndoStale { .. } | Self::UndoDeleted { .. } | Self::PinMismatch(_) => None,
        }
    }

    /// Returns the location in the file of what blocks; `None` for the limit of a flag and a default.
    fn source(&self) -> Option<&SourceLocation> {
        match self {
            Self::MaxChanges { source, .. }
            | Self::MaxDisables { source, .. }
            | Self::EmptyPrune { source }
            | Self::PinMismatch(BrokenPin { source, .. }) => source.as_ref(),
            Self::Protected { source, .. }
            | Self::UndoStale { source, .. }
            | Self::UndoDeleted { source, .. } => Some(source),
        }
    }

    /// Returns the blocker as a problem at its location. Its hint is the flag that lifts it, or what to do about a
    /// pin, which has both addresses as causes.
    pub fn diagnostic(&self, flag: Option<&ScopedOverride>) -> Diagnostic {
        let problem = Diagnostic::blocked(self.code(), self.to_string());
        let problem = match flag {
            Some(flag) => problem.hint(override_hint(&format!("`{}`", flag.to_shell()))),
            None => problem,
        };
        let location = self.source().map(|source| Box::new(Location::Position(source.clone())));
        let problem = Diagnostic { location, ..problem };
        match self {
            Self::UndoStale { .. } => {
                problem.hint("find out who changed the binding, or leave it out with `--only`")
            }
            Self::UndoDeleted { .. } => {
                problem.hint("bind another connector with a file, or leave the binding out with `--only`")
            }
            Self::PinMismatch(pin) => problem
                .caused_by(format!("pinned to {}", pin.expected))
                .caused_by(format!("calls {}", pin.actual.as_deref().unwrap_or("no address")))
                .hint("find out who changed the connector; then update `targetUrl` or restore the connector"),
            Self::MaxChanges { .. }
            | Self::MaxDisables { .. }
            | Self::Protected { .. }
            | Self::EmptyPrune { .. } => problem,
        }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxChanges { changes, limit, source: _ } => {
                write!(f, "{} `maxChanges: {limit}`", count_exceeds(*changes, "change"))
            }
            Self::MaxDisables { disables, limit, source: _ } => {
                write!(f, "{} `maxDisables: {limit}`", count_exceeds(*disables, "disable"))
            }
            Self::Protected { flow, step, action, source: _ } => {
                write!(f, "would {} `{flow}` `{step}`, which is protected", action.name())
            }
            Self::UndoStale { flow, step, set, current, source: _ } => {
                let (set, current) = (shown(set), shown(current));
                write!(f, "`{flow}` `{step}` has {current} now, not {set}, which the apply set")
            }
            Self::UndoDeleted { flow, step, connector, source: _ } => {
                let name = connector.display_name.as_deref().unwrap_or(connector.id.as_str());
                write!(f, "`{flow}` `{step}` cannot get `{name}` back: the connector was deleted")
            }
            Self::EmptyPrune { source: _ } => {
                f.write_str("`prune: flows` with no flows listed would disable every binding of the tenant")
            }
            Self::PinMismatch(BrokenPin { connector, .. }) => {
                let name = connector.display_name.as_deref().unwrap_or(connector.id.as_str());
                write!(f, "`{name}` does not call its pinned address")
            }
        }
    }
}

/// Returns the hint `if this is intended: FLAGS` of blockers that these flags lift. The caller marks the
/// flags as code.
pub fn override_hint(flags: &str) -> String {
    format!("if this is intended: {flags}")
}

/// Returns the name of a value in backticks, or `nothing`.
fn shown(bound: &Bound) -> String {
    let name = |it: &Connector| it.display_name.clone().unwrap_or_else(|| it.id.to_string());
    bound.as_ref().map_or("nothing".to_owned(), |connector| format!("`{}`", name(connector)))
}

/// Returns a count with its unit and the verb: `1 change exceeds`, `2 changes exceed`.
fn count_exceeds(number: usize, unit: &str) -> String {
    if number == 1 { format!("1 {unit} exceeds") } else { format!("{number} {unit}s exceed") }
}
