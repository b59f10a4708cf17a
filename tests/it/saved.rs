//! Saved plans: approval by fingerprint, and staleness checks before apply.

use std::fs;
use std::path::Path;

use flowbind::model::FlowId;
use flowbind::sandbox::{Fault, Options};
use flowbind::saved::{self, Saved};
use flowbind::snapshot::Snapshot;
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{
    Outcome, SandboxServer, answer_get, connector_id, connects, file, flowbind, folder, package, serve,
    tenant, yaml_binding_connector_1,
};

pub const FLOWS: [&str; 3] = ["B2C_1_a", "B2C_1_b", "B2C_1_c"];

pub fn three(numbers: [usize; 3]) -> Snapshot {
    let [a, b, c] = numbers;
    tenant(&[(FLOWS[0], a, 0), (FLOWS[1], b, 0), (FLOWS[2], c, 0)])
}

pub fn run(served: &SandboxServer, folder: &Path, args: &[&str]) -> Outcome {
    let graph_url = served.graph_url();
    let connection = ["--graph-url", &graph_url];
    flowbind(args)
        .args(if connects(args[0]) { &connection[..] } else { &[] })
        .env("FLOWBIND_ACCESS_TOKEN", "t")
        .within(folder)
        .run()
}

/// Creates a folder with a plan that binds `Connector 1` in three flows that have `Connector 2`.
pub fn planned(served: &SandboxServer) -> tempfile::TempDir {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&FLOWS));
    let outcome = run(served, folder.path(), &["plan", "--out", "plan.json"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    folder
}

const GUID: &str = "11111111-1111-1111-1111-111111111111";

fn bound(served: &SandboxServer) -> Vec<Option<String>> {
    let flows = served.actual_state().flows.into_iter();
    flows.map(|flow| flow.bindings.into_values().next().flatten()).collect()
}

/// Returns a plan with a valid fingerprint that changes its first binding twice.
fn twice(plan: &str) -> String {
    let Ok(Saved::Plan(mut plan, at)) = saved::read(plan) else { panic!("{plan}") };
    let mut again = plan.tenants[0].targets[0].changes[0].clone();
    again.flow = FlowId::parse(&again.flow.as_str().replace("_a", "_A")).unwrap();
    plan.tenants[0].targets[0].changes.push(again);
    saved::plan::to_json(&plan, &at)
}

#[test]
fn saved_plan_changes_only_its_own_bindings() {
    let served = serve(three([2, 2, 2]), Options::default());
    let folder = planned(&served);
    // The desired-state file is not needed.
    fs::remove_file(folder.path().join("flowbind.yaml")).unwrap();
    let before = served.requests().len();
    let outcome = run(&served, folder.path(), &["apply", "--plan", "plan.json", "--out", "report.json"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(bound(&served), vec![Some(connector_id(1)); 3]);
    // Three bindings are read, changed and read back. The connectors are listed once.
    assert_eq!(served.requests().len() - before, 10);
    assert!(served.requests()[before..].iter().all(|line| line.contains("/postFederationSignup/$ref")
        || line.ends_with("$expand=postFederationSignup")
        || line == "GET /beta/identity/apiConnectors"));
    // The same plan again: all changes are already made.
    let puts = served.puts();
    let outcome = run(&served, folder.path(), &["apply", "--plan", "plan.json"]);
    assert_eq!((outcome.code, served.puts()), (0, puts), "{outcome}");
    assert!(outcome.stdout.contains("Apply: 3 already."), "{outcome}");
}

#[test]
fn saved_plan_with_stale_binding_is_blocked() {
    let served = serve(three([2, 2, 2]), Options::default());
    let folder = planned(&served);
    served.bind_out_of_band("B2C_1_b", "Connector 3");
    served.bind_out_of_band("B2C_1_c", "null");
    let puts = served.puts();
    let outcome = run(&served, folder.path(), &["apply", "--plan", "plan.json", "--out", "report.json"]);
    assert_eq!((outcome.code, served.puts()), (3, puts), "{outcome}");
    for stale in [
        "`B2C_1_b` `postFederationSignup`: the plan expected Connector 2, the tenant now has Connector 3",
        "`B2C_1_c` `postFederationSignup`: the plan expected Connector 2, the tenant now has nothing",
    ] {
        assert!(outcome.stderr.contains(stale), "{outcome}");
    }
    assert!(!outcome.stderr.contains("B2C_1_a"), "{outcome}");
    let report = fs::read_to_string(folder.path().join("report.json")).unwrap();
    assert!(report.contains("the plan expected Connector 2, the tenant now has Connector 3"), "{report}");
}

#[test]
fn saved_plan_ignores_changes_made_already_and_changes_elsewhere() {
    let served = serve(three([2, 2, 2]), Options::default());
    let folder = planned(&served);
    served.bind_out_of_band("B2C_1_b", "Connector 1");
    let elsewhere =
        yaml_binding_connector_1(&["B2C_1_a"]).replace("postFederationSignup", "postAttributeCollection");
    assert_eq!(served.apply(&elsewhere, &[]).0.code, 0);
    let puts = served.puts();
    let outcome = run(&served, folder.path(), &["apply", "--plan", "plan.json"]);
    assert_eq!((outcome.code, served.puts() - puts), (0, 2), "{outcome}");
    assert!(outcome.stdout.contains("Apply: 2 applied, 1 already."), "{outcome}");
}

/// Each kind of invalid plan has its own message, and none sends a PUT.
#[test]
fn saved_plan_that_was_edited_is_rejected() {
    let served = serve(three([2, 2, 2]), Options::default());
    let folder = planned(&served);
    let plan = fs::read_to_string(folder.path().join("plan.json")).unwrap();
    let edit = |edit: &dyn Fn(&mut Value)| {
        let mut json: Value = serde_json::from_str(&plan).unwrap();
        edit(&mut json);
        json.to_string()
    };
    let with_version = |version: &str| {
        let other = plan.replace(r#""formatVersion": "2""#, &format!(r#""formatVersion": "{version}""#));
        assert_ne!(other, plan);
        other
    };
    let id = connector_id(1);
    let cases: Vec<(&str, String, i32, &str)> = vec![
        ("edited", plan.replace(&id, &connector_id(4)), 3, "modified after"),
        (
            "edited-away",
            edit(&|plan| _ = plan["targets"][0]["changes"].as_array_mut().unwrap().pop()),
            3,
            "modified after",
        ),
        (
            "edited-fingerprint",
            edit(&|plan| plan["fingerprint"] = "0".repeat(64).into()),
            3,
            "modified after",
        ),
        (
            "edited-fingerprint-of-a-tenant",
            edit(&|plan| {
                let tenant = plan["targets"][0]["tenant"].clone();
                plan["tenants"] = serde_json::json!([{"tenant": tenant, "fingerprint": "0".repeat(64)}]);
            }),
            3,
            "modified after",
        ),
        (
            "edited-action",
            edit(&|plan| plan["targets"][0]["changes"][0]["action"] = "disable".into()),
            1,
            "invalid plan, drift or report: `action`: `disable` at line ",
        ),
        ("older", with_version("1"), 3, "format version 1 is not supported; this flowbind reads version 2"),
        ("newer", with_version("3"), 3, "format version 3 is not supported; this flowbind reads version 2"),
        ("truncated", plan[..plan.len() / 2].to_owned(), 1, "not a flowbind plan, drift or report: EOF"),
        ("empty", String::new(), 1, "not a flowbind plan, drift or report"),
        ("not-ours", r#"{"formatVersion": "2", "kind": "invoice"}"#.into(), 1, "`kind`: `invoice`"),
        ("a-list", "[]".into(), 1, "not a flowbind plan, drift or report"),
        ("no-targets", r#"{"formatVersion": "2", "kind": "plan"}"#.into(), 1, "missing field"),
        (
            "odd-flow",
            plan.replace("B2C_1_a", "../../me"),
            1,
            "`flow`: `../../me`: must not contain `/` at line ",
        ),
        (
            "twice",
            twice(&plan),
            1,
            "`B2C_1_A` `postFederationSignup` of `contoso.onmicrosoft.com` occurs twice",
        ),
        (
            "duplicate-binding",
            edit(&|plan| {
                let change = plan["targets"][0]["changes"][0].clone();
                plan["targets"][0]["inSync"].as_array_mut().unwrap().push(change);
            }),
            1,
            "`B2C_1_a` `postFederationSignup` of `contoso.onmicrosoft.com` occurs twice",
        ),
        (
            "odd-override",
            edit(&|plan| {
                plan["targets"][0]["overrides"] = serde_json::json!(["--graph-url https://evil.example/beta"])
            }),
            1,
            "`overrides`: `--graph-url https://evil.example/beta`",
        ),
        (
            "odd-step",
            plan.replace("postFederationSignup", "memberOf"),
            1,
            "unknown variant `memberOf`, expected one of `postFederationSignup`, ",
        ),
    ];
    for (name, text, code, why) in cases {
        let name = format!("{name}.json");
        file(folder.path(), &name, text);
        for command in [&["apply", "--plan", &name][..], &["show", &name]] {
            let outcome = run(&served, folder.path(), command);
            // Another version only blocks an apply.
            let code = if why.contains("format version") && command[0] == "show" { 1 } else { code };
            assert_eq!(outcome.code, code, "{name}: {outcome}");
            assert!(
                outcome.stderr.contains(&format!("cannot use `{name}`: ")) && outcome.stderr.contains(why),
                "{outcome}"
            );
        }
    }
    let missing = run(&served, folder.path(), &["apply", "--plan", "missing.json"]);
    assert!(missing.code == 1 && missing.stderr.contains("cannot read `missing.json`"), "{missing}");
    assert_eq!(served.puts(), 0);
}

#[test]
fn saved_plan_for_another_target_is_rejected() {
    let (served, other) =
        (serve(three([2, 2, 2]), Options::default()), serve(three([2, 2, 2]), Options::default()));
    let folder = planned(&served);
    let outcome = run(&other, folder.path(), &["apply", "--plan", "plan.json"]);
    assert_eq!(outcome.code, 3, "{outcome}");
    assert!(outcome.stderr.contains("the plan is for the Graph URL `"), "{outcome}");
    // Without `--graph-url`, the URL of the cloud is used, which differs from the plan.
    let outcome = flowbind(["apply", "--plan", "plan.json", "--tenant-unchecked"])
        .env("FLOWBIND_ACCESS_TOKEN", "t")
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .within(folder.path())
        .run();
    assert_eq!(outcome.code, 3, "{outcome}");
    let snapshot = three([2, 2, 2]).to_json().replace("contoso", "fabrikam");
    file(folder.path(), "fabrikam.json", snapshot);
    let outcome =
        flowbind(["apply", "--plan", "plan.json", "--sandbox", "fabrikam.json"]).within(folder.path()).run();
    assert_eq!(outcome.code, 3, "{outcome}");
    assert_eq!((served.puts(), other.puts(), other.requests().len()), (0, 0, 0));
}

#[test]
fn saved_plan_with_blockers_unknowns_or_errors_is_blocked() {
    let unknown = crate::support::answer_get("B2C_1_b/", 0, 403, &[], "");
    let served = serve(three([2, 2, 2]), Options { faults: vec![unknown], ..Options::default() });
    let folder = folder();
    for (name, yaml) in [
        ("blocked", yaml_binding_connector_1(&["B2C_1_a"]) + "guards: {maxChanges: 0}\n"),
        ("unknown", yaml_binding_connector_1(&FLOWS)),
        ("errors", yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", "Connector One")),
    ] {
        file(folder.path(), "flowbind.yaml", yaml);
        let plan = run(&served, folder.path(), &["plan", "--out", "plan.json"]);
        assert_ne!(plan.code, 0, "{name}: {plan}");
        let outcome = run(&served, folder.path(), &["apply", "--plan", "plan.json", "--yes"]);
        assert_eq!((outcome.code, served.puts()), (3, 0), "{name}: {outcome}");
        assert_eq!(outcome.stdout.matches("Nothing was changed.").count(), 1, "{name}: {outcome}");
    }
}

/// Plans of one tenant for two Graph URLs cannot be applied together, at neither URL.
#[test]
fn saved_plans_of_one_tenant_at_two_urls_are_blocked() {
    let served = serve(three([2, 2, 2]), Options::default());
    let folder = folder();
    let protected = yaml_binding_connector_1(&FLOWS[..1]) + "guards: {maxChanges: 0}\n";
    file(folder.path(), "a.yaml", protected);
    assert_eq!(run(&served, folder.path(), &["plan", "a.yaml", "--out", "a.json"]).code, 3);
    let other = serve(three([2, 2, 2]), Options::default());
    let (here, there) = (served.graph_url(), other.graph_url());
    for (more, url) in [("cloud: usgov\n", &here), (&format!("clientId: {GUID}\n"), &here), ("", &there)] {
        let at = |args: &[&str], url: &str| {
            flowbind(args)
                .args(["--graph-url", url])
                .env("FLOWBIND_ACCESS_TOKEN", "t")
                .within(folder.path())
                .run()
        };
        file(folder.path(), "b.yaml", yaml_binding_connector_1(&FLOWS[1..]) + more);
        let plan = at(&["plan", "b.yaml", "--out", "b.json"], url);
        assert_eq!(plan.code, 0, "{plan}");
        for [one, two] in [["a.json", "b.json"], ["b.json", "a.json"]] {
            let joined = flowbind(["show", one, two, "--out", "both.json"]).within(folder.path()).run();
            assert_eq!(joined.code, 3, "{joined}");
            for url in [&here, &there] {
                let outcome = at(&["apply", "--plan", "both.json"], url);
                assert_eq!((outcome.code, served.puts() + other.puts()), (3, 0), "{outcome}");
                let differ = outcome.stderr.contains("for `contoso.onmicrosoft.com`, `");
                assert!(more.is_empty() || differ || *url == there, "{outcome}");
            }
        }
    }
}

#[test]
fn saved_sandbox_plan_applies_to_its_sandbox() {
    let folder = folder();
    fs::copy(package("examples/quickstart/tenant.json"), folder.path().join("tenant.json")).unwrap();
    fs::copy(package("examples/quickstart/flowbind.yaml"), folder.path().join("flowbind.yaml")).unwrap();
    let run = |args: &[&str]| flowbind(args).args(["--sandbox", "tenant.json"]).within(folder.path()).run();
    assert_eq!(run(&["plan", "--out", "plan.json"]).code, 0);
    let outcome = run(&["apply", "--plan", "plan.json"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.contains("Apply: 4 applied."), "{outcome}");
}

#[test]
fn apply_with_expect_requires_the_fingerprint() {
    let served = serve(three([2, 2, 2]), Options::default());
    let folder = planned(&served);
    let plan: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("plan.json")).unwrap()).unwrap();
    let fingerprint = plan["fingerprint"].as_str().unwrap();
    let other = if fingerprint[12..].starts_with('0') { "1" } else { "0" };
    for wrong in ["0".repeat(64), format!("{}{other}", &fingerprint[..12])] {
        let outcome = run(&served, folder.path(), &["apply", "--yes", &format!("--expect={wrong}")]);
        assert_eq!((outcome.code, served.puts()), (3, 0), "{outcome}");
        assert!(
            outcome.stderr.contains("error[fingerprint-mismatch]: the plan is not the approved one"),
            "{outcome}"
        );
        assert!(outcome.stderr.contains(&format!("planned {fingerprint}")), "{outcome}");
    }
    // `--expect` needs no other approval.
    let outcome = run(&served, folder.path(), &["apply", "--expect", &fingerprint[..12]]);
    assert_eq!((outcome.code, served.puts()), (0, 3), "{outcome}");
}

/// A newer version of flowbind may add keys, which are ignored.
#[test]
fn saved_plan_with_unknown_keys_is_read() {
    let served = serve(three([2, 2, 2]), Options::default());
    let folder = planned(&served);
    let plan = fs::read_to_string(folder.path().join("plan.json")).unwrap();
    let later = plan.replacen(r#""kind": "plan","#, r#""kind": "plan", "approvals": [], "#, 1);
    file(folder.path(), "later.json", later.replace(r#""formatVersion": "1""#, r#""formatVersion": "1.7""#));
    assert_eq!(run(&served, folder.path(), &["apply", "--plan", "later.json"]).code, 0);
}

/// Addresses may contain function keys in their query. No output, file or log may contain one.
#[test]
fn secrets_in_addresses_are_never_written() {
    let folder = folder();
    let url = "https://user:s3cr3t@api.contoso.com/check?code=s3cr3t#s3cr3t";
    let tenant = three([2, 0, 1]).to_json().replace("https://api.contoso.com/check", url);
    assert!(tenant.contains("s3cr3t"));
    let pinned = |url: &str| {
        format!(
            "version: 1\ntenant: contoso.onmicrosoft.com\nconnectors:\n  check: {{displayName: Connector 1, targetUrl: '{url}'}}\nflows:\n  B2C_1_a: {{postFederationSignup: check}}\n  B2C_1_b: {{postFederationSignup: check}}\n"
        )
    };
    file(folder.path(), "broken.yaml", pinned(&url.replace("/check", "/other")));
    file(folder.path(), "bad.yaml", pinned(url) + "oops: 1\n  x: {targetUrl: '" + url + "'}\n");
    file(folder.path(), "flowbind.yaml", pinned(url));
    file(folder.path(), "tenant.json", tenant);
    let mut output = String::new();
    for command in [
        &["validate", "bad.yaml"][..],
        &["validate", "broken.yaml"],
        &["plan", "broken.yaml", "--out", "broken.json", "--out", "broken.txt"],
        &["plan", "--format", "json", "--out", "plan.json"],
        &["drift", "broken.yaml", "--strict"],
        &["show", "broken.json"],
        &["export", "--tenant", "contoso.onmicrosoft.com"],
        &["export", "--tenant", "contoso.onmicrosoft.com", "--format", "snapshot"],
        &["apply", "--plan", "plan.json", "--out", "report.json"],
    ] {
        let outcome = flowbind(command).args(["--sandbox", "tenant.json", "-vv"]).within(folder.path()).run();
        assert!(!outcome.panicked());
        output.push_str(&outcome.to_string());
    }
    for written in ["broken.json", "broken.txt", "plan.json", "report.json", "tenant.json"] {
        output.push_str(&fs::read_to_string(folder.path().join(written)).unwrap());
    }
    assert!(
        output.contains("https://api.contoso.com/check") && output.contains("Apply: 2 applied"),
        "{output}"
    );
    assert!(!output.contains("s3cr3t"), "{output}");
}

/// The pin is checked again at apply, because the address of the connector may have changed.
#[test]
fn saved_plan_with_pin_broken_since_is_blocked() {
    let folder = folder();
    let tenant = three([2, 2, 2]).to_json();
    let moved = tenant.replace("https://api.contoso.com/check", "https://evil.example/check");
    let run = |args: &[&str]| flowbind(args).args(["--sandbox", "tenant.json"]).within(folder.path()).run();
    for name in ["check", "alias", &connector_id(1)] {
        let yaml = format!(
            "version: 1\ntenant: contoso.onmicrosoft.com\nconnectors:\n  check: {{displayName: Connector 1, targetUrl: 'https://api.contoso.com/check'}}\n  alias: {{id: {}}}\nflows:\n  B2C_1_a: {{postFederationSignup: {name}}}\n",
            connector_id(1)
        );
        file(folder.path(), "flowbind.yaml", yaml);
        let path = file(folder.path(), "tenant.json", &tenant);
        assert_eq!(run(&["plan", "--out", "plan.json"]).code, 0);
        fs::write(&path, &moved).unwrap();
        let outcome = run(&["apply", "--plan", "plan.json"]);
        assert_eq!(outcome.code, 3, "{name}: {outcome}");
        assert!(
            outcome.stderr.contains(
                "`Connector 1` is pinned to https://api.contoso.com/check, but calls https://evil.example/check"
            ),
            "{name}: {outcome}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), moved);
    }
}

/// Returns the tenant with another list of connectors.
fn with_connectors(tenant: &str, edit: impl FnOnce(&mut Vec<Value>)) -> String {
    let mut tenant: Value = serde_json::from_str(tenant).unwrap();
    edit(tenant["connectors"].as_array_mut().unwrap());
    tenant.to_string()
}

/// Neither binds the connector that was reviewed.
#[test]
fn saved_plan_with_connector_deleted_or_renamed_since_is_blocked() {
    let folder = folder();
    let tenant = three([2, 2, 2]).to_json();
    let id = connector_id(1);
    let deleted = with_connectors(&tenant, |list| list.retain(|connector| connector["id"] != id));
    let renamed = with_connectors(&tenant, |list| list[0]["displayName"] = "Other".into());
    let run = |args: &[&str]| flowbind(args).args(["--sandbox", "tenant.json"]).within(folder.path()).run();
    let gone = format!("`Connector 1` (`{id}`) does not exist any more");
    let id_gone = format!("the tenant has no connector with the id `{id}`");
    let other = format!("connector `{id}` had `Connector 1` and has `Other` now");
    let pinned = "connectors:\n  x: {displayName: Connector 1, targetUrl: 'https://api.contoso.com/check'}\n";
    for (connectors, name, cases) in [
        ("", "Connector 1", &[(&deleted, &gone), (&renamed, &other)][..]),
        ("", &id, &[(&deleted, &id_gone)]),
        (pinned, "x", &[(&deleted, &gone), (&renamed, &other)]),
    ] {
        let yaml = yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", name);
        file(folder.path(), "flowbind.yaml", yaml.replace("flows:", &format!("{connectors}flows:")));
        for (changed, cause) in cases {
            let path = file(folder.path(), "tenant.json", &tenant);
            assert_eq!(run(&["plan", "--out", "plan.json"]).code, 0);
            fs::write(&path, changed).unwrap();
            let outcome = run(&["apply", "--plan", "plan.json"]);
            assert_eq!(outcome.code, 3, "{name}: {outcome}");
            assert!(outcome.stderr.contains(*cause), "{name}: {cause}: {outcome}");
            assert_eq!(&fs::read_to_string(&path).unwrap(), *changed);
        }
    }
}

#[test]
fn apply_of_an_id_that_no_connector_has_is_an_error() {
    let served = serve(three([2, 2, 2]), Options::default());
    let unknown = yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", &connector_id(9));
    assert_eq!(served.plan(&unknown, &[]).code, 0, "a plan does not look up ids");
    let (outcome, _) = served.apply(&unknown, &[]);
    assert_eq!((outcome.code, served.puts()), (1, 0), "{outcome}");
    let error =
        format!("error[connector-not-found]: the tenant has no connector with the id `{}`", connector_id(9));
    assert!(outcome.stderr.contains(&error), "{outcome}");
}

/// Ids without pins need no permission for the list of connectors.
#[test]
fn apply_of_ids_without_permission_for_the_list_is_possible() {
    let denied = answer_get("identity/apiConnectors", 0, 403, &[], r#"{"error": {"message": "denied"}}"#);
    let served = serve(three([2, 2, 2]), Options { faults: vec![denied], ..Options::default() });
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", &connector_id(1));
    let (outcome, _) = served.apply(&yaml, &[]);
    assert_eq!((outcome.code, served.puts()), (0, 1), "{outcome}");
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml.replace("B2C_1_a", "B2C_1_b"));
    assert_eq!(run(&served, folder.path(), &["plan", "--out", "plan.json"]).code, 0);
    let outcome = run(&served, folder.path(), &["apply", "--plan", "plan.json"]);
    assert_eq!((outcome.code, served.puts()), (0, 2), "{outcome}");
}

/// The plan reads the flow and the connectors once. The second read is the staleness check before the first
/// PUT.
#[test]
fn apply_with_unreadable_tenant_changes_nothing() {
    let yaml = "version: 1\ntenant: contoso.onmicrosoft.com\nconnectors:\n  check: {displayName: Connector 1, targetUrl: 'https://api.contoso.com/check'}\nflows:\n  B2C_1_a: {postFederationSignup: check}\n";
    for path in ["B2C_1_a/apiConnectorConfiguration", "identity/apiConnectors"] {
        let denied =
            Fault { skip: 1, ..answer_get(path, 0, 403, &[], r#"{"error": {"message": "no more"}}"#) };
        let served = serve(three([2, 2, 2]), Options { faults: vec![denied], ..Options::default() });
        let folder = folder();
        file(folder.path(), "flowbind.yaml", yaml);
        assert_eq!(run(&served, folder.path(), &["plan", "--out", "plan.json"]).code, 0);
        let outcome = run(&served, folder.path(), &["apply", "--plan", "plan.json", "--out", "report.json"]);
        assert_eq!((outcome.code, served.puts()), (1, 0), "{outcome}");
        let error = "could not read the tenant again before the first PUT";
        assert!(outcome.stderr.contains(error) && outcome.stderr.contains("no more"), "{outcome}");
        let report: Value =
            serde_json::from_slice(&fs::read(folder.path().join("report.json")).unwrap()).unwrap();
        assert_eq!(report["targets"][0]["changes"][0]["outcome"], "not-attempted");
        assert!(report["errors"][0]["message"].as_str().unwrap().contains(error), "{report}");
    }
}

/// A blocked plan passes with exactly the flags that its blockers suggest.
#[test]
fn suggested_flags_lift_their_blockers() {
    let mut lifted = 0;
    for case in fs::read_dir(package("tests/cases")).unwrap() {
        let case = case.unwrap().path();
        let plan: Value = serde_json::from_str(&fs::read_to_string(case.join("plan.json")).unwrap()).unwrap();
        let refusals: Vec<_> =
            plan["targets"][0]["refusals"].as_array().into_iter().flatten().cloned().collect();
        let flags: Option<Vec<_>> = refusals.iter().map(|refusal| refusal["allow"].as_str()).collect();
        let Some(flags) = flags.filter(|flags| !flags.is_empty()) else { continue };
        let outcome = flowbind(["plan", "desired.yaml", "--sandbox", "tenant.json"])
            .args(flags.iter().flat_map(|flag| flag.split(' ')))
            .within(&case)
            .run();
        assert_eq!(outcome.code, 0, "{}: {outcome}", case.display());
        lifted += 1;
    }
    assert!(lifted >= 5, "{lifted}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

    /// A saved plan is applied completely or not at all, whatever changed in the tenant.
    #[test]
    fn stale_plan_writes_all_or_nothing(has in [0..4usize, 0..4, 0..4], wants in [0..4usize, 0..4, 0..4], moved in [0..4usize, 0..4, 0..4]) {
        let folder = folder();
        let mut yaml = "version: 1\ntenant: contoso.onmicrosoft.com\nflows:\n".to_owned();
        for (flow, wants) in FLOWS.iter().zip(wants) {
            let value = if wants == 0 { "null".to_owned() } else { format!("Connector {wants}") };
            yaml.push_str(&format!("  {flow}: {{postFederationSignup: {value}}}\n"));
        }
        file(folder.path(), "flowbind.yaml", yaml);
        let run = |args: &[&str]| flowbind(args).args(["--sandbox", "tenant.json"]).within(folder.path()).run();
        let path = file(folder.path(), "tenant.json", three(has).to_json());
        prop_assert_eq!(run(&["plan", "--out", "plan.json"]).code, 0);
        fs::write(&path, three(moved).to_json()).unwrap();
        let outcome = run(&["apply", "--plan", "plan.json"]);

        let planned = |at: &usize| has[*at] != wants[*at];
        let stale = (0..3).filter(planned).any(|at| moved[at] != has[at] && moved[at] != wants[at]);
        let mut expected = moved;
        if !stale {
            (0..3).filter(planned).for_each(|at| expected[at] = wants[at]);
        }
        prop_assert_eq!(outcome.code, if stale { 3 } else { 0 }, "{}", outcome);
        let truth = Snapshot::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        prop_assert_eq!(truth, three(expected), "{}", outcome);
    }
}

/// The plan has only errors, which are printed again.
#[test]
fn show_of_plan_without_targets_prints_its_errors() {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", "version: 2\n");
    let planned = flowbind(["plan", "--out", "plan.json"]).within(folder.path()).run();
    let shown = flowbind(["show", "plan.json"]).within(folder.path()).run();
    assert_eq!((planned.code, shown.code), (1, 1), "{planned}{shown}");
    for outcome in [planned, shown] {
        assert!(
            outcome.stdout.contains("error[unsupported-version]: unsupported file version `2`"),
            "{outcome}"
        );
        let end = "\nPlan incomplete: 3 errors. It cannot be applied.\n";
        assert!(outcome.stdout.ends_with(end), "{outcome}");
    }
}
