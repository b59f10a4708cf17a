//! HTTP requests and responses as plain values, and the checks that all resources share.
//!
//! Only `server` converts these from and to hyper types. This module must not depend on a resource.

use std::collections::BTreeMap;

use serde::Serialize;
#[cfg(test)]
use serde_json::Value;

use super::error::ErrorResponse;

/// Media type of Graph's JSON responses.
const JSON: &str = "application/json;odata.metadata=minimal;odata.streaming=true;\
                    IEEE754Compatible=false;charset=utf-8";

/// HTTP request with its complete body.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path as received, percent-encoded.
    pub(super) path: String,
    /// Query as received, without the question mark.
    pub(super) query: String,
    /// Header names in lower case. The last value of a repeated header wins.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Creates a request from a method and a target: a path with an optional query.
    pub(super) fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self { method: method.into(), path: path.into(), query: query.into(), ..Self::default() }
    }

    /// Returns path and query as received.
    pub(super) fn target(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Returns the `client-request-id` if it has 1 to 128 visible ASCII characters, so that it can be echoed
    /// in a response header.
    pub(super) fn client_request_id(&self) -> Option<&str> {
        self.header("client-request-id")
            .filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()))
    }

    /// Returns 401 unless the request has a bearer token. Every non-empty token is accepted.
    pub(super) fn require_token(&self) -> Result<(), ErrorResponse> {
        let token = self.header("authorization").and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        match token {
            Some(token) if !token.is_empty() => Ok(()),
            _ => {
                let message = "the bearer token is missing or empty";
                let error = ErrorResponse::new(401, "InvalidAuthenticationToken", message);
                Err(error.with_header("WWW-Authenticate", "Bearer realm=\"\""))
            }
        }
    }

    /// Returns 405 unless the request uses the one method that the resource supports.
    pub(super) fn require_method(&self, allowed: &str) -> Result<(), ErrorResponse> {
        if self.method == allowed {
            return Ok(());
        }
        let message = format!("method {} is not supported, use {allowed}", self.method);
        Err(ErrorResponse::new(405, "Request_BadRequest", message).with_header("Allow", allowed))
    }

    /// Returns 415 unless the Content-Type is JSON.
    pub(super) fn require_json(&self) -> Result<(), ErrorResponse> {
        let declared = self.header("content-type").unwrap_or_default();
        let media_type = declared.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/json") {
            return Ok(());
        }
        let message = format!("Content-Type must be application/json, not '{media_type}'");
        Err(ErrorResponse::new(415, "UnsupportedMediaType", message))
    }
}

/// HTTP response with its complete body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Response {
    /// Returns a 204 without a body.
    pub(super) fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: Vec::new() }
    }

    /// Returns a response with a JSON body.
    pub(super) fn json(status: u16, body: &impl Serialize) -> Self {
        let headers = vec![("Content-Type".to_owned(), JSON.to_owned())];
        // Cannot fail: bodies consist of strings, lists and maps with string keys.
        Self { status, headers, body: serde_json::to_vec(body).unwrap_or_default() }
    }

    /// Adds a header unless the response already has it.
    pub(super) fn with_header(mut self, name: &str, value: &str) -> Self {
        if !self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

#[cfg(test)]
impl Request {
    /// Returns a request with a token and the given JSON body.
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
    /// Parses the body as JSON.
    pub(super) fn json_body(&self) -> Value {
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
    fn require_token_accepts_only_nonempty_bearer_tokens() {
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
    fn require_json_accepts_json_with_or_without_parameters() {
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
    fn client_request_id_returns_only_short_visible_ids() {
        let long = "x".repeat(129);
        for (header, kept) in [("a-1", true), ("", false), ("a b", false), ("é", false), (&long, false)] {
            assert_eq!(with("client-request-id", header).client_request_id().is_some(), kept, "{header}");
        }
    }
}
