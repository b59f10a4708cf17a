//! HTTP client of one tenant: concurrency limit, rate limit, retries, reachability.

mod pauses;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::info;

use super::connections::{ClientGeneration, Connections};
use super::exchange::{ExchangeError, exchange, new_client_request_id, retry_after};
use super::failure::ConnectFailure;
use super::history::{AttemptHistory, is_definite_rejection};
use super::message::{Answer, Request, RetryBudget, SendError, SendErrorKind};
use super::meter::{Meter, WaitTimer};
use super::rate_limiter::{LimitError, Rate, RateLimiter, RatePermit, saturating_add};
use super::reachability::{FailedAttempt, Host, Probe, Reachability};
use super::retry::{AttemptResult, Decision, Policy};
use super::stop::{Stop, stopped};

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

/// HTTP client of one tenant.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    permits: Semaphore,
    limiter: Arc<RateLimiter>,
    waits: WaitTimer,
    connections: Arc<Connections>,
    reachability: Reachability,
}

impl Client {
    /// Creates a client that uses the given connections, and registers its rate limiter with the meter of the
    /// settings. Sends nothing.
    pub fn new(settings: Settings, connections: Arc<Connections>) -> Self {
        let limiter = Arc::new(RateLimiter::new(settings.rate));
        settings.meter.watch(&limiter);
        Self {
            permits: Semaphore::new(settings.parallelism.get() as usize),
            limiter,
            waits: WaitTimer::new(Arc::clone(&settings.meter)),
            connections,
            reachability: Reachability::default(),
            settings,
        }
    }

    /// Returns the maximum number of requests in flight.
    pub fn parallelism(&self) -> usize {
        self.settings.parallelism.get() as usize
    }

    /// Sends a request and returns the final response of any status. Retries transient failures, 429, and a
    /// 401 once if there is a new token, as long as `retry_budget` allows. Waits for the limits and for a
    /// host that is down.
    ///
    /// # Errors
    /// There is no response in time, or it is not usable.
    pub async fn send(&self, request: &Request<'_>) -> Result<Answer, SendError> {
        let mut history = AttemptHistory::default();
        let client = self.connections.client_for(&request.url);
        let mut client = client.map_err(|kind| history.error(kind))?;
        let host = self.host(&request.url);
        let mut spent = Duration::ZERO;
        loop {
            let began = Instant::now();
            let probe = self.admit(&host, request, spent).await.map_err(|kind| history.error(kind))?;
            spent = spent.saturating_add(began.elapsed());
            let permit = self.acquire_permit(NonZeroU32::MIN, request.retry_budget);
            let permit = host.unless_given_up(probe.as_ref(), permit);
            let permit = self.unless_stopped(request.retry_budget, request.halt.as_ref(), permit).await;
            let permit = permit.and_then(|permit| permit.map_err(SendErrorKind::Unreachable).flatten());
            let permit = permit.map_err(|kind| history.error(kind))?;
            if probe.is_none() && host.is_failing() {
                continue;
            }
            let began = Instant::now();
            let deadline = self.deadline(request.retry_budget, spent);
            let attempted = self.attempt(&client, &host, request, permit, deadline, &mut history).await;
            let attempted = match attempted {
                Ok(Attempt::Answered(answer)) => Ok(answer),
                Ok(Attempt::Throttled) => continue,
                Ok(Attempt::Failed(failed)) => {
                    host.record_failure(failed, probe, &self.settings.retry);
                    spent = spent.saturating_add(began.elapsed());
                    match host.error().filter(|_| request.retry_budget.is_final_attempt()) {
                        Some(error) => return Err(history.error(SendErrorKind::Unreachable(error))),
                        None => continue,
                    }
                }
                Err(kind) => Err(kind),
            };
            drop(probe);
            let (result, what) = match &attempted {
                Ok(Answer { status: 401, .. })
                    if self.obtain_new_token(request, deadline, &mut history).await =>
                {
                    let Request { method, url, .. } = request;
                    info!("{method} {}: answered 401; retrying with a new token", url.path());
                    spent = spent.saturating_add(began.elapsed());
                    continue;
                }
                Ok(answer) => (
                    AttemptResult::Answered(answer.status, retry_after(answer)),
                    format!("answered {}", answer.status),
                ),
                Err(SendErrorKind::Broken(reason)) => (AttemptResult::Broken, reason.to_string()),
                Err(_) => return attempted.map_err(|kind| history.error(kind)),
            };
            let has_retry_after = matches!(result, AttemptResult::Answered(_, Some(_)));
            let next = match request.retry_budget {
                RetryBudget::FinalAttempt(_) => Decision::Stop,
                RetryBudget::UntilDeadline | RetryBudget::For(_) => {
                    self.settings.retry.next(history.count_attempts(result), result, fastrand::f64())
                }
            };
            let Request { method, url, .. } = request;
            match next {
                Decision::Stop => return attempted.map_err(|kind| history.error(kind)),
                Decision::Retry(pause) if deadline.saturating_duration_since(Instant::now()) < pause => {
                    // A `Retry-After` beyond the deadline explains more than the status does.
                    if !has_retry_after {
                        return attempted.map_err(|kind| history.error(kind));
                    }
                    self.wait_for_deadline(request.retry_budget, spent.saturating_add(began.elapsed())).await;
                    history.last = attempted.ok().map(Box::new);
                    return Err(history.error(SendErrorKind::PauseBeyondTimeout(pause)));
                }
                Decision::PauseAll(pause) => {
                    info!("{method} {}: {what}; retrying after the pause", url.path());
                    self.throttle(1, pause, has_retry_after);
                    history.last = attempted.ok().map(Box::new);
                }
                Decision::Retry(pause) => {
                    info!("{method} {}: {what}; retrying in {:.1} s", url.path(), pause.as_secs_f64());
                    let unavailable = matches!(result, AttemptResult::Answered(503, _));
                    if let Ok(answer) = attempted {
                        history.last = Some(Box::new(answer));
                    }
                    let waiting = self.wait(&mut client, request, pause, unavailable);
                    let waited = host.unless_given_up(None, waiting).await;
                    let waited = waited.map_err(SendErrorKind::Unreachable).flatten();
                    waited.map_err(|kind| history.error(kind))?;
                }
            }
            spent = spent.saturating_add(began.elapsed());
        }
    }

    /// Waits for `pause`. Then replaces `client` by one with new connections if `unavailable`, i.e. after a
    /// 503. Fails if the run or the request is stopped meanwhile.
    async fn wait(
        &self,
        client: &mut ClientGeneration,
        request: &Request<'_>,
        pause: Duration,
        unavailable: bool,
    ) -> Result<(), SendErrorKind> {
        let waiting = self.waits.begin();
        self.unless_stopped(request.retry_budget, request.halt.as_ref(), sleep(pause)).await?;
        drop(waiting);
        // After a 503 Graph asks for a new connection
        // (<https://learn.microsoft.com/graph/best-practices-concept>). If there is none, use the old one.
        if let Some(Ok(other)) = unavailable.then(|| self.connections.client_other_than(client, &request.url))
        {
            *client = other;
        }
        Ok(())
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
        let permit = host.unless_given_up(None, self.acquire_permit(most, budget));
        self.unless_stopped(budget, None, permit).await?.map_err(SendErrorKind::Unreachable).flatten()
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
        let mut history = AttemptHistory::default();
        let client = self.connections.client_for(&request.url).map_err(|kind| history.error(kind))?;
        let host = self.host(&request.url);
        if host.is_failing() {
            return Ok(None);
        }
        let deadline = self.deadline(request.retry_budget, Duration::ZERO);
        let attempted = self.attempt(&client, &host, request, permit, deadline, &mut history).await;
        let answer = match attempted.map_err(|kind| history.error(kind))? {
            Attempt::Answered(answer) => answer,
            Attempt::Throttled => return Ok(None),
            Attempt::Failed(failed) => {
                host.record_failure(failed, None, &self.settings.retry);
                return Ok(None);
            }
        };
        match answer.status {
            401 if self.obtain_new_token(request, deadline, &mut history).await => return Ok(None),
            429 => self.record_throttling(1, retry_after(&answer)),
            _ => {}
        }
        Ok(Some(answer))
    }

    /// Returns when a request must end: at the deadline of the run, or at the end of a `FinalAttempt`. A
    /// `For` budget ends earlier, after its time less `spent`, the time it used so far outside the rate
    /// limiter.
    fn deadline(&self, budget: RetryBudget, spent: Duration) -> Instant {
        match budget {
            RetryBudget::UntilDeadline => self.settings.deadline,
            RetryBudget::For(long) => {
                self.settings.deadline.min(saturating_add(Instant::now(), long.saturating_sub(spent)))
            }
            RetryBudget::FinalAttempt(end) => end,
        }
    }

    /// Returns the state of the host of a URL, which all requests of this client to the host share.
    fn host(&self, url: &Url) -> Arc<Host> {
        self.reachability.host(url, || self.connections.proxy(url))
    }

    /// Waits while the host of a request is not reachable. Returns a `Probe` if this request is to probe the
    /// host, `None` if it is an ordinary one. Fails if the host is given up, at the deadline, or if the run
    /// or the request is stopped.
    async fn admit<'h>(
        &self,
        host: &'h Host,
        request: &Request<'_>,
        spent: Duration,
    ) -> Result<Option<Probe<'h>>, SendErrorKind> {
        if !host.is_failing() {
            return Ok(None);
        }
        let _waiting = self.waits.begin();
        let deadline = self.deadline(request.retry_budget, spent);
        let admission = host.admit(deadline, request.retry_budget.is_final_attempt());
        let admission = self.unless_stopped(request.retry_budget, request.halt.as_ref(), admission).await?;
        admission.map_err(SendErrorKind::Unreachable)
    }

    /// Gets the `Authorization` header, sends the request once, and records the attempt in `history`, the
    /// permit and the meter. Returns `Throttled` without sending if the tenant is paused, and `Failed` if the
    /// host could not be reached. Every other failure is an error.
    async fn attempt(
        &self,
        client: &ClientGeneration,
        host: &Host,
        request: &Request<'_>,
        mut permit: RequestPermit<'_>,
        deadline: Instant,
        history: &mut AttemptHistory,
    ) -> Result<Attempt, SendErrorKind> {
        // Not earlier: a token may expire while the request waits.
        history.authorization = match request.authorization {
            None => None,
            Some(credential) => {
                let header = self
                    .unless_stopped(
                        request.retry_budget,
                        request.halt.as_ref(),
                        timeout_at(deadline, credential.header()),
                    )
                    .await?;
                let header = header.map_err(|_| self.deadline_error(deadline))?;
                Some(header.map_err(SendErrorKind::SignIn)?)
            }
        };
        let in_flight = timeout_at(deadline, self.connections.acquire());
        let in_flight = self.unless_stopped(request.retry_budget, request.halt.as_ref(), in_flight).await?;
        // The permit may be granted after the deadline. From here on the request counts as sent.
        let _in_flight = match in_flight {
            Ok(permit) if Instant::now() < deadline => permit,
            _ => return Err(self.deadline_error(deadline)),
        };
        if self.limiter.paused_until().is_some() {
            return Ok(Attempt::Throttled);
        }
        let id = new_client_request_id();
        let is_retry = history.attempts > 0;
        permit.rate.mark_sent();
        self.settings.meter.record_sent(permit.requests(), is_retry);
        let (connections, meter) = (&self.connections, &self.settings.meter);
        let began = Instant::now();
        let exchange =
            exchange(connections, client, host, request, history.authorization.as_ref(), &id, meter);
        let exchanged = timeout_at(deadline, exchange).await;
        match exchanged {
            Err(_) => {
                history.record_attempt(id, true);
                Err(host.error().map_or_else(|| self.deadline_error(deadline), SendErrorKind::Unreachable))
            }
            Ok(Err(ExchangeError::NotConnected(ConnectFailure { reason, is_permanent }))) => {
                permit.rate.mark_not_sent();
                meter.revert_sent(permit.requests(), is_retry);
                Ok(Attempt::Failed(FailedAttempt { reason, is_permanent, began }))
            }
            Ok(Err(ExchangeError::NotAnswered(reason))) => {
                history.record_attempt(id, true);
                if host.has_answered() {
                    return Err(SendErrorKind::Broken(reason));
                }
                Ok(Attempt::Failed(FailedAttempt { reason, is_permanent: false, began }))
            }
            Ok(Err(ExchangeError::Other(kind))) => {
                history.record_attempt(id, true);
                Err(kind)
            }
            Ok(Ok(answer)) => {
                // After any other status the service may have processed the items of a batch.
                if is_definite_rejection(answer.status) || matches!(answer.status, 300..400 | 501) {
                    permit.rate.mark_sent_as_one();
                }
                history.throttled = history.throttled.saturating_add(u32::from(answer.status == 429));
                history.record_attempt(id.clone(), !is_definite_rejection(answer.status));
                let (attempts, may_have_acted) = (history.attempts, history.may_have_acted);
                Ok(Attempt::Answered(Answer { client_request_id: id, attempts, may_have_acted, ..answer }))
            }
        }
    }

    /// Returns `RequestTimeout` if `deadline` is before the deadline of the run, otherwise `RunTimeout`.
    fn deadline_error(&self, deadline: Instant) -> SendErrorKind {
        if deadline < self.settings.deadline {
            SendErrorKind::RequestTimeout
        } else {
            SendErrorKind::RunTimeout
        }
    }

    /// Asks the credential for a new token after a 401, at most once per request, and returns whether there
    /// is one. False also without a credential, at the deadline, or if the run or the request is stopped.
    async fn obtain_new_token(
        &self,
        request: &Request<'_>,
        deadline: Instant,
        history: &mut AttemptHistory,
    ) -> bool {
        let rejected = history.authorization.take().filter(|_| !history.renewed);
        let (Some(credential), Some(rejected)) = (request.authorization, rejected) else { return false };
        history.renewed = true;
        let renewal = self.unless_stopped(
            request.retry_budget,
            request.halt.as_ref(),
            timeout_at(deadline, credential.renewed(&rejected)),
        );
        matches!(renewal.await, Ok(Ok(true)))
    }

    /// Waits for the concurrency limit and the rate limit. Returns a permit for 1 to `most` requests, or the
    /// reason why there is none before the deadline of the run or the end of a `FinalAttempt`.
    async fn acquire_permit(
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
    /// A final attempt ignores that the run is stopped.
    async fn unless_stopped<T>(
        &self,
        budget: RetryBudget,
        halt: Option<&Stop>,
        waiting: impl Future<Output = T>,
    ) -> Result<T, SendErrorKind> {
        tokio::select! {
            biased;
            () = self.stopped(budget) => Err(SendErrorKind::Stopped),
            () = stopped(halt) => Err(SendErrorKind::Halted),
            done = waiting => Ok(done),
        }
    }

    /// Waits until the run is stopped. Never returns for a final attempt.
    pub async fn stopped(&self, budget: RetryBudget) {
        stopped(Some(&self.settings.stop).filter(|_| !matches!(budget, RetryBudget::FinalAttempt(_)))).await;
    }
}

/// Result of one attempt that may be followed by another.
#[derive(Debug)]
enum Attempt {
    Answered(Answer),
    /// Nothing was sent: the tenant was throttled meanwhile.
    Throttled,
    /// The host could not be reached.
    Failed(FailedAttempt),
}

/// Permit to send one request, or a batch of several.
#[derive(Debug)]
pub struct RequestPermit<'a> {
    _permit: SemaphorePermit<'a>,
    rate: RatePermit<'a>,
}

impl RequestPermit<'_> {
    /// Returns how many requests the batch may have.
    pub fn requests(&self) -> u32 {
        self.rate.requests()
    }
}
