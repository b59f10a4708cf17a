//! Kinds of credentials, from the environment to a change of the tenant.

use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{CONTOSO, FABRIKAM, az, entra, run_in, with_az, write_file_with_one_change};
use crate::support::entra::{APP, Entra};
use crate::support::{Flowbind, file, flowbind, folder, package, yaml_binding_connector_1};

/// Applies one change with these environment variables, then again without changes. Returns the forms sent
/// to the token endpoint.
fn applies(
    entra: &Entra,
    offer: impl Fn(Flowbind) -> Flowbind,
) -> Vec<std::collections::BTreeMap<String, String>> {
    let folder = folder();
    write_file_with_one_change(folder.path());
    let outcome = entra.run(offer(run_in(folder.path(), &["apply", "--yes"])));
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.contains("Apply: 1 applied."), "{outcome}");
    let forms = entra.token_requests();
    let outcome = entra.run(offer(run_in(folder.path(), &["plan", "--detailed-exitcode"])));
    assert_eq!(outcome.code, 0, "{outcome}");
    forms
}

fn contoso() -> String {
    format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", CONTOSO.0)
}

#[test]
fn client_secret_signs_in() {
    let entra = entra();
    let forms = applies(&entra, |run| run.env("AZURE_CLIENT_SECRET", "client-s3cr3t"));
    assert_eq!(forms.len(), 1, "the token is kept for the run");
    assert_eq!(forms[0]["client_id"], APP);
    assert_eq!(forms[0]["scope"], "https://graph.microsoft.com/.default");
    assert!(entra.requests().contains(&format!("POST {}", contoso())));
}

#[test]
fn client_certificate_in_every_format_signs_in() {
    let certificates = package("tests/certificates");
    let public = std::fs::read(certificates.join("public.der")).unwrap();
    let thumbprint = Sha256::digest(std::fs::read(certificates.join("certificate.der")).unwrap());
    for (name, password) in [
        ("pkcs8.pem", None),
        ("pkcs1.pem", None),
        ("encrypted.pem", Some("p4ssw0rd")),
        ("aes.pfx", Some("p4ssw0rd")),
        ("3des.pfx", Some("p4ssw0rd")),
        ("no-password.pfx", None),
    ] {
        let entra = entra();
        let path = certificates.join(name);
        let forms = applies(&entra, |run| {
            let run = run.env("AZURE_CLIENT_CERTIFICATE_PATH", path.to_str().unwrap());
            password
                .into_iter()
                .fold(run, |run, password| run.env("AZURE_CLIENT_CERTIFICATE_PASSWORD", password))
        });
        let parts: Vec<_> = forms[0]["client_assertion"].split('.').collect();
        let json = |part: &str| -> Value {
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        let (header, claims) = (json(parts[0]), json(parts[1]));
        assert_eq!((&header["alg"], &header["typ"]), (&"PS256".into(), &"JWT".into()), "{name}");
        assert_eq!(header["x5t#S256"], BASE64_URL_SAFE_NO_PAD.encode(thumbprint), "{name}");
        assert_eq!((&claims["iss"], &claims["sub"]), (&APP.into(), &APP.into()), "{name}");
        assert_eq!(claims["aud"], contoso(), "{name}");
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["nbf"].as_u64().unwrap(), 600, "{name}");
        let signature = BASE64_URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &public);
        key.verify(format!("{}.{}", parts[0], parts[1]).as_bytes(), &signature).unwrap();
    }
}

/// White space belongs to a password, but not the line end of the file that contained it.
#[test]
fn certificate_password_with_spaces_signs_in() {
    let made = std::fs::read(package("tests/certificates/aes.pfx")).unwrap();
    let store = KeyStore::from_pkcs12(&made, "p4ssw0rd", Pkcs12ImportPolicy::Relaxed).unwrap();
    let folder = folder();
    let path = file(folder.path(), "spaces.pfx", store.writer(" p4ssw0rd ").write().unwrap());
    for password in [" p4ssw0rd ", " p4ssw0rd \r\n"] {
        applies(&entra(), |run| {
            run.env("AZURE_CLIENT_CERTIFICATE_PATH", path.to_str().unwrap())
                .env("AZURE_CLIENT_CERTIFICATE_PASSWORD", password)
        });
    }
}

#[test]
fn unusable_certificate_reports_its_reason() {
    let certificates = package("tests/certificates");
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let nonsense = file(folder.path(), "nonsense", [0x30, 0x82, 0xff, 0xff, 0x01]);
    let cut = std::fs::read(certificates.join("aes.pfx")).unwrap()[..900].to_vec();
    let cut = file(folder.path(), "cut.pfx", cut);
    let empty = file(folder.path(), "empty", "");
    let halved = std::fs::read_to_string(certificates.join("pkcs8.pem")).unwrap()[..600].to_owned();
    let halved = file(folder.path(), "halved.pem", halved);
    let elliptic = std::fs::read_to_string(certificates.join("elliptic.pem")).unwrap();
    let sec1 = file(folder.path(), "sec1.pem", elliptic.replace(" PRIVATE KEY", " EC PRIVATE KEY"));
    for (path, password, why) in [
        (certificates.join("encrypted.pem"), None, "`AZURE_CLIENT_CERTIFICATE_PASSWORD` is not set"),
        (certificates.join("encrypted.pem"), Some("wr0ng-p4ss"), "does not decrypt the key"),
        (certificates.join("aes.pfx"), Some("wr0ng-p4ss"), "that `AZURE_CLIENT_CERTIFICATE_PASSWORD` opens"),
        (certificates.join("outdated.pem"), Some("p4ssw0rd"), "convert it with `openssl pkcs8 -topk8`"),
        (certificates.join("elliptic.pem"), None, "the private key is not a usable RSA key"),
        (certificates.join("no-key.pem"), None, "no private key in the file"),
        (certificates.join("no-certificate.pem"), None, "no certificate in the file"),
        (certificates.join("missing.pem"), None, "(os error 2)"),
        (certificates, None, if cfg!(windows) { "(os error 5)" } else { "Is a directory" }),
        (nonsense, None, "neither PEM nor a PKCS#12"),
        (cut, Some("p4ssw0rd"), "neither PEM nor a PKCS#12"),
        (empty, None, "neither PEM nor a PKCS#12"),
        (halved, None, "in the file"),
        (sec1, None, "the private key is not a usable RSA key: unsupported format"),
    ] {
        let run =
            run_in(folder.path(), &["plan"]).env("AZURE_CLIENT_CERTIFICATE_PATH", path.to_str().unwrap());
        let run = password
            .into_iter()
            .fold(run, |run, password| run.env("AZURE_CLIENT_CERTIFICATE_PASSWORD", password));
        let outcome = entra.run(run);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(
            outcome.stdout.ends_with(
                "\nPlan incomplete: 1 of 1 binding could not be compared. It cannot be applied.\n"
            ),
            "{outcome}"
        );
        assert!(outcome.stderr.contains("client-certificate: "), "{outcome}");
        assert!(outcome.stderr.contains(why), "{why}: {outcome}");
        assert!(!outcome.stderr.contains("wr0ng-p4ss"), "{outcome}");
    }
    assert_eq!(entra.token_requests(), []);
}

#[test]
fn key_in_broken_certificate_is_not_printed() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let whole = std::fs::read_to_string(package("tests/certificates/pkcs8.pem")).unwrap();
    let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
    let (before, rest) = whole.split_once(begin).unwrap();
    let (key, after) = rest.split_once(end).unwrap();
    let line = key.replace('\n', "");
    for broken in [
        // Text before an empty line is parsed as headers of the block.
        format!("{before}{begin}\n{line}\n\n{end}{after}"),
        // Text after an incomplete tag is parsed as part of the tag.
        format!("-----BEGIN PRIVATE KEY{key}{end}\n-----BEGIN X-----\nAAAA\n-----END X-----\n"),
        format!("{begin}\nAAAA\n-----END PRIVATE KEY{key}-----\n"),
    ] {
        let path = file(folder.path(), "broken.pem", &broken);
        let run =
            run_in(folder.path(), &["plan"]).env("AZURE_CLIENT_CERTIFICATE_PATH", path.to_str().unwrap());
        let outcome = entra.run(run);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains("not valid PEM: "), "{outcome}");
        let shown = outcome.to_string();
        let parts = line.as_bytes().chunks(32).map(|part| std::str::from_utf8(part).unwrap());
        assert_eq!(parts.filter(|part| shown.contains(part)).count(), 0, "{outcome}");
    }
}

#[test]
fn federated_token_file_signs_in() {
    let entra = entra();
    let outside = folder();
    let token = file(outside.path(), "token", "\u{feff}federated-t0ken\n");
    let forms = applies(&entra, |run| run.env("AZURE_FEDERATED_TOKEN_FILE", token.to_str().unwrap()));
    assert_eq!(forms[0]["client_assertion"], "federated-t0ken", "without byte order mark and line end");
    assert_eq!(forms[0]["client_id"], APP);
}

#[test]
fn github_actions_sign_in() {
    let entra = entra();
    let forms = applies(&entra, |run| {
        run.env("ACTIONS_ID_TOKEN_REQUEST_URL", "https://issuer.example.com/github?api-version=2.0")
            .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "github-request-t0ken")
    });
    let assertion = "github-issued-t0ken api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange";
    assert_eq!(forms[0]["client_assertion"], assertion);
}

#[test]
fn github_actions_without_token_reports_the_response() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    for (status, body) in
        [(200, r#"{"value": ""}"#), (200, r#"{"value": " "}"#), (200, r#"{"token": "t"}"#), (403, "{}")]
    {
        entra.behave(|behavior| behavior.issuer_error = Some((status, body.to_owned())));
        let run = run_in(folder.path(), &["plan"])
            .env("ACTIONS_ID_TOKEN_REQUEST_URL", "https://issuer.example.com/github")
            .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "github-request-t0ken");
        let outcome = entra.run(run);
        assert_eq!(outcome.code, 1, "{outcome}");
        let expected = format!("github-oidc: GitHub issued no token for the job: answered {status}\n");
        assert!(outcome.stderr.contains(&expected), "{outcome}");
        assert_eq!(entra.token_requests(), []);
    }
}

#[test]
fn azure_pipelines_sign_in() {
    let entra = entra();
    let forms = applies(&entra, |run| {
        run.env("SYSTEM_OIDCREQUESTURI", "https://issuer.example.com/pipelines")
            .env("SYSTEM_ACCESSTOKEN", "pipelines-t0ken")
            .env("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "connection-7")
    });
    let assertion = "pipelines-issued api-version=7.1&serviceConnectionId=connection-7";
    assert_eq!(forms[0]["client_assertion"], assertion);
    assert_eq!(forms[0]["client_id"], APP);
}

#[test]
fn azure_pipelines_use_the_app_of_the_service_connection() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let run = flowbind(["plan"])
        .within(folder.path())
        .env("SYSTEM_OIDCREQUESTURI", "https://issuer.example.com/pipelines")
        .env("SYSTEM_ACCESSTOKEN", "pipelines-t0ken")
        .env("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "connection-7")
        .env("AZURESUBSCRIPTION_CLIENT_ID", "the-connections-app");
    assert_eq!(entra.run(run).code, 0);
    assert_eq!(entra.token_requests()[0]["client_id"], "the-connections-app");
}

/// The identity of the machine signs in itself; `AZURE_CLIENT_ID` selects it.
#[test]
fn managed_identity_signs_in_to_its_own_tenant() {
    let entra = entra();
    let forms = applies(&entra, |run| {
        run.env("IDENTITY_ENDPOINT", &entra.url("/identity")).env("IDENTITY_HEADER", "identity-h3ader")
    });
    assert_eq!(forms, [], "no other endpoint is asked");
    let asked = entra.requests_to("/identity?");
    assert!(asked[0].url.contains("resource=https%3A%2F%2Fgraph.microsoft.com&"), "{asked:?}");
    assert!(asked[0].url.contains(&format!("client_id={APP}")), "{asked:?}");
}

/// A line end after the secret does not belong to it.
#[test]
fn managed_identity_with_trailing_newline_in_header_signs_in() {
    let entra = entra();
    applies(&entra, |run| {
        run.env("IDENTITY_ENDPOINT", &entra.url("/identity")).env("IDENTITY_HEADER", " identity-h3ader\n")
    });
}

#[test]
fn managed_identity_without_token_reports_the_response() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let run = || {
        run_in(folder.path(), &["plan"])
            .env("IDENTITY_ENDPOINT", &entra.url("/identity"))
            .env("IDENTITY_HEADER", "identity-h3ader")
    };
    for (status, body, why) in [
        (
            400,
            r#"{"error": "invalid_resource", "error_description": "AADSTS500011: The resource was not found."}"#,
            "AADSTS500011: The resource was not found.",
        ),
        (400, r#"{"statusCode": 400, "message": "none"}"#, "has not been assigned to this resource"),
        (403, r#"{"message": "no identity-h3ader"}"#, r#"The request failed: {"message": "no ***"}"#),
        (200, "{}", "missing field `access_token`"),
    ] {
        entra.behave(|behavior| behavior.issuer_error = Some((status, body.to_owned())));
        let outcome = entra.run(run());
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains("managed-identity: ") && outcome.stderr.contains(why), "{outcome}");
    }
    let outcome = entra.run(run().env("IDENTITY_HEADER", "identity-\u{1}"));
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(
        outcome.stderr.contains("`x-identity-header` has characters that are invalid in a header"),
        "{outcome}"
    );
}

/// A B2C tenant has no managed identities. The token of the identity is the federated assertion of the app
/// that the file names.
#[test]
fn managed_identity_signs_in_to_an_app_in_another_tenant() {
    let entra = entra();
    let folder = folder();
    let app = "bbbbbbbb-0000-4000-8000-00000000000b";
    let yaml = yaml_binding_connector_1(&["B2C_1_a"])
        .replace(CONTOSO.0, &format!("{}\nclientId: {app}", FABRIKAM.0));
    file(folder.path(), "flowbind.yaml", yaml);
    for identity in [None, Some(APP)] {
        let run = flowbind(["apply", "--yes"])
            .within(folder.path())
            .env("IDENTITY_ENDPOINT", &entra.url("/identity"))
            .env("IDENTITY_HEADER", "identity-h3ader");
        let run = identity.into_iter().fold(run, |run, identity| run.env("AZURE_CLIENT_ID", identity));
        let outcome = entra.run(run);
        assert_eq!(outcome.code, 0, "{outcome}");
        let form = entra.token_requests().pop().unwrap();
        assert_eq!(form["client_id"], app);
        assert!(!form["client_assertion"].is_empty());
        let asked = entra.requests_to("/identity?").pop().unwrap().url;
        assert!(
            asked.contains("resource=api%3A%2F%2FAzureADTokenExchange&") || asked.ends_with("Exchange"),
            "{asked}"
        );
        assert_eq!(asked.contains(&format!("client_id={APP}")), identity.is_some(), "{asked}");
    }
    assert!(entra.requests().iter().any(|line| line.contains(&format!("/{}/oauth2", FABRIKAM.0))));
}

#[test]
fn azure_cli_signs_in() {
    let entra = entra();
    let tools = folder();
    let token = entra.token_for(CONTOSO.1);
    let answer =
        serde_json::json!({"accessToken": token, "expires_on": 4_000_000_000_u64, "tokenType": "Bearer"});
    az(tools.path(), &answer.to_string(), "", 0);
    let forms = applies(&entra, |run| with_az(run, tools.path()));
    assert_eq!(forms, []);
    let asked = std::fs::read_to_string(tools.path().join("asked")).unwrap();
    let line = "account get-access-token -o json --scope https://graph.microsoft.com/.default --tenant contoso.onmicrosoft.com";
    assert_eq!(asked.lines().next(), Some(line));
}

/// With a clock that runs ahead, every new token seems expired. The service decides, and `az` is not called
/// for each request.
#[test]
fn token_expired_by_a_wrong_clock_is_used() {
    let entra = entra();
    let (files, tools) = (folder(), folder());
    write_file_with_one_change(files.path());
    let token = entra.token_for(CONTOSO.1);
    let answer =
        serde_json::json!({"accessToken": token, "expires_on": 1_000_000_000, "tokenType": "Bearer"});
    az(tools.path(), &answer.to_string(), "", 0);
    let outcome = entra.run(with_az(run_in(files.path(), &["apply", "--yes"]), tools.path()));
    assert_eq!(outcome.code, 0, "{outcome}");
    let asked = std::fs::read_to_string(tools.path().join("asked")).unwrap();
    assert_eq!(asked.lines().count(), 1, "{asked}");
}

#[test]
fn azure_cli_without_token_reports_its_error() {
    let entra = entra();
    let files = folder();
    write_file_with_one_change(files.path());
    for (stdout, stderr, code, why) in [
        ("", "ERROR: Please run az login to setup account.\n", 1, "azure-cli: ERROR: Please run az login"),
        (
            "nonsense\n",
            "",
            0,
            "azure-cli: `az` printed no JSON object with a token; to see what it prints, run `az account \
             get-access-token -o json --scope https://graph.microsoft.com/.default --tenant contoso.onmicrosoft.com`\n",
        ),
        (
            "",
            "",
            1,
            if cfg!(windows) {
                "azure-cli: `az` failed without a message (exit code: 1); to see what it prints, run `az "
            } else {
                "azure-cli: `az` failed without a message (exit status: 1); to see what it prints, run `az "
            },
        ),
        ("", "", 127, "azure-cli: az not found on PATH"),
        ("", "sh: 1: az: not found\n", 127, "azure-cli: az not found on PATH"),
        (
            "",
            "sh: 1: az: Permission denied\n",
            127,
            "azure-cli: `az` cannot be run: sh: 1: az: Permission denied\n",
        ),
        (r#"{"accessToken": "t", "tokenType": "Bearer"}"#, "", 0, "azure-cli: expires_on field not found"),
        (
            r#"{"accessToken": "a b", "tokenType": "Bearer", "expires_on": 4000000000}"#,
            "",
            0,
            "azure-cli: the response has an access token with invalid characters\n",
        ),
        (
            r#"{"accessToken": "", "tokenType": "Bearer", "expires_on": 4000000000}"#,
            "",
            0,
            "azure-cli: the response has no access token\n",
        ),
        (r#"{"accessToken": "t", "tokenType": "B", "expires_on": 9000000000000000}"#, "", 0, "azure-cli: "),
        ("", "", 137, "azure-cli: "),
    ] {
        let tools = folder();
        az(tools.path(), stdout, stderr, code);
        let outcome = entra.run(with_az(run_in(files.path(), &["plan"]), tools.path()));
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains(why), "{why}: {outcome}");
    }
}

/// All variables, set to empty values.
#[test]
fn no_usable_credential_lists_what_each_kind_lacks() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let outcome = entra.run(flowbind(["plan"]).within(folder.path()).env("PATH", "/nowhere"));
    assert_eq!(outcome.code, 1, "{outcome}");
    let expected = "\
error[no-credential]: no usable credential
  = cause: azure-cli: az not found on PATH
  = cause: access-token: `FLOWBIND_ACCESS_TOKEN` is not set
  = cause: client-secret: `AZURE_CLIENT_SECRET` is not set
  = cause: client-certificate: `AZURE_CLIENT_CERTIFICATE_PATH` is not set
  = cause: federated-token: `AZURE_FEDERATED_TOKEN_FILE` is not set
  = cause: github-oidc: `ACTIONS_ID_TOKEN_REQUEST_URL` and `ACTIONS_ID_TOKEN_REQUEST_TOKEN` are not set
  = cause: azure-pipelines-oidc: `SYSTEM_OIDCREQUESTURI`, `SYSTEM_ACCESSTOKEN` and `AZURESUBSCRIPTION_SERVICE_CONNECTION_ID` are not set
  = cause: managed-identity: `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` are not set
  = hint: on your own machine: `az login --tenant contoso.onmicrosoft.com --allow-no-subscriptions`
  = hint: to try flowbind without a tenant, pass `--sandbox FILE`
  = docs: flowbind explain no-credential
";
    assert!(outcome.stderr.ends_with(expected), "{outcome}");
    let summary = "\nPlan incomplete: 1 of 1 binding could not be compared. It cannot be applied.\n";
    assert!(outcome.stdout.ends_with(&format!("{expected}{summary}")), "{outcome}");
}

#[test]
fn credential_without_client_id_is_reported() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let run = flowbind(["plan"]).within(folder.path()).env("PATH", "/nowhere");
    let outcome = entra.run(run.env("AZURE_CLIENT_SECRET", "client-s3cr3t"));
    let expected = "client-secret: no app id: set `clientId` in the file, or `AZURE_CLIENT_ID`";
    assert!(outcome.stderr.contains(expected), "{outcome}");
    assert_eq!(entra.token_requests(), []);
}

/// An Azure CLI login must not replace a credential that lacks only its client id. Variables set by a pipeline count only
/// with a client id, because they exist in every job.
#[test]
fn credential_without_client_id_does_not_fall_back() {
    let entra = entra();
    let (files, tools) = (folder(), folder());
    write_file_with_one_change(files.path());
    let answer = serde_json::json!({
        "accessToken": entra.token_for(CONTOSO.1), "expires_on": 4_000_000_000_u64, "tokenType": "Bearer"
    });
    az(tools.path(), &answer.to_string(), "", 0);
    let run = || with_az(flowbind(["plan"]).within(files.path()), tools.path());
    for (variable, kind) in [
        ("AZURE_CLIENT_SECRET", "client-secret"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", "client-certificate"),
        ("AZURE_FEDERATED_TOKEN_FILE", "federated-token"),
    ] {
        let outcome = entra.run(run().env(variable, "/nowhere/client-s3cr3t.pem"));
        assert_eq!(outcome.code, 1, "{outcome}");
        let expected = format!("{kind}: no app id: set `clientId` in the file, or `AZURE_CLIENT_ID`");
        assert!(outcome.stderr.contains(&expected), "{outcome}");
        assert!(
            outcome.stderr.contains(&format!("not tried, because {kind} is configured (no fallback)")),
            "{outcome}"
        );
        assert!(!tools.path().join("asked").exists(), "az was asked");
    }
    let outcome = entra.run(
        run()
            .env("ACTIONS_ID_TOKEN_REQUEST_URL", "https://issuer.example.com/github")
            .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "github-request-t0ken"),
    );
    assert_eq!(outcome.code, 0, "{outcome}");
}

/// An existing Azure CLI login must not replace the configured credential.
#[test]
fn failed_configured_credential_does_not_fall_back() {
    let entra = entra();
    let (files, tools) = (folder(), folder());
    write_file_with_one_change(files.path());
    az(tools.path(), "", "", 7);
    let run =
        with_az(run_in(files.path(), &["plan"]), tools.path()).env("AZURE_CLIENT_SECRET", "wr0ng-s3cr3t");
    let outcome = entra.run(run);
    assert_eq!(outcome.code, 1, "{outcome}");
    let expected = "client-secret: AADSTS7000215: Invalid client secret provided: ***. Trace ID: t";
    assert!(outcome.stderr.contains(expected), "{outcome}");
    assert!(
        outcome.stderr.contains(
            "managed-identity, azure-cli: not tried, because client-secret is configured (no fallback)"
        ),
        "{outcome}"
    );
    assert!(!outcome.stderr.contains("wr0ng-s3cr3t"), "{outcome}");
    assert!(!tools.path().join("asked").exists(), "az was asked");
}

/// The reason comes first. A tenant with another reason has its own problem.
#[test]
fn sign_in_that_fails_alike_for_several_tenants_is_one_problem() {
    let entra = entra();
    let folder = folder();
    for tenant in [CONTOSO.0, FABRIKAM.0, "unknown.example.com"] {
        let yaml = yaml_binding_connector_1(&["B2C_1_a"]).replace(CONTOSO.0, tenant);
        file(folder.path(), &format!("{tenant}.yaml"), yaml);
    }
    for args in [&["plan"][..], &["apply", "--yes"], &["drift"], &["whoami"]] {
        let run = run_in(folder.path(), args).args(["."]).env("AZURE_CLIENT_SECRET", "wr0ng-s3cr3t");
        let outcome = entra.run(run);
        assert_eq!(outcome.code, 1, "{outcome}");
        let error = "error[no-credential]: no usable credential\n  = cause: client-secret: AADSTS7000215: ";
        assert_eq!(outcome.stderr.matches(error).count(), 1, "{outcome}");
        let note = format!("\n  = note: tenants: {}, {}\n", CONTOSO.0, FABRIKAM.0);
        assert_eq!(outcome.stderr.matches(&note).count(), 1, "{outcome}");
        let other = "error[no-credential]: unknown.example.com: no usable credential\n  = cause: client-secret: AADSTS90002: ";
        assert_eq!(outcome.stderr.matches(other).count(), 1, "{outcome}");
        assert_eq!(outcome.stderr.matches("error[no-credential]").count(), 2, "{outcome}");
    }
}

#[test]
fn auth_flag_selects_one_kind() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let run = |kind: &str| {
        run_in(folder.path(), &["plan", "--auth", kind])
            .env("FLOWBIND_ACCESS_TOKEN", "an-opaque-access-token")
            .env("AZURE_CLIENT_SECRET", "client-s3cr3t")
    };
    assert_eq!(entra.run(run("client-secret")).code, 0);
    assert_eq!(entra.token_requests().len(), 1);
    let outcome = entra.run(run("github-oidc"));
    assert_eq!(outcome.code, 1, "{outcome}");
    assert_eq!(outcome.stderr.matches("= cause:").count(), 1, "{outcome}");
    assert!(!outcome.stderr.contains("az login"), "no login would be used: {outcome}");
    let outcome = entra.run(run("password"));
    assert!(outcome.stderr.contains("[possible values: access-token, client-secret,"), "{outcome}");
}

#[test]
fn one_credential_signs_in_to_several_tenants_with_their_apps() {
    let entra = entra();
    let folder = folder();
    let apps = ["aaaaaaaa-1111-4000-8000-00000000000a", "bbbbbbbb-2222-4000-8000-00000000000b"];
    for ((domain, _), app) in [CONTOSO, FABRIKAM].into_iter().zip(apps) {
        let yaml =
            yaml_binding_connector_1(&["B2C_1_a"]).replace(CONTOSO.0, &format!("{domain}\nclientId: {app}"));
        file(folder.path(), &format!("{domain}.yaml"), yaml);
    }
    let secret =
        |args: &[&str]| flowbind(args).within(folder.path()).env("AZURE_CLIENT_SECRET", "client-s3cr3t");
    let outcome = entra.run(secret(&["plan", ".", "--out", "plan.json"]));
    assert_eq!(outcome.code, 0, "{outcome}");
    // A saved plan also contains the client ids.
    let outcome = entra.run(secret(&["apply", "--plan", "plan.json"]));
    assert_eq!(outcome.code, 0, "{outcome}");
    let mut signed_in: Vec<_> = entra.token_requests().iter().map(|form| form["client_id"].clone()).collect();
    signed_in.sort_unstable();
    assert_eq!(signed_in, [apps[0], apps[0], apps[1], apps[1]]);
    for tenant in entra.tenants.iter() {
        assert_eq!(tenant.graph.puts(), 1, "{}", tenant.domain);
    }
}

/// The app of each sign-in, by command.
#[test]
fn file_with_two_apps_signs_in_to_the_second_for_apply_alone() {
    let entra = entra();
    let folder = folder();
    let [plan, apply] = ["aaaaaaaa-1111-4000-8000-00000000000a", "bbbbbbbb-2222-4000-8000-00000000000b"];
    let ids = format!("{}\nclientId: {{plan: {plan}, apply: {apply}}}", CONTOSO.0);
    let yaml = yaml_binding_connector_1(&["B2C_1_a"]).replace(CONTOSO.0, &ids);
    file(folder.path(), "flowbind.yaml", yaml);
    for (args, app) in [
        (&["plan", "--out", "plan.json"][..], plan),
        (&["drift"], plan),
        (&["accept"], plan),
        (&["whoami"], plan),
        (&["whoami", "--for", "plan"], plan),
        (&["whoami", "--for", "apply"], apply),
        (&["apply", "--plan", "plan.json", "--out", "report.json"], apply),
        (&["plan", "--undo", "report.json"], plan),
        (&["apply", "--undo", "report.json", "--yes"], apply),
        (&["apply", "--yes"], apply),
    ] {
        let outcome = entra.run(run_in(folder.path(), args).env("AZURE_CLIENT_SECRET", "client-s3cr3t"));
        assert!(matches!(outcome.code, 0 | 2), "{args:?}: {outcome}");
        assert_eq!(entra.token_requests().pop().unwrap()["client_id"], app, "{args:?}: {outcome}");
    }
}

/// A failing authority, an error page of a proxy, and malformed responses.
#[test]
fn token_endpoint_error_is_reported() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let huge = format!(r#"{{"token_type": "Bearer", "expires_in": {}, "access_token": "t"}}"#, i64::MAX);
    for (status, body, why) in [
        (
            400,
            r#"{"error_description": "AADSTS700016: Application was not found.", "error_codes": [700016]}"#,
            "AADSTS700016: Application was not found.",
        ),
        (400, "{}", "client-secret: answered 400"),
        (403, "<html>proxy</html>", "oauth2/v2.0/token: answered 403, not JSON (application/json)"),
        (200, "", "answered 200, not JSON"),
        (200, "[]", "client-secret: "),
        (200, "{}", "client-secret: the response has no access token"),
        (
            200,
            r#"{"access_token": " ", "expires_in": 60}"#,
            "client-secret: the response has no access token",
        ),
        (
            200,
            r#"{"access_token": "a b", "expires_in": 60}"#,
            "client-secret: the response has an access token with invalid characters\n",
        ),
        (200, r#"{"access_token": "t", "expires_in": -5}"#, "answered with a token lifetime of -5 s"),
        (200, &huge, "answered with a token lifetime of 9223372036854775807 s"),
        (302, "", "answered 302"),
    ] {
        entra.behave(|behavior| behavior.token_error = Some((status, body.to_owned())));
        let outcome = entra.run(run_in(folder.path(), &["plan"]).env("AZURE_CLIENT_SECRET", "client-s3cr3t"));
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(!outcome.panicked(), "{outcome}");
        assert!(outcome.stderr.contains(why), "{why}: {outcome}");
    }
}

#[test]
fn long_token_endpoint_error_is_truncated() {
    let entra = entra();
    let (folder, tools) = (folder(), folder());
    write_file_with_one_change(folder.path());
    let body = serde_json::json!({"error_description": "AADSTS1: \u{e9}".repeat(5_000)}).to_string();
    for body in [body.clone(), body.replace("_description", "")] {
        entra.behave(|behavior| behavior.token_error = Some((401, body)));
        let outcome = entra.run(run_in(folder.path(), &["plan"]).env("AZURE_CLIENT_SECRET", "client-s3cr3t"));
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.len() < 5_000, "{}", outcome.stderr.len());
    }
    az(tools.path(), "", &"x".repeat(60_000), 1);
    let outcome = entra.run(with_az(run_in(folder.path(), &["plan"]), tools.path()));
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("azure-cli: xxx"), "{outcome}");
    assert!(outcome.stderr.len() < 5_000, "{}", outcome.stderr.len());
}

/// A token may occur in an unexpected field.
#[test]
fn token_in_unexpected_field_is_not_printed() {
    let entra = entra();
    let (folder, tools) = (folder(), folder());
    write_file_with_one_change(folder.path());
    let expected = |outcome: &crate::support::Outcome| {
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(!outcome.to_string().contains("odd-t0k3n"), "{outcome}");
        assert!(outcome.stderr.contains("invalid type: string \"***\", expected "), "{outcome}");
    };
    for body in [
        r#""odd-t0k3n""#,
        r#"["odd-t0k3n"]"#,
        r#"{"access_token": "t", "expires_in": "odd-t0k3n"}"#,
        r#"{"access_token": "t", "expires_in": "a \"odd-t0k3n\" b"}"#,
    ] {
        entra.behave(|behavior| behavior.token_error = Some((200, body.to_owned())));
        let run = run_in(folder.path(), &["plan"]).env("AZURE_CLIENT_SECRET", "client-s3cr3t");
        // serde reads a sequence as the fields in their order.
        match body.starts_with('[') {
            true => assert!(!entra.run(run).to_string().contains("odd-t0k3n")),
            false => expected(&entra.run(run)),
        }
    }
    az(tools.path(), r#"{"accessToken": "t", "expires_on": "odd-t0k3n"}"#, "", 0);
    expected(&entra.run(with_az(run_in(folder.path(), &["plan"]), tools.path())));
}

/// An authority may repeat the secret in another encoding.
#[test]
fn secret_repeated_encoded_by_authority_is_redacted() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let secret = "wr0ng/s3cr3t+%";
    for body in [
        r#"{"error_description": "no secret wr0ng\/s3cr3t+% here"}"#,
        r#"{"error_description": "no secret \u0077r0ng/s3cr3t\u002b% here"}"#,
        r#"{"error_description": "no secret wr0ng%2Fs3cr3t%2B%25 here"}"#,
        r#"{"error_description": "no secret wr0ng\u00252fs3cr3t%2b%25 here"}"#,
        r#"{"error": "no secret wr0ng\/s3cr3t+% here"}"#,
        r#"{"access_token": 7, "token_type": "wr0ng\/s3cr3t+%"}"#,
        r#"{"access_token": "t", "expires_in": "wr0ng\/s3cr3t+%"}"#,
    ] {
        for status in [200, 401] {
            entra.behave(|behavior| behavior.token_error = Some((status, body.to_owned())));
            let outcome = entra.run(run_in(folder.path(), &["plan"]).env("AZURE_CLIENT_SECRET", secret));
            assert_eq!(outcome.code, 1, "{outcome}");
            assert!(!outcome.stderr.contains("s3cr3t"), "{body}: {outcome}");
            if status == 401 && body.contains("error_description") {
                assert!(outcome.stderr.contains("client-secret: no secret *** here"), "{outcome}");
            }
        }
    }
}
