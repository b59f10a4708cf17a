//! Flags that override guards.

use std::fmt;
use std::str::FromStr;

use crate::model::{FlowId, Step};

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
