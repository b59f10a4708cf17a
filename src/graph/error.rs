//! What went wrong between us and Graph, in the service's own words.

use std::fmt;
use std::sync::Arc;

use reqwest::Url;
use serde::Deserialize;

use crate::http::{Answer, SendError, SendErrorKind, Unreachable, truncate};
use crate::model::{Advice, Unread};

/// A request that did not give what it was for.
#[derive(Debug, thiserror::Error)]
#[error("{request}: {kind}{}", ids(.request_id.as_deref(), .client_request_id.as_deref()))]
pub struct GraphError {
    /// The verb and the path.
    pub request: String,
    /// What happened.
    pub kind: GraphErrorKind,
    /// Graph's tag of the request.
    pub request_id: Option<String>,
    /// Our tag of the request.
    pub client_request_id: Option<String>,
    /// How often it was sent, or tried to be; 0 where it never left.
    pub attempts: u32,
    /// Whether the service may have done what was asked all the same.
    pub may_have_acted: bool,
}

/// What Graph or the way to it did.
#[derive(Debug, thiserror::Error)]
pub enum GraphErrorKind {
    /// No answer for good, and what was answered before.
    #[error("{error}{}", answered(.before.as_deref()))]
    NoAnswer {
        /// Why.
        error: Box<SendError>,
        /// The last answer, which was to be asked for again.
        before: Option<Box<Refusal>>,
    },
    /// An answer that says no.
    #[error("{0}")]
    Refused(Refusal),
    /// An answer that is not what was asked for.
    #[error("the answer makes no sense: {0}")]
    Broken(String),
    /// A link to elsewhere, which would take the token along.
    #[error("the answer leads to `{0}`, and the token goes nowhere but to the Graph URL")]
    LeadsElsewhere(String),
    /// A redirect, wherever it leads.
    #[error(
        "the answer is a redirect to `{0}`, and none is followed: the token goes nowhere but to the Graph URL"
    )]
    Redirect(String),
}

/// What the service said no with. Classified by its status: the code is mostly a catch-all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The service's code.
    pub code: Option<String>,
    /// The service's message.
    pub message: Option<String>,
    /// How often it was asked.
    pub attempts: u32,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "answered {}", self.status)?;
        for word in [&self.code, &self.message].into_iter().flatten() {
            write!(f, ": {word}")?;
        }
        if self.attempts > 1 {
            write!(f, " (tried {} times)", self.attempts)?;
        }
        Ok(())
    }
}

fn answered(refusal: Option<&Refusal>) -> String {
    refusal
        .map(|refusal| format!("; before that it {}", Refusal { attempts: 1, ..refusal.clone() }))
        .unwrap_or_default()
}

fn ids(request_id: Option<&str>, client_request_id: Option<&str>) -> String {
    let ids: Vec<_> = [("request-id", request_id), ("client-request-id", client_request_id)]
        .into_iter()
        .filter_map(|(name, id)| Some(format!("{name} {}", id?)))
        .collect();
    if ids.is_empty() { String::new() } else { format!(" ({})", ids.join(", ")) }
}

impl GraphError {
    /// Whether the service says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, GraphErrorKind::Refused(Refusal { status: 404, .. }))
    }

    /// What is behind it, and what to do about it, where that is known. The status tells what went
    /// wrong; the message is looked at only for the kind of tenant, which nothing else tells.
    pub fn advice(&self) -> Option<Advice> {
        let GraphErrorKind::Refused(refusal) = &self.kind else { return None };
        let message = refusal.message.as_deref().unwrap_or_default();
        let says = |words: &str| message.contains(words);
        if says("is not an Azure AD B2C directory") {
            return Some(advice::NO_B2C_TENANT);
        }
        if says("is an Azure AD B2C directory") {
            return Some(advice::A_B2C_TENANT);
        }
        if refusal.code.as_deref() == Some("AADB2C99039") || says("self service sign up is not enabled") {
            return Some(advice::NO_SELF_SERVICE);
        }
        match refusal.status {
            401 => Some(advice::NO_TOKEN),
            403 if self.request.starts_with("PUT") => Some(advice::NO_CHANGES),
            403 if self.request.contains("/apiConnectorConfiguration") => Some(advice::NO_BINDINGS),
            403 if self.request.contains("/apiConnectors") => Some(advice::NO_CONNECTORS),
            403 => Some(advice::NO_FLOWS),
            _ => None,
        }
    }

    /// What happened, and what to do about it where that is known.
    pub fn with_advice(&self) -> String {
        match self.advice() {
            Some(Advice { problem, hint }) => format!("{self}. {problem}: {hint}"),
            None => self.to_string(),
        }
    }

    /// Whether the service says that the credential does not do.
    pub fn is_denied(&self) -> bool {
        matches!(self.kind, GraphErrorKind::Refused(Refusal { status: 401 | 403, .. }))
    }

    /// The host that cannot be reached, if that is the reason: Graph's, or the login host if the token
    /// could not be renewed. Every request of the run to this host fails with the same value.
    pub fn unreachable(&self) -> Option<&Arc<Unreachable>> {
        let GraphErrorKind::NoAnswer { error, .. } = &self.kind else { return None };
        error.unreachable()
    }

    /// Whether the service wants to be left alone for longer than there is time.
    pub(super) fn is_put_off(&self) -> bool {
        let GraphErrorKind::NoAnswer { error, .. } = &self.kind else { return false };
        matches!(error.kind, SendErrorKind::PauseBeyondTimeout(_))
    }

    pub(super) fn not_sent(request: String, mut error: SendError) -> Self {
        let last = error.last.take().map(|answer| words(&answer));
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

    /// An answer whose status is no success, to a `request` that is shown by its verb and path.
    pub fn refused(request: String, answer: &Answer) -> Self {
        let (refusal, request_id) = words(answer);
        let kind = match location(answer) {
            Some(place) => GraphErrorKind::Redirect(place),
            None => GraphErrorKind::Refused(refusal),
        };
        Self { request_id, ..Self::of(request, answer, kind) }
    }

    /// An answer that is no use for another reason than its status.
    pub(super) fn of(request: String, answer: &Answer, kind: GraphErrorKind) -> Self {
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

/// What is known to be behind refusals.
mod advice {
    use super::Advice;

    pub(super) const NO_B2C_TENANT: Advice = Advice {
        problem: "the user flows are of Azure AD B2C (`B2C_1_…`), and the tenant is a workforce tenant",
        hint: "name the B2C tenant, or the workforce tenant's own flows (`B2X_1_…`)",
    };
    pub(super) const A_B2C_TENANT: Advice = Advice {
        problem: "the user flows are of a workforce tenant (`B2X_1_…`), and the tenant is one of Azure AD B2C",
        hint: "name the workforce tenant, or the B2C tenant's own flows (`B2C_1_…`)",
    };
    pub(super) const NO_SELF_SERVICE: Advice = Advice {
        problem: "the tenant is a workforce tenant in which self-service sign-up is not enabled: it has no user flows",
        hint: "enable it in the tenant's external collaboration settings, or name the tenant that is meant",
    };
    pub(super) const NO_TOKEN: Advice = Advice {
        problem: "the service does not accept the access token",
        hint: "`flowbind whoami` tells which credential is used, for which tenant and cloud, and until when",
    };
    pub(super) const NO_FLOWS: Advice = Advice {
        problem: "the credential may not list the tenant's user flows",
        hint: "grant it the permission `IdentityUserFlow.Read.All`",
    };
    pub(super) const NO_BINDINGS: Advice = Advice {
        problem: "the credential may not read what is bound to user flows",
        hint: "grant it the permission `IdentityUserFlow.ReadWrite.All`, which the documentation names; \
               `IdentityUserFlow.Read.All` may do",
    };
    pub(super) const NO_CONNECTORS: Advice = Advice {
        problem: "the credential may not read the tenant's connectors",
        hint: "grant it the permission `APIConnectors.ReadWrite.All`, which the documentation names; \
               `APIConnectors.Read.All` may do, and naming connectors by `id` alone does without",
    };
    pub(super) const NO_CHANGES: Advice = Advice {
        problem: "the credential may not bind connectors",
        hint: "grant it the permission `IdentityUserFlow.ReadWrite.All`",
    };
}

impl From<&GraphError> for Unread {
    fn from(error: &GraphError) -> Self {
        Self { why: error.to_string().into(), advice: error.advice() }
    }
}

/// Where a redirect leads.
fn location(answer: &Answer) -> Option<String> {
    let location = answer.headers.get("location").filter(|_| (300..400).contains(&answer.status))?;
    Some(origin(&String::from_utf8_lossy(location.as_bytes())))
}

/// Where a link leads, without what it carries along.
pub(super) fn origin(link: &str) -> String {
    match Url::parse(link) {
        Ok(url) if url.has_host() => url.origin().ascii_serialization(),
        Ok(_) => "something that is no web address".into(),
        Err(_) => "another path".into(),
    }
}

/// The service's words, cut to what a person reads, and its tag of the request.
fn words(answer: &Answer) -> (Refusal, Option<String>) {
    let error = serde_json::from_slice::<ErrorBody>(&answer.body).unwrap_or_default().error;
    let refusal = Refusal {
        status: answer.status,
        code: error.code.map(truncate),
        message: error.message.map(truncate),
        attempts: answer.attempts,
    };
    (refusal, request_id(answer).or(error.inner_error.request_id.map(truncate)))
}

/// Graph's tag of the request that was answered.
pub(super) fn request_id(answer: &Answer) -> Option<String> {
    let header = answer.headers.get("request-id")?;
    header.to_str().ok().map(str::to_owned).map(truncate)
}

/// The body of an error (<https://learn.microsoft.com/graph/errors>). Whatever is missing or of
/// another type leaves the status to speak for itself.
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

    fn refused(header: Option<&'static str>, body: &str) -> String {
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
        GraphError::refused("GET /x".into(), &answer).to_string()
    }

    #[test]
    fn the_service_speaks_for_itself_and_its_tag_comes_from_the_header_or_the_body() {
        for inner in ["innerError", "innererror"] {
            let body =
                format!(r#"{{"error": {{"code": "C", "message": "M.", "{inner}": {{"request-id": "b"}}}}}}"#);
            assert_eq!(
                refused(None, &body),
                "GET /x: answered 403: C: M. (request-id b, client-request-id ours)"
            );
            assert_eq!(
                refused(Some("h"), &body),
                "GET /x: answered 403: C: M. (request-id h, client-request-id ours)"
            );
        }
    }

    #[test]
    fn a_message_without_end_is_cut() {
        let body = format!(r#"{{"error": {{"message": "{}"}}}}"#, "é".repeat(1_000_000));
        assert!(refused(None, &body).chars().count() < 2_100);
        let body = format!(r#"{{"error": {{"innerError": {{"request-id": "{}"}}}}}}"#, "é".repeat(1_000_000));
        assert!(refused(None, &body).chars().count() < 2_100);
    }

    #[test]
    fn a_body_that_is_no_error_leaves_the_status_to_speak() {
        for body in ["", "<html>", "[]", "{}", r#"{"error": 7}"#, r#"{"error": {"code": 7}}"#] {
            assert_eq!(refused(None, body), "GET /x: answered 403 (client-request-id ours)", "{body}");
        }
    }
}
