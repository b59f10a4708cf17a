//! JSON as Graph sends it, and what it means. Unknown properties, annotations and enum values are
//! ignored; what a property must be and is not is an error, never a default.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::model::{
    Bound, Connector, ConnectorId, ListedConnector, ListedFlow, Reading, Step, StepMap, Unread,
};

/// One page of a collection.
#[derive(Debug, Deserialize)]
pub struct Page<T> {
    /// What is on it.
    pub value: Vec<T>,
    /// Where the next one is, as the service writes it.
    #[serde(rename = "@odata.nextLink")]
    pub next_link: Option<String>,
}

/// An `identityApiConnector`, of which id, name and address are taken. Only a pin needs the address,
/// so one that is no text is as good as none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorEntity {
    #[serde(deserialize_with = "connector_id")]
    id: ConnectorId,
    display_name: Option<String>,
    #[serde(default)]
    target_url: Value,
}

/// A user flow. Type and version are evolvable and only told further: what is no text or no number
/// is as good as none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowEntity {
    id: String,
    #[serde(default)]
    user_flow_type: Value,
    #[serde(default)]
    user_flow_type_version: Value,
}

impl From<FlowEntity> for ListedFlow {
    fn from(FlowEntity { id, user_flow_type, user_flow_type_version }: FlowEntity) -> Self {
        let user_flow_type = user_flow_type.as_str().map(str::to_owned);
        let version = user_flow_type_version.as_number().cloned();
        Self { id, user_flow_type, version }
    }
}

/// The relationships of an `apiConnectorConfiguration` that were asked for.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Configuration(BTreeMap<String, Value>);

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
    headers: Option<BTreeMap<String, Value>>,
    /// Not every one is JSON of ours, and one that is not must not spoil the others.
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

impl BatchItem<'_> {
    /// A header, whose name is told in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.headers.iter().flatten();
        headers.filter(|(key, _)| key.eq_ignore_ascii_case(name)).find_map(|(_, value)| value.as_str())
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
    ConnectorId::parse(&text)
        .map_err(|error| D::Error::custom(format!("`{text}` is no connector's id: {error}")))
}

impl From<ConnectorEntity> for Connector {
    fn from(ConnectorEntity { id, display_name, target_url: _ }: ConnectorEntity) -> Self {
        Self { id, display_name }
    }
}

impl From<ConnectorEntity> for ListedConnector {
    fn from(entity: ConnectorEntity) -> Self {
        let target_url = entity.target_url.as_str().and_then(|url| url.parse().ok());
        Self { connector: entity.into(), target_url }
    }
}

impl Configuration {
    /// What is bound to a step. Nothing is bound where the step is null, absent, or an object
    /// without an id.
    pub fn bound(&mut self, step: Step) -> Reading<Bound> {
        let value = self.0.remove(step.name()).unwrap_or_default();
        match &value {
            Value::Null => return Reading::Known(None),
            Value::Object(object) if object.get("id").is_none_or(Value::is_null) => {
                return Reading::Known(None);
            }
            _ => {}
        }
        match ConnectorEntity::deserialize(value) {
            Ok(connector) => Reading::Known(Some(connector.into())),
            Err(error) => {
                let why = format!("the answer makes no sense: `{step}`: {error}");
                Reading::Unknown(Unread::new(why))
            }
        }
    }

    /// What is bound to each of the steps.
    pub fn bindings(mut self, steps: &[Step]) -> StepMap<Reading<Bound>> {
        steps.iter().map(|step| (*step, self.bound(*step))).collect()
    }

    /// Whether this is an error that came with a status of success.
    pub fn is_error(&self) -> bool {
        self.0.contains_key("error")
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
