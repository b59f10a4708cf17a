//! Responses of Microsoft Graph: each is parsed or gives an error that can be printed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use flowbind::graph::wire::{Batch, Configuration, ConnectorEntity, FlowEntity, Page};
use flowbind::graph::{GraphError, GraphUrl, Need, RequestLine, follow};
use flowbind::http::Answer;
use flowbind::http::retry::parse_retry_after;
use flowbind::model::{Api, Cloud, ListedConnector, ListedFlow, ReadError, Reading, Step};
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::Value;
use serde_json::value::RawValue;
use strum::VariantArray as _;

/// Checks one body as each kind of response.
pub fn graph(data: &[u8]) {
    if let Ok(page) = serde_json::from_slice::<Page<ConnectorEntity>>(data) {
        check_link(page.next_link.as_deref());
        for connector in page.value.into_iter().map(ListedConnector::from) {
            let url = connector.target_url.map(|url| url.to_string()).unwrap_or_default();
            assert!(!url.contains(['?', '#']), "{url}");
        }
    }
    if let Ok(page) = serde_json::from_slice::<Page<FlowEntity>>(data) {
        check_link(page.next_link.as_deref());
        check_flows(data, page.value.into_iter().map(ListedFlow::from).collect());
    }
    if let Ok(read) = serde_json::from_slice(data) {
        check_configuration(read, data);
    }
    check_batch(data);
    for status in [200, 302, 400, 401, 403, 404, 429, 503] {
        check_error(data, status);
    }
    check_link(str::from_utf8(data).ok());
}

/// Checks that all listed flows are parsed, with `None` for fields of another type.
fn check_flows(data: &[u8], flows: Vec<ListedFlow>) {
    // Unknown fields are skipped, even if they are nested too deeply for `Value`.
    let Ok(raw) = serde_json::from_slice::<Value>(data) else { return };
    let listed = field(&raw, "value", 0).as_array().expect("a list");
    assert_eq!(flows.len(), listed.len());
    for (flow, raw) in flows.into_iter().zip(listed) {
        let ListedFlow { id, user_flow_type, version } = flow;
        assert_eq!(*field(raw, "id", 0), id);
        assert_eq!(user_flow_type.as_deref(), field(raw, "userFlowType", 1).as_str());
        assert_eq!(version.as_ref(), field(raw, "userFlowTypeVersion", 2).as_number());
    }
}

/// Returns a field of an object, or of the sequence of its fields, which serde also accepts.
fn field<'a>(value: &'a Value, name: &str, at: usize) -> &'a Value {
    if value.is_array() { &value[at] } else { &value[name] }
}

/// Checks that a step counts as unbound only if it is absent or null or has no id.
fn check_configuration(mut configuration: Configuration, data: &[u8]) {
    // Unknown fields are skipped, even if they are nested too deeply for `Value`.
    let Ok(raw) = serde_json::from_slice::<Value>(data) else { return };
    assert_eq!(configuration.is_error(), raw.get("error").is_some());
    for step in Step::VARIANTS.iter().copied() {
        match configuration.take_bound(step) {
            Reading::Known(None) => {
                let value = raw.get(step.name()).unwrap_or_default();
                let id = value.get("id").unwrap_or_default();
                assert!(id.is_null() && (value.is_null() || value.is_object()), "{value} is not unbound");
            }
            Reading::Known(Some(connector)) => {
                let id = raw[step.name()]["id"].as_str().expect("an id is text");
                assert!(id.eq_ignore_ascii_case(connector.id.as_str()), "{id}");
            }
            Reading::Unknown(ReadError { cause, .. }) => assert!(!cause.is_empty()),
        }
    }
}

/// Checks that a batch item is a configuration only if its status is a success.
fn check_batch(data: &[u8]) {
    let Ok(batch) = serde_json::from_slice::<Batch>(data) else { return };
    let bodies = bodies(data).unwrap_or_default();
    for (at, item) in batch.responses.into_iter().enumerate() {
        _ = item.header("retry-after").map(|value| parse_retry_after(&value, SystemTime::UNIX_EPOCH));
        if let Some(read) = item.configuration() {
            assert!((200..300).contains(&item.status) && !read.is_error());
            assert_eq!(read.bindings(Step::VARIANTS).values().count(), Step::VARIANTS.len());
            if let (Some(read), Some(body)) = (item.configuration(), bodies.get(at)) {
                check_configuration(read, body.expect("a body").get().as_bytes());
            }
        }
    }
}

/// Returns the raw bodies of a batch, `None` if sequences replace objects.
fn bodies(data: &[u8]) -> Option<Vec<Option<&RawValue>>> {
    type Object<'a> = BTreeMap<String, &'a RawValue>;
    let batch: Object<'_> = serde_json::from_slice(data).ok()?;
    let items: Vec<Object<'_>> = serde_json::from_str(batch.get("responses")?.get()).ok()?;
    Some(items.into_iter().map(|item| item.get("body").copied()).collect())
}

/// Checks that an error body of any content is truncated.
fn check_error(data: &[u8], status: u16) {
    let mut headers = HeaderMap::new();
    headers.extend(HeaderValue::from_bytes(data).ok().map(|value| (reqwest::header::LOCATION, value)));
    let answer = Answer {
        status,
        headers,
        body: data.to_vec(),
        client_request_id: "ours".into(),
        attempts: 2,
        may_have_acted: true,
    };
    let request = RequestLine { need: Need::Connectors, line: "GET /beta/identity/apiConnectors".into() };
    let error = GraphError::from_rejection(request, &answer);
    // A page is not an answer of Graph. flowbind also reads JSON that is not UTF-8.
    let is_answer = serde_json::from_slice::<&RawValue>(data).is_ok() || data.trim_ascii().is_empty();
    let is_denial = [401, 403].contains(&status);
    assert!(if is_answer { error.is_denied() == is_denial } else { is_denial || !error.is_denied() });
    assert!(error.to_string().chars().count() < 5_000, "{error}");
}

/// Checks that a link is followed only to the Graph URL.
fn check_link(link: Option<&str>) {
    let root = GraphUrl::for_cloud(Cloud::Global, Api::Beta).expect("the root of a cloud");
    match follow(&root, link.unwrap_or_default(), &BTreeSet::new()) {
        Ok(url) => {
            let user = (url.username(), url.password());
            let place = (url.scheme(), url.host_str(), url.port_or_known_default());
            assert_eq!(place, ("https", Some("graph.microsoft.com"), Some(443)), "{url}");
            assert_eq!(user, ("", None), "{url}");
            assert!(follow(&root, url.as_str(), &BTreeSet::from([url.clone()])).is_err(), "{url} twice");
        }
        Err(error) => _ = error.to_string(),
    }
}
