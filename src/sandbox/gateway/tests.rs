//! Tests of the combination of journal, throttling, faults and batches.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::sandbox::{Fault, Throttle};
use crate::snapshot::Step;

const CONNECTORS: &str = "/beta/identity/apiConnectors";
const STEP: &str = "/beta/identity/b2cUserFlows/B2C_1_a/apiConnectorConfiguration/postFederationSignup/$ref";
const BIND: &str = r#"{"@odata.id":"https://graph.microsoft.com/beta/identity/apiConnectors/c1"}"#;

/// Journal in memory.
#[derive(Clone, Default)]
struct JournalBuffer(Arc<Mutex<Vec<u8>>>);

impl Write for JournalBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl JournalBuffer {
    fn values(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn gateway(options: Options) -> (Gateway, JournalBuffer) {
    gateway_with_on_change(options, None)
}

fn gateway_with_on_change(options: Options, on_change: Option<OnChange>) -> (Gateway, JournalBuffer) {
    let snapshot = json!({
        "formatVersion": "1", "tenant": "t", "cloud": "global", "takenAt": "",
        "connectors": [{ "id": "c1" }],
        "flows": [{ "id": "B2C_1_a", "userFlowType": "signUp", "userFlowTypeVersion": 1, "bindings": {} }],
    });
    let snapshot = Snapshot::parse(&snapshot.to_string()).unwrap();
    let tenant = Tenant::new(snapshot, "http://h".into(), &options);
    let lines = JournalBuffer::default();
    let journal = Journal::new(Some(Box::new(lines.clone())));
    (Gateway::new(tenant, options, journal, on_change), lines)
}

fn gateway_with_fault(path: &str, effect: Effect) -> (Gateway, JournalBuffer) {
    let fault = Fault { method: None, path_contains: path.into(), skip: 0, times: Some(1), effect };
    gateway(Options { faults: vec![fault], ..Options::default() })
}

fn is_bound(gateway: &Gateway) -> bool {
    let bindings = &gateway.snapshot().flows[0].bindings;
    bindings.get(&Step::PostFederationSignup).is_some_and(Option::is_some)
}

fn bind(gateway: &mut Gateway) -> Reply {
    gateway.respond(&Request::sample("PUT", STEP, BIND), Timestamp::UNIX_EPOCH)
}

fn get(gateway: &mut Gateway) -> Response {
    sent_response(gateway.respond(&Request::sample("GET", CONNECTORS, ""), Timestamp::UNIX_EPOCH))
}

/// Sends a batch and returns the item responses by id.
fn batch(gateway: &mut Gateway, requests: &Value) -> std::collections::BTreeMap<String, Value> {
    let body = json!({ "requests": requests }).to_string();
    let reply = gateway.respond(&Request::sample("POST", "/beta/$batch", &body), Timestamp::UNIX_EPOCH);
    let responses = sent_response(reply).json_body()["responses"].as_array().unwrap().clone();
    responses.into_iter().map(|item| (item["id"].as_str().unwrap().to_owned(), item)).collect()
}

fn sent_response(reply: Reply) -> Response {
    let Reply::Send(response) = reply else { panic!("{reply:?}") };
    response
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[test]
fn responses_echo_the_client_request_id() {
    let (mut gateway, _) = gateway(Options::default());
    let request = Request::sample("GET", "/nowhere", "").with_header("client-request-id", "mine");
    let response = sent_response(gateway.respond(&request, Timestamp::UNIX_EPOCH));
    assert_eq!(header(&response, "client-request-id"), Some("mine"));
    let inner = &response.json_body()["error"]["innerError"];
    assert_eq!(header(&response, "request-id"), inner["request-id"].as_str());
    let plain = get(&mut gateway);
    assert!(header(&plain, "request-id").is_some() && header(&plain, "client-request-id").is_none());
}

#[test]
fn each_effect_has_its_reply_and_its_change() {
    let answer = Effect::Answer { status: 418, headers: vec![], body: "x".into() };
    let answer_after = Effect::AnswerAfter { status: 418, headers: vec![], body: "x".into() };
    for (effect, status, done) in [
        (answer, Some(418), false),
        (answer_after, Some(418), true),
        (Effect::DropBefore, None, false),
        (Effect::DropAfter, None, true),
        (Effect::AcceptOnly, Some(204), false),
        (Effect::Hang, None, false),
        (Effect::Truncate, Some(200), true),
    ] {
        let name = effect.name();
        let (mut gateway, lines) = gateway_with_fault("$ref", effect);
        let reply = bind(&mut gateway);
        assert_eq!((reply.status(), is_bound(&gateway)), (status, done), "{name}");
        let line = &lines.values()[0];
        assert_eq!((&line["fault"], &line["status"]), (&json!(name), &json!(status)));
    }
}

#[test]
fn batch_item_without_a_response_is_a_504() {
    for (effect, done) in [
        (Effect::DropBefore, false),
        (Effect::DropAfter, true),
        (Effect::Hang, false),
        (Effect::Truncate, true),
    ] {
        let (mut gateway, _) = gateway_with_fault("$ref", effect);
        let headers = json!({ "Content-Type": "application/json" });
        let body: Value = serde_json::from_str(BIND).unwrap();
        let item = json!([{ "id": "1", "method": "PUT", "url": STEP.strip_prefix("/beta").unwrap(), "headers": headers, "body": body }]);
        assert_eq!(batch(&mut gateway, &item)["1"]["status"], 504);
        assert_eq!(is_bound(&gateway), done);
    }
}

#[test]
fn fault_on_a_batch_applies_to_the_batch() {
    let (mut gateway, lines) = gateway_with_fault("$batch", Effect::DropAfter);
    let body = r#"{"requests":[{"id":"1","method":"GET","url":"/identity/apiConnectors"}]}"#;
    let reply = gateway.respond(&Request::sample("POST", "/beta/$batch", body), Timestamp::UNIX_EPOCH);
    assert_eq!((reply, lines.values().len()), (Reply::Close, 2));
}

#[test]
fn throttling_counts_each_batch_item() {
    let throttle = Some(Throttle { requests: 2, per: Duration::from_secs(30) });
    let (mut gateway, lines) = gateway(Options { throttle, ..Options::default() });
    let item = |id| json!({ "id": id, "method": "GET", "url": "/identity/apiConnectors" });
    let responses = batch(&mut gateway, &json!([item("1"), item("2"), item("3")]));
    assert_eq!(["1", "2", "3"].map(|id| responses[id]["status"].clone()), [200, 200, 429]);
    assert_eq!(responses["3"]["headers"]["Retry-After"], "30");
    assert_eq!(get(&mut gateway).status, 429);
    assert_eq!(lines.values()[3]["fault"], "throttle");
}

#[test]
fn batch_items_have_separate_results() {
    let (mut gateway, _) = gateway(Options::default());
    let responses = batch(
        &mut gateway,
        &json!([
            { "id": "ok", "method": "GET", "url": "identity/apiConnectors/c1" },
            { "id": "none", "method": "GET", "url": "/identity/apiConnectors/c2" },
            { "id": "after-none", "method": "GET", "url": "/identity/apiConnectors", "dependsOn": ["NONE"] },
            { "id": "after-ok", "method": "GET", "url": "/identity/apiConnectors", "dependsOn": ["ok"] },
            { "id": "batch", "method": "POST", "url": "/$batch" },
            { "id": "no-type", "method": "PUT", "url": STEP.strip_prefix("/beta").unwrap(), "body": {} },
        ]),
    );
    for (id, status) in
        [("ok", 200), ("none", 404), ("after-none", 424), ("after-ok", 200), ("batch", 400), ("no-type", 415)]
    {
        assert_eq!(responses[id]["status"], status, "{id}");
    }
    assert_eq!(responses["ok"]["body"]["id"], "c1");
    assert_eq!(responses["none"]["body"]["error"]["code"], "AADB2C");
    assert!(responses["ok"]["headers"]["request-id"].is_string());
}

#[test]
fn batch_item_with_ignore_case_finds_a_flow_in_another_letter_case() {
    let item = json!([{ "id": "x", "method": "GET", "url": "/identity/b2cUserFlows/b2c_1_A" }]);
    for (ignore_case, status, id) in [(false, 404, Value::Null), (true, 200, json!("B2C_1_a"))] {
        let (mut gateway, _) = gateway(Options { ignore_case, ..Options::default() });
        let response = &batch(&mut gateway, &item)["x"];
        assert_eq!((&response["status"], &response["body"]["id"]), (&json!(status), &id));
    }
}

#[test]
fn journal_lists_a_batch_before_its_items() {
    let (mut gateway, lines) = gateway(Options::default());
    get(&mut gateway);
    batch(&mut gateway, &json!([{ "id": "x", "method": "GET", "url": "/identity/apiConnectors" }]));
    get(&mut gateway);
    let seen: Vec<_> = lines
        .values()
        .iter()
        .map(|line| (line["n"].clone(), line["path"].clone(), line["batch"].clone()))
        .collect();
    let expected = [
        (json!(1), json!(CONNECTORS), Value::Null),
        (json!(2), json!("/beta/$batch"), Value::Null),
        (json!(3), json!(CONNECTORS), json!(2)),
        (json!(4), json!(CONNECTORS), Value::Null),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn batch_with_an_invalid_request_is_rejected() {
    let (mut gateway, _) = gateway(Options::default());
    let empty = Request::new("POST", "/beta/$batch");
    for (request, status) in [
        (empty, 401),
        (Request::sample("GET", "/beta/$batch", ""), 405),
        (Request::sample("POST", "/beta/$batch", "{}").with_header("content-type", "text/plain"), 415),
        (Request::sample("POST", "/beta/$batch", "{}"), 400),
    ] {
        assert_eq!(sent_response(gateway.respond(&request, Timestamp::UNIX_EPOCH)).status, status);
    }
}

#[test]
fn on_change_is_called_only_for_changes() {
    let calls = Arc::new(Mutex::new(0));
    let count = Arc::clone(&calls);
    let on_change = move |_: &Snapshot| {
        *count.lock().unwrap() += 1;
        Ok(())
    };
    let (mut gateway, _) = gateway_with_on_change(Options::default(), Some(Box::new(on_change)));
    bind(&mut gateway);
    bind(&mut gateway);
    get(&mut gateway);
    assert_eq!(*calls.lock().unwrap(), 1);
}

#[test]
fn write_that_cannot_be_saved_is_undone() {
    let on_change = |_: &Snapshot| Err(io::Error::other("disk full"));
    let (mut gateway, _) = gateway_with_on_change(Options::default(), Some(Box::new(on_change)));
    assert_eq!(sent_response(bind(&mut gateway)).status, 423);
    assert!(!is_bound(&gateway));
}

#[test]
fn random_failure_does_not_execute_the_request() {
    let (mut gateway, lines) = gateway(Options { fail: 1.0, ..Options::default() });
    assert!([429, 500, 502, 503, 504].contains(&sent_response(bind(&mut gateway)).status));
    assert!(!is_bound(&gateway));
    assert_eq!(lines.values()[0]["fault"], "fail");
}
