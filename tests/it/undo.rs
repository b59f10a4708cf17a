//! `--undo`: the way back from an apply.

use std::collections::{BTreeMap, BTreeSet};

use flowbind::model::Step;
use flowbind::sandbox::{Effect, Fault, Options};
use flowbind::snapshot::Snapshot;
use proptest::collection::btree_map;
use proptest::prelude::*;

use crate::support::{
    SandboxServer, connector_id, file, flowbind, folder, serve, tenant, yaml_binding_connector_1,
};

/// (flow, step) → number of a connector, `None` for nothing.
type Bindings = BTreeMap<(u8, Step), Option<u8>>;

fn bindings() -> impl Strategy<Value = Bindings> {
    let step = prop::sample::select(Step::DEFAULT.to_vec());
    btree_map((0..5u8, step), prop::option::of(1..5u8), 1..10)
}

fn snapshot(has: &Bindings) -> Snapshot {
    let bound = |flow, step| usize::from(has.get(&(flow, step)).copied().flatten().unwrap_or_default());
    let names: Vec<_> = (0..5).map(|flow| format!("B2C_1_{flow}")).collect();
    let [first, second] = Step::DEFAULT;
    let flows = (0..5u8).map(|at| (&*names[usize::from(at)], bound(at, first), bound(at, second)));
    tenant(&flows.collect::<Vec<_>>())
}

fn yaml(wanted: &Bindings) -> String {
    let mut yaml =
        "version: 1\ntenant: contoso.onmicrosoft.com\nguards: {maxDisables: 20}\nflows:\n".to_owned();
    for flow in wanted.keys().map(|(flow, _)| flow).collect::<BTreeSet<_>>() {
        yaml += &format!("  B2C_1_{flow}:\n");
        for ((_, step), connector) in wanted.iter().filter(|((at, _), _)| at == flow) {
            let value = connector.map_or("null".to_owned(), |number| format!("Connector {number}"));
            yaml += &format!("    {step}: {value}\n");
        }
    }
    yaml
}

/// Fault at any request: a PUT is executed or not, and answered or not; a GET is answered after a retry.
fn fault() -> impl Strategy<Value = Option<Fault>> {
    let (headers, body) = (Vec::new(), "{}".to_owned());
    let effects = prop::sample::select(vec![
        Effect::DropBefore,
        Effect::DropAfter,
        Effect::AcceptOnly,
        Effect::Truncate,
        Effect::Answer { status: 400, headers: headers.clone(), body: body.clone() },
        Effect::AnswerAfter { status: 500, headers, body },
    ]);
    let of_put = (Just("PUT"), effects);
    let of_get =
        (Just("GET"), prop::sample::select(vec![Effect::DropBefore, Effect::DropAfter, Effect::Truncate]));
    let method_and_effect = prop_oneof![of_put, of_get];
    let fault = (0..6u32, 1..4u32, method_and_effect).prop_map(|(skip, times, (method, effect))| Fault {
        method: Some(method.to_owned()),
        path_contains: String::new(),
        skip,
        times: Some(times),
        effect,
    });
    prop::option::of(fault)
}

fn state(served: &SandboxServer) -> Vec<(String, Vec<Option<String>>)> {
    let flows = served.actual_state().flows.into_iter();
    flows.map(|flow| (flow.id, flow.bindings.into_values().collect())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn undo_after_apply_gives_back_the_tenant(wanted in bindings(), has in bindings(), fault in fault()) {
        let faults = fault.into_iter().collect();
        let served = serve(snapshot(&has), Options { faults, ..Options::default() });
        let before = state(&served);
        let folder = folder();
        file(folder.path(), "flowbind.yaml", yaml(&wanted));
        let run = |args: &[&str]| {
            let limits = ["--verify-timeout", "1s"];
            let limits = limits.iter().filter(|_| args[0] == "apply").copied();
            flowbind(args).args(limits).connect_to(&served.graph_url()).within(folder.path()).run()
        };
        let applied = run(&["apply", "--yes", "--out", "report.json"]);
        prop_assert!([0, 4].contains(&applied.code), "{}", applied);
        let planned = run(&["plan", "--undo", "report.json", "--max-disables", "20"]);
        prop_assert_eq!(planned.code, 0, "{}\n{}", applied, planned);
        let undone = run(&["apply", "--undo", "report.json", "--yes", "--max-disables", "20", "--out", "undone.json"]);
        prop_assert!([0, 4].contains(&undone.code), "{}\n{}", applied, undone);
        // A fault that was not used up may meet the way back, too, which can be repeated.
        for _ in 0..3 {
            _ = run(&["apply", "--undo", "report.json", "--yes", "--max-disables", "20"]);
        }
        prop_assert_eq!(state(&served), before, "{}\n{}", applied, undone);
        let puts = served.puts();
        let again = run(&["apply", "--undo", "report.json", "--yes"]);
        prop_assert_eq!((again.code, served.puts()), (0, puts), "{}", again);
    }
}

/// The way back is a plan like any other: with guards, protection, approval, and a saved form.
#[test]
fn undo_of_a_protected_binding_needs_the_flag() {
    let served = serve(tenant(&[("B2C_1_a", 0, 0), ("B2C_1_b", 0, 0)]), Options::default());
    let folder = folder();
    let yaml = yaml_binding_connector_1(&["B2C_1_a", "B2C_1_b"]);
    let yaml = yaml.replacen("Connector 1", "{connector: Connector 1, protect: true}", 1);
    file(folder.path(), "flowbind.yaml", yaml);
    let run = |args: &[&str]| flowbind(args).connect_to(&served.graph_url()).within(folder.path()).run();
    assert_eq!(run(&["apply", "--yes", "--out", "report.json"]).code, 0);
    let blocked = run(&["plan", "--undo", "report.json", "--out", "plan.md"]);
    assert_eq!(blocked.code, 3, "{blocked}");
    let blocker = "blocked[protected-binding]: would disable `B2C_1_a` `postFederationSignup`, which is protected\n --> flowbind.yaml:5:";
    assert!(blocked.stdout.contains(blocker), "{blocked}");
    let only = run(&["apply", "--undo", "report.json", "--only", "B2C_1_b", "--yes"]);
    assert_eq!(only.code, 0, "{only}");
    assert!(only.stdout.contains("Limited to 1 of 2 bindings"), "{only}");
    let warning = "warning[undo-file-differs]: the file may still have the value of `B2C_1_b` `postFederationSignup` that is taken back\n --> flowbind.yaml:7:";
    assert!(only.stdout.contains(warning), "{only}");
    let flag = "B2C_1_a/postFederationSignup";
    let planned = run(&[
        "plan",
        "--undo",
        "report.json",
        "--allow-protected",
        flag,
        "--out",
        "plan.json",
        "--out",
        "plan.md",
    ]);
    assert_eq!(planned.code, 0, "{planned}");
    let comment = std::fs::read_to_string(folder.path().join("plan.md")).unwrap();
    let head = "from <code>flowbind.yaml</code>, undo of <code>report.json</code>";
    assert!(comment.contains(head), "{comment}");
    assert!(planned.stdout.contains("from flowbind.yaml, undo of report.json\n"), "{planned}");
    let page = flowbind(["show", "plan.json", "--format", "html"]).within(folder.path()).run();
    assert!(page.stdout.contains("From flowbind.yaml, undo of report.json"), "{page}");
    let command = format!("flowbind apply --undo report.json --allow-protected {flag} --expect ");
    assert!(comment.contains(&command), "{comment}");
    assert_eq!(run(&["apply", "--plan", "plan.json"]).code, 0);
    assert!(served.actual_state().flows.iter().all(|flow| flow.bindings.values().all(Option::is_none)));
}

#[test]
fn undo_of_a_binding_that_changed_again_or_lost_its_connector_is_blocked() {
    let served = serve(tenant(&[("B2C_1_a", 2, 0), ("B2C_1_b", 2, 0)]), Options::default());
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a", "B2C_1_b"]));
    let run = |url: &str, args: &[&str]| flowbind(args).connect_to(url).within(folder.path()).run();
    assert_eq!(run(&served.graph_url(), &["apply", "--yes", "--out", "report.json"]).code, 0);
    served.bind_out_of_band("B2C_1_a", "Connector 3");
    let puts = served.puts();
    for command in [&["plan"][..], &["apply", "--yes"]] {
        let outcome = run(&served.graph_url(), &[command, &["--undo", "report.json"]].concat());
        assert_eq!((outcome.code, served.puts()), (3, puts), "{outcome}");
        let blocker = "blocked[undo-stale]: `B2C_1_a` `postFederationSignup` has `Connector 3` now, not `Connector 1`, which the apply set";
        assert!(outcome.stdout.contains(blocker), "{outcome}");
    }
    // A binding that has its old value again needs no request.
    served.bind_out_of_band("B2C_1_a", "Connector 2");
    let outcome = run(&served.graph_url(), &["plan", "--undo", "report.json", "--only", "B2C_1_a"]);
    assert!(outcome.code == 0 && outcome.stdout.contains("No changes."), "{outcome}");

    let mut without = served.actual_state();
    without.connectors.retain(|connector| connector.id != connector_id(2));
    for flow in &mut without.flows {
        flow.bindings.values_mut().for_each(|bound| *bound = Some(connector_id(1)));
    }
    let served = serve(without, Options::default());
    let outcome = run(&served.graph_url(), &["plan", "--undo", "report.json", "--out", "plan.json"]);
    assert_eq!(outcome.code, 3, "{outcome}");
    let blocker = "blocked[undo-deleted]: `B2C_1_a` `postFederationSignup` cannot get `Connector 2` back: the connector was deleted";
    assert!(outcome.stdout.contains(blocker) && !outcome.stdout.contains("error["), "{outcome}");
    let shown = flowbind(["show", "plan.json"]).within(folder.path()).run();
    assert_eq!((shown.code, shown.stdout), (3, outcome.stdout));
    // A binding that has its old value again needs none, also if the connector was deleted.
    let mut dangling = served.actual_state();
    for flow in &mut dangling.flows {
        flow.bindings.values_mut().for_each(|bound| *bound = Some(connector_id(2)));
    }
    let served = serve(dangling, Options::default());
    let outcome = run(&served.graph_url(), &["apply", "--undo", "report.json"]);
    assert!((outcome.code, served.puts()) == (0, 0) && outcome.stdout.contains("No changes."), "{outcome}");
    assert!(outcome.stdout.contains("Unchanged: 2 bindings"), "{outcome}");
}

#[test]
fn undo_of_another_file_than_a_report_is_an_error() {
    let served = serve(tenant(&[("B2C_1_a", 2, 0)]), Options::default());
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let run = |args: &[&str]| flowbind(args).connect_to(&served.graph_url()).within(folder.path()).run();
    assert_eq!(run(&["plan", "--out", "plan.json"]).code, 0);
    let outcome = run(&["plan", "--undo", "plan.json"]);
    assert!(
        outcome.code == 1 && outcome.stderr.contains("`plan.json` is not the report of an apply"),
        "{outcome}"
    );
    let outcome = run(&["plan", "--undo", "missing.json"]);
    assert!(outcome.code == 1 && outcome.stderr.contains("cannot read `missing.json`"), "{outcome}");
    let outcome = run(&["apply", "flowbind.yaml", "--undo", "plan.json"]);
    assert!(outcome.code == 1 && outcome.stderr.contains("cannot be used with"), "{outcome}");
    let outcome = run(&["apply", "--undo", "report.json", "--out", "report.json"]);
    assert!(outcome.code == 1 && outcome.stderr.contains("is an input of this run"), "{outcome}");
    assert_eq!(run(&["apply", "--yes", "--fail-fast", "--out", "report.json"]).code, 0);
    let outcome = run(&["plan", "--undo", "report.json", "--only", "B2C_1_b"]);
    assert!(outcome.code == 1 && outcome.stderr.contains("error[only-unmatched]"), "{outcome}");
}
