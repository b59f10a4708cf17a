//! Guards: finds all blockers of a plan, each with the flag that lifts it.
//!
//! A guard protects against accidents, not against users who can change the file: they can change its guards.

use std::fmt;
use std::str::FromStr;

use super::resolve::Resolved;
use super::{BrokenPin, Change, Target};
use crate::diagnostic::{Code, Diagnostic, Location, SourceLocation};
use crate::model::{Action, Desired, FlowId, Guards, Pins, Prune, Step, TargetUrl, bound_id};

/// Guards as the command line overrides them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    /// Limit on changes, in place of the file's.
    pub max_changes: Option<u32>,
    /// Limit on disables, in place of the file's.
    pub max_disables: Option<u32>,
    /// Protected bindings that may be disabled or replaced.
    pub allow_protected: Vec<(FlowId, Step)>,
    /// Whether a file without flows may prune all flows.
    pub allow_empty: bool,
}

impl Overrides {
    /// Returns the flags that are set, each once: limits, then protected bindings, then `--allow-empty`.
    pub fn to_vec(&self) -> Vec<Override> {
        let Self { max_changes, max_disables, allow_protected, allow_empty } = self;
        let mut overrides = Vec::new();
        overrides.extend(max_changes.map(Override::MaxChanges));
        overrides.extend(max_disables.map(Override::MaxDisables));
        for (flow, step) in allow_protected {
            let allowed = Override::AllowProtected(flow.clone(), *step);
            if !overrides.contains(&allowed) {
                overrides.push(allowed);
            }
        }
        overrides.extend(allow_empty.then_some(Override::AllowEmpty));
        overrides
    }
}

/// One flag that overrides a guard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Override {
    /// `--max-changes N`
    MaxChanges(u32),
    /// `--max-disables N`
    MaxDisables(u32),
    /// `--allow-protected FLOW/STEP`
    AllowProtected(FlowId, Step),
    /// `--allow-empty`
    AllowEmpty,
}

impl Override {
    /// Returns the flag with its value for a shell command, in quotes if its flow id has characters that a
    /// shell would interpret.
    pub fn to_shell(&self) -> String {
        let is_plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
        match self {
            Self::AllowProtected(flow, step) if !flow.as_str().chars().all(is_plain) => {
                // A flow id has no single quote.
                format!("--allow-protected '{flow}/{step}'")
            }
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Override {
    /// Writes the flag with its value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxChanges(limit) => write!(f, "--max-changes {limit}"),
            Self::MaxDisables(limit) => write!(f, "--max-disables {limit}"),
            Self::AllowProtected(flow, step) => write!(f, "--allow-protected {flow}/{step}"),
            Self::AllowEmpty => f.write_str("--allow-empty"),
        }
    }
}

/// Error for a text that is not a flag that overrides a guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a flag that overrides a guard")]
pub struct InvalidOverride;

impl FromStr for Override {
    type Err = InvalidOverride;

    /// Parses what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, InvalidOverride> {
        let (flag, value) = text.split_once(' ').unwrap_or((text, ""));
        match flag {
            "--max-changes" => value.parse().map(Self::MaxChanges).map_err(|_| InvalidOverride),
            "--max-disables" => value.parse().map(Self::MaxDisables).map_err(|_| InvalidOverride),
            "--allow-protected" => {
                let (flow, step) = value.rsplit_once('/').ok_or(InvalidOverride)?;
                let flow = FlowId::parse(flow).map_err(|_| InvalidOverride)?;
                Ok(Self::AllowProtected(flow, step.parse().map_err(|_| InvalidOverride)?))
            }
            "--allow-empty" if value.is_empty() => Ok(Self::AllowEmpty),
            _ => Err(InvalidOverride),
        }
    }
}

/// Reason why a guard blocks the changes of a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocker {
    /// More changes than `maxChanges`.
    MaxChanges {
        /// Number of changes.
        changes: usize,
        /// The limit.
        limit: u32,
    },
    /// More disables than `maxDisables`.
    MaxDisables {
        /// Number of disables.
        disables: usize,
        /// The limit.
        limit: u32,
    },
    /// A protected binding would be disabled or replaced.
    Protected {
        /// The flow.
        flow: FlowId,
        /// The step.
        step: Step,
        /// The change that it blocks.
        action: Action,
        /// Location of the binding in the file.
        source: SourceLocation,
    },
    /// `prune: flows` in a file without flows.
    EmptyPrune,
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
            Self::EmptyPrune => Code::EmptyPrune,
            Self::PinMismatch(_) => Code::PinMismatch,
        }
    }

    /// Returns the flag that lifts the blocker, with the lowest limit that does. `None` for a pin, which no
    /// flag lifts.
    pub fn lifted_by(&self) -> Option<Override> {
        match self {
            Self::MaxChanges { changes, .. } => u32::try_from(*changes).ok().map(Override::MaxChanges),
            Self::MaxDisables { disables, .. } => u32::try_from(*disables).ok().map(Override::MaxDisables),
            Self::Protected { flow, step, .. } => Some(Override::AllowProtected(flow.clone(), *step)),
            Self::EmptyPrune => Some(Override::AllowEmpty),
            Self::PinMismatch(_) => None,
        }
    }

    /// Returns the blocker as a problem. Its hint is the flag that lifts it, or what to do about a pin. A
    /// protected binding has its location, and a pin has both addresses as causes.
    pub fn diagnostic(&self) -> Diagnostic {
        let problem = Diagnostic::blocked(self.code(), self.to_string());
        match (self, self.lifted_by()) {
            (Self::Protected { source, .. }, Some(flag)) => Diagnostic {
                location: Some(Box::new(Location::Position(source.clone()))),
                ..problem.hint(override_hint(&format!("`{}`", flag.to_shell())))
            },
            (Self::PinMismatch(pin), _) => problem
                .caused_by(format!("pinned to {}", pin.expected))
                .caused_by(format!("calls {}", pin.actual.as_deref().unwrap_or("no address")))
                .hint("find out who changed the connector; then update `targetUrl` or restore the connector"),
            (_, Some(flag)) => problem.hint(override_hint(&format!("`{}`", flag.to_shell()))),
            (_, None) => problem,
        }
    }

    /// Returns whether both are the same guard at the same binding. Counts and limits may differ.
    fn is_same_guard(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Protected { flow, step, .. },
                Self::Protected { flow: other_flow, step: other_step, .. },
            ) => (flow, step) == (other_flow, other_step),
            (Self::PinMismatch(pin), Self::PinMismatch(other)) => pin == other,
            _ => self.code() == other.code(),
        }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxChanges { changes, limit } => {
                write!(f, "{} `maxChanges: {limit}`", count_exceeds(*changes, "change"))
            }
            Self::MaxDisables { disables, limit } => {
                write!(f, "{} `maxDisables: {limit}`", count_exceeds(*disables, "disable"))
            }
            Self::Protected { flow, step, action, source: _ } => {
                write!(f, "would {} `{flow}` `{step}`, which is protected", action.name())
            }
            Self::EmptyPrune => {
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

/// Returns a count with its unit and the verb: `1 change exceeds`, `2 changes exceed`.
fn count_exceeds(number: usize, unit: &str) -> String {
    if number == 1 { format!("1 {unit} exceeds") } else { format!("{number} {unit}s exceed") }
}

/// Returns the blockers of a target, and those that the overrides lifted.
pub(super) fn evaluate(
    target: &Target,
    desired: &Desired,
    overrides: &Overrides,
) -> (Vec<Blocker>, Vec<Blocker>) {
    let blockers = find_blockers(target, desired, overrides);
    let mut lifted = find_blockers(target, desired, &Overrides::default());
    lifted.retain(|guard| !blockers.iter().any(|blocker| blocker.is_same_guard(guard)));
    (blockers, lifted)
}

fn find_blockers(target: &Target, desired: &Desired, overrides: &Overrides) -> Vec<Blocker> {
    let Guards { max_changes, max_disables } = desired.guards;
    let changes = target.changes.len();
    let disables = target.changes.iter().filter(|change| change.action == Action::Disable).count();
    let exceeds = |number: usize, limit: &u32| number > *limit as usize;
    let mut blockers = Vec::new();
    let max_changes = overrides.max_changes.or(max_changes).filter(|limit| exceeds(changes, limit));
    blockers.extend(max_changes.map(|limit| Blocker::MaxChanges { changes, limit }));
    let max_disables = overrides.max_disables.unwrap_or(max_disables);
    if exceeds(disables, &max_disables) {
        blockers.push(Blocker::MaxDisables { disables, limit: max_disables });
    }
    let is_allowed = |change: &&Change| {
        overrides.allow_protected.iter().any(|(flow, step)| *flow == change.flow && *step == change.step)
    };
    let protected = target.changes.iter().filter(|it| it.protected && it.action != Action::Enable);
    blockers.extend(protected.filter(|change| !is_allowed(change)).map(|change| Blocker::Protected {
        flow: change.flow.clone(),
        step: change.step,
        action: change.action,
        source: change.source.clone(),
    }));
    let prunes_all = matches!(desired.prune, Some((Prune::Flows, _))) && desired.flows.is_empty();
    blockers.extend((prunes_all && !overrides.allow_empty).then_some(Blocker::EmptyPrune));
    blockers
        .extend(target.pins.iter().filter(|pin| is_bound_by(target, pin)).cloned().map(Blocker::PinMismatch));
    blockers
}

/// Returns the pins that apply to a connector and have another address than it.
pub(super) fn find_broken_pins(pins: &Pins, resolved: &Resolved) -> impl Iterator<Item = BrokenPin> {
    let Resolved { connector, target_url } = resolved;
    let broken = pins.for_connector(connector).filter(|pin| target_url.as_ref() != Some(&***pin));
    broken.map(|pin| BrokenPin {
        connector: connector.clone(),
        expected: pin.to_string(),
        actual: target_url.as_ref().map(TargetUrl::to_string),
    })
}

/// Returns whether a change would bind the connector of the pin. A broken pin blocks only plans with such a
/// change.
fn is_bound_by(target: &Target, pin: &BrokenPin) -> bool {
    target.changes.iter().any(|change| bound_id(&change.desired) == Some(&pin.connector.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn override_to_shell_with_special_characters_is_quoted() {
        let flag = |flow| Override::AllowProtected(FlowId::parse(flow).unwrap(), Step::PostFederationSignup);
        let plain = flag("B2C_1_sign-up.2").to_shell();
        assert_eq!(plain, "--allow-protected B2C_1_sign-up.2/postFederationSignup");
        let quoted = flag("B2C_1_$(id)").to_shell();
        assert_eq!(quoted, "--allow-protected 'B2C_1_$(id)/postFederationSignup'");
    }

    #[test]
    fn override_from_str_parses_what_display_writes() {
        let flow = FlowId::parse("B2C_1_signup").unwrap();
        for flag in [
            Override::MaxChanges(7),
            Override::MaxDisables(0),
            Override::AllowProtected(flow, Step::PostFederationSignup),
            Override::AllowEmpty,
        ] {
            assert_eq!(flag.to_string().parse(), Ok(flag));
        }
        for text in
            ["", "--yes", "--max-changes", "--max-changes x", "--allow-empty 1", "--allow-protected a/b"]
        {
            assert_eq!(text.parse::<Override>(), Err(InvalidOverride), "{text}");
        }
    }
}
