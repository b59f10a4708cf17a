//! What platforms, the Azure CLI, the login service and Graph return in unusual forms.

use std::time::Duration;

use serde_json::json;

use super::{CONTOSO, az, entra, run_in, with_az, write_file_with_one_change};
use crate::support::entra::Entra;
use crate::support::{Flowbind, Outcome, file, folder, tenant, yaml_binding_connector_1};

/// A JWT that none of the fake services issued.
const JWT: &str = "eyJ0eXAiOiJKV1QifQ.eyJhdWQiOiJodHRwcyJ9.c2lnbmF0dXJlLW9m";

/// Plans one change with these variables.
fn plan(entra: &Entra, offer: impl Fn(Flowbind) -> Flowbind) -> Outcome {
    let folder = folder();
    write_file_with_one_change(folder.path());
    entra.run(offer(run_in(folder.path(), &["plan"])))
}

fn with_identity(run: Flowbind, entra: &Entra) -> Flowbind {
    run.env("IDENTITY_ENDPOINT", &entra.url("/identity")).env("IDENTITY_HEADER", "identity-h3ader")
}

#[test]
fn managed_identity_with_every_form_of_expiry_signs_in() {
    let entra = entra();
    for expiry in [
        json!({"expires_on": 4_000_000_000_u64, "token_type": "Bearer", "resource": "r"}),
        json!({"expires_on": "4000000000", "token_type": "Bearer"}),
        json!({"expires_on": "9/18/2066 5:24:12 AM +00:00", "resource": "r"}),
        json!({"expires_on": "", "expires_in": "3600"}),
        json!({"expires_on": null}),
        json!({}),
    ] {
        let mut body = expiry.clone();
        body["access_token"] = entra.token_for(CONTOSO.1).into();
        entra.behave(|behavior| behavior.issuer_error = Some((200, body.to_string())));
        let outcome = plan(&entra, |run| with_identity(run, &entra));
        assert_eq!(outcome.code, 0, "{expiry}: {outcome}");
    }
}

#[test]
fn az_with_other_output_around_the_token_signs_in() {
    let entra = entra();
    let token = entra.token_for(CONTOSO.1);
    let object = json!({"accessToken": token, "expires_on": 4_000_000_000_u64, "tokenType": "Bearer"});
    for (before, after) in
        [("WARNING: {a} warning", ""), ("", "A new version is available."), ("\u{feff}", "\u{1b}[0m")]
    {
        let tools = folder();
        az(tools.path(), &format!("{before}{object}\r\n{after}\n"), "", 0);
        let outcome = plan(&entra, |run| with_az(run, tools.path()));
        assert_eq!(outcome.code, 0, "{outcome}");
    }
}

/// `az` prints tokens in its debug output, and a proxy may repeat the token of another client.
#[test]
fn token_in_foreign_text_is_not_printed() {
    let entra = entra();
    let tools = folder();
    let text = format!("A1: got {JWT}, refresh_token: 0.AXoA-opaque, client_secret=q~8Q-opaque, the end");
    let expected = "A1: got ***, refresh_token: *** client_secret=*** the end";
    az(tools.path(), "", &text, 1);
    let az_outcome = plan(&entra, |run| with_az(run, tools.path()));
    let with_secret = |run: Flowbind| run.env("AZURE_CLIENT_SECRET", "client-s3cr3t");
    let graph = json!({"error": {"code": "x", "message": text}}).to_string();
    entra.behave(|behavior| behavior.graph_error = Some(("/beta/", 403, graph)));
    let graph_outcome = plan(&entra, with_secret);
    let login = json!({"error_description": text}).to_string();
    entra.behave(|behavior| behavior.token_error = Some((401, login)));
    for outcome in [az_outcome, graph_outcome, plan(&entra, with_secret)] {
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains(expected), "{outcome}");
        for part in JWT.split('.').chain(["opaque"]) {
            assert!(!outcome.to_string().contains(part), "{part}: {outcome}");
        }
    }
}

/// Either flowbind sees that its token expired, or Graph rejects it first: the clocks differ, or it was revoked.
// The fake `az` reads the clock.
#[cfg(unix)]
#[test]
fn login_that_is_over_is_one_error_and_not_retried() {
    let flows: Vec<_> = (0..30).map(|number| format!("B2C_1_{number}")).collect();
    let flows: Vec<_> = flows.iter().map(String::as_str).collect();
    let listed: Vec<_> = flows.iter().map(|flow| (*flow, 0, 0)).collect();
    let files = folder();
    file(files.path(), "flowbind.yaml", yaml_binding_connector_1(&flows));
    for stated_lifetime in [3, 3600] {
        let entra = Entra::serve(vec![(CONTOSO.0, CONTOSO.1, tenant(&listed))]);
        entra.behave(|behavior| behavior.token_lifetime = Duration::from_secs(3));
        let tools = folder();
        let script = format!(
            "if [ -e '{0}' ]; then echo 'ERROR: AADSTS700024: Client assertion is not within its valid time \
             range.' >&2; exit 1; fi\ntouch '{0}'\necho '{{\"accessToken\": \"{1}\", \"expires_on\": '$(($(date +%s) \
             + {stated_lifetime}))', \"tokenType\": \"Bearer\"}}'",
            tools.path().join("used").display(),
            entra.token_for(CONTOSO.1)
        );
        super::az_script(tools.path(), &script);
        let outcome = entra.run(with_az(run_in(files.path(), &["plan", "--rate", "5/1"]), tools.path()));
        assert_eq!(outcome.code, 1, "{outcome}");
        let error = "error[sign-in-failed]: the access token expired or was rejected, and cannot be renewed: ERROR: \
                     AADSTS700024: Client assertion is not within its valid time range.\n  = hint: sign in again \
                     just before this step, ";
        assert!(outcome.stderr.contains(error), "{outcome}");
        assert_eq!(outcome.stderr.matches("\nerror[").count(), 1, "{outcome}");
        assert!(!outcome.stderr.contains("could not be read"), "{outcome}");
        let asked = std::fs::read_to_string(tools.path().join("asked")).unwrap();
        assert_eq!(asked.lines().count(), 2, "{asked}");
    }
}

/// `az.cmd` starts another process, which inherits the output of the run.
#[cfg(windows)]
#[test]
fn az_that_hangs_ends_with_the_run() {
    let (files, tools) = (folder(), folder());
    write_file_with_one_change(files.path());
    file(tools.path(), "az.cmd", "@ping -n 90 127.0.0.1\r\n@echo over>\"%~dp0over\"\r\n");
    let outcome = with_az(run_in(files.path(), &["plan", "--timeout", "2"]), tools.path()).run();
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("before a token was issued"), "{outcome}");
    assert!(!tools.path().join("over").exists(), "the run waited for `az`");
}

#[test]
fn federated_token_that_expired_is_reported_with_the_way_out() {
    let entra = entra();
    let body =
        json!({"error_description": "AADSTS700024: Client assertion is not within its valid time range."});
    entra.behave(|behavior| behavior.token_error = Some((401, body.to_string())));
    let files = folder();
    let path = file(files.path(), "token", "federated-t0ken");
    let outcome = plan(&entra, |run| run.env("AZURE_FEDERATED_TOKEN_FILE", path.to_str().unwrap()));
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("\n  = cause: federated-token: AADSTS700024: "), "{outcome}");
    assert!(outcome.stderr.contains("such as `github-oidc`\n"), "{outcome}");
}

#[test]
fn authority_without_scheme_is_https() {
    let entra = entra();
    let outcome = plan(&entra, |run| {
        run.env("AZURE_CLIENT_SECRET", "client-s3cr3t")
            .env("AZURE_AUTHORITY_HOST", "login.microsoftonline.us")
    });
    assert_eq!(outcome.code, 0, "{outcome}");
    let asked = entra.requests_to("/oauth2/").pop().unwrap().url;
    assert!(asked.starts_with("https://login.microsoftonline.us/"), "{asked}");
}

/// The token must be for the Graph that it is sent to.
#[test]
fn scope_follows_the_graph_of_an_unknown_cloud() {
    let entra = entra();
    let tools = folder();
    let token = entra.token_for(CONTOSO.1);
    let answer = json!({"accessToken": token, "expires_on": 4_000_000_000_u64, "tokenType": "Bearer"});
    az(tools.path(), &answer.to_string(), "", 0);
    let offers: [&dyn Fn(Flowbind) -> Flowbind; 3] =
        [&|run| run.env("AZURE_CLIENT_SECRET", "client-s3cr3t"), &|run| with_identity(run, &entra), &|run| {
            with_az(run, tools.path())
        }];
    for offer in offers {
        let outcome = plan(&entra, |run| {
            offer(run)
                .args(["--graph-url", "https://graph.new.cloud/beta"])
                .env("AZURE_AUTHORITY_HOST", "login.new.cloud")
        });
        assert_eq!(outcome.code, 0, "{outcome}");
    }
    assert_eq!(entra.token_requests()[0]["scope"], "https://graph.new.cloud/.default");
    let identity = entra.requests_to("/identity?").pop().unwrap().url;
    assert!(identity.contains("resource=https%3A%2F%2Fgraph.new.cloud&"), "{identity}");
    let asked = std::fs::read_to_string(tools.path().join("asked")).unwrap();
    assert!(asked.contains("--scope https://graph.new.cloud/.default "), "{asked}");
    let is_known = |url: &str| {
        ["https://graph.new.cloud/", "https://login.new.cloud/", "https://127.0.0.1/identity?"]
            .iter()
            .any(|root| url.starts_with(root))
    };
    assert!(entra.requests_to("").iter().all(|request| is_known(&request.url)), "{:?}", entra.requests());
}
