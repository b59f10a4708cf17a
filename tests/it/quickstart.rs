//! The examples and scripts of the documentation do what their pages describe.

use std::fs;

use crate::support::{code_blocks, executable, flowbind, folder, package};

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

/// Runs the commands that register the apps with a stand-in for `az` that records its arguments.
#[cfg(unix)]
#[test]
fn the_documented_apps_have_the_documented_permissions() {
    let page = fs::read_to_string(package("docs/authentication.md")).unwrap();
    let (_, script) = code_blocks(&page).into_iter().find(|(_, text)| text.starts_with("az login")).unwrap();
    let folder = folder();
    let az = r#"#!/bin/sh
{ for word in "$@"; do printf '%s\037' "$word"; done; printf '\036'; } >> "$NOTES"
case "$*" in *"app create"*) echo "app-of-$5" ;; esac
"#;
    executable(folder.path(), "az", az);
    let notes = folder.path().join("notes");
    let status = std::process::Command::new("/bin/sh")
        .args(["-euc", &script])
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
        .env("NOTES", &notes)
        .status();
    assert!(status.unwrap().success());
    let notes = fs::read_to_string(notes).unwrap();
    let asked: Vec<Vec<_>> =
        notes.split_terminator('\u{1e}').map(|line| line.split_terminator('\u{1f}').collect()).collect();
    let after = |line: &[&str], name: &str| {
        let at = line.iter().position(|word| *word == name).unwrap();
        line[at + 1..].iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()
    };
    let of = |command: &str| {
        asked.iter().filter(|line| line.join(" ").starts_with(command)).cloned().collect::<Vec<_>>()
    };
    // Ids of app roles as published by Microsoft (microsoftgraph/microsoft-graph-devx-content).
    let read_flows = "1b0c317f-dd31-4305-9932-259a8b6e8099=Role";
    let write_flows = "65319a09-a2be-469d-8782-f6b07debf789=Role";
    let read_connectors = "b86848a7-d5b1-41eb-a9b4-54a4e6306e97=Role";
    let granted: Vec<_> = of("ad app permission add")
        .iter()
        .map(|line| (after(line, "--id")[0].clone(), after(line, "--api-permissions")))
        .collect();
    let role = |roles: [&str; 2]| roles.map(str::to_owned).to_vec();
    assert_eq!(
        granted,
        [
            ("app-of-flowbind-plan".to_owned(), role([read_flows, read_connectors])),
            ("app-of-flowbind-apply".to_owned(), role([write_flows, read_connectors])),
        ]
    );
    let trusted: Vec<serde_json::Value> = of("ad app federated-credential create")
        .iter()
        .map(|line| serde_json::from_str(&after(line, "--parameters")[0]).unwrap())
        .collect();
    assert_eq!(trusted.len(), 2);
    for trust in &trusted {
        assert_eq!(trust["issuer"], "https://token.actions.githubusercontent.com");
        assert_eq!(trust["audiences"], serde_json::json!(["api://AzureADTokenExchange"]));
    }
    assert_ne!(trusted[0]["subject"], trusted[1]["subject"]);
    assert_eq!(of("ad app permission admin-consent").len(), 2);
}
