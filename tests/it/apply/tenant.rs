//! Tenant check: it blocks tokens for another tenant, which may have flows with the same ids.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flowbind::sandbox::Options;
use flowbind::saved::{self, Saved};
use serde_json::Value;

use crate::support::{Background, Outcome, file, flowbind, folder, serve, tenant, yaml_binding_connector_1};

const OURS: &str = "8b7e1c52-6f0a-4d59-9a35-2f1f6f0e7a11";
const THEIRS: &str = "11111111-2222-4333-8444-555555555555";

fn token_of(tenant: &str) -> String {
    let claims = serde_json::json!({"aud": "https://graph.microsoft.com", "tid": tenant}).to_string();
    format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims))
}

#[test]
fn token_tenant_on_loopback_is_compared_with_a_guid() {
    let mut snapshot = tenant(&[("B2C_1_a", 0, 0)]);
    snapshot.tenant = OURS.into();
    let served = serve(snapshot, Options::default());
    let folder = folder();
    let yaml =
        yaml_binding_connector_1(&["B2C_1_a"]).replace("contoso.onmicrosoft.com", &OURS.to_uppercase());
    file(folder.path(), "flowbind.yaml", yaml);
    let run = |command: &[&str], token: &str| {
        flowbind(command)
            .args(["--graph-url", &served.graph_url()])
            .env("FLOWBIND_ACCESS_TOKEN", token)
            .within(folder.path())
            .run()
    };
    for command in [&["plan"][..], &["apply", "--yes"], &["apply", "--yes", "--tenant-unchecked"]] {
        let outcome = run(command, &token_of(THEIRS));
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(
            outcome.stderr.contains(&format!("the access token is for the tenant `{THEIRS}`")),
            "{outcome}"
        );
    }
    assert_eq!(served.requests(), Vec::<String>::new(), "before the first request to Graph");
    let plan = run(&["plan", "--format", "json"], &token_of(OURS));
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan["targets"][0]["tenantId"], OURS);
    assert_eq!(run(&["apply", "--yes"], &token_of(OURS)).code, 0);
}

/// Starts an authority that answers the expected request with this response.
fn authority(status: &'static str, body: String) -> (Background, String) {
    let (background, address) = Background::answer(move |head| {
        let asked = "GET /contoso.onmicrosoft.com/v2.0/.well-known/openid-configuration HTTP/1.1";
        let right = head[0] == asked && !head.iter().any(|line| line.starts_with("authorization"));
        let status = if right { status } else { "418 Not What Was To Be Asked" };
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into()
    });
    (background, format!("http://{address}/"))
}

fn issuer(tenant: &str) -> String {
    serde_json::json!({"issuer": format!("https://login.microsoftonline.com/{tenant}/v2.0")}).to_string()
}

/// Runs with the real Graph URL, which is unreachable: the proxy is a closed port on loopback.
fn run(args: &[&str], authority: &str, token: &str) -> Outcome {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    flowbind(args)
        .args(["--timeout", "1"])
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .env("AZURE_AUTHORITY_HOST", authority)
        .env("FLOWBIND_ACCESS_TOKEN", token)
        .within(folder.path())
        .run()
}

#[test]
fn tenant_domain_is_resolved_through_the_authority() {
    let plan = ["plan", "--format", "json"];
    let outcome = run(&plan, &authority("200 OK", issuer(OURS)).1, &token_of(OURS));
    let plan_: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(plan_["targets"][0]["tenantId"], OURS, "{outcome}");
    let outcome = run(&plan, &authority("200 OK", issuer(OURS)).1, &token_of(THEIRS));
    assert_eq!(outcome.code, 1);
    let error = format!(
        "the access token is for the tenant `{THEIRS}`, not for `contoso.onmicrosoft.com`, which is `{OURS}`"
    );
    assert!(outcome.stderr.contains(&error), "{outcome}");
}

/// Only the authority knows that a domain and a GUID are the same tenant.
#[test]
fn aliased_tenant_in_files_is_detected_after_resolution() {
    let folder = folder();
    file(folder.path(), "a.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let other = yaml_binding_connector_1(&["B2C_1_b"]).replace("contoso.onmicrosoft.com", OURS);
    file(folder.path(), "b.yaml", other);
    file(folder.path(), "c.yaml", yaml_binding_connector_1(&["B2C_1_c"]));
    for command in [&["plan"][..], &["apply", "--yes"], &["accept", "--write"]] {
        let outcome = flowbind(command)
            .args(["a.yaml", "b.yaml", "c.yaml", "--timeout", "1"])
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("AZURE_AUTHORITY_HOST", &authority("200 OK", issuer(OURS)).1)
            .env("FLOWBIND_ACCESS_TOKEN", &token_of(OURS))
            .within(folder.path())
            .run();
        assert_eq!(outcome.code, 1, "{outcome}");
        for tenant in [OURS, "contoso.onmicrosoft.com"] {
            let error = format!("error[tenant-alias]: {tenant}: `{OURS}` and `contoso.onmicrosoft.com` are");
            assert_eq!(outcome.stderr.matches(&error).count(), 1, "{outcome}");
        }
    }
}

/// A tenant that could not be resolved for the plan may be resolved at apply.
#[test]
fn aliased_tenant_in_saved_plan_is_detected() {
    let served = serve(tenant(&[("B2C_1_a", 0, 0), ("B2C_1_b", 0, 0)]), Options::default());
    let plan = served.plan(&yaml_binding_connector_1(&["B2C_1_a"]), &["--format", "json"]);
    let Ok(Saved::Plan(mut plan, at)) = saved::read(&plan.stdout) else { panic!("{plan}") };
    plan.tenants[0].targets[0].graph_url = "https://graph.microsoft.com/beta".to_owned();
    let mut other = plan.tenants[0].targets[0].clone();
    other.tenant = OURS.parse().unwrap();
    let plan = flowbind::plan::Plan::new(vec![plan.into_targets().remove(0), other], Vec::new());
    let folder = folder();
    file(folder.path(), "plan.json", saved::plan::to_json(&plan, &at));
    let outcome = flowbind(["apply", "--plan", "plan.json", "--timeout", "1", "--out", "report.json"])
        .env("HTTPS_PROXY", "http://127.0.0.1:9")
        .env("AZURE_AUTHORITY_HOST", &authority("200 OK", issuer(OURS)).1)
        .env("FLOWBIND_ACCESS_TOKEN", &token_of(OURS))
        .within(folder.path())
        .run();
    assert_eq!(outcome.code, 3, "{outcome}");
    assert!(outcome.stderr.contains("are the same tenant"), "{outcome}");
    let report = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["targets"][0]["tenantId"], OURS, "it is known now");
}

#[test]
fn unverified_tenant_warns_in_plan_and_blocks_apply() {
    let apply = ["apply", "--yes"];
    let unchecked = ["apply", "--yes", "--tenant-unchecked"];
    let (_not_found, not_found) = authority("404 Not Found", String::new());
    let (_html, html) = authority("200 OK", "<html>".into());
    let (_common, common) = authority("200 OK", issuer("common"));
    let cases = [
        ("http://127.0.0.1:9".to_owned(), token_of(OURS), "cannot reach 127.0.0.1:9: connection refused"),
        (not_found, token_of(OURS), "404"),
        (html, token_of(OURS), "not an OpenID configuration"),
        (common, token_of(OURS), "not an OpenID configuration"),
        ("http://127.0.0.1:9".to_owned(), "opaque".into(), "has no tenant claim"),
    ];
    for (authority, token, why) in cases {
        let outcome = run(&["plan"], &authority, &token);
        assert_eq!(outcome.code, 1, "{outcome}");
        let warned = outcome.stdout.contains("warning[tenant-unverified]: ") && outcome.stdout.contains(why);
        assert!(warned, "{why}: {outcome}");
        let outcome = run(&apply, &authority, &token);
        assert_eq!(outcome.code, 3, "{outcome}");
        assert!(outcome.stderr.contains(why) && outcome.stderr.contains("--tenant-unchecked"), "{outcome}");
        // The next failure is that Graph is unreachable.
        let outcome = run(&unchecked, &authority, &token);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stdout.contains("warning[tenant-unverified]: "), "{outcome}");
    }
}

/// A saved plan contains the GUID of its tenant, because a domain can move to another tenant.
#[test]
fn domain_moved_to_another_tenant_blocks_the_plan() {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let snapshot = crate::support::tenant(&[("B2C_1_a", 0, 0)]).to_json();
    file(folder.path(), "tenant.json", snapshot);
    let planned =
        flowbind(["plan", "--sandbox", "tenant.json", "--out", "plan.json"]).within(folder.path()).run();
    assert_eq!(planned.code, 0, "{planned}");
    let path = folder.path().join("plan.json");
    let mut plan: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (theirs, code, error) in [
        (THEIRS, 3, format!("the plan is for the tenant `{THEIRS}`, but this run targets `{OURS}`")),
        // The next failure is that Graph is unreachable.
        (OURS, 1, "could not read the tenant again before the first PUT".to_owned()),
    ] {
        plan["targets"][0]["tenantId"] = theirs.into();
        std::fs::write(&path, plan.to_string()).unwrap();
        let outcome = flowbind(["apply", "--plan", "plan.json", "--timeout", "1"])
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("AZURE_AUTHORITY_HOST", &authority("200 OK", issuer(OURS)).1)
            .env("FLOWBIND_ACCESS_TOKEN", &token_of(OURS))
            .within(folder.path())
            .run();
        assert!(outcome.stdout.contains("Plan: 1 to enable.\nFingerprint: "), "{outcome}");
        assert_eq!(outcome.code, code, "{outcome}");
        assert!(outcome.stderr.contains(&error), "{outcome}");
    }
}

#[test]
fn authority_over_http_is_rejected() {
    for (host, root) in [
        ("http://login.example.com", "https://login.example.com"),
        ("ftp://127.0.0.1", "https://127.0.0.1"),
        ("http://user:s3cr3t@127.0.0.1:9", "https://127.0.0.1:9"),
        ("https://127.0.0.1/?s3cr3t", "https://127.0.0.1"),
        ("login.example.com/common", "https://login.example.com"),
        ("https://login.example.com/common", "https://login.example.com"),
        ("https://s3cr3t bad", "https://login.microsoftonline.com"),
    ] {
        let outcome = run(&["plan"], host, &token_of(OURS));
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(!outcome.to_string().contains("s3cr3t"), "{outcome}");
        assert!(
            outcome.stderr.contains("`AZURE_AUTHORITY_HOST` is not the https root of a login authority"),
            "{outcome}"
        );
        assert!(outcome.stderr.contains(&format!("such as `{root}`\n")), "{outcome}");
    }
}
