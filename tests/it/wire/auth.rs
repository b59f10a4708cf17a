//! Access tokens passed to flowbind, and where they are sent.

use std::sync::mpsc;

use flowbind::sandbox::Options;

use crate::support::{
    Background, Outcome, answer_get, file, flowbind, folder, serve, tenant, yaml_binding_connector_1,
};

fn plan(args: &[&str], token: Option<&str>) -> Outcome {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let run = flowbind(["plan"]).args(args).within(folder.path());
    match token {
        Some(token) => run.env("FLOWBIND_ACCESS_TOKEN", token).run(),
        None => run.run(),
    }
}

#[test]
fn plan_without_token_and_sandbox_is_an_error() {
    for token in [None, Some(""), Some(" \n")] {
        let outcome = plan(&[], token);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(
            outcome.stdout.ends_with(
                "\nPlan incomplete: 1 of 1 binding could not be compared. It cannot be applied.\n"
            ),
            "{outcome}"
        );
        assert!(outcome.stderr.contains("`FLOWBIND_ACCESS_TOKEN` is not set"), "{outcome}");
        assert!(outcome.stderr.contains("--sandbox FILE"), "{outcome}");
    }
}

#[test]
fn token_is_sent_and_never_printed() {
    let secret = "eyJ0eXAi.s3cr3t.t0k3n";
    let faults = vec![answer_get(
        "Configuration",
        2,
        401,
        &[],
        r#"{"error": {"code": "InvalidAuthenticationToken"}}"#,
    )];
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() });
    for verbosity in ["-q", "-v", "-vv"] {
        let outcome = plan(&["--graph-url", &served.graph_url(), verbosity], Some(secret));
        assert!(!outcome.to_string().contains("s3cr3t"), "{outcome}");
    }
    for entry in served.journal() {
        assert_eq!(entry["authorization"], "Bearer ***");
        assert!(entry["clientRequestId"].is_string());
    }
    let ids: std::collections::BTreeSet<_> =
        served.journal().iter().map(|entry| entry["clientRequestId"].to_string()).collect();
    assert_eq!(ids.len(), served.journal().len(), "each request has its own tag");
}

/// The server of this test does not redact the header.
#[test]
fn authorization_header_contains_the_token_unchanged() {
    let (sender, heads) = mpsc::channel();
    let (_background, address) = Background::answer(move |head| {
        sender.send(head).unwrap();
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_vec()
    });
    let url = format!("http://{address}/beta");
    let outcome = plan(&["--graph-url", &url, "--parallelism", "1"], Some(" eyJ0.t0k3n \n"));
    assert_eq!(outcome.code, 1);
    let head = heads.recv().unwrap();
    assert_eq!(head.iter().filter(|line| *line == "authorization: Bearer eyJ0.t0k3n").count(), 1, "{head:?}");
    assert_eq!(head.iter().filter(|line| line.starts_with("client-request-id: ")).count(), 1, "{head:?}");
}

#[test]
fn token_invalid_in_headers_is_rejected_without_printing_it() {
    let tokens =
        ["s3cr3t\nX-Evil: 1", "Bearer s3cr3t", "s3cr3t\u{1}", "\"s3cr3t\"", "'s3cr3t'", "s3cr3t\u{e9}"];
    for token in tokens {
        let outcome = plan(&["--graph-url", "http://127.0.0.1:9/beta", "--timeout", "1"], Some(token));
        assert_eq!(outcome.code, 1);
        assert!(outcome.stderr.contains("`FLOWBIND_ACCESS_TOKEN` is not a bare token"), "{outcome}");
        assert!(!outcome.stderr.contains("s3cr3t"), "{outcome}");
    }
}

#[test]
fn insecure_graph_url_is_rejected() {
    for (url, why) in [
        ("http://graph.microsoft.com/beta", "must be https"),
        ("http://127.0.0.1.example.com/beta", "must be https"),
        ("https://graph.microsoft.com/v1.0", "must end in `/beta`"),
        ("https://graph.microsoft.com", "must end in `/beta`"),
        ("https://user:s3cr3t@graph.microsoft.com/beta", "and nothing else"),
        ("https://graph.microsoft.com/beta?x=y", "and nothing else"),
        ("ftp://graph.microsoft.com/beta", "and nothing else"),
        ("graph.microsoft.com/beta", "is not a URL"),
        ("", "is not a URL"),
    ] {
        let outcome = plan(&[&format!("--graph-url={url}")], Some("t"));
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains(why), "{url}: {outcome}");
        assert!(!outcome.stderr.contains("s3cr3t"), "{outcome}");
    }
}

/// A proxy must not see requests to loopback, whatever the environment contains.
#[test]
fn loopback_requests_bypass_the_proxy() {
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let outcome = flowbind(["plan", "--timeout", "5"])
        .connect_to(&served.graph_url())
        .env("http_proxy", "http://127.0.0.1:9")
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env("ALL_PROXY", "http://127.0.0.1:9")
        .within(folder.path())
        .run();
    assert_eq!(outcome.code, 0, "{outcome}");
}

/// Plans against a server that answers every request with these bytes.
fn plan_answered_with(response: Vec<u8>, args: &[&str], token: &str) -> Outcome {
    let (_background, address) = Background::answer(move |_| response.clone());
    let url = format!("http://{address}/beta");
    plan(&[&["--graph-url", &url, "--timeout", "5"], args].concat(), Some(token))
}

/// A service may repeat the token in another encoding.
#[test]
fn token_repeated_encoded_in_response_is_redacted() {
    let token = "opaque-t0ken/s3cr3t";
    let error =
        |words: &str| format!(r#"{{"error": {{"code": "C", "message": "the token {words} expired"}}}}"#);
    let escaped = error(r"\u006fpaque-t0ken\/s3cr3t");
    let percent = error("opaque%2Dt0ken%2fs3cr3t");
    let tag = r#"{"error": {"code": "C", "innerError": {"request-id": "opaque-t0ken\u002fs3cr3t"}}}"#;
    for (status, tag_header, body) in [
        (403, "r", escaped.clone().into_bytes()),
        (403, "r", percent.into_bytes()),
        // A body that is not UTF-8.
        (403, "r", [escaped.replace("expired", "").as_bytes(), b"\xe9"].concat()),
        (403, "r\r\nX-Other: é", [error(token).as_bytes(), b" \xff"].concat()),
        (403, token, b"{}".to_vec()),
        (403, "opaque%2Dt0ken%2Fs3cr3t", b"{}".to_vec()),
        (200, "r", br#"{"value": "opaque-t0ken\u002fs3cr3t"}"#.to_vec()),
        (200, "r", br#"{"postFederationSignup": {"id": "opaque-t0ken\/s3cr3t ?"}}"#.to_vec()),
        (
            200,
            "r",
            br#"{"postFederationSignup": {"id": "A", "displayName": "opaque-t0ken\/s3cr3t"}}"#.to_vec(),
        ),
    ] {
        let head = format!(
            "HTTP/1.1 {status} X\r\nConnection: close\r\nrequest-id: {tag_header}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let outcome = plan_answered_with([head.as_bytes(), &body].concat(), &["-vv"], token);
        let shown = outcome.to_string();
        assert!(!shown.contains("s3cr3t"), "{}: {outcome}", String::from_utf8_lossy(&body));
    }
    let response =
        format!("HTTP/1.1 403 X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{tag}", tag.len());
    let outcome = plan_answered_with(response.into(), &[], token);
    assert!(
        outcome.stdout.contains("apiConnectorConfiguration (request-id ***, client-request-id "),
        "{outcome}"
    );
}
