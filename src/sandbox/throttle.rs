//! The budget of requests: so many in a sliding window of time.
//!
//! Owns who is let in; it must not read a clock or render answers. One that is turned away takes no
//! room, which is kinder than Graph: there those who come again at once go on counting
//! (<https://learn.microsoft.com/graph/throttling>).

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

/// A budget of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// How many requests are served within any span of `per`.
    pub requests: u32,
    /// The length of the window.
    pub per: Duration,
}

/// The requests that a budget has let in lately.
#[derive(Debug)]
pub(super) struct Window {
    throttle: Option<Throttle>,
    /// When each request in the window was let in, the oldest first.
    admitted: VecDeque<Timestamp>,
}

impl Window {
    /// Begins with an empty window; without a throttle everything is let in.
    pub(super) fn new(throttle: Option<Throttle>) -> Self {
        Self { throttle, admitted: VecDeque::new() }
    }

    /// Lets a request in, or gives the whole seconds until there is room again. A request that
    /// is turned away takes no room.
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
        Err(whole_seconds(wait).max(1))
    }
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admissions(throttle: Option<Throttle>, milliseconds: &[i64]) -> Vec<Result<(), u64>> {
        let mut window = Window::new(throttle);
        let at = |ms: &i64| Timestamp::from_millisecond(*ms).unwrap();
        milliseconds.iter().map(|ms| window.admit(at(ms))).collect()
    }

    #[test]
    fn the_window_slides() {
        let throttle = Some(Throttle { requests: 2, per: Duration::from_secs(10) });
        let asked = [0, 4_000, 4_500, 9_500, 10_000, 10_001, 14_000];
        let expected = [Ok(()), Ok(()), Err(6), Err(1), Ok(()), Err(4), Ok(())];
        assert_eq!(admissions(throttle, &asked), expected);
    }

    #[test]
    fn no_budget_lets_all_in_and_an_empty_one_nobody() {
        assert_eq!(admissions(None, &[0, 0]), [Ok(()), Ok(())]);
        let none = Throttle { requests: 0, per: Duration::from_millis(2_500) };
        assert_eq!(admissions(Some(none), &[0, 9_000]), [Err(3), Err(3)]);
    }
}
