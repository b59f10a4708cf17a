//! Size limits of all inputs: an input beyond its limit is an error and is not read further.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use flowbind::sandbox::{Fault, Options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::faulty_proxy::{FaultyProxy, WireFault};
use crate::support::{
    Background, Outcome, Start as _, answer_get, file, flowbind, folder, serve, tenant,
    yaml_binding_connector_1,
};

const FILE: &str =
    "version: 1\ntenant: contoso.onmicrosoft.com\nflows: {B2C_1_a: {postFederationSignup: null}}\n";

/// Largest accepted response, in bytes.
const MAX_RESPONSE: usize = 2 << 20;

/// Returns a response of so many bytes in which nothing is bound.
fn unbound(bytes: usize) -> String {
    format!("{{}}{}", " ".repeat(bytes - 2))
}

/// Creates a sparse file of so many bytes.
fn sparse_file(folder: &Path, name: &str, bytes: u64) {
    File::create(folder.join(name)).unwrap().set_len(bytes).unwrap();
}

#[test]
fn response_above_the_limit_is_an_error() {
    for (bytes, code) in [(MAX_RESPONSE, 0), (MAX_RESPONSE + 1, 1)] {
        let faults = vec![answer_get("/apiConnectorConfiguration", 0, 200, &[], &unbound(bytes))];
        let served = serve(tenant(&[("B2C_1_a", 1, 2)]), Options { faults, ..Options::default() });
        let outcome = served.plan(FILE, &[]);
        assert_eq!(outcome.code, code, "{bytes}: {outcome}");
        assert_eq!(outcome.stdout.contains("the answer is larger than 2 MiB"), code == 1, "{outcome}");
        assert_eq!(served.requests().len(), 1, "a response above the limit is not retried");
    }
}

#[test]
fn collection_above_the_limit_is_an_error() {
    let page = |number| {
        let next = format!("/beta/identity/apiConnectors?page={number}");
        let begun = format!(r#"{{"value": [], "@odata.nextLink": "{next}""#);
        let full = format!("{begun}{}}}", " ".repeat(MAX_RESPONSE - begun.len() - 1));
        answer_get("apiConnectors", 1, 200, &[], &full)
    };
    for (pages, code) in [(3, 0), (4, 1)] {
        let last = answer_get("apiConnectors", 1, 200, &[], r#"{"value": []}"#);
        let faults = (1..=pages).map(page).chain([last]).collect();
        let served = serve(tenant(&[("B2X_1_a", 1, 2)]), Options { faults, ..Options::default() });
        let outcome =
            flowbind(["export", "--tenant", "contoso.onmicrosoft.com"]).connect_to(&served.graph_url()).run();
        assert_eq!(outcome.code, code, "{pages}: {outcome}");
        let error = "the pages of the collection exceed 8 MiB";
        assert_eq!(outcome.stderr.contains(error), code == 1, "{outcome}");
    }
}

/// Starts a service that never sends the last byte of a response.
fn serve_without_last_byte(bytes: usize) -> (Background, SocketAddr) {
    Background::serve(move |mut connection| async move {
        _ = connection.read(&mut [0; 4096]).await;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n");
        _ = connection.write_all(&[head.as_bytes(), &vec![b' '; bytes - 1]].concat()).await;
        std::future::pending().await
    })
}

#[test]
fn concurrent_responses_above_the_total_limit_are_errors() {
    let flows: String =
        (0..20).map(|flow| format!("  B2C_1_{flow}: {{postFederationSignup: null}}\n")).collect();
    let folder = folder();
    let yaml = format!("version: 1\ntenant: contoso.onmicrosoft.com\nflows:\n{flows}");
    file(folder.path(), "flowbind.yaml", yaml);
    let (_background, address) = serve_without_last_byte(MAX_RESPONSE);
    let url = format!("http://{address}/beta");
    for (parallelism, beyond) in [("12", false), ("20", true)] {
        let outcome = flowbind(["plan", "--timeout", "3", "--parallelism", parallelism])
            .connect_to(&url)
            .within(folder.path())
            .run();
        assert_eq!(outcome.code, 1, "{outcome}");
        let error = "the answers in flight are larger than 32 MiB together";
        assert_eq!(outcome.stdout.contains(error), beyond, "{parallelism}: {outcome}");
    }
}

/// The limit applies to the decompressed response.
#[test]
fn compressed_response_above_the_limit_is_an_error() {
    for (bytes, code) in [(MAX_RESPONSE, 0), (MAX_RESPONSE + 1, 1), (4 * MAX_RESPONSE, 1)] {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(b"{}").unwrap();
        for _ in 0..bytes / MAX_RESPONSE {
            packed.write_all(&[b' '; MAX_RESPONSE - 2]).unwrap();
        }
        packed.write_all(&vec![b' '; bytes % MAX_RESPONSE]).unwrap();
        let packed = packed.finish().unwrap();
        assert!(packed.len() < bytes / 400, "{} for {bytes}", packed.len());
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            packed.len()
        );
        let bomb = WireFault::Garbage([head.as_bytes(), &packed].concat().leak());
        let mut proxy = FaultyProxy::bind(None, Duration::ZERO);
        proxy.set_upstream(proxy.address(), vec![Some(bomb); 3]);
        proxy.start_listening();
        let folder = folder();
        file(folder.path(), "flowbind.yaml", FILE);
        let outcome = flowbind(["plan"])
            .connect_to(&format!("http://{}/beta", proxy.address()))
            .within(folder.path())
            .run();
        assert_eq!(outcome.code, code, "{bytes}: {outcome}");
        assert_eq!(outcome.stdout.contains("the answer is larger than 2 MiB"), code == 1, "{outcome}");
        assert_eq!(proxy.observed_faults().len(), 1, "a response above the limit is not retried");
    }
}

/// Returns the peak memory in KB of a run that fails, or that is killed when `is_enough`; 0 if the system has no
/// `/proc`.
fn peak_memory(mut run: Command, is_enough: impl Fn() -> bool) -> u64 {
    let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).start();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Some(ended) = child.try_wait().unwrap() {
            assert_eq!(ended.code(), Some(1));
            return peak;
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(kilobytes.unwrap_or(0));
        // The process is killed when it is dropped.
        if is_enough() {
            return peak;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// All concurrent requests get responses of maximum size, with as many elements as fit.
#[test]
fn responses_of_maximum_size_need_less_than_100_mb() {
    let flows: Vec<_> = (0..200).map(|flow| format!("B2C_1_{flow}")).collect();
    let fill = |open: &str, piece: &str, close: &str| {
        let pieces = (MAX_RESPONSE - open.len() - close.len() - 1) / (piece.len() + 1);
        format!("{open}{}{close}", vec![piece; pieces].join(","))
    };
    let long = "x".repeat(MAX_RESPONSE - 99);
    let connector = r#"{"id": "00000000-0000-4000-8000-000000000001", "displayName": "x"}"#;
    for (path, status, body) in [
        ("", 200, fill("{\"more\": [", "{}", "]}")),
        ("", 200, fill("{\"more\": [", "[[0]]", "]}")),
        ("", 200, format!(r#"{{"postFederationSignup": {{"id": "a", "displayName": "{long}"}}}}"#)),
        ("", 200, " ".repeat(MAX_RESPONSE + 1)),
        ("", 503, fill("", "x", "")),
        ("apiConnectors", 200, fill(r#"{"@odata.nextLink": "?x", "value": ["#, connector, "]}")),
    ] {
        let faults = vec![
            answer_get(path, 0, status, &[("Retry-After", "1")], &body),
            Fault { method: Some("POST".into()), ..answer_get("", 0, 404, &[], "") },
        ];
        let served = serve(tenant(&[("B2C_1_a", 1, 2)]), Options { faults, ..Options::default() });
        let folder = folder();
        file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&flows));
        let run = flowbind(["plan", "--timeout", "60", "--rate", "9999/1"])
            .connect_to(&served.graph_url())
            .within(folder.path());
        // A run with few requests would need little memory and prove nothing.
        let is_enough = || served.request_count() > 24;
        let peak = peak_memory(run.command(), is_enough);
        let context = format!("{} {status}", &body[..20.min(body.len())]);
        assert!(is_enough(), "{} requests for {context}", served.request_count());
        assert!(peak > 0 || !cfg!(target_os = "linux"), "{context}");
        assert!(peak < 100 << 10, "{peak} KB for {context}");
    }
}

#[test]
fn deeply_nested_response_is_an_error() {
    for open in ["[", "{\"a\":", "{\"postFederationSignup\":"] {
        let body = format!("{{\"more\": {}", open.repeat(200_000));
        let faults = vec![answer_get("/apiConnectorConfiguration", 0, 200, &[], &body)];
        let served = serve(tenant(&[("B2C_1_a", 1, 2)]), Options { faults, ..Options::default() });
        let outcome = served.plan(FILE, &[]);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(!outcome.panicked(), "{outcome}");
    }
}

#[test]
fn saved_file_above_the_limit_is_an_error() {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", FILE);
    sparse_file(folder.path(), "large", (64 << 20) + 1);
    let run = |args: &[&str]| -> Outcome { flowbind(args).within(folder.path()).run() };
    let mut cases = vec![
        (&["show", "large"][..], "cannot read `large`"),
        (&["apply", "--plan", "large"], "cannot read `large`"),
        (&["plan", "--sandbox", "large"], "cannot read the snapshot `large`"),
        (&["sandbox", "large"], "cannot read the snapshot `large`"),
    ];
    // An endless file is read up to the limit.
    if cfg!(unix) {
        cases.push((&["show", "/dev/zero"], "cannot read `/dev/zero`"));
    }
    for (args, problem) in cases {
        let outcome = run(args);
        assert_eq!(outcome.code, 1, "{outcome}");
        let larger = format!("error[input-unreadable]: {problem}\n  = cause: larger than 64 MiB\n");
        assert!(outcome.stderr.starts_with(&larger), "{outcome}");
    }
    // A file of exactly the limit is read and then rejected for its content.
    sparse_file(folder.path(), "large", 64 << 20);
    let outcome = run(&["show", "large"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.starts_with("error[saved-file-invalid]: "), "{outcome}");
}

#[test]
fn deeply_nested_saved_plan_is_an_error() {
    let folder = folder();
    for open in ["[", "{\"targets\":["] {
        file(
            folder.path(),
            "plan.json",
            format!("{{\"formatVersion\": \"1\", \"a\": {}", open.repeat(200_000)),
        );
        for args in [["show", "plan.json"], ["sandbox", "plan.json"]] {
            let outcome = flowbind(args).within(folder.path()).run();
            assert_eq!(outcome.code, 1, "{outcome}");
        }
    }
}
