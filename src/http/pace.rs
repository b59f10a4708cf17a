//! The budget of one tenant: so many requests in so many seconds, and nobody before a pause is over.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// At most `requests` in any span of `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many requests.
    pub requests: NonZeroU32,
    /// In how long a time.
    pub per: Duration,
}

/// Lets requests out as the budget allows.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Rate,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the last requests went out, oldest first, never more than the rate's number.
    sent: VecDeque<Instant>,
    pause: Option<Pause>,
}

/// Until when nothing goes out, and whether the service asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pause {
    until: Instant,
    asked: bool,
}

/// Why a request cannot go out before the run has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooLate {
    /// The run is throttled, and the pause lasts this much longer.
    Paused {
        /// How long.
        pause: Duration,
        /// Whether the service asked for it.
        asked: bool,
    },
    /// The budget has no room in time.
    Budget,
}

impl Pace {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, state: Mutex::default() }
    }

    /// Waits until a request may go out, and counts it.
    pub(super) async fn wait(&self, deadline: Instant) -> Result<(), TooLate> {
        loop {
            let now = Instant::now();
            let (until, why) = {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                match state.admit(self.rate, now) {
                    Ok(()) => return Ok(()),
                    Err(wait) => wait,
                }
            };
            if until > deadline {
                return Err(why);
            }
            sleep_until(until).await;
        }
    }

    /// Holds everything back for a while. Gives whether it was not held back that long already.
    pub(super) fn pause(&self, pause: Duration, asked: bool) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // A pause beyond the clock's end is as good as one beyond any deadline.
        let until = now.checked_add(pause).unwrap_or_else(|| now + Duration::from_secs(u32::MAX.into()));
        let longer = state.pause.is_none_or(|pause| pause.until < until);
        state.pause = state.pause.max(Some(Pause { until, asked }));
        longer
    }
}

impl State {
    /// Counts a request that goes out now, or tells when to ask again.
    fn admit(&mut self, rate: Rate, now: Instant) -> Result<(), (Instant, TooLate)> {
        if let Some(Pause { until, asked }) = self.pause.filter(|pause| pause.until > now) {
            return Err((until, TooLate::Paused { pause: until - now, asked }));
        }
        let full = self.sent.len() >= rate.requests.get() as usize;
        if let Some(oldest) = self.sent.front().copied().filter(|_| full) {
            let free = oldest + rate.per;
            if free > now {
                return Err((free, TooLate::Budget));
            }
            self.sent.pop_front();
        }
        self.sent.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(requests: u32, seconds: u64) -> Pace {
        Pace::new(Rate { requests: NonZeroU32::new(requests).unwrap(), per: Duration::from_secs(seconds) })
    }

    async fn times(pace: &Pace, requests: usize) -> Vec<u64> {
        let start = Instant::now();
        let deadline = start + Duration::from_secs(3600);
        let mut times = Vec::new();
        for _ in 0..requests {
            pace.wait(deadline).await.unwrap();
            times.push(start.elapsed().as_secs());
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn no_span_holds_more_requests_than_the_rate() {
        assert_eq!(times(&pace(3, 10), 7).await, [0, 0, 0, 10, 10, 10, 20]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everything_and_the_longest_counts() {
        let pace = pace(9, 10);
        assert!(pace.pause(Duration::from_secs(7), true));
        assert!(!pace.pause(Duration::from_secs(3), true));
        assert_eq!(times(&pace, 2).await, [7, 7]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_go_out_in_time_is_told_at_once() {
        let pace = pace(1, 60);
        let deadline = Instant::now() + Duration::from_secs(30);
        assert_eq!(pace.wait(deadline).await, Ok(()));
        assert_eq!(pace.wait(deadline).await, Err(TooLate::Budget));
        pace.pause(Duration::MAX, true);
        assert!(matches!(pace.wait(deadline).await, Err(TooLate::Paused { asked: true, .. })));
    }
}
