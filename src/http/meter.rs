//! Metrics of a run: requests, exchanges, bytes, waiting time; and which tenants are throttled.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::rate_limiter::RateLimiter;

/// Counters of all tenants of a run together.
#[derive(Debug, Default)]
pub struct Meter {
    requests: AtomicU64,
    exchanges: AtomicU64,
    retries: AtomicU64,
    bytes: AtomicU64,
    waited: Mutex<Duration>,
    limiters: Mutex<Vec<Weak<RateLimiter>>>,
}

/// Values of the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Requests; each item of a batch is one.
    pub requests: u64,
    /// HTTP requests that were sent.
    pub exchanges: u64,
    /// How many of these were retries.
    pub retries: u64,
    /// Time in which requests waited for the rate limit, a `Retry-After`, a retry or an unreachable host,
    /// summed over the tenants.
    pub waited: Duration,
    /// Bytes of the bodies that were sent and received.
    pub bytes: u64,
}

impl Meter {
    /// Returns the current values of the counters. A wait that has not ended is not counted yet.
    pub fn figures(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            requests: read(&self.requests),
            exchanges: read(&self.exchanges),
            retries: read(&self.retries),
            waited: *lock(&self.waited),
            bytes: read(&self.bytes),
        }
    }

    /// Returns how many tenants are paused by a 429 now, and when the last of these pauses ends; `None`
    /// without a pause.
    pub fn throttled(&self) -> (usize, Option<Instant>) {
        let mut limiters = lock(&self.limiters);
        limiters.retain(|limiter| limiter.strong_count() > 0);
        let paused: Vec<_> =
            limiters.iter().filter_map(|limiter| limiter.upgrade()?.paused_until()).collect();
        (paused.len(), paused.into_iter().max())
    }

    /// Adds the rate limiter of a tenant, whose pauses [`Self::throttled`] reads.
    pub(super) fn watch(&self, limiter: &Arc<RateLimiter>) {
        lock(&self.limiters).push(Arc::downgrade(limiter));
    }

    /// Counts an exchange of `requests` requests (one, or the items of a batch), and a retry if `is_retry`.
    pub(super) fn record_sent(&self, requests: u32, is_retry: bool) {
        self.requests.fetch_add(requests.into(), Ordering::Relaxed);
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        self.retries.fetch_add(is_retry.into(), Ordering::Relaxed);
    }

    /// Reverts [`Self::record_sent`] for a request that had no connection.
    pub(super) fn revert_sent(&self, requests: u32, is_retry: bool) {
        self.requests.fetch_sub(requests.into(), Ordering::Relaxed);
        self.exchanges.fetch_sub(1, Ordering::Relaxed);
        self.retries.fetch_sub(is_retry.into(), Ordering::Relaxed);
    }

    /// Counts the bytes of a body, or of a part of it, that was sent or received.
    pub(super) fn record_body(&self, bytes: usize) {
        self.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Measures the time in which any request of one tenant waits.
#[derive(Debug)]
pub(super) struct WaitTimer {
    meter: Arc<Meter>,
    /// How many requests wait, and since when at least one does.
    waiting: Mutex<(u32, Option<Instant>)>,
}

/// Guard of one waiting request.
pub(super) struct WaitGuard<'a>(&'a WaitTimer);

impl WaitTimer {
    pub(super) fn new(meter: Arc<Meter>) -> Self {
        Self { meter, waiting: Mutex::default() }
    }

    /// Counts a request as waiting until the guard is dropped. The time in which at least one request waits
    /// is added to the meter when the last one ends.
    pub(super) fn begin(&self) -> WaitGuard<'_> {
        let mut waiting = lock(&self.waiting);
        let (number, since) = *waiting;
        *waiting = (number.saturating_add(1), since.or_else(|| Some(Instant::now())));
        WaitGuard(self)
    }
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.0.waiting);
        let (number, since) = *waiting;
        *waiting = (number.saturating_sub(1), since.filter(|_| number > 1));
        if let (1, Some(since)) = (number, since) {
            let mut waited = lock(&self.0.meter.waited);
            *waited = waited.saturating_add(since.elapsed());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_in_which_several_requests_wait_counts_once() {
        let meter = Arc::new(Meter::default());
        let waits = WaitTimer::new(Arc::clone(&meter));
        let wait = async |from, seconds| {
            tokio::time::sleep(Duration::from_secs(from)).await;
            let _waiting = waits.begin();
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        };
        tokio::join!(wait(0, 4), wait(1, 2), wait(3, 3), wait(10, 1));
        assert_eq!(meter.figures().waited, Duration::from_secs(7));
    }
}
