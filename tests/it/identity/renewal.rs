//! Token renewal: a token is cached for the run, renewed before it expires, and once after it was rejected.

use std::time::Duration;

use super::{CONTOSO, FABRIKAM, run_in};
use crate::support::entra::Entra;
use crate::support::{Outcome, file, folder, tenant, yaml_binding_connector_1};

/// Starts a tenant with these flows.
fn entra(flows: &[&str]) -> Entra {
    let flows: Vec<_> = flows.iter().map(|flow| (*flow, 0, 0)).collect();
    Entra::serve(vec![(CONTOSO.0, CONTOSO.1, tenant(&flows))])
}

/// Runs `args` with a file of these flows and a client secret.
fn run(entra: &Entra, flows: &[&str], args: &[&str]) -> Outcome {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(flows));
    entra.run(run_in(folder.path(), args).env("AZURE_CLIENT_SECRET", "client-s3cr3t"))
}

/// Flows that take six seconds to read at five requests per second.
const SLOW: [&str; 2] = ["--rate", "5/1"];

fn thirty() -> Vec<String> {
    (0..30).map(|number| format!("B2C_1_{number}")).collect()
}

#[test]
fn expiring_token_is_renewed_in_time() {
    let flows = thirty();
    let flows: Vec<_> = flows.iter().map(String::as_str).collect();
    let entra = entra(&flows);
    entra.behave(|behavior| behavior.token_lifetime = Duration::from_secs(4));
    let outcome = run(&entra, &flows, &[&["apply", "--yes"], &SLOW[..]].concat());
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.contains("Apply: 30 applied."), "{outcome}");
    assert!(entra.token_requests().len() >= 3, "{:?}", entra.token_requests().len());
    assert!(!outcome.stderr.contains("answered 401"), "it was renewed before it expired: {outcome}");
}

#[test]
fn rejected_token_is_renewed_once() {
    for (refuses, code) in [(1, 0), (2, 1), (99, 1)] {
        let entra = entra(&["B2C_1_a", "B2C_1_b", "B2C_1_c"]);
        entra.behave(|behavior| behavior.rejected_tokens = refuses);
        let outcome = run(&entra, &["B2C_1_a", "B2C_1_b", "B2C_1_c"], &["plan"]);
        assert_eq!(outcome.code, code, "{outcome}");
        assert_eq!(entra.token_requests().len(), 2, "four requests were refused at once: {outcome}");
        if code == 1 {
            // The response repeats the token, but the output must not.
            let expected =
                "401 InvalidAuthenticationToken: Lifetime validation failed, the token *** is expired.";
            assert!(outcome.stdout.contains(expected), "{outcome}");
            assert!(outcome.stderr.contains("= cause: Graph rejected the access token\n"), "{outcome}");
            assert!(outcome.stderr.contains("`flowbind whoami` shows"), "{outcome}");
        }
    }
}

#[test]
fn put_uses_the_renewed_token() {
    let entra = entra(&["B2C_1_a"]);
    entra.behave(|behavior| behavior.rejected_tokens = 1);
    let outcome = run(&entra, &["B2C_1_a"], &["apply", "--yes"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(entra.tenants[0].graph.puts(), 1);
}

#[test]
fn token_without_renewal_is_used_until_it_expires() {
    let flows = thirty();
    let flows: Vec<_> = flows.iter().map(String::as_str).collect();
    let entra = entra(&flows);
    entra.behave(|behavior| {
        behavior.token_lifetime = Duration::from_secs(3);
        behavior.tokens_before_error = 1;
        let body = r#"{"error_description": "AADSTS7000222: The provided client secret keys are expired."}"#;
        behavior.token_error = Some((401, body.into()));
    });
    let outcome = run(&entra, &flows, &[&["plan", "--format", "json"], &SLOW[..]].concat());
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("WARN cannot renew the access token: AADSTS7000222"), "{outcome}");
    assert!(outcome.stderr.contains("error[sign-in-failed]"), "{outcome}");
    let plan: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let unknown = plan["targets"][0]["unknown"].as_array().unwrap();
    assert!((2..60).contains(&unknown.len()), "what was read before is known: {}", unknown.len());
    let why = unknown[0]["error"].as_str().unwrap();
    let expected = "the access token expired or was rejected, and cannot be renewed: AADSTS7000222: The provided client secret keys are expired.";
    assert!(why.contains(expected), "{why}");
}

/// Terminals and pipeline runners read the log.
#[test]
fn authority_messages_in_the_log_are_inert() {
    let entra = entra(&["B2C_1_a"]);
    entra.behave(|behavior| {
        (behavior.rejected_tokens, behavior.tokens_before_error) = (1, 1);
        let words = "\u{202e}desrever ##[error]x\u{1b}[31m\u{9b}\n::error::y ##vso[task.complete]";
        behavior.token_error = Some((401, serde_json::json!({"error_description": words}).to_string()));
    });
    let outcome = run(&entra, &["B2C_1_a"], &["plan"]);
    let warning = outcome.stderr.lines().find(|line| line.contains("and it cannot be renewed: ")).unwrap();
    assert!(warning.contains(r"\u{202e}desrever \u{23}#[error]x"), "{warning}");
    let acts = |char: char| char.is_control() || char == '\u{202e}';
    assert!(!warning.contains(acts) && !warning.contains("##"), "{warning:?}");
    assert!(!outcome.stderr.contains("\n::"), "{outcome}");
}

/// The Azure CLI login may change during a run.
#[test]
fn renewed_token_for_another_tenant_is_rejected() {
    let entra = entra(&["B2C_1_a"]);
    entra.behave(|behavior| (behavior.rejected_tokens, behavior.later_tenant_id) = (1, Some(FABRIKAM.1)));
    let outcome = run(&entra, &["B2C_1_a"], &["apply", "--yes"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    let expected = format!("the new token is for another tenant: `{}`, not `{}`", FABRIKAM.1, CONTOSO.1);
    assert!(outcome.stderr.contains(&expected), "{outcome}");
    assert_eq!(entra.tenants[0].graph.requests(), Vec::<String>::new());
}

#[test]
fn static_token_is_not_renewed() {
    let entra = entra(&["B2C_1_a"]);
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let token = entra.token_for(CONTOSO.1);
    entra.behave(|behavior| behavior.rejected_tokens = 1);
    let outcome = entra.run(run_in(folder.path(), &["plan"]).env("FLOWBIND_ACCESS_TOKEN", &token));
    assert_eq!(outcome.code, 1, "{outcome}");
    assert_eq!(entra.requests_to("/beta/").len(), 2, "{outcome}");
    assert_eq!(entra.token_requests(), []);
}
