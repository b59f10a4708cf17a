//! Failing PUTs: a change is `applied` only after a read-back.

use std::time::Duration;

use flowbind::sandbox::{Effect, Fault, Options};
use serde_json::{Value, json};

use crate::support::{
    answer_get, connector_id, file, flowbind, folder, on_put, serve, tenant, yaml_binding_connector_1,
};

const FLOWS: [&str; 3] = ["B2C_1_a", "B2C_1_b", "B2C_1_c"];

fn options(faults: Vec<Fault>) -> Options {
    Options { faults, ..Options::default() }
}

/// Returns the outcomes of the changes in the order of the report.
fn outcomes(report: &Value) -> Vec<&str> {
    let changes = report["targets"][0]["changes"].as_array().unwrap();
    changes.iter().map(|change| change["outcome"].as_str().unwrap()).collect()
}

fn answered(status: u16, retry_after: &str) -> Effect {
    Effect::Answer {
        status,
        headers: vec![("Retry-After".into(), retry_after.into())],
        body: r#"{"error": {"code": "AADB2C", "message": "no"}}"#.into(),
    }
}

#[test]
fn put_request_matches_the_documentation() {
    let yaml = "version: 1\ntenant: contoso.onmicrosoft.com\nflows:\n  B2C_1_a:\n    postFederationSignup: Connector 1\n    postAttributeCollection: null\n";
    let served = serve(tenant(&[("B2C_1_a", 0, 2)]), Options::default());
    let (outcome, report) = served.apply(yaml, &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(outcomes(&report), ["applied", "applied"]);
    let puts: Vec<_> = served.journal().into_iter().filter(|entry| entry["method"] == "PUT").collect();
    let path = "/beta/identity/b2cUserFlows/B2C_1_a/apiConnectorConfiguration";
    assert_eq!(puts[0]["path"], format!("{path}/postFederationSignup/$ref"));
    let reference = format!("{}/identity/apiConnectors/{}", served.graph_url(), connector_id(1));
    assert_eq!(puts[0]["body"], serde_json::json!({"@odata.id": reference}));
    assert_eq!(puts[1]["path"], format!("{path}/postAttributeCollection/$ref"));
    assert_eq!(puts[1]["body"], serde_json::json!({}));
    for put in puts {
        assert_eq!(put["contentType"], "application/json");
        assert!(put["clientRequestId"].is_string());
    }
}

#[test]
fn put_with_lost_response_is_classified_by_read_back() {
    for effect in [Effect::DropBefore, Effect::DropAfter, Effect::Truncate] {
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(vec![on_put("", 1, effect.clone())]));
        let (outcome, report) = served.apply(&yaml_binding_connector_1(&["B2C_1_a"]), &[]);
        assert_eq!((outcome.code, served.puts()), (0, 2), "{effect:?}: {outcome}");
        assert_eq!(outcomes(&report), ["applied"]);
        assert_eq!(report["targets"][0]["changes"][0]["attempts"], 2);
    }
}

/// No PUT gets a response, so only the read-back shows the outcome.
#[test]
fn puts_without_any_response_are_classified_by_read_back() {
    for (effect, outcome_, code) in [(Effect::DropAfter, "applied", 0), (Effect::DropBefore, "unverified", 4)]
    {
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(vec![on_put("", 0, effect)]));
        let args = ["--timeout", "3", "--verify-timeout", "1"];
        let (outcome, report) = served.apply(&yaml_binding_connector_1(&["B2C_1_a"]), &args);
        assert_eq!(outcome.code, code, "{outcome}");
        assert_eq!(outcomes(&report), [outcome_]);
    }
}

#[test]
fn accepted_put_without_effect_is_unverified() {
    let served = serve(
        tenant(&[("B2C_1_a", 0, 0), ("B2C_1_b", 0, 0)]),
        options(vec![on_put("B2C_1_b", 0, Effect::AcceptOnly)]),
    );
    let (outcome, report) =
        served.apply(&yaml_binding_connector_1(&["B2C_1_a", "B2C_1_b"]), &["--verify-timeout", "1"]);
    assert_eq!(outcome.code, 4, "{outcome}");
    assert_eq!(outcomes(&report), ["applied", "unverified"]);
    assert!(outcome.stdout.contains("Apply: 1 applied, 1 unverified."), "{outcome}");
    assert!(
        outcome
            .stdout
            .contains("[change-unverified] Graph accepted the PUT, but still returns the old value"),
        "{outcome}"
    );
}

/// Another user changes the binding meanwhile.
#[test]
fn accepted_put_with_another_value_since_names_the_value() {
    let third = connector_id(3);
    for (bound, shown) in [
        (json!({"id": third, "displayName": "Connector 3"}), "`Connector 3`"),
        (json!({"id": third}), &*format!("`{third}`")),
        (Value::Null, "nothing"),
    ] {
        let body = json!({"postFederationSignup": bound, "postAttributeCollection": null}).to_string();
        let read_back = Fault { skip: 1, ..answer_get("Configuration", 0, 200, &[], &body) };
        let served = serve(tenant(&[("B2C_1_a", 2, 0)]), options(vec![read_back]));
        let (outcome, report) =
            served.apply(&yaml_binding_connector_1(&["B2C_1_a"]), &["--verify-timeout", "1"]);
        assert_eq!((outcome.code, outcomes(&report)), (4, vec!["unverified"]), "{outcome}");
        let error = format!("[change-unverified] Graph accepted the PUT, but now returns {shown}\n");
        assert!(outcome.stdout.contains(&error), "{error}: {outcome}");
    }
}

/// The other changes are read back before the second attempt, each once.
#[test]
fn change_that_is_retried_does_not_delay_the_read_back_of_the_others() {
    let faults = vec![on_put("B2C_1_a", 1, answered(503, "3"))];
    let served = serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), options(faults));
    let (outcome, report) = served.apply(&yaml_binding_connector_1(&FLOWS), &[]);
    assert_eq!((outcome.code, outcomes(&report)), (0, vec!["applied"; 3]), "{outcome}");
    let requests = served.requests();
    let puts: Vec<_> = (0..requests.len()).filter(|at| requests[*at].starts_with("PUT ")).collect();
    let reads = |range: std::ops::Range<usize>| {
        let is_read = |flow, line: &&String| line.starts_with("GET ") && line.contains(flow);
        FLOWS.map(|flow| requests[range.clone()].iter().filter(|line| is_read(flow, line)).count())
    };
    assert_eq!(puts.len(), 4, "{requests:#?}");
    assert_eq!(reads(puts[0]..puts[3]), [0, 1, 1], "{requests:#?}");
    assert_eq!(reads(puts[3]..requests.len()), [1, 0, 0], "{requests:#?}");
}

#[test]
fn read_back_waits_for_eventual_consistency() {
    let lag = Duration::from_millis(900);
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { lag, ..Options::default() });
    let (outcome, report) = served.apply(&yaml_binding_connector_1(&["B2C_1_a"]), &[]);
    assert_eq!((outcome.code, served.puts()), (0, 1), "{outcome}");
    assert_eq!(outcomes(&report), ["applied"]);
}

#[test]
fn put_with_unreadable_read_back_is_unverified() {
    let mut fault = answer_get("Configuration", 0, 403, &[], r#"{"error": {"message": "no more"}}"#);
    fault.skip = 1;
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(vec![fault]));
    let (outcome, report) = served.apply(&yaml_binding_connector_1(&["B2C_1_a"]), &["--verify-timeout", "1"]);
    assert_eq!(outcome.code, 4, "{outcome}");
    assert_eq!(outcomes(&report), ["unverified"]);
    assert!(
        outcome.stdout.contains("could not be read back") && outcome.stdout.contains("no more"),
        "{outcome}"
    );
}

#[test]
fn repeated_429_is_retried_until_accepted() {
    let served =
        serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), options(vec![on_put("", 5, answered(429, "0"))]));
    let (outcome, report) = served.apply(&yaml_binding_connector_1(&FLOWS), &[]);
    assert_eq!((outcome.code, served.puts()), (0, 8), "{outcome}");
    assert_eq!(outcomes(&report), ["applied"; 3]);
}

/// A rejected PUT did nothing, so it needs no read-back.
#[test]
fn rejected_put_is_failed() {
    for (first, then) in
        [(answered(429, "0"), answered(403, "0")), (answered(429, "0"), answered(429, "900"))]
    {
        let faults = vec![on_put("", 1, first), on_put("", 0, then)];
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(faults));
        let (outcome, report) = served.apply(&yaml_binding_connector_1(&["B2C_1_a"]), &["--timeout", "20"]);
        assert_eq!((outcome.code, outcomes(&report)), (4, vec!["failed"]), "{outcome}");
        assert_eq!(report["targets"][0]["changes"][0]["attempts"], 2);
    }
}

/// The rate limit may delay the read-back beyond the verify timeout. It must still happen.
#[test]
fn rate_limit_does_not_use_up_the_verify_timeout() {
    let served = serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), Options::default());
    let args = ["--rate", "7/3", "--verify-timeout", "1"];
    let (outcome, report) = served.apply(&yaml_binding_connector_1(&FLOWS), &args);
    assert_eq!((outcome.code, outcomes(&report)), (0, vec!["applied"; 3]), "{outcome}");
}

#[test]
fn failed_change_does_not_stop_the_others() {
    for status in [400, 401, 403, 404] {
        let served = serve(
            tenant(&FLOWS.map(|flow| (flow, 0, 0))),
            options(vec![on_put("B2C_1_b", 0, answered(status, "0"))]),
        );
        let (outcome, report) = served.apply(&yaml_binding_connector_1(&FLOWS), &[]);
        assert_eq!(outcome.code, 4, "{outcome}");
        assert_eq!(outcomes(&report), ["applied", "failed", "applied"], "{status}");
        assert!(
            outcome.stdout.contains("[change-failed] PUT ")
                && outcome.stdout.contains(&format!(": {status} AADB2C: no (request-id ")),
            "{outcome}"
        );
        let explains_403 = outcome.stdout.contains("): no permission to change bindings\n");
        assert_eq!(explains_403, status == 403, "{outcome}");
        let change = &report["targets"][0]["changes"][1];
        assert!(change["requestId"].is_string() && change["error"].is_string(), "{change}");
    }
}

#[test]
fn failed_change_with_fail_fast_stops_the_others() {
    let served = serve(
        tenant(&FLOWS.map(|flow| (flow, 0, 0))),
        options(vec![on_put("B2C_1_a", 0, answered(403, "0"))]),
    );
    let (outcome, report) =
        served.apply(&yaml_binding_connector_1(&FLOWS), &["--fail-fast", "--parallelism", "1"]);
    assert_eq!((outcome.code, served.puts()), (4, 1), "{outcome}");
    assert_eq!(outcomes(&report), ["failed", "not-attempted", "not-attempted"]);
}

/// Files of one tenant are applied sequentially. The report explains why a file was skipped.
#[test]
fn fail_fast_skips_the_next_file_of_the_tenant() {
    let served = serve(
        tenant(&FLOWS.map(|flow| (flow, 0, 0))),
        options(vec![on_put("B2C_1_a", 0, answered(403, "0"))]),
    );
    let folder = folder();
    file(folder.path(), "a.yaml", yaml_binding_connector_1(&FLOWS[..1]));
    file(folder.path(), "b.yaml", yaml_binding_connector_1(&FLOWS[1..]));
    let outcome = flowbind(["apply", "a.yaml", "b.yaml", "--yes", "--fail-fast", "--out", "report.json"])
        .connect_to(&served.graph_url())
        .within(folder.path())
        .run();
    assert_eq!((outcome.code, served.puts()), (4, 1), "{outcome}");
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("report.json")).unwrap()).unwrap();
    let changes = report["targets"][1]["changes"].as_array().unwrap();
    let why = "another change failed before (`--fail-fast`)";
    assert!(changes.iter().all(|change| change["outcome"] == "not-attempted" && change["error"] == why));
    assert!(outcome.stdout.contains("B2C_1_b") && outcome.stdout.contains(why), "{outcome}");
}

/// One file was applied and the other was not, so the tenant is incomplete: exit code 4.
#[test]
fn partially_applied_tenant_exits_4() {
    let served = serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), Options::default());
    let folder = folder();
    file(folder.path(), "a.yaml", yaml_binding_connector_1(&FLOWS[..1]));
    file(folder.path(), "b.yaml", yaml_binding_connector_1(&FLOWS[1..2]));
    // The rate limit is used up after the read-back of the first change.
    let outcome = flowbind(["apply", "a.yaml", "b.yaml", "--yes", "--rate", "8/600", "--timeout", "3"])
        .args(["--format", "json"])
        .connect_to(&served.graph_url())
        .within(folder.path())
        .run();
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["targets"][0]["changes"][0]["outcome"], "applied", "{outcome}");
    assert_eq!(report["targets"][1]["changes"][0]["outcome"], "not-attempted", "{outcome}");
    assert_eq!((outcome.code, served.puts()), (4, 1), "{outcome}");
}

/// Exit code 4 also if all changes failed, because a PUT was sent.
#[test]
fn apply_with_all_changes_failed_exits_4() {
    let served =
        serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), options(vec![on_put("", 0, answered(403, "0"))]));
    let (outcome, report) = served.apply(&yaml_binding_connector_1(&FLOWS), &[]);
    assert_eq!(outcome.code, 4, "{outcome}");
    assert_eq!(outcomes(&report), ["failed"; 3]);
}

#[test]
fn unreadable_flow_blocks_the_tenant() {
    let served = serve(
        tenant(&FLOWS.map(|flow| (flow, 0, 0))),
        options(vec![answer_get("B2C_1_b/", 0, 403, &[], "")]),
    );
    let (outcome, report) = served.apply(&yaml_binding_connector_1(&FLOWS), &[]);
    assert_eq!((outcome.code, served.puts()), (1, 0), "{outcome}");
    assert_eq!(outcomes(&report), ["not-attempted"; 2]);
    assert!(outcome.stdout.contains("Nothing was changed."), "{outcome}");
}

#[test]
fn report_is_written_without_changes_and_with_errors() {
    let served = serve(tenant(&[("B2C_1_a", 1, 0)]), Options::default());
    let (outcome, report) = served.apply(&yaml_binding_connector_1(&["B2C_1_a"]), &[]);
    assert_eq!((outcome.code, served.puts()), (0, 0), "{outcome}");
    assert!(outcome.stdout.contains("No changes."), "{outcome}");
    assert_eq!(outcomes(&report), Vec::<&str>::new());

    let (outcome, report) = served.apply("version: 2\ntenant: a.com\nflows: {}\n", &[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert_eq!(report["errors"][0]["id"], "unsupported-version");
    assert_eq!(report["errors"][0]["message"], "unsupported file version `2`");
    assert_eq!(report["errors"][0]["line"], 1);
}

#[test]
fn unwritable_output_fails_before_the_first_request() {
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
    for out in ["no/such/folder/report.json", "report.yaml", "report", "flowbind.yaml.txt/x.json"] {
        let outcome =
            crate::support::flowbind(["apply", "--yes", "--out", out]).connect_to(&served.graph_url()).run();
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains(out), "{outcome}");
    }
    assert_eq!(served.requests(), Vec::<String>::new());
}

#[test]
fn apply_with_format_json_prints_only_the_report() {
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
    let (outcome, report) = served.apply(&yaml_binding_connector_1(&["B2C_1_a"]), &["--format", "json"]);
    let printed: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(printed, report);
    assert!(outcome.stderr.contains("Plan: 1 to enable"), "{outcome}");
}

#[test]
fn report_matches_its_schema() {
    let schema = crate::schema::schema("report");
    let faults = vec![on_put("B2C_1_b", 0, answered(403, "0")), on_put("B2C_1_c", 0, Effect::AcceptOnly)];
    let served = serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), options(faults));
    let (_, report) = served.apply(&yaml_binding_connector_1(&FLOWS), &["--verify-timeout", "1"]);
    assert_eq!(outcomes(&report), ["applied", "failed", "unverified"]);
    crate::schema::assert_fits(&schema, &report, std::path::Path::new("report.json"));
}

/// A response after the timeout is not seen. The PUT may still take effect, so it did not fail.
#[test]
fn put_without_final_response_is_unverified() {
    for effect in [Effect::Hang, answered(503, "90"), answered(408, "90"), answered(504, "90")] {
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(vec![on_put("", 0, effect.clone())]));
        let args = ["--timeout", "2", "--verify-timeout", "1"];
        let (outcome, report) = served.apply(&yaml_binding_connector_1(&["B2C_1_a"]), &args);
        assert_eq!(outcome.code, 4, "{effect:?}: {outcome}");
        assert_eq!(outcomes(&report), ["unverified"], "{effect:?}");
    }
}

/// The first PUT may have taken effect and may become visible later.
#[test]
fn rejected_retry_after_lost_response_is_unverified() {
    let faults = vec![on_put("", 1, Effect::DropAfter), on_put("", 0, answered(403, "0"))];
    let lag = Duration::from_secs(600);
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, lag, ..Options::default() });
    let (outcome, report) = served.apply(&yaml_binding_connector_1(&["B2C_1_a"]), &["--verify-timeout", "1"]);
    assert_eq!((outcome.code, outcomes(&report)), (4, vec!["unverified"]), "{outcome}");
    assert!(outcome.stdout.contains(": 403 AADB2C: no"), "{outcome}");
    assert_eq!(served.actual_state(), tenant(&[("B2C_1_a", 1, 0)]));
}

#[test]
fn put_with_error_in_success_response_is_unverified() {
    for (body, message) in [
        (r#"{"error": {"code": "AADB2C", "message": "Quota exceeded"}}"#, "Quota exceeded"),
        ("<html>Sign in</html>", "not JSON (no content type: \"<html>Sign in</html>\")"),
    ] {
        let effect = Effect::Answer { status: 200, headers: Vec::new(), body: body.into() };
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(vec![on_put("", 0, effect)]));
        let (outcome, report) =
            served.apply(&yaml_binding_connector_1(&["B2C_1_a"]), &["--verify-timeout", "1"]);
        assert_eq!((outcome.code, outcomes(&report)), (4, vec!["unverified"]), "{outcome}");
        assert!(outcome.stdout.contains(message), "{outcome}");
    }
}

/// The error contains the message of the service, and does not claim that the run was stopped. A long wait is
/// a warning.
#[test]
fn deferred_change_after_fail_fast_reports_its_reason() {
    let faults = vec![on_put("B2C_1_a", 0, answered(503, "20")), on_put("B2C_1_b", 0, answered(403, "0"))];
    let served = serve(tenant(&[("B2C_1_a", 0, 0), ("B2C_1_b", 0, 0)]), options(faults));
    let yaml = yaml_binding_connector_1(&["B2C_1_a", "B2C_1_b"]);
    let (outcome, report) = served.apply(&yaml, &["--fail-fast", "--verify-timeout", "1"]);
    assert_eq!((outcome.code, outcomes(&report)), (4, vec!["unverified", "failed"]), "{outcome}");
    let warning = "B2C_1_a/apiConnectorConfiguration/postFederationSignup/$ref: answered 503; retrying\n";
    assert_eq!(outcome.stderr.matches(" WARN PUT ").count(), 1, "{outcome}");
    assert!(outcome.stderr.contains(warning), "{outcome}");
    let error = report["targets"][0]["changes"][0]["error"].as_str().unwrap();
    assert!(error.contains("another change failed before; the last response was 503 AADB2C: no"), "{error}");
    assert!(!error.contains("stopped"), "{error}");
}

#[test]
fn output_never_replaces_inputs_or_non_files() {
    let folder = crate::support::folder();
    let tenant_json = tenant(&[("B2C_1_a", 0, 0)]).to_json();
    crate::support::file(folder.path(), "tenant.json", &tenant_json);
    crate::support::file(folder.path(), "flow.json", yaml_binding_connector_1(&["B2C_1_a"]));
    std::fs::create_dir(folder.path().join("folder.json")).unwrap();
    for (outs, why) in [
        (&["flow.json"][..], "is an input of this run"),
        (&["./tenant.json"], "is an input of this run"),
        (&["a.json", "./a.json"], "are the same file"),
        (&["folder.json"], "not a regular file"),
    ] {
        let outs = outs.iter().flat_map(|out| ["--out", out]);
        let outcome = crate::support::flowbind(["apply", "flow.json", "--yes", "--sandbox", "tenant.json"])
            .args(outs)
            .within(folder.path())
            .run();
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains(why), "{outcome}");
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("tenant.json")).unwrap(), tenant_json);
}

/// A report without PUTs contains the reason.
#[test]
fn report_without_puts_contains_the_reason() {
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]);
    let blocked = yaml.clone() + "guards: {maxChanges: 0}\n";
    let denied = || vec![answer_get("B2C_1_a/", 0, 403, &[], r#"{"error": {"message": "no"}}"#)];
    for (yaml, faults, code, why) in [
        (&blocked, Vec::new(), 3, "guard-max-changes: 1 change exceeds `maxChanges: 0`"),
        (&yaml, denied(), 1, "could not read `B2C_1_a` (postFederationSignup, postAttributeCollection)"),
    ] {
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(faults));
        let (outcome, report) = served.apply(yaml, &[]);
        assert_eq!((outcome.code, served.puts()), (code, 0), "{outcome}");
        let errors = report["errors"].to_string();
        assert!(errors.contains(why), "{errors}");
    }
}

/// A `Retry-After` beyond the verify timeout does not extend the read-back.
#[test]
fn read_back_ends_at_the_verify_timeout() {
    let pause = answer_get("Configuration", 0, 503, &[("Retry-After", "300")], "");
    let silence = flowbind::sandbox::Fault { effect: Effect::Hang, ..pause.clone() };
    for mut fault in [pause, silence] {
        fault.skip = 1;
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(vec![fault]));
        let (outcome, report) =
            served.apply(&yaml_binding_connector_1(&["B2C_1_a"]), &["--verify-timeout", "1"]);
        assert_eq!((outcome.code, outcomes(&report)), (4, vec!["unverified"]), "{outcome}");
        // One read for the plan, and one read-back that uses up the timeout.
        let is_read = |line: &&String| line.starts_with("GET") && line.contains("Configuration");
        assert_eq!(served.requests().iter().filter(is_read).count(), 2);
    }
}

/// A slow read-back of one change does not prevent another read-back of the others.
#[test]
fn deferred_read_back_is_repeated() {
    let mut fault = answer_get("B2C_1_a", 1, 503, &[("Retry-After", "300")], "");
    fault.skip = 2;
    let lag = Duration::from_secs(1);
    let served = serve(
        tenant(&FLOWS.map(|flow| (flow, 0, 0))),
        Options { lag, faults: vec![fault], ..Options::default() },
    );
    let (outcome, report) = served.apply(&yaml_binding_connector_1(&FLOWS), &["--verify-timeout", "3"]);
    assert_eq!((outcome.code, outcomes(&report)), (0, vec!["applied"; 3]), "{outcome}");
}

/// A report file of an earlier run must not remain in place of the new one.
#[test]
fn run_that_cannot_start_still_writes_its_outputs() {
    for bad in [["--ca-file", "nothing.pem"], ["--sandbox", "nothing.json"]] {
        let folder = folder();
        file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&FLOWS));
        file(folder.path(), "report.json", "that of yesterday");
        for command in [&["apply", "--yes"][..], &["plan"], &["drift"]] {
            let run = flowbind(command).args(["--out", "report.json"]).args(bad);
            let outcome = run.env("FLOWBIND_ACCESS_TOKEN", "t").within(folder.path()).run();
            assert_eq!(outcome.code, 1, "{outcome}");
            let report = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
            let report: Value = serde_json::from_str(&report).unwrap();
            assert_eq!(report["exitCode"] == 1, command[0] == "apply", "{report}");
            assert!(report["errors"].to_string().contains("nothing."), "{report}");
        }
    }
}

#[test]
fn only_apply_sends_puts() {
    let served = serve(tenant(&[("B2C_1_a", 2, 3)]), Options::default());
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]) + "prune: flows\n";
    let folder = crate::support::folder();
    crate::support::file(folder.path(), "flowbind.yaml", &yaml);
    for command in [
        &["validate"][..],
        &["plan", "--out", "plan.json"],
        &["show", "plan.json"],
        &["drift", "--strict"],
        &["export", "--tenant", "contoso.onmicrosoft.com"],
        &["schema", "desired"],
        &["apply"],
    ] {
        let graph_url = served.graph_url();
        let connection = ["--graph-url", &graph_url];
        let outcome = crate::support::flowbind(command)
            .args(if crate::support::connects(command[0]) { &connection[..] } else { &[] })
            .env("FLOWBIND_ACCESS_TOKEN", "t")
            .within(folder.path())
            .run();
        assert!(outcome.code != 1, "{command:?}: {outcome}");
    }
    assert!(served.journal().iter().all(|entry| entry["method"] == "GET"));
    assert!(!served.requests().is_empty());
}

/// One missing permission is one problem, whatever the number of flows. JSON lists all of them.
#[test]
fn plan_with_one_cause_for_many_flows_reports_it_once() {
    let flows: Vec<_> = (0..30).map(|number| format!("B2C_1_f{number:02}")).collect();
    let snapshot = tenant(&flows.iter().map(|flow| (flow.as_str(), 0, 0)).collect::<Vec<_>>());
    let denied = answer_get("Configuration", 0, 403, &[], r#"{"error": {"message": "no"}}"#);
    let served = serve(snapshot, options(vec![denied]));
    let yaml = yaml_binding_connector_1(&flows);
    let outcome = served.plan(&yaml, &[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    let problem = "error[permission-missing]: 30 flows could not be read: 403 no\n";
    let flows =
        "  = note: flows: `B2C_1_f00`, `B2C_1_f01`, `B2C_1_f02`, `B2C_1_f03`, `B2C_1_f04` and 25 more\n";
    for text in [&outcome.stdout, &outcome.stderr] {
        assert_eq!(text.matches("error[").count(), 1, "{outcome}");
        assert!(text.contains(problem) && text.contains(flows), "{outcome}");
        assert_eq!(text.matches("request-id").count(), 2, "one request with both of its ids: {outcome}");
    }
    let end = "\nPlan incomplete: 30 of 30 bindings could not be compared. It cannot be applied.\n";
    assert!(outcome.stdout.ends_with(end), "{outcome}");
    let json = served.plan(&yaml, &["--format", "json"]);
    let plan: Value = serde_json::from_str(&json.stdout).unwrap();
    let unknown = plan["targets"][0]["unknown"].as_array().unwrap();
    assert_eq!(unknown.len(), 60, "both steps of each flow");
    assert!(unknown.iter().all(|binding| binding["id"] == "permission-missing"), "{json}");
    assert!(plan["fingerprint"].is_null() && plan["targets"][0]["fingerprint"].is_null(), "{json}");
    // The report of an apply has the problem once, and the reason for the abort.
    let (outcome, report) = served.apply(&yaml, &[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    let ids: Vec<_> = report["errors"].as_array().unwrap().iter().map(|error| &error["id"]).collect();
    assert_eq!(ids, ["permission-missing", "plan-incomplete"], "{outcome}");
    assert_eq!(outcome.stdout.matches(problem).count(), 1, "{outcome}");
}

/// Two files of one tenant share the cause.
#[test]
fn plan_of_two_files_of_an_unreadable_tenant_reports_the_cause_once() {
    let served = serve(
        tenant(&FLOWS.map(|flow| (flow, 0, 0))),
        options(vec![answer_get("Configuration", 0, 403, &[], r#"{"error": {"message": "no"}}"#)]),
    );
    let folder = folder();
    file(folder.path(), "a.yaml", yaml_binding_connector_1(&FLOWS[..1]));
    file(folder.path(), "b.yaml", yaml_binding_connector_1(&FLOWS[1..]));
    let outcome =
        flowbind(["plan", "a.yaml", "b.yaml"]).connect_to(&served.graph_url()).within(folder.path()).run();
    assert_eq!(outcome.code, 1, "{outcome}");
    assert_eq!(outcome.stdout.matches("error[").count(), 1, "{outcome}");
    assert!(outcome.stdout.contains("error[permission-missing]: 3 flows could not be read"), "{outcome}");
}

/// A credential that is missing is one problem of the tenant, not one of each file.
#[test]
fn plan_of_two_files_without_a_credential_reports_it_once() {
    let folder = folder();
    file(folder.path(), "a.yaml", yaml_binding_connector_1(&FLOWS[..1]));
    file(folder.path(), "b.yaml", yaml_binding_connector_1(&FLOWS[1..]));
    let outcome =
        flowbind(["plan", "a.yaml", "b.yaml", "--auth", "access-token"]).within(folder.path()).run();
    assert_eq!(outcome.code, 1, "{outcome}");
    assert_eq!(outcome.stdout.matches("error[").count(), 1, "{outcome}");
}
