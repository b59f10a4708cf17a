//! Whose tenant a token is for, and which tenant a domain belongs to.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::{Method, Url};
use serde::Deserialize;

use super::Secret;
use crate::http::{Client, Patience, Request};

/// The tenant's GUID in a token's `tid` claim. `None` where the token is opaque.
///
/// The claim is compared, not trusted: Graph checks the signature, and a token with a forged one
/// gets no answer.
pub fn of_token(token: &Secret) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        tid: String,
    }
    let payload = token.expose().split('.').nth(1)?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    Some(serde_json::from_slice::<Claims>(&payload).ok()?.tid)
}

/// Asks the authority which tenant a domain belongs to, by the issuer in its OpenID configuration
/// (<https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>).
///
/// # Errors
/// Why it could not be found out.
pub async fn of_domain(http: &Client, authority: &Url, domain: &str) -> Result<String, String> {
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
        authorization: None,
        body: None,
        patience: Patience::Full,
        halt: None,
    };
    let answer = http.send(&request).await.map_err(|error| format!("GET {place}: {error}"))?;
    if answer.status != 200 {
        return Err(format!("GET {place}: answered {}", answer.status));
    }
    let nonsense = || format!("GET {place}: the answer makes no sense");
    let configuration: Configuration = serde_json::from_slice(&answer.body).map_err(|_| nonsense())?;
    let issuer = Url::parse(&configuration.issuer).map_err(|_| nonsense())?;
    let tenant = issuer.path_segments().and_then(|mut segments| segments.next().map(str::to_owned));
    tenant.filter(|tenant| uuid::Uuid::try_parse(tenant).is_ok()).ok_or_else(nonsense)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> Secret {
        Secret::new(format!("e30.{}.signature", BASE64_URL_SAFE_NO_PAD.encode(payload)))
    }

    #[test]
    fn a_token_says_its_tenant_or_is_opaque() {
        assert_eq!(of_token(&token(r#"{"tid": "t", "aud": "x"}"#)).as_deref(), Some("t"));
        for opaque in ["", "opaque", "a.b", "a.b.c", "..", "e30.é.x"] {
            assert_eq!(of_token(&Secret::new(opaque)), None, "{opaque}");
        }
        for odd in ["{}", "[]", r#"{"tid": 7}"#, "x"] {
            assert_eq!(of_token(&token(odd)), None, "{odd}");
        }
    }
}
