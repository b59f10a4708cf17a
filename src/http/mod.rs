//! Requests and answers, and nothing of Graph: sending, sending again, keeping to a budget.

mod pace;
pub mod retry;

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url, redirect};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, info, warn};

pub use pace::Rate;
use pace::{Pace, TooLate};
use retry::{Next, Outcome, Policy};

/// The largest body that is taken, in bytes: a page of a hundred connectors has some 50 thousand.
const MAX_BODY: usize = 8 << 20;

/// How long a connection may take, and how long an answer may be silent.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(30);

/// A tag of our own for each request, which the service repeats and logs.
pub const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// How one tenant is asked.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Requests in flight.
    pub parallelism: NonZeroU32,
    /// Requests in a span of time.
    pub rate: Rate,
    /// When the run has to be over.
    pub deadline: Instant,
    /// How often and how far apart a request is sent again.
    pub retry: Policy,
}

/// Sends the requests of one tenant.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    permits: Semaphore,
    pace: Pace,
    loopback: bool,
    connections: reqwest::Client,
}

/// One request, as often as it takes.
#[derive(Debug)]
pub struct Request {
    /// The verb.
    pub method: Method,
    /// Where it goes; redirects to another scheme, host or port are refused.
    pub url: Url,
    /// The value of `Authorization`, marked sensitive.
    pub authorization: HeaderValue,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
    /// The tag of the request that was answered.
    pub client_request_id: String,
    /// How often the request was sent.
    pub attempts: u32,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{kind}{}", tries(*attempts))]
pub struct SendError {
    /// What happened.
    pub kind: SendErrorKind,
    /// The tag of the last request that was sent, where one was.
    pub client_request_id: Option<String>,
    /// How often the request was sent.
    pub attempts: u32,
}

/// What kept an answer from coming.
#[derive(Debug, thiserror::Error)]
pub enum SendErrorKind {
    /// No connection, a broken one, or a silent one; with what the layers below said.
    #[error("{0}")]
    Broken(String),
    /// The service wants a longer pause than there is time.
    #[error("the service asks for a pause of {} s, which is more than the time left", .0.as_secs_f64().ceil())]
    PauseBeyondTimeout(Duration),
    /// The budget has no room before the time is over.
    #[error("the request budget (`--rate`) has no room in the time left")]
    BudgetBeyondTimeout,
    /// The time is over.
    #[error("the time for the whole run (`--timeout`) is over")]
    Timeout,
    /// The answer is larger than any that is expected.
    #[error("the answer is larger than 8 MiB")]
    TooLarge,
    /// A redirect elsewhere, which would take the token along.
    #[error("the answer redirects to `{0}`, and the token goes nowhere but to the Graph URL")]
    Redirected(String),
}

fn tries(attempts: u32) -> String {
    if attempts > 1 { format!(" (tried {attempts} times)") } else { String::new() }
}

impl Client {
    /// Prepares requests to one place. Loopback is never reached through a proxy.
    ///
    /// # Errors
    /// The system's certificates or proxy settings cannot be used.
    pub fn new(settings: Settings, loopback: bool) -> Result<Self, String> {
        Ok(Self {
            settings,
            permits: Semaphore::new(settings.parallelism.get() as usize),
            pace: Pace::new(settings.rate),
            loopback,
            connections: connections(loopback).map_err(|error| with_causes(&error))?,
        })
    }

    /// Sends a request until it is answered for good.
    ///
    /// # Errors
    /// There is no answer in time, or none that may be taken.
    pub async fn send(&self, request: &Request) -> Result<Answer, SendError> {
        let mut attempts = 0;
        let mut last_id = None;
        let mut connections = self.connections.clone();
        loop {
            let attempted = self.attempt(&connections, request, &mut attempts, &mut last_id).await;
            let fail = |kind| SendError { kind, client_request_id: last_id.clone(), attempts };
            let outcome = match &attempted {
                Ok(answer) => Outcome::Answered(answer.status, pause_asked(answer)),
                Err(SendErrorKind::Broken(_)) => Outcome::Broken,
                Err(_) => return attempted.map_err(fail),
            };
            let next = self.settings.retry.next(attempts, outcome, fastrand::f64());
            let what = match &attempted {
                Ok(answer) => format!("answered {}", answer.status),
                Err(kind) => kind.to_string(),
            };
            match next {
                Next::Stop => return attempted.map_err(fail),
                Next::PauseAll(pause) => {
                    warn!("throttled: waiting {:.1} s", pause.as_secs_f64());
                    self.pace.pause(pause);
                }
                Next::Again(pause) => {
                    if self.time_left() < pause {
                        let asked = matches!(outcome, Outcome::Answered(_, Some(_)));
                        return match attempted {
                            Ok(_) if asked => Err(fail(SendErrorKind::PauseBeyondTimeout(pause))),
                            attempted => attempted.map_err(fail),
                        };
                    }
                    info!(
                        "{} {}: {what}; again in {:.1} s",
                        request.method,
                        request.url,
                        pause.as_secs_f64()
                    );
                    sleep(pause).await;
                    if matches!(outcome, Outcome::Answered(503, _)) {
                        connections = self.new_connections();
                    }
                }
            }
        }
    }

    /// Sends a request once, when parallelism and budget allow it.
    async fn attempt(
        &self,
        connections: &reqwest::Client,
        request: &Request,
        attempts: &mut u32,
        last_id: &mut Option<String>,
    ) -> Result<Answer, SendErrorKind> {
        let deadline = self.settings.deadline;
        let permit = timeout_at(deadline, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err(SendErrorKind::Timeout) };
        self.pace.wait(deadline).await.map_err(|why| match why {
            TooLate::Paused(pause) => SendErrorKind::PauseBeyondTimeout(pause),
            TooLate::Budget => SendErrorKind::BudgetBeyondTimeout,
        })?;
        let id = uuid::Uuid::new_v4().to_string();
        *attempts = attempts.saturating_add(1);
        *last_id = Some(id.clone());
        match timeout_at(deadline, exchange(connections, request, &id)).await {
            Err(_) => Err(SendErrorKind::Timeout),
            Ok(Err(error)) => Err(error),
            Ok(Ok(answer)) => Ok(Answer { client_request_id: id, attempts: *attempts, ..answer }),
        }
    }

    fn time_left(&self) -> Duration {
        self.settings.deadline.saturating_duration_since(Instant::now())
    }

    /// After a 503 Graph wants the request on a new connection
    /// (<https://learn.microsoft.com/graph/best-practices-concept>).
    fn new_connections(&self) -> reqwest::Client {
        // What could be made once can be made again; if not, the old ones still serve.
        connections(self.loopback).unwrap_or_else(|_| self.connections.clone())
    }
}

/// Sends a request once and takes the whole answer.
async fn exchange(
    connections: &reqwest::Client,
    request: &Request,
    id: &str,
) -> Result<Answer, SendErrorKind> {
    let Request { method, url, authorization } = request;
    let broken = |error: reqwest::Error| SendErrorKind::Broken(with_causes(&error.without_url()));
    let started = Instant::now();
    let mut response = connections
        .request(method.clone(), url.clone())
        .header(header::AUTHORIZATION, authorization)
        .header(header::ACCEPT, "application/json")
        .header(CLIENT_REQUEST_ID, id)
        .send()
        .await
        .map_err(broken)?;
    let status = response.status();
    if status.is_redirection() {
        let location = response.headers().get(header::LOCATION);
        let location = location.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        return Err(SendErrorKind::Redirected(location.unwrap_or_default()));
    }
    let headers = response.headers().clone();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len().saturating_add(chunk.len()) > MAX_BODY {
            return Err(SendErrorKind::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    debug!("{method} {url} → {} in {} ms, {id}", status.as_u16(), started.elapsed().as_millis());
    Ok(Answer { status: status.as_u16(), headers, body, client_request_id: String::new(), attempts: 0 })
}

fn connections(loopback: bool) -> reqwest::Result<reqwest::Client> {
    let same_place = redirect::Policy::custom(|attempt| {
        let from = attempt.previous().last().map(Url::origin);
        if from == Some(attempt.url().origin()) && attempt.previous().len() <= 5 {
            attempt.follow()
        } else {
            attempt.stop()
        }
    });
    let builder = reqwest::Client::builder()
        .user_agent(concat!("flowbind/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .retry(reqwest::retry::never())
        .redirect(same_place);
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
