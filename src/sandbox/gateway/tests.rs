//! How journal, throttling, faults and batches play together.

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

/// A journal that the test can read.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn values(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn gateway(options: Options) -> (Gateway, Lines) {
    with_keeper(options, None)
}

fn with_keeper(options: Options, on_change: Option<OnChange>) -> (Gateway, Lines) {
    let snapshot = json!({
        "formatVersion": "1", "tenant": "t", "cloud": "global", "takenAt": "",
        "connectors": [{ "id": "c1" }],
        "flows": [{ "id": "B2C_1_a", "userFlowType": "signUp", "userFlowTypeVersion": 1, "bindings": {} }],
    });
    let snapshot = Snapshot::parse(&snapshot.to_string()).unwrap();
    let tenant = Tenant::new(snapshot, "http://h".into(), options.page_size, options.lag);
    let lines = Lines::default();
    let journal = Journal::new(Some(Box::new(lines.clone())));
    (Gateway::new(tenant, options, journal, on_change), lines)
}

fn with_fault(path: &str, effect: Effect) -> (Gateway, Lines) {
    let fault = Fault { method: None, path_contains: path.into(), skip: 0, times: Some(1), effect };
    gateway(Options { faults: vec![fault], ..Options::default() })
}

fn bound(gateway: &Gateway) -> bool {
    let bindings = &gateway.snapshot().flows[0].bindings;
    bindings.get(&Step::PostFederationSignup).is_some_and(Option::is_some)
}

fn bind(gateway: &mut Gateway) -> Reply {
    gateway.answer(&Request::sample("PUT", STEP, BIND), Timestamp::UNIX_EPOCH)
}

fn get(gateway: &mut Gateway) -> Response {
    sent(gateway.answer(&Request::sample("GET", CONNECTORS, ""), Timestamp::UNIX_EPOCH))
}

/// Sends a batch and gives the answers by id.
fn batch(gateway: &mut Gateway, requests: &Value) -> std::collections::BTreeMap<String, Value> {
    let body = json!({ "requests": requests }).to_string();
    let reply = gateway.answer(&Request::sample("POST", "/beta/$batch", &body), Timestamp::UNIX_EPOCH);
    let answers = sent(reply).value()["responses"].as_array().unwrap().clone();
    answers.into_iter().map(|answer| (answer["id"].as_str().unwrap().to_owned(), answer)).collect()
}

fn sent(reply: Reply) -> Response {
    let Reply::Send(response) = reply else { panic!("{reply:?}") };
    response
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[test]
fn every_response_has_ids() {
    let (mut gateway, _) = gateway(Options::default());
    let request = Request::sample("GET", "/nowhere", "").with_header("client-request-id", "mine");
    let response = sent(gateway.answer(&request, Timestamp::UNIX_EPOCH));
    assert_eq!(header(&response, "client-request-id"), Some("mine"));
    let inner = &response.value()["error"]["innerError"];
    assert_eq!(header(&response, "request-id"), inner["request-id"].as_str());
    let plain = get(&mut gateway);
    assert!(header(&plain, "request-id").is_some() && header(&plain, "client-request-id").is_none());
}

#[test]
fn effects_differ_in_what_the_client_sees_and_what_is_done() {
    let canned = Effect::Answer { status: 418, headers: vec![], body: "x".into() };
    let belied = Effect::AnswerAfter { status: 418, headers: vec![], body: "x".into() };
    for (effect, status, done) in [
        (canned, Some(418), false),
        (belied, Some(418), true),
        (Effect::DropBefore, None, false),
        (Effect::DropAfter, None, true),
        (Effect::AcceptOnly, Some(204), false),
        (Effect::Hang, None, false),
        (Effect::Truncate, Some(200), true),
    ] {
        let name = effect.name();
        let (mut gateway, lines) = with_fault("$ref", effect);
        let reply = bind(&mut gateway);
        assert_eq!((reply.status(), bound(&gateway)), (status, done), "{name}");
        let line = &lines.values()[0];
        assert_eq!((&line["fault"], &line["status"]), (&json!(name), &json!(status)));
    }
}

#[test]
fn in_a_batch_an_item_without_answer_is_a_504() {
    for (effect, done) in [
        (Effect::DropBefore, false),
        (Effect::DropAfter, true),
        (Effect::Hang, false),
        (Effect::Truncate, true),
    ] {
        let (mut gateway, _) = with_fault("$ref", effect);
        let headers = json!({ "Content-Type": "application/json" });
        let body: Value = serde_json::from_str(BIND).unwrap();
        let item = json!([{ "id": "1", "method": "PUT", "url": STEP.strip_prefix("/beta").unwrap(), "headers": headers, "body": body }]);
        assert_eq!(batch(&mut gateway, &item)["1"]["status"], 504);
        assert_eq!(bound(&gateway), done);
    }
}

#[test]
fn a_batch_can_be_hit_as_a_whole() {
    let (mut gateway, lines) = with_fault("$batch", Effect::DropAfter);
    let body = r#"{"requests":[{"id":"1","method":"GET","url":"/identity/apiConnectors"}]}"#;
    let reply = gateway.answer(&Request::sample("POST", "/beta/$batch", body), Timestamp::UNIX_EPOCH);
    assert_eq!((reply, lines.values().len()), (Reply::Close, 2));
}

#[test]
fn items_are_throttled_one_by_one() {
    let throttle = Some(Throttle { requests: 2, per: Duration::from_secs(30) });
    let (mut gateway, lines) = gateway(Options { throttle, ..Options::default() });
    let item = |id| json!({ "id": id, "method": "GET", "url": "/identity/apiConnectors" });
    let answers = batch(&mut gateway, &json!([item("1"), item("2"), item("3")]));
    assert_eq!(["1", "2", "3"].map(|id| answers[id]["status"].clone()), [200, 200, 429]);
    assert_eq!(answers["3"]["headers"]["Retry-After"], "30");
    assert_eq!(get(&mut gateway).status, 429);
    assert_eq!(lines.values()[3]["fault"], "throttle");
}

#[test]
fn items_have_their_own_results() {
    let (mut gateway, _) = gateway(Options::default());
    let answers = batch(
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
        assert_eq!(answers[id]["status"], status, "{id}");
    }
    assert_eq!(answers["ok"]["body"]["id"], "c1");
    assert_eq!(answers["none"]["body"]["error"]["code"], "AADB2C");
    assert!(answers["ok"]["headers"]["request-id"].is_string());
}

#[test]
fn a_batch_stands_in_the_journal_before_its_items() {
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
fn a_batch_is_refused_as_any_request_is() {
    let (mut gateway, _) = gateway(Options::default());
    let empty = Request::new("POST", "/beta/$batch");
    for (request, status) in [
        (empty, 401),
        (Request::sample("GET", "/beta/$batch", ""), 405),
        (Request::sample("POST", "/beta/$batch", "{}").with_header("content-type", "text/plain"), 415),
        (Request::sample("POST", "/beta/$batch", "{}"), 400),
    ] {
        assert_eq!(sent(gateway.answer(&request, Timestamp::UNIX_EPOCH)).status, status);
    }
}

#[test]
fn only_changes_are_kept() {
    let kept = Arc::new(Mutex::new(0));
    let count = Arc::clone(&kept);
    let keep = move |_: &Snapshot| {
        *count.lock().unwrap() += 1;
        Ok(())
    };
    let (mut gateway, _) = with_keeper(Options::default(), Some(Box::new(keep)));
    bind(&mut gateway);
    bind(&mut gateway);
    get(&mut gateway);
    assert_eq!(*kept.lock().unwrap(), 1);
}

#[test]
fn a_change_that_cannot_be_kept_is_undone() {
    let keep = |_: &Snapshot| Err(io::Error::other("disk full"));
    let (mut gateway, _) = with_keeper(Options::default(), Some(Box::new(keep)));
    assert_eq!(sent(bind(&mut gateway)).status, 500);
    assert!(!bound(&gateway));
}

#[test]
fn a_random_failure_has_no_effect() {
    let (mut gateway, lines) = gateway(Options { fail: 1.0, ..Options::default() });
    assert!([429, 500, 502, 503, 504].contains(&sent(bind(&mut gateway)).status));
    assert!(!bound(&gateway));
    assert_eq!(lines.values()[0]["fault"], "fail");
}
