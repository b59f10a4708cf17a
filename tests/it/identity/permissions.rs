//! Missing permissions: errors contain the message of the service and name the permission.

use serde_json::json;

use super::{CONTOSO, run_in};
use crate::support::entra::Entra;
use crate::support::{Outcome, connector_id, file, folder, tenant, yaml_binding_connector_1};

/// Runs against a tenant whose Graph answers paths that contain `part` with this error.
fn run(args: &[&str], yaml: &str, part: &'static str, status: u16, message: &str) -> (Outcome, Entra) {
    let entra = Entra::serve(vec![(CONTOSO.0, CONTOSO.1, tenant(&[("B2C_1_a", 0, 0)]))]);
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml);
    let body = json!({"error": {"code": "AADB2C", "message": message}}).to_string();
    entra.behave(|behavior| behavior.graph_error = Some((part, status, body)));
    let outcome = entra.run(run_in(folder.path(), args).env("AZURE_CLIENT_SECRET", "client-s3cr3t"));
    (outcome, entra)
}

#[test]
fn denied_read_names_the_missing_permission() {
    let message =
        "The application does not have any of the required permissions: Some.Read.All, Some.ReadWrite.All.";
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]);
    let prunes = format!("{yaml}prune: flows\n");
    // The least privileged permission comes first.
    let bindings =
        ["grant `IdentityUserFlow.Read.All` ", "still answers 403, `IdentityUserFlow.ReadWrite.All`"];
    let connectors = ["grant `APIConnectors.Read.All` ", "still answers 403, `APIConnectors.ReadWrite.All`"];
    let export = ["export", "--tenant", CONTOSO.0];
    for (args, yaml, part, names) in [
        (&["plan"][..], &yaml, "/apiConnectorConfiguration", &bindings[..]),
        (&["drift"], &yaml, "/apiConnectorConfiguration", &bindings),
        (&["drift", "--strict"], &yaml, "/apiConnectors", &connectors),
        (&["plan"], &yaml, "/apiConnectors", &connectors),
        (&["plan"], &prunes, "UserFlows?", &[]),
        (&["plan"], &prunes, "/b2cUserFlows", &["`IdentityUserFlow.ReadWrite.All`"]),
        (&export, &yaml, "/apiConnectorConfiguration", &bindings),
        (&export, &yaml, "/apiConnectors", &connectors),
        (&export, &yaml, "UserFlows", &["`IdentityUserFlow.Read.All`"]),
    ] {
        let (outcome, _) = run(args, yaml, part, 403, message);
        if names.is_empty() {
            assert_eq!(outcome.code, 0, "{outcome}");
            continue;
        }
        assert_eq!(outcome.code, 1, "{args:?} {part}: {outcome}");
        assert!(outcome.to_string().contains(message), "not truncated: {outcome}");
        for name in names {
            assert!(outcome.stderr.contains(name), "{args:?} {part} {name}: {outcome}");
        }
    }
}

#[test]
fn denied_put_names_the_missing_permission() {
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]);
    let (outcome, entra) = run(&["apply", "--yes"], &yaml, "$ref", 403, "Access is denied.");
    assert_eq!(outcome.code, 4, "{outcome}");
    let error = "$ref: 403 AADB2C: Access is denied. (client-request-id ";
    assert!(outcome.stdout.contains(error), "{outcome}");
    assert!(outcome.stdout.contains("hint: grant `IdentityUserFlow.ReadWrite.All` "), "{outcome}");
    assert_eq!(entra.requests_to("$ref").len(), 1);
}

/// `apply` asks once whether the connectors still exist, and goes on without an answer.
#[test]
fn file_with_connector_ids_needs_no_connector_permission() {
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", &connector_id(1));
    let (outcome, entra) =
        run(&["apply", "--yes"], &yaml, "/identity/apiConnectors", 403, "Access is denied.");
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(entra.requests_to("/identity/apiConnectors").len(), 1);
}

/// An id may belong to the connector of a pin by name. A pin by another id cannot be about it.
#[test]
fn file_with_pins_needs_the_connector_permission() {
    for (entry, code, asked) in [
        ("{displayName: Connector 1, targetUrl: 'https://api.contoso.com/check'}".to_owned(), 1, 1),
        (format!("{{id: {}, targetUrl: 'https://api.contoso.com/check'}}", connector_id(1)), 1, 1),
        (format!("{{id: {}, targetUrl: 'https://api.contoso.com/other'}}", connector_id(2)), 0, 1),
    ] {
        let yaml = yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", &connector_id(1));
        let yaml = format!("{yaml}connectors:\n  check: {entry}\n");
        let (outcome, entra) =
            run(&["apply", "--yes"], &yaml, "/identity/apiConnectors", 403, "Access is denied.");
        assert_eq!(outcome.code, code, "{entry}: {outcome}");
        assert_eq!(entra.requests_to("/identity/apiConnectors").len(), asked, "{entry}");
        let error = "cannot list the tenant's connectors, so names and pins cannot be resolved";
        assert_eq!(outcome.stderr.contains(error), code == 1, "{entry}: {outcome}");
    }
}

/// Messages of the service as observed, shortened.
#[test]
fn file_on_the_wrong_kind_of_tenant_is_reported() {
    let b2c = yaml_binding_connector_1(&["B2C_1_a"]);
    let b2x = yaml_binding_connector_1(&["B2X_1_a"]);
    let is_b2c = "'contoso' is an Azure AD B2C directory. Access to this Api can only be made elsewhere.";
    let is_not = "'8b7e1c52' is not an Azure AD B2C directory. Access is for others.";
    let disabled = "The feature self service sign up is not enabled for the tenant 'contoso'.";
    for (yaml, part, status, message, meaning) in [
        (&b2x, "/b2xUserFlows", 403, is_b2c, "but the tenant is an Azure AD B2C tenant"),
        (&b2c, "/b2cUserFlows", 403, is_not, "but the tenant is a workforce tenant"),
        (&b2c, "/b2cUserFlows", 401, is_not, "but the tenant is a workforce tenant"),
        (
            &b2x,
            "/apiConnectors",
            400,
            disabled,
            "the tenant is a workforce tenant without self-service sign-up",
        ),
    ] {
        for command in ["plan", "drift"] {
            let (outcome, _) = run(&[command], yaml, part, status, message);
            assert_eq!(outcome.code, 1, "{outcome}");
            assert!(outcome.stderr.contains(meaning), "{meaning}: {outcome}");
            assert!(outcome.stderr.contains(message), "{message}: {outcome}");
        }
        let (outcome, entra) = run(&["apply", "--yes"], yaml, part, status, message);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert_eq!(entra.requests_to("$ref").len(), 0);
    }
}
