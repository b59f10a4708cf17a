//! The words that all modules share: flows, steps, connectors, bindings, desired and current.
//!
//! Plain values without behaviour beyond their own rules: nothing here reads, writes or decides.

mod target_url;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Span;
pub use target_url::{InvalidTargetUrl, TargetUrl};

/// The id of a user flow. Its prefix tells the collection that it lives in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct FlowId(String);

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
    #[error("it must not hold {0}")]
    Character(String),
    /// It does not start with `B2C_1_` or `B2X_1_`.
    #[error("it must start with `B2C_1_` or `B2X_1_`")]
    Prefix,
    /// There is nothing in it, or nothing after the prefix.
    #[error("it is empty")]
    Empty,
}

impl FlowId {
    /// Takes an id as Graph gives it.
    ///
    /// # Errors
    /// An unknown prefix, white space, a control character or one of `/ ? # % '`.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        refuse_unsafe_characters(text)?;
        let kind = FlowKind::ALL
            .into_iter()
            .find(|kind| text.starts_with(kind.prefix()))
            .ok_or(InvalidId::Prefix)?;
        if text == kind.prefix() {
            return Err(InvalidId::Empty);
        }
        Ok(Self(text.to_owned()))
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

/// A step at which a flow can call a connector: a relationship of `apiConnectorConfiguration`.
///
/// Source: <https://learn.microsoft.com/graph/api/resources/userflowapiconnectorconfiguration>;
/// `preTokenIssuance` is in the beta metadata and the portal, not in the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// After federation with an identity provider during sign-up.
    PostFederationSignup,
    /// Before the account is created.
    PostAttributeCollection,
    /// Before a token is issued.
    PreTokenIssuance,
}

impl Step {
    /// Every step, in the order in which they are shown.
    pub const ALL: [Self; 3] =
        [Self::PostFederationSignup, Self::PostAttributeCollection, Self::PreTokenIssuance];

    /// The steps that a file speaks of unless it says otherwise: those that Graph documents.
    pub const DEFAULT: [Self; 2] = [Self::PostFederationSignup, Self::PostAttributeCollection];

    /// Its name in URLs and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::PostFederationSignup => "postFederationSignup",
            Self::PostAttributeCollection => "postAttributeCollection",
            Self::PreTokenIssuance => "preTokenIssuance",
        }
    }

    /// The step of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The id of an `identityApiConnector`. GUIDs compare without case: they are kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ConnectorId(String);

impl ConnectorId {
    /// Takes an id as Graph gives it.
    ///
    /// # Errors
    /// Empty, white space, a control character or one of `/ ? # % '`.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        // Two dots would lead a URL astray.
        if text.trim_matches('.').is_empty() {
            return Err(InvalidId::Empty);
        }
        refuse_unsafe_characters(text)?;
        Ok(Self(if is_guid(text) { text.to_ascii_lowercase() } else { text.to_owned() }))
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

/// Whether a text is a GUID in the form that Graph writes: 8-4-4-4-12 hexadecimal digits.
pub fn is_guid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// A connector as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connector {
    /// Its id, which is what a binding holds.
    pub id: ConnectorId,
    /// Its name, where it has one and it was read.
    pub display_name: Option<String>,
}

/// A connector as the tenant lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedConnector {
    /// What a binding may hold.
    pub connector: Connector,
    /// The address that it calls, where it is one.
    pub target_url: Option<TargetUrl>,
}

/// A flow as the tenant lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFlow {
    /// Its id, whatever it looks like.
    pub id: String,
    /// What it is for, such as `signUpOrSignIn`.
    pub user_flow_type: Option<String>,
    /// The version of its type, such as 3.
    pub version: Option<serde_json::Number>,
}

/// All that a tenant has of what flowbind speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// The kind of its flows.
    pub kind: FlowKind,
    /// Its connectors.
    pub connectors: Vec<ListedConnector>,
    /// Its flows, and what is bound to the steps that were asked for.
    pub flows: Vec<(ListedFlow, BTreeMap<Step, Bound>)>,
}

/// What a binding's value may be: a connector, or nothing.
pub type Bound = Option<Connector>;

/// What two values are compared by: the id, since a name may or may not have been read.
pub fn bound_id(bound: &Bound) -> Option<&ConnectorId> {
    bound.as_ref().map(|connector| &connector.id)
}

/// The national cloud that a tenant lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    /// The public cloud, GCC included.
    #[default]
    Global,
    /// US Government L4 (GCC High).
    Usgov,
    /// US Government L5 (DoD).
    UsgovDod,
    /// Operated by 21Vianet.
    China,
}

impl Cloud {
    /// Every cloud.
    pub const ALL: [Self; 4] = [Self::Global, Self::Usgov, Self::UsgovDod, Self::China];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Usgov => "usgov",
            Self::UsgovDod => "usgov-dod",
            Self::China => "china",
        }
    }

    /// The cloud of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| cloud.name() == name)
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The version of Graph that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Api {
    /// The only one with B2C flows.
    #[default]
    #[serde(rename = "beta")]
    Beta,
    /// B2X flows only, and not in the US Government clouds.
    #[serde(rename = "v1.0")]
    V1,
}

impl Api {
    /// Both versions.
    pub const ALL: [Self; 2] = [Self::Beta, Self::V1];

    /// Its name in URLs and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Beta => "beta",
            Self::V1 => "v1.0",
        }
    }

    /// The version of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.name() == name)
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A tenant as people name it: a domain or a GUID. Compares without case, shows as written.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Tenant(String);

/// A text that is neither a domain nor a GUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tenant is a domain (`contoso.onmicrosoft.com`) or a GUID")]
pub struct InvalidTenant;

impl Tenant {
    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tenant's GUID, where that is how it was written.
    pub fn guid(&self) -> Option<&str> {
        is_guid(&self.0).then_some(self.0.as_str())
    }
}

impl FromStr for Tenant {
    type Err = InvalidTenant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_guid(text) || is_domain(text) { Ok(Self(text.to_owned())) } else { Err(InvalidTenant) }
    }
}

/// Host names after RFC 1123: letters, digits and inner hyphens, at least two labels. An
/// internationalised domain is written as its `xn--` form.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

impl PartialEq for Tenant {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Tenant {}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one file wants of one tenant, checked and in the file's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The file's name, as given.
    pub file: String,
    /// The tenant.
    pub tenant: Tenant,
    /// The app that signs in.
    pub client_id: Option<String>,
    /// The tenant's cloud.
    pub cloud: Cloud,
    /// The version of Graph to ask.
    pub api: Api,
    /// The steps that the file speaks of, in the order of [`Step::ALL`].
    pub steps: Vec<Step>,
    /// The flows, in the file's order.
    pub flows: Vec<DesiredFlow>,
}

/// What a file wants of one flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredFlow {
    /// The flow.
    pub id: FlowId,
    /// Where the file names it.
    pub span: Span,
    /// The managed bindings of the flow.
    pub bindings: BTreeMap<Step, DesiredBinding>,
}

/// What a file wants of one binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredBinding {
    /// The connector to bind, or nothing.
    pub connector: Option<ConnectorRef>,
    /// Where the file says so.
    pub span: Span,
}

/// How a file names a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorRef {
    /// By what.
    pub by: ConnectorKey,
    /// Where the name or id is written: the place to point to when it does not fit.
    pub span: Span,
    /// The address that it has to have, where the file pins it.
    pub pin: Option<TargetUrl>,
}

/// What a connector is looked up by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectorKey {
    /// By id alone: needs no reading of the connectors.
    Id(ConnectorId),
    /// By display name alone.
    Name(String),
    /// By both, which must fit the same connector.
    IdAndName(ConnectorId, String),
}

/// A value read from a tenant, or why it could not be. Never taken for "nothing".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<T> {
    /// It was read.
    Known(T),
    /// It was not.
    Unknown(Unread),
}

/// Why a value could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// What happened. Shared, since one answer may stand for many values.
    pub why: Arc<str>,
    /// Whether the service says that the credential does not do.
    pub denied: bool,
}

impl Unread {
    /// A reason that has nothing to do with the credential.
    pub fn new(why: impl Into<Arc<str>>) -> Self {
        Self { why: why.into(), denied: false }
    }
}

/// What a tenant has, as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// The tenant's connectors; `None` where nothing needs them.
    pub connectors: Option<Reading<Vec<ListedConnector>>>,
    /// The flows that were asked for.
    pub flows: BTreeMap<FlowId, CurrentFlow>,
    /// The ids of all flows of the tenant; `None` where nothing needed or gave them.
    pub flow_list: Option<Vec<String>>,
}

/// What a tenant says of one flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CurrentFlow {
    /// The tenant has no such flow; with the service's words.
    Missing(String),
    /// The steps that were asked for.
    Found(BTreeMap<Step, Reading<Bound>>),
}

/// How one binding changes. One change is exactly one PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nothing → a connector.
    Enable,
    /// One connector → another.
    Replace,
    /// A connector → nothing.
    Disable,
}

impl Action {
    /// Its name in plans and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enable => "enable",
            Self::Replace => "replace",
            Self::Disable => "disable",
        }
    }
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

    #[test]
    fn a_tenant_is_a_domain_or_a_guid() {
        for good in ["contoso.onmicrosoft.com", "CONTOSO.com", "1f1d2c3b-0000-4000-8000-00000000abcd"] {
            assert!(good.parse::<Tenant>().is_ok(), "{good}");
        }
        for bad in ["", "contoso", "a..b", ".com", "-a.com", "a b.com", "a.com/x", "https://a.com", "a_b.com"]
        {
            assert!(bad.parse::<Tenant>().is_err(), "{bad}");
        }
    }
}
