//! Requests and responses as plain values, and what every resource demands of a request.
//!
//! Owns the border to HTTP: beyond it nothing knows hyper. It must not know any resource.

use std::collections::BTreeMap;

use serde::Serialize;
#[cfg(test)]
use serde_json::Value;

use super::odata::Problem;

/// The media type of Graph's JSON answers.
const JSON: &str = "application/json;odata.metadata=minimal;odata.streaming=true;\
                    IEEE754Compatible=false;charset=utf-8";

/// A whole request.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    pub(super) method: String,
    /// The path as it was sent, percent-encoded.
    pub(super) path: String,
    /// The query as it was sent, without the question mark.
    pub(super) query: String,
    /// Names in lower case; of a repeated header the last value.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Splits `target` (a path with an optional query) into the request's path and query.
    pub(super) fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self { method: method.into(), path: path.into(), query: query.into(), ..Self::default() }
    }

    /// Gives the path with the query, as they were sent.
    pub(super) fn target(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Gives the client's id of the request, if it is one that can be sent back in a header.
    pub(super) fn client_request_id(&self) -> Option<&str> {
        self.header("client-request-id")
            .filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()))
    }

    /// Demands a bearer token; every token that is not empty will do.
    pub(super) fn require_token(&self) -> Result<(), Problem> {
        let token = self.header("authorization").and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        match token {
            Some(token) if !token.is_empty() => Ok(()),
            _ => Err(Problem::new(401, "InvalidAuthenticationToken", "the bearer token is missing or empty")
                .header("WWW-Authenticate", "Bearer realm=\"\"")),
        }
    }

    /// Demands the one method that the resource allows.
    pub(super) fn require_method(&self, allowed: &str) -> Result<(), Problem> {
        if self.method == allowed {
            return Ok(());
        }
        let message = format!("{} is not supported here, only {allowed} is", self.method);
        Err(Problem::new(405, "Request_BadRequest", message).header("Allow", allowed))
    }

    /// Demands that the body is declared to be JSON.
    pub(super) fn require_json(&self) -> Result<(), Problem> {
        let declared = self.header("content-type").unwrap_or_default();
        let media_type = declared.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/json") {
            return Ok(());
        }
        let message = format!("the Content-Type must be application/json, not '{media_type}'");
        Err(Problem::new(415, "UnsupportedMediaType", message))
    }
}

/// A whole response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Response {
    /// Answers 204 without a body.
    pub(super) fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: Vec::new() }
    }

    /// Answers with a JSON body.
    pub(super) fn json(status: u16, body: &impl Serialize) -> Self {
        let headers = vec![("Content-Type".to_owned(), JSON.to_owned())];
        // What is answered is made of strings, lists and maps with string keys, which are always JSON.
        Self { status, headers, body: serde_json::to_vec(body).unwrap_or_default() }
    }

    /// Adds a header unless the response has it already.
    pub(super) fn with_header(mut self, name: &str, value: &str) -> Self {
        if !self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

#[cfg(test)]
impl Request {
    /// A request with a token and the given body, declared as JSON.
    pub(super) fn sample(method: &str, target: &str, body: &str) -> Self {
        let headers = [("authorization", "Bearer t"), ("content-type", "application/json")];
        Self {
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            body: body.into(),
            ..Self::new(method, target)
        }
    }

    pub(super) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }
}

#[cfg(test)]
impl Response {
    pub(super) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Request {
        Request::new("GET", "/").with_header(name, value)
    }

    #[test]
    fn any_bearer_token_is_accepted_and_none_is_not() {
        for (header, accepted) in [
            ("Bearer x", true),
            ("bearer x", true),
            ("Bearer ", false),
            ("Bearer", false),
            ("Basic x", false),
        ] {
            assert_eq!(with("authorization", header).require_token().is_ok(), accepted, "{header}");
        }
        assert!(Request::new("GET", "/").require_token().is_err());
    }

    #[test]
    fn json_is_declared_with_or_without_parameters() {
        for (header, accepted) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain", false),
            ("", false),
        ] {
            assert_eq!(with("content-type", header).require_json().is_ok(), accepted, "{header}");
        }
    }

    #[test]
    fn only_a_short_visible_client_request_id_is_kept() {
        let long = "x".repeat(129);
        for (header, kept) in [("a-1", true), ("", false), ("a b", false), ("é", false), (&long, false)] {
            assert_eq!(with("client-request-id", header).client_request_id().is_some(), kept, "{header}");
        }
    }
}
