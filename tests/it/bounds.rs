//! Whatever comes from outside has an end: what goes on beyond it is an error, and is not read.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use flowbind::sandbox::{Fault, Options};

use crate::support::line::{Kink, Line};
use crate::support::{Outcome, answer, file, flowbind, folder, serve, tenant, wants_connector_1};

const FILE: &str =
    "version: 1\ntenant: contoso.onmicrosoft.com\nflows: {B2C_1_a: {postFederationSignup: null}}\n";

/// The largest answer that is taken.
const ANSWER: usize = 2 << 20;

/// An answer of so many bytes: nothing is bound.
fn unbound(bytes: usize) -> String {
    format!("{{}}{}", " ".repeat(bytes - 2))
}

/// A file of so many bytes, none of which takes room on a disk.
fn hollow(folder: &Path, name: &str, bytes: u64) {
    File::create(folder.join(name)).unwrap().set_len(bytes).unwrap();
}

#[test]
fn an_answer_is_read_up_to_its_bound_and_no_further() {
    for (bytes, code) in [(ANSWER, 0), (ANSWER + 1, 1)] {
        let faults = vec![answer("/apiConnectorConfiguration", 0, 200, &[], &unbound(bytes))];
        let served = serve(tenant(&[("B2C_1_a", 1, 2)]), Options { faults, ..Options::default() });
        let outcome = served.plan(FILE, &[]);
        assert_eq!(outcome.code, code, "{bytes}: {outcome}");
        assert_eq!(outcome.stdout.contains("the answer is larger than 2 MiB"), code == 1, "{outcome}");
        assert_eq!(served.requests().len(), 1, "and it is not asked for again");
    }
}

#[test]
fn a_collection_is_read_up_to_its_bound_and_no_further() {
    let page = |number| {
        let next = format!("/beta/identity/apiConnectors?page={number}");
        let begun = format!(r#"{{"value": [], "@odata.nextLink": "{next}""#);
        let full = format!("{begun}{}}}", " ".repeat(ANSWER - begun.len() - 1));
        answer("apiConnectors", 1, 200, &[], &full)
    };
    for (pages, code) in [(3, 0), (4, 1)] {
        let last = answer("apiConnectors", 1, 200, &[], r#"{"value": []}"#);
        let faults = (1..=pages).map(page).chain([last]).collect();
        let served = serve(tenant(&[("B2X_1_a", 1, 2)]), Options { faults, ..Options::default() });
        let outcome = flowbind(["export", "--tenant", "contoso.onmicrosoft.com"])
            .args(["--graph-url", &served.graph_url()])
            .env("FLOWBIND_ACCESS_TOKEN", "t")
            .run();
        assert_eq!(outcome.code, code, "{pages}: {outcome}");
        let told = "its pages are larger than 8 MiB together";
        assert_eq!(outcome.stderr.contains(told), code == 1, "{outcome}");
    }
}

/// A service that keeps each of its answers back when all but the last byte of it was sent.
fn holding_back(bytes: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/beta", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            std::thread::spawn(move || {
                _ = connection.read(&mut [0; 4096]);
                _ = write!(connection, "HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n");
                _ = connection.write_all(&vec![b' '; bytes - 1]);
                std::thread::sleep(Duration::from_secs(9));
            });
        }
    });
    url
}

#[test]
fn the_answers_that_come_in_at_once_have_one_bound_together() {
    let flows: String =
        (0..20).map(|flow| format!("  B2C_1_{flow}: {{postFederationSignup: null}}\n")).collect();
    let folder = folder();
    let yaml = format!("version: 1\ntenant: contoso.onmicrosoft.com\nflows:\n{flows}");
    file(folder.path(), "flowbind.yaml", yaml);
    for (parallelism, beyond) in [("12", false), ("20", true)] {
        let outcome = flowbind(["plan", "--timeout", "3", "--parallelism", parallelism])
            .args(["--graph-url", &holding_back(ANSWER)])
            .env("FLOWBIND_ACCESS_TOKEN", "t")
            .within(folder.path())
            .run();
        assert_eq!(outcome.code, 1, "{outcome}");
        let told = "the answers in flight are larger than 32 MiB together";
        assert_eq!(outcome.stdout.contains(told), beyond, "{parallelism}: {outcome}");
    }
}

/// The bound is one of what comes out, not of what is sent.
#[test]
fn a_small_answer_that_unpacks_to_a_large_one_is_too_large() {
    for (bytes, code) in [(ANSWER, 0), (ANSWER + 1, 1), (4 * ANSWER, 1)] {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(b"{}").unwrap();
        for _ in 0..bytes / ANSWER {
            packed.write_all(&[b' '; ANSWER - 2]).unwrap();
        }
        packed.write_all(&vec![b' '; bytes % ANSWER]).unwrap();
        let packed = packed.finish().unwrap();
        assert!(packed.len() < bytes / 400, "{} for {bytes}", packed.len());
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            packed.len()
        );
        let bomb = Kink::Rubbish([head.as_bytes(), &packed].concat().leak());
        let mut line = Line::lay(None, Duration::ZERO);
        line.lead(line.address(), vec![Some(bomb); 3]);
        line.open();
        let folder = folder();
        file(folder.path(), "flowbind.yaml", FILE);
        let outcome = flowbind(["plan", "--graph-url", &format!("http://{}/beta", line.address())])
            .env("FLOWBIND_ACCESS_TOKEN", "t")
            .within(folder.path())
            .run();
        assert_eq!(outcome.code, code, "{bytes}: {outcome}");
        assert_eq!(outcome.stdout.contains("the answer is larger than 2 MiB"), code == 1, "{outcome}");
        assert_eq!(line.met().len(), 1, "and it is not asked for again");
    }
}

/// What a run ends with, and the most memory that it takes, in KB, as far as the system tells.
fn peak(mut run: Command) -> (Option<i32>, u64) {
    let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Some(ended) = child.try_wait().unwrap() {
            return (ended.code(), peak);
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(kilobytes.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Answers as large as any that is taken, to all requests at once, with as much in them as fits.
#[test]
fn a_hostile_service_takes_no_more_than_100_mb() {
    let flows: Vec<_> = (0..200).map(|flow| format!("B2C_1_{flow}")).collect();
    let flows: Vec<_> = flows.iter().map(String::as_str).collect();
    let fill = |open: &str, piece: &str, close: &str| {
        let pieces = (ANSWER - open.len() - close.len() - 1) / (piece.len() + 1);
        format!("{open}{}{close}", vec![piece; pieces].join(","))
    };
    let long = "x".repeat(ANSWER - 99);
    let connector = r#"{"id": "00000000-0000-4000-8000-000000000001", "displayName": "x"}"#;
    for (path, status, body) in [
        ("", 200, fill("{\"more\": [", "{}", "]}")),
        ("", 200, fill("{\"more\": [", "[[0]]", "]}")),
        ("", 200, format!(r#"{{"postFederationSignup": {{"id": "a", "displayName": "{long}"}}}}"#)),
        ("", 200, " ".repeat(ANSWER + 1)),
        ("", 503, fill("", "x", "")),
        ("apiConnectors", 200, fill(r#"{"@odata.nextLink": "?x", "value": ["#, connector, "]}")),
    ] {
        let faults = vec![
            answer(path, 0, status, &[("Retry-After", "1")], &body),
            Fault { method: Some("POST".into()), ..answer("", 0, 404, &[], "") },
        ];
        let served = serve(tenant(&[("B2C_1_a", 1, 2)]), Options { faults, ..Options::default() });
        let folder = folder();
        file(folder.path(), "flowbind.yaml", wants_connector_1(&flows));
        let run =
            flowbind(["plan", "--timeout", "5", "--rate", "9999/1", "--graph-url", &served.graph_url()])
                .env("FLOWBIND_ACCESS_TOKEN", "t")
                .within(folder.path());
        let (code, peak) = peak(run.command());
        let what = format!("{} {status}", &body[..20.min(body.len())]);
        // A run that asks for little takes little.
        let arrived = served.arrived();
        assert!(code == Some(1) && arrived > 24, "{code:?} after {arrived} requests for {what}");
        assert!(peak > 0 || !cfg!(target_os = "linux"), "{what}");
        assert!(peak < 100 << 10, "{peak} KB of {what}");
    }
}

#[test]
fn an_answer_nested_without_end_is_unknown_and_no_crash() {
    for open in ["[", "{\"a\":", "{\"postFederationSignup\":"] {
        let body = format!("{{\"more\": {}", open.repeat(200_000));
        let faults = vec![answer("/apiConnectorConfiguration", 0, 200, &[], &body)];
        let served = serve(tenant(&[("B2C_1_a", 1, 2)]), Options { faults, ..Options::default() });
        let outcome = served.plan(FILE, &[]);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(!outcome.panicked(), "{outcome}");
    }
}

#[test]
fn a_file_that_a_run_is_given_has_a_bound() {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", FILE);
    hollow(folder.path(), "large", (64 << 20) + 1);
    let run = |args: &[&str]| -> Outcome { flowbind(args).within(folder.path()).run() };
    for (args, problem) in [
        (&["show", "large"][..], "cannot read `large`"),
        (&["apply", "--plan", "large"], "cannot read `large`"),
        (&["plan", "--sandbox", "large"], "cannot read the snapshot `large`"),
        (&["sandbox", "large"], "cannot read the snapshot `large`"),
        // What never ends is not waited for.
        (&["show", "/dev/zero"], "cannot read `/dev/zero`"),
    ] {
        let outcome = run(args);
        assert_eq!((outcome.code, &*outcome.stdout), (1, ""), "{outcome}");
        let larger = format!("error: {problem}\n  = caused by: it is larger than 64 MiB\n");
        assert!(outcome.stderr.starts_with(&larger), "{outcome}");
    }
    // One byte less is read, and found to be nothing.
    hollow(folder.path(), "large", 64 << 20);
    let outcome = run(&["show", "large"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.starts_with("error: `large` cannot be used: "), "{outcome}");
}

#[test]
fn a_saved_plan_nested_without_end_is_an_error_and_no_crash() {
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
