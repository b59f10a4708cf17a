//! Flags that override guards.

use std::fmt;
use std::str::FromStr;

use crate::model::{FlowId, Step, Tenant, names};

/// Guards as the command line overrides them for one tenant.
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
    /// Returns the flag as a command line has it: with the tenant if the run has `several`.
    pub fn scoped(&self, tenant: &Tenant, several: bool) -> ScopedOverride {
        ScopedOverride { tenant: several.then(|| tenant.clone()), value: self.clone() }
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

/// Flag that overrides a guard, as the command line has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopedOverride {
    /// Tenant that the flag names. Without one, it concerns the only tenant of a run.
    pub tenant: Option<Tenant>,
    /// The flag.
    pub value: Override,
}

impl ScopedOverride {
    /// Parses the value of a limit, `N` or `TENANT=N`.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn parse_limit(text: &str, flag: fn(u32) -> Override) -> Result<Self, String> {
        let (tenant, limit) =
            text.split_once('=').map_or((None, text), |(tenant, limit)| (Some(tenant), limit));
        let limit = limit.parse().map_err(|_| "expected N or TENANT=N, where N is an integer from 0")?;
        Self::parse(tenant, flag(limit))
    }

    /// Parses the value of `--allow-protected`, `FLOW/STEP` or `TENANT:FLOW/STEP`.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn parse_protected(text: &str) -> Result<Self, String> {
        // A flow id may contain a colon. Its prefix has an underscore, and a tenant has none.
        let scoped = text.split_once(':').filter(|(tenant, _)| !tenant.contains('_'));
        let (tenant, binding) = scoped.map_or((None, text), |(tenant, binding)| (Some(tenant), binding));
        let (flow, step) = binding
            .rsplit_once('/')
            .ok_or("expected FLOW/STEP, such as B2C_1_signup/postFederationSignup")?;
        let flow = FlowId::parse(flow).map_err(|error| format!("invalid flow id `{flow}`: {error}"))?;
        let known = || names::<Step>().join(", ");
        let step = step.parse().map_err(|_| format!("unknown step `{step}`; the steps are {}", known()))?;
        Self::parse(tenant, Override::AllowProtected(flow, step))
    }

    /// Parses the value of `--allow-empty`: a tenant, or nothing.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn parse_allow_empty(text: &str) -> Result<Self, String> {
        Self::parse(Some(text).filter(|text| !text.is_empty()), Override::AllowEmpty)
    }

    fn parse(tenant: Option<&str>, value: Override) -> Result<Self, String> {
        let parse =
            |tenant: &str| tenant.parse().map_err(|error| format!("`{tenant}` is not a tenant: {error}"));
        Ok(Self { tenant: tenant.map(parse).transpose()?, value })
    }

    /// Returns the flag with its value for a shell command, in quotes if its flow id has characters that a
    /// shell would interpret.
    pub fn to_shell(&self) -> String {
        self.to_shell_for(self.tenant.as_deref())
    }

    /// Returns the flag for a shell command, with this text in place of its tenant.
    pub(super) fn to_shell_for(&self, tenant: Option<&str>) -> String {
        let scope = |separator| tenant.map(|tenant| format!("{tenant}{separator}")).unwrap_or_default();
        match &self.value {
            Override::MaxChanges(limit) => format!("--max-changes {}{limit}", scope("=")),
            Override::MaxDisables(limit) => format!("--max-disables {}{limit}", scope("=")),
            Override::AllowProtected(flow, step) => {
                let is_plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
                // Neither a flow id nor a tenant has a single quote.
                let quote = if flow.as_str().chars().all(is_plain) { "" } else { "'" };
                format!("--allow-protected {quote}{}{flow}/{step}{quote}", scope(":"))
            }
            Override::AllowEmpty => match tenant {
                Some(tenant) => format!("--allow-empty={tenant}"),
                None => "--allow-empty".to_owned(),
            },
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
        let tenant = "contoso.com".parse().unwrap();
        for (flow, several, expected) in [
            ("B2C_1_sign-up.2", false, "B2C_1_sign-up.2/postFederationSignup"),
            ("B2C_1_sign-up.2", true, "contoso.com:B2C_1_sign-up.2/postFederationSignup"),
            ("B2C_1_$(id)", false, "'B2C_1_$(id)/postFederationSignup'"),
            ("B2C_1_$(id)", true, "'contoso.com:B2C_1_$(id)/postFederationSignup'"),
        ] {
            let shell = flag(flow).scoped(&tenant, several).to_shell();
            assert_eq!(shell, format!("--allow-protected {expected}"));
        }
    }

    #[test]
    fn scoped_override_from_value_has_an_optional_tenant() {
        let shell = |flag: Result<ScopedOverride, String>| flag.map(|flag| flag.to_shell());
        let limit = |text| shell(ScopedOverride::parse_limit(text, Override::MaxChanges));
        assert_eq!(limit("0").as_deref(), Ok("--max-changes 0"));
        assert_eq!(limit("a.com=3").as_deref(), Ok("--max-changes a.com=3"));
        for binding in ["B2C_1_a:b/postFederationSignup", "a.com:B2C_1_a:b/postFederationSignup"] {
            assert_eq!(
                shell(ScopedOverride::parse_protected(binding)),
                Ok(format!("--allow-protected '{binding}'"))
            );
        }
        for bad in ["", "=1", "a.com=", "a.com=-1", "a_b.com=1", "a.com=1=2", "1=a.com"] {
            assert!(limit(bad).is_err(), "{bad:?}");
        }
        for bad in [
            "a_b.com:B2C_1_a/postFederationSignup",
            ":B2C_1_a/postFederationSignup",
            "a.com:",
            "a.com:B2C_1_a",
        ] {
            assert!(ScopedOverride::parse_protected(bad).is_err(), "{bad:?}");
        }
        assert_eq!(shell(ScopedOverride::parse_allow_empty("a.com")).as_deref(), Ok("--allow-empty=a.com"));
        assert!(ScopedOverride::parse_allow_empty("contoso").is_err());
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
