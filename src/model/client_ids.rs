//! Apps that sign in to a tenant.

use std::fmt;

use strum::{IntoStaticStr, VariantArray};

/// Command that an app signs in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Purpose {
    /// `plan`, and every other command that only reads.
    Plan,
    /// `apply`
    Apply,
}

/// Application (client) ids of the apps that sign in to a tenant. Both are the same if the file has one id.
#[derive(Debug, Clone)]
pub struct ClientIds {
    /// App that reads, for every command except `apply`.
    pub plan: String,
    /// App that applies.
    pub apply: String,
}

impl ClientIds {
    /// Returns the app that signs in for a command.
    pub fn for_purpose(&self, purpose: Purpose) -> &str {
        match purpose {
            Purpose::Plan => &self.plan,
            Purpose::Apply => &self.apply,
        }
    }

    /// Returns whether one app signs in for all commands.
    pub fn is_single(&self) -> bool {
        self.plan.eq_ignore_ascii_case(&self.apply)
    }
}

impl From<String> for ClientIds {
    fn from(id: String) -> Self {
        Self { plan: id.clone(), apply: id }
    }
}

impl PartialEq for ClientIds {
    /// Compares without regard to letter case, as the login authority does.
    fn eq(&self, other: &Self) -> bool {
        self.plan.eq_ignore_ascii_case(&other.plan) && self.apply.eq_ignore_ascii_case(&other.apply)
    }
}

impl Eq for ClientIds {}

impl fmt::Display for ClientIds {
    /// Writes the value of `clientId` in a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            single if single.is_single() => f.write_str(&self.plan),
            Self { plan, apply } => write!(f, "{{plan: {plan}, apply: {apply}}}"),
        }
    }
}
