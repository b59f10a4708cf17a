//! Retry policy and `Retry-After`.

use std::time::{Duration, SystemTime};

use flowbind::http::retry::{AttemptResult, Decision, Policy, parse_retry_after};

/// Checks the retry decision. The lines of the input are `Retry-After`, `Date`, the status, the number of
/// the attempt and the jitter in thousandths.
pub fn retry(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (value, date) = (line(), line());
    let now = httpdate::parse_http_date(date).unwrap_or(SystemTime::UNIX_EPOCH);
    let pause = parse_retry_after(value, now);
    assert_retry_after(value.trim(), now, pause);
    let status = line().parse().unwrap_or(429);
    // The first attempt is number 1.
    let attempt = line().parse().unwrap_or(1).max(1);
    let jitter = f64::from(line().parse::<u16>().unwrap_or_default().min(999)) / 1000.0;
    let policy = Policy::default();
    for requested in [pause, None] {
        assert_next(
            &policy,
            attempt,
            status,
            requested,
            policy.next(attempt, AttemptResult::Answered(status, requested), jitter),
        );
    }
    if let Decision::PauseAll(_) = policy.next(attempt, AttemptResult::Broken, jitter) {
        panic!("a broken connection is not a rate limit");
    }
}

fn assert_retry_after(value: &str, now: SystemTime, requested: Option<Duration>) {
    if (1..=15).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit()) {
        assert_eq!(requested, value.parse().ok().map(Duration::from_secs), "{value}");
    } else if let Ok(date) = httpdate::parse_http_date(value) {
        // The pause ends at the date, or at once if the date has passed.
        assert_eq!(requested.map(|requested| now + requested), Some(date.max(now)), "{value}");
    }
}

fn assert_next(policy: &Policy, attempt: u32, status: u16, requested: Option<Duration>, next: Decision) {
    let throttled = status == 429;
    let transient = throttled || [408, 500, 502, 503, 504, 509].contains(&status);
    let must_stop = !transient || !throttled && attempt >= policy.max_attempts;
    let pause = match next {
        Decision::Stop => return assert!(must_stop, "{status} after {attempt}"),
        Decision::Retry(pause) => pause,
        Decision::PauseAll(pause) => pause,
    };
    assert!(!must_stop && matches!(next, Decision::PauseAll(_)) == throttled, "{status} after {attempt}");
    match requested {
        // The first retry follows `Retry-After`; later ones do if it is long enough to avoid a tight loop.
        Some(requested) if attempt == 1 || requested >= policy.base / 10 => assert_eq!(pause, requested),
        requested => {
            let requested = requested.unwrap_or_default();
            assert!(pause >= requested.max(policy.base / 2), "{pause:?}, requested {requested:?}");
            assert!(pause <= requested.max(policy.longest), "{pause:?}, requested {requested:?}");
        }
    }
}
