//! JSON as Graph sends it, and what it means. Unknown properties, annotations and enum values are
//! ignored; what a property must be and is not is an error, never a default.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::diagnostic::Code;
use crate::http::truncate;
use crate::model::{
    Bound, Connector, ConnectorId, ListedConnector, ListedFlow, ReadError, Reading, Step, StepMap,
};

/// One page of a collection. One that is an error as well is none.
#[derive(Debug, Deserialize)]
pub struct Page<T> {
    /// What is on it.
    pub value: Vec<T>,
    /// What went wrong.
    error: Option<IgnoredAny>,
    /// Where the next one is, as the service writes it.
    #[serde(rename = "@odata.nextLink")]
    pub next_link: Option<String>,
}

impl<T> Page<T> {
    /// Whether this is an error that came with a status of success.
    pub fn is_error(&self) -> bool {
        self.error.is_some()
    }
}

/// An `identityApiConnector`, of which id, name and address are taken. Only a pin needs the address,
/// so one that is no text is as good as none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorEntity {
    #[serde(deserialize_with = "connector_id")]
    id: ConnectorId,
    #[serde(default, deserialize_with = "display_name")]
    display_name: Option<String>,
    target_url: Option<Box<RawValue>>,
}

/// A user flow. Type and version are evolvable and only told further: what is no text or no number
/// is as good as none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowEntity {
    id: String,
    user_flow_type: Option<Box<RawValue>>,
    user_flow_type_version: Option<Box<RawValue>>,
}

/// A property that may be of any type: read where it is of ours, and else as good as none.
fn of_ours<T: DeserializeOwned>(value: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(value?.get()).ok()
}

impl From<FlowEntity> for ListedFlow {
    fn from(FlowEntity { id, user_flow_type, user_flow_type_version }: FlowEntity) -> Self {
        let user_flow_type = of_ours(user_flow_type.as_deref());
        let version = of_ours(user_flow_type_version.as_deref());
        Self { id, user_flow_type, version }
    }
}

/// The relationships of an `apiConnectorConfiguration`, as they stand, and whether it is an error.
/// Nothing is kept of what is not ours: it may be anything.
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
            match Step::from_name(&key) {
                Some(step) => {
                    if configuration.steps.insert(step, map.next_value()?).is_some() {
                        return Err(A::Error::custom(format!("`{step}` is there twice")));
                    }
                }
                None => {
                    configuration.is_error |= key == "error";
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(configuration)
    }
}

/// A batch of requests (<https://learn.microsoft.com/graph/json-batching>).
#[derive(Debug, Serialize)]
pub(super) struct BatchRequests {
    pub(super) requests: Vec<BatchRequest>,
}

/// One request of a batch.
#[derive(Debug, Serialize)]
pub(super) struct BatchRequest {
    pub(super) id: String,
    pub(super) method: &'static str,
    /// From the root on.
    pub(super) url: String,
    pub(super) headers: BatchHeaders,
}

/// What each request of a batch says besides.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct BatchHeaders {
    pub(super) client_request_id: String,
}

/// The answer to a batch: those to its requests, in any order
/// (<https://learn.microsoft.com/graph/json-batching>).
#[derive(Debug, Deserialize)]
pub struct Batch<'a> {
    #[serde(borrow)]
    /// The answers.
    pub responses: Vec<BatchItem<'a>>,
}

/// The answer to one request of a batch.
#[derive(Debug, Deserialize)]
pub struct BatchItem<'a> {
    /// The id of the request.
    pub id: String,
    /// The status.
    pub status: u16,
    headers: Option<BTreeMap<String, Box<RawValue>>>,
    /// Not every one is JSON of ours, and one that is not must not spoil the others.
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

impl BatchItem<'_> {
    /// A header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<String> {
        let headers = self.headers.iter().flatten();
        headers.filter(|(key, _)| key.eq_ignore_ascii_case(name)).find_map(|(_, value)| of_ours(Some(value)))
    }

    /// The configuration that it holds, where it is a success.
    pub fn configuration(&self) -> Option<Configuration> {
        let body = self.body.filter(|_| (200..300).contains(&self.status))?;
        let configuration: Configuration = serde_json::from_str(body.get()).ok()?;
        (!configuration.is_error()).then_some(configuration)
    }
}

fn connector_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ConnectorId, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > LONGEST_NAME {
        return Err(D::Error::custom("an id is longer than 64 KiB"));
    }
    ConnectorId::parse(&text)
        .map_err(|error| D::Error::custom(format!("`{text}` is no connector's id: {error}")))
}

/// The longest name that is taken, in bytes: the portal takes far less.
const LONGEST_NAME: usize = 64 << 10;

fn display_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(name) if name.len() > LONGEST_NAME => {
            Err(D::Error::custom("a displayName is longer than 64 KiB"))
        }
        name => Ok(name),
    }
}

impl From<ConnectorEntity> for Connector {
    fn from(ConnectorEntity { id, display_name, target_url: _ }: ConnectorEntity) -> Self {
        Self { id, display_name }
    }
}

impl From<ConnectorEntity> for ListedConnector {
    fn from(entity: ConnectorEntity) -> Self {
        let target_url = of_ours::<String>(entity.target_url.as_deref()).and_then(|url| url.parse().ok());
        Self { connector: entity.into(), target_url }
    }
}

impl Configuration {
    /// What is bound to a step. Nothing is bound where the step is null, absent, or an object
    /// without an id.
    pub fn bound(&mut self, step: Step) -> Reading<Bound> {
        #[derive(Deserialize)]
        struct Entity {
            id: Option<IgnoredAny>,
        }
        let Some(value) = self.steps.remove(step) else { return Reading::Known(None) };
        let value = value.get();
        // A list is no object, whatever is in it.
        let is_object = value.starts_with('{');
        if value == "null" || is_object && matches!(serde_json::from_str(value), Ok(Entity { id: None })) {
            return Reading::Known(None);
        }
        let why = match serde_json::from_str::<ConnectorEntity>(value) {
            Ok(connector) if is_object => return Reading::Known(Some(connector.into())),
            Ok(_) => "not an object".to_owned(),
            Err(error) => error.to_string(),
        };
        let cause = format!("unexpected response from Graph: `{step}`: {}", truncate(why));
        Reading::Unknown(ReadError::new(Code::GraphUnexpectedResponse, cause))
    }

    /// What is bound to each of the steps.
    pub fn bindings(mut self, steps: &[Step]) -> StepMap<Reading<Bound>> {
        steps.iter().map(|step| (*step, self.bound(*step))).collect()
    }

    /// Whether this is an error that came with a status of success.
    pub fn is_error(&self) -> bool {
        self.is_error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(json: &str) -> Reading<Bound> {
        serde_json::from_str::<Configuration>(json).unwrap().bound(Step::PostFederationSignup)
    }

    #[test]
    fn every_shape_of_an_unbound_step_is_nothing() {
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
    fn a_connector_is_its_id_and_name_and_the_rest_is_ignored() {
        let shape = r##"{"postFederationSignup": {"id": "A", "displayName": "N", "targetUrl": 7,
            "authenticationConfiguration": {"@odata.type": "#microsoft.graph.new"}, "new": []}}"##;
        let connector = Connector { id: ConnectorId::parse("A").unwrap(), display_name: Some("N".into()) };
        assert_eq!(bound(shape), Reading::Known(Some(connector)));
    }

    #[test]
    fn a_step_that_is_there_twice_makes_no_sense() {
        let twice = r#"{"postFederationSignup": {"id": "A"}, "postFederationSignup": null}"#;
        let error = serde_json::from_str::<Configuration>(twice).unwrap_err();
        assert!(error.to_string().contains("`postFederationSignup` is there twice"), "{error}");
    }

    #[test]
    fn words_without_end_are_cut() {
        let long = "x".repeat(1 << 20);
        for shape in
            [format!("\"{long}\""), format!(r#"{{"id": "{long}"}}"#), format!(r#"{{"id": "/{long}"}}"#)]
        {
            let Reading::Unknown(unread) = bound(&format!(r#"{{"postFederationSignup": {shape}}}"#)) else {
                panic!("it is known");
            };
            assert!(unread.cause.len() < 2_100, "{}", unread.cause.len());
        }
    }

    #[test]
    fn what_makes_no_sense_is_unknown_and_never_nothing() {
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
