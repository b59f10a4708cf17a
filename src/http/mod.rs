//! Requests and answers, and nothing of Graph: sending, sending again, keeping to a budget.

mod connections;
mod message;
mod pace;
pub mod retry;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderName, HeaderValue};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, info, warn};

use connections::with_causes;
pub use connections::{Connections, is_link_local, is_loopback};
pub use message::{Answer, Authorize, Patience, Request, SendError, SendErrorKind};
pub use pace::Rate;
use pace::{Pace, TooLate};
use retry::{Next, Outcome, Policy};

/// The largest body that is taken, in bytes: a page of a hundred connectors has some 50 thousand.
const MAX_BODY: usize = 8 << 20;

/// A tag of our own for each request, which the service repeats and logs.
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// How long a last word may take after a run was told to end.
const LAST_WORD: Duration = Duration::from_secs(10);

/// Tells a run to begin nothing new. What is in flight is finished.
pub type Stop = watch::Receiver<bool>;

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
}

/// Sends the requests of one tenant.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    permits: Semaphore,
    pace: Pace,
    connections: Arc<Connections>,
    /// Whether anything was ever answered.
    reached: AtomicBool,
    /// Whether it was given up that anything ever will be.
    unreachable: AtomicBool,
    /// Whether it was told that nobody answers.
    warned: AtomicBool,
}

impl Client {
    /// Prepares requests.
    pub fn new(settings: Settings, connections: Arc<Connections>) -> Self {
        Self {
            permits: Semaphore::new(settings.parallelism.get() as usize),
            pace: Pace::new(settings.rate),
            connections,
            reached: AtomicBool::new(false),
            unreachable: AtomicBool::new(false),
            warned: AtomicBool::new(false),
            settings,
        }
    }

    /// Sends a request until it is answered for good.
    ///
    /// # Errors
    /// There is no answer in time, or none that may be taken.
    pub async fn send(&self, request: &Request<'_>) -> Result<Answer, SendError> {
        let mut sent = Sent::default();
        let unprepared = |why| Sent::default().error(SendErrorKind::Unreachable(why));
        let mut connections = self.connections.to(&request.url).map_err(unprepared)?;
        let deadline = match request.patience {
            Patience::Full => self.settings.deadline,
            Patience::Until(end) => self.settings.deadline.min(end),
            Patience::LastWord => Instant::now() + LAST_WORD,
        };
        loop {
            let attempted = self.attempt(&connections, request, deadline, &mut sent).await;
            let (outcome, what) = match &attempted {
                Ok(Answer { status: 401, .. }) if self.renewed(request, deadline, &mut sent).await => {
                    info!(
                        "{} {}: answered 401; again with another token",
                        request.method,
                        request.url.path()
                    );
                    continue;
                }
                Ok(answer) => (
                    Outcome::Answered(answer.status, pause_asked(answer)),
                    format!("answered {}", answer.status),
                ),
                Err(SendErrorKind::Broken(what)) => (Outcome::Broken, what.clone()),
                Err(_) => return attempted.map_err(|kind| sent.error(kind)),
            };
            let asked = matches!(outcome, Outcome::Answered(_, Some(_)));
            let next = match request.patience {
                Patience::LastWord => Next::Stop,
                Patience::Full | Patience::Until(_) => {
                    self.settings.retry.next(sent.attempts, outcome, fastrand::f64())
                }
            };
            let too_late = |pause| deadline.saturating_duration_since(Instant::now()) < pause;
            match next {
                Next::Stop => return attempted.map_err(|kind| sent.error(kind)),
                Next::Again(pause) if too_late(pause) && !asked => {
                    return attempted.map_err(|kind| sent.error(kind));
                }
                Next::Again(pause) if too_late(pause) => {
                    sent.last = attempted.ok().map(Box::new);
                    return Err(sent.error(SendErrorKind::PauseBeyondTimeout(pause)));
                }
                Next::PauseAll(pause) => {
                    if self.pace.pause(pause, asked) {
                        warn!("throttled: nothing is sent for {} s", pause.as_secs().max(1));
                    }
                    sent.last = attempted.ok().map(Box::new);
                }
                Next::Again(pause) => {
                    let Request { method, url, .. } = request;
                    info!("{method} {}: {what}; again in {:.1} s", url.path(), pause.as_secs_f64());
                    if matches!(outcome, Outcome::Broken) {
                        self.give_up_unreachable(&what, &mut sent)?;
                    }
                    if let Ok(answer) = attempted {
                        sent.last = Some(Box::new(answer));
                    }
                    self.unless_stopped(request, sleep(pause)).await.map_err(|kind| sent.error(kind))?;
                    if matches!(outcome, Outcome::Answered(503, _)) {
                        // After a 503 Graph wants the request on a new connection
                        // (<https://learn.microsoft.com/graph/best-practices-concept>).
                        connections = self.connections.new_to(&request.url).map_err(unprepared)?;
                    }
                }
            }
        }
    }

    /// Gives up on a place where nobody ever answered: for all requests, since all go there.
    fn give_up_unreachable(&self, what: &str, sent: &mut Sent) -> Result<(), SendError> {
        /// Some ten seconds of trying.
        const ATTEMPTS: u32 = 5;
        if self.reached.load(Ordering::Relaxed) {
            return Ok(());
        }
        if sent.attempts >= ATTEMPTS {
            self.unreachable.store(true, Ordering::Relaxed);
        }
        if self.unreachable.load(Ordering::Relaxed) {
            return Err(sent.error(SendErrorKind::Unreachable(what.to_owned())));
        }
        if sent.attempts == 1 && !self.warned.swap(true, Ordering::Relaxed) {
            warn!("no answer ({what}): trying again");
        }
        Ok(())
    }

    /// Sends a request once, when parallelism and budget allow it.
    async fn attempt(
        &self,
        connections: &reqwest::Client,
        request: &Request<'_>,
        deadline: Instant,
        sent: &mut Sent,
    ) -> Result<Answer, SendErrorKind> {
        let _permit = self.unless_stopped(request, self.admitted(deadline)).await??;
        // Not before: what was valid when the request began to wait may have expired.
        sent.authorization = match request.authorization {
            None => None,
            Some(credential) => {
                let header = self.unless_stopped(request, timeout_at(deadline, credential.header())).await?;
                let header = header.map_err(|_| SendErrorKind::Timeout)?;
                Some(header.map_err(SendErrorKind::SignIn)?)
            }
        };
        let id = uuid::Uuid::new_v4().to_string();
        sent.attempts = sent.attempts.saturating_add(1);
        sent.last_id = Some(id.clone());
        match timeout_at(deadline, exchange(connections, request, sent.authorization.as_ref(), &id)).await {
            Err(_) => Err(SendErrorKind::Timeout),
            Ok(Err(error)) => Err(error),
            Ok(Ok(answer)) => {
                self.reached.store(true, Ordering::Relaxed);
                Ok(Answer { client_request_id: id, attempts: sent.attempts, ..answer })
            }
        }
    }

    /// Whether there is another token to send a refused request with. Once for each request.
    async fn renewed(&self, request: &Request<'_>, deadline: Instant, sent: &mut Sent) -> bool {
        let refused = sent.authorization.take().filter(|_| !sent.renewed);
        let (Some(credential), Some(refused)) = (request.authorization, refused) else { return false };
        sent.renewed = true;
        let renewal = self.unless_stopped(request, timeout_at(deadline, credential.renewed(&refused)));
        matches!(renewal.await, Ok(Ok(true)))
    }

    async fn admitted(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, SendErrorKind> {
        let permit = timeout_at(deadline, self.permits.acquire()).await;
        let Ok(Ok(permit)) = permit else { return Err(SendErrorKind::Timeout) };
        match self.pace.wait(deadline).await {
            Ok(()) => Ok(permit),
            Err(TooLate::Paused { pause, asked: true }) => Err(SendErrorKind::PauseBeyondTimeout(pause)),
            Err(TooLate::Paused { asked: false, .. }) => Err(SendErrorKind::ThrottledToTheEnd),
            Err(TooLate::Budget) => Err(SendErrorKind::BudgetBeyondTimeout),
        }
    }

    /// Waits for something that nobody needs any more once the run is stopped.
    async fn unless_stopped<T>(
        &self,
        request: &Request<'_>,
        waiting: impl Future<Output = T>,
    ) -> Result<T, SendErrorKind> {
        let stop = Some(&self.settings.stop).filter(|_| request.patience != Patience::LastWord);
        tokio::select! {
            biased;
            () = stopped(stop) => Err(SendErrorKind::Stopped),
            () = stopped(request.halt.as_ref()) => Err(SendErrorKind::Halted),
            done = waiting => Ok(done),
        }
    }
}

/// Waits until somebody says stop; for ever where nobody is left who could.
async fn stopped(stop: Option<&Stop>) {
    let Some(mut stop) = stop.cloned() else { return std::future::pending().await };
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// How often a request was sent, and what came of the last time.
#[derive(Debug, Default)]
struct Sent {
    attempts: u32,
    last_id: Option<String>,
    last: Option<Box<Answer>>,
    /// What it was authorized by the last time.
    authorization: Option<HeaderValue>,
    /// Whether it was tried with another token after a 401.
    renewed: bool,
}

impl Sent {
    fn error(&mut self, kind: SendErrorKind) -> SendError {
        SendError {
            kind,
            client_request_id: self.last_id.take(),
            attempts: self.attempts,
            last: self.last.take(),
        }
    }
}

/// Sends a request once and takes the whole answer.
async fn exchange(
    connections: &reqwest::Client,
    request: &Request<'_>,
    authorization: Option<&HeaderValue>,
    id: &str,
) -> Result<Answer, SendErrorKind> {
    let Request { method, url, headers, authorization: _, body, patience: _, halt: _ } = request;
    let broken = |error: reqwest::Error| {
        let hopeless = error.is_builder();
        let what = with_causes(&error.without_url());
        // A certificate that is refused once is refused every time.
        let hopeless = hopeless || what.contains("certificate");
        if hopeless { SendErrorKind::Unreachable(what) } else { SendErrorKind::Broken(what) }
    };
    let started = Instant::now();
    let mut sending = connections
        .request(method.clone(), url.clone())
        .header(header::ACCEPT, "application/json")
        .header(CLIENT_REQUEST_ID, id)
        .headers(headers.clone());
    if let Some(authorization) = authorization {
        sending = sending.header(header::AUTHORIZATION, authorization);
    }
    if let Some(body) = body {
        sending = sending.body(body.clone());
    }
    let mut response = sending.send().await.map_err(broken)?;
    let status = response.status();
    let headers = response.headers().clone();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len().saturating_add(chunk.len()) > MAX_BODY {
            return Err(SendErrorKind::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    if let Some(token) = authorization.and_then(bearer) {
        conceal(&mut body, token);
    }
    debug!("{method} {} → {} in {} ms, {id}", url.path(), status.as_u16(), started.elapsed().as_millis());
    Ok(Answer { status: status.as_u16(), headers, body, client_request_id: String::new(), attempts: 0 })
}

/// The token in an `Authorization`.
fn bearer(authorization: &HeaderValue) -> Option<&str> {
    authorization.to_str().ok()?.strip_prefix("Bearer ")
}

/// Takes the token out of an answer that repeats it: what an answer says may be shown.
fn conceal(body: &mut Vec<u8>, token: &str) {
    // A token of a few letters is one of a test, and may be part of any word.
    const SHORTEST: usize = 8;
    let shown = std::str::from_utf8(body).ok().filter(|text| token.len() >= SHORTEST && text.contains(token));
    if let Some(concealed) = shown.map(|text| text.replace(token, "***")) {
        *body = concealed.into_bytes();
    }
}

fn pause_asked(answer: &Answer) -> Option<Duration> {
    let text = |name| answer.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    // A date is measured by the service's own clock where it shows it.
    let now = text(header::DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    retry::retry_after(text(header::RETRY_AFTER)?, now.unwrap_or_else(SystemTime::now))
}
