//! What a service asks for before a request is sent again.

use std::time::{Duration, SystemTime};

use flowbind::http::retry::{AttemptResult, Decision, Policy, parse_retry_after};

/// Lines: a `Retry-After`, the `Date` of the answer, its status, the number of the attempt, and how
/// the dice fell, in thousandths.
pub fn retry(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (value, date) = (line(), line());
    let now = httpdate::parse_http_date(date).unwrap_or(SystemTime::UNIX_EPOCH);
    let asked = parse_retry_after(value, now);
    assert_asked(value.trim(), now, asked);
    let status = line().parse().unwrap_or(429);
    // The first attempt is number 1.
    let attempt = line().parse().unwrap_or(1).max(1);
    let jitter = f64::from(line().parse::<u16>().unwrap_or_default().min(999)) / 1000.0;
    let policy = Policy::default();
    for asked in [asked, None] {
        assert_next(
            &policy,
            attempt,
            status,
            asked,
            policy.next(attempt, AttemptResult::Answered(status, asked), jitter),
        );
    }
    if let Decision::PauseAll(_) = policy.next(attempt, AttemptResult::Broken, jitter) {
        panic!("nothing throttles");
    }
}

fn assert_asked(value: &str, now: SystemTime, asked: Option<Duration>) {
    if (1..=15).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit()) {
        assert_eq!(asked, value.parse().ok().map(Duration::from_secs), "{value}");
    } else if let Ok(date) = httpdate::parse_http_date(value) {
        // Measured by a clock that is right, the pause ends then, or is over.
        assert_eq!(asked.map(|asked| now + asked), Some(date.max(now)), "{value}");
    }
}

fn assert_next(policy: &Policy, attempt: u32, status: u16, asked: Option<Duration>, next: Decision) {
    let throttled = status == 429;
    let transient = throttled || [408, 500, 502, 503, 504, 509].contains(&status);
    let over = !transient || !throttled && attempt >= policy.max_attempts;
    let pause = match next {
        Decision::Stop => return assert!(over, "{status} after {attempt}"),
        Decision::Retry(pause) => pause,
        Decision::PauseAll(pause) => pause,
    };
    assert!(!over && matches!(next, Decision::PauseAll(_)) == throttled, "{status} after {attempt}");
    match asked {
        // The first time it is as asked, and later where that keeps from asking in a tight loop.
        Some(asked) if attempt == 1 || asked >= policy.base / 10 => assert_eq!(pause, asked),
        asked => {
            let asked = asked.unwrap_or_default();
            assert!(pause >= asked.max(policy.base / 2), "{pause:?}, asked for {asked:?}");
            assert!(pause <= asked.max(policy.longest), "{pause:?}, asked for {asked:?}");
        }
    }
}
