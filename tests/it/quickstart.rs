//! Commands and outputs in the README are up to date.

use std::fs;

use expect_test::expect_file;

use crate::support::{self, file, flowbind, folder, package};

/// Returns the code blocks of the README.
fn blocks() -> Vec<(String, String)> {
    support::code_blocks(&fs::read_to_string(package("README.md")).unwrap())
}

/// Returns the arguments of the README's first command.
fn first_command() -> Vec<String> {
    let (_, command) = blocks().into_iter().find(|(language, _)| language == "sh").unwrap();
    let arguments = command.trim().strip_prefix("cargo run --locked -- ").unwrap();
    arguments.split(' ').map(str::to_owned).collect()
}

/// Runs the three commands of the README: a plan, an apply on a copy, and a plan of the copy.
#[test]
fn quickstart_commands_print_the_readme_output() {
    let folder = folder();
    let copy = folder.path().join("tenant.json");
    fs::copy(package("examples/quickstart/tenant.json"), &copy).unwrap();
    let copy = copy.to_str().unwrap();
    let run = |command: &str| {
        let arguments =
            command.strip_prefix("cargo run --locked -- ").unwrap().replace("/tmp/tenant.json", copy);
        let outcome = flowbind(arguments.split(' ')).within(&package("")).run();
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{command}");
        outcome.stdout
    };
    let blocks = blocks();
    let commands: Vec<_> = blocks.iter().filter(|(language, _)| language == "sh").collect();
    let shown: Vec<_> = blocks.iter().filter(|(language, _)| language == "text").collect();
    let plan = run(commands[0].1.trim());
    let [copying, apply, again] = commands[2].1.lines().collect::<Vec<_>>()[..] else {
        panic!("three commands")
    };
    assert_eq!(copying, "cp examples/quickstart/tenant.json /tmp/tenant.json");
    let applied = run(apply).strip_prefix(&plan).unwrap().trim_start().to_owned();
    let again = run(again);

    let mut readme = fs::read_to_string(package("README.md")).unwrap();
    for ((_, shown), printed) in shown.into_iter().zip([plan, applied, again]) {
        let fenced = |text: &str| format!("```text\n{text}```");
        readme = readme.replacen(&fenced(shown), &fenced(&printed), 1);
    }
    expect_file![package("README.md")].assert_eq(&readme);
}

#[test]
fn quickstart_contains_every_kind_of_binding() {
    let plan = flowbind(first_command()).args(["--format", "json"]).within(&package("")).run();
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let target = &plan["targets"][0];
    for kind in ["enable", "replace", "disable", "unchanged"] {
        assert!(target["summary"][kind].as_u64().unwrap() > 0, "{kind}");
    }
    assert!(!target["unmanaged"].as_array().unwrap().is_empty());
}

#[test]
fn readme_second_command_runs_the_tests() {
    let commands: Vec<_> = blocks().into_iter().filter(|(language, _)| language == "sh").collect();
    assert_eq!(commands[1].1, "cargo test --locked\n");
}

/// Promotes a change through the stages separately, and then runs all stages at once.
#[test]
fn stages_example_promotes_from_dev_to_prod() {
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
    let whole = || flowbind(["plan", "stages", "--detailed-exitcode"]).args(&all).within(at).run();
    assert_eq!(whole().code, 2);
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
    let outcome = whole();
    assert_eq!(outcome.code, 0, "{outcome}");
}

/// The README's command for several tenants fits the example.
#[test]
fn readme_command_for_several_tenants_plans_the_stages() {
    let (_, command) = blocks().into_iter().find(|(_, text)| text.contains("plan examples/stages")).unwrap();
    let command = command.replace("\\\n", " ");
    let arguments = command.trim().strip_prefix("cargo run --locked -- ").unwrap();
    let outcome = flowbind(arguments.split_whitespace()).within(&package("")).run();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
    assert!(outcome.stdout.contains("Plan: 3 to enable, 0 to replace, 1 to disable."), "{outcome}");
}

#[test]
fn readme_file_example_is_valid() {
    let (_, yaml) = blocks().into_iter().find(|(language, _)| language == "yaml").unwrap();
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml);
    let outcome = flowbind(["validate"]).within(folder.path()).run();
    assert_eq!(outcome.code, 0, "{outcome}");
}

/// Runs the commands that register the apps, with a fake `az` that records its arguments.
#[test]
fn readme_app_script_grants_the_documented_permissions() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_, script) = blocks().into_iter().find(|(_, text)| text.starts_with("az login")).unwrap();
    let folder = folder();
    let az = r#"#!/bin/sh
{ for word in "$@"; do printf '%s\037' "$word"; done; printf '\036'; } >> "$NOTES"
case "$*" in *"app create"*) echo "app-of-$5" ;; esac
"#;
    let az = file(folder.path(), "az", az);
    fs::set_permissions(az, fs::Permissions::from_mode(0o755)).unwrap();
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
