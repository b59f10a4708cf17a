//! Rate limiter of one tenant: a sliding window that honors pauses, and lowers its limit to the observed
//! throughput after a 429.
//!
//! A request counts from its start until one window after its response, because the service counts it at
//! some time in between. All apps share one limit of the tenant
//! (<https://learn.microsoft.com/graph/throttling-limits>), so the first 429 shows what is left for this
//! run: the requests accepted in the last window. From there the limit is raised again in small steps.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Rate limit: at most `requests` in any window of `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Number of requests.
    pub requests: NonZeroU32,
    /// Length of the window.
    pub per: Duration,
}

/// Error of a text that is not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected N/SECONDS, both integers from 1, such as 200/60 (200 requests per 60 s)")]
pub struct InvalidRate;

impl FromStr for Rate {
    type Err = InvalidRate;

    /// Parses `N/SECONDS`: N requests per SECONDS.
    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let (requests, per) = text.split_once('/').ok_or(InvalidRate)?;
        let parse = |text: &str| text.parse::<NonZeroU32>().map_err(|_| InvalidRate);
        Ok(Self { requests: parse(requests)?, per: Duration::from_secs(parse(per)?.get().into()) })
    }
}

/// Returns `time + wait`. If the clock cannot represent it, returns a time about 136 years after `time`,
/// which is after any deadline.
pub fn saturating_add(time: Instant, wait: Duration) -> Instant {
    /// About 136 years.
    const FAR: Duration = Duration::from_secs(u32::MAX as u64);
    time.checked_add(wait).or_else(|| time.checked_add(FAR)).unwrap_or(time)
}

/// Admits requests according to the rate limit.
#[derive(Debug)]
pub(super) struct RateLimiter {
    rate: Rate,
    state: Mutex<State>,
    /// Notified when a request ended, because another one may be admitted now.
    answered: Notify,
}

#[derive(Debug, Default)]
struct State {
    in_flight: u32,
    /// Requests that ended in the last window, oldest first.
    window: VecDeque<Answered>,
    pause: Option<Pause>,
    /// Requests that the service accepts in one window, as far as known.
    limit: u32,
    /// The limit after the last 429. Its growth since then determines the size of the next step.
    limit_at_last_429: u32,
    /// The limit is not exceeded before this time.
    next_probe_at: Option<Instant>,
    /// How often in a row an attempt to exceed the limit was throttled.
    failed_probes: u32,
}

/// Requests that ended at one time.
#[derive(Debug)]
struct Answered {
    at: Instant,
    requests: u32,
    /// How many of them were accepted, i.e. not throttled.
    accepted: u32,
}

/// Pause of all requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pause {
    until: Instant,
    requested: bool,
}

/// Why a request cannot be admitted before the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LimitError {
    /// The tenant is paused beyond the deadline.
    Paused {
        /// Remaining time of the pause.
        pause: Duration,
        /// Whether it comes from `Retry-After`.
        requested: bool,
    },
    /// The observed limit admits no request in time.
    Throttled,
    /// The configured rate admits no request in time.
    RateExceeded,
}

/// Why no request is admitted now, and when to check again: at a time, or when a request ends.
type Wait = (Option<Instant>, LimitError);

/// Permit for a number of requests. Those that were sent stay in the window after it is dropped.
#[derive(Debug)]
pub(super) struct RatePermit<'a> {
    limiter: &'a RateLimiter,
    /// How many requests may be sent.
    pub(super) requests: u32,
    /// How many of them were sent, as the service counts them.
    pub(super) sent: u32,
}

impl RateLimiter {
    pub(super) fn new(rate: Rate) -> Self {
        let requests = rate.requests.get();
        let state = State { limit: requests, limit_at_last_429: requests, ..State::default() };
        Self { rate, state: Mutex::new(state), answered: Notify::new() }
    }

    /// Waits until at least one request may be sent. Returns a permit for as many as are admitted at that
    /// time, up to `most`.
    ///
    /// # Errors
    /// No request is admitted before the deadline.
    pub(super) async fn acquire(
        &self,
        most: NonZeroU32,
        deadline: Instant,
    ) -> Result<RatePermit<'_>, LimitError> {
        loop {
            // Created before the check, so that a request that ends after it is not missed.
            let answered = self.answered.notified();
            let (until, why) = match self.state().admit(self.rate, most.get(), Instant::now()) {
                Ok(requests) => return Ok(RatePermit { limiter: self, requests, sent: 0 }),
                Err(wait) => wait,
            };
            if until.is_some_and(|until| until > deadline) || Instant::now() >= deadline {
                return Err(why);
            }
            // Check again after either.
            _ = timeout_at(until.unwrap_or(deadline), answered).await;
        }
    }

    /// Records that the last `requests` were throttled: lowers the limit, and pauses all requests unless they
    /// are paused for longer. Returns true if there was no pause or if this one ends later.
    pub(super) fn record_throttling(&self, requests: u32, pause: Duration, requested: bool) -> bool {
        let mut state = self.state();
        let now = Instant::now();
        let until = saturating_add(now, pause);
        state.evict_expired(self.rate, now);
        let longer = state.pause.is_none_or(|pause| pause.until < until);
        state.pause = state.pause.max(Some(Pause { until, requested }));
        state.record_429(requests);
        let wait = pause.saturating_mul(1 << state.failed_probes.min(16)).min(self.rate.per.max(pause));
        state.next_probe_at = state.next_probe_at.max(Some(saturating_add(now, wait)));
        longer
    }

    /// Returns when the current pause ends; `None` without a pause.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.state().pause.map(|pause| pause.until).filter(|until| *until > Instant::now())
    }

    /// Returns whether the service has answered 429 before.
    pub(super) fn was_throttled(&self) -> bool {
        self.state().pause.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RatePermit<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        state.in_flight = state.in_flight.saturating_sub(self.requests);
        if self.sent > 0 {
            state.window.push_back(Answered { at: Instant::now(), requests: self.sent, accepted: self.sent });
        }
        drop(state);
        self.limiter.answered.notify_waiters();
    }
}

impl State {
    /// Admits 1 to `most` requests, counts them as in flight, and returns how many. If none is admitted,
    /// returns the reason and when to check again.
    fn admit(&mut self, rate: Rate, most: u32, now: Instant) -> Result<u32, Wait> {
        if let Some(Pause { until, requested }) = self.pause.filter(|pause| pause.until > now) {
            let pause = until.saturating_duration_since(now);
            return Err((Some(until), LimitError::Paused { pause, requested }));
        }
        self.evict_expired(rate, now);
        if self.accepted() > self.limit {
            self.limit = self.accepted();
            self.failed_probes = 0;
        }
        let free = self.window.front().map(|oldest| saturating_add(oldest.at, rate.per));
        let sent = self.sent();
        let free_slots = rate.requests.get().saturating_sub(sent);
        if free_slots == 0 {
            return Err((free, LimitError::RateExceeded));
        }
        let may_probe = self.next_probe_at.is_none_or(|after| after <= now);
        let grown = self.limit.saturating_sub(self.limit_at_last_429);
        let step = if may_probe { (grown / 4).saturating_add(1) } else { 0 };
        let admissible =
            self.limit.saturating_add(step).saturating_sub(self.in_flight.saturating_add(self.accepted()));
        if admissible == 0 {
            let next = [free, self.next_probe_at.filter(|_| !may_probe)].into_iter().flatten().min();
            return Err((next, LimitError::Throttled));
        }
        let granted = most.min(free_slots).min(admissible);
        self.in_flight = self.in_flight.saturating_add(granted);
        Ok(granted)
    }

    /// Removes requests that ended before the current window.
    fn evict_expired(&mut self, rate: Rate, now: Instant) {
        while self.window.front().is_some_and(|oldest| saturating_add(oldest.at, rate.per) <= now) {
            self.window.pop_front();
        }
    }

    /// Marks the last `requests` as throttled, newest first, and lowers the limit to the requests that were
    /// accepted or are in flight. Counts a failed probe if the limit was exceeded.
    fn record_429(&mut self, requests: u32) {
        let beyond = self.in_flight.saturating_add(self.accepted()) > self.limit_at_last_429;
        let mut left = requests;
        for answered in self.window.iter_mut().rev() {
            let throttled = answered.accepted.min(left);
            answered.accepted = answered.accepted.saturating_sub(throttled);
            left = left.saturating_sub(throttled);
        }
        // Requests in flight may still be accepted. If the service accepts nothing, one request at a time is
        // sent.
        let observed = self.in_flight.saturating_add(self.accepted()).max(1);
        let is_failed_probe = self.next_probe_at.is_some() && beyond;
        self.failed_probes = self.failed_probes.saturating_add(is_failed_probe.into());
        self.limit = self.limit.min(observed);
        self.limit_at_last_429 = self.limit;
    }

    /// Returns how many requests count for the configured rate: those in flight and those of the window.
    fn sent(&self) -> u32 {
        self.window.iter().fold(self.in_flight, |sum, answered| sum.saturating_add(answered.requests))
    }

    /// Returns how many requests of the window were accepted.
    fn accepted(&self) -> u32 {
        self.window.iter().fold(0, |sum, answered| sum.saturating_add(answered.accepted))
    }
}

#[cfg(test)]
mod tests;
