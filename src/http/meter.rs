//! What a run costs: requests, exchanges, bytes and waiting; and whom a 429 holds back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::pace::Pace;

/// Counts what all tenants of a run cost together.
#[derive(Debug, Default)]
pub struct Meter {
    requests: AtomicU64,
    exchanges: AtomicU64,
    again: AtomicU64,
    bytes: AtomicU64,
    waited: Mutex<Duration>,
    paces: Mutex<Vec<Weak<Pace>>>,
}

/// What a run cost so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Requests, those in a batch one by one.
    pub requests: u64,
    /// Times that something was sent.
    pub exchanges: u64,
    /// How many of these were for something that was sent before.
    pub again: u64,
    /// How long requests were held back by a budget, a `Retry-After` or the pause before a retry: each
    /// tenant's own time, added up.
    pub waited: Duration,
    /// The bodies that were sent and received.
    pub bytes: u64,
}

impl Meter {
    /// What it counted so far.
    pub fn figures(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            requests: read(&self.requests),
            exchanges: read(&self.exchanges),
            again: read(&self.again),
            waited: *locked(&self.waited),
            bytes: read(&self.bytes),
        }
    }

    /// How many tenants a 429 holds back at the moment, and until when the last of them.
    pub fn held(&self) -> (usize, Option<Instant>) {
        let mut paces = locked(&self.paces);
        paces.retain(|pace| pace.strong_count() > 0);
        let held: Vec<_> = paces.iter().filter_map(|pace| pace.upgrade()?.held_until()).collect();
        (held.len(), held.into_iter().max())
    }

    pub(super) fn watch(&self, pace: &Arc<Pace>) {
        locked(&self.paces).push(Arc::downgrade(pace));
    }

    pub(super) fn sent(&self, requests: u32, again: bool) {
        self.requests.fetch_add(requests.into(), Ordering::Relaxed);
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        self.again.fetch_add(again.into(), Ordering::Relaxed);
    }

    /// Takes back what was counted as sent: there was no connection to send it over.
    pub(super) fn not_sent(&self, requests: u32, again: bool) {
        self.requests.fetch_sub(requests.into(), Ordering::Relaxed);
        self.exchanges.fetch_sub(1, Ordering::Relaxed);
        self.again.fetch_sub(again.into(), Ordering::Relaxed);
    }

    pub(super) fn body(&self, bytes: usize) {
        self.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// The time in which requests of one tenant wait, however many of them at once.
#[derive(Debug)]
pub(super) struct Waits {
    meter: Arc<Meter>,
    /// How many wait, and since when any does.
    waiting: Mutex<(u32, Option<Instant>)>,
}

/// One request that waits until this is dropped.
pub(super) struct Waiting<'a>(&'a Waits);

impl Waits {
    pub(super) fn new(meter: Arc<Meter>) -> Self {
        Self { meter, waiting: Mutex::default() }
    }

    pub(super) fn begin(&self) -> Waiting<'_> {
        let mut waiting = locked(&self.waiting);
        let (number, since) = *waiting;
        *waiting = (number.saturating_add(1), since.or_else(|| Some(Instant::now())));
        Waiting(self)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = locked(&self.0.waiting);
        let (number, since) = *waiting;
        *waiting = (number.saturating_sub(1), since.filter(|_| number > 1));
        if let (1, Some(since)) = (number, since) {
            let mut waited = locked(&self.0.meter.waited);
            *waited = waited.saturating_add(since.elapsed());
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_that_several_wait_at_once_counts_once() {
        let meter = Arc::new(Meter::default());
        let waits = Waits::new(Arc::clone(&meter));
        let wait = async |from, seconds| {
            tokio::time::sleep(Duration::from_secs(from)).await;
            let _waiting = waits.begin();
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        };
        tokio::join!(wait(0, 4), wait(1, 2), wait(3, 3), wait(10, 1));
        assert_eq!(meter.figures().waited, Duration::from_secs(7));
    }
}
