//! Rate limit: a maximum number of requests in a sliding time window.
//!
//! Admits requests. It must not read a clock or render responses. Throttled requests do not count
//! against the limit. Graph is stricter: it also counts requests that are retried too early
//! (<https://learn.microsoft.com/graph/throttling>).

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

/// Rate limit of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// Maximum number of requests within any period of length `per`.
    pub requests: u32,
    /// Length of the window.
    pub per: Duration,
}

/// Requests admitted within the current window.
#[derive(Debug)]
pub(super) struct SlidingWindow {
    throttle: Option<Throttle>,
    /// Admission times of the requests in the window, oldest first.
    admitted: VecDeque<Timestamp>,
}

impl SlidingWindow {
    /// Creates an empty window. Without a throttle, every request is admitted.
    pub(super) fn new(throttle: Option<Throttle>) -> Self {
        Self { throttle, admitted: VecDeque::new() }
    }

    /// Admits a request, or returns the seconds until the next one can be admitted, rounded up. A
    /// rejected request does not count against the limit.
    pub(super) fn admit(&mut self, now: Timestamp) -> Result<(), u64> {
        let Some(Throttle { requests, per }) = self.throttle else {
            return Ok(());
        };
        let age = |at: &Timestamp| now.duration_since(*at).unsigned_abs();
        while self.admitted.front().is_some_and(|oldest| age(oldest) >= per) {
            self.admitted.pop_front();
        }
        if self.admitted.len() < usize::try_from(requests).unwrap_or(usize::MAX) {
            self.admitted.push_back(now);
            return Ok(());
        }
        let wait = per.saturating_sub(self.admitted.front().map_or(Duration::ZERO, age));
        Err(wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admissions(throttle: Option<Throttle>, milliseconds: &[i64]) -> Vec<Result<(), u64>> {
        let mut window = SlidingWindow::new(throttle);
        let at = |ms: &i64| Timestamp::from_millisecond(*ms).unwrap();
        milliseconds.iter().map(|ms| window.admit(at(ms))).collect()
    }

    #[test]
    fn admit_beyond_the_limit_returns_the_seconds_to_wait() {
        let throttle = Some(Throttle { requests: 2, per: Duration::from_secs(10) });
        let times = [0, 4_000, 4_500, 9_500, 10_000, 10_001, 14_000];
        let expected = [Ok(()), Ok(()), Err(6), Err(1), Ok(()), Err(4), Ok(())];
        assert_eq!(admissions(throttle, &times), expected);
    }

    #[test]
    fn admit_without_a_limit_accepts_and_with_zero_rejects() {
        assert_eq!(admissions(None, &[0, 0]), [Ok(()), Ok(())]);
        let none = Throttle { requests: 0, per: Duration::from_millis(2_500) };
        assert_eq!(admissions(Some(none), &[0, 9_000]), [Err(3), Err(3)]);
    }
}
