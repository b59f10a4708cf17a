//! One attempt: sends a request and receives the complete response.

use std::time::{Duration, SystemTime};

use futures_util::future::OptionFuture;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;
use tracing::debug;

use super::connections::{ClientError, ClientGeneration, Connections, READ_TIMEOUT};
use super::failure::{AttemptFailure, FailureReason, root_message};
use super::message::{Answer, Request, SendErrorKind};
use super::meter::Meter;
use super::reachability::Host;
use super::redact::Redactor;
use super::retry;
use super::tunnel::rejection_status;

/// Maximum bytes of a body. A page of 100 connectors has about 50,000.
const MAX_BODY: usize = 2 << 20;

/// Bytes of an error response that are kept. Its message is truncated far below that.
const MAX_ERROR_BODY: usize = 64 << 10;

/// Header with our id of a request, which the service repeats and logs.
pub(super) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// Error of one attempt.
#[derive(Debug)]
pub(super) enum ExchangeError {
    /// There is no connection, so the request was not sent.
    NotConnected(AttemptFailure),
    /// The service did not process the request.
    NotProcessed(FailureReason),
    /// The request was sent, and no response began.
    NotAnswered(FailureReason),
    /// The response is not usable.
    Other(SendErrorKind),
}

/// Sends a request once and returns its response of any status, with the secrets of the request headers
/// redacted. Cuts an error response at 64 KiB. Counts bytes in `meter`, and records in `host` that it
/// answered. The caller sets the remaining fields of the `Answer`.
pub(super) async fn exchange(
    connections: &Connections,
    client: &ClientGeneration,
    host: &Host,
    request: &Request<'_>,
    authorization: Option<&HeaderValue>,
    id: &str,
    meter: &Meter,
) -> Result<Answer, ExchangeError> {
    let Request { method, url, headers, authorization: _, body, retry_budget: _, halt: _ } = request;
    let started = Instant::now();
    // The query of a URL may be a secret, such as `$skiptoken`.
    let not_answered = |error: reqwest::Error| {
        let error = error.without_url();
        if error.is_builder() {
            return ExchangeError::Other(SendErrorKind::Client(ClientError::Request(root_message(&error))));
        }
        if error.is_connect() {
            return ExchangeError::NotConnected(AttemptFailure::to_connect(&error, host.is_proxied()));
        }
        match FailureReason::not_processed(&error) {
            Some(reason) => ExchangeError::NotProcessed(reason),
            None => ExchangeError::NotAnswered(FailureReason::from_sent_request(&error, started.elapsed())),
        }
    };
    let secrets = Redactor::from_headers(headers.values().chain(authorization));
    let mut sending = client
        .client
        .request(method.clone(), url.clone())
        .header(header::ACCEPT, "application/json")
        .header(CLIENT_REQUEST_ID, id)
        .headers(headers.clone());
    if let Some(authorization) = authorization {
        sending = sending.header(header::AUTHORIZATION, authorization);
    }
    if let Some(body) = body {
        meter.record_body(body.len());
        sending = sending.body(body.clone());
    }
    let response = match sending.send().await.map_err(not_answered) {
        Err(ExchangeError::NotConnected(failure)) if matches!(failure.reason, FailureReason::Proxy(_)) => {
            let proxy = connections.intercept(url);
            let status = OptionFuture::from(proxy.as_ref().map(|proxy| rejection_status(proxy, url))).await;
            let failure = status.flatten().map_or(failure, AttemptFailure::from_proxy_status);
            return Err(ExchangeError::NotConnected(failure));
        }
        sent => sent?,
    };
    host.record_answer();
    let status = response.status().as_u16();
    let mut headers = response.headers().clone();
    let mut body = receive(response, connections, meter).await.map_err(ExchangeError::Other)?;
    secrets.redact(&mut headers, &mut body);
    debug!("{method} {} → {status} in {} ms, {id}", url.path(), started.elapsed().as_millis());
    // The caller sets the other fields.
    Ok(Answer { status, headers, body, client_request_id: String::new(), attempts: 0, may_have_acted: false })
}

/// Receives the body of a response, and cuts the body of an error response at 64 KiB.
///
/// # Errors
/// The connection broke, or the body is too large: alone, or with all others that are being received.
async fn receive(
    mut response: reqwest::Response,
    connections: &Connections,
    meter: &Meter,
) -> Result<Vec<u8>, SendErrorKind> {
    let interrupted = |error: reqwest::Error| {
        SendErrorKind::Broken(FailureReason::from_sent_request(&error.without_url(), READ_TIMEOUT))
    };
    let is_success = response.status().is_success();
    // A body that grows by reallocation needs up to twice its size.
    let limit = if is_success { MAX_BODY } else { MAX_ERROR_BODY };
    let length = response.content_length().and_then(|length| usize::try_from(length).ok());
    let mut body = Vec::with_capacity(length.unwrap_or(0).min(limit));
    let mut in_flight = connections.count_in_flight();
    while let Some(chunk) = response.chunk().await.map_err(interrupted)? {
        meter.record_body(chunk.len());
        if body.len().saturating_add(chunk.len()) > limit {
            if is_success {
                return Err(SendErrorKind::TooLarge);
            }
            break;
        }
        if !in_flight.add(chunk.len()) {
            return Err(SendErrorKind::TooLargeTogether);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Returns a new random UUID, the `client-request-id` of one request.
pub fn new_client_request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Returns the `Date` of a response, or the local time if it is missing or malformed. A date in `Retry-After`
/// is relative to it.
pub fn server_time(headers: &HeaderMap) -> SystemTime {
    let date = headers.get(header::DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    date.unwrap_or_else(SystemTime::now)
}

/// Returns the pause that the `Retry-After` of a response asks for: seconds, or the time from the `Date` of
/// the response to a date. `None` if it is missing or malformed.
pub fn retry_after(answer: &Answer) -> Option<Duration> {
    let asked = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    retry::parse_retry_after(asked, server_time(&answer.headers))
}
