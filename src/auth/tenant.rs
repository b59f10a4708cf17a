//! Resolves a domain name to the id of its tenant.

use std::time::Duration;

use reqwest::{Method, Url};
use serde::Deserialize;

use super::error::SignInError;
use crate::http::{Client, Request, RetryBudget};

/// Time limit of the request.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Requests the OpenID configuration of a domain from the login host, for at most 10 s, and returns the
/// tenant id in its issuer (<https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>).
///
/// # Errors
/// The login host cannot be reached, or its response is not a 200 with a tenant id.
pub async fn resolve_tenant_id(http: &Client, authority: &Url, domain: &str) -> Result<String, SignInError> {
    #[derive(Deserialize)]
    struct Configuration {
        issuer: String,
    }
    let mut url = authority.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend([domain, "v2.0", ".well-known", "openid-configuration"]);
    }
    let line = format!("GET {url}");
    let request = Request { retry_budget: RetryBudget::For(TIME_LIMIT), ..Request::new(Method::GET, url) };
    let answer = http.send(&request).await.map_err(|error| SignInError::from_send_error(&line, &error))?;
    if answer.status != 200 {
        return Err(SignInError::new(format!("{line}: answered {}", answer.status)));
    }
    let unexpected =
        || SignInError::new(format!("{line}: the response is not an OpenID configuration with a tenant id"));
    let configuration: Configuration = serde_json::from_slice(&answer.body).map_err(|_| unexpected())?;
    let issuer = Url::parse(&configuration.issuer).map_err(|_| unexpected())?;
    let tenant = issuer.path_segments().and_then(|mut segments| segments.next().map(str::to_owned));
    tenant.filter(|tenant| uuid::Uuid::try_parse(tenant).is_ok()).ok_or_else(unexpected)
}
