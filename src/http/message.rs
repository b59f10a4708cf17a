//! A request, its answer, and what may keep the answer from coming.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use tokio::time::Instant;

use super::Stop;
use super::failure::{FailureReason, Unreachable};
use super::pace::later;

/// One request, as often as it takes.
#[derive(Debug)]
pub struct Request<'a> {
    /// The verb.
    pub method: Method,
    /// Where it goes. Redirects are not followed.
    pub url: Url,
    /// What is said besides: the type of the body, above all.
    pub headers: HeaderMap,
    /// What the request is authorized by; none for what is public.
    pub authorization: Option<&'a dyn Authorize>,
    /// What is sent along.
    pub body: Option<String>,
    /// How long it is tried.
    pub patience: Patience,
    /// Turns true when this request is not to be begun any more, whatever the run does.
    pub halt: Option<Stop>,
}

/// Error of a credential that has no valid token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AuthorizeError {
    /// What failed and why.
    pub message: String,
    /// The login host, if the reason is that it cannot be reached.
    pub unreachable: Option<Arc<Unreachable>>,
}

/// Gives each attempt its `Authorization`, since a token may expire while a request waits.
pub trait Authorize: fmt::Debug + Send + Sync {
    /// The header of a request that goes out now, marked sensitive; or why there is none.
    fn header(&self) -> BoxFuture<'_, Result<HeaderValue, AuthorizeError>>;

    /// Whether there is another header now, in place of one that the service refused with 401.
    fn renewed<'a>(&'a self, refused: &'a HeaderValue) -> BoxFuture<'a, bool>;
}

/// How long a request is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Until it is answered for good, the time of the run is over, or the run is stopped.
    Full,
    /// The same, but no longer than this, besides what the budget or a 429 hold it back.
    For(Duration),
    /// Once, until then, even when the run is stopped or out of time.
    LastWord(Instant),
}

impl Patience {
    /// The last word on something, or on several things at once: some seconds from now.
    pub fn last_word() -> Self {
        const LAST_WORD: Duration = Duration::from_secs(10);
        Self::LastWord(later(Instant::now(), LAST_WORD))
    }

    /// Whether the request is sent once, even if the run is stopped.
    pub(super) fn is_final_attempt(self) -> bool {
        matches!(self, Self::LastWord(_))
    }
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
    /// Whether the service may have done what was asked before it answered so: not where it turned the
    /// request away each time.
    pub may_have_acted: bool,
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
    /// Whether the service may have done what was asked: not where it turned the request away each time.
    pub may_have_acted: bool,
    /// The last answer, which was not for good.
    pub last: Option<Box<Answer>>,
}

/// What kept an answer from coming.
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
    Invalid(String),
    /// There is no token to send it with.
    #[error("{0}")]
    SignIn(AuthorizeError),
    /// The service wants a longer pause than there is time.
    #[error("the service asks for a pause of {} s, which is more than the time left", .0.as_secs_f64().ceil())]
    PauseBeyondTimeout(Duration),
    /// The service throttles without saying for how long, and the time is too short to ask again.
    #[error("the service throttles the run, and too little time is left to ask again")]
    ThrottledToTheEnd,
    /// The budget has no room before the time is over.
    #[error("the request budget (`--rate`) has no room in the time left")]
    BudgetBeyondTimeout,
    /// The time of the run is over.
    #[error("the time for the whole run (`--timeout`) is over")]
    Timeout,
    /// The time for this request is over.
    #[error("there was no answer in the time for it")]
    Late,
    /// The answer is larger than any that is expected.
    #[error("the answer is larger than 2 MiB")]
    TooLarge,
    /// The answers to all requests in flight are larger than any that are expected.
    #[error("the answers that come in at once are larger than 32 MiB")]
    TooLargeTogether,
    /// Somebody asked the run to stop.
    #[error("the run was stopped")]
    Stopped,
    /// Something else made the request needless.
    #[error("the request was not sent again, since another one failed before")]
    Halted,
}

impl SendError {
    /// The host that cannot be reached, if that is the reason: the one of the request, or the login host.
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
