//! The requests of one tenant: as many at once as may be, within the budget, again where that helps.

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

use super::connections::{Connections, Open};
use super::exchange::{ExchangeError, client_request_id, exchange, pause_asked};
use super::failure::ConnectFailure;
use super::message::{Answer, Patience, Request, SendError, SendErrorKind};
use super::meter::{Meter, Waits};
use super::pace::{Pace, Rate, Room, TooLate, later};
use super::reachability::{FailedAttempt, Host, Probe, Reachability};
use super::retry::{Next, Outcome, Policy};
use super::sent::{Sent, turned_away};
use super::stop::{Stop, stopped};

/// How one tenant is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Requests in flight.
    pub parallelism: NonZeroU32,
    /// Requests in a span of time.
    pub rate: Rate,
    /// When the run has to be over.
    pub deadline: Instant,
    /// How often and how far apart a request is sent again.
    pub retry: Policy,
    /// Turns true when nothing new may begin.
    pub stop: Stop,
    /// Counts what it costs.
    pub meter: Arc<Meter>,
}

/// Sends the requests of one tenant.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    permits: Semaphore,
    pace: Arc<Pace>,
    waits: Waits,
    connections: Arc<Connections>,
    reachability: Reachability,
}

impl Client {
    /// Prepares requests.
    pub fn new(settings: Settings, connections: Arc<Connections>) -> Self {
        let pace = Arc::new(Pace::new(settings.rate));
        settings.meter.watch(&pace);
        Self {
            permits: Semaphore::new(settings.parallelism.get() as usize),
            pace,
            waits: Waits::new(Arc::clone(&settings.meter)),
            connections,
            reachability: Reachability::default(),
            settings,
        }
    }

    /// How many requests may be in flight.
    pub fn parallelism(&self) -> usize {
        self.settings.parallelism.get() as usize
    }

    /// Sends a request until it is answered for good.
    ///
    /// # Errors
    /// There is no answer in time, or none that may be taken.
    pub async fn send(&self, request: &Request<'_>) -> Result<Answer, SendError> {
        let mut sent = Sent::default();
        let mut open = self.connections.to(&request.url).map_err(|kind| Sent::default().error(kind))?;
        let host = self.host(&request.url);
        let mut spent = Duration::ZERO;
        loop {
            let began = Instant::now();
            let probe = self.admit(&host, request, spent).await.map_err(|kind| sent.error(kind))?;
            spent = spent.saturating_add(began.elapsed());
            let admitted = self.admitted(NonZeroU32::MIN, request.patience);
            let admitted = host.unless_given_up(probe.as_ref(), admitted);
            let admitted = self.unless_stopped(request.patience, request.halt.as_ref(), admitted).await;
            let slot = admitted.map(|admitted| admitted.map_err(SendErrorKind::Unreachable).flatten());
            let slot = slot.flatten().map_err(|kind| sent.error(kind))?;
            if probe.is_none() && host.is_failing() {
                continue;
            }
            let began = Instant::now();
            let deadline = self.deadline(request.patience, spent);
            let attempted = self.attempt(&open, &host, request, slot, deadline, &mut sent).await;
            let attempted = match attempted {
                Ok(Attempt::Answered(answer)) => Ok(answer),
                Ok(Attempt::HeldBack) => continue,
                Ok(Attempt::Failed(failed)) => {
                    host.record_failure(failed, probe, &self.settings.retry);
                    spent = spent.saturating_add(began.elapsed());
                    match host.error().filter(|_| request.patience.is_final_attempt()) {
                        Some(error) => return Err(sent.error(SendErrorKind::Unreachable(error))),
                        None => continue,
                    }
                }
                Err(kind) => Err(kind),
            };
            drop(probe);
            let (outcome, what) = match &attempted {
                Ok(Answer { status: 401, .. }) if self.renewed(request, deadline, &mut sent).await => {
                    let Request { method, url, .. } = request;
                    info!("{method} {}: answered 401; again with another token", url.path());
                    spent = spent.saturating_add(began.elapsed());
                    continue;
                }
                Ok(answer) => (
                    Outcome::Answered(answer.status, pause_asked(answer)),
                    format!("answered {}", answer.status),
                ),
                Err(SendErrorKind::Broken(reason)) => (Outcome::Broken, reason.to_string()),
                Err(_) => return attempted.map_err(|kind| sent.error(kind)),
            };
            let asked = matches!(outcome, Outcome::Answered(_, Some(_)));
            let next = match request.patience {
                Patience::LastWord(_) => Next::Stop,
                Patience::Full | Patience::For(_) => {
                    self.settings.retry.next(sent.of_its_kind(outcome), outcome, fastrand::f64())
                }
            };
            let Request { method, url, .. } = request;
            match next {
                Next::Stop => return attempted.map_err(|kind| sent.error(kind)),
                Next::Again(pause) if deadline.saturating_duration_since(Instant::now()) < pause => {
                    // What the service asks for is more than what it answered.
                    if !asked {
                        return attempted.map_err(|kind| sent.error(kind));
                    }
                    self.let_pass(request.patience, spent.saturating_add(began.elapsed())).await;
                    sent.last = attempted.ok().map(Box::new);
                    return Err(sent.error(SendErrorKind::PauseBeyondTimeout(pause)));
                }
                Next::PauseAll(pause) => {
                    info!("{method} {}: {what}; again after the pause", url.path());
                    self.hold(1, pause, asked);
                    sent.last = attempted.ok().map(Box::new);
                }
                Next::Again(pause) => {
                    info!("{method} {}: {what}; again in {:.1} s", url.path(), pause.as_secs_f64());
                    let unavailable = matches!(outcome, Outcome::Answered(503, _));
                    if let Ok(answer) = attempted {
                        sent.last = Some(Box::new(answer));
                    }
                    let waiting = self.wait(&mut open, request, pause, unavailable);
                    let waited = host.unless_given_up(None, waiting).await;
                    let waited = waited.map_err(SendErrorKind::Unreachable).flatten();
                    waited.map_err(|kind| sent.error(kind))?;
                }
            }
            spent = spent.saturating_add(began.elapsed());
        }
    }

    /// Waits before something is sent again.
    async fn wait(
        &self,
        open: &mut Open,
        request: &Request<'_>,
        pause: Duration,
        unavailable: bool,
    ) -> Result<(), SendErrorKind> {
        let waiting = self.waits.begin();
        self.unless_stopped(request.patience, request.halt.as_ref(), sleep(pause)).await?;
        drop(waiting);
        // After a 503 Graph wants the request on a new connection
        // (<https://learn.microsoft.com/graph/best-practices-concept>); where there can be none, the old
        // one has to do.
        if let Some(Ok(other)) = unavailable.then(|| self.connections.other_than(open, &request.url)) {
            *open = other;
        }
        Ok(())
    }

    /// Waits until a request may go out that others travel in, up to `most` of them.
    ///
    /// # Errors
    /// There is no room in time, or nothing is to be begun any more.
    pub async fn slot(&self, most: NonZeroU32, patience: Patience) -> Result<Slot<'_>, SendErrorKind> {
        self.unless_stopped(patience, None, self.admitted(most, patience)).await.flatten()
    }

    /// Sends a request that others travel in, once: those in it can be sent by themselves. `None` where it
    /// was refused with 401 and there is another token now, or has to wait after all.
    ///
    /// # Errors
    /// There is no answer, or none that may be taken.
    pub async fn send_once(
        &self,
        slot: Slot<'_>,
        request: &Request<'_>,
    ) -> Result<Option<Answer>, SendError> {
        let mut sent = Sent::default();
        let open = self.connections.to(&request.url).map_err(|kind| Sent::default().error(kind))?;
        let host = self.host(&request.url);
        if host.is_failing() {
            return Ok(None);
        }
        let deadline = self.deadline(request.patience, Duration::ZERO);
        let attempted = self.attempt(&open, &host, request, slot, deadline, &mut sent).await;
        let answer = match attempted.map_err(|kind| sent.error(kind))? {
            Attempt::Answered(answer) => answer,
            Attempt::HeldBack => return Ok(None),
            Attempt::Failed(failed) => {
                host.record_failure(failed, None, &self.settings.retry);
                return Ok(None);
            }
        };
        match answer.status {
            401 if self.renewed(request, deadline, &mut sent).await => return Ok(None),
            429 => self.throttled(1, pause_asked(&answer)),
            _ => {}
        }
        Ok(Some(answer))
    }

    /// Until when a request is tried that took so long already, besides what it was held back.
    fn deadline(&self, patience: Patience, spent: Duration) -> Instant {
        match patience {
            Patience::Full => self.settings.deadline,
            Patience::For(long) => {
                self.settings.deadline.min(later(Instant::now(), long.saturating_sub(spent)))
            }
            Patience::LastWord(end) => end,
        }
    }

    /// The reachability of the host of a URL.
    fn host(&self, url: &Url) -> Arc<Host> {
        self.reachability.host(url, || self.connections.proxy(url))
    }

    /// Waits while the host of a request is not reachable, unless this request is the one that probes it.
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
        let deadline = self.deadline(request.patience, spent);
        let admission = host.admit(deadline, request.patience.is_final_attempt());
        let admission = self.unless_stopped(request.patience, request.halt.as_ref(), admission).await?;
        admission.map_err(SendErrorKind::Unreachable)
    }

    /// Sends a request once.
    async fn attempt(
        &self,
        open: &Open,
        host: &Host,
        request: &Request<'_>,
        mut slot: Slot<'_>,
        deadline: Instant,
        sent: &mut Sent,
    ) -> Result<Attempt, SendErrorKind> {
        // Not before: what was valid when the request began to wait may have expired.
        sent.authorization = match request.authorization {
            None => None,
            Some(credential) => {
                let header = self
                    .unless_stopped(
                        request.patience,
                        request.halt.as_ref(),
                        timeout_at(deadline, credential.header()),
                    )
                    .await?;
                let header = header.map_err(|_| self.over(deadline))?;
                Some(header.map_err(SendErrorKind::SignIn)?)
            }
        };
        let place = timeout_at(deadline, self.connections.place());
        let place = self.unless_stopped(request.patience, request.halt.as_ref(), place).await?;
        // What could wait no longer may have got its turn all the same: from here on it counts as sent.
        let _place = match place {
            Ok(place) if Instant::now() < deadline => place,
            _ => return Err(self.over(deadline)),
        };
        if self.pace.held_until().is_some() {
            return Ok(Attempt::HeldBack);
        }
        let id = client_request_id();
        let is_retry = sent.attempts > 0;
        slot.room.sent();
        self.settings.meter.sent(slot.requests(), is_retry);
        let (connections, meter) = (&self.connections, &self.settings.meter);
        let began = Instant::now();
        let exchange = exchange(connections, open, host, request, sent.authorization.as_ref(), &id, meter);
        let exchanged = timeout_at(deadline, exchange).await;
        if let Ok(Err(ExchangeError::NotConnected(ConnectFailure { reason, is_permanent }))) = exchanged {
            slot.room.not_sent();
            meter.not_sent(slot.requests(), is_retry);
            return Ok(Attempt::Failed(FailedAttempt { reason, is_permanent, began }));
        }
        sent.attempts = sent.attempts.saturating_add(1);
        sent.last_id = Some(id.clone());
        match exchanged {
            Err(_) => {
                sent.may_have_acted = true;
                Err(host.error().map_or_else(|| self.over(deadline), SendErrorKind::Unreachable))
            }
            Ok(Err(error)) => {
                sent.may_have_acted = true;
                match error {
                    ExchangeError::Other(kind) => Err(kind),
                    ExchangeError::NotAnswered(reason) if !host.has_answered() => {
                        Ok(Attempt::Failed(FailedAttempt { reason, is_permanent: false, began }))
                    }
                    ExchangeError::NotAnswered(reason)
                    | ExchangeError::NotConnected(ConnectFailure { reason, .. }) => {
                        Err(SendErrorKind::Broken(reason))
                    }
                }
            }
            Ok(Ok(answer)) => {
                // What else failed may have looked into what it held.
                if turned_away(answer.status) || matches!(answer.status, 300..400 | 501) {
                    slot.room.sent_as_one();
                }
                sent.throttled = sent.throttled.saturating_add(u32::from(answer.status == 429));
                sent.may_have_acted |= !turned_away(answer.status);
                let (attempts, may_have_acted) = (sent.attempts, sent.may_have_acted);
                Ok(Attempt::Answered(Answer { client_request_id: id, attempts, may_have_acted, ..answer }))
            }
        }
    }

    /// What is over at a deadline: the time of the run, or that of the request.
    fn over(&self, deadline: Instant) -> SendErrorKind {
        if deadline < self.settings.deadline { SendErrorKind::Late } else { SendErrorKind::Timeout }
    }

    /// Whether there is another token to send a refused request with. Once for each request.
    async fn renewed(&self, request: &Request<'_>, deadline: Instant, sent: &mut Sent) -> bool {
        let refused = sent.authorization.take().filter(|_| !sent.renewed);
        let (Some(credential), Some(refused)) = (request.authorization, refused) else { return false };
        sent.renewed = true;
        let renewal = self.unless_stopped(
            request.patience,
            request.halt.as_ref(),
            timeout_at(deadline, credential.renewed(&refused)),
        );
        matches!(renewal.await, Ok(Ok(true)))
    }

    async fn admitted(&self, most: NonZeroU32, patience: Patience) -> Result<Slot<'_>, SendErrorKind> {
        let deadline = match patience {
            Patience::Full | Patience::For(_) => self.settings.deadline,
            Patience::LastWord(end) => end,
        };
        let permit = timeout_at(deadline, self.permits.acquire()).await;
        let Ok(Ok(permit)) = permit else { return Err(self.over(deadline)) };
        let _waiting = self.waits.begin();
        match self.pace.room(most, deadline).await {
            Ok(room) => Ok(Slot { _permit: permit, room }),
            Err(TooLate::Paused { pause, asked: true }) => Err(SendErrorKind::PauseBeyondTimeout(pause)),
            Err(TooLate::Paused { asked: false, .. } | TooLate::Throttled) => {
                Err(SendErrorKind::ThrottledToTheEnd)
            }
            Err(TooLate::Budget) => Err(SendErrorKind::BudgetBeyondTimeout),
        }
    }

    /// Waits for something that nobody needs any more once the run is stopped.
    async fn unless_stopped<T>(
        &self,
        patience: Patience,
        halt: Option<&Stop>,
        waiting: impl Future<Output = T>,
    ) -> Result<T, SendErrorKind> {
        tokio::select! {
            biased;
            () = self.stopped(patience) => Err(SendErrorKind::Stopped),
            () = stopped(halt) => Err(SendErrorKind::Halted),
            done = waiting => Ok(done),
        }
    }

    /// Waits until the run is stopped, which a last word does not heed.
    pub async fn stopped(&self, patience: Patience) {
        stopped(Some(&self.settings.stop).filter(|_| !matches!(patience, Patience::LastWord(_)))).await;
    }
}

/// Result of one attempt that may be followed by another.
#[derive(Debug)]
enum Attempt {
    Answered(Answer),
    /// Nothing was sent: the tenant was throttled meanwhile.
    HeldBack,
    /// The host could not be reached.
    Failed(FailedAttempt),
}

/// Room for a request that goes out now, and for those that travel in it.
#[derive(Debug)]
pub struct Slot<'a> {
    _permit: SemaphorePermit<'a>,
    room: Room<'a>,
}

impl Slot<'_> {
    /// How many requests may travel.
    pub fn requests(&self) -> u32 {
        self.room.requests()
    }
}
