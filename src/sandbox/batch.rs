//! Many requests in one: what a batch holds and how its answer looks.
//!
//! Owns the format of <https://learn.microsoft.com/graph/json-batching>; it must not carry the
//! items out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::message::{Request, Response};
use super::odata::Problem;

const MAX_ITEMS: usize = 20;

/// One request of a batch.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: String,
    /// The ids of the items that must have succeeded before this one.
    pub(super) depends_on: Vec<String>,
    pub(super) request: Request,
}

#[derive(Deserialize)]
struct Body {
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

/// Reads the items of a batch.
///
/// Errors when the batch as a whole is refused: 401, 405, 415, and 400 when it is malformed, has
/// no items or too many, or repeats an id.
pub(super) fn items(batch: &Request) -> Result<Vec<Item>, Problem> {
    batch.require_token()?;
    batch.require_method("POST")?;
    batch.require_json()?;
    let Body { requests } = serde_json::from_slice(&batch.body)
        .map_err(|error| Problem::bad_request(format!("the batch is malformed: {error}")))?;
    if requests.is_empty() || requests.len() > MAX_ITEMS {
        let message = format!("a batch holds 1 to {MAX_ITEMS} requests, not {}", requests.len());
        return Err(Problem::bad_request(message));
    }
    let mut seen = BTreeSet::new();
    if let Some(item) = requests.iter().find(|item| !seen.insert(item.id.to_lowercase())) {
        return Err(Problem::bad_request(format!("two requests of the batch have the id '{}'", item.id)));
    }
    Ok(requests.into_iter().map(|item| item.within(batch)).collect())
}

impl RawItem {
    /// Makes a request of the item. Its URL is relative to the version of the batch, and it
    /// stands under the token and client-request-id of the batch unless it has its own.
    fn within(self, batch: &Request) -> Item {
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
        Item { id: self.id, depends_on: self.depends_on, request }
    }
}

/// The answers to the requests of a batch.
#[derive(Serialize)]
struct Answers {
    responses: Vec<Answer>,
}

#[derive(Serialize)]
struct Answer {
    id: String,
    status: u16,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Box<RawValue>>,
}

/// Renders the answer to a batch, in an order that only the seed decides: clients must go by id.
pub(super) fn answer(answers: Vec<(String, Response)>, seed: u64) -> Response {
    let mut responses: Vec<_> = answers.into_iter().map(|(id, response)| item(id, response)).collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut responses);
    Response::json(200, &Answers { responses })
}

fn item(id: String, response: Response) -> Answer {
    let Response { status, headers, body } = response;
    // A body that is no JSON travels as text.
    let json = |text: String| {
        RawValue::from_string(text).or_else(|_| to_raw_value(&String::from_utf8_lossy(&body))).ok()
    };
    let body = (!body.is_empty()).then(|| json(String::from_utf8_lossy(&body).into_owned())).flatten();
    Answer { id, status, headers: headers.into_iter().collect(), body }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(requests: Value) -> Result<Vec<Item>, Problem> {
        let body = json!({ "requests": requests }).to_string();
        items(&Request::sample("POST", "/v1.0/$batch", &body).with_header("client-request-id", "outer"))
    }

    fn get(id: &str) -> Value {
        json!({ "id": id, "method": "GET", "url": "/x" })
    }

    #[test]
    fn an_item_becomes_a_request_of_the_same_version() {
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
        assert_eq!(get.request.header("content-type"), None, "that of the batch is not the item's");
        assert_eq!(get.request.client_request_id(), Some("outer"));
        assert!(get.request.body.is_empty());
    }

    #[test]
    fn a_malformed_batch_is_refused_whole() {
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
    fn answers_come_in_any_order_but_the_same_for_a_seed() {
        let ids = |seed| -> Vec<String> {
            let answers = (0..9).map(|n| (n.to_string(), Response::no_content())).collect();
            let answer = answer(answers, seed).value();
            answer["responses"].as_array().unwrap().iter().map(|item| item["id"].to_string()).collect()
        };
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
    }

    #[test]
    fn an_answer_has_a_body_only_if_there_is_one() {
        let answers = vec![("a".to_owned(), Response::no_content().with_header("X", "y"))];
        let expected = json!({ "responses": [{ "id": "a", "status": 204, "headers": { "X": "y" } }] });
        assert_eq!(answer(answers, 0).value(), expected);
    }
}
