//! HTTP transport for the credentials of `azure_identity`: uses our own client and redacts secrets.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use azure_core::http::headers::Headers;
use azure_core::http::{
    AsyncRawResponse, Body, ClientOptions, HttpClient, Request as AzureRequest, RetryOptions, StatusCode,
    Transport as AzureTransport,
};
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded;

use super::error::single_line;
use super::token_response::normalize_identity;
use crate::auth::error::SignInError;
use crate::http::{Answer, Client, Redactor, Request, foreign_text, is_link_local, is_safe};

/// Maximum lifetime of a token that is accepted, because it is added to the current time.
const MAX_LIFETIME: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Transport of one credential.
#[derive(Debug)]
pub(super) struct Transport {
    http: Arc<Client>,
    /// Whether link-local addresses may be requested without TLS.
    machine: bool,
}

impl Transport {
    /// Creates a transport for login authorities and issuers: only https and loopback URLs may be requested.
    pub(super) fn for_authorities(http: &Arc<Client>) -> Self {
        Self { http: Arc::clone(http), machine: false }
    }

    /// Creates a transport for the metadata service of the machine: link-local addresses may be requested
    /// without TLS.
    pub(super) fn for_metadata_service(http: &Arc<Client>) -> Self {
        Self { http: Arc::clone(http), machine: true }
    }

    /// Returns options with which `azure_identity` sends its requests through this transport, and does not
    /// retry, because our own client retries.
    pub(super) fn options(self) -> ClientOptions {
        ClientOptions {
            transport: Some(AzureTransport::new(Arc::new(self))),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        }
    }

    async fn send(&self, request: &AzureRequest) -> Result<Answer, SignInError> {
        let url = request.url().clone();
        if !(is_safe(&url) || self.machine && url.scheme() == "http" && is_link_local(&url)) {
            let url = without_query(&url);
            return Err(SignInError::new(format!(
                "`{url}` is neither https nor on this machine: the secret would be sent unencrypted"
            )));
        }
        let body = match request.body() {
            Body::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Body::SeekableStream(_) => return Err(SignInError::new("a body of unknown length")),
        };
        let (method, headers) = (request.method().as_ref().parse().unwrap_or_default(), headers(request)?);
        let mut answer = send(&self.http, method, url, headers, body).await?;
        if self.machine
            && answer.status == 200
            && let Some(body) = normalize_identity(&answer.body, SystemTime::now())
        {
            answer.body = body;
        }
        match error_description(&answer) {
            // The crate replaces the message of a 400, and retries other statuses.
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

/// Sends a request of a sign-in, with retries, and returns its JSON response of any status. Replaces the
/// secrets of the request headers and of the form `body` in the response by `***`.
///
/// # Errors
/// There is no response, or it is not JSON, or the lifetime of its token is out of range. The error names
/// the URL.
pub(super) async fn send(
    http: &Client,
    method: reqwest::Method,
    url: Url,
    headers: HeaderMap,
    body: String,
) -> Result<Answer, SignInError> {
    let line = format!("{method} {}", without_query(&url));
    let body = Some(body).filter(|body| !body.is_empty());
    let request = Request { headers, body, ..Request::new(method, url) };
    let sent = http.send(&request).await;
    let mut answer = sent.map_err(|error| SignInError::from_send_error(&line, &error))?;
    let form = request.body.as_deref().unwrap_or_default();
    form_secrets(form).redact(&mut answer.headers, &mut answer.body);
    let Ok(json) = serde_json::from_slice::<Value>(&answer.body) else {
        let content_type = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = foreign_text(content_type.unwrap_or("no content type"));
        return Err(SignInError::new(format!(
            "{line}: answered {}, not JSON ({content_type})",
            answer.status
        )));
    };
    let life = json.get("expires_in").and_then(Value::as_i64).unwrap_or(0);
    if !(0..=MAX_LIFETIME.as_secs()).contains(&u64::try_from(life).unwrap_or(u64::MAX)) {
        return Err(SignInError::new(format!("{line}: answered with a token lifetime of {life} s")));
    }
    Ok(answer)
}

/// Returns the `error_description` of a response with a status of 400 or higher, in one line; `None` if it
/// has none. `azure_identity` itself cannot read a description with a line break, and most have one.
fn error_description(answer: &Answer) -> Option<String> {
    #[derive(Deserialize)]
    struct ErrorBody {
        error_description: String,
    }
    let body = serde_json::from_slice::<ErrorBody>(&answer.body).ok().filter(|_| answer.status >= 400)?;
    Some(single_line(&body.error_description))
}

/// Returns scheme, host, port and path of a URL, without user info, query and fragment.
fn without_query(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Converts the headers of a request, and marks `authorization` and `x-identity-header` as sensitive. Fails
/// if a header has invalid characters.
fn headers(request: &AzureRequest) -> Result<HeaderMap, SignInError> {
    let headers = request.headers().iter().map(|(name, value)| {
        let name = name.as_str();
        let header = HeaderName::from_bytes(name.as_bytes()).ok();
        let header = header.zip(HeaderValue::from_str(value.as_str().trim()).ok());
        let invalid = || SignInError::new(format!("`{name}` has characters that are invalid in a header"));
        let (name, mut value) = header.ok_or_else(invalid)?;
        value.set_sensitive(matches!(name.as_str(), "authorization" | "x-identity-header"));
        Ok((name, value))
    });
    headers.collect()
}

/// Returns a redactor of the fields `client_secret` and `client_assertion` of a form.
fn form_secrets(body: &str) -> Redactor<'_> {
    let fields = form_urlencoded::parse(body.as_bytes());
    let secrets = fields.filter(|(name, _)| matches!(&**name, "client_secret" | "client_assertion"));
    Redactor::new(secrets.map(|(_, value)| value))
}
