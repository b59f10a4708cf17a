//! Randomly generated faults of the service and of the connections to it.
//!
//! No fault is a well-formed response with false content: flowbind would rightly believe it.

use std::time::Duration;

use flowbind::sandbox::{Effect, Fault, Options, Throttle};

use super::rng::SeededRng;
use super::tenant_model::TenantModel;
use crate::support::faulty_proxy::WireFault;

/// Generates the options of the sandbox. `reads` is the number of reads before the first PUT, `None`
/// for a run that only reads.
pub fn service(rng: &mut SeededRng, model: &TenantModel, token: &str, reads: Option<usize>) -> Options {
    let faults = match rng.below(10) {
        0..6 => 1,
        6..9 => 2 + rng.below(2),
        _ => 6,
    };
    let milliseconds = |rng: &mut SeededRng, percent, limit| match rng.chance(percent) {
        true => Duration::from_millis(rng.below(limit) as u64),
        false => Duration::ZERO,
    };
    let mut faults: Vec<_> = (0..faults).map(|_| fault(rng, model, token, reads)).collect();
    if rng.chance(25) {
        // Only runs with few requests in flight send batches.
        let (times, path_contains) = (Some(1 + rng.below(3) as u32), "$batch".to_owned());
        let effect = effect(rng, &path_contains, token);
        faults.push(Fault { method: None, path_contains, skip: 0, times, effect });
    }
    if rng.chance(15) {
        // The first PUT may take effect, but its retry is rejected.
        let on_put = |times, effect| {
            let (method, path_contains) = (Some("PUT".to_owned()), String::new());
            Fault { method, path_contains, skip: 0, times, effect }
        };
        let denial = Effect::Answer {
            status: *rng.pick(&[400, 403, 404, 409]),
            headers: Vec::new(),
            body: String::new(),
        };
        faults = vec![on_put(Some(1 + rng.below(3) as u32), effect(rng, "", token)), on_put(None, denial)];
    }
    Options {
        faults,
        latency: milliseconds(rng, 30, 120),
        lag: milliseconds(rng, 25, 4000),
        throttle: rng
            .chance(10)
            .then(|| Throttle { requests: 2 + rng.below(12) as u32, per: Duration::from_secs(1) }),
        fail: if rng.chance(12) { *rng.pick(&[0.05, 0.1, 0.3]) } else { 0.0 },
        page_size: 1 + rng.below(4),
        seed: rng.number(),
        ..Options::default()
    }
}

fn fault(rng: &mut SeededRng, model: &TenantModel, token: &str, reads: Option<usize>) -> Fault {
    let flow = match model.flows.as_slice() {
        [] => String::new(),
        flows => segment(rng.pick::<String>(flows)),
    };
    // Most faults target a PUT or its read-back, where a wrong report is possible.
    let (target, reads) = match (reads, rng.below(20)) {
        (Some(reads), 0..10) => (Some("PUT"), reads),
        (Some(reads), 10..15) => (Some("GET"), reads),
        _ => (None, 0),
    };
    let path = match rng.below(12) {
        _ if target.is_some() => (*rng.pick(&["", "/apiConnectorConfiguration", &flow])).to_owned(),
        0..2 => String::new(),
        2..5 => "$ref".to_owned(),
        5..7 => "/apiConnectorConfiguration?".to_owned(),
        7 => "/identity/apiConnectors".to_owned(),
        8 => "UserFlows?".to_owned(),
        9 | 10 => "$batch".to_owned(),
        _ => flow.clone(),
    };
    let method = match path.as_str() {
        _ if target.is_some() => target,
        "$batch" => None,
        "/identity/apiConnectors" => Some("GET"),
        _ => *rng.pick(&[None, None, Some("GET"), Some("PUT"), Some("PUT")]),
    };
    let times = if rng.chance(75) { Some(1 + rng.below(3) as u32) } else { None };
    let before = match target {
        Some("GET") if path == flow => 1,
        Some("GET") => reads,
        _ => 0,
    };
    let skip = before + if rng.chance(60) { 0 } else { rng.below(8) };
    Fault {
        method: method.map(str::to_owned),
        skip: u32::try_from(skip).unwrap_or(u32::MAX),
        times,
        effect: effect(rng, &path, token),
        path_contains: path,
    }
}

/// Returns a flow id, percent-encoded as a path segment.
pub fn segment(flow: &str) -> String {
    let mut url = url::Url::parse("http://localhost").unwrap();
    url.path_segments_mut().unwrap().push(flow);
    url.path().trim_start_matches('/').to_owned()
}

fn effect(rng: &mut SeededRng, path: &str, token: &str) -> Effect {
    match rng.below(14) {
        0 => Effect::DropBefore,
        1 | 2 => Effect::DropAfter,
        3 | 4 => Effect::AcceptOnly,
        5 => Effect::Hang,
        6 => Effect::Truncate,
        7 | 8 => {
            // Only statuses that leave open whether the request took effect. A 429 proves that it did not.
            const STATUSES: [u16; 9] = [200, 202, 204, 408, 500, 502, 503, 504, 509];
            let (status, headers, body) = answer(rng, path, &STATUSES, token);
            Effect::AnswerAfter { status, headers, body }
        }
        9 | 10 if path == "$batch" => Effect::LoseItem,
        11 | 12 if path == "$batch" => Effect::RepeatItem,
        _ => {
            const STATUSES: [u16; 24] = [
                200, 200, 201, 203, 206, 302, 307, 302, 307, 401, 401, 403, 404, 405, 409, 400, 415, 423,
                429, 429, 501, 502, 503, 504,
            ];
            let (status, headers, body) = answer(rng, path, &STATUSES, token);
            Effect::Answer { status, headers, body }
        }
    }
}

type Answer = (u16, Vec<(String, String)>, String);

/// Generates a response with one of these statuses, for requests whose path contains `path`.
pub fn answer(rng: &mut SeededRng, path: &str, statuses: &[u16], token: &str) -> Answer {
    let status = *rng.pick(statuses);
    (status, headers(rng, status, token), body(rng, path, status, token))
}

/// `Retry-After` values that allow a retry within the time of a run.
const SHORT_RETRY_AFTER: [Option<&str>; 5] = [None, Some("0"), Some("1"), Some("1.5"), Some("2")];
const RETRYABLE: [u16; 8] = [408, 429, 429, 500, 502, 503, 504, 509];

/// Generates a fault that takes effect once, and that one retry overcomes.
pub fn transient(rng: &mut SeededRng, model: &TenantModel, token: &str, reads: Option<usize>) -> Fault {
    let mut fault = fault(rng, model, token, reads);
    fault.times = Some(1);
    fault.effect = match rng.below(10) {
        0 => Effect::DropBefore,
        1 => Effect::DropAfter,
        2 => Effect::Truncate,
        choice => {
            let status = *rng.pick(&RETRYABLE);
            let mut headers = headers(rng, status, token);
            headers.retain(|(name, _)| name != "Retry-After");
            headers.extend(
                rng.pick(&SHORT_RETRY_AFTER).map(|pause| ("Retry-After".to_owned(), pause.to_owned())),
            );
            let body = body(rng, "", status, token);
            match choice {
                3 | 4 => Effect::AnswerAfter { status, headers, body },
                _ => Effect::Answer { status, headers, body },
            }
        }
    };
    fault
}

/// Returns whether one retry overcomes the fault.
pub fn is_transient(fault: &Fault) -> bool {
    let is_transient = match &fault.effect {
        Effect::DropBefore | Effect::DropAfter | Effect::Truncate => true,
        Effect::Answer { status, headers, .. } | Effect::AnswerAfter { status, headers, .. } => {
            let pauses = headers.iter().filter(|(name, _)| name == "Retry-After");
            let mut pauses = pauses.map(|(_, pause)| pause.as_str());
            RETRYABLE.contains(status) && pauses.all(|pause| SHORT_RETRY_AFTER.contains(&Some(pause)))
        }
        _ => false,
    };
    is_transient && fault.times == Some(1)
}

/// Generates a fault that breaks a connection.
pub fn broken_connection(rng: &mut SeededRng) -> WireFault {
    match rng.below(4) {
        0 => WireFault::Reset,
        1 => WireFault::Close,
        2 => WireFault::TruncateRequest(1 + rng.below(400)),
        _ => WireFault::TruncateResponse(1 + rng.below(400)),
    }
}

/// Returns whether the fault only breaks the connection.
pub fn breaks_connection(wire_fault: &WireFault) -> bool {
    matches!(
        wire_fault,
        WireFault::Reset | WireFault::Close | WireFault::TruncateRequest(_) | WireFault::TruncateResponse(_)
    )
}

fn headers(rng: &mut SeededRng, status: u16, token: &str) -> Vec<(String, String)> {
    const TYPES: [&str; 5] =
        ["application/json", "text/html; charset=utf-8", "text/plain", "application/xml", "nonsense"];
    const PAUSES: [&str; 12] = [
        "0",
        "1",
        "1.5",
        "2",
        "-1",
        "soon",
        "",
        "99999999999999999999",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Thu, 01 Jan 1970 00:00:02 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Wed, 31 Feb 2026 25:61:61 GMT",
    ];
    const DATES: [&str; 3] =
        ["Thu, 01 Jan 1970 00:00:01 GMT", "Fri, 31 Dec 9999 23:59:58 GMT", "the day before yesterday"];
    let mut headers = vec![("Content-Type", (*rng.pick(&TYPES)).to_owned())];
    if matches!(status, 408 | 429 | 500..) && rng.chance(70) {
        headers.push(("Retry-After", (*rng.pick(&PAUSES)).to_owned()));
    }
    if rng.chance(30) {
        headers.push(("Date", (*rng.pick(&DATES)).to_owned()));
    }
    if matches!(status, 302 | 307) {
        let locations = ["http://localhost:1/beta/elsewhere?t=", "/beta/identity/apiConnectors?t=", "://"];
        headers.push(("Location", format!("{}{token}", rng.pick(&locations))));
    }
    headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Generates a body. With a success status it is never well-formed for the request.
fn body(rng: &mut SeededRng, path: &str, status: u16, token: &str) -> String {
    const STEPS: &str =
        r#"{"postFederationSignup":7,"postAttributeCollection":["x"],"preTokenIssuance":{"id":7}}"#;
    const BATCHES: [&str; 5] = [
        r#"{"responses":[]}"#,
        r#"{"responses":[{"id":"1","status":200},{"id":"2","status":200}]}"#,
        r#"{"responses":[{"id":"nobody","status":200,"body":{}}]}"#,
        r#"{"responses":[{"id":"1","status":"200","body":null},7,null]}"#,
        r#"{"responses":{"1":{"status":200}}}"#,
    ];
    const LISTS: [&str; 3] = [
        r#"{"value":[],"@odata.nextLink":"http://localhost:1/beta/identity/apiConnectors"}"#,
        r#"{"value":[{"id":"7"}]}"#,
        r#"{"value":{"id":"7"}}"#,
    ];
    if status < 300 && path == "$batch" && rng.chance(70) {
        return (*rng.pick(&BATCHES)).to_owned();
    }
    if status < 300 && path == "/identity/apiConnectors" && rng.chance(40) {
        return (*rng.pick(&LISTS)).to_owned();
    }
    // If only the values of the steps are invalid, each step must be reported separately.
    if status < 300 && rng.chance(40) {
        return STEPS.to_owned();
    }
    match rng.below(12) {
        0 => String::new(),
        1 => "null".to_owned(),
        2 => "[]".to_owned(),
        3 => "[".repeat(100_000),
        4 => r#"{"value": ["#.to_owned(),
        5 => "\u{feff}{}\u{0}".to_owned(),
        6 => STEPS.to_owned(),
        7 => format!("{{\"value\":[{}]}}", "[],".repeat(3 << 20)),
        8 => "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>".to_owned(),
        9 => format!("<html><body>you sent Bearer {token}</body></html>"),
        10 => format!(r#"{{"error":{{"code":"AADB2C","message":"you sent {token}\u001b[2J"}}}}"#),
        _ => r#"{"error":{"code":"AADB2C","message":"::error::no\nway"}}"#.to_owned(),
    }
}

/// Generates the faults of the connections, in their order.
pub fn wire_faults(rng: &mut SeededRng) -> Vec<Option<WireFault>> {
    let rate = *rng.pick(&[10, 20, 40, 80]);
    // In half of the cases the first connections are intact.
    let intact = if rng.chance(50) { rng.below(5) } else { 0 };
    (0..40).map(|at| (at >= intact && rng.chance(rate)).then(|| wire_fault(rng))).collect()
}

fn wire_fault(rng: &mut SeededRng) -> WireFault {
    match rng.below(14) {
        0 | 1 => WireFault::Reset,
        2 => WireFault::Close,
        3 => WireFault::Silent,
        4 | 5 => garbage(rng),
        6 | 7 => WireFault::TruncateRequest(1 + rng.below(1200)),
        8..12 => WireFault::TruncateResponse(1 + rng.below(1500)),
        _ => WireFault::SlowResponse(1 + rng.below(200), 1 + rng.below(25) as u64),
    }
}

/// Generates a response that is not valid HTTP.
pub fn garbage(rng: &mut SeededRng) -> WireFault {
    const GARBAGE: [&[u8]; 7] = [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"<html><body>no</body></html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"value\": [",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    ];
    WireFault::Garbage(rng.pick::<&[u8]>(&GARBAGE))
}
