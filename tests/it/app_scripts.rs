//! Scripts of the documentation that register apps, with a fake `az`.

use std::fs;
use std::process::Command;

use crate::support::{code_blocks, executable, folder, package, path_after};

/// Ids of app roles as published by Microsoft (microsoftgraph/microsoft-graph-devx-content).
const READ_FLOWS: &str = "1b0c317f-dd31-4305-9932-259a8b6e8099=Role";
const WRITE_FLOWS: &str = "65319a09-a2be-469d-8782-f6b07debf789=Role";
const READ_CONNECTORS: &str = "b86848a7-d5b1-41eb-a9b4-54a4e6306e97=Role";

/// App that a script registers: its name, permissions, and the subjects that it trusts.
#[derive(Debug, Default, PartialEq, Eq)]
struct App {
    name: String,
    permissions: Vec<String>,
    subjects: Vec<String>,
    has_consent: bool,
}

/// Runs the script of a page that contains `az login`, with a fake `az`. Returns the apps that it registers, and its
/// output.
fn registered_apps(page: &str) -> (Vec<App>, String) {
    let page = fs::read_to_string(package(page)).unwrap();
    let (_, script) = code_blocks(&page).into_iter().find(|(_, text)| text.contains("az login")).unwrap();
    let folder = folder();
    let az = r#"#!/bin/sh
{ for word in "$@"; do printf '%s\037' "$word"; done; printf '\036'; } >> "$CALLS"
case "$*" in *"app create"*) grep -c 'create.--display-name' "$CALLS" ;; esac
"#;
    executable(folder.path(), "az", az);
    let calls = folder.path().join("calls");
    let output = Command::new("/bin/sh")
        .args(["-euc", &script])
        .env("PATH", path_after(folder.path()))
        .env("CALLS", &calls)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let calls = fs::read_to_string(calls).unwrap();
    let mut apps = Vec::<App>::new();
    for call in calls.split_terminator('\u{1e}') {
        let words: Vec<_> = call.split_terminator('\u{1f}').collect();
        let after = |name: &str| {
            let at = words.iter().position(|word| *word == name).unwrap();
            words[at + 1..].iter().map(|word| (*word).to_owned())
        };
        // The fake returns the number of an app as its id.
        let app = || after("--id").next().unwrap().parse::<usize>().unwrap() - 1;
        match words[..4] {
            ["ad", "app", "create", _] => {
                apps.push(App { name: after("--display-name").next().unwrap(), ..App::default() });
            }
            ["ad", "app", "permission", "add"] => {
                apps[app()].permissions = after("--api-permissions").collect()
            }
            ["ad", "app", "permission", "admin-consent"] => apps[app()].has_consent = true,
            ["ad", "app", "federated-credential", "create"] => {
                let trust = after("--parameters").next().unwrap();
                let trust: serde_json::Value = serde_json::from_str(&trust).unwrap();
                assert_eq!(trust["issuer"], "https://token.actions.githubusercontent.com");
                assert_eq!(trust["audiences"], serde_json::json!(["api://AzureADTokenExchange"]));
                let name = trust["name"].as_str().unwrap();
                assert!(
                    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
                    "{name}"
                );
                apps[app()].subjects.push(trust["subject"].as_str().unwrap().to_owned());
            }
            _ => {}
        }
    }
    (apps, String::from_utf8(output.stdout).unwrap())
}

fn app(name: &str, role: &str, subjects: &[&str]) -> App {
    App {
        name: name.to_owned(),
        permissions: vec![role.to_owned(), READ_CONNECTORS.to_owned()],
        subjects: subjects.iter().map(|subject| format!("repo:contoso/identity:{subject}")).collect(),
        has_consent: true,
    }
}

#[test]
fn the_documented_apps_have_the_documented_permissions() {
    let (apps, _) = registered_apps("docs/authentication.md");
    let expected = [
        app("flowbind-plan", READ_FLOWS, &["pull_request", "ref:refs/heads/main"]),
        app("flowbind-apply", WRITE_FLOWS, &["environment:production"]),
    ];
    assert_eq!(apps, expected);
}

/// Only the environment of a stage can write. The next stage can read this one, because it checks it.
#[test]
fn the_apps_of_stages_trust_their_own_jobs_only() {
    let (apps, output) = registered_apps("docs/stages.md");
    let expected = [
        app("flowbind-plan", READ_FLOWS, &["pull_request", "ref:refs/heads/main", "environment:test"]),
        app("flowbind-apply", WRITE_FLOWS, &["environment:dev"]),
        app("flowbind-plan", READ_FLOWS, &["pull_request", "ref:refs/heads/main", "environment:prod"]),
        app("flowbind-apply", WRITE_FLOWS, &["environment:test"]),
        app("flowbind-plan", READ_FLOWS, &["pull_request", "ref:refs/heads/main"]),
        app("flowbind-apply", WRITE_FLOWS, &["environment:prod"]),
    ];
    assert_eq!(apps, expected);
    assert!(output.contains("stages/test.yaml:\nclientId:\n  plan: 3\n  apply: 4\n"), "{output}");
}
