//! Error responses and malformed responses: the binding is unknown, never unbound, and the error is
//! reported completely.

use flowbind::sandbox::Options;
use serde_json::{Value, json};

use crate::support::{answer_get, connector_id, serve, tenant, yaml_binding_connector_1};

const DENIED: &str = r#"{"error": {"code": "AADB2C", "message": "The application needs IdentityUserFlow.Read.All.",
    "innerError": {"correlationId": "c", "date": "2026-01-01T00:00:00", "request-id": "rid-from-the-body"}}}"#;

/// Plans one flow whose configuration request gets this body with status 200.
fn plan_of_answer(body: &str) -> (i32, Value) {
    let faults = vec![answer_get("apiConnectorConfiguration", 0, 200, &[], body)];
    let served = serve(tenant(&[("B2C_1_a", 2, 2)]), Options { faults, ..Options::default() });
    let outcome = served.plan(&yaml_binding_connector_1(&["B2C_1_a"]), &["--format", "json"]);
    (outcome.code, serde_json::from_str(&outcome.stdout).unwrap())
}

#[test]
fn denied_flow_is_unknown_and_the_others_are_planned() {
    let flows = ["B2C_1_a", "B2C_1_b", "B2C_1_c"];
    let faults = vec![answer_get("B2C_1_b/", 0, 403, &[], DENIED)];
    let served = serve(tenant(&flows.map(|flow| (flow, 0, 0))), Options { faults, ..Options::default() });
    let outcome = served.plan(&yaml_binding_connector_1(&flows), &[]);
    assert_eq!(outcome.code, 1);
    let error = "error[permission-missing]: could not read `B2C_1_b` (postFederationSignup, postAttributeCollection): \
                 403 AADB2C: The application needs IdentityUserFlow.Read.All.\n";
    for output in [&outcome.stdout, &outcome.stderr] {
        assert!(output.contains(error) && output.contains("client-request-id "), "{outcome}");
    }
    assert_eq!(outcome.stdout.matches("+ enable ").count(), 2, "{outcome}");
    let summary = "\nPlan incomplete: 1 of 3 bindings could not be compared. It cannot be applied.\n";
    assert!(outcome.stdout.ends_with(summary), "{outcome}");
    // The same responses, as JSON output.
    let outcome =
        served.plan(&yaml_binding_connector_1(&flows), &["--format", "json", "--detailed-exitcode"]);
    let plan: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(outcome.code, 1);
    assert_eq!(plan["targets"][0]["unknown"][0]["flow"], "B2C_1_b");
    assert_eq!(plan["targets"][0]["unknown"][0]["step"], "postFederationSignup");
    assert_eq!(plan["targets"][0]["changes"].as_array().unwrap().len(), 2);
}

#[test]
fn unbound_step_in_every_shape_is_unbound() {
    for shape in [
        json!({"postFederationSignup": null}),
        json!({}),
        json!({"postFederationSignup": {}}),
        json!({"postFederationSignup": {"id": null, "displayName": null}}),
        json!({"postFederationSignup": {"displayName": "without id"}, "postAttributeCollection": {}}),
        json!({"@odata.context": "c", "postFederationSignup@odata.context": "c", "future": {"x": [1]}}),
    ] {
        let (code, plan) = plan_of_answer(&shape.to_string());
        assert_eq!(code, 0, "{shape}");
        assert_eq!(plan["targets"][0]["changes"][0]["action"], "enable", "{shape}");
        assert_eq!(plan["targets"][0]["changes"][0]["current"], Value::Null, "{shape}");
    }
}

#[test]
fn unknown_fields_of_a_connector_are_ignored() {
    let answer = json!({"postFederationSignup": {
        "@odata.type": "#microsoft.graph.identityApiConnector", "id": connector_id(1), "displayName": "New name",
        "authenticationConfiguration": {"@odata.type": "#microsoft.graph.fromTheFuture", "secret": 7}, "more": [[]],
    }});
    let (code, plan) = plan_of_answer(&answer.to_string());
    assert_eq!(code, 0);
    assert_eq!(plan["targets"][0]["summary"]["unchanged"], 1);
}

#[test]
fn certificate_of_unknown_form_is_ignored() {
    let certificate = |not_after: Value| json!({"notBefore": 1, "notAfter": not_after, "isActive": true});
    let list = |certificates: &[Value]| {
        json!({
            "@odata.type": "#microsoft.graph.clientCertificateAuthentication", "certificateList": certificates,
        })
    };
    let other = json!({"@odata.type": "#microsoft.graph.new", "certificateList": [certificate(json!(2))]});
    let known = json!({"connector": {"id": connector_id(1), "displayName": "Connector 1"},
        "notAfter": "1970-01-01T00:00:02Z", "isExpiring": true});
    for (authentication, expected) in [
        (json!(null), Value::Null),
        (json!("x"), Value::Null),
        (other, Value::Null),
        (list(&[]), Value::Null),
        (
            list(&[certificate(json!("2026-12-24T00:00:00Z")), certificate(json!(1e300)), json!(7)]),
            Value::Null,
        ),
        (list(&[certificate(json!(null)), certificate(json!(2))]), json!([known])),
    ] {
        let connectors = json!({"value": [{
            "id": connector_id(1), "displayName": "Connector 1", "authenticationConfiguration": authentication,
        }]});
        let faults = vec![answer_get("identity/apiConnectors", 0, 200, &[], &connectors.to_string())];
        let served = serve(tenant(&[("B2C_1_a", 1, 0)]), Options { faults, ..Options::default() });
        let outcome = served.plan(&yaml_binding_connector_1(&["B2C_1_a"]), &["--format", "json"]);
        assert_eq!(outcome.code, 0, "{outcome}");
        let plan: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(plan["targets"][0]["certificates"], expected, "{authentication}");
    }
}

#[test]
fn malformed_response_is_unknown() {
    let large = format!(r#"{{"x": "{}"}}"#, "y".repeat(9 << 20));
    for body in [
        "",
        "null",
        "[]",
        "\"x\"",
        "<html>Sign in</html>",
        r#"{"postFederationSignup": {"id": "#,
        r#"{"postFederationSignup": "x"}"#,
        r#"{"postFederationSignup": [{"id": "x"}]}"#,
        r#"{"postFederationSignup": {"id": ""}}"#,
        r#"{"postFederationSignup": {"id": 7}}"#,
        r#"{"postFederationSignup": {"id": "../../x"}}"#,
        r#"{"postFederationSignup": {"id": "x", "displayName": "\ud800"}}"#,
        r#"{"error": {"code": "AADB2C", "message": "no"}}"#,
        &large,
    ] {
        let (code, plan) = plan_of_answer(body);
        let shown = &body[..body.len().min(60)];
        assert_eq!(code, 1, "{shown}");
        assert_eq!(plan["targets"][0]["changes"], json!([]), "{shown}");
        assert_eq!(plan["targets"][0]["unknown"][0]["step"], "postFederationSignup", "{shown}");
    }
}

#[test]
fn malformed_step_leaves_the_other_step_known() {
    let yaml = "version: 1\ntenant: contoso.onmicrosoft.com\nflows:\n  B2C_1_a:\n    postFederationSignup: null\n    postAttributeCollection: null\n";
    let body =
        json!({"postFederationSignup": 7, "postAttributeCollection": {"id": connector_id(2)}}).to_string();
    let faults = vec![answer_get("apiConnectorConfiguration", 0, 200, &[], &body)];
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() });
    let outcome = served.plan(yaml, &[]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("could not read `B2C_1_a` (postFederationSignup): "), "{outcome}");
    assert!(outcome.stdout.contains("- DISABLE  postAttributeCollection"), "{outcome}");
}

#[test]
fn unreadable_connectors_fail_names_but_not_ids() {
    let faults = || vec![answer_get("/apiConnectors", 0, 403, &[], DENIED)];
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults: faults(), ..Options::default() });
    let outcome = served.plan(&yaml_binding_connector_1(&["B2C_1_a"]), &[]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("cannot list the tenant's connectors"), "{outcome}");
    // The file is not at fault.
    assert!(!outcome.stderr.contains("flowbind.yaml:"), "{outcome}");
    assert!(outcome.stderr.contains("APIConnectors.Read.All"), "{outcome}");
    let by_id = yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", &connector_id(1));
    let outcome = served.plan(&by_id, &[]);
    assert!(outcome.stdout.contains("Plan: 1 to enable"), "{outcome}");
}

/// A listed flow is read even if none of its steps is managed.
#[test]
fn denied_flow_without_managed_bindings_is_unknown() {
    let faults = vec![answer_get("B2C_1_a/", 0, 403, &[], DENIED)];
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() });
    let outcome = served.plan("version: 1\ntenant: contoso.onmicrosoft.com\nflows: {B2C_1_a: {}}\n", &[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(!outcome.stdout.contains("No changes."), "{outcome}");
}

/// A proxy or a wrong URL answers 404 to everything. This does not mean that the flows were deleted.
#[test]
fn unreadable_flow_and_list_is_unknown_and_not_missing() {
    let faults = vec![answer_get("", 0, 404, &[], "")];
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() });
    let by_id = yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", &connector_id(1));
    let outcome = served.plan(&by_id, &[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    let error = "error[flows-unreadable]: cannot list the tenant's user flows\n  = cause: 404\n";
    assert!(outcome.stdout.contains(error), "{outcome}");
    assert!(outcome.stdout.contains("request: GET /beta/identity/b2cUserFlows ("), "{outcome}");
    assert!(!outcome.stderr.contains("flow-not-found"), "{outcome}");
}

/// The permission is only named if the service reports that it is missing, and JSON contains the reason.
/// One response gives one error, however many names it affects.
#[test]
fn error_is_reported_once_in_every_format() {
    for (status, hint) in [(403, true), (401, false), (400, false)] {
        let faults = vec![answer_get("/apiConnectors", 0, status, &[], DENIED)];
        let flows = ["B2C_1_a", "B2C_1_b"];
        let served = serve(tenant(&flows.map(|flow| (flow, 0, 0))), Options { faults, ..Options::default() });
        let outcome = served.plan(&yaml_binding_connector_1(&flows), &["--format", "json"]);
        let plan: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(plan["errors"].as_array().unwrap().len(), 1, "{outcome}");
        let cause = plan["errors"][0]["causes"][0].as_str().unwrap();
        assert!(cause.contains("The application needs IdentityUserFlow.Read.All."), "{outcome}");
        assert_eq!(outcome.stderr.matches("error[").count(), 1, "{outcome}");
        assert_eq!(outcome.stderr.contains("APIConnectors.Read.All"), hint, "{status}: {outcome}");
    }
}

/// An error does not hide that the connectors, needed for a pin or `--strict`, are unreadable.
#[test]
fn unreadable_connectors_are_reported_with_other_errors() {
    let faults = vec![answer_get("/apiConnectors", 0, 403, &[], DENIED)];
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() });
    let yaml = yaml_binding_connector_1(&["B2C_1_gone"]);
    let outcome = served.plan(&yaml, &[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("no such user flow: `B2C_1_gone`"), "{outcome}");
    assert!(outcome.stderr.contains("cannot list the tenant's connectors"), "{outcome}");
}

/// A connector can occur twice if the list changes between pages.
#[test]
fn connector_listed_twice_is_one_connector() {
    let twice = json!({"id": connector_id(1), "displayName": "Connector 1"});
    let body = json!({"value": [twice, twice]}).to_string();
    let faults = vec![answer_get("/apiConnectors", 0, 200, &[], &body)];
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() });
    let outcome = served.plan(&yaml_binding_connector_1(&["B2C_1_a"]), &[]);
    assert!(outcome.stdout.contains("nothing → Connector 1"), "{outcome}");
}

/// A flow in the list exists, even if its configuration returns 404.
#[test]
fn listed_flow_with_404_is_unknown() {
    let faults = vec![answer_get("B2C_1_a/", 0, 404, &[], "")];
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() });
    let outcome = served.plan(&yaml_binding_connector_1(&["B2C_1_a"]), &[]);
    assert_eq!(outcome.code, 1);
    assert!(
        outcome
            .stdout
            .contains("could not read `B2C_1_a` (postFederationSignup, postAttributeCollection): 404\n"),
        "{outcome}"
    );
}

/// A page is not an answer of Graph, so it is not a missing permission. Only the service itself can reject ids.
#[test]
fn page_with_an_error_status_is_not_a_rejection_by_graph() {
    let page = "<html>Blocked by policy</html>";
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]);
    let by_id = yaml.replace("Connector 1", &connector_id(1));
    for (status, id) in [
        (401, "graph-unexpected-response"),
        (403, "graph-unexpected-response"),
        (404, "graph-unexpected-response"),
        (501, "graph-rejected"),
    ] {
        let faults = vec![answer_get("", 0, status, &[("Content-Type", "text/html")], page)];
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() });
        let outcome = served.plan(&yaml, &[]);
        assert_eq!(outcome.code, 1, "{outcome}");
        let cause = format!("{status} not JSON (text/html: \"{page}\")");
        assert!(outcome.stdout.contains(&format!("error[{id}]: ")), "{outcome}");
        assert!(outcome.stdout.contains(&cause), "{outcome}");
        assert_eq!(outcome.stdout.contains("check whether a proxy answers"), status != 501, "{outcome}");
        assert!(!outcome.stdout.contains("grant `"), "{outcome}");
        // The list of connectors alone is blocked. A rejection of the app would not matter for ids.
        let faults = vec![answer_get("/apiConnectors", 0, status, &[("Content-Type", "text/html")], page)];
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() });
        let (outcome, _) = served.apply(&by_id, &[]);
        assert_eq!((outcome.code, served.puts()), (1, 0), "{outcome}");
    }
}

#[test]
fn redirect_is_an_error_and_gets_no_token() {
    let elsewhere = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
    let location = format!("{}/identity/b2cUserFlows?sig=s3cr3t", elsewhere.graph_url());
    for status in [301, 302, 303, 307, 308] {
        let faults = vec![answer_get("Configuration", 0, status, &[("Location", &location)], "")];
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() });
        let outcome = served.plan(&yaml_binding_connector_1(&["B2C_1_a"]), &["-vv"]);
        assert_eq!(outcome.code, 1, "{status}: {outcome}");
        assert!(
            outcome.stdout.contains("not followed, so that the token is not sent there"),
            "{status}: {outcome}"
        );
        assert!(outcome.stdout.contains("(request-id "), "{status}: {outcome}");
        assert!(!outcome.to_string().contains("s3cr3t"), "{status}: {outcome}");
    }
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

/// Messages of the service must not contain control characters.
#[test]
fn service_message_is_escaped() {
    let body = json!({"error": {"code": "\u{1b}[2J", "message": "a\n::error::b\u{202e}"}}).to_string();
    let faults = vec![answer_get("Configuration", 0, 403, &[], &body)];
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() });
    let outcome = served.plan(&yaml_binding_connector_1(&["B2C_1_a"]), &["-vv"]);
    assert!(outcome.stdout.contains(r"\u{1b}[2J: a\n::error::b\u{202e}"), "{outcome}");
    assert!(!outcome.to_string().contains(['\u{1b}', '\u{202e}']), "{outcome}");
}
