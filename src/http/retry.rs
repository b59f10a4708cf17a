//! Retry decisions. Pure functions: time and randomness are arguments.
//!
//! GET and the PUT of a reference are idempotent, so both may be retried.

use std::time::{Duration, SystemTime};

/// Retry policy of a client.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// The first pause without `Retry-After`. Each further pause is twice as long.
    pub base: Duration,
    /// The longest such pause.
    pub longest: Duration,
    /// Maximum attempts of a request, not counting throttled ones.
    pub max_attempts: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { base: Duration::from_secs(1), longest: Duration::from_secs(30), max_attempts: 8 }
    }
}

/// Result of one attempt.
#[derive(Debug, Clone, Copy)]
pub enum AttemptResult {
    /// A response with this status and `Retry-After`.
    Answered(u16, Option<Duration>),
    /// No response, or an incomplete one.
    Broken,
}

/// What to do after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Do not retry.
    Stop,
    /// Retry after this pause.
    Retry(Duration),
    /// Throttled: send no request of this tenant before this pause is over.
    PauseAll(Duration),
}

impl Policy {
    /// Returns whether to retry after an attempt, and the pause. Retried are 408, 429, 500, 502, 503, 504,
    /// 509 and a missing response, up to the maximum of attempts, which a 429 does not have. `attempt` counts
    /// from 1: throttled attempts if this one was throttled, else the others. `jitter` is in 0..1 and spreads
    /// our own pauses over their second half.
    ///
    /// Statuses after <https://learn.microsoft.com/graph/errors>; pauses after
    /// <https://learn.microsoft.com/graph/throttling>.
    pub fn next(&self, attempt: u32, result: AttemptResult, jitter: f64) -> Decision {
        let (status, requested) = match result {
            AttemptResult::Answered(status, requested) => (Some(status), requested),
            AttemptResult::Broken => (None, None),
        };
        let throttled = status == Some(429);
        let transient = matches!(status, None | Some(408 | 429 | 500 | 502 | 503 | 504 | 509));
        if !transient || (!throttled && attempt >= self.max_attempts) {
            return Decision::Stop;
        }
        // A `Retry-After` near zero, repeated, must not make us poll in a tight loop.
        let backoff = self.backoff(attempt, jitter);
        let pause = match requested {
            Some(requested) if attempt == 1 || requested.saturating_mul(10) >= self.base => requested,
            Some(requested) => requested.max(backoff),
            None => backoff,
        };
        if throttled { Decision::PauseAll(pause) } else { Decision::Retry(pause) }
    }

    fn backoff(&self, attempt: u32, jitter: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(16);
        let full = self.base.saturating_mul(1 << doublings).min(self.longest);
        full.div_f64(2.0).saturating_add(full.div_f64(2.0).mul_f64(jitter.clamp(0.0, 1.0)))
    }
}

/// Parses a `Retry-After`: seconds, seconds with decimals, or a date relative to `now`. A date in the past is
/// a pause of zero. Returns `None` for anything else.
pub fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let decimal = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if decimal {
        let seconds = value.parse::<f64>().ok()?;
        return Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(attempt: u32, result: AttemptResult) -> Decision {
        Policy::default().next(attempt, result, 1.0)
    }

    #[test]
    fn only_transient_results_are_retried() {
        for status in 100..600 {
            let is_retried = next(1, AttemptResult::Answered(status, None)) != Decision::Stop;
            assert_eq!(is_retried, [408, 429, 500, 502, 503, 504, 509].contains(&status), "{status}");
        }
        assert_ne!(next(1, AttemptResult::Broken), Decision::Stop);
    }

    #[test]
    fn retry_after_is_honored_and_a_429_pauses_all_requests() {
        let requested = Some(Duration::from_millis(2128));
        assert_eq!(
            next(1, AttemptResult::Answered(429, requested)),
            Decision::PauseAll(Duration::from_millis(2128))
        );
        assert_eq!(
            next(1, AttemptResult::Answered(503, requested)),
            Decision::Retry(Duration::from_millis(2128))
        );
    }

    #[test]
    fn repeated_retry_after_of_zero_is_replaced_by_the_backoff() {
        let half = Some(Duration::from_millis(500));
        assert_eq!(
            next(3, AttemptResult::Answered(429, half)),
            Decision::PauseAll(Duration::from_millis(500))
        );
        let none = Some(Duration::ZERO);
        assert_eq!(next(1, AttemptResult::Answered(503, none)), Decision::Retry(Duration::ZERO));
        assert_eq!(next(3, AttemptResult::Answered(503, none)), Decision::Retry(Duration::from_secs(4)));
        assert_eq!(next(3, AttemptResult::Answered(429, none)), Decision::PauseAll(Duration::from_secs(4)));
    }

    #[test]
    fn backoff_doubles_up_to_the_longest_pause_and_attempts_end() {
        let seconds: Vec<_> = (1..=8).map(|attempt| next(attempt, AttemptResult::Broken)).collect();
        let pause = |seconds| Decision::Retry(Duration::from_secs(seconds));
        let expected = [1, 2, 4, 8, 16, 30, 30].map(pause);
        assert_eq!(seconds, [&expected[..], &[Decision::Stop]].concat());
        let least = Policy::default().next(1, AttemptResult::Broken, 0.0);
        assert_eq!(least, Decision::Retry(Duration::from_millis(500)));
    }

    #[test]
    fn throttled_attempts_have_no_maximum() {
        assert_eq!(
            next(1_000, AttemptResult::Answered(429, None)),
            Decision::PauseAll(Duration::from_secs(30))
        );
    }

    #[test]
    fn retry_after_is_parsed_as_seconds_decimals_or_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let read = |value| parse_retry_after(value, now);
        assert_eq!(read("10"), Some(Duration::from_secs(10)));
        assert_eq!(read(" 2.128 "), Some(Duration::from_millis(2128)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:07 GMT"), Some(Duration::ZERO));
        assert_eq!(read("99999999999999999999999"), Some(Duration::MAX));
        for odd in ["", "-1", "soon", "1e3", "NaN", ".", "1.2.3", "0x10"] {
            assert_eq!(read(odd), None, "{odd:?}");
        }
    }
}
