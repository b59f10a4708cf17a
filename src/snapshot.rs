//! Snapshot of a tenant: its connectors, its flows and their bindings.
//!
//! Defines the file format and validates it. `schemas/snapshot.schema.json` is generated from these
//! types. This module must not read files or use another module.

mod target_url;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
#[cfg(test)]
use schemars::JsonSchema;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;
use strum::{EnumString, IntoStaticStr, VariantArray};

pub use target_url::TargetUrl;

/// Connectors, flows and bindings of a tenant at one time, without secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snapshot {
    /// Version of this format.
    pub format_version: FormatVersion,
    /// Tenant: a GUID or a domain.
    pub tenant: String,
    /// Cloud of the tenant.
    pub cloud: Cloud,
    /// Time at which the tenant was read, as an RFC 3339 timestamp.
    pub taken_at: String,
    /// API connectors of the tenant.
    pub connectors: Vec<Connector>,
    /// User flows of the tenant: all B2C or all B2X.
    pub flows: Vec<Flow>,
}

/// Supported version of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub enum FormatVersion {
    /// First version.
    #[default]
    #[serde(rename = "1")]
    V1,
}

/// Microsoft cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[derive(EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Cloud {
    /// Public cloud, including GCC.
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
    /// Returns the name in files.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// API connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Connector {
    /// Id that Graph assigned to the connector.
    pub id: String,
    /// Name shown in the portal. It can be ambiguous.
    pub display_name: Option<String>,
    /// Address that the connector calls, without user info, query and fragment.
    pub target_url: Option<TargetUrl>,
    /// Client certificates with which the connector authenticates; absent if they are not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
}

/// Client certificate of a connector, without its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Certificate {
    /// Time from which the certificate is valid, as an RFC 3339 timestamp.
    #[cfg_attr(test, schemars(with = "String"))]
    pub not_before: Timestamp,
    /// Time until which the certificate is valid, as an RFC 3339 timestamp.
    #[cfg_attr(test, schemars(with = "String"))]
    pub not_after: Timestamp,
    /// Whether the connector uses the certificate for its calls.
    pub is_active: bool,
}

/// User flow and its bindings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Flow {
    /// Id of the flow, which starts with `B2C_1_` or `B2X_1_`.
    pub id: String,
    /// Type of the flow, such as `signUpOrSignIn`.
    pub user_flow_type: String,
    /// Version of the flow type, such as 1, 1.1 or 3.
    pub user_flow_type_version: Number,
    /// Id of the connector that each step calls; null or absent if the step calls none.
    /// The id of a deleted connector, which is not in `connectors`, is a dangling binding.
    #[serde(deserialize_with = "deserialize_bindings")]
    #[cfg_attr(test, schemars(extend("propertyNames" = serde_json::json!({ "enum": Step::VARIANTS }))))]
    pub bindings: BTreeMap<Step, Option<String>>,
}

/// Step of a user flow that can call a connector, in the order in which a flow executes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
#[derive(EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "camelCase")]
pub enum Step {
    /// After federation with an identity provider during sign-up.
    PostFederationSignup,
    /// Before the user is created.
    PostAttributeCollection,
    /// Before the token is sent.
    PreTokenIssuance,
}

impl Step {
    /// Returns the name in Graph and in the format.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Kind of a user flow. All flows of a tenant are of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlowKind {
    /// Flows of an Azure AD B2C tenant.
    B2c,
    /// Flows of a workforce tenant.
    B2x,
}

impl FlowKind {
    /// Returns the kind of a flow by the prefix of its id; `None` if the prefix is unknown.
    pub fn from_flow_id(flow_id: &str) -> Option<Self> {
        let prefixes = [("B2C_1_", Self::B2c), ("B2X_1_", Self::B2x)];
        prefixes.into_iter().find(|(prefix, _)| flow_id.starts_with(prefix)).map(|(_, kind)| kind)
    }
}

/// Reason why a text is not a valid snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Invalid JSON, or JSON that does not have the structure of a snapshot.
    #[error("line {line}, column {column}: {message}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// Problem at this location.
        message: String,
    },
    /// Unsupported version of the format.
    #[error("unsupported `formatVersion`: {0}; this flowbind reads \"1\"")]
    UnsupportedVersion(String),
    /// Another file of flowbind, by its `kind`.
    #[error("the file is not a snapshot: its `kind` is `{0}`")]
    OtherKind(String),
    /// Content that a tenant cannot have.
    #[error("{}", join_errors(.0))]
    InvalidContent(Vec<ContentError>),
}

/// Inconsistency in the content of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// Two connectors with the same id; ids are case-insensitive.
    #[error("duplicate connector id `{0}` (ids are case-insensitive)")]
    DuplicateConnector(String),
    /// Two flows with the same id; ids are case-insensitive.
    #[error("duplicate flow id `{0}` (ids are case-insensitive)")]
    DuplicateFlow(String),
    /// Flow id with an unknown prefix.
    #[error("invalid flow id `{0}`: it must start with `B2C_1_` or `B2X_1_`")]
    UnknownPrefix(String),
    /// Flows of both kinds.
    #[error("`{b2c}` is a B2C flow and `{b2x}` a B2X flow, but all flows of a tenant are of one kind")]
    MixedKinds {
        /// First B2C flow.
        b2c: String,
        /// First B2X flow.
        b2x: String,
    },
}

fn join_errors(errors: &[ContentError]) -> String {
    errors.iter().map(ContentError::to_string).collect::<Vec<_>>().join("; ")
}

impl From<serde_json::Error> for SnapshotError {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let location = format!(" at line {line} column {column}");
        let message = text.strip_suffix(&location).unwrap_or(&text).to_owned();
        Self::Malformed { line, column, message }
    }
}

/// Returns the JSON Schema of a snapshot.
#[cfg(test)]
pub(crate) fn json_schema() -> schemars::Schema {
    schemars::schema_for!(Snapshot)
}

impl Snapshot {
    /// Parses a snapshot from JSON, and checks its version and content.
    ///
    /// # Errors
    /// If the text is malformed, has an unsupported version, or has content that a tenant cannot
    /// have. All errors in the content are returned together.
    pub fn parse(text: &str) -> Result<Self, SnapshotError> {
        check_version(text)?;
        let snapshot: Self = serde_json::from_str(text)?;
        let errors = snapshot.content_errors();
        if errors.is_empty() { Ok(snapshot) } else { Err(SnapshotError::InvalidContent(errors)) }
    }

    /// Returns the snapshot as indented JSON with a trailing newline. Equal snapshots result in equal
    /// text.
    pub fn to_json(&self) -> String {
        // Cannot fail: all map keys are strings, and writing to a `String` does not fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    fn content_errors(&self) -> Vec<ContentError> {
        let connectors = self.connectors.iter().map(|connector| connector.id.as_str());
        let flows = || self.flows.iter().map(|flow| flow.id.as_str());
        let first = |kind| flows().find(|id| FlowKind::from_flow_id(id) == Some(kind));

        let mut errors = Vec::new();
        errors.extend(duplicate_ids(connectors).map(ContentError::DuplicateConnector));
        errors.extend(duplicate_ids(flows()).map(ContentError::DuplicateFlow));
        let unknown = flows().filter(|id| FlowKind::from_flow_id(id).is_none());
        errors.extend(unknown.map(|id| ContentError::UnknownPrefix(id.to_owned())));
        if let (Some(b2c), Some(b2x)) = (first(FlowKind::B2c), first(FlowKind::B2x)) {
            errors.push(ContentError::MixedKinds { b2c: b2c.to_owned(), b2x: b2x.to_owned() });
        }
        errors
    }
}

/// Checks that the text is JSON with a `formatVersion` of "1", and without the `kind` of saved plans and reports. Checks
/// nothing else, so that the error of a newer file names the version and not an unknown key.
fn check_version(text: &str) -> Result<(), SnapshotError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Versioned {
        format_version: serde_json::Value,
        kind: Option<String>,
    }
    let Versioned { format_version, kind } = serde_json::from_str(text)?;
    if let Some(kind) = kind {
        Err(SnapshotError::OtherKind(kind))
    } else if format_version == "1" {
        Ok(())
    } else {
        Err(SnapshotError::UnsupportedVersion(format_version.to_string()))
    }
}

/// Deserializes the bindings of a flow. Rejects a duplicate step, because `serde_json` would silently
/// use the last value.
fn deserialize_bindings<'de, D: Deserializer<'de>>(
    json: D,
) -> Result<BTreeMap<Step, Option<String>>, D::Error> {
    struct Bindings;
    impl<'de> Visitor<'de> for Bindings {
        type Value = BTreeMap<Step, Option<String>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object with a key for each step")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut bindings = BTreeMap::new();
            while let Some((step, connector)) = map.next_entry::<Step, _>()? {
                if bindings.insert(step, connector).is_some() {
                    return Err(A::Error::custom(format!("duplicate step `{}`", step.name())));
                }
            }
            Ok(bindings)
        }
    }
    json.deserialize_map(Bindings)
}

/// Returns the ids that equal an earlier id, ignoring case, in their own spelling.
fn duplicate_ids<'a>(ids: impl Iterator<Item = &'a str>) -> impl Iterator<Item = String> {
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
            "connectors": [
                { "id": "c1", "displayName": null, "targetUrl": "https://k:s@api.test/x?code=1" },
                { "id": "c2", "certificates": [{
                    "notBefore": "2026-01-01T00:00:00Z", "notAfter": "2026-12-24T13:00:00+01:00", "isActive": true,
                }] },
            ],
            "flows": [{
                "id": "B2C_1_a", "userFlowType": "signUp", "userFlowTypeVersion": 1.1,
                "bindings": { "preTokenIssuance": null, "postFederationSignup": "deleted" },
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
    fn parse_of_written_json_returns_the_same_snapshot() {
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
    fn parse_with_invalid_content_names_key_and_value() {
        for (pointer, value, expected) in [
            ("/formatVersion", json!("2"), "unsupported `formatVersion`: \"2\""),
            ("/cloud", json!("moon"), "line 1, column 15: unknown variant `moon`"),
            ("/flows/0/bindings", json!({ "preToken": null }), "unknown variant `preToken`"),
            ("/connectors/0", json!({ "id": "c", "secret": "s" }), "unknown field `secret`"),
            ("/connectors/1/certificates/0/notAfter", json!("2026-12-24"), "timestamp"),
            ("/connectors/1/certificates/0/notAfter", json!(1_798_070_400), "timestamp"),
            ("/connectors/1/certificates/0", json!({ "notAfter": "2026-12-24T00:00:00Z" }), "`notBefore`"),
            ("/connectors", json!([{ "id": "c1" }, { "id": "C1" }]), "duplicate connector id `C1`"),
            ("/flows", json!([flow("B2C_1_a"), flow("B2C_1_A")]), "duplicate flow id `B2C_1_A`"),
            ("/flows/0/id", json!("signup"), "invalid flow id `signup`"),
            (
                "/flows",
                json!([flow("B2C_1_a"), flow("B2X_1_a")]),
                "`B2C_1_a` is a B2C flow and `B2X_1_a` a B2X flow",
            ),
        ] {
            let message = with(pointer, value).unwrap_err().to_string();
            assert!(message.contains(expected), "{pointer}: {message}");
        }
        let twice = sample().to_string().replace("preTokenIssuance", "postFederationSignup");
        let message = Snapshot::parse(&twice).unwrap_err().to_string();
        assert!(message.contains("duplicate step `postFederationSignup`"), "{message}");
        let plan = r#"{"formatVersion": "2", "kind": "plan", "targets": []}"#;
        let message = Snapshot::parse(plan).unwrap_err().to_string();
        assert_eq!(message, "the file is not a snapshot: its `kind` is `plan`");
        assert!(Snapshot::parse("").unwrap_err().to_string().starts_with("line 1, column 0"));
    }

    #[test]
    fn parse_with_several_content_errors_returns_all() {
        let error = with("/flows", json!([flow("x"), flow("X"), flow("B2C_1_a"), flow("B2X_1_a")]));
        let Err(SnapshotError::InvalidContent(errors)) = error else { panic!("{error:?}") };
        assert_eq!(errors.len(), 4, "{errors:?}");
    }

    #[test]
    fn every_step_serializes_as_its_name() {
        for step in Step::VARIANTS {
            assert_eq!(json!(step), step.name());
            assert_eq!(step.name().parse().as_ref(), Ok(step));
        }
    }
}
