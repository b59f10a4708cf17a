//! Many reads travel in one request where that saves waves, and what comes of it is as if they had not.

use std::time::{Duration, Instant};

use flowbind::sandbox::{Effect, Fault, Options};
use serde_json::{Value, json};

use crate::support::{Outcome, Served, answer, connector_id, serve, tenant, wants_connector_1};

const FLOWS: usize = 40;

fn flows(number: usize) -> Vec<String> {
    (0..number).map(|flow| format!("B2C_1_{flow:03}")).collect()
}

fn yaml(number: usize) -> String {
    wants_connector_1(&flows(number).iter().map(String::as_str).collect::<Vec<_>>())
}

/// A tenant of which every third flow calls the connector already.
fn served(number: usize, faults: Vec<Fault>) -> Served {
    let flows = flows(number);
    let bound: Vec<_> =
        flows.iter().enumerate().map(|(at, flow)| (flow.as_str(), usize::from(at % 3 == 0), 2)).collect();
    serve(tenant(&bound), Options { faults, ..Options::default() })
}

fn plan(faults: Vec<Fault>) -> (Served, Outcome) {
    let served = served(FLOWS, faults);
    let outcome = served.plan(&yaml(FLOWS), &[]);
    (served, outcome)
}

/// What is told of the tenant. The fingerprint is another one for each port.
fn told(Outcome { code, stdout, stderr }: &Outcome) -> (i32, String, String) {
    let lines = stdout.lines().filter(|line| !line.starts_with("Fingerprint: "));
    (*code, lines.collect::<Vec<_>>().join("\n"), stderr.clone())
}

fn on_batch(times: u32, effect: Effect) -> Fault {
    let times = (times > 0).then_some(times);
    Fault { method: Some("POST".into()), path_contains: "$batch".into(), skip: 0, times, effect }
}

fn answers(times: u32, status: u16, body: &str) -> Fault {
    on_batch(times, Effect::Answer { status, headers: Vec::new(), body: body.into() })
}

/// How many requests were made at all, and how many of them in batches.
fn counts(served: &Served) -> (usize, usize) {
    let journal = served.journal();
    let requests = journal.iter().filter(|entry| !entry["path"].as_str().unwrap().contains("$batch"));
    (requests.clone().count(), requests.filter(|entry| entry["batch"].is_u64()).count())
}

#[test]
fn reads_travel_in_batches_where_that_saves_waves() {
    // 16 at a time: the connectors and 15 flows are one wave, 16 flows would be two.
    for (number, args, batched) in [
        (15, &[][..], false),
        (16, &[], true),
        (FLOWS, &[], true),
        (FLOWS, &["--parallelism", "41"], false),
        (FLOWS, &["--parallelism", "1"], true),
        (1, &["--parallelism", "1"], false),
    ] {
        let served = served(number, Vec::new());
        let outcome = served.plan(&yaml(number), args);
        assert_eq!(outcome.code, 0, "{outcome}");
        assert_eq!(counts(&served), (1 + number, if batched { number } else { 0 }), "{number} {args:?}");
    }
}

#[test]
fn each_request_of_a_batch_has_a_tag_of_its_own() {
    let (served, _) = plan(Vec::new());
    let mut tags: Vec<_> =
        served.journal().iter().map(|entry| entry["clientRequestId"].to_string()).collect();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), served.journal().len());
}

#[test]
fn the_plan_is_the_same_as_without() {
    let (_, batched) = plan(Vec::new());
    assert!(batched.stdout.contains("Plan: 26 to enable"), "{batched}");
    let singly = served(FLOWS, Vec::new()).plan(&yaml(FLOWS), &["--parallelism", "50"]);
    assert_eq!(told(&singly), told(&batched));
    for status in [400, 403, 404, 405, 413, 500, 501, 503] {
        let (_, refused) = plan(vec![answers(0, status, "")]);
        assert_eq!(told(&refused), told(&batched), "{status}");
    }
    for effect in [Effect::DropBefore, Effect::Truncate] {
        let (_, broken) = plan(vec![on_batch(2, effect)]);
        assert_eq!(told(&broken), told(&batched));
    }
}

#[test]
fn a_service_that_takes_no_batches_is_not_offered_any_again() {
    for status in [404, 405, 501] {
        let served = served(FLOWS, vec![answers(0, status, "")]);
        let (outcome, _) = served.apply(&yaml(FLOWS), &[]);
        assert_eq!(outcome.code, 0, "{outcome}");
        let offered = served.requests().iter().filter(|line| line.contains("$batch")).count();
        assert_eq!(offered, 2, "{status}: those of the first wave");
    }
}

/// One that is no use costs its whole budget, and what follows is of no more use.
#[test]
fn a_batch_of_no_use_is_the_last() {
    for effect in [
        Effect::Answer { status: 500, headers: Vec::new(), body: String::new() },
        Effect::Answer { status: 200, headers: Vec::new(), body: "<html>".into() },
        Effect::DropBefore,
    ] {
        let served = served(FLOWS, vec![on_batch(0, effect.clone())]);
        let outcome = served.plan(&yaml(FLOWS), &["--parallelism", "1"]);
        assert_eq!(outcome.code, 0, "{outcome}");
        let offered = served.requests().iter().filter(|line| line.contains("$batch")).count();
        assert_eq!((offered, counts(&served).1), (1, 0), "{effect:?}");
    }
}

/// Neither the batch nor what travelled in it, each by itself.
#[test]
fn nothing_is_sent_before_the_pause_that_a_batch_asks_for() {
    let headers = vec![("Retry-After".to_owned(), "1".to_owned())];
    for status in [429, 503] {
        let effect = Effect::Answer { status, headers: headers.clone(), body: String::new() };
        let started = Instant::now();
        let (served, outcome) = plan(vec![on_batch(0, effect)]);
        assert!(started.elapsed() >= Duration::from_secs(1), "{status}: {:?}", started.elapsed());
        assert_eq!((outcome.code, counts(&served)), (0, (1 + FLOWS, 0)), "{outcome}");
    }
    let started = Instant::now();
    let (served, outcome) = plan(vec![answer("B2C_1_007", 1, 503, &[("Retry-After", "1")], "")]);
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!((outcome.code, counts(&served)), (0, (2 + FLOWS, FLOWS)), "{outcome}");
}

/// An answer as the service gives it, to the first request of a batch alone.
fn item(id: &str, status: u16, body: Value) -> Value {
    json!({"id": id, "status": status, "headers": {}, "body": body})
}

#[test]
fn what_a_batch_does_not_answer_well_is_read_singly() {
    let bound = json!({"postFederationSignup": {"id": connector_id(4), "displayName": "no such thing"}});
    let twice = json!({"responses": [item("0", 200, bound.clone()), item("0", 200, bound.clone())]});
    let foreign = json!({"responses": [item("999", 200, bound.clone()), item("x", 200, bound.clone())]});
    let error = json!({"responses": [item("0", 200, json!({"error": {"code": "x"}}))]});
    let broken = json!({"responses": [item("0", 200, json!({"postFederationSignup": "x"}))]});
    let text = json!({"responses": [item("0", 200, json!("bm8="))]});
    let refused = json!({"responses": [item("0", 403, bound)]});
    let empty = json!({"responses": []});
    let (_, well) = plan(Vec::new());
    for body in [twice, foreign, error, broken, text, refused, empty, json!({}), json!([]), json!(null)] {
        let (served, outcome) = plan(vec![answers(0, 200, &body.to_string())]);
        assert_eq!(told(&outcome), told(&well), "{body}");
        assert_eq!(counts(&served), (1 + FLOWS, 0), "{body}");
    }
    for body in ["", "<html>", "{\"responses\": [{\"id\": 0}]}"] {
        assert_eq!(told(&plan(vec![answers(0, 200, body)]).1), told(&well), "{body}");
    }
}

#[test]
fn a_failed_item_is_asked_for_again_and_believed_then() {
    let (_, well) = plan(Vec::new());
    for status in [400, 401, 403, 404, 408, 424, 429, 500, 503] {
        let fault = answer("B2C_1_007", 1, status, &[("Retry-After", "0")], "");
        let (served, outcome) = plan(vec![fault]);
        assert_eq!((outcome.code, told(&outcome).1), (0, told(&well).1), "{status}");
        assert_eq!(counts(&served), (2 + FLOWS, FLOWS), "{status}");
    }
    let (served, outcome) = plan(vec![answer("B2C_1_007", 0, 403, &[], "")]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("B2C_1_007/apiConnectorConfiguration: answered 403"), "{outcome}");
    assert_eq!(counts(&served), (2 + FLOWS, FLOWS));
}

#[test]
fn a_token_that_does_not_do_is_told_without_asking_for_each() {
    let (served, outcome) = plan(vec![answer("Connectors", 0, 401, &[], ""), answers(0, 401, "")]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("POST /beta/$batch: answered 401"), "{outcome}");
    assert_eq!(served.requests().len(), 3);
}

#[test]
fn the_requests_of_a_batch_count_one_by_one() {
    let served = served(FLOWS, Vec::new());
    let outcome = served.plan(&yaml(FLOWS), &["--rate", "30/600", "--timeout", "5"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("`--rate`"), "{outcome}");
    assert_eq!(counts(&served), (30, 29));
}

/// Where a batch fails, the service may have looked into it: what it holds counts.
#[test]
fn the_requests_of_a_batch_that_failed_count_too() {
    let served = served(FLOWS, vec![answers(1, 504, "")]);
    let outcome = served.plan(&yaml(FLOWS), &["--rate", "60/600", "--timeout", "5", "--parallelism", "20"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("`--rate`"), "{outcome}");
    let (requests, _) = counts(&served);
    assert!(requests <= 60 - 20, "{requests}: {outcome}");
}

/// Where there are none, a batch was one request, however much it was to hold.
#[test]
fn a_service_without_batches_is_asked_for_as_much_as_the_budget_has() {
    for status in [404, 405, 501] {
        let served = served(FLOWS, vec![answers(0, status, "")]);
        let outcome = served.plan(&yaml(FLOWS), &["--rate", "60/600", "--timeout", "5"]);
        assert_eq!((outcome.code, counts(&served)), (0, (1 + FLOWS, 0)), "{status}: {outcome}");
    }
}

/// Of one read that is put off no other is told anything.
#[test]
fn a_pause_that_one_item_asks_for_is_its_own() {
    let faults = vec![
        answer("B2C_1_007", 0, 503, &[("Retry-After", "3600")], ""),
        answer("B2C_1_008", 0, 404, &[], r#"{"error": {"code": "AADB2C90063", "message": "none"}}"#),
    ];
    let (_, outcome) = plan(faults);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stdout.contains("the service asked to wait 3600 s"), "{outcome}");
    assert!(outcome.stdout.contains("B2C_1_008/apiConnectorConfiguration: answered 404"), "{outcome}");
}

/// Who looks again and again until a change shows does not come back before the service wants it.
#[test]
fn a_read_back_that_is_put_off_in_a_batch_does_not_come_again_at_once() {
    let mut fault = answer("Configuration", 0, 503, &[("Retry-After", "300")], "");
    fault.skip = u32::try_from(FLOWS).unwrap();
    let served = served(FLOWS, vec![fault]);
    let (outcome, _) = served.apply(&yaml(FLOWS), &["--verify-timeout", "1"]);
    assert_eq!(outcome.code, 4, "{outcome}");
    let batches = served.requests().iter().filter(|line| line.contains("$batch")).count();
    assert!(batches <= 2 + 2, "two to plan and one look: {:?}", served.requests());
    assert!(outcome.stdout.contains("the service asked to wait 300 s"), "{outcome}");
}

/// An hour is not waited for, and nobody comes back at once either.
#[test]
fn a_pause_beyond_the_time_left_that_a_batch_asks_for_is_told() {
    let pause = [("Retry-After", "3600")];
    let of_all = Effect::Answer {
        status: 503,
        headers: vec![("Retry-After".to_owned(), "3600".to_owned())],
        body: String::new(),
    };
    for (fault, singly) in [(on_batch(0, of_all), 1), (answer("B2C_1_007", 0, 503, &pause, ""), 1)] {
        let (served, outcome) = plan(vec![fault]);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stdout.contains("the service asked to wait 3600 s"), "{outcome}");
        let (requests, batched) = counts(&served);
        assert_eq!(requests - batched, singly, "the connectors: {outcome}");
    }
}

#[test]
fn throttled_items_hold_everything_back() {
    let faults = vec![answer("B2C_1_007", 0, 429, &[("Retry-After", "900")], "")];
    let served = served(FLOWS, faults);
    let outcome = served.plan(&yaml(FLOWS), &["--timeout", "20"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("the service asked to wait 900 s"), "{outcome}");
    assert_eq!(counts(&served), (1 + FLOWS, FLOWS));
}

#[test]
fn writes_never_travel_in_batches_and_read_backs_do() {
    let served = served(FLOWS, Vec::new());
    let (outcome, report) = served.apply(&yaml(FLOWS), &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(report["targets"][0]["summary"]["applied"], 26);
    let journal = served.journal();
    let writes: Vec<_> = journal.iter().filter(|entry| entry["method"] == "PUT").collect();
    assert_eq!(writes.len(), 26);
    assert!(writes.iter().all(|entry| entry["batch"].is_null()));
    assert_eq!(counts(&served).1, FLOWS + 26);
}
