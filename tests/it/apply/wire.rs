//! Writes that go wrong on the way: a change is applied when it was seen, and not otherwise.

use std::time::Duration;

use flowbind::sandbox::{Effect, Options};
use serde_json::Value;

use crate::support::{
    answer, connector_id, file, flowbind, folder, on_put, serve, tenant, wants_connector_1,
};

const FLOWS: [&str; 3] = ["B2C_1_a", "B2C_1_b", "B2C_1_c"];

fn options(faults: Vec<flowbind::sandbox::Fault>) -> Options {
    Options { faults, ..Options::default() }
}

/// The outcomes of the changes, in the report's order.
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
fn a_put_is_what_the_documentation_says() {
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
fn an_answer_that_was_lost_is_settled_by_what_the_tenant_shows() {
    for effect in [Effect::DropBefore, Effect::DropAfter, Effect::Truncate] {
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(vec![on_put("", 1, effect.clone())]));
        let (outcome, report) = served.apply(&wants_connector_1(&["B2C_1_a"]), &[]);
        assert_eq!((outcome.code, served.puts()), (0, 2), "{effect:?}: {outcome}");
        assert_eq!(outcomes(&report), ["applied"]);
        assert_eq!(report["targets"][0]["changes"][0]["attempts"], 2);
    }
}

/// No PUT is ever answered, and yet the report knows what happened.
#[test]
fn where_no_put_is_answered_the_tenant_tells() {
    for (effect, outcome_, code) in [(Effect::DropAfter, "applied", 0), (Effect::DropBefore, "unverified", 4)]
    {
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(vec![on_put("", 0, effect)]));
        let args = ["--timeout", "3", "--verify-timeout", "1"];
        let (outcome, report) = served.apply(&wants_connector_1(&["B2C_1_a"]), &args);
        assert_eq!(outcome.code, code, "{outcome}");
        assert_eq!(outcomes(&report), [outcome_]);
    }
}

#[test]
fn a_yes_that_binds_nothing_is_unverified() {
    let served = serve(
        tenant(&[("B2C_1_a", 0, 0), ("B2C_1_b", 0, 0)]),
        options(vec![on_put("B2C_1_b", 0, Effect::AcceptOnly)]),
    );
    let (outcome, report) =
        served.apply(&wants_connector_1(&["B2C_1_a", "B2C_1_b"]), &["--verify-timeout", "1"]);
    assert_eq!(outcome.code, 4, "{outcome}");
    assert_eq!(outcomes(&report), ["applied", "unverified"]);
    assert!(outcome.stdout.contains("Apply: 1 applied, 1 unverified."), "{outcome}");
    assert!(outcome.stdout.contains("the service took it, but does not show it"), "{outcome}");
}

#[test]
fn a_tenant_that_shows_writes_late_is_waited_for() {
    let lag = Duration::from_millis(900);
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { lag, ..Options::default() });
    let (outcome, report) = served.apply(&wants_connector_1(&["B2C_1_a"]), &[]);
    assert_eq!((outcome.code, served.puts()), (0, 1), "{outcome}");
    assert_eq!(outcomes(&report), ["applied"]);
}

#[test]
fn what_cannot_be_read_back_is_unverified() {
    let mut fault = answer("Configuration", 0, 403, &[], r#"{"error": {"message": "no more"}}"#);
    fault.skip = 1;
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(vec![fault]));
    let (outcome, report) = served.apply(&wants_connector_1(&["B2C_1_a"]), &["--verify-timeout", "1"]);
    assert_eq!(outcome.code, 4, "{outcome}");
    assert_eq!(outcomes(&report), ["unverified"]);
    assert!(
        outcome.stdout.contains("could not be read back") && outcome.stdout.contains("no more"),
        "{outcome}"
    );
}

#[test]
fn a_storm_of_429_is_sat_out() {
    let served =
        serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), options(vec![on_put("", 5, answered(429, "0"))]));
    let (outcome, report) = served.apply(&wants_connector_1(&FLOWS), &[]);
    assert_eq!((outcome.code, served.puts()), (0, 8), "{outcome}");
    assert_eq!(outcomes(&report), ["applied"; 3]);
}

/// Whoever was turned away each time did nothing, and that is known without a look.
#[test]
fn a_change_that_was_turned_away_has_failed() {
    for (first, then) in
        [(answered(429, "0"), answered(403, "0")), (answered(429, "0"), answered(429, "900"))]
    {
        let faults = vec![on_put("", 1, first), on_put("", 0, then)];
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(faults));
        let (outcome, report) = served.apply(&wants_connector_1(&["B2C_1_a"]), &["--timeout", "20"]);
        assert_eq!((outcome.code, outcomes(&report)), (4, vec!["failed"]), "{outcome}");
        assert_eq!(report["targets"][0]["changes"][0]["attempts"], 2);
    }
}

/// The budget may have no room for a look until much later, and that is no reason not to look.
#[test]
fn what_the_budget_holds_back_is_not_counted_as_time_to_show() {
    let served = serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), Options::default());
    let args = ["--rate", "7/3", "--verify-timeout", "1"];
    let (outcome, report) = served.apply(&wants_connector_1(&FLOWS), &args);
    assert_eq!((outcome.code, outcomes(&report)), (0, vec!["applied"; 3]), "{outcome}");
}

#[test]
fn one_change_that_fails_does_not_stop_the_others() {
    for status in [400, 401, 403, 404] {
        let served = serve(
            tenant(&FLOWS.map(|flow| (flow, 0, 0))),
            options(vec![on_put("B2C_1_b", 0, answered(status, "0"))]),
        );
        let (outcome, report) = served.apply(&wants_connector_1(&FLOWS), &[]);
        assert_eq!(outcome.code, 4, "{outcome}");
        assert_eq!(outcomes(&report), ["applied", "failed", "applied"], "{status}");
        assert!(outcome.stdout.contains(&format!("answered {status}: AADB2C: no (request-id ")), "{outcome}");
        let change = &report["targets"][0]["changes"][1];
        assert!(change["requestId"].is_string() && change["error"].is_string(), "{change}");
    }
}

#[test]
fn with_fail_fast_it_does() {
    let served = serve(
        tenant(&FLOWS.map(|flow| (flow, 0, 0))),
        options(vec![on_put("B2C_1_a", 0, answered(403, "0"))]),
    );
    let (outcome, report) = served.apply(&wants_connector_1(&FLOWS), &["--fail-fast", "--parallelism", "1"]);
    assert_eq!((outcome.code, served.puts()), (4, 1), "{outcome}");
    assert_eq!(outcomes(&report), ["failed", "not-attempted", "not-attempted"]);
}

/// Files of one tenant go one after the other: what was not begun says why, and is shown.
#[test]
fn with_fail_fast_the_next_file_of_the_tenant_is_not_begun_either() {
    let served = serve(
        tenant(&FLOWS.map(|flow| (flow, 0, 0))),
        options(vec![on_put("B2C_1_a", 0, answered(403, "0"))]),
    );
    let folder = folder();
    file(folder.path(), "a.yaml", wants_connector_1(&FLOWS[..1]));
    file(folder.path(), "b.yaml", wants_connector_1(&FLOWS[1..]));
    let outcome = flowbind(["apply", "a.yaml", "b.yaml", "--yes", "--fail-fast", "--out", "report.json"])
        .args(["--graph-url", &served.graph_url()])
        .env("FLOWBIND_ACCESS_TOKEN", "t")
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

/// What one file of a tenant has begun is not finished by the other: that is 4, as in one file.
#[test]
fn a_tenant_of_which_one_file_is_done_and_another_is_not_begun_is_not_wholly_done() {
    let served = serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), Options::default());
    let folder = folder();
    file(folder.path(), "a.yaml", wants_connector_1(&FLOWS[..1]));
    file(folder.path(), "b.yaml", wants_connector_1(&FLOWS[1..2]));
    // The budget is used up after the first change was read back.
    let outcome = flowbind(["apply", "a.yaml", "b.yaml", "--yes", "--rate", "8/600", "--timeout", "3"])
        .args(["--format", "json", "--graph-url", &served.graph_url()])
        .env("FLOWBIND_ACCESS_TOKEN", "t")
        .within(folder.path())
        .run();
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report["targets"][0]["changes"][0]["outcome"], "applied", "{outcome}");
    assert_eq!(report["targets"][1]["changes"][0]["outcome"], "not-attempted", "{outcome}");
    assert_eq!((outcome.code, served.puts()), (4, 1), "{outcome}");
}

/// All failed is 4 too: a PUT was sent.
#[test]
fn where_all_changes_fail_the_code_is_4() {
    let served =
        serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), options(vec![on_put("", 0, answered(403, "0"))]));
    let (outcome, report) = served.apply(&wants_connector_1(&FLOWS), &[]);
    assert_eq!(outcome.code, 4, "{outcome}");
    assert_eq!(outcomes(&report), ["failed"; 3]);
}

#[test]
fn a_flow_that_could_not_be_read_blocks_the_tenant() {
    let served =
        serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), options(vec![answer("B2C_1_b/", 0, 403, &[], "")]));
    let (outcome, report) = served.apply(&wants_connector_1(&FLOWS), &[]);
    assert_eq!((outcome.code, served.puts()), (1, 0), "{outcome}");
    assert_eq!(outcomes(&report), ["not-attempted"; 2]);
    assert!(outcome.stdout.contains("Nothing was changed."), "{outcome}");
}

#[test]
fn the_report_is_written_when_there_is_nothing_to_do_and_when_nothing_can_be_done() {
    let served = serve(tenant(&[("B2C_1_a", 1, 0)]), Options::default());
    let (outcome, report) = served.apply(&wants_connector_1(&["B2C_1_a"]), &[]);
    assert_eq!((outcome.code, served.puts()), (0, 0), "{outcome}");
    assert!(outcome.stdout.contains("No changes."), "{outcome}");
    assert_eq!(outcomes(&report), Vec::<&str>::new());

    let (outcome, report) = served.apply("version: 2\ntenant: a.com\nflows: {}\n", &[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert_eq!(report["errors"][0]["message"], "version 2 is not known here");
    assert_eq!(report["errors"][0]["line"], 1);
}

#[test]
fn an_output_that_cannot_be_written_is_found_out_before_the_tenant_is_read() {
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
    for out in ["no/such/folder/report.json", "report.yaml", "report", "flowbind.yaml.txt/x.json"] {
        let outcome =
            crate::support::flowbind(["apply", "--yes", "--graph-url", &served.graph_url(), "--out", out])
                .env("FLOWBIND_ACCESS_TOKEN", "t")
                .run();
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains(out), "{outcome}");
    }
    assert_eq!(served.requests(), Vec::<String>::new());
}

#[test]
fn with_format_json_stdout_is_the_report() {
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
    let (outcome, report) = served.apply(&wants_connector_1(&["B2C_1_a"]), &["--format", "json"]);
    let printed: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(printed, report);
    assert!(outcome.stderr.contains("Plan: 1 to enable"), "{outcome}");
}

#[test]
fn a_report_fits_its_schema() {
    let schema = crate::schema::schema("report");
    let faults = vec![on_put("B2C_1_b", 0, answered(403, "0")), on_put("B2C_1_c", 0, Effect::AcceptOnly)];
    let served = serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), options(faults));
    let (_, report) = served.apply(&wants_connector_1(&FLOWS), &["--verify-timeout", "1"]);
    assert_eq!(outcomes(&report), ["applied", "failed", "unverified"]);
    crate::schema::assert_fits(&schema, &report, std::path::Path::new("report.json"));
}

/// The answer to a PUT that came too late for us: it may still take effect, and then did not fail.
#[test]
fn a_put_without_a_last_word_is_unverified() {
    for effect in [Effect::Hang, answered(503, "90"), answered(408, "90"), answered(504, "90")] {
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(vec![on_put("", 0, effect.clone())]));
        let args = ["--timeout", "2", "--verify-timeout", "1"];
        let (outcome, report) = served.apply(&wants_connector_1(&["B2C_1_a"]), &args);
        assert_eq!(outcome.code, 4, "{effect:?}: {outcome}");
        assert_eq!(outcomes(&report), ["unverified"], "{effect:?}");
    }
}

/// What was asked before may have been done, and may show later than anybody waits.
#[test]
fn a_no_after_a_lost_answer_is_unverified() {
    let faults = vec![on_put("", 1, Effect::DropAfter), on_put("", 0, answered(403, "0"))];
    let lag = Duration::from_secs(600);
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, lag, ..Options::default() });
    let (outcome, report) = served.apply(&wants_connector_1(&["B2C_1_a"]), &["--verify-timeout", "1"]);
    assert_eq!((outcome.code, outcomes(&report)), (4, vec!["unverified"]), "{outcome}");
    assert!(outcome.stdout.contains("answered 403"), "{outcome}");
    assert_eq!(served.truth(), tenant(&[("B2C_1_a", 1, 0)]));
}

#[test]
fn a_yes_that_holds_an_error_is_none() {
    let body = r#"{"error": {"code": "AADB2C", "message": "Quota exceeded"}}"#;
    let effect = Effect::Answer { status: 200, headers: Vec::new(), body: body.into() };
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(vec![on_put("", 0, effect)]));
    let (outcome, report) = served.apply(&wants_connector_1(&["B2C_1_a"]), &["--verify-timeout", "1"]);
    assert_eq!((outcome.code, outcomes(&report)), (4, vec!["unverified"]), "{outcome}");
    assert!(outcome.stdout.contains("Quota exceeded"), "{outcome}");
}

/// The service's words are kept, and nobody is said to have stopped the run.
#[test]
fn a_change_that_waits_when_another_fails_fast_says_what_it_waited_for() {
    let faults = vec![on_put("B2C_1_a", 0, answered(503, "20")), on_put("B2C_1_b", 0, answered(403, "0"))];
    let served = serve(tenant(&[("B2C_1_a", 0, 0), ("B2C_1_b", 0, 0)]), options(faults));
    let yaml = wants_connector_1(&["B2C_1_a", "B2C_1_b"]);
    let (outcome, report) = served.apply(&yaml, &["--fail-fast", "--verify-timeout", "1"]);
    assert_eq!((outcome.code, outcomes(&report)), (4, vec!["unverified", "failed"]), "{outcome}");
    let error = report["targets"][0]["changes"][0]["error"].as_str().unwrap();
    assert!(
        error.contains("another change failed before; before that it answered 503: AADB2C: no"),
        "{error}"
    );
    assert!(!error.contains("stopped"), "{error}");
}

/// Code 1 says that nothing was written, so an output that fails after PUTs cannot end with it.
#[test]
fn an_output_that_fails_after_puts_does_not_hide_them() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { return };
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
    let folder = crate::support::folder();
    crate::support::file(folder.path(), "flowbind.yaml", wants_connector_1(&["B2C_1_a"]));
    let output = crate::support::flowbind(["apply", "--yes", "--format", "json", "--out", "report.json"])
        .args(["--graph-url", &served.graph_url()])
        .env("FLOWBIND_ACCESS_TOKEN", "t")
        .within(folder.path())
        .command()
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!((output.status.code(), served.puts()), (Some(4), 1));
    let report = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
    assert!(report.contains(r#""outcome": "applied""#), "{report}");
}

#[test]
fn an_output_never_replaces_what_the_run_reads_or_what_is_no_file() {
    let folder = crate::support::folder();
    let tenant_json = tenant(&[("B2C_1_a", 0, 0)]).to_json();
    crate::support::file(folder.path(), "tenant.json", &tenant_json);
    crate::support::file(folder.path(), "flow.json", wants_connector_1(&["B2C_1_a"]));
    std::fs::create_dir(folder.path().join("folder.json")).unwrap();
    for (outs, why) in [
        (&["flow.json"][..], "is read by this run"),
        (&["./tenant.json"], "is read by this run"),
        (&["a.json", "./a.json"], "is given twice"),
        (&["folder.json"], "no regular file"),
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

/// A report that changed nothing says why.
#[test]
fn a_report_of_nothing_says_why() {
    let yaml = wants_connector_1(&["B2C_1_a"]);
    let refused = yaml.clone() + "guards: {maxChanges: 0}\n";
    let denied = || vec![answer("B2C_1_a/", 0, 403, &[], r#"{"error": {"message": "no"}}"#)];
    for (yaml, faults, code, why) in [
        (&refused, Vec::new(), 3, "the plan is refused"),
        (&yaml, denied(), 1, "bindings that could not be read: 2"),
    ] {
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(faults));
        let (outcome, report) = served.apply(yaml, &[]);
        assert_eq!((outcome.code, served.puts()), (code, 0), "{outcome}");
        let errors = report["errors"].to_string();
        assert!(errors.contains(why), "{errors}");
    }
}

/// However long the service wants to be left alone, the read-back ends with its own time.
#[test]
fn the_read_back_ends_with_its_own_time() {
    let pause = answer("Configuration", 0, 503, &[("Retry-After", "300")], "");
    let silence = flowbind::sandbox::Fault { effect: Effect::Hang, ..pause.clone() };
    for mut fault in [pause, silence] {
        fault.skip = 1;
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options(vec![fault]));
        let (outcome, report) = served.apply(&wants_connector_1(&["B2C_1_a"]), &["--verify-timeout", "1"]);
        assert_eq!((outcome.code, outcomes(&report)), (4, vec!["unverified"]), "{outcome}");
        // One to plan, and one that took all the time there was.
        let is_read = |line: &&String| line.starts_with("GET") && line.contains("Configuration");
        assert_eq!(served.requests().iter().filter(is_read).count(), 2);
    }
}

/// One read that takes all the time does not keep the others from being looked at once more.
#[test]
fn a_read_back_that_is_put_off_is_not_the_last() {
    let mut fault = answer("B2C_1_a", 1, 503, &[("Retry-After", "300")], "");
    fault.skip = 2;
    let lag = Duration::from_secs(1);
    let served = serve(
        tenant(&FLOWS.map(|flow| (flow, 0, 0))),
        Options { lag, faults: vec![fault], ..Options::default() },
    );
    let (outcome, report) = served.apply(&wants_connector_1(&FLOWS), &["--verify-timeout", "3"]);
    assert_eq!((outcome.code, outcomes(&report)), (0, vec!["applied"; 3]), "{outcome}");
}

/// Whoever looks for the report of the last run does not find that of the one before.
#[test]
fn a_run_that_cannot_even_start_writes_what_it_is_to() {
    for bad in [["--ca-file", "nothing.pem"], ["--sandbox", "nothing.json"]] {
        let folder = folder();
        file(folder.path(), "flowbind.yaml", wants_connector_1(&FLOWS));
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
fn no_command_but_apply_writes() {
    let served = serve(tenant(&[("B2C_1_a", 2, 3)]), Options::default());
    let yaml = wants_connector_1(&["B2C_1_a"]) + "prune: flows\n";
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
        let outcome = crate::support::flowbind(command)
            .args(["--graph-url", &served.graph_url()])
            .env("FLOWBIND_ACCESS_TOKEN", "t")
            .within(folder.path())
            .run();
        assert!(outcome.code != 1, "{command:?}: {outcome}");
    }
    assert!(served.journal().iter().all(|entry| entry["method"] == "GET"));
    assert!(!served.requests().is_empty());
}
