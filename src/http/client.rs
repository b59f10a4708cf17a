//! HTTP client of one tenant: concurrency limit, rate limit, retries, reachability.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Url;

use super::connections::Connections;
use super::exchange::retry_after;
use super::limits::{Limits, RequestPermit, Settings};
use super::message::{Answer, Request, RetryBudget, SendError, SendErrorKind};
use super::reachability::Host;
use super::sending::{Attempt, Sending};

/// HTTP client of one tenant.
#[derive(Debug)]
pub struct Client {
    limits: Limits,
    connections: Arc<Connections>,
    hosts: Mutex<BTreeMap<String, Arc<Host>>>,
}

impl Client {
    /// Creates a client that uses the given connections, and registers its rate limiter with the meter of the
    /// settings. Sends nothing.
    pub fn new(settings: Settings, connections: Arc<Connections>) -> Self {
        Self { limits: Limits::new(settings), connections, hosts: Mutex::default() }
    }

    /// Returns the limits that the requests of this client share.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Sends a request and returns the final response of any status. Retries transient failures, 429, and a
    /// 401 once if there is a new token, as long as `retry_budget` allows. Waits for the limits and for a
    /// host that is down.
    ///
    /// # Errors
    /// There is no response in time, or it is not usable.
    pub async fn send(&self, request: &Request<'_>) -> Result<Answer, SendError> {
        let host = self.host(&request.url);
        let mut sending = Sending::new(&self.limits, &self.connections, &host, request)?;
        sending.finish().await.map_err(|kind| sending.history.error(kind))
    }

    /// Waits until a batch may be sent to the host of a URL. Returns a permit for 1 to `most` requests, as
    /// many as the rate limit admits.
    ///
    /// # Errors
    /// The rate limit admits none in time, the host was given up, or the run is stopped.
    pub async fn acquire_batch_permit(
        &self,
        url: &Url,
        most: NonZeroU32,
        budget: RetryBudget,
    ) -> Result<RequestPermit<'_>, SendErrorKind> {
        let host = self.host(url);
        let permit = host.unless_given_up(None, self.limits.acquire(most, budget));
        let permit = self.limits.unless_stopped(budget, None, permit).await?;
        permit.map_err(SendErrorKind::Unreachable).flatten()
    }

    /// Sends a batch request without retrying, because its items can be retried individually. Returns the
    /// response of any status; a 429 also pauses the tenant. Returns `None` if the token was renewed after a
    /// 401, if the tenant is paused, or if the host cannot be reached.
    ///
    /// # Errors
    /// There is no usable response.
    pub async fn send_once(
        &self,
        permit: RequestPermit<'_>,
        request: &Request<'_>,
    ) -> Result<Option<Answer>, SendError> {
        let host = self.host(&request.url);
        let mut sending = Sending::new(&self.limits, &self.connections, &host, request)?;
        if host.is_failing() {
            return Ok(None);
        }
        let attempted = sending.attempt(permit, None).await;
        let answer = match attempted.map_err(|kind| sending.history.error(kind))? {
            Attempt::Answered(answer) => answer,
            Attempt::Throttled | Attempt::NotProcessed(_) => return Ok(None),
            Attempt::Failed(failure) => {
                host.record_failure(failure, sending.began, None, &self.limits.settings.retry);
                return Ok(None);
            }
        };
        match answer.status {
            401 => {
                let renewed = sending.obtain_new_token(sending.deadline()).await;
                let is_renewed = renewed.map_err(|kind| sending.history.error(kind))?;
                return Ok((!is_renewed).then_some(answer));
            }
            429 => self.limits.record_throttling(1, retry_after(&answer)),
            _ => {}
        }
        Ok(Some(answer))
    }

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
        if let Some(pause) = self.limits.pause_beyond_deadline(status, requested, request.retry_budget) {
            return Err(pause);
        }
        let host = self.host(&request.url);
        if let Some(pause) = self.limits.pause(status, requested)
            && let Ok(mut sending) = Sending::new(&self.limits, &self.connections, &host, request)
        {
            // If the run is stopped meanwhile, the next request returns the error.
            _ = sending.wait(pause, Some(status)).await;
        }
        Ok(())
    }

    /// Returns the state of the host of a URL, which all requests of this client to the host share.
    fn host(&self, url: &Url) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.entry(url.origin().ascii_serialization());
        Arc::clone(host.or_insert_with(|| {
            let warnings = self.connections.warnings.clone();
            Arc::new(Host::new(url, self.connections.route(url), warnings))
        }))
    }
}
