//! Batches: reads are combined if that saves round trips, with the same result as separate reads.

use flowbind::sandbox::{Effect, Fault, Options};
use serde_json::{Value, json};

use crate::support::{
    Outcome, SandboxServer, answer_get, connector_id, serve, tenant, yaml_binding_connector_1,
};

const FLOWS: usize = 40;

fn flows(number: usize) -> Vec<String> {
    (0..number).map(|flow| format!("B2C_1_{flow:03}")).collect()
}

fn yaml(number: usize) -> String {
    yaml_binding_connector_1(&flows(number))
}

/// Starts a tenant in which every third flow already has the connector.
fn served(number: usize, faults: Vec<Fault>) -> SandboxServer {
    let flows = flows(number);
    let bound: Vec<_> =
        flows.iter().enumerate().map(|(at, flow)| (flow.as_str(), usize::from(at % 3 == 0), 2)).collect();
    serve(tenant(&bound), Options { faults, ..Options::default() })
}

fn plan(faults: Vec<Fault>) -> (SandboxServer, Outcome) {
    let served = served(FLOWS, faults);
    let outcome = served.plan(&yaml(FLOWS), &[]);
    (served, outcome)
}

/// Returns the outcome without the fingerprint, which depends on the port.
fn normalized(Outcome { code, stdout, stderr }: &Outcome) -> (i32, String, String) {
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

/// Returns the number of requests and of those in batches.
fn counts(served: &SandboxServer) -> (usize, usize) {
    let journal = served.journal();
    let requests = journal.iter().filter(|entry| !entry["path"].as_str().unwrap().contains("$batch"));
    (requests.clone().count(), requests.filter(|entry| entry["batch"].is_u64()).count())
}

#[test]
fn reads_are_batched_if_that_saves_round_trips() {
    // With 16 concurrent requests, the connectors and 15 flows are one round trip. With 16 flows there are
    // two.
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
fn batch_items_have_their_own_request_ids() {
    let (served, _) = plan(Vec::new());
    let mut tags: Vec<_> =
        served.journal().iter().map(|entry| entry["clientRequestId"].to_string()).collect();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), served.journal().len());
}

#[test]
fn plan_with_batches_equals_plan_without() {
    let (_, batched) = plan(Vec::new());
    assert!(batched.stdout.contains("Plan: 26 to enable"), "{batched}");
    let singly = served(FLOWS, Vec::new()).plan(&yaml(FLOWS), &["--parallelism", "50"]);
    assert_eq!(normalized(&singly), normalized(&batched));
    for status in [400, 403, 404, 405, 413, 500, 501, 503] {
        let (_, refused) = plan(vec![answers(0, status, "")]);
        assert_eq!(normalized(&refused), normalized(&batched), "{status}");
    }
    for effect in [Effect::DropBefore, Effect::Truncate] {
        let (_, broken) = plan(vec![on_batch(2, effect)]);
        assert_eq!(normalized(&broken), normalized(&batched));
    }
}

#[test]
fn rejected_batch_disables_batching() {
    for status in [404, 405, 501] {
        let served = served(FLOWS, vec![answers(0, status, "")]);
        let (outcome, _) = served.apply(&yaml(FLOWS), &[]);
        assert_eq!(outcome.code, 0, "{outcome}");
        let offered = served.requests().iter().filter(|line| line.contains("$batch")).count();
        assert_eq!(offered, 2, "{status}: those of the first wave");
    }
}

/// A useless batch costs rate limit for all its items, and further batches would, too.
#[test]
fn useless_batch_disables_batching() {
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

/// The pause applies to the batch and to separate requests for its items.
#[test]
fn batch_retry_after_pauses_all_requests() {
    let plan = |fault| {
        let served = served(FLOWS, vec![fault]);
        // The rate limit that is found after a 429 applies to one second.
        let outcome = served.plan(&yaml(FLOWS), &["--timeout", "20", "--rate", "999/1"]);
        (outcome.code, counts(&served))
    };
    for status in [429, 503] {
        let batch = |retry_after: &str| {
            let headers = vec![("Retry-After".to_owned(), retry_after.to_owned())];
            on_batch(0, Effect::Answer { status, headers, body: String::new() })
        };
        assert_eq!(plan(batch("1")), (0, (1 + FLOWS, 0)), "{status}");
        // A pause beyond the deadline: the connectors are read at the same time as the first batches.
        let (code, (sent, batched)) = plan(batch("900"));
        assert!(code == 1 && sent <= 1 && batched == 0, "{status}: {sent} sent, {batched} in batches");
    }
    let item = |retry_after| answer_get("B2C_1_007", 1, 503, &[("Retry-After", retry_after)], "");
    assert_eq!(plan(item("1")), (0, (2 + FLOWS, FLOWS)));
    assert_eq!(plan(item("900")), (1, (1 + FLOWS, FLOWS)));
}

/// Returns the response to the first item of a batch.
fn item(id: &str, status: u16, body: Value) -> Value {
    json!({"id": id, "status": status, "headers": {}, "body": body})
}

#[test]
fn invalid_batch_items_are_read_separately() {
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
        assert_eq!(normalized(&outcome), normalized(&well), "{body}");
        assert_eq!(counts(&served), (1 + FLOWS, 0), "{body}");
    }
    for body in ["", "<html>", "{\"responses\": [{\"id\": 0}]}"] {
        assert_eq!(normalized(&plan(vec![answers(0, 200, body)]).1), normalized(&well), "{body}");
    }
}

#[test]
fn failed_batch_item_is_retried_separately() {
    let (_, well) = plan(Vec::new());
    for status in [400, 401, 403, 404, 408, 424, 429, 500, 503] {
        let fault = answer_get("B2C_1_007", 1, status, &[("Retry-After", "0")], "");
        let (served, outcome) = plan(vec![fault]);
        assert_eq!((outcome.code, normalized(&outcome).1), (0, normalized(&well).1), "{status}");
        assert_eq!(counts(&served), (2 + FLOWS, FLOWS), "{status}");
    }
    let (served, outcome) = plan(vec![answer_get("B2C_1_007", 0, 403, &[], "")]);
    assert_eq!(outcome.code, 1);
    assert!(
        outcome
            .stdout
            .contains("could not read `B2C_1_007` (postFederationSignup, postAttributeCollection): 403\n"),
        "{outcome}"
    );
    assert_eq!(counts(&served), (2 + FLOWS, FLOWS));
}

#[test]
fn rejected_token_in_batch_is_reported_once() {
    let (served, outcome) = plan(vec![answer_get("Connectors", 0, 401, &[], ""), answers(0, 401, "")]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("error[token-rejected]: 40 flows could not be read: 401\n"), "{outcome}");
    assert!(outcome.stdout.contains("request: POST /beta/$batch (request-id "), "{outcome}");
    assert_eq!(served.requests().len(), 3);
}

#[test]
fn batch_items_count_against_the_rate_limit() {
    let served = served(FLOWS, Vec::new());
    let outcome = served.plan(&yaml(FLOWS), &["--rate", "30/600", "--timeout", "5"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("`--rate`"), "{outcome}");
    assert_eq!(counts(&served), (30, 29));
}

/// The service may have processed the items of a failed batch, so they count.
#[test]
fn failed_batch_items_count_against_the_rate_limit() {
    let served = served(FLOWS, vec![answers(1, 504, "")]);
    let outcome = served.plan(&yaml(FLOWS), &["--rate", "60/600", "--timeout", "5", "--parallelism", "20"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("`--rate`"), "{outcome}");
    let (requests, _) = counts(&served);
    assert!(requests <= 60 - 20, "{requests}: {outcome}");
}

/// Without batch support, a batch was one request, whatever it contained.
#[test]
fn service_without_batches_gets_the_full_rate_limit() {
    for status in [404, 405, 501] {
        let served = served(FLOWS, vec![answers(0, status, "")]);
        let outcome = served.plan(&yaml(FLOWS), &["--rate", "60/600", "--timeout", "5"]);
        assert_eq!((outcome.code, counts(&served)), (0, (1 + FLOWS, 0)), "{status}: {outcome}");
    }
}

/// A deferred item does not affect the errors of the others.
#[test]
fn retry_after_of_batch_item_pauses_only_that_item() {
    let faults = vec![
        answer_get("B2C_1_007", 0, 503, &[("Retry-After", "3600")], ""),
        answer_get("B2C_1_008", 0, 404, &[], r#"{"error": {"code": "AADB2C90063", "message": "none"}}"#),
    ];
    let (_, outcome) = plan(faults);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stdout.contains("the service asked to wait 3600 s"), "{outcome}");
    assert!(outcome.stdout.contains("could not read `B2C_1_008` (postFederationSignup, postAttributeCollection): 404 AADB2C90063: none\n"), "{outcome}");
}

/// Polling for a change honours `Retry-After`.
#[test]
fn deferred_read_back_in_batch_waits_for_retry_after() {
    let mut fault = answer_get("Configuration", 0, 503, &[("Retry-After", "300")], "");
    fault.skip = u32::try_from(FLOWS).unwrap();
    let served = served(FLOWS, vec![fault]);
    let (outcome, _) = served.apply(&yaml(FLOWS), &["--verify-timeout", "1"]);
    assert_eq!(outcome.code, 4, "{outcome}");
    let batches = served.requests().iter().filter(|line| line.contains("$batch")).count();
    assert!(batches <= 2 + 2, "two to plan and one look: {:?}", served.requests());
    assert!(outcome.stdout.contains("the service asked to wait 300 s"), "{outcome}");
}

/// A pause of an hour ends the run, without an early retry.
#[test]
fn batch_retry_after_beyond_the_deadline_is_an_error() {
    let pause = [("Retry-After", "3600")];
    let of_all = Effect::Answer {
        status: 503,
        headers: vec![("Retry-After".to_owned(), "3600".to_owned())],
        body: String::new(),
    };
    for (fault, singly) in [(on_batch(0, of_all), 1), (answer_get("B2C_1_007", 0, 503, &pause, ""), 1)] {
        let (served, outcome) = plan(vec![fault]);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stdout.contains("the service asked to wait 3600 s"), "{outcome}");
        let (requests, batched) = counts(&served);
        assert_eq!(requests - batched, singly, "the connectors: {outcome}");
    }
}

#[test]
fn throttled_batch_item_pauses_all_requests() {
    let faults = vec![answer_get("B2C_1_007", 0, 429, &[("Retry-After", "900")], "")];
    let served = served(FLOWS, faults);
    let outcome = served.plan(&yaml(FLOWS), &["--timeout", "20"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("the service asked to wait 900 s"), "{outcome}");
    assert_eq!(counts(&served), (1 + FLOWS, FLOWS));
}

#[test]
fn batches_contain_read_backs_but_no_puts() {
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
