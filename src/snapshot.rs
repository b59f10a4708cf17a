//! The snapshot of a tenant: its connectors, its flows and which step calls which connector.
//!
//! Owns the file format (`schemas/snapshot.schema.json` is derived from these types) and its checks.
//! A leaf: it must not read files, know Graph's HTTP surface, or use another module.

mod target_url;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;

pub use target_url::TargetUrl;

/// A tenant's connectors, flows and bindings at one moment, without secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snapshot {
    /// The version of this format.
    pub format_version: FormatVersion,
    /// The tenant: a GUID or a domain.
    pub tenant: String,
    /// The cloud that the tenant lives in.
    pub cloud: Cloud,
    /// When the tenant was read, as an RFC 3339 timestamp.
    pub taken_at: String,
    /// The API connectors of the tenant.
    pub connectors: Vec<Connector>,
    /// The user flows of the tenant: all B2C or all B2X.
    pub flows: Vec<Flow>,
}

/// The versions of the format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum FormatVersion {
    /// The first version.
    #[default]
    #[serde(rename = "1")]
    V1,
}

/// A Microsoft cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    /// The public cloud, GCC included.
    #[default]
    Global,
    /// US Government L4 (GCC High).
    Usgov,
    /// US Government L5 (DoD).
    UsgovDod,
    /// China, operated by 21Vianet.
    China,
}

impl Cloud {
    /// Every cloud.
    pub const ALL: [Self; 4] = [Self::Global, Self::Usgov, Self::UsgovDod, Self::China];

    /// The cloud of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| cloud.name() == name)
    }

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Usgov => "usgov",
            Self::UsgovDod => "usgov-dod",
            Self::China => "china",
        }
    }
}

/// An API connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Connector {
    /// The id that Graph gave to the connector.
    pub id: String,
    /// The name shown in the portal; it need not be unique.
    pub display_name: Option<String>,
    /// The address that the connector calls, without user info, query and fragment.
    pub target_url: Option<TargetUrl>,
}

/// A user flow and the connectors that its steps call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Flow {
    /// The id of the flow, which begins with `B2C_1_` or `B2X_1_`.
    pub id: String,
    /// The type of the flow, such as `signUpOrSignIn`.
    pub user_flow_type: String,
    /// The version of the flow's type, such as 1, 1.1 or 3.
    pub user_flow_type_version: Number,
    /// The id of the connector that each step calls; null or absent when it calls none.
    /// The connector may be missing from the snapshot: one deleted while it was bound.
    #[serde(deserialize_with = "each_step_once")]
    #[schemars(extend("propertyNames" = serde_json::json!({ "enum": Step::ALL.map(Step::name) })))]
    pub bindings: BTreeMap<Step, Option<String>>,
}

/// A step of a user flow that can call a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// After federating with an identity provider during sign-up.
    PostFederationSignup,
    /// Before creating the user.
    PostAttributeCollection,
    /// Before sending the token.
    PreTokenIssuance,
}

impl Step {
    /// Every step, in the order in which a flow passes them.
    pub const ALL: [Self; 3] =
        [Self::PostFederationSignup, Self::PostAttributeCollection, Self::PreTokenIssuance];

    /// Gives the name that Graph and the format use.
    pub fn name(self) -> &'static str {
        match self {
            Self::PostFederationSignup => "postFederationSignup",
            Self::PostAttributeCollection => "postAttributeCollection",
            Self::PreTokenIssuance => "preTokenIssuance",
        }
    }

    /// Finds the step of a name, which must match exactly.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

/// The two kinds of user flow. A tenant has flows of one kind only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Flows of an Azure AD B2C tenant.
    B2c,
    /// Flows of a workforce tenant.
    B2x,
}

impl Kind {
    /// Tells the kind of a flow from the prefix of its id; `None` when it has neither prefix.
    pub fn of(flow_id: &str) -> Option<Self> {
        if flow_id.starts_with("B2C_1_") {
            Some(Self::B2c)
        } else if flow_id.starts_with("B2X_1_") {
            Some(Self::B2x)
        } else {
            None
        }
    }
}

/// Why a text is not a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Not JSON, or JSON of another shape.
    #[error("line {line}, column {column}: {message}")]
    Shape {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What was found there.
        message: String,
    },
    /// A version of the format that this program does not read.
    #[error("`formatVersion` is {0}, and only \"1\" can be read")]
    Version(String),
    /// The right shape, but content that no tenant can have.
    #[error("{}", list(.0))]
    Content(Vec<Flaw>),
}

/// One thing in a snapshot that no tenant can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Two connectors whose ids differ at most in case.
    #[error("two connectors have the id `{0}`; ids that differ only in case are the same")]
    DuplicateConnector(String),
    /// Two flows whose ids differ at most in case.
    #[error("two flows have the id `{0}`; ids that differ only in case are the same")]
    DuplicateFlow(String),
    /// A flow whose id does not tell its kind.
    #[error("the id of flow `{0}` begins with neither B2C_1_ nor B2X_1_")]
    UnknownKind(String),
    /// Flows of both kinds.
    #[error("`{b2c}` and `{b2x}` cannot be in one tenant, which has B2C flows or B2X flows")]
    MixedKinds {
        /// The first B2C flow.
        b2c: String,
        /// The first B2X flow.
        b2x: String,
    },
}

fn list(flaws: &[Flaw]) -> String {
    flaws.iter().map(Flaw::to_string).collect::<Vec<_>>().join("; ")
}

impl From<serde_json::Error> for SnapshotError {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let place = format!(" at line {line} column {column}");
        let message = text.strip_suffix(&place).unwrap_or(&text).to_owned();
        Self::Shape { line, column, message }
    }
}

/// The JSON Schema of a snapshot.
pub fn json_schema() -> schemars::Schema {
    schemars::schema_for!(Snapshot)
}

impl Snapshot {
    /// Reads a snapshot from JSON.
    ///
    /// # Errors
    /// When the text has another shape or version, or content that no tenant can have; all flaws
    /// of the content are given at once.
    pub fn parse(text: &str) -> Result<Self, SnapshotError> {
        check_version(text)?;
        let snapshot: Self = serde_json::from_str(text)?;
        let flaws = snapshot.flaws();
        if flaws.is_empty() { Ok(snapshot) } else { Err(SnapshotError::Content(flaws)) }
    }

    /// Writes the snapshot as indented JSON with a newline at the end: the same snapshot gives
    /// the same bytes.
    pub fn to_json(&self) -> String {
        // Only a map whose keys are no strings or a writer that fails could make this fail.
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }

    fn flaws(&self) -> Vec<Flaw> {
        let connectors = self.connectors.iter().map(|connector| connector.id.as_str());
        let flows = || self.flows.iter().map(|flow| flow.id.as_str());
        let first = |kind| flows().find(|id| Kind::of(id) == Some(kind));

        let mut flaws = Vec::new();
        flaws.extend(repeated(connectors).map(Flaw::DuplicateConnector));
        flaws.extend(repeated(flows()).map(Flaw::DuplicateFlow));
        let unknown = flows().filter(|id| Kind::of(id).is_none());
        flaws.extend(unknown.map(|id| Flaw::UnknownKind(id.to_owned())));
        if let (Some(b2c), Some(b2x)) = (first(Kind::B2c), first(Kind::B2x)) {
            flaws.push(Flaw::MixedKinds { b2c: b2c.to_owned(), b2x: b2x.to_owned() });
        }
        flaws
    }
}

/// Looks at the version alone, so that a newer file is refused for its version and not for the
/// first key that this version does not know.
fn check_version(text: &str) -> Result<(), SnapshotError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Versioned {
        format_version: serde_json::Value,
    }
    let Versioned { format_version } = serde_json::from_str(text)?;
    if format_version == "1" { Ok(()) } else { Err(SnapshotError::Version(format_version.to_string())) }
}

/// Reads the bindings of a flow. Of a step that is there twice, which one holds would be a guess.
fn each_step_once<'de, D: Deserializer<'de>>(json: D) -> Result<BTreeMap<Step, Option<String>>, D::Error> {
    struct Bindings;
    impl<'de> Visitor<'de> for Bindings {
        type Value = BTreeMap<Step, Option<String>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map of steps")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut bindings = BTreeMap::new();
            while let Some((step, connector)) = map.next_entry::<Step, _>()? {
                if bindings.insert(step, connector).is_some() {
                    return Err(A::Error::custom(format!("the step `{}` is there twice", step.name())));
                }
            }
            Ok(bindings)
        }
    }
    json.deserialize_map(Bindings)
}

/// Gives the ids that an earlier one equals when case does not count.
fn repeated<'a>(ids: impl Iterator<Item = &'a str>) -> impl Iterator<Item = String> {
    let mut seen = BTreeSet::new();
    ids.filter(move |id| !seen.insert(id.to_lowercase())).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn sample() -> Value {
        json!({
            "formatVersion": "1",
            "tenant": "contoso.onmicrosoft.com",
            "cloud": "usgov-dod",
            "takenAt": "2026-01-02T03:04:05Z",
            "connectors": [{ "id": "c1", "displayName": null, "targetUrl": "https://k:s@api.test/x?code=1" }],
            "flows": [{
                "id": "B2C_1_a", "userFlowType": "signUp", "userFlowTypeVersion": 1.1,
                "bindings": { "preTokenIssuance": null, "postFederationSignup": "gone" },
            }],
        })
    }

    fn with(pointer: &str, value: Value) -> Result<Snapshot, SnapshotError> {
        let mut json = sample();
        *json.pointer_mut(pointer).unwrap() = value;
        Snapshot::parse(&json.to_string())
    }

    fn flow(id: &str) -> Value {
        json!({ "id": id, "userFlowType": "signUp", "userFlowTypeVersion": 1, "bindings": {} })
    }

    #[test]
    fn what_is_written_is_read_again() {
        let snapshot = Snapshot::parse(&sample().to_string()).unwrap();
        let json = snapshot.to_json();
        assert!(json.ends_with("}\n"));
        assert!(!json.contains("code"), "{json}");
        assert_eq!(Snapshot::parse(&json).unwrap(), snapshot);
        assert_eq!(Snapshot::parse(&json).unwrap().to_json(), json);
        let odd = sample().to_string().replace("1.1", "0.1000000000000080055511151231257827");
        let snapshot = Snapshot::parse(&odd).unwrap();
        assert_eq!(Snapshot::parse(&snapshot.to_json()).unwrap(), snapshot);
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        for (pointer, value, expected) in [
            ("/formatVersion", json!("2"), "`formatVersion` is \"2\""),
            ("/cloud", json!("moon"), "line 1, column 15: unknown variant `moon`"),
            ("/flows/0/bindings", json!({ "preToken": null }), "unknown variant `preToken`"),
            ("/connectors/0", json!({ "id": "c", "secret": "s" }), "unknown field `secret`"),
            ("/connectors", json!([{ "id": "c1" }, { "id": "C1" }]), "two connectors have the id `C1`"),
            ("/flows", json!([flow("B2C_1_a"), flow("B2C_1_A")]), "two flows have the id `B2C_1_A`"),
            ("/flows/0/id", json!("signup"), "`signup` begins with neither"),
            ("/flows", json!([flow("B2C_1_a"), flow("B2X_1_a")]), "`B2C_1_a` and `B2X_1_a` cannot"),
        ] {
            let message = with(pointer, value).unwrap_err().to_string();
            assert!(message.contains(expected), "{pointer}: {message}");
        }
        let twice = sample().to_string().replace("preTokenIssuance", "postFederationSignup");
        let message = Snapshot::parse(&twice).unwrap_err().to_string();
        assert!(message.contains("the step `postFederationSignup` is there twice"), "{message}");
        assert!(Snapshot::parse("").unwrap_err().to_string().starts_with("line 1, column 0"));
    }

    #[test]
    fn all_flaws_are_found_at_once() {
        let error = with("/flows", json!([flow("x"), flow("X"), flow("B2C_1_a"), flow("B2X_1_a")]));
        let Err(SnapshotError::Content(flaws)) = error else { panic!("{error:?}") };
        assert_eq!(flaws.len(), 4, "{flaws:?}");
    }

    #[test]
    fn every_step_is_written_by_its_name() {
        for step in Step::ALL {
            assert_eq!(json!(step), step.name());
            assert_eq!(Step::from_name(step.name()), Some(step));
        }
    }
}
