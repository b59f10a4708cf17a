//! Drift: exit code, differences, suggested commands, and output.

use std::collections::{BTreeMap, BTreeSet};

use flowbind::model::Step;
use flowbind::sandbox::{Fault, Options};
use proptest::collection::btree_map;
use proptest::prelude::*;
use serde_json::Value;

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

/// Runs `drift --format json` and returns its exit code with its differences, each as kind and subject.
fn differences(served: &SandboxServer, yaml: &str, args: &[&str]) -> (i32, Vec<String>) {
    let outcome = drift(served, yaml, &[args, &["--format", "json"]].concat());
    let drift: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome}"));
    (outcome.code, kinds_and_subjects(&drift))
}

/// Returns the kind and the subject of each difference of saved drift.
fn kinds_and_subjects(drift: &Value) -> Vec<String> {
    let targets = drift["targets"].as_array().unwrap().iter();
    let differences = targets.flat_map(|target| target["differences"].as_array().unwrap());
    let shown = differences.map(|it| {
        let text = |value: &Value| value.as_str().map(|text| format!(" {text}")).unwrap_or_default();
        let connector = text(&it["connector"]["displayName"]);
        format!("{}{}{}{connector}", it["kind"].as_str().unwrap(), text(&it["flow"]), text(&it["step"]))
    });
    shown.collect()
}

/// Returns the suggested commands.
fn commands(outcome: &Outcome) -> Vec<&str> {
    outcome.stdout.lines().filter_map(|line| line.strip_prefix("    flowbind ")).collect()
}

#[test]
fn drift_suggests_commands_about_the_same_tenant() {
    let served = serve(tenant(&[("B2C_1_a", 2, 0), ("B2C_1_b", 0, 3)]), Options::default());
    let yaml = yaml_binding_connector_1(&["B2C_1_a", "B2C_1_b"]);
    let outcome = drift(&served, &yaml, &[]);
    assert_eq!(outcome.code, 2, "{outcome}");
    let url = served.graph_url();
    let expected = ["apply", "accept"].map(|command| format!("{command} flowbind.yaml --graph-url {url}"));
    assert_eq!(commands(&outcome), expected, "{outcome}");
}

/// The suggested command overrides no guard: a reviewer adds the flag of the blocker. A blocker that no flag lifts
/// leaves no command to suggest.
#[test]
fn drift_with_blockers_suggests_apply_without_override_flags() {
    let served = serve(tenant(&[("B2C_1_a", 2, 0), ("B2C_1_b", 0, 3)]), Options::default());
    let yaml = yaml_binding_connector_1(&["B2C_1_a", "B2C_1_b"]) + "guards: {maxChanges: 1}\n";
    let outcome = drift(&served, &yaml, &[]);
    assert_eq!(outcome.code, 2, "{outcome}");
    let command = format!("apply flowbind.yaml --graph-url {}", served.graph_url());
    let blocked = format!("{command}  # blocked by guards; review before overriding");
    assert_eq!(commands(&outcome)[0], blocked, "{outcome}");
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml);
    for (flags, code) in [(&["--yes"][..], 3), (&["--yes", "--max-changes", "2"], 0)] {
        let args = command.split_whitespace().chain(flags.iter().copied());
        let outcome = flowbind(args).env("FLOWBIND_ACCESS_TOKEN", "t").within(folder.path()).run();
        assert_eq!(outcome.code, code, "{outcome}");
    }

    let pinned = "version: 1\ntenant: contoso.onmicrosoft.com\nconnectors:\n  check: {displayName: Connector 1, targetUrl: 'https://api.contoso.com/other'}\nflows:\n  B2C_1_a: {postAttributeCollection: check}\n";
    let served = serve(tenant(&[("B2C_1_a", 2, 0)]), Options::default());
    let outcome = drift(&served, pinned, &[]);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(!outcome.stdout.contains("blocked[") && !outcome.stdout.contains("flowbind apply"), "{outcome}");
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
    assert!(commands(&outcome)[0].ends_with(" --strict"), "{outcome}");
    let expected =
        ["unmanaged B2C_1_a postAttributeCollection", "unmanaged B2C_1_other postFederationSignup"];
    assert_eq!(differences(&served, &yaml, &["--strict"]), (2, expected.map(str::to_owned).to_vec()));
}

/// A binding that one file prunes is not unmanaged for another.
#[test]
fn drift_does_not_list_bindings_pruned_by_another_file() {
    let served = serve(tenant(&[("B2C_1_a", 0, 1), ("B2C_1_b", 2, 1)]), Options::default());
    let folder = folder();
    let head = "version: 1\ntenant: contoso.onmicrosoft.com\n";
    let a = format!("{head}flows:\n  B2C_1_a: {{postAttributeCollection: Connector 1}}\n");
    file(folder.path(), "a.yaml", a);
    let steps = "prune: steps\nflows:\n  B2C_1_b: {postAttributeCollection: Connector 1}\n";
    let flows = "prune: flows\nsteps: [postFederationSignup]\nflows:\n  B2C_1_a: {}\n";
    for (prune, strict_lists) in [(steps, vec![]), (flows, vec!["unmanaged B2C_1_b postAttributeCollection"])]
    {
        file(folder.path(), "b.yaml", format!("{head}{prune}"));
        let outcome = flowbind(["drift", "a.yaml", "b.yaml", "--strict", "--format", "json"])
            .connect_to(&served.graph_url())
            .within(folder.path())
            .run();
        assert_eq!(outcome.code, 2, "{outcome}");
        let drift: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let mut unmanaged = kinds_and_subjects(&drift);
        unmanaged.retain(|it| it.starts_with("unmanaged"));
        assert_eq!(unmanaged, strict_lists, "{outcome}");
    }
}

/// An unmanaged binding is listed once per tenant, below one of its files.
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
    assert_eq!(text.stdout.matches("  unmanaged  B2C_1_c").count(), 2, "{text}");
    let prom = run("prom");
    let sample = "flowbind_drift_differences{tenant=\"contoso.onmicrosoft.com\",kind=\"unmanaged\",command=\"drift\"} 2\n";
    assert!(prom.stdout.contains(sample), "{prom}");
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
    assert!(heading.contains("drift: 1 dangling\n"), "{heading}");
    let counts = output(&["--format", "prom"]);
    let sample = "flowbind_drift_differences{tenant=\"contoso.onmicrosoft.com\",kind=\"dangling\",command=\"drift\"} 1\n";
    assert!(counts.contains(sample), "{counts}");
    let text = output(&[]);
    assert!(text.contains("\nDrift: 1 dangling.\n\nFor `dangling`: bind another connector"), "{text}");
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
    assert_eq!(outcome.stdout.matches("\n  DANGLING  B2C_1_c").count(), 1, "{outcome}");
    // The file wants another connector, which matters more than the deleted one.
    assert_eq!(outcome.stdout.matches("\n  CHANGED  B2C_1_a").count(), 1, "{outcome}");
    for (name, out) in [("a.yaml", "a.json"), ("b.yaml", "b.json")] {
        assert_eq!(run(&["drift", name, "--strict", "--out", out]).code, 2);
    }
    let joined = flowbind(["show", "a.json", "b.json", "--format", "markdown"]).within(folder.path()).run();
    let unsplit = run(&["drift", "a.yaml", "b.yaml", "--strict", "--format", "markdown"]);
    assert_eq!((joined.code, &joined.stdout), (2, &unsplit.stdout), "{joined}");
}

/// A name that the tenant does not have is a difference, and blocks only `apply`.
#[test]
fn drift_of_missing_flow_is_unresolved_and_suggests_no_apply() {
    let served = serve(tenant(&[("B2C_1_a", 2, 0)]), Options::default());
    let yaml = yaml_binding_connector_1(&["B2C_1_a", "B2C_1_none"]);
    let outcome = drift(&served, &yaml, &[]);
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(!outcome.stdout.contains("flowbind apply"), "{outcome}");
    assert!(outcome.stdout.contains("\n  UNRESOLVED  B2C_1_none  (flowbind.yaml:"), "{outcome}");
    assert!(outcome.stdout.contains("  Note: no such user flow: `B2C_1_none`"), "{outcome}");
    assert!(!outcome.to_string().contains("error["), "{outcome}");
    assert_eq!(served.plan(&yaml, &[]).code, 1);
}

/// A renamed connector is found by its pinned address or by its id.
#[test]
fn drift_of_renamed_connector_names_its_new_name() {
    let mut snapshot = tenant(&[("B2C_1_a", 1, 0)]);
    snapshot.connectors[0].display_name = Some("Renamed".to_owned());
    let served = serve(snapshot, Options::default());
    for (entry, note) in [
        (
            "displayName: Connector 1, targetUrl: 'https://api.contoso.com/check'",
            "check whether it was renamed: `Renamed` or ",
        ),
        (
            &*format!("displayName: Connector 1, id: {}", connector_id(1)),
            "is named `Renamed`, not `Connector 1`",
        ),
    ] {
        let yaml = format!(
            "version: 1\ntenant: contoso.onmicrosoft.com\nconnectors:\n  check: {{{entry}}}\nflows:\n  B2C_1_a: {{postFederationSignup: check}}\n"
        );
        let expected = vec!["unresolved B2C_1_a postFederationSignup".to_owned()];
        assert_eq!(differences(&served, &yaml, &[]), (2, expected));
        let outcome = drift(&served, &yaml, &[]);
        assert!(outcome.stdout.contains(note), "{outcome}");
    }
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
    let sides = "file says:  https://api.contoso.com/other\n    tenant has: https://api.contoso.com/check\n";
    assert!(outcome.stdout.contains("\n  ADDRESS  Connector 1  (flowbind.yaml:4)\n"), "{outcome}");
    assert!(outcome.stdout.contains(sides), "{outcome}");
    // The pin also counts if the binding does not use the short name with the pin.
    let outcome = drift(
        &served,
        &pinned("https://api.contoso.com/other")
            .replace("Signup: check", &format!("Signup: {}", connector_id(1))),
        &[],
    );
    assert_eq!(outcome.code, 2, "{outcome}");
    assert!(outcome.stdout.contains(sides), "{outcome}");
}

#[test]
fn drift_reports_dangling_connector() {
    let mut snapshot = tenant(&[("B2C_1_a", 1, 5)]);
    snapshot.connectors.retain(|connector| connector.id != connector_id(5));
    let served = serve(snapshot, Options::default());
    let expected = vec!["dangling B2C_1_a postAttributeCollection".to_owned()];
    assert_eq!(differences(&served, &yaml_binding_connector_1(&["B2C_1_a"]), &[]), (2, expected));
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
    assert!(outcome.stdout.contains("\nUnchanged: 2 bindings\n\nNo drift.\n"), "{outcome}");
    assert!(!outcome.stdout.contains("B2C_1_A\n"), "{outcome}");
    assert!(!outcome.stdout.contains("added"), "{outcome}");
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

/// The suggested commands work as printed.
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
    assert!(outcome.stdout.contains("    tenant has: no address\n"), "{outcome}");
}

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
        let drift: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let last = drift["targets"][0]["differences"].as_array().unwrap().last().unwrap();
        assert_eq!(
            kinds_and_subjects(&drift).last().unwrap(),
            "unmanaged B2C_1_a preTokenIssuance",
            "{drift}"
        );
        assert_eq!(last["tenant"]["id"], connector_id(4), "{drift}");
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
            let drift: Value = serde_json::from_str(&outcome.stdout).unwrap();
            let unknown = drift["targets"].as_array().unwrap().iter();
            let mut unknown = unknown.flat_map(|target| target["unknown"].as_array().unwrap());
            assert!(unknown.any(|it| it["flow"] == "B2C_1_a" && it["step"] == "preTokenIssuance"), "{drift}");
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
    assert!(outcome.stdout.contains("  unmanaged  B2C_1_a postFederationSignup\n"), "{outcome}");
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
    for (format, is_escaped) in [("text", false), ("markdown", true), ("html", true)] {
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

/// Tenant whose flows bind these connectors at `postFederationSignup`, and its file, which binds connector 1.
struct Nights {
    folder: tempfile::TempDir,
    night: usize,
}

impl Nights {
    fn new() -> Self {
        let folder = folder();
        file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a", "B2C_1_b"]));
        Self { folder, night: 0 }
    }

    /// Runs the job of the next night against a tenant with these connectors.
    fn run(&mut self, a: usize, b: usize, args: &[&str]) -> (Outcome, Value) {
        let snapshot = tenant(&[("B2C_1_a", a, 0), ("B2C_1_b", b, 0)]);
        file(self.folder.path(), "tenant.json", snapshot.to_json());
        self.run_with(&["--sandbox", "tenant.json"], args)
    }

    fn run_with(&mut self, connection: &[&str], args: &[&str]) -> (Outcome, Value) {
        self.night += 1;
        let start = 1_793_606_400 + self.night * 86_400;
        let outcome = flowbind(["drift", "--since", "drift.json", "--out", "drift.json"])
            .args(connection)
            .args(args)
            .env("SOURCE_DATE_EPOCH", &start.to_string())
            .env("FLOWBIND_ACCESS_TOKEN", "t")
            .within(self.folder.path())
            .run();
        let saved = std::fs::read_to_string(self.folder.path().join("drift.json")).unwrap();
        (outcome, serde_json::from_str(&saved).unwrap())
    }
}

/// Returns the ages that the text shows, in order.
fn ages(outcome: &Outcome) -> Vec<&str> {
    let heads =
        outcome.stdout.lines().filter(|line| line.starts_with("  ") && line.contains("postFederation"));
    heads.filter_map(|line| line.rsplit_once(", ")?.1.strip_suffix(')')).collect()
}

#[test]
fn drift_of_five_nights_is_new_known_worse_resolved_and_over() {
    let mut nights = Nights::new();
    let mut fingerprints = Vec::new();
    for (a, b, code, new_only, shown, resolved) in [
        (2, 1, 2, 2, &["new"][..], 0),
        (2, 1, 2, 0, &["since 2026-11-03"], 0),
        (2, 0, 2, 2, &["new", "since 2026-11-03"], 0),
        // The other check is missing now, too, and the first one is back.
        (0, 1, 2, 2, &["new"], 1),
        (1, 1, 0, 0, &[], 1),
    ] {
        let before = std::fs::read(nights.folder.path().join("drift.json")).ok();
        let (outcome, drift) = nights.run(a, b, &[]);
        assert_eq!((outcome.code, &*ages(&outcome)), (code, shown), "{outcome}");
        assert_eq!(drift["targets"][0]["resolved"].as_array().unwrap().len(), resolved, "{outcome}");
        let warns = outcome.stderr.contains("warning[earlier-drift-missing]: `drift.json` does not exist");
        assert_eq!(warns, before.is_none(), "{outcome}");
        fingerprints.push(drift["fingerprint"].clone());
        // The same night with `--new-only` differs only in the exit code.
        if let Some(before) = before {
            std::fs::write(nights.folder.path().join("drift.json"), before).unwrap();
            nights.night -= 1;
            let (again, _) = nights.run(a, b, &["--new-only"]);
            assert_eq!((again.code, again.stdout), (new_only, outcome.stdout));
        }
    }
    let is_changed: Vec<_> = fingerprints.windows(2).map(|pair| pair[0] != pair[1]).collect();
    assert_eq!(is_changed, [false, true, true, true]);
}

/// A night without an answer must not make everything new on the next one.
#[test]
fn drift_that_could_not_be_read_keeps_its_memory() {
    let mut nights = Nights::new();
    assert_eq!(nights.run(2, 1, &[]).0.code, 2);
    let faults = vec![answer_get("B2C_1_a/", 0, 403, &[], "")];
    let served =
        serve(tenant(&[("B2C_1_a", 2, 0), ("B2C_1_b", 0, 0)]), Options { faults, ..Options::default() });
    let (outcome, drift) = nights.run_with(&["--graph-url", &served.graph_url()], &[]);
    assert_eq!((outcome.code, &drift["fingerprint"]), (1, &Value::Null), "{outcome}");
    assert_eq!(drift["remembered"][0]["difference"]["flow"], "B2C_1_a", "{drift}");
    assert_eq!(drift["targets"][0]["resolved"], Value::Array(Vec::new()), "{drift}");
    // Invalid files do not end the memory either.
    let yaml = std::fs::read(nights.folder.path().join("flowbind.yaml")).unwrap();
    file(nights.folder.path(), "flowbind.yaml", "version: 9");
    assert_eq!(nights.run(2, 0, &[]).0.code, 1);
    std::fs::write(nights.folder.path().join("flowbind.yaml"), yaml).unwrap();
    let (outcome, _) = nights.run(2, 0, &["--new-only"]);
    assert_eq!(
        (outcome.code, &*ages(&outcome)),
        (0, &["since 2026-11-04", "since 2026-11-03"][..]),
        "{outcome}"
    );
}

/// Only a strict run reads the other bindings, so a run that is not strict does not resolve them.
#[test]
fn drift_without_strict_remembers_unmanaged_bindings() {
    let mut nights = Nights::new();
    file(nights.folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    assert_eq!(ages(&nights.run(1, 2, &["--strict"]).0), ["new"; 0]);
    let (outcome, drift) = nights.run(1, 2, &[]);
    assert_eq!((outcome.code, drift["remembered"].as_array().unwrap().len()), (0, 1), "{outcome}");
    let (outcome, drift) = nights.run(1, 2, &["--strict", "--new-only"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(drift["targets"][0]["differences"][0]["firstSeen"], "2026-11-03T08:00:00Z", "{drift}");
}

/// Connector 9 does not exist. Without `--strict`, a run reads the flows that the file lists and no others.
#[test]
fn drift_without_strict_remembers_dangling_bindings_of_unlisted_flows() {
    let mut nights = Nights::new();
    file(nights.folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    assert_eq!(nights.run(1, 9, &["--strict"]).0.code, 2);
    let (outcome, drift) = nights.run(1, 9, &[]);
    assert_eq!((outcome.code, drift["remembered"].as_array().unwrap().len()), (0, 1), "{outcome}");
    assert_eq!(nights.run(1, 9, &["--strict", "--new-only"]).0.code, 0);
    let (_, drift) = nights.run(1, 0, &["--strict"]);
    assert_eq!(drift["targets"][0]["resolved"][0]["kind"], "dangling", "{drift}");
}

#[test]
fn drift_of_a_deleted_flow_takes_the_place_of_its_bindings() {
    let mut nights = Nights::new();
    assert_eq!(nights.run(2, 0, &[]).0.code, 2);
    file(nights.folder.path(), "tenant.json", tenant(&[("B2C_1_b", 1, 0)]).to_json());
    let (outcome, drift) = nights.run_with(&["--sandbox", "tenant.json"], &[]);
    assert_eq!(kinds_and_subjects(&drift), ["unresolved B2C_1_a"], "{outcome}");
    let resolved = &drift["targets"][0]["resolved"];
    assert_eq!((resolved.as_array().unwrap().len(), &resolved[0]["flow"]), (1, &"B2C_1_b".into()), "{drift}");
    assert_eq!(drift["remembered"], Value::Array(Vec::new()), "{drift}");
}

/// Each file has its own pin, and both are about one connector.
#[test]
fn drift_of_a_connector_that_two_files_pin_is_not_resolved() {
    let folder = folder();
    let yaml = |flow: &str| {
        "connectors: {c: {displayName: Connector 1, targetUrl: 'https://old.com/'}}\n".to_owned()
            + &yaml_binding_connector_1(&[flow]).replace("Connector 1", "c")
    };
    file(folder.path(), "a.yaml", yaml("B2C_1_a"));
    file(folder.path(), "b.yaml", yaml("B2C_1_b"));
    file(folder.path(), "tenant.json", tenant(&[("B2C_1_a", 1, 0), ("B2C_1_b", 1, 0)]).to_json());
    let run = || {
        flowbind(["drift", "a.yaml", "b.yaml", "--since", "drift.json", "--out", "drift.json"])
            .args(["--sandbox", "tenant.json"])
            .within(folder.path())
            .run()
    };
    for age in ["new", "since 2026-11-02"] {
        let outcome = run();
        assert_eq!(outcome.stdout.matches(&format!(", {age})")).count(), 2, "{outcome}");
        assert!(!outcome.stdout.contains("Resolved"), "{outcome}");
    }
}

#[test]
fn drift_since_another_kind_of_file_is_an_error() {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    file(folder.path(), "tenant.json", tenant(&[("B2C_1_a", 2, 0)]).to_json());
    let run = |args: &[&str]| flowbind(args).args(["--sandbox", "tenant.json"]).within(folder.path()).run();
    assert_eq!(run(&["plan", "--out", "plan.json"]).code, 0);
    assert_eq!(run(&["drift", "--out", "drift.json"]).code, 2);
    let drift = std::fs::read_to_string(folder.path().join("drift.json")).unwrap();
    file(
        folder.path(),
        "edited.json",
        drift.replace(r#""missing""#, r#""added""#).replace("changed", "added"),
    );
    file(folder.path(), "broken.json", &drift[..drift.len() / 2]);
    for (name, code, why) in [
        ("plan.json", 1, "`plan.json` is not the output of `drift`"),
        ("edited.json", 1, "modified after flowbind wrote the file"),
        ("broken.json", 1, "delete the file, so that the next run starts a new one"),
        ("flowbind.yaml", 1, "hint: pass a file written by `flowbind drift --out drift.json`"),
    ] {
        let outcome = run(&["drift", "--since", name]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (code, ""), "{outcome}");
        assert!(outcome.stderr.contains(why), "{outcome}");
    }
    let outcome = run(&["drift", "--new-only"]);
    assert!(outcome.code == 1 && outcome.stderr.contains("--since"), "{outcome}");
    // Drift is not a plan.
    let outcome = run(&["apply", "--plan", "drift.json"]);
    assert!(
        outcome.code == 1 && outcome.stderr.contains("is the output of `drift`, not a plan"),
        "{outcome}"
    );
}

/// Connector of each step of some flows, by flow and step; `None` for `null`. A pair that is absent from a file is not
/// in it.
type Bindings = BTreeMap<(u8, Step), Option<u8>>;

fn random_bindings() -> impl Strategy<Value = Bindings> {
    let step = prop::sample::select(Step::DEFAULT.to_vec());
    btree_map((0..5u8, step), prop::option::of(1..5u8), 0..10)
}

/// Returns a file with these bindings, which pins the connectors of `pins`, some of them to another address than the
/// tenant has.
fn random_file(bindings: &Bindings, pins: &BTreeMap<u8, bool>) -> String {
    let mut yaml =
        "# head\nversion: 1\ntenant: contoso.onmicrosoft.com\nconnectors: # short names\n".to_owned();
    for (number, holds) in pins {
        let path = if *holds { "check" } else { "other" };
        yaml += &format!(
            "  c{number}:\n    displayName: Connector {number}\n    targetUrl: 'https://api.contoso.com/{path}' # {number}\n"
        );
    }
    if pins.is_empty() {
        yaml = yaml.replace("connectors: # short names\n", "");
    }
    yaml += if bindings.is_empty() { "flows: {}\n" } else { "flows:\n" };
    for flow in bindings.keys().map(|(flow, _)| flow).collect::<BTreeSet<_>>() {
        yaml += &format!("  # flow {flow}\n  B2C_1_{flow}:\n");
        for ((_, step), connector) in bindings.iter().filter(|((at, _), _)| at == flow) {
            let value = match connector {
                None => "null".to_owned(),
                Some(number) if pins.contains_key(number) => format!("c{number}"),
                Some(number) if pins.is_empty() => format!("\"Connector {number}\""),
                Some(number) => connector_id(usize::from(*number)),
            };
            yaml += &format!("    {step}: {value}  # {step} of {flow}\n");
        }
    }
    yaml
}

/// Returns the differences of a strict run, each as kind and subject.
fn expected(wanted: &Bindings, has: &Bindings, pins: &BTreeMap<u8, bool>) -> BTreeSet<String> {
    let bound = |at: &(u8, Step)| has.get(at).copied().flatten();
    let binding = |kind: &str, (flow, step): &(u8, Step)| format!("{kind} B2C_1_{flow} {step}");
    let managed = wanted.iter().filter_map(|(at, wanted)| match (wanted, bound(at)) {
        (wanted, has) if *wanted == has => None,
        (_, None) => Some(binding("missing", at)),
        (None, _) => Some(binding("added", at)),
        (Some(_), Some(_)) => Some(binding("changed", at)),
    });
    let unmanaged = has.iter().filter(|(at, bound)| bound.is_some() && !wanted.contains_key(at));
    let is_bound = |number: &u8| wanted.values().any(|wanted| *wanted == Some(*number));
    let addresses = pins.iter().filter(|(number, holds)| !**holds && is_bound(number));
    managed
        .chain(unmanaged.map(|(at, _)| binding("unmanaged", at)))
        .chain(addresses.map(|(number, _)| format!("address Connector {number}")))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

    #[test]
    fn drift_lists_the_differing_bindings_and_accept_removes_them(
        wanted in random_bindings(),
        has in random_bindings(),
        pins in btree_map(1..5u8, any::<bool>(), 0..4),
    ) {
        let folder = folder();
        let step = |at: u8, step| usize::from(has.get(&(at, step)).copied().flatten().unwrap_or_default());
        let names: Vec<_> = (0..5).map(|flow| format!("B2C_1_{flow}")).collect();
        let [first, second] = Step::DEFAULT;
        let flows: Vec<_> = (0..5u8)
            .map(|at| (names[usize::from(at)].as_str(), step(at, first), step(at, second)))
            .collect();
        file(folder.path(), "tenant.json", tenant(&flows).to_json());
        let before = random_file(&wanted, &pins);
        file(folder.path(), "flowbind.yaml", &before);
        let run = |args: &[&str]| {
            flowbind(args).args(["--strict", "--sandbox", "tenant.json"]).within(folder.path()).run()
        };
        let listed = |outcome: &Outcome| -> BTreeSet<_> {
            let drift = serde_json::from_str(&outcome.stdout).unwrap();
            kinds_and_subjects(&drift).into_iter().collect()
        };
        let drift = run(&["drift", "--format", "json"]);
        let expected = expected(&wanted, &has, &pins);
        prop_assert_eq!(listed(&drift), expected.clone(), "{}\n{}", before, drift);
        prop_assert_eq!(drift.code, if expected.is_empty() { 0 } else { 2 });

        let shown = run(&["accept"]);
        prop_assert_eq!(shown.code, if expected.is_empty() { 0 } else { 2 }, "{}", shown);
        let accepted = run(&["accept", "--write"]);
        prop_assert_eq!((accepted.code, &accepted.stdout), (0, &shown.stdout), "{}\n{}", before, accepted);
        let drift = run(&["drift", "--format", "json"]);
        prop_assert_eq!((drift.code, listed(&drift)), (0, BTreeSet::new()), "{}\n{}", accepted, drift);

        // Only the lines of these bindings are replaced, and their comments stay.
        let removed = accepted.stdout.lines().filter(|line| line.starts_with('-') && !line.starts_with("---"));
        for line in removed {
            let is_binding = |it: &String| match it.split(' ').collect::<Vec<_>>().as_slice() {
                [_, flow, step] => line.contains(&format!("{step} of {}", &flow["B2C_1_".len()..])),
                _ => line.contains("targetUrl"),
            };
            let is_pin = line.contains("targetUrl") || line == "-flows: {}";
            prop_assert!(is_pin || expected.iter().any(is_binding), "{line} of\n{before}\n{accepted}");
        }
        let after = std::fs::read_to_string(folder.path().join("flowbind.yaml")).unwrap();
        let comments = |text: &str| -> BTreeSet<_> {
            text.lines().filter_map(|line| Some(line.split_once(" # ")?.1.to_owned())).collect()
        };
        prop_assert!(comments(&before).is_subset(&comments(&after)), "{before}\n{after}");
    }
}
