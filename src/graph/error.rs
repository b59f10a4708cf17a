//! Errors of requests to Graph, classified by status and kind.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::advice::{self, LOGIN_OVER_HINT, SIGN_IN_FAILED_HINT, unreachable_hint};
use super::permission::Need;
use crate::diagnostic::{Code, clipped};
use crate::http::{Answer, AuthorizeError, ClientError, SendError, SendErrorKind, Unreachable, foreign_text};
use crate::model::ReadError;

/// Failed request to Graph.
#[derive(Debug, thiserror::Error)]
#[error("{request}: {kind}{}", ids(.request_id.as_deref(), .client_request_id.as_deref()))]
pub struct GraphError {
    /// The request.
    pub request: RequestLine,
    /// Reason of the failure.
    pub kind: GraphErrorKind,
    /// Graph's id of the request.
    pub request_id: Option<String>,
    /// Client's id of the request.
    pub client_request_id: Option<String>,
    /// Number of attempts; 0 if the request was never sent.
    pub attempts: u32,
    /// Whether the service may have processed the request nevertheless.
    pub may_have_acted: bool,
}

/// Reason of a [`GraphError`].
#[derive(Debug, thiserror::Error)]
pub enum GraphErrorKind {
    /// No final response.
    #[error("{error}{}", preceding(.before.as_deref()))]
    NoAnswer {
        /// Reason.
        error: Box<SendError>,
        /// Last response to an earlier attempt.
        before: Option<Box<Rejection>>,
    },
    /// Response with an error status.
    #[error("{0}")]
    Rejected(Rejection),
    /// Response with a success status and an unusable body.
    #[error("unexpected response from Graph: {0}")]
    UnexpectedResponse(String),
    /// Link to another host, which would receive the token.
    #[error("Graph's link to the next page leads to {0}; not followed, so that the token is not sent there")]
    ForeignLink(String),
    /// Redirect.
    #[error("Graph answered with a redirect to {0}; not followed, so that the token is not sent there")]
    Redirect(String),
}

/// Error response. It is classified by its status, because Graph uses one code for most errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// HTTP status.
    pub status: u16,
    /// Graph's error code.
    pub code: Option<String>,
    /// Graph's error message.
    pub message: Option<String>,
    /// Number of attempts.
    pub attempts: u32,
    /// Whether the body is another document than JSON, such as the page of a proxy; `message` describes it.
    pub is_foreign: bool,
}

impl fmt::Display for Rejection {
    /// Writes `403 Code: message`, and the number of attempts if there were several.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        match (&self.code, &self.message) {
            (Some(code), Some(message)) => write!(f, " {code}: {message}")?,
            (Some(text), None) | (None, Some(text)) => write!(f, " {text}")?,
            (None, None) => {}
        }
        if self.attempts > 1 { write!(f, " ({} attempts)", self.attempts) } else { Ok(()) }
    }
}

/// Returns a text about the last response to an earlier attempt, without its number of attempts; empty if
/// there is none.
fn preceding(rejection: Option<&Rejection>) -> String {
    let without_attempts = |it: &Rejection| Rejection { attempts: 1, ..it.clone() };
    rejection.map(|it| format!("; the last response was {}", without_attempts(it))).unwrap_or_default()
}

fn ids(request_id: Option<&str>, client_request_id: Option<&str>) -> String {
    let ids: Vec<_> = [("request-id", request_id), ("client-request-id", client_request_id)]
        .into_iter()
        .filter_map(|(name, id)| Some(format!("{name} {}", id?)))
        .collect();
    if ids.is_empty() { String::new() } else { format!(" ({})", ids.join(", ")) }
}

impl GraphError {
    /// Returns whether Graph answered 404.
    pub fn is_not_found(&self) -> bool {
        self.rejected_status() == Some(404)
    }

    /// Returns whether Graph rejected the request as invalid (400).
    pub fn is_bad_request(&self) -> bool {
        self.rejected_status() == Some(400)
    }

    /// Returns whether Graph rejected the credential (401) or its permissions (403).
    pub fn is_denied(&self) -> bool {
        matches!(self.rejected_status(), Some(401 | 403))
    }

    /// Returns the status with which Graph rejected the request. The page of a proxy is not an answer of Graph.
    fn rejected_status(&self) -> Option<u16> {
        self.rejection().filter(|rejection| !rejection.is_foreign).map(|rejection| rejection.status)
    }

    /// Returns the host that cannot be reached, if that is the reason: Graph's, or the login host if the token
    /// could not be renewed. Every request of the run to this host fails with the same value.
    pub fn unreachable(&self) -> Option<&Arc<Unreachable>> {
        let GraphErrorKind::NoAnswer { error, .. } = &self.kind else { return None };
        error.unreachable()
    }

    /// Returns whether Graph asked for a pause that is longer than the time that is left.
    pub(super) fn is_deferred(&self) -> bool {
        self.pause_beyond_timeout().is_some()
    }

    fn pause_beyond_timeout(&self) -> Option<Duration> {
        let GraphErrorKind::NoAnswer { error, .. } = &self.kind else { return None };
        let SendErrorKind::PauseBeyondTimeout(pause) = error.kind else { return None };
        Some(pause)
    }

    /// Returns the code of the diagnostic: by status, code and message for a rejection, else by the reason
    /// why there is no usable response.
    pub fn code(&self) -> Code {
        match &self.kind {
            GraphErrorKind::Rejected(rejection) => match (rejection.tenant_problem(), rejection.status) {
                (Some((code, _)), _) => code,
                // A gateway of Graph itself may answer 5xx with a page.
                (None, 400..500) if rejection.is_foreign => Code::GraphUnexpectedResponse,
                (None, 401) => Code::TokenRejected,
                (None, 403) => Code::PermissionMissing,
                (None, _) => Code::GraphRejected,
            },
            GraphErrorKind::UnexpectedResponse(_) | GraphErrorKind::ForeignLink(_) => {
                Code::GraphUnexpectedResponse
            }
            GraphErrorKind::Redirect(_) => Code::GraphRedirect,
            GraphErrorKind::NoAnswer { error, .. } => match &error.kind {
                SendErrorKind::Broken(_) => Code::GraphNoResponse,
                SendErrorKind::SignIn(AuthorizeError { unreachable: None, .. }) => Code::SignInFailed,
                SendErrorKind::SignIn(_) | SendErrorKind::Unreachable(_) => Code::GraphUnreachable,
                SendErrorKind::Client(error) => error.into(),
                SendErrorKind::PauseBeyondTimeout(_)
                | SendErrorKind::ThrottledUntilDeadline
                | SendErrorKind::RateLimitBeyondTimeout => Code::GraphThrottled,
                SendErrorKind::RunTimeout | SendErrorKind::RequestTimeout => Code::Timeout,
                SendErrorKind::TooLarge | SendErrorKind::TooLargeTogether => Code::GraphUnexpectedResponse,
                SendErrorKind::Stopped => Code::Interrupted,
                SendErrorKind::Halted => Code::ChangeNotAttempted,
            },
        }
    }

    /// Returns what to do, and what the response means, each if that is known.
    fn hint_and_meaning(&self) -> (Option<String>, Option<&'static str>) {
        let known = |(meaning, hint): advice::Known| (Some(hint.to_owned()), Some(meaning));
        let hint = |hint: &str| (Some(hint.to_owned()), None);
        if let Some((_, problem)) = self.rejection().and_then(Rejection::tenant_problem) {
            return known(problem);
        }
        match self.code() {
            Code::TokenRejected => known(advice::TOKEN_REJECTED),
            Code::PermissionMissing => known(match self.request.need {
                Need::Flows => advice::CANNOT_LIST_FLOWS,
                Need::Bindings => advice::CANNOT_READ_BINDINGS,
                Need::Connectors => advice::CANNOT_READ_CONNECTORS,
                Need::Changes => advice::CANNOT_CHANGE_BINDINGS,
            }),
            Code::GraphUnexpectedResponse | Code::GraphRedirect => {
                hint("check whether a proxy answers in place of Graph, and `--graph-url`")
            }
            Code::GraphUnreachable => (self.unreachable().map(|it| unreachable_hint(it)), None),
            Code::SignInFailed => {
                hint(if self.is_login_over() { LOGIN_OVER_HINT } else { SIGN_IN_FAILED_HINT })
            }
            Code::GraphThrottled | Code::Timeout => match self.pause_beyond_timeout() {
                Some(pause) => hint(&format!(
                    "run again later, or with a `--timeout` of more than {} s",
                    pause.as_secs_f64().ceil()
                )),
                None => hint("run again with a larger `--timeout`, such as `--timeout 1800`"),
            },
            _ => (None, None),
        }
    }

    fn is_login_over(&self) -> bool {
        let GraphErrorKind::NoAnswer { error, .. } = &self.kind else { return false };
        matches!(error.kind, SendErrorKind::SignIn(AuthorizeError { is_login_over: true, .. }))
    }

    fn rejection(&self) -> Option<&Rejection> {
        match &self.kind {
            GraphErrorKind::Rejected(rejection) => Some(rejection),
            _ => None,
        }
    }

    /// Returns what the response means, if that is known.
    pub fn meaning(&self) -> Option<&'static str> {
        self.hint_and_meaning().1
    }

    /// Returns the hint, if what to do is known.
    pub fn hint(&self) -> Option<String> {
        self.hint_and_meaning().0
    }

    /// Creates the error of a request without a usable response. Keeps the ids and attempts of `error`, and
    /// the last response that was to be retried.
    pub(super) fn from_send_error(request: RequestLine, mut error: SendError) -> Self {
        let last = error.last.take().map(|answer| parse_rejection(&answer));
        let (before, request_id) = last.unzip();
        Self {
            request,
            client_request_id: error.client_request_id.take(),
            attempts: error.attempts,
            may_have_acted: error.may_have_acted,
            request_id: request_id.flatten(),
            kind: GraphErrorKind::NoAnswer { error: Box::new(error), before: before.map(Box::new) },
        }
    }

    /// Creates the error of a response that is an error: `Redirect` for a 3xx with `Location`, else
    /// `Rejected` with the status and the code and message of the body.
    pub fn from_rejection(request: RequestLine, answer: &Answer) -> Self {
        let (rejection, request_id) = parse_rejection(answer);
        let kind = match redirect_target(answer) {
            Some(target) => GraphErrorKind::Redirect(target),
            None => GraphErrorKind::Rejected(rejection),
        };
        Self { request_id, ..Self::from_answer(request, answer, kind) }
    }

    /// Creates the error of several responses whose content does not fit together.
    pub(super) fn from_content(request: RequestLine, why: String) -> Self {
        Self {
            request,
            kind: GraphErrorKind::UnexpectedResponse(why),
            request_id: None,
            client_request_id: None,
            attempts: 1,
            may_have_acted: false,
        }
    }

    /// Creates the error of a response that is unusable for another reason than its status.
    pub(super) fn from_answer(request: RequestLine, answer: &Answer, kind: GraphErrorKind) -> Self {
        Self {
            request,
            kind,
            request_id: request_id(answer),
            client_request_id: Some(answer.client_request_id.clone()),
            attempts: answer.attempts,
            may_have_acted: answer.may_have_acted,
        }
    }
}

/// Request as errors show it, and the permission that it needs.
#[derive(Debug, Clone)]
pub struct RequestLine {
    /// Permission that the request needs.
    pub need: Need,
    /// Method and path.
    pub line: String,
}

impl RequestLine {
    /// Describes a request without the host, which is the same in all of a run, and without the query, which
    /// may hold the token of a page.
    pub(super) fn new(need: Need, method: &Method, url: &Url) -> Self {
        Self { need, line: format!("{method} {}", url.path()) }
    }
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl Rejection {
    /// Returns the problem of a tenant that rejects every request for its user flows; `None` if the rejection is
    /// due to the request. Status and code are those of any bad request, so only the message identifies the kind
    /// of the tenant.
    fn tenant_problem(&self) -> Option<(Code, advice::Known)> {
        let message = self.message.as_deref().unwrap_or_default();
        if message.contains("is not an Azure AD B2C directory") {
            Some((Code::TenantKindMismatch, advice::B2C_FLOWS_IN_WORKFORCE_TENANT))
        } else if message.contains("is an Azure AD B2C directory") {
            Some((Code::TenantKindMismatch, advice::B2X_FLOWS_IN_B2C_TENANT))
        } else if self.code.as_deref() == Some("AADB2C99039")
            || message.contains("self service sign up is not enabled")
        {
            Some((Code::SelfServiceDisabled, advice::SELF_SERVICE_DISABLED))
        } else {
            None
        }
    }
}

impl From<&ClientError> for Code {
    fn from(error: &ClientError) -> Self {
        match error {
            ClientError::NoAuthorities | ClientError::UnusableAuthorities { .. } => Self::TrustStoreUnusable,
            ClientError::InvalidCertificate { .. } | ClientError::NoCertificate => Self::InvalidCaFile,
            ClientError::Build(_) | ClientError::Request(_) => Self::System,
        }
    }
}

impl From<&GraphError> for ReadError {
    fn from(error: &GraphError) -> Self {
        let (hint, meaning) = error.hint_and_meaning();
        // The number of attempts differs from request to request of one cause.
        let cause = match &error.kind {
            GraphErrorKind::Rejected(rejection) => Rejection { attempts: 1, ..rejection.clone() }.to_string(),
            GraphErrorKind::NoAnswer { error: send_error, before } => match send_error.unreachable() {
                Some(unreachable) => unreachable.to_string(),
                None => format!("{}{}", send_error.kind, preceding(before.as_deref())),
            },
            kind => kind.to_string(),
        };
        let ids = ids(error.request_id.as_deref(), error.client_request_id.as_deref());
        let attempts = error.rejection().map(|it| it.attempts).filter(|attempts| *attempts > 1);
        let attempts = attempts.map(|attempts| format!(", {attempts} attempts")).unwrap_or_default();
        Self {
            code: error.code(),
            cause: cause.into(),
            meaning: meaning.map(Into::into),
            hint: hint.map(Into::into),
            request: Some(format!("{}{attempts}{ids}", error.request).into()),
        }
    }
}

/// Returns the origin that a redirect leads to, for messages. `None` if the status is not 3xx or there is no
/// `Location`.
fn redirect_target(answer: &Answer) -> Option<String> {
    let location = answer.headers.get("location").filter(|_| (300..400).contains(&answer.status))?;
    Some(origin(&String::from_utf8_lossy(location.as_bytes())))
}

/// Returns the origin of a link in backticks, for messages, without its path and query, which may hold
/// secrets. For a link that has no host, or that is relative or invalid, returns a text that describes this.
pub(super) fn origin(link: &str) -> String {
    match Url::parse(link) {
        Ok(url) if url.has_host() => format!("`{}`", url.origin().ascii_serialization()),
        Ok(_) => "a URL without a host".into(),
        Err(_) => "a relative or invalid URL".into(),
    }
}

/// Parses an error response, truncated to what a person reads, and Graph's id of the request.
fn parse_rejection(answer: &Answer) -> (Rejection, Option<String>) {
    let error = serde_json::from_slice::<ErrorBody>(&answer.body).unwrap_or_default().error;
    let foreign = describe_foreign(answer);
    let rejection = Rejection {
        status: answer.status,
        code: error.code.as_deref().map(foreign_text),
        is_foreign: foreign.is_some(),
        message: foreign.or(error.message.as_deref().map(foreign_text)),
        attempts: answer.attempts,
    };
    (rejection, request_id(answer).or(error.inner_error.request_id.as_deref().map(foreign_text)))
}

/// Describes a body that is another document than JSON, such as the page of a proxy; `None` if it is empty or JSON.
pub(super) fn describe_foreign(answer: &Answer) -> Option<String> {
    let error = serde_json::from_slice::<IgnoredAny>(&answer.body).err()?;
    let is_foreign = !is_json(answer) && !answer.body.trim_ascii().is_empty();
    is_foreign.then(|| describe_unexpected(answer, &error))
}

/// Describes a response that is not the JSON that was asked for: with the parse error if its content type is
/// JSON, otherwise with the content type and the beginning of the body. That is how the sign-in page of a
/// proxy is recognized.
pub(super) fn describe_unexpected(answer: &Answer, error: &serde_json::Error) -> String {
    const SHOWN: usize = 80;
    if is_json(answer) {
        return foreign_text(&error.to_string());
    }
    let content_type = content_type(answer).unwrap_or("no content type");
    let body = String::from_utf8_lossy(&answer.body);
    let start: Vec<_> = body.split_whitespace().take(SHOWN).collect();
    let start = foreign_text(&start.join(" "));
    format!("not JSON ({}: \"{}\")", foreign_text(content_type), clipped(&start, SHOWN))
}

fn content_type(answer: &Answer) -> Option<&str> {
    answer.headers.get(CONTENT_TYPE)?.to_str().ok()
}

fn is_json(answer: &Answer) -> bool {
    content_type(answer).is_some_and(|content_type| content_type.contains("json"))
}

/// Returns Graph's id of the request, from the header `request-id`; `None` if it is missing.
pub(super) fn request_id(answer: &Answer) -> Option<String> {
    let header = answer.headers.get("request-id")?;
    header.to_str().ok().map(foreign_text)
}

/// The body of an error (<https://learn.microsoft.com/graph/errors>). Missing or
/// malformed fields are ignored; the HTTP status is then the only information.
#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    error: ErrorObject,
}

#[derive(Debug, Default, Deserialize)]
struct ErrorObject {
    code: Option<String>,
    message: Option<String>,
    #[serde(default, alias = "innererror", rename = "innerError")]
    inner_error: InnerError,
}

#[derive(Debug, Default, Deserialize)]
struct InnerError {
    #[serde(rename = "request-id")]
    request_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(header: Option<&'static str>, body: &str) -> String {
        let mut headers = reqwest::header::HeaderMap::new();
        headers.extend(header.map(|id| {
            (
                reqwest::header::HeaderName::from_static("request-id"),
                reqwest::header::HeaderValue::from_static(id),
            )
        }));
        let body = body.as_bytes().to_vec();
        let (client_request_id, may_have_acted) = ("ours".into(), false);
        let answer = Answer { status: 403, headers, body, client_request_id, attempts: 1, may_have_acted };
        let request = RequestLine { need: Need::Flows, line: "GET /x".into() };
        GraphError::from_rejection(request, &answer).to_string()
    }

    #[test]
    fn rejection_shows_code_message_and_request_id_of_header_or_body() {
        for inner in ["innerError", "innererror"] {
            let body =
                format!(r#"{{"error": {{"code": "C", "message": "M.", "{inner}": {{"request-id": "b"}}}}}}"#);
            assert_eq!(rejected(None, &body), "GET /x: 403 C: M. (request-id b, client-request-id ours)");
            assert_eq!(
                rejected(Some("h"), &body),
                "GET /x: 403 C: M. (request-id h, client-request-id ours)"
            );
        }
    }

    #[test]
    fn request_without_client_is_not_an_unreachable_host() {
        for (error, code) in [
            (ClientError::NoAuthorities, Code::TrustStoreUnusable),
            (ClientError::Build("x".into()), Code::System),
            (ClientError::Request("x".into()), Code::System),
        ] {
            let kind = SendErrorKind::Client(error);
            let error =
                SendError { kind, client_request_id: None, attempts: 0, may_have_acted: false, last: None };
            let request = RequestLine { need: Need::Flows, line: "GET /x".into() };
            assert_eq!(GraphError::from_send_error(request, error).code(), code);
        }
    }

    #[test]
    fn rejection_with_a_long_message_is_truncated() {
        let body = format!(r#"{{"error": {{"message": "{}"}}}}"#, "é".repeat(1_000_000));
        assert!(rejected(None, &body).chars().count() < 2_100);
        let body = format!(r#"{{"error": {{"innerError": {{"request-id": "{}"}}}}}}"#, "é".repeat(1_000_000));
        assert!(rejected(None, &body).chars().count() < 2_100);
    }

    #[test]
    fn rejection_with_a_malformed_body_shows_the_status_alone() {
        for body in ["", "[]", "{}", r#"{"error": 7}"#, r#"{"error": {"code": 7}}"#] {
            assert_eq!(rejected(None, body), "GET /x: 403 (client-request-id ours)", "{body}");
        }
    }

    #[test]
    fn rejection_with_a_page_shows_its_beginning() {
        let expected = "GET /x: 403 not JSON (no content type: \"<html>no</html>\") (client-request-id ours)";
        assert_eq!(rejected(None, "<html>no</html>"), expected);
    }
}
