//! Whether and when a request is sent again. Pure: it is told the time and rolls no dice.
//!
//! GET and the PUT of a reference are idempotent, which is why both may be sent again.

use std::time::{Duration, SystemTime};

/// How long a request is tried.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// The first pause where the service names none; each further one is twice as long.
    pub base: Duration,
    /// The longest such pause.
    pub longest: Duration,
    /// How often a request is sent that fails for another reason than throttling.
    pub max_attempts: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { base: Duration::from_secs(1), longest: Duration::from_secs(30), max_attempts: 8 }
    }
}

/// What came of one attempt.
#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    /// An answer with this status, and what its `Retry-After` asks for.
    Answered(u16, Option<Duration>),
    /// No answer, or half of one.
    Broken,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the outcome stands.
    Stop,
    /// Send it again after this pause.
    Again(Duration),
    /// Throttled: no request of this tenant goes out before this pause is over.
    PauseAll(Duration),
}

impl Policy {
    /// Decides after the attempt of that number, counted from 1: of those that were throttled where this
    /// one was, else of the others. `jitter` lies in 0..1 and spreads pauses that the service did not name
    /// over their second half.
    ///
    /// Statuses after <https://learn.microsoft.com/graph/errors>; pauses after
    /// <https://learn.microsoft.com/graph/throttling>.
    pub fn next(&self, attempt: u32, outcome: Outcome, jitter: f64) -> Next {
        let (status, asked) = match outcome {
            Outcome::Answered(status, asked) => (Some(status), asked),
            Outcome::Broken => (None, None),
        };
        let throttled = status == Some(429);
        let transient = matches!(status, None | Some(408 | 429 | 500 | 502 | 503 | 504 | 509));
        if !transient || (!throttled && attempt >= self.max_attempts) {
            return Next::Stop;
        }
        // A service that asks for next to no pause again and again is not to be asked in a tight loop.
        let backoff = self.backoff(attempt, jitter);
        let pause = match asked {
            Some(asked) if attempt == 1 || asked.saturating_mul(10) >= self.base => asked,
            Some(asked) => asked.max(backoff),
            None => backoff,
        };
        if throttled { Next::PauseAll(pause) } else { Next::Again(pause) }
    }

    fn backoff(&self, attempt: u32, jitter: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(16);
        let full = self.base.saturating_mul(1 << doublings).min(self.longest);
        full.div_f64(2.0).saturating_add(full.div_f64(2.0).mul_f64(jitter.clamp(0.0, 1.0)))
    }
}

/// Reads a `Retry-After`: seconds, seconds with decimals, or a date (measured from `now`).
/// `None` where it is neither. One that is over is no pause.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
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

    fn next(attempt: u32, outcome: Outcome) -> Next {
        Policy::default().next(attempt, outcome, 1.0)
    }

    #[test]
    fn only_what_may_pass_by_itself_is_sent_again() {
        for status in 100..600 {
            let again = next(1, Outcome::Answered(status, None)) != Next::Stop;
            assert_eq!(again, [408, 429, 500, 502, 503, 504, 509].contains(&status), "{status}");
        }
        assert_ne!(next(1, Outcome::Broken), Next::Stop);
    }

    #[test]
    fn a_pause_that_the_service_names_is_kept_and_a_429_holds_everything() {
        let asked = Some(Duration::from_millis(2128));
        assert_eq!(next(1, Outcome::Answered(429, asked)), Next::PauseAll(Duration::from_millis(2128)));
        assert_eq!(next(1, Outcome::Answered(503, asked)), Next::Again(Duration::from_millis(2128)));
    }

    #[test]
    fn a_service_that_asks_for_no_pause_again_gets_one_all_the_same() {
        let half = Some(Duration::from_millis(500));
        assert_eq!(next(3, Outcome::Answered(429, half)), Next::PauseAll(Duration::from_millis(500)));
        let none = Some(Duration::ZERO);
        assert_eq!(next(1, Outcome::Answered(503, none)), Next::Again(Duration::ZERO));
        assert_eq!(next(3, Outcome::Answered(503, none)), Next::Again(Duration::from_secs(4)));
        assert_eq!(next(3, Outcome::Answered(429, none)), Next::PauseAll(Duration::from_secs(4)));
    }

    #[test]
    fn else_pauses_double_up_to_the_longest_and_attempts_end() {
        let seconds: Vec<_> = (1..=8).map(|attempt| next(attempt, Outcome::Broken)).collect();
        let pause = |seconds| Next::Again(Duration::from_secs(seconds));
        let expected = [1, 2, 4, 8, 16, 30, 30].map(pause);
        assert_eq!(seconds, [&expected[..], &[Next::Stop]].concat());
        let least = Policy::default().next(1, Outcome::Broken, 0.0);
        assert_eq!(least, Next::Again(Duration::from_millis(500)));
    }

    #[test]
    fn throttling_has_no_last_attempt() {
        assert_eq!(next(1_000, Outcome::Answered(429, None)), Next::PauseAll(Duration::from_secs(30)));
    }

    #[test]
    fn retry_after_is_seconds_decimals_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let read = |value| retry_after(value, now);
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
