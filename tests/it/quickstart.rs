//! The examples of the documentation do what their pages describe.

use std::fs;

use crate::support::{flowbind, folder, package};

const PLAN: [&str; 4] =
    ["plan", "examples/quickstart/flowbind.yaml", "--sandbox", "examples/quickstart/tenant.json"];

#[test]
fn quickstart_plan_has_every_kind_of_binding() {
    let plan = flowbind(PLAN).args(["--format", "json"]).within(&package("")).run();
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let target = &plan["targets"][0];
    for kind in ["enable", "replace", "disable", "unchanged"] {
        assert!(target["summary"][kind].as_u64().unwrap() > 0, "{kind}");
    }
    assert!(!target["unmanaged"].as_array().unwrap().is_empty());
}

/// Applies a change to each stage in turn, then plans all of them in one run.
#[test]
fn stages_applied_from_dev_to_prod_have_no_drift() {
    let folder = folder();
    let at = folder.path();
    fs::create_dir_all(at.join("stages/tenants")).unwrap();
    for below in ["stages", "stages/tenants"] {
        for entry in fs::read_dir(package("examples").join(below)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, at.join(below).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    let sandbox = |stage: &str| ["--sandbox".to_owned(), format!("stages/tenants/{stage}.json")];
    let all = ["dev", "test", "prod"].map(sandbox).concat();
    let plan_all = || flowbind(["plan", "stages", "--detailed-exitcode"]).args(&all).within(at).run();
    assert_eq!(plan_all().code, 2);
    for stage in ["dev", "test", "prod"] {
        let run = |command: &[&str]| {
            let outcome = flowbind(command)
                .args([format!("stages/{stage}.yaml")])
                .args(sandbox(stage))
                .within(at)
                .run();
            assert_eq!(outcome.stderr, "", "{outcome}");
            outcome.code
        };
        assert_eq!(run(&["plan", "--detailed-exitcode"]), 2, "{stage}");
        assert_eq!(run(&["apply", "--yes"]), 0, "{stage}");
        assert_eq!(run(&["drift"]), 0, "{stage}");
    }
    let outcome = plan_all();
    assert_eq!(outcome.code, 0, "{outcome}");
}
