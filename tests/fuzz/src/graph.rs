//! Answers of Microsoft Graph: each is read, or an error that can be shown.

use std::collections::BTreeSet;
use std::time::SystemTime;

use flowbind::graph::wire::{Batch, Configuration, ConnectorEntity, FlowEntity, Page};
use flowbind::graph::{GraphError, GraphUrl, follow};
use flowbind::http::Answer;
use flowbind::http::retry::retry_after;
use flowbind::model::{Api, Cloud, ListedConnector, ListedFlow, Reading, Step, Unread};
use reqwest::header::{HeaderMap, HeaderValue};

/// One body as each kind of answer.
pub fn graph(data: &[u8]) {
    if let Ok(page) = serde_json::from_slice::<Page<ConnectorEntity>>(data) {
        link(page.next_link.as_deref());
        for connector in page.value.into_iter().map(ListedConnector::from) {
            let url = connector.target_url.map(|url| url.to_string()).unwrap_or_default();
            assert!(!url.contains(['?', '#']), "{url}");
        }
    }
    if let Ok(page) = serde_json::from_slice::<Page<FlowEntity>>(data) {
        link(page.next_link.as_deref());
        page.value.into_iter().map(ListedFlow::from).for_each(drop);
    }
    configuration(data);
    batch(data);
    for status in [200, 302, 400, 401, 403, 404, 429, 503] {
        error(data, status);
    }
    link(str::from_utf8(data).ok());
}

/// Nothing is bound only where nothing is said, or nothing with an id.
fn configuration(data: &[u8]) {
    let Ok(mut configuration) = serde_json::from_slice::<Configuration>(data) else { return };
    // What is not ours is passed over unread, however deep it is and whatever its texts escape.
    let Ok(said) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    assert_eq!(configuration.is_error(), said.get("error").is_some());
    for step in Step::ALL {
        match configuration.bound(step) {
            Reading::Known(None) => {
                let value = said.get(step.name()).unwrap_or_default();
                let id = value.get("id").unwrap_or_default();
                assert!(id.is_null() && (value.is_null() || value.is_object()), "{value} is not nothing");
            }
            Reading::Known(Some(connector)) => {
                let id = said[step.name()]["id"].as_str().expect("an id is text");
                assert!(id.eq_ignore_ascii_case(connector.id.as_str()), "{id}");
            }
            Reading::Unknown(Unread { why, .. }) => assert!(!why.is_empty()),
        }
    }
}

/// Only a success that holds a configuration is believed.
fn batch(data: &[u8]) {
    let Ok(batch) = serde_json::from_slice::<Batch>(data) else { return };
    for item in batch.responses {
        _ = item.header("retry-after").map(|value| retry_after(&value, SystemTime::UNIX_EPOCH));
        if let Some(configuration) = item.configuration() {
            assert!((200..300).contains(&item.status) && !configuration.is_error());
            assert_eq!(configuration.bindings(&Step::ALL).len(), Step::ALL.len());
        }
    }
}

/// The service's own words, whatever they are, cut to what a person reads.
fn error(data: &[u8], status: u16) {
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
    let error = GraphError::refused("GET /beta/identity/apiConnectors".into(), &answer);
    assert_eq!(error.is_denied(), [401, 403].contains(&status));
    assert!(error.with_advice().chars().count() < 5_000, "{error}");
}

/// A link is followed to the Graph URL only.
fn link(link: Option<&str>) {
    let root = GraphUrl::of(Cloud::Global, Api::Beta).expect("the root of a cloud");
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
