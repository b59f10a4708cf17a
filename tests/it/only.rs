//! `--only`: nothing but the selected bindings is read, compared and changed.

use std::collections::BTreeSet;

use flowbind::model::Step;
use flowbind::sandbox::Options;
use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::support::{connector_id, file, flowbind, folder, serve, tenant};

const HEAD: &str = "version: 1\ntenant: contoso.onmicrosoft.com\n";

/// Every binding of four flows, as the file lists them: all of them differ from the tenant, which binds connector 1.
fn bindings() -> Vec<(u8, Step)> {
    (0..4).flat_map(|flow| Step::DEFAULT.map(|step| (flow, step))).collect()
}

fn yaml() -> String {
    let flows = (0..4).map(|flow| {
        format!("  B2C_1_{flow}:\n    postFederationSignup: Connector 2\n    postAttributeCollection: null\n")
    });
    format!("{HEAD}guards: {{maxDisables: 9}}\nprune: flows\nflows:\n{}", flows.collect::<String>())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn only_reads_and_writes_the_selected_bindings(selected in subsequence(bindings(), 1..8)) {
        let names: Vec<_> = (0..5).map(|flow| format!("B2C_1_{flow}")).collect();
        let flows: Vec<_> = names.iter().map(|name| (name.as_str(), 1, 1)).collect();
        let served = serve(tenant(&flows), Options::default());
        let folder = folder();
        file(folder.path(), "flowbind.yaml", yaml());
        let only = selected.iter().flat_map(|(flow, step)| ["--only".to_owned(), format!("B2C_1_{flow}/{step}")]);
        let only: Vec<_> = only.collect();
        for command in [&["plan"][..], &["drift"], &["apply", "--yes", "--out", "report.json"]] {
            let outcome = flowbind(command)
                .args(&only)
                .connect_to(&served.graph_url())
                .within(folder.path())
                .run();
            prop_assert_eq!(outcome.code, if command == ["drift"] { 2 } else { 0 }, "{}", outcome);
            let limit = format!("Limited to {} of 8 bindings (--only)", selected.len());
            prop_assert!(outcome.stdout.contains(&limit), "{}", outcome);
        }
        let is_selected = |line: &str| selected.iter().any(|(flow, step)| {
            line.contains(&format!("/B2C_1_{flow}/")) && line.contains(step.name())
        });
        for line in served.requests().iter().filter(|line| line.contains("/b2cUserFlows")) {
            prop_assert!(is_selected(line), "{line}");
            let steps: BTreeSet<_> = Step::DEFAULT.iter().filter(|step| line.contains(step.name())).collect();
            let flow = line.split("/B2C_1_").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
            let expected: BTreeSet<_> = selected
                .iter()
                .filter(|(at, _)| at.to_string() == flow)
                .map(|(_, step)| step)
                .collect();
            prop_assert!(steps.is_subset(&expected), "{line}: {expected:?}");
        }
        prop_assert_eq!(served.puts(), selected.len());
        // The other bindings are as before.
        for flow in served.actual_state().flows {
            for step in Step::DEFAULT {
                let is_selected = selected.iter().any(|(at, other)| flow.id == format!("B2C_1_{at}") && step == *other);
                let expected = match (is_selected, step) {
                    (false, _) => Some(connector_id(1)),
                    (true, Step::PostFederationSignup) => Some(connector_id(2)),
                    (true, _) => None,
                };
                let connector = flow.bindings.iter().find(|(at, _)| at.name() == step.name());
                prop_assert_eq!(connector.and_then(|(_, bound)| bound.clone()), expected, "{} {}", flow.id, step);
            }
        }
    }
}

#[test]
fn only_of_drift_keeps_the_memory_of_the_other_bindings() {
    let folder = folder();
    file(folder.path(), "tenant.json", tenant(&[("B2C_1_a", 2, 0), ("B2C_1_b", 2, 0)]).to_json());
    let flows = "flows:\n  B2C_1_a: {postFederationSignup: Connector 1}\n  B2C_1_b: {postFederationSignup: Connector 1}\n";
    file(folder.path(), "flowbind.yaml", format!("{HEAD}{flows}"));
    let run = |args: &[&str]| {
        flowbind(["drift", "--sandbox", "tenant.json", "--since", "drift.json", "--out", "drift.json"])
            .args(args)
            .within(folder.path())
            .run()
    };
    assert_eq!(run(&[]).code, 2);
    assert_eq!(run(&["--only", "B2C_1_a", "--new-only"]).code, 0);
    assert_eq!(run(&["--new-only"]).code, 0);
}
