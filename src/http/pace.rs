//! The budget of one tenant: so many requests in so many seconds, nobody before a pause is over, and
//! after a 429 no more than the service was seen to take.
//!
//! A request counts from when it begins until a span after its answer: when exactly the service
//! counts it lies in between. Others may use up what the service gives all apps together
//! (<https://learn.microsoft.com/graph/throttling-limits>), so the first 429 tells the true limit:
//! what was taken in the last span. From there the limit is tried upward again, in small steps.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// At most `requests` in any span of `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many requests.
    pub requests: NonZeroU32,
    /// In how long a time.
    pub per: Duration,
}

/// The time so long after another. One beyond the clock's end is as good as one beyond any deadline.
pub fn later(time: Instant, wait: Duration) -> Instant {
    /// Some 136 years.
    const FAR: Duration = Duration::from_secs(u32::MAX as u64);
    time.checked_add(wait).or_else(|| time.checked_add(FAR)).unwrap_or(time)
}

/// Lets requests out as the budget allows.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Rate,
    state: Mutex<State>,
    /// Told when something was answered: there may be room now.
    answered: Notify,
}

#[derive(Debug)]
struct State {
    in_flight: u32,
    /// What was answered in the last span, oldest first.
    lately: VecDeque<Answered>,
    pause: Option<Pause>,
    /// How many requests the service takes in a span, as far as is known.
    limit: u32,
    /// What the limit was after the last 429: how much it grew since then tells how bold the next
    /// step may be.
    refused_at: u32,
    /// The limit is not tried before then.
    try_after: Option<Instant>,
    /// How many times in a row the limit was tried in vain.
    in_vain: u32,
}

/// Requests that were answered at one time.
#[derive(Debug)]
struct Answered {
    at: Instant,
    requests: u32,
    /// How many of them were not throttled.
    taken: u32,
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
    /// The service takes no more in time.
    Throttled,
    /// The budget has no room in time.
    Budget,
}

/// Why nothing may go out now, and when to ask again; without a time as soon as something is answered.
type Wait = (Option<Instant>, TooLate);

/// Room for a number of requests that go out now. Those that were sent count as answered when it is
/// dropped.
#[derive(Debug)]
pub(super) struct Room<'a> {
    pace: &'a Pace,
    requests: u32,
    /// How many of them were sent, as the service counts.
    sent: u32,
}

impl Pace {
    pub(super) fn new(rate: Rate) -> Self {
        let requests = rate.requests.get();
        let state = State {
            in_flight: 0,
            lately: VecDeque::new(),
            pause: None,
            limit: requests,
            refused_at: requests,
            try_after: None,
            in_vain: 0,
        };
        Self { rate, state: Mutex::new(state), answered: Notify::new() }
    }

    /// Waits until one request may go out, or more, up to `most`.
    pub(super) async fn room(&self, most: NonZeroU32, deadline: Instant) -> Result<Room<'_>, TooLate> {
        loop {
            // Before the look, so that no answer is missed after it.
            let answered = self.answered.notified();
            let (until, why) = match self.state().admit(self.rate, most.get(), Instant::now()) {
                Ok(requests) => return Ok(Room { pace: self, requests, sent: 0 }),
                Err(wait) => wait,
            };
            if until.is_some_and(|until| until > deadline) || Instant::now() >= deadline {
                return Err(why);
            }
            // Either way it is time to look again.
            _ = timeout_at(until.unwrap_or(deadline), answered).await;
        }
    }

    /// Takes note that so many of the requests answered last were throttled, and holds everything back
    /// for as long as the pause. Gives whether it was not held back that long already.
    pub(super) fn throttled(&self, requests: u32, pause: Duration, asked: bool) -> bool {
        let mut state = self.state();
        let now = Instant::now();
        let until = later(now, pause);
        state.forget(self.rate, now);
        let longer = state.pause.is_none_or(|pause| pause.until < until);
        state.pause = state.pause.max(Some(Pause { until, asked }));
        state.refuse(requests);
        let patience = pause.saturating_mul(1 << state.in_vain.min(16)).min(self.rate.per.max(pause));
        state.try_after = state.try_after.max(Some(later(now, patience)));
        longer
    }

    /// Until when everything is held back because of a 429.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.state().pause.map(|pause| pause.until).filter(|until| *until > Instant::now())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room<'_> {
    /// How many requests may go out.
    pub(super) fn requests(&self) -> u32 {
        self.requests
    }

    /// Counts them all.
    pub(super) fn sent(&mut self) {
        self.sent = self.requests;
    }

    /// Counts none of them: there was no connection to send them over.
    pub(super) fn not_sent(&mut self) {
        self.sent = 0;
    }

    /// Counts them as one: the service did not look into what held them.
    pub(super) fn sent_as_one(&mut self) {
        self.sent = 1;
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut state = self.pace.state();
        state.in_flight = state.in_flight.saturating_sub(self.requests);
        if self.sent > 0 {
            state.lately.push_back(Answered { at: Instant::now(), requests: self.sent, taken: self.sent });
        }
        drop(state);
        self.pace.answered.notify_waiters();
    }
}

impl State {
    /// Counts requests that go out now, at most so many. Gives how many, or when to ask again.
    fn admit(&mut self, rate: Rate, most: u32, now: Instant) -> Result<u32, Wait> {
        if let Some(Pause { until, asked }) = self.pause.filter(|pause| pause.until > now) {
            return Err((
                Some(until),
                TooLate::Paused { pause: until.saturating_duration_since(now), asked },
            ));
        }
        self.forget(rate, now);
        if self.taken() > self.limit {
            self.limit = self.taken();
            self.in_vain = 0;
        }
        let free = self.lately.front().map(|oldest| later(oldest.at, rate.per));
        let sent = self.sent();
        let room = rate.requests.get().saturating_sub(sent);
        if room == 0 {
            return Err((free, TooLate::Budget));
        }
        let may_try = self.try_after.is_none_or(|after| after <= now);
        let grown = self.limit.saturating_sub(self.refused_at);
        let step = if may_try { (grown / 4).saturating_add(1) } else { 0 };
        let known =
            self.limit.saturating_add(step).saturating_sub(self.in_flight.saturating_add(self.taken()));
        if known == 0 {
            let next = [free, self.try_after.filter(|_| !may_try)].into_iter().flatten().min();
            return Err((next, TooLate::Throttled));
        }
        let granted = most.min(room).min(known);
        self.in_flight = self.in_flight.saturating_add(granted);
        Ok(granted)
    }

    /// Forgets what was answered before the last span.
    fn forget(&mut self, rate: Rate, now: Instant) {
        while self.lately.front().is_some_and(|oldest| later(oldest.at, rate.per) <= now) {
            self.lately.pop_front();
        }
    }

    /// Takes back that requests were taken, those answered last first.
    fn refuse(&mut self, requests: u32) {
        let beyond = self.in_flight.saturating_add(self.taken()) > self.refused_at;
        let mut left = requests;
        for answered in self.lately.iter_mut().rev() {
            let refused = answered.taken.min(left);
            answered.taken = answered.taken.saturating_sub(refused);
            left = left.saturating_sub(refused);
        }
        // What is still in flight may yet be taken. A service that takes nothing at all is asked for
        // one thing at a time.
        let known = self.in_flight.saturating_add(self.taken()).max(1);
        let tried = self.try_after.is_some() && beyond;
        self.in_vain = if tried { self.in_vain.saturating_add(1) } else { self.in_vain };
        self.limit = self.limit.min(known);
        self.refused_at = self.limit;
    }

    /// How many requests count for the budget.
    fn sent(&self) -> u32 {
        self.lately.iter().fold(self.in_flight, |sum, answered| sum.saturating_add(answered.requests))
    }

    /// How many requests were answered lately and not throttled.
    fn taken(&self) -> u32 {
        self.lately.iter().fold(0, |sum, answered| sum.saturating_add(answered.taken))
    }
}

#[cfg(test)]
mod tests;
