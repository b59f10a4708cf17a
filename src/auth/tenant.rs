//! Which tenant a domain belongs to.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use serde::Deserialize;

use super::SignInError;
use crate::http::{Client, Request, RetryBudget};

/// How long the authority may take to say it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the authority which tenant a domain belongs to, by the issuer in its OpenID configuration
/// (<https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>).
///
/// # Errors
/// Why it could not be found out.
pub async fn of_domain(http: &Client, authority: &Url, domain: &str) -> Result<String, SignInError> {
    #[derive(Deserialize)]
    struct Configuration {
        issuer: String,
    }
    let mut url = authority.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend([domain, "v2.0", ".well-known", "openid-configuration"]);
    }
    let place = url.to_string();
    let request = Request {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        authorization: None,
        body: None,
        retry_budget: RetryBudget::For(PATIENCE),
        halt: None,
    };
    let answer = http
        .send(&request)
        .await
        .map_err(|error| SignInError::from_send_error(&format!("GET {place}"), &error))?;
    if answer.status != 200 {
        return Err(SignInError::new(format!("GET {place}: answered {}", answer.status)));
    }
    let nonsense = || SignInError::new(format!("GET {place}: the answer makes no sense"));
    let configuration: Configuration = serde_json::from_slice(&answer.body).map_err(|_| nonsense())?;
    let issuer = Url::parse(&configuration.issuer).map_err(|_| nonsense())?;
    let tenant = issuer.path_segments().and_then(|mut segments| segments.next().map(str::to_owned));
    tenant.filter(|tenant| uuid::Uuid::try_parse(tenant).is_ok()).ok_or_else(nonsense)
}
