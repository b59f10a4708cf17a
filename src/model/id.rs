//! Ids of flows and connectors: valid characters and comparison.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use strum::{IntoStaticStr, VariantArray};

use super::look_alike::{describe, is_invisible};

/// Id of a user flow. Its prefix determines the collection of the flow. Clones share the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowId(Arc<str>);

/// Kind of a user flow. All flows of a tenant are of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "UPPERCASE")]
pub enum FlowKind {
    /// Flows of an Azure AD B2C tenant, `B2C_1_…`.
    B2c,
    /// Self-service sign-up flows of a workforce tenant, `B2X_1_…`.
    B2x,
}

impl FlowKind {
    /// Returns the prefix of every id of this kind.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::B2c => "B2C_1_",
            Self::B2x => "B2X_1_",
        }
    }

    /// Returns the name of the kind.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the name of the collection under `/identity`.
    pub fn collection(self) -> &'static str {
        match self {
            Self::B2c => "b2cUserFlows",
            Self::B2x => "b2xUserFlows",
        }
    }
}

/// Reason why a text is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Character that would change the meaning of a URL or of a line.
    #[error("must not contain {0}")]
    Character(String),
    /// Unknown prefix.
    #[error("must start with `B2C_1_` or `B2X_1_`")]
    Prefix,
    /// Prefix without a name.
    #[error("must have a name after the prefix")]
    PrefixOnly,
    /// Empty id, or only dots.
    #[error("must not be empty")]
    Empty,
}

impl FlowId {
    /// Parses the id of a flow in the spelling of Graph: `B2C_1_` or `B2X_1_`, and a name. Any other text is
    /// an error.
    ///
    /// # Errors
    /// If the prefix is unknown or nothing follows it, or if the text contains white space, an invisible
    /// character or one of `/ \ ? # % '`.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        reject_unsafe_characters(text)?;
        let kind = FlowKind::VARIANTS
            .iter()
            .find(|kind| text.starts_with(kind.prefix()))
            .ok_or(InvalidId::Prefix)?;
        if text == kind.prefix() {
            return Err(InvalidId::PrefixOnly);
        }
        Ok(Self(text.into()))
    }

    /// Returns the kind, which the prefix determines.
    pub fn kind(&self) -> FlowKind {
        if self.0.starts_with(FlowKind::B2x.prefix()) { FlowKind::B2x } else { FlowKind::B2c }
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Flow id as a key that ignores case. Whether the service distinguishes ids by case is not documented.
///
/// Characters are compared in Unicode lower case, because an id may contain any letter.
#[derive(Debug, Clone, Copy)]
pub struct FlowKey<'a>(pub(super) &'a FlowId);

impl FlowKey<'_> {
    fn folded(&self) -> impl Iterator<Item = char> {
        self.0.as_str().chars().flat_map(char::to_lowercase)
    }
}

impl<'a> From<&'a FlowId> for FlowKey<'a> {
    fn from(id: &'a FlowId) -> Self {
        Self(id)
    }
}

impl PartialEq for FlowKey<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for FlowKey<'_> {}

impl PartialOrd for FlowKey<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'a> Ord for FlowKey<'a> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, other_id) = (self.0.as_str(), other.0.as_str());
        // Plans compare keys often, and nearly all ids are ASCII. The order is the same.
        if one.is_ascii() && other_id.is_ascii() {
            let folded = |id: &'a str| id.bytes().map(|byte| byte.to_ascii_lowercase());
            return folded(one).cmp(folded(other_id));
        }
        self.folded().cmp(other.folded())
    }
}

fn reject_unsafe_characters(text: &str) -> Result<(), InvalidId> {
    let unsafe_char =
        |(_, char): &(usize, char)| *char == ' ' || is_invisible(*char) || "/\\?#%'".contains(*char);
    let Some((index, char)) = text.chars().enumerate().find(unsafe_char) else { return Ok(()) };
    let is_hidden = is_invisible(char) && !char.is_ascii();
    Err(InvalidId::Character(match char {
        char if is_hidden => format!("{} (character {})", describe(char), index.saturating_add(1)),
        char if char.is_whitespace() => "white space".into(),
        char if char.is_control() => "a control character".into(),
        char => format!("`{char}`"),
    }))
}

/// Id of an `identityApiConnector`. GUIDs are case-insensitive, so they are stored in lower case. Clones
/// share the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectorId(Arc<str>);

impl ConnectorId {
    /// Parses the id of a connector in the spelling of Graph, and converts a GUID to lower case. A text that
    /// is empty or has a character that is unsafe in a URL is an error.
    ///
    /// # Errors
    /// If the text is empty or only dots, or contains white space, an invisible character or one of
    /// `/ \ ? # % '`.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        // `.` and `..` are relative path segments in a URL.
        if text.trim_matches('.').is_empty() {
            return Err(InvalidId::Empty);
        }
        reject_unsafe_characters(text)?;
        Ok(Self(if is_guid(text) { text.to_ascii_lowercase().into() } else { text.into() }))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns whether a text is a GUID in the form of Graph: 8-4-4-4-12 hexadecimal digits.
pub fn is_guid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn flow_id_with_an_unknown_prefix_or_an_unsafe_character_is_rejected() {
        assert_eq!(FlowId::parse("B2C_1_signup").unwrap().kind(), FlowKind::B2c);
        assert_eq!(FlowId::parse("B2X_1_é").unwrap().kind(), FlowKind::B2x);
        for bad in ["", "signup", "b2c_1_x", "B2C_1_", "B2C_1", " B2C_1_x", "B2C_1_a b", "B2C_1_\u{85}"] {
            assert!(FlowId::parse(bad).is_err(), "{bad:?}");
        }
        for char in "/\\?#%'\n\t\u{a0}\u{0}\u{200b}\u{ad}".chars() {
            assert!(FlowId::parse(&format!("B2C_1_{char}")).is_err(), "{char:?}");
        }
    }

    #[test]
    fn flow_keys_ignore_case() {
        let ids = ["B2C_1_Éa", "B2C_1_éA", "B2C_1_éa", "B2C_1_éab", "B2C_1_éb"];
        let ids = ids.map(|id| FlowId::parse(id).unwrap());
        let keys = ids.each_ref().map(FlowKey::from);
        let [upper, mixed, lower, longer, other] = keys;
        assert!(upper == mixed && mixed == lower && lower < longer && longer < other);
        assert_eq!(BTreeSet::from(keys).len(), 3);
    }

    #[test]
    fn connector_ids_ignore_case_only_if_they_are_guids() {
        let id = |text| ConnectorId::parse(text).unwrap();
        assert_eq!(id("1F1D2C3B-0000-4000-8000-00000000ABCD"), id("1f1d2c3b-0000-4000-8000-00000000abcd"));
        assert_ne!(id("Abc"), id("abc"));
        assert!(!is_guid("1f1d2c3b000040008000000000000abcd"));
        assert!(!is_guid("{1f1d2c3b-0000-4000-8000-0000000abc}"));
    }
}
