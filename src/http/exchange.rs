//! One request and its whole answer, once.

use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;
use tracing::debug;

use super::conceal::Secrets;
use super::connections::{Connections, Open, SILENCE};
use super::failure::{ConnectFailure, FailureReason, root_message};
use super::message::{Answer, Request, SendErrorKind};
use super::meter::Meter;
use super::reachability::Host;
use super::retry;

/// The largest body that is taken, in bytes: a page of a hundred connectors has some 50 thousand.
const MAX_BODY: usize = 2 << 20;

/// As much is kept of an answer that says no, in bytes: its words are cut far below that.
const MAX_WORDS: usize = 64 << 10;

/// A tag of our own for each request, which the service repeats and logs.
pub(super) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// Why one attempt has no answer.
#[derive(Debug)]
pub(super) enum ExchangeError {
    /// There is no connection: the request was not sent.
    NotConnected(ConnectFailure),
    /// The request was sent, and the host did not begin to answer.
    NotAnswered(FailureReason),
    /// The answer is not usable.
    Other(SendErrorKind),
}

/// Sends a request once and takes the whole answer.
pub(super) async fn exchange(
    connections: &Connections,
    open: &Open,
    host: &Host,
    request: &Request<'_>,
    authorization: Option<&HeaderValue>,
    id: &str,
    meter: &Meter,
) -> Result<Answer, ExchangeError> {
    let Request { method, url, headers, authorization: _, body, patience: _, halt: _ } = request;
    let started = Instant::now();
    let not_answered = |error: reqwest::Error| {
        if error.is_builder() {
            return ExchangeError::Other(SendErrorKind::Invalid(root_message(&error)));
        }
        if error.is_connect() {
            return ExchangeError::NotConnected(ConnectFailure::new(&error, host.is_proxied()));
        }
        ExchangeError::NotAnswered(FailureReason::of_sent_request(&error, started.elapsed()))
    };
    let interrupted = |error: reqwest::Error| {
        let reason = FailureReason::of_sent_request(&error, SILENCE);
        ExchangeError::Other(SendErrorKind::Broken(reason))
    };
    let secrets = Secrets::of(headers.values().chain(authorization));
    let mut sending = open
        .client
        .request(method.clone(), url.clone())
        .header(header::ACCEPT, "application/json")
        .header(CLIENT_REQUEST_ID, id)
        .headers(headers.clone());
    if let Some(authorization) = authorization {
        sending = sending.header(header::AUTHORIZATION, authorization);
    }
    if let Some(body) = body {
        meter.body(body.len());
        sending = sending.body(body.clone());
    }
    let mut response = sending.send().await.map_err(not_answered)?;
    host.record_answer();
    let status = response.status();
    let mut headers = response.headers().clone();
    let mut body = Vec::new();
    let mut held = connections.hold();
    while let Some(chunk) = response.chunk().await.map_err(interrupted)? {
        meter.body(chunk.len());
        let length = body.len().saturating_add(chunk.len());
        if !status.is_success() && length > MAX_WORDS {
            break;
        }
        if length > MAX_BODY {
            return Err(ExchangeError::Other(SendErrorKind::TooLarge));
        }
        if !held.more(chunk.len()) {
            return Err(ExchangeError::Other(SendErrorKind::TooLargeTogether));
        }
        body.extend_from_slice(&chunk);
    }
    secrets.conceal(&mut headers, &mut body);
    debug!("{method} {} → {} in {} ms, {id}", url.path(), status.as_u16(), started.elapsed().as_millis());
    // Who sent it knows the rest.
    let status = status.as_u16();
    Ok(Answer { status, headers, body, client_request_id: String::new(), attempts: 0, may_have_acted: false })
}

/// A tag for one request.
pub fn client_request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The time of an answer: by the service's own clock where it shows it, since that is what the date of a
/// `Retry-After` is measured by.
pub fn service_clock(headers: &HeaderMap) -> SystemTime {
    let date = headers.get(header::DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    date.unwrap_or_else(SystemTime::now)
}

/// What the `Retry-After` of an answer asks for.
pub fn pause_asked(answer: &Answer) -> Option<Duration> {
    let asked = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    retry::retry_after(asked, service_clock(&answer.headers))
}
