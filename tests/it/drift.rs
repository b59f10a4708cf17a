//! Drift: exit code, suggestions to accept or revert differences, and output.

use flowbind::sandbox::{Fault, Options};

use crate::support::{
    Outcome, SandboxServer, answer_get, connector_id, file, flowbind, folder, serve, tenant,
    tenant_binding_third_step, yaml_binding_connector_1,
};

fn drift(served: &SandboxServer, yaml: &str, args: &[&str]) -> Outcome {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml);
    let outcome = flowbind(["drift"]).args(args).connect_to(&served.graph_url()).within(folder.path()).run();
    assert_eq!(served.puts(), 0);
    outcome
}

#[test]
fn drift_of_tenant_in_sync_exits_0() {
    let served = serve(tenant(&[("B2C_1_a", 1, 0)]), Options::default());
    let outcome = drift(&served, &yaml_binding_connector_1(&["B2C_1_a"]), &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(!outcome.stdout.contains("flowbind apply"), "{outcome}");
}

/// The suggested lines can be pasted unchanged into the file.
#[test]
fn drift_suggests_lines_that_accept_a_change() {
    let served = serve(tenant(&[("B2C_1_a", 2, 0), ("B2C_1_b", 0, 3)]), Options::default());
    let yaml = yaml_binding_connector_1(&["B2C_1_a", "B2C_1_b"]);
    let outcome = drift(&served, &yaml, &[]);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(
        outcome.stdout.contains("    flowbind apply flowbind.yaml --graph-url http://127.0.0.1:"),
        "{outcome}"
    );
    let lines = offered(&outcome, "To accept what the tenant has, edit flowbind.yaml");
    let accepted = format!("version: 1\ntenant: contoso.onmicrosoft.com\n{lines}");
    assert!(
        accepted.contains(&format!("postFederationSignup: {}  # Connector 2", connector_id(2))),
        "{accepted}"
    );
    assert!(accepted.contains("postFederationSignup: null"), "{accepted}");
    let outcome = drift(&served, &accepted, &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
}

/// Returns the suggested lines below a heading, ready to be pasted.
fn offered(outcome: &Outcome, heading: &str) -> String {
    let (_, lines) = outcome.stdout.split_once(&format!("{heading}:\n\n")).unwrap_or_default();
    let lines = lines.lines().map_while(|line| line.strip_prefix("    "));
    lines.map(|line| line.to_owned() + "\n").collect()
}

/// Ids that are not GUIDs would be read as names in a file.
#[test]
fn drift_suggests_names_for_ids_that_no_file_accepts() {
    let mut snapshot = tenant(&[("B2C_1_a", 2, 0), ("B2C_1_b", 3, 0)]);
    for (at, id) in [(1, "Odd-two"), (2, "Odd-three")] {
        let old = std::mem::replace(&mut snapshot.connectors[at].id, id.to_owned());
        for bound in snapshot.flows.iter_mut().flat_map(|flow| flow.bindings.values_mut()).flatten() {
            if *bound == old {
                *bound = id.to_owned();
            }
        }
    }
    snapshot.connectors[2].display_name = None;
    let served = serve(snapshot, Options::default());
    let yaml = yaml_binding_connector_1(&["B2C_1_a", "B2C_1_b"]);
    let lines = offered(&drift(&served, &yaml, &[]), "To accept what the tenant has, edit flowbind.yaml");
    assert!(lines.contains("postFederationSignup: Connector 2  # Odd-two;"), "{lines}");
    assert!(
        lines
            .contains("    # postFederationSignup is bound to Odd-three, which a file cannot name\n    {}\n"),
        "{lines}"
    );
    let accepted = format!("version: 1\ntenant: contoso.onmicrosoft.com\n{lines}");
    let outcome = drift(&served, &accepted, &[]);
    assert_eq!(outcome.code, 0, "{outcome}");
}

/// The suggested command overrides no guard: a reviewer adds the flag of the hint. A blocker that no flag lifts
/// leaves no command to suggest.
#[test]
fn drift_with_blockers_suggests_apply_without_override_flags() {
    let heading = "To revert the tenant to the file (blocked by the guards above; review before overriding)";
    let served = serve(tenant(&[("B2C_1_a", 2, 0), ("B2C_1_b", 0, 3)]), Options::default());
    let yaml = yaml_binding_connector_1(&["B2C_1_a", "B2C_1_b"]) + "guards: {maxChanges: 1}\n";
    let outcome = drift(&served, &yaml, &[]);
    assert_eq!(outcome.code, 2, "{outcome}");
    let command = offered(&outcome, heading);
    assert_eq!(
        command,
        format!("flowbind apply flowbind.yaml --graph-url {}\n", served.graph_url()),
        "{outcome}"
    );
    assert!(outcome.stdout.contains("  = hint: if this is intended: `--max-changes 2`\n"), "{outcome}");
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml);
    for (flags, code) in [(&["--yes"][..], 3), (&["--yes", "--max-changes", "2"], 0)] {
        let args = command.split_whitespace().skip(1).chain(flags.iter().copied());
        let outcome = flowbind(args).env("FLOWBIND_ACCESS_TOKEN", "t").within(folder.path()).run();
        assert_eq!(outcome.code, code, "{outcome}");
    }

    let pinned = "version: 1\ntenant: contoso.onmicrosoft.com\nconnectors:\n  check: {displayName: Connector 1, targetUrl: 'https://api.contoso.com/other'}\nflows:\n  B2C_1_a: {postAttributeCollection: check}\n";
    let served = serve(tenant(&[("B2C_1_a", 2, 0)]), Options::default());
    let outcome = drift(&served, pinned, &[]);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stdout.contains("blocked[pin-mismatch]: "), "{outcome}");
    assert!(!outcome.stdout.contains("flowbind apply"), "{outcome}");
}

#[test]
fn drift_counts_unmanaged_bindings_only_with_strict() {
    let served =
        serve(tenant(&[("B2C_1_a", 1, 2), ("B2C_1_other", 3, 0), ("B2C_1_empty", 0, 0)]), Options::default());
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]);
    assert_eq!(drift(&served, &yaml, &[]).code, 0);
    let before = served.requests().len();
    let outcome = drift(&served, &yaml, &["--strict"]);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert_eq!(served.requests().len() - before, 5, "connectors, the list, and three flows");
    let lines = offered(&outcome, "To manage the other bindings, add to flowbind.yaml");
    assert!(lines.contains("B2C_1_other") && lines.contains("postAttributeCollection"), "{lines}");
    let managed = format!("version: 1\ntenant: contoso.onmicrosoft.com\n{lines}")
        .replace("  B2C_1_a:\n", &format!("  B2C_1_a:\n    postFederationSignup: {}\n", connector_id(1)));
    let outcome = drift(&served, &managed, &["--strict"]);
    assert_eq!(outcome.code, 0, "{outcome}");
}

/// A binding that one file prunes must not be suggested for another.
#[test]
fn drift_does_not_list_bindings_pruned_by_another_file() {
    let served = serve(tenant(&[("B2C_1_a", 0, 1), ("B2C_1_b", 2, 1)]), Options::default());
    let folder = folder();
    let head = "version: 1\ntenant: contoso.onmicrosoft.com\n";
    let a = format!("{head}flows:\n  B2C_1_a: {{postAttributeCollection: Connector 1}}\n");
    file(folder.path(), "a.yaml", a);
    let steps = "prune: steps\nflows:\n  B2C_1_b: {postAttributeCollection: Connector 1}\n";
    let flows = "prune: flows\nsteps: [postFederationSignup]\nflows:\n  B2C_1_a: {}\n";
    for (prune, strict_lists) in [(steps, vec![]), (flows, vec!["B2C_1_b postAttributeCollection"])] {
        file(folder.path(), "b.yaml", format!("{head}{prune}"));
        let outcome = flowbind(["drift", "a.yaml", "b.yaml", "--strict", "--format", "json"])
            .connect_to(&served.graph_url())
            .within(folder.path())
            .run();
        assert_eq!(outcome.code, 2, "{outcome}");
        let plan: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        let unmanaged = plan["targets"][0]["unmanaged"].as_array().unwrap().iter();
        let unmanaged: Vec<_> = unmanaged
            .map(|it| format!("{} {}", it["flow"].as_str().unwrap(), it["step"].as_str().unwrap()))
            .collect();
        assert_eq!(unmanaged, strict_lists, "{outcome}");
    }
}

/// An unmanaged binding is listed once per tenant, with lines for one of its files.
#[test]
fn drift_lists_unmanaged_bindings_once_per_tenant() {
    let served =
        serve(tenant(&[("B2C_1_a", 1, 0), ("B2C_1_b", 1, 0), ("B2C_1_c", 2, 3)]), Options::default());
    let folder = folder();
    file(folder.path(), "a.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    file(folder.path(), "b.yaml", yaml_binding_connector_1(&["B2C_1_b"]));
    let run = |format: &str| {
        flowbind(["drift", "a.yaml", "b.yaml", "--strict", "--format", format])
            .connect_to(&served.graph_url())
            .within(folder.path())
            .run()
    };
    let text = run("text");
    assert_eq!(text.code, 2, "{text}");
    assert_eq!(text.stdout.matches("To manage the other bindings, add to").count(), 1, "{text}");
    let prom = run("prom");
    assert!(prom.stdout.contains("flowbind_unmanaged{tenant=\"contoso.onmicrosoft.com\"} 2\n"), "{prom}");
}

/// The heading and the counts must show why there is drift, without reading further.
#[test]
fn drift_heading_and_counts_show_all_kinds() {
    let mut snapshot = tenant(&[("B2C_1_a", 1, 5)]);
    snapshot.connectors.retain(|connector| connector.id != connector_id(5));
    let served = serve(snapshot, Options::default());
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]);
    let output = |args: &[&str]| {
        let outcome = drift(&served, &yaml, args);
        assert_eq!(outcome.code, 2, "{outcome}");
        outcome.stdout
    };
    let heading = output(&["--format", "markdown"]);
    assert!(heading.contains("drift: 1 binding to a deleted connector\n"), "{heading}");
    let heading = output(&["--format", "markdown", "--strict"]);
    assert!(heading.contains("drift: 1 binding to a deleted connector; 1 unmanaged\n"), "{heading}");
    let counts = output(&["--format", "prom"]);
    assert!(counts.contains("flowbind_dangling{tenant=\"contoso.onmicrosoft.com\"} 1\n"), "{counts}");
    let text = output(&[]);
    assert!(text.contains("To disable bindings to deleted connectors, add to flowbind.yaml"), "{text}");
    assert!(text.contains("postAttributeCollection: null  # its connector was deleted"), "{text}");
}

/// Blockers of apply are irrelevant for drift.
#[test]
fn drift_of_blocked_plan_shows_no_blockers() {
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
    let yaml = "version: 1\ntenant: contoso.onmicrosoft.com\nprune: flows\nflows: {}\n";
    let output = |format: &str| {
        let outcome = drift(&served, yaml, &["--format", format]);
        assert_eq!(outcome.code, 0, "{outcome}");
        outcome.stdout
    };
    assert!(output("junit").contains("failures=\"0\""), "{}", output("junit"));
    assert!(!output("github").contains("::error"), "{}", output("github"));
    assert!(!output("html").contains("note alarm"), "{}", output("html"));
    let plan = served.plan(yaml, &["--format", "html"]);
    assert!(plan.code == 3 && plan.stdout.contains("note alarm"), "{plan}");
}

/// A dangling binding is listed in the file that manages it, whatever the order of files.
#[test]
fn drift_lists_dangling_bindings_once() {
    let mut snapshot = tenant(&[("B2C_1_a", 1, 5), ("B2C_1_c", 5, 0)]);
    snapshot.connectors.retain(|connector| connector.id != connector_id(5));
    let served = serve(snapshot, Options::default());
    let folder = folder();
    file(folder.path(), "a.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let other =
        yaml_binding_connector_1(&["B2C_1_a"]).replace("postFederationSignup", "postAttributeCollection");
    file(folder.path(), "b.yaml", other);
    let run =
        |command: &[&str]| flowbind(command).connect_to(&served.graph_url()).within(folder.path()).run();
    let outcome = run(&["drift", "a.yaml", "b.yaml", "--strict"]);
    assert_eq!(outcome.code, 2, "{outcome}");
    let lines = offered(&outcome, "To accept what the tenant has, edit b.yaml");
    assert!(lines.contains("postAttributeCollection: null  # its connector was deleted"), "{outcome}");
    assert_eq!(outcome.stdout.matches("points to the deleted connector").count(), 2, "{outcome}");
    for (name, out) in [("a.yaml", "a.json"), ("b.yaml", "b.json")] {
        assert_eq!(run(&["drift", name, "--strict", "--out", out]).code, 2);
    }
    let joined = flowbind(["show", "a.json", "b.json", "--format", "markdown"]).within(folder.path()).run();
    let unsplit = run(&["drift", "a.yaml", "b.yaml", "--strict", "--format", "markdown"]);
    assert_eq!((joined.code, &joined.stdout), (2, &unsplit.stdout), "{joined}");
}

/// Accepting the value of the tenant keeps `protect`.
#[test]
fn drift_suggestion_keeps_protect() {
    let served = serve(tenant(&[("B2C_1_a", 2, 0)]), Options::default());
    let yaml = yaml_binding_connector_1(&["B2C_1_a"])
        .replace("Connector 1", "{connector: Connector 1, protect: true}");
    let outcome = drift(&served, &yaml, &[]);
    let lines = offered(&outcome, "To accept what the tenant has, edit flowbind.yaml");
    let line = format!("{{connector: {}, protect: true}}  # Connector 2\n", connector_id(2));
    assert!(lines.contains(&line), "{outcome}");
    let accepted = format!("version: 1\ntenant: contoso.onmicrosoft.com\n{lines}");
    assert_eq!(drift(&served, &accepted, &[]).code, 0, "{lines}");
}

/// A command that cannot apply anything is not suggested.
#[test]
fn drift_of_incomplete_plan_suggests_no_command() {
    let served = serve(tenant(&[("B2C_1_a", 2, 0)]), Options::default());
    let outcome = drift(&served, &yaml_binding_connector_1(&["B2C_1_a", "B2C_1_none"]), &[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(!outcome.stdout.contains("flowbind apply"), "{outcome}");
}

#[test]
fn drift_reports_broken_pin() {
    let served = serve(tenant(&[("B2C_1_a", 1, 0)]), Options::default());
    let pinned = |url: &str| {
        format!(
            "version: 1\ntenant: contoso.onmicrosoft.com\nconnectors:\n  check: {{displayName: Connector 1, targetUrl: '{url}'}}\nflows:\n  B2C_1_a: {{postFederationSignup: check}}\n"
        )
    };
    assert_eq!(drift(&served, &pinned("https://api.contoso.com/check?code=k"), &[]).code, 0);
    let outcome = drift(&served, &pinned("https://api.contoso.com/other"), &[]);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stdout.contains("targetUrl: https://api.contoso.com/check  # Connector 1"), "{outcome}");
    // The pin also counts if the binding does not use the short name with the pin.
    let outcome = drift(
        &served,
        &pinned("https://api.contoso.com/other")
            .replace("Signup: check", &format!("Signup: {}", connector_id(1))),
        &[],
    );
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stdout.contains("targetUrl: https://api.contoso.com/check  # Connector 1"), "{outcome}");
}

#[test]
fn drift_reports_dangling_connector() {
    let mut snapshot = tenant(&[("B2C_1_a", 1, 5)]);
    snapshot.connectors.retain(|connector| connector.id != connector_id(5));
    let served = serve(snapshot, Options::default());
    let outcome = drift(&served, &yaml_binding_connector_1(&["B2C_1_a"]), &[]);
    assert_eq!(outcome.code, 2, "{outcome}");
    let warning = format!(
        "warning[dangling-binding]: `B2C_1_a` `postAttributeCollection` points to the deleted connector `{}`",
        connector_id(5)
    );
    assert!(outcome.stdout.contains(&warning), "{outcome}");
}

/// Guards block apply. They neither hide drift nor cause an error.
#[test]
fn drift_with_blocked_plan_exits_2() {
    let served = serve(tenant(&[("B2C_1_a", 2, 0)]), Options::default());
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]) + "guards: {maxChanges: 0}\n";
    assert_eq!(drift(&served, &yaml, &[]).code, 2);
}

#[test]
fn drift_with_unreadable_binding_is_an_error() {
    let faults = vec![crate::support::answer_get("B2C_1_b/", 0, 403, &[], "")];
    let served =
        serve(tenant(&[("B2C_1_a", 2, 0), ("B2C_1_b", 0, 0)]), Options { faults, ..Options::default() });
    let outcome = drift(&served, &yaml_binding_connector_1(&["B2C_1_a", "B2C_1_b"]), &[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    // Only the list of flows is denied, which only `--strict` needs.
    let list = crate::support::answer_get("b2cUserFlows", 0, 403, &[], "");
    let served = serve(tenant(&[("B2C_1_a", 1, 0)]), Options { faults: vec![list], ..Options::default() });
    let outcome =
        drift(&served, &yaml_binding_connector_1(&[""; 0]).replace("flows:", "flows: {}"), &["--strict"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(
        outcome.stderr.contains("error[flows-unreadable]: cannot list the tenant's user flows"),
        "{outcome}"
    );
}

/// `--strict` needs all lists to be complete.
#[test]
fn strict_drift_with_unreadable_lists_is_an_error() {
    let by_id = yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", &connector_id(1));
    let odd = r#"{"value": [{"id": "B2C_1_a"}, {"id": "B2C_1_with space"}]}"#;
    for (fault, why) in [
        (
            crate::support::answer_get("/apiConnectors", 0, 403, &[], ""),
            "error[connectors-unreadable]: cannot list the tenant's connectors",
        ),
        (
            crate::support::answer_get("b2cUserFlows", 1, 200, &[], odd),
            "the list of flows has an invalid id `B2C_1_with space`",
        ),
    ] {
        let mut fault = fault;
        if why.contains("list of flows") {
            // The path suffix matches only the list, not its flows.
            fault.path_contains = "/identity/b2cUserFlows".into();
            fault.method = Some("GET".into());
        }
        let served =
            serve(tenant(&[("B2C_1_a", 1, 0)]), Options { faults: vec![fault], ..Options::default() });
        let outcome = drift(&served, &by_id, &["--strict", "--parallelism", "1"]);
        assert_eq!(outcome.code, 1, "{why}: {outcome}");
        assert!(outcome.stderr.contains(why), "{outcome}");
    }
}

/// An error in the body counts, even with a `value`.
#[test]
fn drift_with_error_in_list_is_an_error() {
    let error = r#"{"error": {"code": "x", "message": "not today"}, "value": []}"#;
    let list = crate::support::answer_get("b2cUserFlows?", 0, 200, &[], error);
    let list = Fault { path_contains: "/identity/b2cUserFlows".into(), ..list };
    let served = serve(tenant(&[("B2C_1_a", 1, 0)]), Options { faults: vec![list], ..Options::default() });
    let outcome =
        drift(&served, &yaml_binding_connector_1(&[""; 0]).replace("flows:", "flows: {}"), &["--strict"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("not today"), "{outcome}");
}

/// Unlisted flows are read as soon as the list is known, without waiting for other reads.
#[test]
fn drift_reads_run_concurrently() {
    let slow = crate::support::answer_get("/apiConnectors", 1, 503, &[("Retry-After", "2")], "");
    let served = serve(
        tenant(&[("B2C_1_a", 1, 0), ("B2C_1_b", 0, 0)]),
        Options { faults: vec![slow], ..Options::default() },
    );
    let outcome = drift(&served, &yaml_binding_connector_1(&["B2C_1_a"]), &["--strict"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    let asked = served.requests();
    let of = |path: &str| asked.iter().rposition(|line| line.contains(path)).unwrap();
    assert!(of("B2C_1_b/apiConnectorConfiguration") < of("/apiConnectors"), "{asked:?}");
}

/// It is not documented whether the service compares ids with case.
#[test]
fn drift_compares_flow_ids_without_case() {
    let list = r#"{"value": [{"id": "B2C_1_A"}]}"#;
    let mut fault = crate::support::answer_get("/identity/b2cUserFlows", 1, 200, &[], list);
    fault.skip = 0;
    let served = serve(
        tenant(&[("B2C_1_a", 1, 0), ("B2C_1_A2", 1, 0)]),
        Options { faults: vec![fault], ..Options::default() },
    );
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]) + "prune: flows\n";
    let outcome = drift(&served, &yaml, &["--parallelism", "1"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.contains("\nUnchanged: 2 bindings\n\nNo changes.\n"), "{outcome}");
    assert!(!outcome.stdout.contains("B2C_1_A\n"), "{outcome}");
    assert!(!outcome.stdout.contains("DISABLE"), "{outcome}");
}

/// The service ignores the letter case of ids, and one file spells a flow differently from it. The flow is still
/// managed, also for the file that does not list it, whatever the order of the files.
#[test]
fn strict_drift_of_two_files_with_another_letter_case_has_nothing_unmanaged() {
    let snapshot = tenant(&[("B2C_1_signup", 1, 0), ("B2C_1_edit", 1, 0)]);
    let served = serve(snapshot, Options { ignore_case: true, ..Options::default() });
    let folder = folder();
    file(folder.path(), "a.yaml", yaml_binding_connector_1(&["B2C_1_SignUp"]));
    file(folder.path(), "b.yaml", yaml_binding_connector_1(&["B2C_1_edit"]));
    for files in [["a.yaml", "b.yaml"], ["b.yaml", "a.yaml"]] {
        let outcome = flowbind(["drift", "--strict", "--graph-url", &served.graph_url()])
            .args(files)
            .env("FLOWBIND_ACCESS_TOKEN", "t")
            .within(folder.path())
            .run();
        assert_eq!(outcome.code, 0, "{outcome}");
        assert!(!outcome.stdout.contains("Not in the file"), "{outcome}");
    }
}

/// The files of a tenant are read at once: each list once, and each flow once.
#[test]
fn plan_of_two_files_of_a_tenant_reads_every_list_once() {
    let served = serve(tenant(&[("B2C_1_a", 1, 0), ("B2C_1_b", 1, 0)]), Options::default());
    let folder = folder();
    file(folder.path(), "a.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    file(folder.path(), "b.yaml", yaml_binding_connector_1(&["B2C_1_b"]));
    let outcome = flowbind(["plan", "a.yaml", "b.yaml", "--graph-url", &served.graph_url()])
        .env("FLOWBIND_ACCESS_TOKEN", "t")
        .within(folder.path())
        .run();
    assert_eq!((outcome.code, served.request_count()), (0, 3), "{outcome}");
}

/// The suggested commands and lines work as printed.
#[test]
fn drift_suggestions_with_hostile_names_are_quoted() {
    let mut snapshot = tenant(&[("B2C_1_a", 2, 5), ("B2C_1_b", 1, 0)]);
    snapshot.connectors.retain(|connector| connector.id != connector_id(5));
    snapshot.connectors[0].target_url = None;
    let folder = folder();
    file(folder.path(), "tenant.json", snapshot.to_json());
    let yaml = format!(
        "version: 1\ntenant: contoso.onmicrosoft.com\nconnectors:\n  check: {{id: {}, targetUrl: 'https://a.b/c'}}\nflows:\n  B2C_1_a: {{postFederationSignup: null, postAttributeCollection: null}}\n  B2C_1_b: {{postFederationSignup: check}}\n",
        connector_id(1)
    );
    file(folder.path(), "my file.yaml", yaml);
    let outcome = flowbind(["drift", "my file.yaml", "--sandbox", "tenant.json"]).within(folder.path()).run();
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(
        outcome.stdout.contains("    flowbind apply 'my file.yaml' --sandbox tenant.json\n"),
        "{outcome}"
    );
    assert!(outcome.stdout.contains("    # Connector 1 has no address: remove its pin\n"), "{outcome}");
    assert!(
        outcome.stdout.contains("postAttributeCollection: null  # its connector was deleted"),
        "{outcome}"
    );
}

/// The suggested lines can be pasted into a file that does not manage the step yet.
#[test]
fn strict_drift_reports_steps_that_the_file_does_not_manage() {
    for flows in [&["B2C_1_a"][..], &[]] {
        let served = serve(tenant_binding_third_step(&[("B2C_1_a", 1, 0)]), Options::default());
        let yaml = yaml_binding_connector_1(flows)
            .replace("flows:\n", if flows.is_empty() { "flows: {}\n" } else { "flows:\n" });
        assert_eq!(drift(&served, &yaml, &[]).code, 0);
        assert!(!served.requests().iter().any(|request| request.contains("preTokenIssuance")));
        let outcome = drift(&served, &yaml, &["--strict", "--format", "json"]);
        assert_eq!(outcome.code, 2, "{outcome}");
        let plan: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        let unmanaged = plan["targets"][0]["unmanaged"].as_array().unwrap();
        let last = unmanaged.last().unwrap();
        assert_eq!((&last["flow"], &last["step"]), (&"B2C_1_a".into(), &"preTokenIssuance".into()), "{plan}");
        assert_eq!(last["current"]["id"], connector_id(4), "{plan}");

        let outcome = drift(&served, &yaml, &["--strict"]);
        let lines = offered(&outcome, "To manage the other bindings, add to flowbind.yaml");
        assert!(
            lines.starts_with("steps: [postFederationSignup, postAttributeCollection, preTokenIssuance]\n"),
            "{lines}"
        );
        let managed = format!("version: 1\ntenant: contoso.onmicrosoft.com\n{lines}");
        let managed =
            if flows.is_empty() { managed } else { managed + "    postFederationSignup: Connector 1\n" };
        let outcome = drift(&served, &managed, &["--strict"]);
        assert_eq!(outcome.code, 0, "{outcome}");
    }
}

const UNSUPPORTED: &str =
    "warning[unsupported-step]: the service rejects `preTokenIssuance`, so its bindings were not read";

#[test]
fn strict_drift_without_third_step_of_the_service_warns() {
    for (flows, code) in [(&[("B2C_1_a", 1, 0)][..], 0), (&[("B2C_1_a", 1, 0), ("B2C_1_b", 1, 0)], 2)] {
        let faults = vec![answer_get("preTokenIssuance", 0, 400, &[], "")];
        let served = serve(tenant_binding_third_step(flows), Options { faults, ..Options::default() });
        let outcome = drift(&served, &yaml_binding_connector_1(&["B2C_1_a"]), &["--strict"]);
        assert_eq!(outcome.code, code, "{outcome}");
        assert_eq!(outcome.stdout.matches(UNSUPPORTED).count(), 1, "{outcome}");
        // Without a strict run, the step is not read.
        let outcome = drift(&served, &yaml_binding_connector_1(&["B2C_1_a"]), &[]);
        assert_eq!((outcome.code, outcome.to_string().contains(UNSUPPORTED)), (0, false), "{outcome}");
    }
}

/// A binding that a file manages is never left out.
#[test]
fn strict_drift_without_managed_third_step_of_the_service_fails() {
    let faults = || vec![answer_get("preTokenIssuance", 0, 400, &[], "")];
    let options = || Options { faults: faults(), ..Options::default() };
    let head = "version: 1\ntenant: contoso.onmicrosoft.com\n";
    let steps = "steps: [postFederationSignup, preTokenIssuance]\n";
    let other = format!("{head}flows:\n  B2C_1_b: {{postFederationSignup: Connector 1}}\n");
    for flows in
        ["flows:\n  B2C_1_a: {preTokenIssuance: Connector 4}\n", "prune: flows\nflows:\n  B2C_1_a: {}\n"]
    {
        for name in ["a.yaml", "z.yaml"] {
            let served = serve(tenant_binding_third_step(&[("B2C_1_a", 0, 0), ("B2C_1_b", 1, 0)]), options());
            let folder = folder();
            file(folder.path(), name, format!("{head}{steps}{flows}"));
            if flows.contains("Connector 4") {
                file(folder.path(), "other.yaml", &other);
            }
            let outcome = flowbind(["drift", ".", "--strict", "--format", "json"])
                .connect_to(&served.graph_url())
                .within(folder.path())
                .run();
            assert_eq!(outcome.code, 1, "{outcome}");
            assert!(!outcome.to_string().contains("unsupported-step"), "{outcome}");
            let plan: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
            let unknown = plan["targets"].as_array().unwrap().iter();
            let mut unknown = unknown.flat_map(|target| target["unknown"].as_array().unwrap());
            assert!(unknown.any(|it| it["flow"] == "B2C_1_a" && it["step"] == "preTokenIssuance"), "{plan}");
        }
    }
}

/// Documented steps are never left out, whatever the file manages.
#[test]
fn strict_drift_with_one_managed_step_leaves_out_only_the_third_step() {
    let faults = vec![answer_get("preTokenIssuance", 0, 400, &[], "")];
    let served =
        serve(tenant_binding_third_step(&[("B2C_1_a", 2, 1)]), Options { faults, ..Options::default() });
    let yaml = "version: 1\ntenant: contoso.onmicrosoft.com\nsteps: [postAttributeCollection]\nflows:\n  B2C_1_a: {postAttributeCollection: Connector 1}\n";
    let outcome = drift(&served, yaml, &["--strict"]);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stdout.contains(UNSUPPORTED), "{outcome}");
    let lines = offered(&outcome, "To manage the other bindings, add to flowbind.yaml");
    assert!(lines.starts_with("steps: [postFederationSignup, postAttributeCollection]\n"), "{lines}");
}

#[test]
fn strict_drift_with_third_step_rejected_for_one_flow_fails() {
    let step = "B2C_1_b/apiConnectorConfiguration?$expand=postFederationSignup,postAttributeCollection,preTokenIssuance";
    let served = serve(
        tenant(&[("B2C_1_a", 1, 0), ("B2C_1_b", 0, 0)]),
        Options { faults: vec![answer_get(step, 0, 400, &[], "")], ..Options::default() },
    );
    let outcome = drift(&served, &yaml_binding_connector_1(&["B2C_1_a"]), &["--strict"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stdout.contains("`B2C_1_b` (preTokenIssuance)"), "{outcome}");
}

/// Only runs that list the flows know their types.
#[test]
fn drift_warns_about_steps_that_are_never_called() {
    let mut snapshot = tenant(&[("B2C_1_a", 1, 0), ("B2C_1_b", 0, 2)]);
    for flow in &mut snapshot.flows {
        flow.user_flow_type = "passwordReset".into();
    }
    let served = serve(snapshot, Options::default());
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]);
    let text = |flow: &str, step: &str| {
        format!("`{flow}` `{step}` has no effect: flows of the type `passwordReset` never call it")
    };
    let expected = [text("B2C_1_a", "postFederationSignup"), text("B2C_1_b", "postAttributeCollection")];
    for (format, is_escaped) in [("text", false), ("json", false), ("markdown", true), ("html", true)] {
        let outcome = drift(&served, &yaml, &["--strict", "--format", format]);
        assert_eq!(outcome.code, 2, "{outcome}");
        for text in &expected {
            let text = if is_escaped { "never call it" } else { text };
            assert!(outcome.stdout.contains(text), "{format}: {outcome}");
        }
        assert!(outcome.stdout.contains("step-never-called"), "{format}: {outcome}");
    }
    let outcome = drift(&served, &yaml, &[]);
    assert_eq!((outcome.code, outcome.to_string().contains("never-called")), (0, false), "{outcome}");

    // A binding that the plan removes is not reported.
    let pruning = yaml.replace("flows:", "prune: flows\nflows:").replace("Connector 1", "null");
    let outcome = drift(&served, &pruning, &[]);
    assert_eq!((outcome.code, outcome.to_string().contains("never-called")), (2, false), "{outcome}");
    let outcome = drift(&served, &yaml.replace("flows:", "prune: flows\nflows:"), &[]);
    assert_eq!(
        (outcome.code, outcome.stdout.matches("warning[step-never-called]").count()),
        (2, 1),
        "{outcome}"
    );
}

/// Keys that older versions do not write may be absent.
#[test]
fn show_reads_a_strict_drift_of_an_older_version() {
    let served = serve(tenant(&[("B2C_1_a", 1, 0)]), Options::default());
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]);
    let outcome = drift(&served, &yaml, &["--strict", "--format", "json"]);
    let mut plan: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    for key in ["neverCalled", "unsupportedStep", "steps"] {
        assert!(plan["targets"][0].as_object_mut().unwrap().remove(key).is_some(), "{key}: {plan}");
    }
    let folder = folder();
    file(folder.path(), "plan.json", plan.to_string());
    let outcome = flowbind(["show", "plan.json"]).within(folder.path()).run();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
}
