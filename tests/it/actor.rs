//! Who acted: app or user of the access token, in plans and reports.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flowbind::sandbox::Options;
use serde_json::{Value, json};

use crate::support::{SandboxServer, file, flowbind, folder, serve, tenant, yaml_binding_connector_1};

const APP: &str = "aaaaaaaa-0000-4000-8000-00000000000a";

/// Text that each format must escape.
const HOSTILE: &str = "x\u{1b}[31m\n::error::<img src=x onerror=alert(1)> `@org/team` ##vso[task.x]";

/// Returns a token with these claims.
fn token(claims: &Value) -> String {
    format!("e30.{}.signature", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// Runs flowbind with a token, and returns its stdout.
fn run(folder: &Path, served: &SandboxServer, token: &str, args: &[&str]) -> String {
    let run = flowbind(args).connect_to(&served.graph_url()).within(folder);
    let outcome = run.env("FLOWBIND_ACCESS_TOKEN", token).run();
    assert_eq!(outcome.code, 0, "{outcome}");
    outcome.stdout
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn plan_and_report_have_the_app_or_user_of_the_token() {
    for (token, actor, shown) in [
        (token(&json!({"appid": APP, "oid": "o"})), json!({"appId": APP}), Some(format!("by app {APP}:"))),
        (
            token(&json!({"appid": APP, "upn": "jane@contoso.com", "scp": "s"})),
            json!({"user": "jane@contoso.com"}),
            Some("by user jane@contoso.com:".to_owned()),
        ),
        ("an-opaque-token".to_owned(), Value::Null, None),
    ] {
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
        let folder = folder();
        file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
        run(folder.path(), &served, &token, &["plan", "--out", "plan.json"]);
        let plan = read(&folder.path().join("plan.json"));
        assert_eq!(plan["targets"][0]["actor"], actor);
        let text = run(folder.path(), &served, &token, &["apply", "--yes", "--out", "report.json"]);
        let report = read(&folder.path().join("report.json"));
        assert_eq!(report["targets"][0]["actor"], actor);
        assert_eq!(report["fingerprint"], plan["fingerprint"]);
        match shown {
            Some(shown) => assert!(text.contains(&shown), "{text}"),
            None => assert!(text.contains("Results for contoso.onmicrosoft.com:"), "{text}"),
        }
    }
}

/// Who made the plan is not who applies it, and does not change what is approved.
#[test]
fn report_of_a_saved_plan_has_who_applied() {
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let planner = token(&json!({"appid": APP}));
    run(folder.path(), &served, &planner, &["plan", "--out", "plan.json"]);
    let fingerprint = read(&folder.path().join("plan.json"))["fingerprint"].as_str().unwrap().to_owned();
    let user = token(&json!({"upn": "jane@contoso.com", "scp": "s"}));
    let args = ["apply", "--plan", "plan.json", "--expect", &fingerprint, "--out", "report.json"];
    run(folder.path(), &served, &user, &args);
    let report = read(&folder.path().join("report.json"));
    assert_eq!(report["targets"][0]["actor"], json!({"user": "jane@contoso.com"}));
}

#[test]
fn hostile_actor_is_escaped_in_every_format() {
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let user = token(&json!({"upn": HOSTILE, "scp": "s"}));
    let outputs = ["report.json", "report.md", "report.html", "report.txt", "report.xml", "report.prom"];
    let outs = outputs.iter().flat_map(|name| ["--out", name]);
    let args: Vec<_> = ["apply", "--yes"].into_iter().chain(outs).collect();
    let stdout = run(folder.path(), &served, &user, &args);
    let report = read(&folder.path().join("report.json"));
    assert_eq!(report["targets"][0]["actor"]["user"], HOSTILE);
    let written = outputs.iter().map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
    for text in written.chain([stdout]) {
        assert!(
            !text.contains('\u{1b}') && !text.contains("##vso[") && !text.contains("\n::error"),
            "{text}"
        );
    }
    let markdown = fs::read_to_string(folder.path().join("report.md")).unwrap();
    assert!(markdown.contains("user <code>") && !markdown.contains("<img"), "{markdown}");
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains(", by user x") && !page.contains("<img"), "{page}");
}
