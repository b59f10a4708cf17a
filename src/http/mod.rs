//! Requests and answers, and nothing of Graph: sending, sending again, keeping to a budget.

mod message;
mod pace;
pub mod retry;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderName, HeaderValue};
use reqwest::redirect;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, info, warn};

pub use message::{Answer, Patience, Request, SendError, SendErrorKind};
pub use pace::Rate;
use pace::{Pace, TooLate};
use retry::{Next, Outcome, Policy};

/// The largest body that is taken, in bytes: a page of a hundred connectors has some 50 thousand.
const MAX_BODY: usize = 8 << 20;

/// How long a connection may take, and how long an answer may be silent.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(30);

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
    loopback: bool,
    connections: reqwest::Client,
    /// Whether anything was ever answered.
    reached: AtomicBool,
    /// Whether it was given up that anything ever will be.
    unreachable: AtomicBool,
    /// Whether it was told that nobody answers.
    warned: AtomicBool,
}

impl Client {
    /// Prepares requests to one place. Loopback is never reached through a proxy.
    ///
    /// # Errors
    /// The system's certificates or proxy settings cannot be used.
    pub fn new(settings: Settings, loopback: bool) -> Result<Self, String> {
        Ok(Self {
            permits: Semaphore::new(settings.parallelism.get() as usize),
            pace: Pace::new(settings.rate),
            loopback,
            connections: connections(loopback).map_err(|error| with_causes(&error))?,
            reached: AtomicBool::new(false),
            unreachable: AtomicBool::new(false),
            warned: AtomicBool::new(false),
            settings,
        })
    }

    /// Sends a request until it is answered for good.
    ///
    /// # Errors
    /// There is no answer in time, or none that may be taken.
    pub async fn send(&self, request: &Request) -> Result<Answer, SendError> {
        let mut sent = Sent::default();
        let mut connections = self.connections.clone();
        let deadline = match request.patience {
            Patience::Full => self.settings.deadline,
            Patience::Until(end) => self.settings.deadline.min(end),
            Patience::LastWord => Instant::now() + LAST_WORD,
        };
        loop {
            let attempted = self.attempt(&connections, request, deadline, &mut sent).await;
            let (outcome, what) = match &attempted {
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
                        connections = self.new_connections();
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
        request: &Request,
        deadline: Instant,
        sent: &mut Sent,
    ) -> Result<Answer, SendErrorKind> {
        let _permit = self.unless_stopped(request, self.admitted(deadline)).await??;
        let id = uuid::Uuid::new_v4().to_string();
        sent.attempts = sent.attempts.saturating_add(1);
        sent.last_id = Some(id.clone());
        match timeout_at(deadline, exchange(connections, request, &id)).await {
            Err(_) => Err(SendErrorKind::Timeout),
            Ok(Err(error)) => Err(error),
            Ok(Ok(answer)) => {
                self.reached.store(true, Ordering::Relaxed);
                Ok(Answer { client_request_id: id, attempts: sent.attempts, ..answer })
            }
        }
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
        request: &Request,
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

    /// After a 503 Graph wants the request on a new connection
    /// (<https://learn.microsoft.com/graph/best-practices-concept>).
    fn new_connections(&self) -> reqwest::Client {
        // What could be made once can be made again; if not, the old ones still serve.
        connections(self.loopback).unwrap_or_else(|_| self.connections.clone())
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
    request: &Request,
    id: &str,
) -> Result<Answer, SendErrorKind> {
    let Request { method, url, authorization, body, patience: _, halt: _ } = request;
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
        .header(CLIENT_REQUEST_ID, id);
    if let Some(authorization) = authorization {
        sending = sending.header(header::AUTHORIZATION, authorization);
    }
    if let Some(body) = body {
        sending = sending.header(header::CONTENT_TYPE, "application/json").body(body.clone());
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
    debug!("{method} {} → {} in {} ms, {id}", url.path(), status.as_u16(), started.elapsed().as_millis());
    Ok(Answer { status: status.as_u16(), headers, body, client_request_id: String::new(), attempts: 0 })
}

fn connections(loopback: bool) -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("flowbind/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .retry(reqwest::retry::never())
        .redirect(redirect::Policy::none());
    if loopback { builder.no_proxy() } else { builder }.build()
}

fn pause_asked(answer: &Answer) -> Option<Duration> {
    let text = |name| answer.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    // A date is measured by the service's own clock where it shows it.
    let now = text(header::DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    retry::retry_after(text(header::RETRY_AFTER)?, now.unwrap_or_else(SystemTime::now))
}

/// An error and what led to it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}
