//! JSON formats of Graph. Unknown properties, annotations and enum values are ignored. A required property of
//! another type is an error, never a default.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::diagnostic::Code;
use crate::http::foreign_text;
use crate::model::{
    Bound, Certificate, Connector, ConnectorId, ListedConnector, ListedFlow, ReadError, Reading, Step,
    StepMap,
};

/// Page of a collection. A page that also has an error is not valid.
#[derive(Debug, Deserialize)]
pub struct Page<T> {
    /// Items of the page.
    pub value: Vec<T>,
    /// Error in a response with a success status.
    error: Option<IgnoredAny>,
    /// Link to the next page, unchanged.
    #[serde(rename = "@odata.nextLink")]
    pub next_link: Option<String>,
}

impl<T> Page<T> {
    /// Returns whether the page has an `error` that is not null: the response is an error although its status is
    /// success.
    pub fn is_error(&self) -> bool {
        self.error.is_some()
    }
}

/// `identityApiConnector` with its id, name, address and certificates. No binding depends on the last two, so they are
/// ignored if they are of another type.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a connector")]
pub struct ConnectorEntity {
    #[serde(deserialize_with = "connector_id")]
    id: ConnectorId,
    #[serde(default, deserialize_with = "display_name")]
    display_name: Option<String>,
    target_url: Option<Box<RawValue>>,
    authentication_configuration: Option<Box<RawValue>>,
}

/// User flow. Its type and version are only copied to snapshots, so values of another type are ignored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowEntity {
    id: String,
    user_flow_type: Option<Box<RawValue>>,
    user_flow_type_version: Option<Box<RawValue>>,
}

/// Item of a collection.
pub(super) trait Item: DeserializeOwned {
    /// Returns the id.
    fn id(&self) -> &str;
}

impl Item for ConnectorEntity {
    fn id(&self) -> &str {
        self.id.as_str()
    }
}

impl Item for FlowEntity {
    fn id(&self) -> &str {
        &self.id
    }
}

/// Parses a property that may be of any type; `None` if it is absent or of another type than `T`.
fn parse_lenient<T: DeserializeOwned>(value: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(value?.get()).ok()
}

impl From<FlowEntity> for ListedFlow {
    fn from(FlowEntity { id, user_flow_type, user_flow_type_version }: FlowEntity) -> Self {
        let user_flow_type = parse_lenient(user_flow_type.as_deref());
        let version = parse_lenient(user_flow_type_version.as_deref());
        Self { id, user_flow_type, version }
    }
}

/// Bindings of a flow at the requested steps.
pub type Bindings = StepMap<Reading<Bound>>;

/// Relationships of an `apiConnectorConfiguration`, not parsed yet, and whether it is an error. Unknown properties
/// are dropped.
#[derive(Debug, Default)]
pub struct Configuration {
    steps: StepMap<Box<RawValue>>,
    is_error: bool,
}

impl<'de> Deserialize<'de> for Configuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Relationships)
    }
}

struct Relationships;

impl<'de> Visitor<'de> for Relationships {
    type Value = Configuration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut configuration = Configuration::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.parse::<Step>() {
                Ok(step) => {
                    if configuration.steps.insert(step, map.next_value()?).is_some() {
                        return Err(A::Error::custom(format!("duplicate key `{step}`")));
                    }
                }
                Err(_) => {
                    configuration.is_error |= key == "error";
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(configuration)
    }
}

/// Response to a batch, with the responses to its items in any order
/// (<https://learn.microsoft.com/graph/json-batching>).
#[derive(Debug, Deserialize)]
pub struct Batch<'a> {
    #[serde(borrow)]
    /// Responses to the items.
    pub responses: Vec<BatchItem<'a>>,
}

/// Response to an item of a batch.
#[derive(Debug, Deserialize)]
pub struct BatchItem<'a> {
    /// Id of the item.
    pub id: String,
    /// HTTP status.
    pub status: u16,
    headers: Option<BTreeMap<String, Box<RawValue>>>,
    /// Parsed separately, so that a malformed body does not affect the other items.
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

impl BatchItem<'_> {
    /// Returns a header by its name, ignoring case; `None` if it is missing or not a string.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut headers = self.headers.iter().flatten().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        headers.find_map(|(_, value)| parse_lenient(Some(value)))
    }

    /// Returns the `apiConnectorConfiguration` of the flow that the item reads. `None` if the status is not a
    /// success, or if the body is an error or cannot be parsed.
    pub fn configuration(&self) -> Option<Configuration> {
        let body = self.body.filter(|_| (200..300).contains(&self.status))?;
        let configuration: Configuration = serde_json::from_str(body.get()).ok()?;
        (!configuration.is_error()).then_some(configuration)
    }
}

fn connector_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ConnectorId, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > MAX_NAME_BYTES {
        return Err(D::Error::custom("an id is longer than 64 KiB"));
    }
    ConnectorId::parse(&text)
        .map_err(|error| D::Error::custom(format!("`{text}` is not a connector id: {error}")))
}

/// Size limit of names and ids, in bytes. The portal's limit is far lower.
const MAX_NAME_BYTES: usize = 64 << 10;

fn display_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(name) if name.len() > MAX_NAME_BYTES => {
            Err(D::Error::custom("a displayName is longer than 64 KiB"))
        }
        name => Ok(name),
    }
}

impl From<ConnectorEntity> for Connector {
    fn from(ConnectorEntity { id, display_name, .. }: ConnectorEntity) -> Self {
        Self { id, display_name }
    }
}

impl From<ConnectorEntity> for ListedConnector {
    fn from(entity: ConnectorEntity) -> Self {
        let target_url =
            parse_lenient::<String>(entity.target_url.as_deref()).and_then(|url| url.parse().ok());
        let certificates = certificates(entity.authentication_configuration.as_deref());
        Self { connector: entity.into(), target_url, certificates }
    }
}

/// `authenticationConfiguration` of a connector. Its type decides whether it has certificates:
/// <https://learn.microsoft.com/graph/api/resources/clientcertificateauthentication>.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthenticationEntity {
    #[serde(rename = "@odata.type")]
    odata_type: String,
    certificate_list: Vec<Box<RawValue>>,
}

/// Returns the certificates of an authentication, without those of another form. Empty for any other authentication.
fn certificates(authentication: Option<&RawValue>) -> Vec<Certificate> {
    let is_known =
        |it: &AuthenticationEntity| it.odata_type == "#microsoft.graph.clientCertificateAuthentication";
    let authentication = parse_lenient::<AuthenticationEntity>(authentication).filter(is_known);
    let list = authentication.into_iter().flat_map(|authentication| authentication.certificate_list);
    list.filter_map(|entry| certificate(&parse_lenient(Some(&entry))?)).collect()
}

/// Returns a `pkcs12CertificateInformation`, whose times are seconds since 1970
/// (<https://learn.microsoft.com/graph/api/resources/pkcs12certificateinformation>). `None` if it has another form.
fn certificate(value: &Value) -> Option<Certificate> {
    // The time of a certificate that does not expire: <https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5>.
    const NO_EXPIRY: i64 = 253_402_300_799;
    let time = |key| match value.get(key)?.as_i64()? {
        NO_EXPIRY => Timestamp::from_second(Timestamp::MAX.as_second()).ok(),
        second => Timestamp::from_second(second).ok(),
    };
    let (not_before, not_after) = (time("notBefore")?, time("notAfter")?);
    Some(Certificate { not_before, not_after, is_active: value.get("isActive")?.as_bool()? })
}

impl Configuration {
    /// Removes and returns the binding at a step. Nothing is bound if the step is null, absent, or an object
    /// without an id. A malformed step is unknown.
    pub fn take_bound(&mut self, step: Step) -> Reading<Bound> {
        #[derive(Deserialize)]
        struct Entity {
            id: Option<IgnoredAny>,
        }
        let Some(value) = self.steps.remove(step) else { return Reading::Known(None) };
        let value = value.get();
        // serde would also read a struct from a list.
        let is_object = value.starts_with('{');
        if value == "null" || is_object && matches!(serde_json::from_str(value), Ok(Entity { id: None })) {
            return Reading::Known(None);
        }
        let why = match serde_json::from_str::<ConnectorEntity>(value) {
            Ok(connector) if is_object => return Reading::Known(Some(connector.into())),
            Ok(_) => "not an object".to_owned(),
            Err(error) => error.to_string(),
        };
        let cause = format!("unexpected response from Graph: `{step}`: {}", foreign_text(&why));
        Reading::Unknown(ReadError::new(Code::GraphUnexpectedResponse, cause))
    }

    /// Returns the binding at each of the given steps. Nothing is bound at an absent step, and a malformed
    /// one is unknown.
    pub fn bindings(mut self, steps: &[Step]) -> Bindings {
        steps.iter().map(|step| (*step, self.take_bound(*step))).collect()
    }

    /// Returns whether the body has a key `error`, of any value: the response is an error although its status is
    /// success.
    pub fn is_error(&self) -> bool {
        self.is_error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(json: &str) -> Reading<Bound> {
        serde_json::from_str::<Configuration>(json).unwrap().take_bound(Step::PostFederationSignup)
    }

    #[test]
    fn unbound_step_in_every_shape_is_unbound() {
        for shape in [
            r#"{}"#,
            r#"{"postFederationSignup": null}"#,
            r#"{"postFederationSignup": {}}"#,
            r#"{"postFederationSignup": {"id": null, "displayName": null}}"#,
            r##"{"postFederationSignup": {"@odata.type": "#x", "displayName": "ghost"}}"##,
            r#"{"@odata.context": "c", "postFederationSignup@odata.context": "c", "other": 1}"#,
        ] {
            assert_eq!(bound(shape), Reading::Known(None), "{shape}");
        }
    }

    #[test]
    fn connector_ignores_unknown_properties() {
        let shape = r##"{"postFederationSignup": {"id": "A", "displayName": "N", "targetUrl": 7,
            "authenticationConfiguration": {"@odata.type": "#microsoft.graph.new"}, "new": []}}"##;
        let connector = Connector { id: ConnectorId::parse("A").unwrap(), display_name: Some("N".into()) };
        assert_eq!(bound(shape), Reading::Known(Some(connector)));
    }

    /// Returns the certificates of a connector with this authentication, as their number of seconds and state.
    fn listed_certificates(configuration: &str) -> Vec<(i64, i64, bool)> {
        let json = format!(r#"{{"id": "A", "authenticationConfiguration": {configuration}}}"#);
        let entity: ConnectorEntity = serde_json::from_str(&json).unwrap();
        let certificates = ListedConnector::from(entity).certificates.into_iter();
        let values = |it: Certificate| (it.not_before.as_second(), it.not_after.as_second(), it.is_active);
        certificates.map(values).collect()
    }

    #[test]
    fn certificate_of_another_form_is_ignored() {
        let list = r##"{"@odata.type": "#microsoft.graph.clientCertificateAuthentication", "new": 1,
            "certificateList": [
                {"thumbprint": "T", "notBefore": 1, "notAfter": 2, "isActive": true, "new": {}},
                {"notBefore": 3, "notAfter": 4, "isActive": false},
                {"notBefore": -1, "notAfter": 253402300799, "isActive": true},
                {"notBefore": "1", "notAfter": 2, "isActive": true},
                {"notBefore": 1, "notAfter": 2.5, "isActive": true},
                {"notBefore": 1, "notAfter": 2, "isActive": "true"},
                {"notBefore": 1, "notAfter": 2},
                {"notBefore": 1, "isActive": true},
                {"notBefore": 1, "notAfter": 1793606400000, "isActive": true},
                {"notBefore": 1, "notAfter": 1e999, "isActive": true},
                {"notBefore": 1, "notAfter": 18446744073709551615, "isActive": true},
                [1, 2, true], "x", null, 7]}"##;
        let expected = [(1, 2, true), (3, 4, false), (-1, Timestamp::MAX.as_second(), true)];
        assert_eq!(listed_certificates(list), expected);
    }

    #[test]
    fn authentication_of_another_form_has_no_certificates() {
        let kind = r##""@odata.type": "#microsoft.graph.clientCertificateAuthentication""##;
        let certificate = r#"{"notBefore": 1, "notAfter": 2, "isActive": true}"#;
        for shape in [
            "null",
            "7",
            r#""x""#,
            "[]",
            "{}",
            &format!("{{{kind}}}"),
            &format!(r#"{{{kind}, "certificateList": null}}"#),
            &format!(r#"{{{kind}, "certificateList": []}}"#),
            &format!(r#"{{{kind}, "certificateList": {certificate}}}"#),
            &format!(r#"{{"certificateList": [{certificate}]}}"#),
            &format!(r##"{{"@odata.type": "#microsoft.graph.new", "certificateList": [{certificate}]}}"##),
        ] {
            assert_eq!(listed_certificates(shape), [], "{shape}");
        }
    }

    #[test]
    fn duplicate_step_is_an_error() {
        let twice = r#"{"postFederationSignup": {"id": "A"}, "postFederationSignup": null}"#;
        let error = serde_json::from_str::<Configuration>(twice).unwrap_err();
        assert!(error.to_string().contains("duplicate key `postFederationSignup`"), "{error}");
    }

    #[test]
    fn long_values_are_truncated_in_errors() {
        let long = "x".repeat(1 << 20);
        for shape in
            [format!("\"{long}\""), format!(r#"{{"id": "{long}"}}"#), format!(r#"{{"id": "/{long}"}}"#)]
        {
            let Reading::Unknown(unread) = bound(&format!(r#"{{"postFederationSignup": {shape}}}"#)) else {
                panic!("known");
            };
            assert!(unread.cause.len() < 2_100, "{}", unread.cause.len());
        }
    }

    #[test]
    fn malformed_step_is_unknown() {
        for shape in [
            r#"{"postFederationSignup": "x"}"#,
            r#"{"postFederationSignup": []}"#,
            r#"{"postFederationSignup": false}"#,
            r#"{"postFederationSignup": {"id": ""}}"#,
            r#"{"postFederationSignup": {"id": 7}}"#,
            r#"{"postFederationSignup": {"id": "../x"}}"#,
            r#"{"postFederationSignup": {"id": "A", "displayName": 7}}"#,
        ] {
            assert!(matches!(bound(shape), Reading::Unknown(_)), "{shape}");
        }
    }
}
