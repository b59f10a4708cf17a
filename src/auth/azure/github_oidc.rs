//! OIDC token that GitHub Actions issues for a job with `permissions: id-token: write`
//! (<https://docs.github.com/actions/reference/security/oidc>).

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;

use super::transport::send;
use crate::auth::error::SignInError;
use crate::auth::kind::Settings;
use crate::http::{Client, is_safe};

/// Token endpoint of a job.
#[derive(Debug)]
pub(super) struct GithubOidc {
    url: Url,
    headers: HeaderMap,
    http: Arc<Client>,
}

impl GithubOidc {
    pub(super) fn new(settings: &Settings, audience: &str, http: Arc<Client>) -> Result<Self, SignInError> {
        let url = settings.github_url.as_deref().and_then(|url| Url::parse(url).ok()).filter(is_safe);
        let mut url =
            url.ok_or_else(|| SignInError::new("`ACTIONS_ID_TOKEN_REQUEST_URL` is not an https URL"))?;
        url.query_pairs_mut().append_pair("audience", audience);
        let token = settings.github_token.as_ref().map(|token| format!("Bearer {}", token.expose()));
        let token = token.and_then(|token| HeaderValue::from_str(&token).ok());
        let mut token =
            token.ok_or_else(|| SignInError::new("`ACTIONS_ID_TOKEN_REQUEST_TOKEN` is not a token"))?;
        token.set_sensitive(true);
        Ok(Self { url, headers: HeaderMap::from_iter([(AUTHORIZATION, token)]), http })
    }
}

#[async_trait]
impl ClientAssertion for GithubOidc {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        #[derive(Deserialize)]
        struct Issued {
            value: String,
        }
        let headers = self.headers.clone();
        let answer = send(&self.http, Method::GET, self.url.clone(), headers, String::new()).await?;
        // The body is not printed, because it may contain a token under another name.
        let status = answer.status;
        let issued = serde_json::from_slice::<Issued>(&answer.body).ok();
        let issued = issued.filter(|issued| status == 200 && !issued.value.trim().is_empty());
        let not_issued =
            || SignInError::new(format!("GitHub issued no token for the job: answered {status}"));
        Ok(issued.ok_or_else(not_issued)?.value)
    }
}
