//! Limits of the requests of one tenant: concurrency, rate, pauses, deadline and shutdown.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{info, warn};

use super::message::{Request, RetryBudget, SendErrorKind};
use super::meter::{Meter, WaitTimer};
use super::rate_limiter::{LimitError, Rate, RateLimiter, RatePermit, saturating_add};
use super::retry::{AttemptResult, Decision, Policy};
use super::stop::{Halt, Stop, StopStage, halted, stopped};

/// Settings of a client.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Maximum requests in flight.
    pub parallelism: NonZeroU32,
    /// Rate limit.
    pub rate: Rate,
    /// Deadline of the run.
    pub deadline: Instant,
    /// Retry policy.
    pub retry: Policy,
    /// Shutdown signal.
    pub stop: Stop,
    /// Metrics of the run.
    pub meter: Arc<Meter>,
}

/// Limits that all requests of a client share.
#[derive(Debug)]
pub struct Limits {
    pub(super) settings: Settings,
    pub(super) limiter: Arc<RateLimiter>,
    pub(super) waits: WaitTimer,
    permits: Semaphore,
}

/// Permit to send one request, or a batch of several.
#[derive(Debug)]
pub struct RequestPermit<'a> {
    _permit: SemaphorePermit<'a>,
    pub(super) rate: RatePermit<'a>,
}

impl RequestPermit<'_> {
    /// Returns how many requests the batch may have.
    pub fn requests(&self) -> u32 {
        self.rate.requests
    }
}

impl Limits {
    /// Creates the limits, and registers their rate limiter with the meter of the settings.
    pub(super) fn new(settings: Settings) -> Self {
        let limiter = Arc::new(RateLimiter::new(settings.rate));
        settings.meter.watch(&limiter);
        Self {
            limiter,
            waits: WaitTimer::new(Arc::clone(&settings.meter)),
            permits: Semaphore::new(settings.parallelism.get() as usize),
            settings,
        }
    }

    /// Returns the maximum number of requests in flight.
    pub fn parallelism(&self) -> usize {
        self.settings.parallelism.get() as usize
    }

    /// Returns when a request must end: at the deadline of the run, or at the end of a `FinalAttempt`. A
    /// `For` budget ends earlier, after its time less `spent`, the time it used so far outside the rate
    /// limiter.
    pub(super) fn deadline(&self, budget: RetryBudget, spent: Duration) -> Instant {
        match budget {
            RetryBudget::UntilDeadline => self.settings.deadline,
            RetryBudget::For(long) => {
                self.settings.deadline.min(saturating_add(Instant::now(), long.saturating_sub(spent)))
            }
            RetryBudget::FinalAttempt(end) => end,
        }
    }

    /// Returns `RequestTimeout` if `deadline` is before the deadline of the run, otherwise `RunTimeout`.
    pub(super) fn deadline_error(&self, deadline: Instant) -> SendErrorKind {
        if deadline < self.settings.deadline {
            SendErrorKind::RequestTimeout
        } else {
            SendErrorKind::RunTimeout
        }
    }

    /// Waits for the concurrency limit and the rate limit. Returns a permit for 1 to `most` requests, or the
    /// reason why there is none before the deadline of the run or the end of a `FinalAttempt`.
    pub(super) async fn acquire(
        &self,
        most: NonZeroU32,
        budget: RetryBudget,
    ) -> Result<RequestPermit<'_>, SendErrorKind> {
        let deadline = match budget {
            RetryBudget::UntilDeadline | RetryBudget::For(_) => self.settings.deadline,
            RetryBudget::FinalAttempt(end) => end,
        };
        let permit = timeout_at(deadline, self.permits.acquire()).await;
        let Ok(Ok(permit)) = permit else { return Err(self.deadline_error(deadline)) };
        let _waiting = self.waits.begin();
        match self.limiter.acquire(most, deadline).await {
            Ok(rate) => Ok(RequestPermit { _permit: permit, rate }),
            Err(LimitError::Paused { pause, requested: true }) => {
                Err(SendErrorKind::PauseBeyondTimeout(pause))
            }
            Err(LimitError::Paused { requested: false, .. } | LimitError::Throttled) => {
                Err(SendErrorKind::ThrottledUntilDeadline)
            }
            Err(LimitError::RateExceeded) => Err(SendErrorKind::RateLimitBeyondTimeout),
        }
    }

    /// Returns the result of `waiting`, or `Stopped` or `Halted` if the run or the request is stopped first.
    pub(super) async fn unless_stopped<T>(
        &self,
        budget: RetryBudget,
        halt: Option<&Halt>,
        waiting: impl Future<Output = T>,
    ) -> Result<T, SendErrorKind> {
        tokio::select! {
            biased;
            () = self.stopped(budget) => Err(SendErrorKind::Stopped),
            () = halted(halt) => Err(SendErrorKind::Halted),
            done = waiting => Ok(done),
        }
    }

    /// Waits until the run is stopped. For a final attempt, until all requests end.
    pub async fn stopped(&self, budget: RetryBudget) {
        let is_final = budget.is_final_attempt();
        stopped(&self.settings.stop, if is_final { StopStage::Ending } else { StopStage::Stopping }).await;
    }

    /// Returns the response to a request in flight, or `Stopped` if the shutdown ends such requests first.
    pub(super) async fn unless_cancelled<T>(
        &self,
        request: &Request<'_>,
        exchange: impl Future<Output = T>,
    ) -> Result<T, SendErrorKind> {
        let stage = match request.retry_budget {
            RetryBudget::FinalAttempt(_) => StopStage::Ending,
            // A change may take effect, so its response matters.
            _ if request.method == Method::PUT => StopStage::Verifying,
            _ => StopStage::Stopping,
        };
        tokio::select! {
            biased;
            done = exchange => Ok(done),
            () = stopped(&self.settings.stop, stage) => Err(SendErrorKind::Stopped),
        }
    }

    /// Returns the pause before a retry. `None` if the status is final or pauses all requests.
    pub(super) fn pause(&self, status: u16, requested: Duration) -> Option<Duration> {
        match self.settings.retry.next(1, AttemptResult::Answered(status, Some(requested)), 0.0) {
            Decision::Retry(pause) => Some(pause),
            Decision::PauseAll(_) | Decision::Stop => None,
        }
    }

    /// Returns the requested pause before a retry if it ends after the deadline of a request that starts now.
    /// `None` if it ends before, if the status is final, or for 429.
    pub fn pause_beyond_deadline(
        &self,
        status: u16,
        requested: Duration,
        budget: RetryBudget,
    ) -> Option<Duration> {
        let left = self.deadline(budget, Duration::ZERO).saturating_duration_since(Instant::now());
        self.pause(status, requested).filter(|pause| left < *pause)
    }

    /// Waits until the deadline of a request with a `For` budget of which `spent` is used, or until the run
    /// is stopped. Does nothing for other budgets. For a `Retry-After` beyond the deadline: the caller, who
    /// polls with such limits, would retry at once.
    pub async fn wait_for_deadline(&self, budget: RetryBudget, spent: Duration) {
        if matches!(budget, RetryBudget::For(_)) {
            _ = self.unless_stopped(budget, None, sleep_until(self.deadline(budget, spent))).await;
        }
    }

    /// Records that `requests` items of the last batch were throttled. Pauses all requests for `requested`,
    /// or for the first pause of the retry policy without it.
    pub fn record_throttling(&self, requests: u32, requested: Option<Duration>) {
        let next = self.settings.retry.next(1, AttemptResult::Answered(429, requested), fastrand::f64());
        if let Decision::PauseAll(pause) | Decision::Retry(pause) = next {
            self.throttle(requests, pause, requested.is_some());
        }
    }

    /// Pauses all requests of the tenant, lowers its rate limit, and logs the pause unless a longer one is
    /// active. `requests` is the number of requests that were throttled: one, or several items of a batch.
    /// `has_retry_after` is whether the service requested the pause.
    pub(super) fn throttle(&self, requests: u32, pause: Duration, has_retry_after: bool) {
        if !self.limiter.record_throttling(requests, pause, has_retry_after) {
            return;
        }
        if pause < Duration::from_secs(1) {
            info!("throttled (429): pausing {} ms", pause.as_millis());
            return;
        }
        let seconds = pause.as_secs_f64().ceil();
        match jiff::SignedDuration::try_from(pause).map(|pause| Timestamp::now().checked_add(pause)) {
            Ok(Ok(end)) => {
                let format = if seconds < 86_400.0 { "%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
                warn!("throttled (429): pausing {seconds} s, resuming {}", end.strftime(format));
            }
            _ => warn!("throttled (429): pausing {seconds} s"),
        }
    }
}
