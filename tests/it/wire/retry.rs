//! Retries: transient failures are retried according to `Retry-After`, all others are final.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use flowbind::sandbox::{Effect, Fault, Options, Throttle};

use crate::support::faulty_proxy::FaultyProxy;
use crate::support::{Outcome, answer_get, file, flowbind, folder, serve, tenant, yaml_binding_connector_1};

/// Plans one flow with a fault. Returns the outcome and the number of requests for the flow's
/// configuration.
fn plan_with(fault: Fault, args: &[&str]) -> (Outcome, usize) {
    let options = Options { faults: vec![fault], ..Options::default() };
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), options);
    let outcome = served.plan(&yaml_binding_connector_1(&["B2C_1_a"]), args);
    let asked = served.requests().iter().filter(|line| line.contains("Configuration")).count();
    (outcome, asked)
}

/// The unit tests of `http::retry` cover the other forms of `Retry-After`.
#[test]
fn throttled_or_failed_request_is_retried_after_retry_after() {
    for (status, retry_after, at_least) in [(429, "1", 1), (503, "1", 1), (429, "0", 0), (503, "soon", 0)] {
        let fault = answer_get("Configuration", 1, status, &[("Retry-After", retry_after)], "");
        let started = Instant::now();
        let (outcome, asked) = plan_with(fault, &[]);
        assert!(outcome.stdout.contains("nothing → Connector 1"), "{status} {retry_after}: {outcome}");
        assert_eq!(asked, 2, "{status} {retry_after}");
        assert!(started.elapsed() >= Duration::from_secs(at_least), "{status} {retry_after}");
    }
}

#[test]
fn transient_status_is_retried() {
    for status in [408, 500, 502, 504, 509] {
        let fault = answer_get("Configuration", 1, status, &[("Retry-After", "0")], "<html>oops</html>");
        let (outcome, asked) = plan_with(fault, &[]);
        assert_eq!((outcome.code, asked), (0, 2), "{status}: {outcome}");
    }
    for effect in [Effect::DropBefore, Effect::Truncate] {
        let fault =
            Fault { method: None, path_contains: "Configuration".into(), skip: 0, times: Some(1), effect };
        let (outcome, asked) = plan_with(fault, &[]);
        assert_eq!((outcome.code, asked), (0, 2), "{outcome}");
    }
}

/// Throttled attempts do not count towards the limit of eight. A `Retry-After` below one second is
/// honoured.
#[test]
fn throttled_attempt_does_not_count() {
    let connectors =
        |times, status| answer_get("/apiConnectors", times, status, &[("Retry-After", "0.1")], "");
    let faults = vec![connectors(3, 503), connectors(2, 429), connectors(4, 503)];
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() });
    let outcome = served.plan(&yaml_binding_connector_1(&["B2C_1_a"]), &["--timeout", "15"]);
    assert_eq!(outcome.code, 0, "{outcome}");
}

#[test]
fn permanent_status_is_not_retried() {
    for status in [400, 401, 403, 405, 406, 409, 410, 412, 415, 423, 501] {
        let (outcome, asked) = plan_with(answer_get("Configuration", 0, status, &[], ""), &[]);
        assert_eq!((outcome.code, asked), (1, 1), "{status}: {outcome}");
        assert!(outcome.stdout.contains(&format!(": {status}\n")), "{outcome}");
    }
}

#[test]
fn retry_after_beyond_the_deadline_ends_the_run() {
    let flows = ["B2C_1_a", "B2C_1_b", "B2C_1_c"];
    let faults =
        vec![answer_get("", 0, 429, &[("Retry-After", "900")], r#"{"error": {"code": "TooManyRequests"}}"#)];
    let served = serve(tenant(&flows.map(|flow| (flow, 0, 0))), Options { faults, ..Options::default() });
    let outcome = served.plan(&yaml_binding_connector_1(&flows), &["--timeout", "20", "--parallelism", "1"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("the service asked to wait 900 s"), "{outcome}");
    assert!(outcome.stderr.contains("; the last response was 429 TooManyRequests"), "{outcome}");
    assert!(outcome.stderr.contains("(request-id "), "{outcome}");
    assert_eq!(served.requests().len(), 1);
}

/// Without a `Retry-After`, the message must not attribute our own backoff to the service.
#[test]
fn permanent_throttling_is_reported() {
    let fault = answer_get("Configuration", 0, 429, &[], r#"{"error": {"code": "TooManyRequests"}}"#);
    let (outcome, asked) = plan_with(fault, &["--timeout", "2"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("the service throttles the run"), "{outcome}");
    assert!(outcome.stdout.contains("; the last response was 429 TooManyRequests"), "{outcome}");
    assert!(asked <= 4, "{asked}");
}

#[test]
fn silent_service_ends_at_the_timeout() {
    let fault = Fault {
        method: None,
        path_contains: "Configuration".into(),
        skip: 0,
        times: None,
        effect: Effect::Hang,
    };
    let (outcome, _) = plan_with(fault, &["--timeout", "1"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("the time limit of the run (`--timeout`) is over"), "{outcome}");
}

#[test]
fn unreachable_service_is_reported_within_the_timeout() {
    let unreachable = FaultyProxy::bind(None, Duration::from_secs(600));
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let outcome = flowbind(["plan", "--timeout", "2"])
        .connect_to(&format!("http://{}/beta", unreachable.address()))
        .within(folder.path())
        .run();
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("WARN cannot reach "), "{outcome}");
    assert!(outcome.stderr.contains("refused"), "{outcome}");
}

#[test]
fn unreachable_service_of_several_tenants_is_one_error() {
    let folder = folder();
    for tenant in ["contoso", "fabrikam"] {
        let yaml = yaml_binding_connector_1(&["B2C_1_a"]).replace("contoso", tenant);
        file(folder.path(), &format!("{tenant}.yaml"), yaml);
    }
    for args in [&["plan"][..], &["drift", "--strict"], &["apply", "--yes", "--tenant-unchecked"]] {
        let outcome = flowbind(args)
            .args([".", "--timeout", "3"])
            .connect_to("http://127.0.0.1:9/beta")
            .within(folder.path())
            .run();
        assert_eq!(outcome.code, 1, "{outcome}");
        assert_eq!(outcome.stderr.matches("error[graph-unreachable]").count(), 1, "{outcome}");
        assert_eq!(outcome.stderr.matches("-unreadable]").count(), 0, "{outcome}");
        assert_eq!(outcome.stderr.matches("WARN cannot reach").count(), 1, "{outcome}");
        let tenants = "\n  = note: tenants: contoso.onmicrosoft.com, fabrikam.onmicrosoft.com\n";
        assert!(outcome.stderr.contains(tenants), "{outcome}");
    }
}

/// The rate limit of the service is lower than that of the run.
#[test]
fn run_with_tight_service_limit_succeeds() {
    let flows: Vec<_> = (0..8).map(|number| format!("B2C_1_{number}")).collect();
    let throttle = Some(Throttle { requests: 4, per: Duration::from_millis(700) });
    let bound: Vec<_> = flows.iter().map(|flow| (flow.as_str(), 0, 0)).collect();
    let served = serve(tenant(&bound), Options { throttle, ..Options::default() });
    let outcome = served.plan(&yaml_binding_connector_1(&flows), &[]);
    assert!(outcome.stdout.contains("Plan: 8 to enable"), "{outcome}");
}

/// `--rate` keeps a run below the rate limit of the service.
#[test]
fn run_within_its_rate_limit_is_never_throttled() {
    let flows = ["B2C_1_a", "B2C_1_b", "B2C_1_c", "B2C_1_d"];
    let throttle = Some(Throttle { requests: 3, per: Duration::from_millis(400) });
    let served = serve(tenant(&flows.map(|flow| (flow, 0, 0))), Options { throttle, ..Options::default() });
    let outcome = served.plan(&yaml_binding_connector_1(&flows), &["--rate", "3/1"]);
    assert!(outcome.stdout.contains("Plan: 4 to enable"), "{outcome}");
    assert_eq!(served.requests().len(), 5);
}

/// Answers one request on each of two connections: first 503, then the expected response.
#[test]
fn retry_after_503_uses_a_new_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/beta", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut busy = listener.accept().unwrap().0;
        reply(&mut busy, "503 Service Unavailable\r\nRetry-After: 0", "");
        let mut fresh = listener.accept().unwrap().0;
        reply(&mut fresh, "200 OK", "{}");
    });
    let folder = folder();
    file(
        folder.path(),
        "flowbind.yaml",
        yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", "null"),
    );
    let outcome = flowbind(["plan", "--timeout", "20"]).connect_to(&url).within(folder.path()).run();
    assert!(outcome.stdout.contains("No changes."), "{outcome}");
    server.join().unwrap();
}

fn reply(connection: &mut TcpStream, head: &str, body: &str) {
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
    while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
    write!(connection, "HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
}
