//! Network settings: proxies, certificate authorities and timeouts.

use std::fs::{self, File};
use std::net::TcpListener;

use super::{CONTOSO, FABRIKAM, entra, run_in, write_file_with_one_change};
use crate::support::{
    Background, Flowbind, Start as _, exit_code, file, folder, package, tenant, wait_until,
    yaml_binding_connector_1,
};
#[cfg(unix)]
use crate::support::{named_pipe, signal};

fn with_secret(run: Flowbind) -> Flowbind {
    run.env("AZURE_CLIENT_SECRET", "client-s3cr3t")
}

#[test]
fn custom_ca_is_trusted_if_configured() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let proxy = format!("http://{}", entra.address());
    let run = |args: &[&str]| with_secret(run_in(folder.path(), args)).env("HTTPS_PROXY", &proxy);
    let ca = entra.ca_file();
    let ca = ca.to_str().unwrap();
    let outcome = run(&["plan", "--ca-file", ca]).env("SSL_CERT_FILE", "").run();
    assert_eq!(outcome.code, 0, "{outcome}");
    let marked = [b"\xef\xbb\xbf".to_vec(), fs::read(ca).unwrap()].concat();
    file(folder.path(), "ca-with-byte-order-mark.pem", marked);
    let outcome = run(&["plan", "--ca-file", "ca-with-byte-order-mark.pem"]).env("SSL_CERT_FILE", "").run();
    assert_eq!(outcome.code, 0, "{outcome}");
    let outcome = run(&["plan"]).env("SSL_CERT_FILE", ca).run();
    assert_eq!(outcome.code, 0, "{outcome}");
    let asked = entra.requests().len();
    let outcome = run(&["plan"]).run();
    assert_eq!(outcome.code, 1, "{outcome}");
    let error = format!(
        "cannot reach login.microsoftonline.com through the proxy {}: certificate not trusted: ",
        entra.address()
    );
    assert!(outcome.stderr.contains(&error), "{outcome}");
    assert!(!outcome.stderr.contains("retrying"), "{outcome}");
    assert_eq!(entra.requests().len(), asked, "nothing was sent to an untrusted server");
}

#[test]
fn untrusted_certificate_of_graph_ends_the_run_at_once() {
    let entra = entra();
    let folder = folder();
    let flows: Vec<_> = (0..198).map(|number| format!("B2C_1_{number}")).collect();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&flows));
    let url = format!("https://{}", entra.address());
    let outcome = run_in(folder.path(), &["plan"]).connect_to(&format!("{url}/beta")).run();
    assert_eq!(outcome.code, 1, "{outcome}");
    let error = format!("cannot reach {}: certificate not trusted: ", entra.address());
    assert!(outcome.stderr.contains(&error), "{outcome}");
    assert!(!outcome.stderr.contains("retrying"), "{outcome}");
    assert_eq!(entra.requests(), Vec::<String>::new());
}

/// Replaces the names of variables by those that are looked up first: Windows ignores the case.
fn with_variables_of_this_system(text: &str) -> String {
    if cfg!(unix) {
        return text.to_owned();
    }
    text.replace("HTTPS_PROXY", "https_proxy").replace("ALL_PROXY", "all_proxy")
}

#[test]
fn proxy_failure_names_the_proxy_and_the_reason() {
    let folder = folder();
    write_file_with_one_change(folder.path());
    let answers = |status| Background::answer(move |_| format!("HTTP/1.1 {status}\r\n\r\n").into());
    let (_unauthorized, unauthorized) = answers("407 Proxy Authentication Required");
    let (_forbidden, forbidden) = answers("403 Forbidden");
    let (_unavailable, unavailable) = answers("503 Service Unavailable");
    let [refused, unresolved] = ["127.0.0.1:9", "proxy.invalid:3128"].map(str::to_owned);
    let (allow, check) =
        ("let the proxy in `all_proxy` allow the host, or list", "check the network and the proxy in");
    for (proxy, (variable, no_proxy), reason, hint) in [
        (&refused, ("HTTPS_PROXY", "NO_PROXY"), "connection refused", format!("{check} `HTTPS_PROXY`")),
        (
            &unauthorized.to_string(),
            ("https_proxy", "NO_PROXY"),
            "the proxy answered 407",
            "set `https_proxy` to a URL with the credentials of the proxy, such as \
             `http://user:password@proxy.example.com:8080`"
                .into(),
        ),
        (
            &forbidden.to_string(),
            ("all_proxy", "no_proxy"),
            "the proxy answered 403",
            format!("{allow} the host in `no_proxy`"),
        ),
        (
            &unavailable.to_string(),
            ("ALL_PROXY", "NO_PROXY"),
            "the proxy answered 503",
            format!("{check} `ALL_PROXY`"),
        ),
        (&unresolved, ("ALL_PROXY", "NO_PROXY"), "name not resolved: ", format!("{check} `ALL_PROXY`")),
    ] {
        let outcome = run_in(folder.path(), &["plan", "--timeout", "6"])
            .env("FLOWBIND_ACCESS_TOKEN", "t")
            .env(variable, &format!("http://user:hunter2@{proxy}"))
            .env(no_proxy, "elsewhere.example.com")
            .run();
        assert_eq!(outcome.code, 1, "{outcome}");
        let error = format!("cannot reach graph.microsoft.com through the proxy {proxy}: {reason}");
        assert!(outcome.stderr.contains(&error), "{error}: {outcome}");
        assert!(
            outcome.stderr.contains(&format!("\n  = hint: {}\n", with_variables_of_this_system(&hint))),
            "{outcome}"
        );
        assert!(!outcome.to_string().contains("hunter2"), "{outcome}");
        let is_retried = !reason.starts_with("the proxy answered 4");
        assert_eq!(outcome.stderr.contains("retrying"), is_retried, "{outcome}");
    }
}

#[test]
fn host_without_its_proxy_that_is_unreachable_names_the_variable_that_lists_it() {
    let folder = folder();
    write_file_with_one_change(folder.path());
    let outcome =
        run_in(folder.path(), &["plan", "--graph-url", "https://graph.invalid/beta", "--timeout", "3"])
            .env("FLOWBIND_ACCESS_TOKEN", "t")
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("no_proxy", "invalid")
            .run();
    assert_eq!(outcome.code, 1, "{outcome}");
    let hint = "\n  = hint: check the network, and `no_proxy`, which lists the host\n";
    assert!(outcome.stderr.contains("cannot reach graph.invalid: name not resolved: "), "{outcome}");
    assert!(outcome.stderr.contains(hint), "{outcome}");
}

/// The login host is asked for the token and for the tenant's id, both with the same outcome.
#[test]
fn unreachable_login_host_ends_the_run_with_its_name_and_the_reason() {
    let folder = folder();
    write_file_with_one_change(folder.path());
    let outcome = with_secret(run_in(folder.path(), &["plan"]))
        .env("AZURE_AUTHORITY_HOST", "https://127.0.0.1:9")
        .run();
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(
        outcome
            .stdout
            .ends_with("\nPlan incomplete: 1 of 1 binding could not be compared. It cannot be applied.\n"),
        "{outcome}"
    );
    let error = "error[graph-unreachable]: cannot reach 127.0.0.1:9: connection refused\n  = cause: needed to sign in";
    assert!(outcome.stderr.contains(error), "{outcome}");
}

#[test]
fn invalid_ca_file_fails_before_sign_in() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    file(folder.path(), "empty.pem", "");
    file(folder.path(), "text.pem", "no certificate\n");
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    file(folder.path(), "nonsense.pem", nonsense);
    file(folder.path(), "half.pem", &nonsense[..40]);
    for name in ["missing.pem", "empty.pem", "text.pem", "nonsense.pem", "half.pem", "."] {
        let outcome = entra.run(with_secret(run_in(folder.path(), &["plan", "--ca-file", name])));
        assert_eq!(outcome.code, 1, "{name}: {outcome}");
        assert!(outcome.stdout.ends_with("\nPlan incomplete: 1 error. It cannot be applied.\n"), "{outcome}");
        assert!(outcome.stderr.contains(&format!("`--ca-file`: cannot use `{name}`: ")), "{outcome}");
    }
    assert_eq!(entra.requests(), Vec::<String>::new());
}

/// On Unix, 0.0.0.0 also reaches this machine, but is not a loopback address.
#[cfg(unix)]
#[test]
fn no_proxy_hosts_bypass_the_proxy() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let here = format!("https://0.0.0.0:{}", entra.address().port());
    let run = |no_proxy: (&str, &str)| {
        let run = run_in(folder.path(), &["plan", "--graph-url", &format!("{here}/beta"), "--timeout", "3"]);
        with_secret(run)
            .env("AZURE_AUTHORITY_HOST", &here)
            .env("SSL_CERT_FILE", entra.ca_file().to_str().unwrap())
            .env("HTTPS_PROXY", " http://127.0.0.1:9 ")
            .env("NO_PROXY", "other.example.com")
            .env(no_proxy.0, no_proxy.1)
            .run()
    };
    for no_proxy in [("NO_PROXY", "other.example.com 0.0.0.0"), ("no_proxy", "0.0.0.0/24")] {
        let outcome = run(no_proxy);
        assert_eq!(outcome.code, 0, "{outcome}");
    }
    let asked = entra.requests().len();
    let outcome = run(("no_proxy", ""));
    assert_eq!(outcome.code, 1, "{outcome}");
    assert_eq!(entra.requests().len(), asked);
}

/// On Windows, both names are one variable.
#[cfg(unix)]
#[test]
fn proxy_variable_in_lower_case_counts_first() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let outcome =
        with_secret(run_in(folder.path(), &["plan", "--ca-file", entra.ca_file().to_str().unwrap()]))
            .env("https_proxy", &entra.address().to_string())
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .run();
    assert_eq!(outcome.code, 0, "{outcome}");
}

/// The error is reported once, and before anything is sent. A tenant on this machine needs no authorities.
#[test]
fn trust_store_without_certificates_is_one_error() {
    let (entra, folder) = (entra(), folder());
    let flows: Vec<_> = (0..20).map(|number| format!("B2C_1_{number}")).collect();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&flows));
    file(folder.path(), "garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    file(folder.path(), "text.pem", "text");
    fs::create_dir(folder.path().join("empty")).unwrap();
    file(
        folder.path(),
        "tenant.json",
        tenant(&flows.iter().map(|flow| (&**flow, 1, 0)).collect::<Vec<_>>()).to_json(),
    );
    let commands: [&[&str]; 5] = [
        &["plan"],
        &["apply", "--yes"],
        &["drift"],
        &["export", "--tenant", "contoso.onmicrosoft.com"],
        &["whoami"],
    ];
    for (variable, value, message) in [
        ("SSL_CERT_FILE", "missing.pem", "`SSL_CERT_FILE`: cannot use `missing.pem`: "),
        ("SSL_CERT_FILE", "text.pem", "`SSL_CERT_FILE`: cannot use `text.pem`: no certificate in the file"),
        ("SSL_CERT_FILE", "garbage.pem", "no certificate authorities in `garbage.pem` (`SSL_CERT_FILE`)"),
        ("SSL_CERT_DIR", "missing", "`SSL_CERT_DIR`: cannot use `missing`: "),
        ("SSL_CERT_DIR", "empty", "no certificate authorities in `empty` (`SSL_CERT_DIR`)"),
    ] {
        let run = |args: &[&str]| run_in(folder.path(), args).env("SSL_CERT_FILE", "").env(variable, value);
        for command in commands {
            for run in [run(command).env("FLOWBIND_ACCESS_TOKEN", "t"), with_secret(run(command))] {
                let outcome = run.env("HTTPS_PROXY", &format!("http://{}", entra.address())).run();
                assert_eq!(outcome.code, 1, "{outcome}");
                assert!(
                    outcome.stderr.contains(&format!("error[trust-store-unusable]: {message}")),
                    "{outcome}"
                );
                assert!(outcome.stderr.contains(&format!("\n  = hint: set `{variable}` to ")), "{outcome}");
                assert_eq!(outcome.stderr.matches("error[").count(), 1, "{outcome}");
            }
            let outcome = run(command).args(["--sandbox", "tenant.json"]).run();
            assert!(outcome.code == 0 && !outcome.stderr.contains("error["), "{outcome}");
        }
    }
    assert_eq!(entra.requests(), Vec::<String>::new());
}

/// Both variables replace the authorities of the system, and `--ca-file` adds to them. A folder may have other files.
#[test]
fn authorities_of_all_variables_are_trusted() {
    let (entra, folder) = (entra(), folder());
    write_file_with_one_change(folder.path());
    let other = package("tests/certificates/pkcs8.pem").display().to_string();
    let broken = "-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n";
    for name in ["other", "authorities"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        file(&folder.path().join(name), "README", "text");
        file(&folder.path().join(name), "broken.pem", broken);
    }
    let authority = fs::read_to_string(entra.ca_file()).unwrap();
    file(&folder.path().join("authorities"), "c0ffee00.0", &authority);
    file(folder.path(), "ca.pem", format!("{broken}{authority}"));
    let folders = std::env::join_paths(["missing", "other", "authorities"]).unwrap().into_string().unwrap();
    // Without variables, those of the system are trusted, if it has any.
    for (cert_file, folders, args, is_trusted) in [
        ("", "", &[][..], false),
        (&*other, "", &[], false),
        (&other, "other", &[], false),
        ("", "other", &["--ca-file", "ca.pem"], false),
        ("ca.pem", "", &[], true),
        ("ca.pem", "other", &[], true),
        ("", &folders, &[], true),
        (&other, &folders, &[], true),
        (&other, "", &["--ca-file", "authorities/c0ffee00.0"], true),
        ("", "other", &["--ca-file", "authorities/c0ffee00.0"], true),
    ] {
        let outcome = with_secret(run_in(folder.path(), &["plan"]))
            .args(args)
            .env("SSL_CERT_FILE", cert_file)
            .env("SSL_CERT_DIR", folders)
            .env("HTTPS_PROXY", &format!("http://{}", entra.address()))
            .run();
        assert_eq!(outcome.code == 0, is_trusted, "{cert_file} {folders} {args:?}: {outcome}");
    }
}

#[test]
fn invalid_certificate_of_ca_file_is_named() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let good = fs::read_to_string(entra.ca_file()).unwrap();
    for broken in ["AAAA", "%%%%"] {
        let broken = format!("-----BEGIN CERTIFICATE-----\n{broken}\n-----END CERTIFICATE-----\n");
        file(folder.path(), "ca.pem", format!("{good}{broken}{good}"));
        let outcome = entra.run(with_secret(run_in(folder.path(), &["plan", "--ca-file", "ca.pem"])));
        assert_eq!(outcome.code, 1, "{outcome}");
        let line = good.lines().count() + 1;
        let error =
            format!("`--ca-file`: cannot use `ca.pem`: certificate 2 of 3, in line {line}, is invalid\n");
        assert!(outcome.stderr.contains(&error), "{outcome}");
    }
    assert_eq!(entra.requests(), Vec::<String>::new());
}

/// A request that must use a proxy is not sent without it, and the proxy password is not printed.
#[test]
fn invalid_proxy_variable_is_an_error() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let here = format!("https://0.0.0.0:{}", entra.address().port());
    for (variable, value) in [
        ("HTTPS_PROXY", "http://user:hunter2@127.0 .0.1:9"),
        ("https_proxy", "ftp://user:hunter2@127.0.0.1:9"),
        ("ALL_PROXY", "http://"),
        ("all_proxy", "/hunter2"),
        ("all_proxy", "socks5://user:hunter2@127.0.0.1:9"),
    ] {
        for command in ["plan", "whoami"] {
            let args = [command, "--graph-url", &format!("{here}/beta"), "--timeout", "3"];
            let outcome = with_secret(run_in(folder.path(), &args))
                .env("AZURE_AUTHORITY_HOST", &here)
                .env("SSL_CERT_FILE", entra.ca_file().to_str().unwrap())
                .env(variable, value)
                .run();
            assert_eq!(outcome.code, 1, "{outcome}");
            let variable = with_variables_of_this_system(variable);
            let error = format!(
                "error[invalid-environment]: `{variable}` is not the URL of an http or https proxy\n"
            );
            assert_eq!(outcome.stderr.matches(&error).count(), 1, "{outcome}");
            assert_eq!(outcome.stderr.matches("error[").count(), 1, "{outcome}");
            assert!(!outcome.stderr.contains("hunter2"), "{outcome}");
        }
    }
    assert_eq!(entra.requests().len(), 0);
}

#[test]
fn link_to_another_host_is_not_followed() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let page = serde_json::json!({"value": [], "@odata.nextLink": "https://elsewhere.example.com/beta/more"});
    entra.behave(|behavior| behavior.graph_error = Some(("/apiConnectors", 200, page.to_string())));
    let outcome = entra.run(with_secret(run_in(folder.path(), &["plan"])));
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("Graph's link to the next page leads to `https://elsewhere.example.com`; not followed"),
        "{outcome}"
    );
    assert_eq!(entra.requests_to("elsewhere").len(), 0);
}

/// Secrets and assertions are sent only over HTTPS.
#[test]
fn secrets_are_never_sent_over_http() {
    let entra = entra();
    let folder = folder();
    write_file_with_one_change(folder.path());
    let run = || run_in(folder.path(), &["plan"]).env("HTTP_PROXY", &format!("http://{}", entra.address()));
    let (clear, far) = ("is neither https nor on this machine", "http://issuer.example.com/x");
    for (run, why) in [
        (
            with_secret(run()).env("AZURE_AUTHORITY_HOST", far),
            "`AZURE_AUTHORITY_HOST` is not the https root of a login authority",
        ),
        (
            run()
                .env("ACTIONS_ID_TOKEN_REQUEST_URL", far)
                .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "github-request-t0ken"),
            "`ACTIONS_ID_TOKEN_REQUEST_URL` is not an https URL",
        ),
        (
            run()
                .env("SYSTEM_OIDCREQUESTURI", far)
                .env("SYSTEM_ACCESSTOKEN", "pipelines-t0ken")
                .env("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "connection-7"),
            clear,
        ),
        (run().env("IDENTITY_ENDPOINT", far).env("IDENTITY_HEADER", "identity-h3ader"), clear),
        (
            run().env("IDENTITY_ENDPOINT", "http://10.0.0.1/x").env("IDENTITY_HEADER", "identity-h3ader"),
            clear,
        ),
        (run().env("IDENTITY_ENDPOINT", "nonsense").env("IDENTITY_HEADER", "identity-h3ader"), "nonsense"),
    ] {
        let outcome = entra.run(run);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains(why), "{why}: {outcome}");
    }
    let domain = format!("GET https://login.microsoftonline.com/{}/v2.0", CONTOSO.0);
    assert!(entra.requests().iter().all(|line| line.starts_with(&domain)), "{:?}", entra.requests());
}

/// A pipe without a writer, such as that of a shell's `<(…)`.
#[cfg(unix)]
#[test]
fn credential_file_that_blocks_ends_at_timeout_or_stop() {
    let folder = folder();
    write_file_with_one_change(folder.path());
    let pipe = folder.path().join("pipe");
    named_pipe(&pipe);
    for variable in ["AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_CERTIFICATE_PATH"] {
        let run = |args: &[&str]| {
            run_in(folder.path(), args)
                .env("AZURE_AUTHORITY_HOST", "https://127.0.0.1:9")
                .env(variable, pipe.to_str().unwrap())
        };
        let mut running = run(&["plan", "--timeout", "1"]).command().start();
        assert_eq!(exit_code(&mut running), Some(1));
        let mut running = run(&["apply", "--yes"]).command().start();
        // A pipe can be opened for writing when the run has opened it for reading.
        let path = pipe.clone();
        let opening = std::thread::spawn(move || File::options().write(true).open(path).unwrap());
        wait_until("the run opens the file", || opening.is_finished());
        let _writer = opening.join().unwrap();
        signal(&running, "INT");
        assert_eq!(exit_code(&mut running), Some(130));
    }
    let endless = run_in(folder.path(), &["plan", "--timeout", "1"])
        .env("AZURE_AUTHORITY_HOST", "https://127.0.0.1:9")
        .env("AZURE_CLIENT_CERTIFICATE_PATH", "/dev/zero")
        .run();
    assert_eq!(endless.code, 1, "{endless}");
}

#[test]
fn silent_authority_ends_at_the_timeout() {
    let folder = folder();
    write_file_with_one_change(folder.path());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = format!("https://{}", silent.local_addr().unwrap());
    let outcome = with_secret(run_in(folder.path(), &["plan"]))
        .args(["--timeout", "1"])
        .env("AZURE_AUTHORITY_HOST", &authority)
        .run();
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(
        outcome
            .stdout
            .ends_with("\nPlan incomplete: 1 of 1 binding could not be compared. It cannot be applied.\n"),
        "{outcome}"
    );
    assert!(outcome.stderr.contains("(`--timeout`)"), "{outcome}");
}

#[test]
fn throttled_sign_in_of_one_tenant_does_not_delay_another() {
    let (entra, folder) = (entra(), folder());
    entra.behave(|behavior| behavior.throttled_tenant = Some(CONTOSO.1));
    for (name, (domain, _)) in [("a.yaml", CONTOSO), ("b.yaml", FABRIKAM)] {
        let yaml = yaml_binding_connector_1(&["B2C_1_a"]).replace("contoso.onmicrosoft.com", domain);
        file(folder.path(), name, yaml);
    }
    let args = ["plan", "a.yaml", "b.yaml", "--tenants-at-once", "1", "--timeout", "20", "--format", "json"];
    let outcome = entra.run(with_secret(run_in(folder.path(), &args)));
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("asked to wait 700 s"), "{outcome}");
    let plan: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let targets = plan["targets"].as_array().unwrap();
    let compared: Vec<_> =
        targets.iter().map(|it| (it["tenant"].as_str().unwrap(), &it["summary"]["notCompared"])).collect();
    assert_eq!(compared, [(CONTOSO.0, &1.into()), (FABRIKAM.0, &0.into())], "{outcome}");
    // The tenant that is ready is also applied.
    let apply = ["apply", "a.yaml", "b.yaml", "--yes", "--timeout", "20"];
    let outcome = entra.run(with_secret(run_in(folder.path(), &apply)));
    assert_eq!(outcome.code, 1, "{outcome}");
    let puts: Vec<_> = entra.tenants.iter().map(|tenant| (tenant.domain, tenant.graph.puts())).collect();
    assert_eq!(puts, [(CONTOSO.0, 0), (FABRIKAM.0, 1)], "{outcome}");
}
