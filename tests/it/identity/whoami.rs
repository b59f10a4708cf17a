//! `whoami` shows credential, tenant and permissions, without requests to Graph.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::{CONTOSO, FABRIKAM, entra, run_in, write_file_with_one_change};
use crate::support::entra::{APP, Entra};
use crate::support::{
    Outcome, connector_id, file, flowbind, folder, package, tenant, yaml_binding_connector_1,
};

/// Returns stdout without the expiry time, which differs in every run.
fn stdout_without_time(outcome: &Outcome) -> String {
    let lines = outcome.stdout.lines().map(|line| match line.split_once('Z') {
        Some((before, rest)) if before.starts_with("  expire") => format!("{}…{rest}\n", &before[..10]),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

fn whoami(entra: &Entra, yaml: &str) -> Outcome {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml);
    let outcome = entra.run(run_in(folder.path(), &["whoami"]).env("AZURE_CLIENT_SECRET", "client-s3cr3t"));
    assert_eq!(entra.requests_to("/beta/").len(), 0, "nothing is asked of Graph");
    outcome
}

#[test]
fn whoami_shows_credential_tenant_app_and_commands() {
    let entra = entra();
    let outcome = whoami(&entra, &yaml_binding_connector_1(&["B2C_1_a"]));
    assert_eq!(outcome.code, 0, "{outcome}");
    let expected = format!(
        "\
contoso.onmicrosoft.com
  credential      client-secret
  tenant          contoso.onmicrosoft.com, {}
  cloud           global, https://graph.microsoft.com/beta
  app             {APP} (flowbind)
  expires …
  permissions     IdentityUserFlow.ReadWrite.All, APIConnectors.ReadWrite.All
  plan, drift     yes
  drift --strict  yes
  apply           yes
  export          yes

",
        CONTOSO.1
    );
    assert_eq!(stdout_without_time(&outcome), expected, "{outcome}");
}

/// The last four lines by permissions and file.
#[test]
fn whoami_shows_missing_permissions_per_command() {
    let by_name = yaml_binding_connector_1(&["B2C_1_a"]);
    let by_id = by_name.replace("Connector 1", &connector_id(1));
    let read = ["IdentityUserFlow.Read.All", "APIConnectors.Read.All"];
    let probably =
        "probably: Microsoft documents only APIConnectors.ReadWrite.All and IdentityUserFlow.ReadWrite.All";
    let no_change = "no: missing IdentityUserFlow.ReadWrite.All";
    // The least privileged permission comes first.
    let no_reads = "no: missing APIConnectors.Read.All (or APIConnectors.ReadWrite.All) and \
                    IdentityUserFlow.Read.All (or IdentityUserFlow.ReadWrite.All)";
    let no_connectors = "no: missing APIConnectors.Read.All (or APIConnectors.ReadWrite.All)";
    for (yaml, roles, verdicts) in [
        (&by_name, &read[..], [probably, probably, no_change, probably]),
        (
            &by_name,
            &[],
            [
                no_reads,
                no_reads,
                "no: missing APIConnectors.Read.All (or APIConnectors.ReadWrite.All) and IdentityUserFlow.ReadWrite.All",
                no_reads,
            ],
        ),
        (&by_id, &["IdentityUserFlow.ReadWrite.All"], ["yes", no_connectors, "yes", no_connectors]),
        (
            &by_id,
            &read[..1],
            [
                "probably: Microsoft documents only IdentityUserFlow.ReadWrite.All",
                no_connectors,
                no_change,
                no_connectors,
            ],
        ),
    ] {
        let entra = entra();
        entra.behave(|behavior| behavior.roles = roles.to_vec());
        let outcome = whoami(&entra, yaml);
        assert_eq!(outcome.code, 0, "{outcome}");
        let lines: Vec<_> = outcome.stdout.lines().skip(7).take(4).map(|line| &line[18..]).collect();
        assert_eq!(lines, verdicts, "{roles:?}: {outcome}");
    }
}

/// The last four lines with each app: what another app does is not checked with the token of this one.
#[test]
fn whoami_with_two_apps_checks_the_commands_of_the_one_that_signs_in() {
    let [plan, apply] = ["aaaaaaaa-1111-4000-8000-00000000000a", "bbbbbbbb-2222-4000-8000-00000000000b"];
    let ids = format!("{}\nclientId: {{plan: {plan}, apply: {apply}}}", CONTOSO.0);
    let entra = entra();
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]).replace(CONTOSO.0, &ids));
    let other = |app, name| format!("not checked: the app {app} signs in, see --for {name}");
    let (by_plan, by_apply) = (other(plan, "plan"), other(apply, "apply"));
    for (args, expected) in [
        (&["whoami"][..], ["yes", "yes", &*by_apply, "yes"]),
        (&["whoami", "--for", "apply"], [&*by_plan, &by_plan, "yes", &by_plan]),
    ] {
        let outcome = entra.run(run_in(folder.path(), args).env("AZURE_CLIENT_SECRET", "client-s3cr3t"));
        assert_eq!(outcome.code, 0, "{outcome}");
        let lines: Vec<_> = outcome.stdout.lines().skip(7).take(4).map(|line| &line[18..]).collect();
        assert_eq!(lines, expected, "{args:?}: {outcome}");
    }
}

#[test]
fn whoami_with_opaque_token_succeeds_and_with_foreign_token_fails() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let outcome =
        entra.run(run_in(folder.path(), &["whoami"]).env("FLOWBIND_ACCESS_TOKEN", "an-opaque-t0ken"));
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.contains("  credential      access-token\n"), "{outcome}");
    assert!(
        outcome.stdout.contains("  permissions     not in the token\n  plan, drift     unknown\n"),
        "{outcome}"
    );
    assert!(!outcome.to_string().contains("an-opaque-t0ken"), "{outcome}");
    let token = entra.token_for(FABRIKAM.1);
    let outcome = entra.run(run_in(folder.path(), &["whoami"]).env("FLOWBIND_ACCESS_TOKEN", &token));
    assert_eq!(outcome.code, 1, "{outcome}");
    let expected = format!("  tenant          {}, and not contoso.onmicrosoft.com\n", FABRIKAM.1);
    assert!(outcome.stdout.contains(&expected), "{outcome}");
    assert!(
        outcome.stderr.contains("error[tenant-mismatch]: the access token is for the tenant"),
        "{outcome}"
    );
}

#[test]
fn whoami_reports_expired_token() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    entra.behave(|behavior| behavior.token_lifetime = Duration::ZERO);
    let token = entra.token_for(CONTOSO.1);
    let run = |args: &[&str]| entra.run(run_in(folder.path(), args).env("FLOWBIND_ACCESS_TOKEN", &token));
    let outcome = run(&["whoami"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(stdout_without_time(&outcome).contains("  expired … (less than 1 min ago)\n"), "{outcome}");
    assert_eq!(outcome.stdout.matches("  no: the access token has expired\n").count(), 4, "{outcome}");
    // Neither command sends anything to Graph.
    for args in [&["whoami", "--for", "plan"][..], &["plan"], &["apply", "--yes"], &["drift"]] {
        let outcome = run(args);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains("error[token-expired]: the access token expired 20"), "{outcome}");
        assert!(outcome.stderr.contains("set `FLOWBIND_ACCESS_TOKEN` to it"), "{outcome}");
    }
    assert_eq!(entra.requests_to("/beta/").len(), 0);
}

/// `az account get-access-token` without an API returns a token for Azure Resource Manager.
#[test]
fn whoami_with_a_token_for_another_api_names_it() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let claims =
        json!({"aud": "https://management.core.windows.net/", "tid": CONTOSO.1, "scp": "user_impersonation"});
    let token = format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()));
    let run = |args: &[&str]| entra.run(run_in(folder.path(), args).env("FLOWBIND_ACCESS_TOKEN", &token));
    let reason = "the access token is for `https://management.core.windows.net/`, not for Microsoft Graph \
                  (cloud global)";
    let outcome = run(&["whoami"]);
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(outcome.stdout.matches(&format!("  no: {reason}\n")).count(), 4, "{outcome}");
    let outcome = run(&["whoami", "--for", "plan"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains(&format!("error[token-rejected]: {reason}\n")), "{outcome}");
    assert_eq!(outcome.stderr.matches("error[").count(), 1, "{outcome}");
}

/// The least privileged permission comes first.
#[test]
fn whoami_for_a_command_fails_without_its_permissions() {
    let read = ["IdentityUserFlow.Read.All", "APIConnectors.Read.All"];
    let write = ["IdentityUserFlow.ReadWrite.All", "APIConnectors.ReadWrite.All"];
    let no_reads = "grant `APIConnectors.Read.All` and `IdentityUserFlow.Read.All` with admin consent";
    let no_changes = "grant `IdentityUserFlow.ReadWrite.All` with admin consent";
    for (roles, command, hint) in [
        (&read[..], "plan", None),
        (&read, "apply", Some(no_changes)),
        (&write, "apply", None),
        (&[], "plan", Some(no_reads)),
    ] {
        let entra = entra();
        entra.behave(|behavior| behavior.roles = roles.to_vec());
        let folder = folder();
        file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
        let args = ["whoami", "--for", command];
        let outcome = entra.run(run_in(folder.path(), &args).env("AZURE_CLIENT_SECRET", "client-s3cr3t"));
        assert_eq!(outcome.code, i32::from(hint.is_some()), "{roles:?} {command}: {outcome}");
        assert_eq!(outcome.stderr.contains("error[permission-missing]: "), hint.is_some(), "{outcome}");
        assert!(outcome.stderr.contains(hint.unwrap_or_default()), "{outcome}");
        assert!(outcome.stdout.contains("  permissions  "), "{outcome}");
        let outcome = entra.run(run_in(folder.path(), &args).env("FLOWBIND_ACCESS_TOKEN", "opaque"));
        assert_eq!(outcome.code, 0, "{outcome}");
    }
}

#[test]
fn whoami_without_file_uses_the_environment_tenant() {
    let entra = entra();
    let folder = folder();
    let run = || run_in(folder.path(), &["whoami"]).env("AZURE_CLIENT_SECRET", "client-s3cr3t");
    let outcome = entra.run(run().env("AZURE_TENANT_ID", FABRIKAM.1));
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(
        outcome.stdout.starts_with(&format!(
            "{0}\n  credential      client-secret\n  tenant          {0}\n",
            FABRIKAM.1
        )),
        "{outcome}"
    );
    let args = ["whoami", "--tenant", FABRIKAM.1];
    let by_option = entra.run(run_in(folder.path(), &args).env("AZURE_CLIENT_SECRET", "client-s3cr3t"));
    assert_eq!(stdout_without_time(&by_option), stdout_without_time(&outcome));
    let outcome = entra.run(run().env("AZURE_TENANT_ID", "no tenant"));
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("`AZURE_TENANT_ID` is not a tenant"), "{outcome}");
    let outcome = entra.run(run());
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("flowbind.yaml"), "{outcome}");
}

#[test]
fn whoami_lists_all_tenants_in_order() {
    let entra = entra();
    let folder = folder();
    let yaml = |tenant: &str| yaml_binding_connector_1(&["B2C_1_a"]).replace(CONTOSO.0, tenant);
    file(folder.path(), "a.yaml", yaml(FABRIKAM.0));
    file(folder.path(), "b.yaml", yaml("unknown.example.com"));
    file(folder.path(), "c.yaml", yaml(CONTOSO.0));
    let outcome =
        entra.run(run_in(folder.path(), &["whoami", "."]).env("AZURE_CLIENT_SECRET", "client-s3cr3t"));
    assert_eq!(outcome.code, 1, "{outcome}");
    let heads: Vec<_> =
        outcome.stdout.lines().filter(|line| line.contains(".com") && !line.starts_with(' ')).collect();
    assert_eq!(heads, [FABRIKAM.0, CONTOSO.0]);
    let expected = "error[no-credential]: unknown.example.com: no usable credential\n";
    assert!(outcome.stderr.contains(expected), "{outcome}");
    assert!(outcome.stderr.contains("AADSTS90002: Tenant not found."), "{outcome}");
}

#[test]
fn whoami_on_sandbox_needs_no_credential() {
    let outcome = flowbind([
        "whoami",
        "examples/quickstart/flowbind.yaml",
        "--sandbox",
        "examples/quickstart/tenant.json",
    ])
    .within(&package(""))
    .run();
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(
        outcome.stdout.contains("not needed: `examples/quickstart/tenant.json` is an emulated tenant"),
        "{outcome}"
    );
}

/// Without a sandbox of the tenant, `whoami` fails like `plan` and does not sign in elsewhere.
#[test]
fn whoami_with_sandbox_never_signs_in_to_other_tenants() {
    let entra = entra();
    let folder = folder();
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]);
    file(folder.path(), "fabrikam.yaml", yaml.replace(CONTOSO.0, FABRIKAM.0));
    file(folder.path(), "china.yaml", format!("{yaml}cloud: china\n"));
    file(folder.path(), "contoso.json", tenant(&[("B2C_1_a", 0, 0)]).to_json());
    for (name, why) in [
        (
            "fabrikam.yaml",
            "error[sandbox-mismatch]: no `--sandbox` snapshot for tenant `fabrikam.onmicrosoft.com`",
        ),
        (
            "china.yaml",
            "error[sandbox-mismatch]: `contoso.json` is a snapshot of cloud `global`, not of `china`",
        ),
    ] {
        let [whoami, plan] = ["whoami", "plan"].map(|command| {
            let run = run_in(folder.path(), &[command, name, "--sandbox", "contoso.json"]);
            entra.route(run.env("AZURE_CLIENT_SECRET", "client-s3cr3t")).run()
        });
        assert!(whoami.stderr.contains(why), "{whoami}");
        assert_eq!((whoami.code, whoami.stderr), (plan.code, plan.stderr));
        assert_eq!((whoami.code, whoami.stdout), (1, String::new()));
    }
    assert_eq!(entra.requests(), [""; 0]);
}
