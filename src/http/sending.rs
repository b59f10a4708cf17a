//! One request: its attempts, and the waits between them.

use std::num::NonZeroU32;
use std::time::Duration;

use reqwest::header::HeaderValue;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::info;

use super::connections::{ClientGeneration, Connections};
use super::exchange::{ExchangeError, exchange, new_client_request_id, retry_after};
use super::failure::{AttemptFailure, FailureReason};
use super::history::{AttemptHistory, is_definite_rejection};
use super::limits::{Limits, RequestPermit};
use super::message::{Answer, Request, RetryBudget, SendError, SendErrorKind};
use super::reachability::{Host, Probe};
use super::retry::{AttemptResult, Decision};

/// Maximum time for the attempts of one request and our own pauses between them, so that one binding does not hold
/// up all others. An attempt without a response takes 30 s, which leaves time for a second one.
const REQUEST_TIME: Duration = Duration::from_secs(45);

/// Time after which a request that is still retried is worth a warning: the run waits for it, and prints no result.
const WARNING_AFTER: Duration = Duration::from_secs(5);

/// Request that is being sent.
pub(super) struct Sending<'a> {
    limits: &'a Limits,
    connections: &'a Connections,
    /// Connections that the next attempt uses.
    client: ClientGeneration,
    host: &'a Host,
    request: &'a Request<'a>,
    pub(super) history: AttemptHistory,
    /// When the last attempt was sent.
    pub(super) began: Instant,
    /// Time used so far outside the rate limiter.
    spent: Duration,
    /// Part of `spent` that counts towards [`REQUEST_TIME`]: attempts that were sent to a reachable host, and our
    /// own pauses between them.
    active: Duration,
    /// Time in pauses that the service requested, and in which retries waited for the rate limit. A retry that had
    /// to wait for so long that it exceeds [`REQUEST_TIME`] is the last one.
    deferred: Duration,
}

/// Result of one attempt that may be followed by another.
#[derive(Debug)]
pub(super) enum Attempt {
    Answered(Answer),
    /// Nothing was sent: the tenant was throttled meanwhile.
    Throttled,
    /// The service did not process the request.
    NotProcessed(FailureReason),
    /// The host could not be reached.
    Failed(AttemptFailure),
}

impl<'a> Sending<'a> {
    /// Prepares to send a request to `host`. Sends nothing.
    ///
    /// # Errors
    /// No client can be built.
    pub(super) fn new(
        limits: &'a Limits,
        connections: &'a Connections,
        host: &'a Host,
        request: &'a Request<'a>,
    ) -> Result<Self, SendError> {
        let mut history = AttemptHistory::default();
        let client = connections.client_for(&request.url);
        let client = client.map_err(|error| history.error(SendErrorKind::Client(error)))?;
        let (began, [spent, active, deferred]) = (Instant::now(), [Duration::ZERO; 3]);
        Ok(Self { limits, connections, client, host, request, history, began, spent, active, deferred })
    }

    /// Sends the request until its response is final, and returns this response.
    ///
    /// # Errors
    /// There is no response in time, or it is not usable.
    pub(super) async fn finish(&mut self) -> Result<Answer, SendErrorKind> {
        let (host, budget) = (self.host, self.request.retry_budget);
        loop {
            let began = Instant::now();
            let probe = self.admit().await?;
            self.spent = self.spent.saturating_add(began.elapsed());
            let began = Instant::now();
            let permit = host.unless_given_up(probe.as_ref(), self.limits.acquire(NonZeroU32::MIN, budget));
            let permit = self.unless_stopped(permit).await?;
            let permit = permit.map_err(SendErrorKind::Unreachable).flatten()?;
            if self.history.attempts > 0 && !self.limits.limiter.was_throttled() {
                self.deferred = self.deferred.saturating_add(began.elapsed());
            }
            if probe.is_none() && host.is_failing() {
                continue;
            }
            let began = Instant::now();
            let attempted = match self.attempt(permit, probe.as_ref()).await {
                Ok(Attempt::Answered(answer)) => Ok(answer),
                Ok(Attempt::Throttled) => continue,
                Ok(Attempt::NotProcessed(reason)) if self.history.is_repeated_at_once() => {
                    info!("{} {}: {reason}; sending again", self.request.method, self.request.url.path());
                    continue;
                }
                Ok(Attempt::NotProcessed(reason)) => Err(reason),
                Ok(Attempt::Failed(failure)) => {
                    host.record_failure(failure, self.began, probe, &self.limits.settings.retry);
                    self.spent = self.spent.saturating_add(began.elapsed());
                    match host.error().filter(|_| budget.is_final_attempt()) {
                        Some(error) => return Err(SendErrorKind::Unreachable(error)),
                        None => continue,
                    }
                }
                Err(SendErrorKind::Broken(reason)) => Err(reason),
                Err(kind) => return Err(kind),
            };
            drop(probe);
            if let Some(answer) = self.conclude(attempted, began).await? {
                return Ok(answer);
            }
            self.spent = self.spent.saturating_add(began.elapsed());
        }
    }

    /// Waits while the host is not reachable. Returns a `Probe` if this request is to probe the host, `None`
    /// if it is an ordinary one. Fails if the host is given up, at the deadline, or if the run or the request
    /// is stopped.
    async fn admit(&self) -> Result<Option<Probe<'a>>, SendErrorKind> {
        if !self.host.is_failing() {
            return Ok(None);
        }
        let _waiting = self.limits.waits.begin();
        let admission = self.host.admit(self.deadline(), self.request.retry_budget.is_final_attempt());
        self.unless_stopped(admission).await?.map_err(SendErrorKind::Unreachable)
    }

    /// Gets the `Authorization` header, sends the request once, and records the attempt in the history, the
    /// permit and the meter. Returns `Throttled` without sending if the tenant is paused, `NotProcessed` if the
    /// service did not process the request, and `Failed` if the host could not be reached. Every other failure is
    /// an error. An attempt with a `probe` ends when the host is given up.
    pub(super) async fn attempt(
        &mut self,
        mut permit: RequestPermit<'_>,
        probe: Option<&Probe<'_>>,
    ) -> Result<Attempt, SendErrorKind> {
        let deadline = self.deadline();
        // Not earlier: a token may expire while the request waits.
        self.history.authorization = self.authorize(deadline).await?;
        let in_flight = timeout_at(deadline, self.connections.acquire());
        // The permit may be granted after the deadline. From here on the request counts as sent.
        let _in_flight = match self.unless_stopped(in_flight).await? {
            Ok(permit) if Instant::now() < deadline => permit,
            _ => return Err(self.limits.deadline_error(deadline)),
        };
        if self.limits.limiter.paused_until().is_some() {
            return Ok(Attempt::Throttled);
        }
        let id = new_client_request_id();
        let is_retry = self.history.attempts > 0;
        let meter = &self.limits.settings.meter;
        permit.rate.sent = permit.requests();
        meter.record_sent(permit.requests(), is_retry);
        self.began = Instant::now();
        // The time for a probe is that of the outage.
        let own_deadline = if probe.is_some() { deadline } else { self.attempt_deadline() };
        let authorization = self.history.authorization.as_ref();
        let exchange =
            exchange(self.connections, &self.client, self.host, self.request, authorization, &id, meter);
        let exchange = timeout_at(own_deadline, exchange);
        let exchange = async {
            match probe {
                Some(probe) => self.host.unless_given_up(Some(probe), exchange).await,
                None => Ok(exchange.await),
            }
        };
        let exchanged = self.limits.unless_cancelled(self.request, exchange).await;
        let exchanged = exchanged.and_then(|exchanged| exchanged.map_err(SendErrorKind::Unreachable));
        let exchanged = exchanged.inspect_err(|_| self.history.record_unanswered(id.clone()));
        match exchanged? {
            Err(_) => {
                self.history.record_unanswered(id);
                Err(match self.host.error() {
                    Some(error) => SendErrorKind::Unreachable(error),
                    None if own_deadline < deadline => {
                        SendErrorKind::Broken(FailureReason::NoAnswer(REQUEST_TIME))
                    }
                    None => self.limits.deadline_error(deadline),
                })
            }
            Ok(Err(ExchangeError::NotConnected(failure))) => {
                permit.rate.sent = 0;
                meter.revert_sent(permit.requests(), is_retry);
                Ok(Attempt::Failed(failure))
            }
            Ok(Err(ExchangeError::NotProcessed(reason))) => {
                permit.rate.sent = 0;
                meter.revert_sent(permit.requests(), is_retry);
                self.history.record_unprocessed(id);
                Ok(Attempt::NotProcessed(reason))
            }
            Ok(Err(ExchangeError::NotAnswered(reason))) => {
                let is_first = self.history.attempts == 0;
                self.history.record_unanswered(id);
                if self.host.is_silent(&reason, self.began, is_first) {
                    return Ok(Attempt::Failed(AttemptFailure::transient(reason)));
                }
                Err(SendErrorKind::Broken(reason))
            }
            Ok(Err(ExchangeError::Other(kind))) => {
                self.history.record_unanswered(id);
                Err(kind)
            }
            Ok(Ok(answer)) => {
                // The service rejected a batch without processing its items, so it counts one request. After any
                // other status it may have processed them.
                if is_definite_rejection(answer.status) || matches!(answer.status, 300..400 | 501) {
                    permit.rate.sent = 1;
                }
                self.history.record_answer(id.clone(), answer.status);
                let AttemptHistory { attempts, may_have_acted, .. } = self.history;
                Ok(Attempt::Answered(Answer { client_request_id: id, attempts, may_have_acted, ..answer }))
            }
        }
    }

    async fn authorize(&self, deadline: Instant) -> Result<Option<HeaderValue>, SendErrorKind> {
        let Some(credential) = self.request.authorization else { return Ok(None) };
        let header = self.unless_stopped(timeout_at(deadline, credential.header())).await?;
        let header = header.map_err(|_| self.limits.deadline_error(deadline))?;
        header.map(Some).map_err(SendErrorKind::SignIn)
    }

    /// Returns the response of an attempt if it is final. Otherwise waits until the next attempt may start,
    /// and returns `None`. `began` is when the attempt asked for its token, and `self.began` when it was sent.
    ///
    /// # Errors
    /// There is no response and no further attempt, or the pause before it is too long.
    async fn conclude(
        &mut self,
        attempted: Result<Answer, FailureReason>,
        began: Instant,
    ) -> Result<Option<Answer>, SendErrorKind> {
        let Request { method, url, retry_budget, .. } = self.request;
        // Throttling does not count, however long it lasts.
        if !matches!(attempted, Ok(Answer { status: 429, .. })) {
            self.active = self.active.saturating_add(self.began.elapsed());
        }
        let (result, what) = match &attempted {
            Ok(Answer { status: 401, .. }) if self.obtain_new_token(self.deadline()).await? => {
                info!("{method} {}: answered 401; retrying with a new token", url.path());
                return Ok(None);
            }
            Ok(answer) => (
                AttemptResult::Answered(answer.status, retry_after(answer)),
                format!("answered {}", answer.status),
            ),
            Err(reason) => (AttemptResult::Broken, reason.to_string()),
        };
        let has_retry_after = matches!(result, AttemptResult::Answered(_, Some(_)));
        let is_ended = *retry_budget == RetryBudget::UntilDeadline
            && self.active.saturating_add(self.deferred) >= REQUEST_TIME;
        let attempts = self.history.count_attempts(result);
        let next = match self.limits.settings.retry.next(attempts, result, fastrand::f64()) {
            _ if retry_budget.is_final_attempt() => Decision::Stop,
            Decision::Retry(_) if is_ended => Decision::Stop,
            Decision::Retry(pause) if !has_retry_after && is_beyond(self.attempt_deadline(), pause) => {
                Decision::Stop
            }
            next => next,
        };
        match next {
            Decision::Stop => return attempted.map(Some).map_err(SendErrorKind::Broken),
            // A `Retry-After` beyond the deadline explains more than the status does.
            Decision::Retry(pause) if has_retry_after && is_beyond(self.deadline(), pause) => {
                let spent = self.spent.saturating_add(began.elapsed());
                self.limits.wait_for_deadline(*retry_budget, spent).await;
                self.history.last = attempted.ok().map(Box::new);
                return Err(SendErrorKind::PauseBeyondTimeout(pause));
            }
            Decision::PauseAll(pause) => {
                info!("{method} {}: {what}; retrying after the pause", url.path());
                self.limits.throttle(1, pause, has_retry_after);
                self.history.last = attempted.ok().map(Box::new);
            }
            Decision::Retry(pause) => {
                let warnings = &self.connections.warnings;
                let retries = format!("{method} {}: {what}; retrying", url.path());
                let is_slow =
                    self.active.saturating_add(self.deferred).saturating_add(pause) >= WARNING_AFTER;
                if !is_slow || !warnings.log(&what, &retries) {
                    info!("{retries} in {:.1} s", pause.as_secs_f64());
                }
                let status = attempted.as_ref().ok().map(|answer| answer.status);
                if let Ok(answer) = attempted {
                    self.history.last = Some(Box::new(answer));
                }
                let waited = self.host.unless_given_up(None, self.wait(pause, status)).await;
                waited.map_err(SendErrorKind::Unreachable).flatten()?;
                let paused = if has_retry_after { &mut self.deferred } else { &mut self.active };
                *paused = paused.saturating_add(pause);
            }
        }
        Ok(None)
    }

    /// Waits for `pause` after a response of this status. After a 503, then uses new connections. Fails if
    /// the run or the request is stopped meanwhile.
    pub(super) async fn wait(&mut self, pause: Duration, status: Option<u16>) -> Result<(), SendErrorKind> {
        let waiting = self.limits.waits.begin();
        self.unless_stopped(sleep(pause)).await?;
        drop(waiting);
        // After a 503 Graph asks for a new connection
        // (<https://learn.microsoft.com/graph/best-practices-concept>). If there is none, use the old one.
        if status == Some(503)
            && let Ok(other) = self.connections.client_other_than(&self.client, &self.request.url)
        {
            self.client = other;
        }
        Ok(())
    }

    /// Asks the credential for a new token after a 401, at most once per request, and returns whether there
    /// is one. False also without a credential, at the deadline, or if the run or the request is stopped. Fails if
    /// only a new login helps.
    pub(super) async fn obtain_new_token(&mut self, deadline: Instant) -> Result<bool, SendErrorKind> {
        let rejected = self.history.authorization.take().filter(|_| !self.history.renewed);
        let (Some(credential), Some(rejected)) = (self.request.authorization, rejected) else {
            return Ok(false);
        };
        self.history.renewed = true;
        let renewal = self.unless_stopped(timeout_at(deadline, credential.renewed(&rejected)));
        match renewal.await {
            Ok(Ok(renewed)) => renewed.map_err(SendErrorKind::SignIn),
            Ok(Err(_)) | Err(_) => Ok(false),
        }
    }

    /// Returns when the request must end.
    pub(super) fn deadline(&self) -> Instant {
        self.limits.deadline(self.request.retry_budget, self.spent)
    }

    /// Returns when an attempt that starts now must end: at the deadline of the request, or when its
    /// [`REQUEST_TIME`] is used up if it has no limit of its own.
    fn attempt_deadline(&self) -> Instant {
        let own = match self.request.retry_budget {
            RetryBudget::UntilDeadline => RetryBudget::For(REQUEST_TIME),
            limited => return self.limits.deadline(limited, self.spent),
        };
        self.limits.deadline(own, self.active)
    }

    async fn unless_stopped<T>(&self, waiting: impl Future<Output = T>) -> Result<T, SendErrorKind> {
        let Request { retry_budget, halt, .. } = self.request;
        self.limits.unless_stopped(*retry_budget, halt.as_ref(), waiting).await
    }
}

/// Returns whether a pause that starts now ends after `deadline`.
fn is_beyond(deadline: Instant, pause: Duration) -> bool {
    deadline.saturating_duration_since(Instant::now()) < pause
}
