//! Requests, responses and errors of the HTTP client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use tokio::time::Instant;

use super::connections::ClientError;
use super::failure::{FailureReason, Unreachable};
use super::rate_limiter::saturating_add;
use super::stop::Halt;

/// One request, with all of its attempts.
#[derive(Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The URL. Redirects are not followed.
    pub url: Url,
    /// Additional headers, above all the type of the body.
    pub headers: HeaderMap,
    /// The source of the `Authorization` header; `None` for a request without one.
    pub authorization: Option<&'a dyn Authorize>,
    /// The body.
    pub body: Option<String>,
    /// How long the request is retried.
    pub retry_budget: RetryBudget,
    /// Turns true when this request must not be started any more, even if the run continues.
    pub halt: Option<Halt>,
}

impl Request<'_> {
    /// Creates a request without headers, credential and body, that is retried until the deadline of the run.
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            authorization: None,
            body: None,
            retry_budget: RetryBudget::UntilDeadline,
            halt: None,
        }
    }
}

/// Error of a credential that has no valid token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AuthorizeError {
    /// What failed and why.
    pub message: String,
    /// The login host, if the reason is that it cannot be reached.
    pub unreachable: Option<Arc<Unreachable>>,
    /// Whether the reason is that the login is over, so that only a new one helps.
    pub is_login_over: bool,
}

/// Source of `Authorization` headers. Each attempt asks for one, because a token may expire while a request
/// waits.
pub trait Authorize: fmt::Debug + Send + Sync {
    /// Returns the `Authorization` header of a request that is sent now, marked as sensitive. May request a
    /// new token first.
    fn header(&self) -> BoxFuture<'_, Result<HeaderValue, AuthorizeError>>;

    /// Requests a new token unless another request did so already. Returns whether there is another header
    /// now than the one that the service rejected with 401. Fails if only a new login helps.
    fn renewed<'a>(&'a self, rejected: &'a HeaderValue) -> BoxFuture<'a, Result<bool, AuthorizeError>>;
}

/// How long a request is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryBudget {
    /// Until the deadline of the run, or until the run is stopped, but for at most 45 s of attempts and our own
    /// pauses. A retry that waits longer for `Retry-After` or for the rate limit is the last one. Waiting for a host
    /// that is down or for the end of a 429 does not count.
    UntilDeadline,
    /// Until the deadline of the run, or until the run is stopped, but not longer than this. Time spent waiting for the
    /// rate limit or a 429 does not count.
    For(Duration),
    /// One attempt that ends at this time, even if the run is stopped or its deadline is over.
    FinalAttempt(Instant),
}

impl RetryBudget {
    /// Returns a `FinalAttempt` that ends 10 s from now.
    pub fn final_attempt() -> Self {
        const FINAL_ATTEMPT: Duration = Duration::from_secs(10);
        Self::FinalAttempt(saturating_add(Instant::now(), FINAL_ATTEMPT))
    }

    /// Returns whether the request is sent once, even if the run is stopped.
    pub(super) fn is_final_attempt(self) -> bool {
        matches!(self, Self::FinalAttempt(_))
    }
}

/// A response of any status.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The complete body.
    pub body: Vec<u8>,
    /// The `client-request-id` of the request.
    pub client_request_id: String,
    /// How often the request was sent.
    pub attempts: u32,
    /// Whether the service may have processed the request before this response: false if every attempt was
    /// rejected.
    pub may_have_acted: bool,
}

/// Error of a request without a usable response.
#[derive(Debug, thiserror::Error)]
#[error("{kind}{}", tries(*attempts))]
pub struct SendError {
    /// The reason.
    pub kind: SendErrorKind,
    /// The `client-request-id` of the last attempt that was sent.
    pub client_request_id: Option<String>,
    /// How often the request was sent. An attempt without a connection does not count.
    pub attempts: u32,
    /// Whether the service may have processed the request: false if every attempt was rejected or had no
    /// connection.
    pub may_have_acted: bool,
    /// The last response, which was to be retried.
    pub last: Option<Box<Answer>>,
}

/// Reason why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum SendErrorKind {
    /// The request was sent, and the connection broke or stayed silent. The host answered other requests.
    #[error("{0}")]
    Broken(FailureReason),
    /// The host cannot be reached. All requests to it fail with this error until it answers again.
    #[error("{0}")]
    Unreachable(Arc<Unreachable>),
    /// No request can be made: the URL, the proxy or the certificate store is not usable.
    #[error("{0}")]
    Client(ClientError),
    /// There is no token.
    #[error("{0}")]
    SignIn(AuthorizeError),
    /// `Retry-After` is longer than the time that is left.
    #[error("the service asked to wait {} s, which is more than the time left", .0.as_secs_f64().ceil())]
    PauseBeyondTimeout(Duration),
    /// The service throttles without `Retry-After`, and the next attempt would come too late.
    #[error("the service throttles the run (429), and too little time is left to retry")]
    ThrottledUntilDeadline,
    /// The rate limit admits no request before the deadline.
    #[error("the rate limit (`--rate`) admits no further request in the time left")]
    RateLimitBeyondTimeout,
    /// The deadline of the run is over.
    #[error("the time limit of the run (`--timeout`) is over")]
    RunTimeout,
    /// The time for this request is over.
    #[error("timed out: no answer in the time for this request")]
    RequestTimeout,
    /// The response is larger than any valid one.
    #[error("the answer is larger than 2 MiB")]
    TooLarge,
    /// The responses of all requests in flight are too large together.
    #[error("the answers in flight are larger than 32 MiB together")]
    TooLargeTogether,
    /// The run was stopped by a signal.
    #[error("the run was interrupted")]
    Stopped,
    /// The request was cancelled through [`Request::halt`].
    #[error("not retried, because another change failed before")]
    Halted,
}

impl SendError {
    /// Returns the host that cannot be reached, if that is the reason: the one of the request, or the login
    /// host.
    pub fn unreachable(&self) -> Option<&Arc<Unreachable>> {
        match &self.kind {
            SendErrorKind::Unreachable(unreachable) => Some(unreachable),
            SendErrorKind::SignIn(error) => error.unreachable.as_ref(),
            _ => None,
        }
    }
}

fn tries(attempts: u32) -> String {
    if attempts > 1 { format!(" (tried {attempts} times)") } else { String::new() }
}
