//! What goes wrong at the service and on the way to it, by chance.
//!
//! None of it is a lie that nobody could tell: an answer that says in the service's own form that
//! nothing is bound is believed, and rightly so.

use std::time::Duration;

use flowbind::sandbox::{Effect, Fault, Options, Throttle};

use super::dice::Dice;
use super::world::World;
use crate::support::line::Kink;

/// How the service behaves to a run that reads so often before it changes anything; never where it
/// only reads.
pub fn service(dice: &mut Dice, world: &World, token: &str, reads: Option<usize>) -> Options {
    let faults = match dice.below(10) {
        0..6 => 1,
        6..9 => 2 + dice.below(2),
        _ => 6,
    };
    let milliseconds = |dice: &mut Dice, percent, most| match dice.chance(percent) {
        true => Duration::from_millis(dice.below(most) as u64),
        false => Duration::ZERO,
    };
    let mut faults: Vec<_> = (0..faults).map(|_| fault(dice, world, token, reads)).collect();
    if dice.chance(25) {
        // Batches are sent by runs that may not have many requests in flight, and by no others.
        let (times, path_contains) = (Some(1 + dice.below(3) as u32), "$batch".to_owned());
        let effect = effect(dice, &path_contains, token);
        faults.push(Fault { method: None, path_contains, skip: 0, times, effect });
    }
    if dice.chance(15) {
        // What was done is denied when it is asked for again.
        let on_put = |times, effect| {
            let (method, path_contains) = (Some("PUT".to_owned()), String::new());
            Fault { method, path_contains, skip: 0, times, effect }
        };
        let no = Effect::Answer {
            status: *dice.pick(&[400, 403, 404, 409]),
            headers: Vec::new(),
            body: String::new(),
        };
        faults = vec![on_put(Some(1 + dice.below(3) as u32), effect(dice, "", token)), on_put(None, no)];
    }
    Options {
        faults,
        latency: milliseconds(dice, 30, 120),
        lag: milliseconds(dice, 25, 4000),
        throttle: dice
            .chance(10)
            .then(|| Throttle { requests: 2 + dice.below(12) as u32, per: Duration::from_secs(1) }),
        fail: if dice.chance(12) { *dice.pick(&[0.05, 0.1, 0.3]) } else { 0.0 },
        page_size: 1 + dice.below(4),
        seed: dice.number(),
        ..Options::default()
    }
}

fn fault(dice: &mut Dice, world: &World, token: &str, reads: Option<usize>) -> Fault {
    let flow = match world.flows.as_slice() {
        [] => String::new(),
        flows => segment(dice.pick::<String>(flows)),
    };
    // Most are to strike once there is something to tell of: at a change, or at a look at it.
    let (aim, reads) = match (reads, dice.below(20)) {
        (Some(reads), 0..10) => (Some("PUT"), reads),
        (Some(reads), 10..15) => (Some("GET"), reads),
        _ => (None, 0),
    };
    let path = match dice.below(12) {
        _ if aim.is_some() => (*dice.pick(&["", "/apiConnectorConfiguration", &flow])).to_owned(),
        0..2 => String::new(),
        2..5 => "$ref".to_owned(),
        5..7 => "/apiConnectorConfiguration?".to_owned(),
        7 => "/identity/apiConnectors".to_owned(),
        8 => "UserFlows?".to_owned(),
        9 | 10 => "$batch".to_owned(),
        _ => flow.clone(),
    };
    let method = match path.as_str() {
        _ if aim.is_some() => aim,
        "$batch" => None,
        "/identity/apiConnectors" => Some("GET"),
        _ => *dice.pick(&[None, None, Some("GET"), Some("PUT"), Some("PUT")]),
    };
    let times = if dice.chance(75) { Some(1 + dice.below(3) as u32) } else { None };
    let before = match aim {
        Some("GET") if path == flow => 1,
        Some("GET") => reads,
        _ => 0,
    };
    let skip = before + if dice.chance(60) { 0 } else { dice.below(8) };
    Fault {
        method: method.map(str::to_owned),
        skip: u32::try_from(skip).unwrap_or(u32::MAX),
        times,
        effect: effect(dice, &path, token),
        path_contains: path,
    }
}

/// A flow's id as it stands in a path.
pub fn segment(flow: &str) -> String {
    let mut url = url::Url::parse("http://localhost").unwrap();
    url.path_segments_mut().unwrap().push(flow);
    url.path().trim_start_matches('/').to_owned()
}

fn effect(dice: &mut Dice, path: &str, token: &str) -> Effect {
    match dice.below(14) {
        0 => Effect::DropBefore,
        1 | 2 => Effect::DropAfter,
        3 | 4 => Effect::AcceptOnly,
        5 => Effect::Hang,
        6 => Effect::Truncate,
        7 | 8 => {
            // Only what leaves open whether anything was done, which a 429 does not.
            const STATUSES: [u16; 9] = [200, 202, 204, 408, 500, 502, 503, 504, 509];
            let (status, headers, body) = answer(dice, path, &STATUSES, token);
            Effect::AnswerAfter { status, headers, body }
        }
        9 | 10 if path == "$batch" => Effect::LoseItem,
        11 | 12 if path == "$batch" => Effect::RepeatItem,
        _ => {
            const STATUSES: [u16; 24] = [
                200, 200, 201, 203, 206, 302, 307, 302, 307, 401, 401, 403, 404, 405, 409, 400, 415, 423,
                429, 429, 501, 502, 503, 504,
            ];
            let (status, headers, body) = answer(dice, path, &STATUSES, token);
            Effect::Answer { status, headers, body }
        }
    }
}

type Answer = (u16, Vec<(String, String)>, String);

/// An answer with one of these statuses to a request whose path contains this.
pub fn answer(dice: &mut Dice, path: &str, statuses: &[u16], token: &str) -> Answer {
    let status = *dice.pick(statuses);
    (status, headers(dice, status, token), body(dice, path, status, token))
}

/// What tells a client to come again soon.
const SOON: [Option<&str>; 5] = [None, Some("0"), Some("1"), Some("1.5"), Some("2")];
const AGAIN: [u16; 8] = [408, 429, 429, 500, 502, 503, 504, 509];

/// A fault that strikes once, and that asking again gets over.
pub fn passing(dice: &mut Dice, world: &World, token: &str, reads: Option<usize>) -> Fault {
    let mut fault = fault(dice, world, token, reads);
    fault.times = Some(1);
    fault.effect = match dice.below(10) {
        0 => Effect::DropBefore,
        1 => Effect::DropAfter,
        2 => Effect::Truncate,
        kind => {
            let status = *dice.pick(&AGAIN);
            let mut headers = headers(dice, status, token);
            headers.retain(|(name, _)| name != "Retry-After");
            headers.extend(dice.pick(&SOON).map(|pause| ("Retry-After".to_owned(), pause.to_owned())));
            let body = body(dice, "", status, token);
            match kind {
                3 | 4 => Effect::AnswerAfter { status, headers, body },
                _ => Effect::Answer { status, headers, body },
            }
        }
    };
    fault
}

/// Whether a fault is one that asking again gets over.
pub fn passes(fault: &Fault) -> bool {
    let passes = match &fault.effect {
        Effect::DropBefore | Effect::DropAfter | Effect::Truncate => true,
        Effect::Answer { status, headers, .. } | Effect::AnswerAfter { status, headers, .. } => {
            let pauses = headers.iter().filter(|(name, _)| name == "Retry-After");
            let mut pauses = pauses.map(|(_, pause)| pause.as_str());
            AGAIN.contains(status) && pauses.all(|pause| SOON.contains(&Some(pause)))
        }
        _ => false,
    };
    passes && fault.times == Some(1)
}

/// A connection that breaks.
pub fn broken_connection(dice: &mut Dice) -> Kink {
    match dice.below(4) {
        0 => Kink::Reset,
        1 => Kink::Close,
        2 => Kink::TearRequest(1 + dice.below(400)),
        _ => Kink::TearAnswer(1 + dice.below(400)),
    }
}

/// Whether a connection just breaks.
pub fn breaks(kink: &Kink) -> bool {
    matches!(kink, Kink::Reset | Kink::Close | Kink::TearRequest(_) | Kink::TearAnswer(_))
}

fn headers(dice: &mut Dice, status: u16, token: &str) -> Vec<(String, String)> {
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
    let mut headers = vec![("Content-Type", (*dice.pick(&TYPES)).to_owned())];
    if matches!(status, 408 | 429 | 500..) && dice.chance(70) {
        headers.push(("Retry-After", (*dice.pick(&PAUSES)).to_owned()));
    }
    if dice.chance(30) {
        headers.push(("Date", (*dice.pick(&DATES)).to_owned()));
    }
    if matches!(status, 302 | 307) {
        let places = ["http://localhost:1/beta/elsewhere?t=", "/beta/identity/apiConnectors?t=", "://"];
        headers.push(("Location", format!("{}{token}", dice.pick(&places))));
    }
    headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A body of any kind; with a success none that makes sense.
fn body(dice: &mut Dice, path: &str, status: u16, token: &str) -> String {
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
    if status < 300 && path == "$batch" && dice.chance(70) {
        return (*dice.pick(&BATCHES)).to_owned();
    }
    if status < 300 && path == "/identity/apiConnectors" && dice.chance(40) {
        return (*dice.pick(&LISTS)).to_owned();
    }
    // Of an answer that is good but for what a step has, each step is to be told by itself.
    if status < 300 && dice.chance(40) {
        return STEPS.to_owned();
    }
    match dice.below(12) {
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

/// What is wrong with the connections to come.
pub fn kinks(dice: &mut Dice) -> Vec<Option<Kink>> {
    let rate = *dice.pick(&[10, 20, 40, 80]);
    // Often the first connections are good, and those after them are not.
    let good = if dice.chance(50) { dice.below(5) } else { 0 };
    (0..40).map(|at| (at >= good && dice.chance(rate)).then(|| kink(dice))).collect()
}

fn kink(dice: &mut Dice) -> Kink {
    match dice.below(14) {
        0 | 1 => Kink::Reset,
        2 => Kink::Close,
        3 => Kink::Silent,
        4 | 5 => rubbish(dice),
        6 | 7 => Kink::TearRequest(1 + dice.below(1200)),
        8..12 => Kink::TearAnswer(1 + dice.below(1500)),
        _ => Kink::Drip(1 + dice.below(200), 1 + dice.below(25) as u64),
    }
}

pub fn rubbish(dice: &mut Dice) -> Kink {
    const RUBBISH: [&[u8]; 7] = [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"<html><body>no</body></html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"value\": [",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    ];
    Kink::Rubbish(dice.pick::<&[u8]>(&RUBBISH))
}
