//! Pauses that a service requests: of one request, or of all requests of a tenant.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::Client;
use crate::http::message::{Request, RetryBudget};
use crate::http::retry::{AttemptResult, Decision};

impl Client {
    /// Waits for `requested`, the `Retry-After` of a response or of an item of a batch, if its status is
    /// transient. Returns at once for a final status, and for 429, which pauses all requests. After a 503,
    /// later requests use new connections.
    ///
    /// # Errors
    /// The pause, if it ends after the deadline of the request.
    pub async fn honor_retry_after(
        &self,
        request: &Request<'_>,
        status: u16,
        requested: Duration,
    ) -> Result<(), Duration> {
        if let Some(pause) = self.pause_beyond_deadline(status, requested, request.retry_budget) {
            return Err(pause);
        }
        let (Some(pause), Ok(mut client)) =
            (self.pause(status, requested), self.connections.client_for(&request.url))
        else {
            return Ok(());
        };
        // If the run is stopped meanwhile, the next request returns the error.
        _ = self.wait(&mut client, request, pause, status == 503).await;
        Ok(())
    }

    /// Returns the pause before a retry. `None` if the status is final or pauses all requests.
    fn pause(&self, status: u16, requested: Duration) -> Option<Duration> {
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
                warn!("throttled (429): pausing {seconds} s, resuming {}", end.strftime("%H:%M:%SZ"));
            }
            _ => warn!("throttled (429): pausing {seconds} s"),
        }
    }
}
