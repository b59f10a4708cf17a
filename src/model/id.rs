//! The ids of flows and connectors: what may stand in a URL, and how they compare.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// The id of a user flow. Its prefix tells the collection that it lives in. Copies share the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowId(Arc<str>);

/// The two kinds of user flow. A tenant has one or the other, never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlowKind {
    /// Flows of an Azure AD B2C tenant, `B2C_1_…`.
    B2c,
    /// Self-service sign-up flows of a workforce tenant, `B2X_1_…`.
    B2x,
}

impl FlowKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::B2c, Self::B2x];

    /// What every id of this kind starts with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::B2c => "B2C_1_",
            Self::B2x => "B2X_1_",
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::B2c => "B2C",
            Self::B2x => "B2X",
        }
    }

    /// The collection under `/identity`.
    pub fn collection(self) -> &'static str {
        match self {
            Self::B2c => "b2cUserFlows",
            Self::B2x => "b2xUserFlows",
        }
    }
}

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// It has a character that would change the meaning of a URL or of a line.
    #[error("must not contain {0}")]
    Character(String),
    /// It does not start with `B2C_1_` or `B2X_1_`.
    #[error("must start with `B2C_1_` or `B2X_1_`")]
    Prefix,
    /// There is nothing in it, nothing but dots, or nothing after the prefix.
    #[error("is empty")]
    Empty,
}

impl FlowId {
    /// Takes an id as Graph gives it.
    ///
    /// # Errors
    /// An unknown prefix or nothing after it, white space, a control character or one of `/ \ ? # % '`.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        refuse_unsafe_characters(text)?;
        let kind = FlowKind::ALL
            .into_iter()
            .find(|kind| text.starts_with(kind.prefix()))
            .ok_or(InvalidId::Prefix)?;
        if text == kind.prefix() {
            return Err(InvalidId::Empty);
        }
        Ok(Self(text.into()))
    }

    /// The kind that its prefix tells.
    pub fn kind(&self) -> FlowKind {
        if self.0.starts_with(FlowKind::B2x.prefix()) { FlowKind::B2x } else { FlowKind::B2c }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for FlowId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

fn refuse_unsafe_characters(text: &str) -> Result<(), InvalidId> {
    match text.chars().find(|char| {
        char.is_whitespace() || char.is_control() || matches!(char, '/' | '\\' | '?' | '#' | '%' | '\'')
    }) {
        None => Ok(()),
        Some(char) if char.is_whitespace() => Err(InvalidId::Character("white space".into())),
        Some(char) if char.is_control() => Err(InvalidId::Character("a control character".into())),
        Some(char) => Err(InvalidId::Character(format!("`{char}`"))),
    }
}

/// The id of an `identityApiConnector`. GUIDs compare without case: they are kept in lower case.
/// Copies share the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectorId(Arc<str>);

impl ConnectorId {
    /// Takes an id as Graph gives it.
    ///
    /// # Errors
    /// Nothing or nothing but dots, white space, a control character or one of `/ \ ? # % '`.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        // One or two dots would lead a URL astray.
        if text.trim_matches('.').is_empty() {
            return Err(InvalidId::Empty);
        }
        refuse_unsafe_characters(text)?;
        Ok(Self(if is_guid(text) { text.to_ascii_lowercase().into() } else { text.into() }))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ConnectorId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Whether a text is a GUID in the form that Graph writes: 8-4-4-4-12 hexadecimal digits.
pub fn is_guid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_id_has_a_known_prefix_and_no_character_that_means_something_in_a_url() {
        assert_eq!(FlowId::parse("B2C_1_signup").unwrap().kind(), FlowKind::B2c);
        assert_eq!(FlowId::parse("B2X_1_é").unwrap().kind(), FlowKind::B2x);
        for bad in ["", "signup", "b2c_1_x", "B2C_1_", "B2C_1", " B2C_1_x", "B2C_1_a b", "B2C_1_\u{85}"] {
            assert!(FlowId::parse(bad).is_err(), "{bad:?}");
        }
        for char in "/\\?#%'\n\t\u{a0}\u{0}".chars() {
            assert!(FlowId::parse(&format!("B2C_1_{char}")).is_err(), "{char:?}");
        }
    }

    #[test]
    fn guids_compare_without_case_and_other_ids_with_it() {
        let id = |text| ConnectorId::parse(text).unwrap();
        assert_eq!(id("1F1D2C3B-0000-4000-8000-00000000ABCD"), id("1f1d2c3b-0000-4000-8000-00000000abcd"));
        assert_ne!(id("Abc"), id("abc"));
        assert!(!is_guid("1f1d2c3b000040008000000000000abcd"));
        assert!(!is_guid("{1f1d2c3b-0000-4000-8000-0000000abc}"));
    }
}
