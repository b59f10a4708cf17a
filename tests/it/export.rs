//! Export of an existing tenant as a desired-state file with an empty plan, or as a snapshot.

use std::collections::BTreeMap;
use std::fs;

use flowbind::model::{
    Bound, Connector, ConnectorId, FlowKind, Inventory, ListedConnector, ListedFlow, Step,
};
use flowbind::sandbox::Options;
use flowbind::snapshot::{Certificate, Snapshot};
use proptest::prelude::*;

use crate::fuzz_corpus::fuzz::export::assert_plan_is_empty;
use crate::support::{
    Outcome, SandboxServer, answer_get, code_blocks, connector_id, connects, file, flowbind, folder, package,
    serve, tenant, tenant_binding_third_step,
};

fn export(served: &SandboxServer, args: &[&str]) -> Outcome {
    flowbind(["export", "--tenant", "contoso.onmicrosoft.com"])
        .args(args)
        .connect_to(&served.graph_url())
        .run()
}

/// The export of every tenant of the cases is valid, matches the schema and has an empty plan.
#[test]
fn export_file_has_an_empty_plan() {
    let schema = crate::schema::schema("desired");
    for case in fs::read_dir(package("tests/cases")).unwrap() {
        let case = case.unwrap().path();
        let snapshot = fs::read_to_string(case.join("tenant.json")).unwrap();
        let snapshot: serde_json::Value = serde_json::from_str(&snapshot).unwrap();
        let (tenant, cloud) = (snapshot["tenant"].as_str().unwrap(), snapshot["cloud"].as_str().unwrap());
        let steps = "postFederationSignup,postAttributeCollection,preTokenIssuance";
        let sandbox = case.join("tenant.json");
        let exported =
            flowbind(["export", "--tenant", tenant, "--cloud", cloud, "--steps", steps, "--sandbox"])
                .args([&sandbox])
                .run();
        assert_eq!(exported.code, 0, "{exported}");
        let folder = folder();
        let path = file(folder.path(), "flowbind.yaml", &exported.stdout);
        crate::schema::assert_fits(&schema, &crate::schema::yaml(&path), &path);
        let planned = flowbind(["plan", "--detailed-exitcode", "--sandbox"])
            .args([&sandbox])
            .within(folder.path())
            .run();
        assert_eq!((planned.code, planned.stderr.as_str()), (0, ""), "{}: {planned}", case.display());
        assert!(planned.stdout.contains("No changes."), "{planned}");
    }
}

#[test]
fn export_snapshot_equals_the_tenant() {
    let quickstart = "examples/quickstart/tenant.json";
    let args =
        ["export", "--tenant", "contoso.onmicrosoft.com", "--format", "snapshot", "--sandbox", quickstart];
    let outcome = flowbind(args).within(&package("")).run();
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(
        outcome.stderr.contains("contoso.onmicrosoft.com: 3 B2C user flows, 4 API connectors "),
        "{outcome}"
    );
    let mut original: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(package(quickstart)).unwrap()).unwrap();
    original["takenAt"] = "2026-11-02T08:00:00Z".into();
    let connectors = original["connectors"].as_array_mut().unwrap();
    connectors.sort_by_key(|connector| connector["displayName"].as_str().unwrap().to_owned());
    assert_eq!(serde_json::from_str::<serde_json::Value>(&outcome.stdout).unwrap(), original);
}

fn certificate(not_before: &str, not_after: &str, is_active: bool) -> Certificate {
    let [not_before, not_after] = [not_before, not_after].map(|time| time.parse().unwrap());
    Certificate { not_before, not_after, is_active }
}

#[test]
fn export_file_notes_until_when_certificates_are_valid() {
    let mut snapshot = tenant(&[("B2C_1_a", 1, 2)]);
    snapshot.connectors[0].certificates = vec![
        certificate("2024-12-24T00:00:00Z", "2026-12-24T23:00:00Z", true),
        certificate("2024-12-24T00:00:00Z", "2027-12-24T00:00:00Z", false),
    ];
    snapshot.connectors[1].certificates =
        vec![certificate("2027-01-01T00:00:00Z", "2028-12-24T00:00:00Z", true)];
    let served = serve(snapshot, Options::default());
    let outcome = export(&served, &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    let comments: Vec<_> = outcome.stdout.lines().filter(|line| line.contains("certificate")).collect();
    assert_eq!(
        comments,
        ["    # certificate valid until 2026-12-24", "    # no active certificate"],
        "{outcome}"
    );
}

#[test]
fn export_snapshot_keeps_certificates() {
    let mut snapshot = tenant(&[("B2C_1_a", 1, 0)]);
    snapshot.connectors[0].certificates = vec![
        certificate("2024-12-24T00:00:00Z", "2026-12-24T00:00:00Z", true),
        certificate("2026-12-01T10:20:30Z", "2028-12-01T10:20:30Z", false),
    ];
    let served = serve(snapshot.clone(), Options::default());
    let outcome = export(&served, &["--format", "snapshot"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(Snapshot::parse(&outcome.stdout).unwrap().connectors, snapshot.connectors);
}

/// A snapshot may be printed to a terminal or a log.
#[test]
fn export_snapshot_escapes_names() {
    let mut snapshot = tenant(&[("B2C_1_a", 1, 0)]);
    snapshot.connectors[0].display_name = Some("\u{202e}kcehc\u{7f} ##[error]x".into());
    let served = serve(snapshot.clone(), Options::default());
    let outcome = export(&served, &["--format", "snapshot"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(!outcome.stdout.contains(['\u{202e}', '\u{7f}']) && !outcome.stdout.contains("##["), "{outcome}");
    snapshot.connectors.sort_by(|a, b| a.display_name.cmp(&b.display_name));
    assert_eq!(Snapshot::parse(&outcome.stdout).unwrap().connectors, snapshot.connectors);
}

/// Addresses may contain function keys in their query.
#[test]
fn export_omits_secrets_in_addresses() {
    let url = "https://user:s3cr3t@api.contoso.com/check?code=s3cr3t#s3cr3t";
    let body =
        serde_json::json!({"value": [{"id": connector_id(1), "displayName": "Check", "targetUrl": url}]});
    let faults = || vec![answer_get("/apiConnectors", 0, 200, &[], &body.to_string())];
    for format in ["desired", "snapshot"] {
        let served = serve(tenant(&[("B2C_1_a", 1, 0)]), Options { faults: faults(), ..Options::default() });
        let outcome = export(&served, &["--format", format, "-vv"]);
        assert!(outcome.stdout.contains("https://api.contoso.com/check"), "{outcome}");
        assert!(!outcome.to_string().contains("s3cr3t"), "{outcome}");
    }
}

#[test]
fn export_with_unreadable_data_fails() {
    let faults = vec![answer_get("B2C_1_b/", 0, 403, &[], ""), answer_get("/apiConnectors", 0, 403, &[], "")];
    let served =
        serve(tenant(&[("B2C_1_a", 1, 0), ("B2C_1_b", 1, 0)]), Options { faults, ..Options::default() });
    let outcome = export(&served, &[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{outcome}");
    for error in [
        "error[connectors-unreadable]: cannot list the tenant's connectors\n  = cause: 403\n",
        "request: GET /beta/identity/apiConnectors (request-id ",
        "error[permission-missing]: could not read `B2C_1_b` (postFederationSignup, postAttributeCollection, preTokenIssuance): 403\n",
        "request: GET /beta/identity/b2cUserFlows/B2C_1_b/apiConnectorConfiguration (request-id ",
    ] {
        assert!(outcome.stderr.contains(error), "{error}: {outcome}");
    }
}

#[test]
fn export_with_one_cause_for_many_flows_reports_one_error() {
    let faults = vec![answer_get("apiConnectorConfiguration", 0, 403, &[], "")];
    let flows: Vec<_> = (0..30).map(|number| format!("B2C_1_{number:03}")).collect();
    let flows: Vec<_> = flows.iter().map(|flow| (flow.as_str(), 1, 0)).collect();
    let served = serve(tenant(&flows), Options { faults, ..Options::default() });
    let outcome = export(&served, &[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{outcome}");
    assert_eq!(outcome.stderr.matches("error[").count(), 1, "{outcome}");
    assert!(
        outcome.stderr.starts_with("error[permission-missing]: 30 flows could not be read: 403\n"),
        "{outcome}"
    );
    let flows = "flows: `B2C_1_000`, `B2C_1_001`, `B2C_1_002`, `B2C_1_003`, `B2C_1_004` and 25 more\n";
    assert!(outcome.stderr.contains(flows), "{outcome}");
}

/// A refused connection ends the run with one error, whatever was to be read.
#[test]
fn export_from_unreachable_service_reports_one_error() {
    let outcome = flowbind(["export", "--tenant", "contoso.onmicrosoft.com", "--timeout", "2"])
        .args(["--graph-url", "http://127.0.0.1:9/beta"])
        .env("FLOWBIND_ACCESS_TOKEN", "t")
        .run();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{outcome}");
    assert_eq!(outcome.stderr.matches("error[").count(), 1, "{outcome}");
    assert!(outcome.stderr.contains("error[graph-unreachable]: cannot reach 127.0.0.1:9: "), "{outcome}");
}

#[test]
fn export_with_both_flow_lists_denied_reports_both_reasons() {
    let faults = vec![answer_get("UserFlows", 0, 403, &[], "")];
    let served = serve(tenant(&[]), Options { faults, ..Options::default() });
    let outcome = export(&served, &[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert_eq!(outcome.stderr.matches("error[").count(), 1, "{outcome}");
    let error = "error[flows-unreadable]: cannot list the tenant's user flows\n  = cause: 403\n";
    assert!(outcome.stderr.contains(error), "{outcome}");
    for request in ["request: GET /beta/identity/b2cUserFlows (", "; GET /beta/identity/b2xUserFlows ("] {
        assert!(outcome.stderr.contains(request), "{outcome}");
    }
}

/// The order of a list of Graph is not documented.
#[test]
fn exports_of_lists_in_another_order_are_equal() {
    let snapshot = tenant(&[("B2C_1_b", 1, 2), ("B2C_1_a", 3, 0), ("B2C_1_C", 0, 0)]);
    let mut reversed = snapshot.clone();
    reversed.flows.reverse();
    reversed.connectors.reverse();
    for (format, first) in [("desired", "  B2C_1_C:\n"), ("snapshot", "\"id\": \"B2C_1_C\"")] {
        let [one, other] = [&snapshot, &reversed].map(|snapshot| {
            let folder = folder();
            let path = folder.path().join("exported");
            let args = ["--format", format, "--out", path.to_str().unwrap()];
            let outcome = export(&serve(snapshot.clone(), Options::default()), &args);
            assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""), "{outcome}");
            fs::read_to_string(path).unwrap()
        });
        assert_eq!(one, other);
        let (start, _) = one.split_once(first).unwrap();
        assert!(!start.contains("B2C_1_a") && !start.contains("B2C_1_b"), "{one}");
    }
}

#[test]
fn failed_export_leaves_the_file() {
    let folder = folder();
    let path = file(folder.path(), "flowbind.yaml", "old");
    let faults = vec![answer_get("B2C_1_a/", 0, 403, &[], "")];
    let served = serve(tenant(&[("B2C_1_a", 1, 0)]), Options { faults, ..Options::default() });
    let outcome = export(&served, &["--out", path.to_str().unwrap()]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// The shell limits the size of files, so that the write fails like one on a full disk.
#[cfg(unix)]
#[test]
fn export_that_does_not_fit_leaves_the_file() {
    let folder = folder();
    let flows: Vec<_> = (0..20).map(|number| format!("B2C_1_{number:03}")).collect();
    let flows: Vec<_> = flows.iter().map(|flow| (flow.as_str(), 0, 0)).collect();
    file(folder.path(), "tenant.json", tenant(&flows).to_json());
    let (file_name, ignoring) = ("contoso.onmicrosoft.com.yaml", "trap '' XFSZ;");
    for (before, option, path) in
        [("", "--out", file_name), ("", "--out-dir", "."), (ignoring, "--out", file_name)]
    {
        file(folder.path(), "contoso.onmicrosoft.com.yaml", "old");
        let script = format!(
            "{before} ulimit -f 1; exec \"$0\" export --overwrite --sandbox tenant.json {option} {path}"
        );
        let output = std::process::Command::new("/bin/sh")
            .args(["-ec", &script, env!("CARGO_BIN_EXE_flowbind")])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.starts_with("error[output-not-writable]: "), "{stderr}");
        let kept = fs::read_to_string(folder.path().join("contoso.onmicrosoft.com.yaml")).unwrap();
        assert_eq!(kept, "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}

#[test]
fn export_without_flows_writes_an_empty_file() {
    let served = serve(tenant(&[]), Options::default());
    let outcome = export(&served, &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.ends_with("flows: {}\n"), "{outcome}");
}

/// Runs the commands of "From the portal to a repository" one after the other.
#[test]
fn the_path_from_a_portal_to_a_repository_can_be_walked() {
    let page = fs::read_to_string(package("docs/getting-started.md")).unwrap();
    let (_, path) = page.split_once("## From the portal to a repository\n").unwrap();
    let commands: Vec<_> =
        code_blocks(path).into_iter().take_while(|(language, _)| language == "sh").collect();
    let folder = folder();
    fs::copy(package("examples/quickstart/tenant.json"), folder.path().join("tenant.json")).unwrap();
    let mut walked = 0;
    for line in commands.iter().flat_map(|(_, block)| block.lines()) {
        let arguments: Vec<_> = line.strip_prefix("flowbind ").unwrap().split(' ').collect();
        let sandbox: &[&str] = if connects(arguments[0]) { &["--sandbox", "tenant.json"] } else { &[] };
        let outcome = flowbind(arguments).args(sandbox).within(folder.path()).run();
        assert_eq!(outcome.code, 0, "{line}: {outcome}");
        walked += 1;
    }
    assert!(walked >= 4, "{walked}");
}

/// Generates hostile, shared, empty and missing names, and ids of connectors that do not exist.
fn inventory() -> impl Strategy<Value = Inventory> {
    let name = prop_oneof![
        any::<Option<String>>(),
        prop::sample::select(vec![
            "Check",
            "check",
            "Check 2",
            "null",
            "no",
            "",
            " ",
            "a: b",
            "#",
            "1f1d2c3b-0000-4000-8000-00000000abcd"
        ])
        .prop_map(|name| Some(name.to_owned())),
    ];
    let connectors = prop::collection::vec(name, 0..6).prop_map(|names| {
        // Graph's ids are GUIDs, but no documentation guarantees it.
        let id = |number: usize| {
            if number.is_multiple_of(3) { format!("id-{number}") } else { connector_id(number) }
        };
        let listed = |(number, display_name): (usize, Option<String>)| ListedConnector {
            connector: Connector { id: ConnectorId::parse(&id(number)).unwrap(), display_name },
            target_url: (number % 2 == 0).then(|| "https://api.contoso.com/check".parse().unwrap()),
            certificates: Vec::new(),
        };
        names.into_iter().enumerate().map(listed).collect::<Vec<_>>()
    });
    let bindings = prop::collection::vec([prop::option::of(0..8usize), prop::option::of(0..8usize)], 0..5);
    (connectors, bindings).prop_map(|(connectors, bindings)| {
        let bound = |number: Option<usize>| -> Bound {
            let number = number?;
            let known = connectors.get(number).map(|listed| listed.connector.clone());
            let gone =
                || Connector { id: ConnectorId::parse(&connector_id(number)).unwrap(), display_name: None };
            Some(known.unwrap_or_else(gone))
        };
        let flow = |(number, steps): (usize, [Option<usize>; 2])| {
            let flow = ListedFlow { id: format!("B2C_1_{number}"), user_flow_type: None, version: None };
            let steps: BTreeMap<_, _> = Step::DEFAULT.into_iter().zip(steps.map(bound)).collect();
            (flow, steps)
        };
        let flows = bindings.into_iter().enumerate().map(flow).collect();
        Inventory { kind: FlowKind::B2c, connectors: connectors.clone(), flows, unsupported_step: None }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn export_of_any_inventory_has_an_empty_plan(inventory in inventory()) {
        assert_plan_is_empty(&inventory);
    }
}

/// An empty list of one kind of flows does not replace the other list, which could not be read.
#[test]
fn export_with_unreadable_list_is_not_empty() {
    let faults = vec![
        answer_get("b2cUserFlows", 0, 400, &[], ""),
        answer_get("b2xUserFlows", 0, 200, &[], r#"{"value": []}"#),
    ];
    let served = serve(tenant(&[]), Options { faults, ..Options::default() });
    let outcome = export(&served, &[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{outcome}");
    let error = "error[flows-unreadable]: cannot list the tenant's user flows\n  = cause: 400\n";
    assert!(outcome.stderr.contains(error), "{outcome}");
    assert!(outcome.stderr.contains("request: GET /beta/identity/b2cUserFlows ("), "{outcome}");
}

#[test]
fn export_on_v1_reads_only_b2x_flows() {
    let served = serve(tenant(&[("B2X_1_a", 1, 0)]), Options::default());
    let url = served.graph_url().replace("/beta", "/v1.0");
    let run = |args: &[&str]| flowbind(args).connect_to(&url).run();
    let exported = run(&["export", "--tenant", "contoso.onmicrosoft.com", "--api", "v1.0"]);
    assert_eq!(exported.code, 0, "{exported}");
    assert!(exported.stdout.contains("\napi: v1.0\n") && exported.stdout.contains("B2X_1_a:"), "{exported}");
    let folder = folder();
    let path = file(folder.path(), "flowbind.yaml", &exported.stdout);
    let drift = run(&["drift", "--strict", path.to_str().unwrap()]);
    assert_eq!(drift.code, 0, "{drift}");
    // A file without flows does not show the kind of its tenant. With v1.0 it is always B2X.
    file(
        folder.path(),
        "flowbind.yaml",
        "version: 1\ntenant: contoso.onmicrosoft.com\napi: v1.0\nflows: {}\n",
    );
    let drift = run(&["drift", "--strict", path.to_str().unwrap()]);
    assert_eq!(drift.code, 2, "{drift}");
    assert!(!served.requests().iter().any(|line| line.contains("b2cUserFlows")), "{:?}", served.requests());
}

/// A malformed response fails the export, whatever else could be read.
#[test]
fn export_with_malformed_response_fails() {
    let flows = r#"{"value": [{"id": "B2C_1_a"}, {"id": "B2C_1_b"}, {"id": "B2C_1/c"}]}"#;
    let faults = vec![
        answer_get("b2cUserFlows/B2C_1_a/", 0, 200, &[], r#"{"postFederationSignup": 7}"#),
        answer_get("b2cUserFlows/", 0, 200, &[], "{}"),
        answer_get("b2cUserFlows", 0, 200, &[], flows),
    ];
    let served = serve(tenant(&[]), Options { faults, ..Options::default() });
    let outcome = export(&served, &[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{outcome}");
    for error in [
        "the list of flows has an invalid id `B2C_1/c`: ",
        "could not read `B2C_1_a` (postFederationSignup): unexpected response from Graph: ",
    ] {
        assert!(outcome.stderr.contains(error), "{outcome}");
    }
    assert!(!outcome.stderr.contains("B2C_1_b"), "{outcome}");
}

#[test]
fn connector_listed_twice_is_one_connector() {
    let twice = format!(r#"{{"value": [{{"id": "{0}"}}, {{"id": "{0}"}}]}}"#, connector_id(1));
    let faults = vec![answer_get("apiConnectors", 0, 200, &[], &twice)];
    let served = serve(tenant(&[]), Options { faults, ..Options::default() });
    for format in ["desired", "snapshot"] {
        let outcome = export(&served, &["--format", format]);
        assert_eq!(outcome.code, 0, "{outcome}");
        assert!(outcome.stderr.contains(", 1 API connector ("), "{outcome}");
    }
}

#[test]
fn flow_listed_twice_is_one_flow() {
    let twice = r#"{"value": [{"id": "B2C_1_a"}, {"id": "B2C_1_a"}]}"#;
    let faults =
        vec![answer_get("b2cUserFlows/", 0, 200, &[], "{}"), answer_get("b2cUserFlows", 0, 200, &[], twice)];
    let served = serve(tenant(&[]), Options { faults, ..Options::default() });
    let outcome = export(&served, &[]);
    assert_eq!((outcome.code, outcome.stdout.matches("B2C_1_a").count()), (0, 1), "{outcome}");
}

#[test]
fn export_of_bound_third_step_lists_all_steps() {
    let snapshot = tenant_binding_third_step(&[("B2C_1_a", 1, 0), ("B2C_1_b", 0, 2)]);
    let served = serve(snapshot.clone(), Options::default());
    let outcome = export(&served, &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    let steps = "\nsteps: [postFederationSignup, postAttributeCollection, preTokenIssuance]\n";
    assert!(outcome.stdout.contains(steps), "{outcome}");
    assert!(outcome.stdout.contains("    preTokenIssuance: connector-4\n"), "{outcome}");
    assert!(outcome.stderr.contains("preTokenIssuance)\n"), "{outcome}");
    let planned = served.plan(&outcome.stdout, &["--format", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&planned.stdout).unwrap();
    assert_eq!(plan["targets"][0]["changes"], serde_json::json!([]), "{plan}");
    assert_eq!(plan["targets"][0]["inSync"].as_array().map(Vec::len), Some(6), "{plan}");
    let exported = Snapshot::parse(&export(&served, &["--format", "snapshot"]).stdout).unwrap();
    assert_eq!(
        exported.flows[0].bindings[&flowbind::snapshot::Step::PreTokenIssuance],
        Some(connector_id(4))
    );
}

#[test]
fn export_of_unbound_third_step_keeps_the_default_steps() {
    let served = serve(tenant(&[("B2C_1_a", 1, 0)]), Options::default());
    let outcome = export(&served, &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(!outcome.stdout.contains("steps:") && !outcome.stdout.contains("preTokenIssuance"), "{outcome}");
    assert!(
        served.requests().iter().any(|request| request.contains("preTokenIssuance")),
        "the step was not read: {:?}",
        served.requests()
    );
    assert_eq!(served.requests().len(), 3, "connectors, the list, and one flow: {:?}", served.requests());
}

/// Explicit `--steps` are exported, or nothing.
#[test]
fn export_without_third_step_of_the_service_warns() {
    let faults = vec![answer_get("preTokenIssuance", 0, 400, &[], "")];
    let snapshot = tenant_binding_third_step(&[("B2C_1_a", 1, 0), ("B2C_1_b", 0, 2)]);
    let served = serve(snapshot, Options { faults, ..Options::default() });
    for format in ["desired", "snapshot"] {
        let outcome = export(&served, &["--format", format]);
        assert_eq!(outcome.code, 0, "{outcome}");
        let warning = "warning[unsupported-step]: the service rejects `preTokenIssuance`, so its bindings were not read\n";
        assert_eq!(outcome.stderr.matches(warning).count(), 1, "{outcome}");
        assert!(
            outcome.stderr.contains("(exported: postFederationSignup, postAttributeCollection)\n"),
            "{outcome}"
        );
        assert!(!outcome.stdout.contains("preTokenIssuance"), "{outcome}");
    }
    let exported = export(&served, &[]).stdout;
    let planned = served.plan(&exported, &["--detailed-exitcode"]);
    assert_eq!((planned.code, planned.stderr.as_str()), (0, ""), "{planned}");

    let steps = "postFederationSignup,postAttributeCollection,preTokenIssuance";
    let outcome = export(&served, &["--steps", steps]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{outcome}");
    assert!(!outcome.stderr.contains("unsupported-step"), "{outcome}");
}

/// A step that the service accepts for one flow exists, so a rejection for another flow is an error.
#[test]
fn export_with_third_step_rejected_for_one_flow_fails() {
    let faults = || {
        vec![answer_get(
            "B2C_1_b/apiConnectorConfiguration?$expand=postFederationSignup,postAttributeCollection,preTokenIssuance",
            0,
            400,
            &[],
            "",
        )]
    };
    let snapshot = tenant_binding_third_step(&[("B2C_1_a", 1, 0), ("B2C_1_b", 0, 2)]);
    let served = serve(snapshot, Options { faults: faults(), ..Options::default() });
    let outcome = export(&served, &[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{outcome}");
    assert!(outcome.stderr.contains("could not read `B2C_1_b` (preTokenIssuance): 400\n"), "{outcome}");
}

/// A request that fails also without the step is an ordinary error.
#[test]
fn export_with_every_flow_rejected_fails() {
    let faults = vec![answer_get("apiConnectorConfiguration", 0, 400, &[], "")];
    let served = serve(tenant(&[("B2C_1_a", 1, 0)]), Options { faults, ..Options::default() });
    let outcome = export(&served, &[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{outcome}");
    assert!(!outcome.stderr.contains("unsupported-step"), "{outcome}");
}

#[test]
fn export_warns_about_steps_that_are_never_called() {
    let mut snapshot = tenant_binding_third_step(&[("B2C_1_a", 1, 2), ("B2C_1_b", 1, 0), ("B2C_1_c", 0, 0)]);
    for (at, user_flow_type) in [(0, "signIn"), (1, "passwordReset"), (2, "passwordReset")] {
        snapshot.flows[at].user_flow_type = user_flow_type.into();
    }
    let served = serve(snapshot, Options::default());
    let outcome = export(&served, &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    let warnings: Vec<_> = outcome.stderr.lines().filter(|line| line.starts_with("warning[")).collect();
    let expected = [
        ("B2C_1_a", "postFederationSignup", "signIn"),
        ("B2C_1_a", "postAttributeCollection", "signIn"),
        ("B2C_1_b", "postFederationSignup", "passwordReset"),
    ];
    let expected = expected.map(|(flow, step, user_flow_type)| {
        format!(
            "warning[step-never-called]: `{flow}` `{step}` has no effect: flows of the type `{user_flow_type}` never call it"
        )
    });
    assert_eq!(warnings, expected, "{outcome}");
}
