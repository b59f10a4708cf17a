//! National clouds: each has its own Graph host, authority and tokens.

use serde_json::Value;

use super::CONTOSO;
use crate::support::entra::{APP, Entra};
use crate::support::{connector_id, file, flowbind, folder, tenant, yaml_binding_connector_1};

/// Applies a file with this line to a tenant of a cloud, signed in as a GitHub job.
fn apply(cloud: &str, line: &str, flow: &str) -> Entra {
    let mut snapshot = tenant(&[(flow, 0, 0)]);
    snapshot.cloud = cloud.parse().unwrap();
    let entra = Entra::serve(vec![(CONTOSO.0, CONTOSO.1, snapshot)]);
    let folder = folder();
    let yaml =
        yaml_binding_connector_1(&[flow]).replace("flows:", &format!("cloud: {cloud}\n{line}\nflows:"));
    file(folder.path(), "flowbind.yaml", yaml);
    let run = flowbind(["apply", "--yes"])
        .within(folder.path())
        .env("AZURE_CLIENT_ID", APP)
        .env("ACTIONS_ID_TOKEN_REQUEST_URL", "https://issuer.example.com/github")
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "github-request-t0ken");
    let outcome = entra.run(run);
    assert_eq!(outcome.code, 0, "{outcome}");
    entra
}

#[test]
fn clouds_use_their_own_hosts() {
    for (cloud, graph, authority, exchange) in [
        ("global", "graph.microsoft.com", "login.microsoftonline.com", "Exchange"),
        ("usgov", "graph.microsoft.us", "login.microsoftonline.us", "ExchangeUSGov"),
        ("usgov-dod", "dod-graph.microsoft.us", "login.microsoftonline.us", "ExchangeUSGov"),
        ("china", "microsoftgraph.chinacloudapi.cn", "login.chinacloudapi.cn", "ExchangeChina"),
    ] {
        let entra = apply(cloud, "api: beta", "B2C_1_a");
        let form = entra.token_requests().pop().unwrap();
        assert_eq!(form["scope"], format!("https://{graph}/.default"));
        let audience = format!("audience=api%3A%2F%2FAzureADToken{exchange}");
        assert!(entra.requests_to("/github?")[0].url.ends_with(&audience), "{cloud}");
        for asked in entra.requests_to("") {
            let place = if asked.url.contains("/beta/") { graph } else { authority };
            let issuer = asked.url.starts_with("https://issuer.example.com/");
            assert!(issuer || asked.url.starts_with(&format!("https://{place}/")), "{cloud}: {}", asked.url);
        }
        let put = entra.requests_to("$ref").pop().unwrap();
        let body: Value = serde_json::from_str(&put.body).unwrap();
        let connector = connector_id(1);
        assert_eq!(body["@odata.id"], format!("https://{graph}/beta/identity/apiConnectors/{connector}"));
    }
}

#[test]
fn workforce_tenants_support_both_api_versions() {
    for (cloud, graph) in [("global", "graph.microsoft.com"), ("china", "microsoftgraph.chinacloudapi.cn")] {
        for api in ["beta", "v1.0"] {
            let entra = apply(cloud, &format!("api: {api}"), "B2X_1_a");
            let put = entra.requests_to("$ref").pop().unwrap();
            let path = "identity/b2xUserFlows/B2X_1_a/apiConnectorConfiguration/postFederationSignup/$ref";
            assert_eq!(put.url, format!("https://{graph}/{api}/{path}"));
            assert!(
                put.body.contains(&format!("https://{graph}/{api}/identity/apiConnectors/")),
                "{}",
                put.body
            );
        }
    }
}

#[test]
fn export_requests_only_what_the_api_version_has() {
    for (args, expected) in [
        (["--cloud", "usgov"], "`--api v1.0` has no user flows in the cloud `usgov`"),
        (["--cloud", "usgov-dod"], "`--api v1.0` has no user flows in the cloud `usgov-dod`"),
        (["--steps", "preTokenIssuance"], "`--api v1.0` has no step `preTokenIssuance`"),
    ] {
        let outcome = flowbind(["export", "--tenant", CONTOSO.0, "--api", "v1.0"]).args(args).run();
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains(expected), "{outcome}");
    }
}
