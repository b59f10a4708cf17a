//! JSON batching: parses batch requests and renders batch responses.
//!
//! Holds the format of <https://learn.microsoft.com/graph/json-batching>. It must not execute the
//! items.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::error::ErrorResponse;
use super::message::{Request, Response};

const MAX_ITEMS: usize = 20;

/// One request in a batch.
#[derive(Debug)]
pub(super) struct BatchItem {
    pub(super) id: String,
    /// Ids of the items that must succeed before this one.
    pub(super) depends_on: Vec<String>,
    pub(super) request: Request,
}

#[derive(Deserialize)]
struct BatchBody {
    requests: Vec<RawItem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawItem {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    depends_on: Vec<String>,
    body: Option<Value>,
}

/// Parses the items of a batch.
///
/// # Errors
/// Rejects the complete batch with 401, 405 or 415, and with 400 if it is malformed, is empty, has
/// too many items or repeats an id.
pub(super) fn parse_items(batch: &Request) -> Result<Vec<BatchItem>, ErrorResponse> {
    batch.require_token()?;
    batch.require_method("POST")?;
    batch.require_json()?;
    let BatchBody { requests } = serde_json::from_slice(&batch.body)
        .map_err(|error| ErrorResponse::bad_request(format!("invalid batch: {error}")))?;
    if requests.is_empty() || requests.len() > MAX_ITEMS {
        let message = format!("a batch must have 1 to {MAX_ITEMS} requests, not {}", requests.len());
        return Err(ErrorResponse::bad_request(message));
    }
    let mut seen = BTreeSet::new();
    if let Some(item) = requests.iter().find(|item| !seen.insert(item.id.to_lowercase())) {
        return Err(ErrorResponse::bad_request(format!("duplicate request id '{}' in the batch", item.id)));
    }
    Ok(requests.into_iter().map(|item| item.into_batch_item(batch)).collect())
}

impl RawItem {
    /// Converts the item to a request. Its URL is relative to the version of the batch. Token and
    /// `client-request-id` are inherited from the batch unless the item has its own.
    fn into_batch_item(self, batch: &Request) -> BatchItem {
        let version = batch.path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let target = format!("/{version}/{}", self.url.strip_prefix('/').unwrap_or(&self.url));
        let inherited = ["authorization", "client-request-id"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), batch.header(name)?.to_owned())));
        let own = self.headers.into_iter().map(|(name, value)| (name.to_lowercase(), value));
        let body = self.body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request {
            headers: inherited.chain(own).collect(),
            body,
            ..Request::new(&self.method.to_uppercase(), &target)
        };
        BatchItem { id: self.id, depends_on: self.depends_on, request }
    }
}

/// Response to one request in a batch.
#[derive(Serialize)]
struct ItemResponse {
    id: String,
    status: u16,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Box<RawValue>>,
}

/// Renders the response to a batch. The seed determines the order of the items, because Graph
/// guarantees none and clients must match by id.
pub(super) fn render_response(responses: Vec<(String, Response)>, seed: u64) -> Response {
    let mut responses: Vec<_> =
        responses.into_iter().map(|(id, response)| render_item(id, response)).collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut responses);
    Response::json(200, &BTreeMap::from([("responses", responses)]))
}

fn render_item(id: String, response: Response) -> ItemResponse {
    let Response { status, headers, body } = response;
    // A body that is not JSON is sent as a string.
    let json = |text: String| {
        RawValue::from_string(text).or_else(|_| to_raw_value(&String::from_utf8_lossy(&body))).ok()
    };
    let body = (!body.is_empty()).then(|| json(String::from_utf8_lossy(&body).into_owned())).flatten();
    ItemResponse { id, status, headers: headers.into_iter().collect(), body }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(requests: Value) -> Result<Vec<BatchItem>, ErrorResponse> {
        let body = json!({ "requests": requests }).to_string();
        parse_items(&Request::sample("POST", "/v1.0/$batch", &body).with_header("client-request-id", "outer"))
    }

    fn get(id: &str) -> Value {
        json!({ "id": id, "method": "GET", "url": "/x" })
    }

    #[test]
    fn parse_items_returns_requests_of_the_batch_version() {
        let items = parse(json!([
            { "id": "1", "method": "put", "url": "a?b=c", "headers": { "Content-Type": "text/x", "client-request-id": "own" }, "body": {} },
            { "id": "2", "method": "GET", "url": "/a" },
        ]))
        .unwrap();
        let [put, get] = items.as_slice() else { panic!("{items:?}") };
        assert_eq!((put.request.method.as_str(), put.request.target().as_str()), ("PUT", "/v1.0/a?b=c"));
        assert_eq!(put.request.body, b"{}", "an empty object is a body");
        assert_eq!(put.request.header("content-type"), Some("text/x"));
        assert_eq!(put.request.client_request_id(), Some("own"));
        assert_eq!(get.request.target(), "/v1.0/a");
        assert_eq!(get.request.header("authorization"), Some("Bearer t"));
        assert_eq!(
            get.request.header("content-type"),
            None,
            "the item does not inherit the batch's Content-Type"
        );
        assert_eq!(get.request.client_request_id(), Some("outer"));
        assert!(get.request.body.is_empty());
    }

    #[test]
    fn parse_items_with_a_malformed_batch_rejects_all_items() {
        let many: Vec<_> = (0..21).map(|n| get(&n.to_string())).collect();
        for requests in [
            json!([]),
            json!(many),
            json!([get("a"), get("A")]),
            json!([{ "method": "GET", "url": "/x" }]),
            json!([{ "id": 1, "method": "GET", "url": "/x" }]),
            json!("x"),
        ] {
            assert_eq!(parse(requests.clone()).unwrap_err().status, 400, "{requests}");
        }
        assert_eq!(parse(json!(many[..20])).unwrap().len(), 20);
    }

    #[test]
    fn render_response_with_the_same_seed_returns_the_same_order() {
        let ids = |seed| -> Vec<String> {
            let responses = (0..9).map(|n| (n.to_string(), Response::no_content())).collect();
            let body = render_response(responses, seed).json_body();
            body["responses"].as_array().unwrap().iter().map(|item| item["id"].to_string()).collect()
        };
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
    }

    #[test]
    fn render_response_without_item_body_omits_the_key() {
        let responses = vec![("a".to_owned(), Response::no_content().with_header("X", "y"))];
        let expected = json!({ "responses": [{ "id": "a", "status": 204, "headers": { "X": "y" } }] });
        assert_eq!(render_response(responses, 0).json_body(), expected);
    }
}
