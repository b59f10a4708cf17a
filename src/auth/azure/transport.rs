//! Sends what the credentials ask for by our own client, and lets no secret come back in an answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::headers::{HeaderName as AzureName, HeaderValue as AzureValue, Headers};
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Request as AzureRequest, StatusCode};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded;

use super::SignInError;
use crate::http::{Answer, Client, Redactor, Request, RetryBudget, is_link_local, is_safe, truncate};

/// The longest life of a token that is believed: it is added to the time of day.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Sends the requests of credentials.
#[derive(Debug)]
pub(super) struct Transport {
    http: Arc<Client>,
    /// Whether it may ask the host that this machine runs on, without TLS.
    machine: bool,
}

impl Transport {
    /// Asks authorities and issuers.
    pub(super) fn to_others(http: &Arc<Client>) -> Self {
        Self { http: Arc::clone(http), machine: false }
    }

    /// Asks the metadata service of the machine.
    pub(super) fn of_machine(http: &Arc<Client>) -> Self {
        Self { http: Arc::clone(http), machine: true }
    }

    async fn send(&self, request: &AzureRequest) -> Result<Answer, SignInError> {
        let url = request.url().clone();
        if !(is_safe(&url) || self.machine && url.scheme() == "http" && is_link_local(&url)) {
            let place = place(&url);
            return Err(SignInError::new(format!(
                "`{place}` is neither https nor on this machine: a secret would travel in the clear"
            )));
        }
        let body = match request.body() {
            Body::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Body::SeekableStream(_) => return Err(SignInError::new("a body of unknown length")),
        };
        let (method, headers) = (request.method().as_ref().parse().unwrap_or_default(), headers(request)?);
        let answer = ask(&self.http, method, url, headers, body).await?;
        match description(&answer) {
            // The crate has words of its own for a 400, and asks again after others.
            Some(description) if !self.machine || answer.status == 400 => Err(SignInError::new(description)),
            _ => Ok(answer),
        }
    }
}

#[async_trait]
impl HttpClient for Transport {
    async fn execute_request(&self, request: &AzureRequest) -> azure_core::Result<AsyncRawResponse> {
        let answer = self.send(request).await?;
        let mut headers = Headers::default();
        for (name, value) in &answer.headers {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        Ok(AsyncRawResponse::from_bytes(StatusCode::from(answer.status), headers, answer.body))
    }
}

/// Asks for JSON that decides who we are.
///
/// # Errors
/// No answer, or one that is no JSON or makes no sense, with the place that gave it.
pub(super) async fn ask(
    http: &Client,
    method: reqwest::Method,
    url: Url,
    headers: HeaderMap,
    body: String,
) -> Result<Answer, SignInError> {
    let line = format!("{method} {}", place(&url));
    let request = Request {
        method,
        url,
        headers,
        authorization: None,
        body: Some(body).filter(|body| !body.is_empty()),
        retry_budget: RetryBudget::UntilDeadline,
        halt: None,
    };
    let sent = http.send(&request).await;
    let mut answer = sent.map_err(|error| SignInError::from_send_error(&line, &error))?;
    let form = request.body.as_deref().unwrap_or_default();
    in_form(form).redact(&mut answer.headers, &mut answer.body);
    let Ok(json) = serde_json::from_slice::<Value>(&answer.body) else {
        return Err(SignInError::new(format!("{line}: answered {}, with no JSON", answer.status)));
    };
    let life = json.get("expires_in").and_then(Value::as_i64).unwrap_or(0);
    if !(0..=LONGEST.as_secs()).contains(&u64::try_from(life).unwrap_or(u64::MAX)) {
        return Err(SignInError::new(format!("{line}: answered with a token that lives for {life} s")));
    }
    Ok(answer)
}

/// The authority's words for a refusal. The crate's own reader fails where they hold a line end, as
/// they do.
fn description(answer: &Answer) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        error_description: String,
    }
    let refusal = serde_json::from_slice::<Refusal>(&answer.body).ok().filter(|_| answer.status >= 400)?;
    Some(one_line(&refusal.error_description))
}

/// Somebody's words in one line, as long as a person reads on.
pub(super) fn one_line(words: &str) -> String {
    truncate(words.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A URL without what it carries along.
fn place(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// What is sent besides the body. Redactor are marked sensitive.
fn headers(request: &AzureRequest) -> Result<HeaderMap, SignInError> {
    let header = |(name, value): (&AzureName, &AzureValue)| {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        let mut value = HeaderValue::from_str(value.as_str().trim()).ok()?;
        value.set_sensitive(matches!(name.as_str(), "authorization" | "x-identity-header"));
        Some((name, value))
    };
    let headers = request.headers().iter().map(|both| {
        let name = both.0.as_str();
        header(both).ok_or_else(|| SignInError::new(format!("`{name}` has characters that no header has")))
    });
    headers.collect()
}

/// The secrets in a form.
fn in_form(body: &str) -> Redactor<'_> {
    let fields = form_urlencoded::parse(body.as_bytes());
    let secrets = fields.filter(|(name, _)| matches!(&**name, "client_secret" | "client_assertion"));
    Redactor::new(secrets.map(|(_, value)| value))
}
