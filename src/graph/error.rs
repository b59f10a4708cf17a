//! What went wrong between us and Graph, in the service's own words.

use serde::Deserialize;

use crate::http::{Answer, SendError};

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
    /// How often it was sent; 0 where it never left.
    pub attempts: u32,
}

/// What Graph or the way to it did.
#[derive(Debug, thiserror::Error)]
pub enum GraphErrorKind {
    /// No answer.
    #[error("{0}")]
    NoAnswer(SendError),
    /// An answer that says no. Classified by its status: the code is mostly a catch-all.
    #[error("answered {status}{}", words(.code.as_deref(), .message.as_deref()))]
    Refused {
        /// The status.
        status: u16,
        /// The service's code.
        code: Option<String>,
        /// The service's message, whole.
        message: Option<String>,
    },
    /// An answer that is not what was asked for.
    #[error("the answer makes no sense: {0}")]
    Broken(String),
    /// A link to elsewhere, which would take the token along.
    #[error("the answer links to `{0}`, and the token goes nowhere but to the Graph URL")]
    LinkElsewhere(String),
}

fn words(code: Option<&str>, message: Option<&str>) -> String {
    [code, message].into_iter().flatten().map(|word| format!(": {word}")).collect()
}

fn ids(request_id: Option<&str>, client_request_id: Option<&str>) -> String {
    let ids: Vec<_> = [("request-id", request_id), ("client-request-id", client_request_id)]
        .into_iter()
        .filter_map(|(name, id)| Some(format!("{name} {}", id?)))
        .collect();
    if ids.is_empty() { String::new() } else { format!(" ({})", ids.join(", ")) }
}

impl GraphError {
    /// Whether the service said no before it could have done anything: at once, and for a reason
    /// that lies in the request.
    pub fn is_refusal(&self) -> bool {
        matches!(self.kind, GraphErrorKind::Refused { status: 400..500, .. }) && self.attempts == 1
    }

    /// Whether the service says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, GraphErrorKind::Refused { status: 404, .. })
    }

    pub(super) fn not_sent(request: String, error: SendError) -> Self {
        let client_request_id = error.client_request_id.clone();
        let attempts = error.attempts;
        let kind = GraphErrorKind::NoAnswer(error);
        Self { request, kind, request_id: None, client_request_id, attempts }
    }

    /// An answer whose status is no success.
    pub(super) fn refused(request: String, answer: &Answer) -> Self {
        let error = serde_json::from_slice::<ErrorBody>(&answer.body).unwrap_or_default().error;
        let kind =
            GraphErrorKind::Refused { status: answer.status, code: error.code, message: error.message };
        let mut refused = Self::of(request, answer, kind);
        refused.request_id = refused.request_id.or(error.inner_error.request_id);
        refused
    }

    /// An answer that is no use for another reason than its status.
    pub(super) fn of(request: String, answer: &Answer, kind: GraphErrorKind) -> Self {
        Self {
            request,
            kind,
            request_id: request_id(answer),
            client_request_id: Some(answer.client_request_id.clone()),
            attempts: answer.attempts,
        }
    }
}

/// Graph's tag of the request that was answered.
pub(super) fn request_id(answer: &Answer) -> Option<String> {
    let header = answer.headers.get("request-id")?;
    header.to_str().ok().map(str::to_owned)
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
        let answer = Answer { status: 403, headers, body, client_request_id: "ours".into(), attempts: 1 };
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
    fn a_body_that_is_no_error_leaves_the_status_to_speak() {
        for body in ["", "<html>", "[]", "{}", r#"{"error": 7}"#, r#"{"error": {"code": 7}}"#] {
            assert_eq!(refused(None, body), "GET /x: answered 403 (client-request-id ours)", "{body}");
        }
    }
}
