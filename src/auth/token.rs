//! Access token and its claims.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::Actor;

/// Access token that is a valid header value.
#[derive(Debug, Clone)]
pub struct Token {
    header: HeaderValue,
    claims: Option<Claims>,
    expires: Option<SystemTime>,
}

/// Error of a text that is not a token.
#[derive(Debug, thiserror::Error)]
#[error("an access token with invalid characters")]
pub struct InvalidToken;

/// Claims of a token
/// (<https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>).
///
/// They are printed and compared, not trusted: Graph checks the signature, and rejects a forged token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// The APIs that the token is for: one, or by the standard (RFC 7519) several.
    pub aud: Vec<String>,
    /// The GUID of the tenant that the token is for.
    pub tid: Option<String>,
    /// The application (client) id that the token was issued to; `azp` in version 2 tokens.
    pub appid: Option<String>,
    /// The display name of that app.
    pub app_displayname: Option<String>,
    /// The user who signed in; `preferred_username` in version 2 tokens.
    pub upn: Option<String>,
    /// The object id of the user, or of the service principal of the app.
    pub oid: Option<String>,
    /// Application permissions.
    pub roles: Vec<String>,
    /// Delegated permissions, separated by spaces.
    pub scp: Option<String>,
    /// Expiry, in seconds since 1970.
    exp: Option<u64>,
}

impl Token {
    /// Creates a token from its bare text, and reads its claims if it is a JWT. If `expires` is `None`, the
    /// expiry is the `exp` claim, if it has one.
    ///
    /// # Errors
    /// The text has characters that a token cannot have, such as spaces or quotes.
    pub fn new(token: &str, expires: Option<SystemTime>) -> Result<Self, InvalidToken> {
        // `Bearer …`, a token in quotes, or two tokens would be sent as they are, and rejected without a
        // reason.
        let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'');
        if token.is_empty() || !token.bytes().all(fits) {
            return Err(InvalidToken);
        }
        let header = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut header = header.map_err(|_| InvalidToken)?;
        header.set_sensitive(true);
        let claims = claims(token);
        let exp = claims.as_ref().and_then(|claims| claims.exp);
        let exp = exp.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        Ok(Self { header, expires: expires.or(exp), claims })
    }

    /// Returns `Bearer` and the token as the value of `Authorization`, marked as sensitive.
    pub fn header(&self) -> &HeaderValue {
        &self.header
    }

    /// Returns the claims; `None` if the token is opaque.
    pub fn claims(&self) -> Option<&Claims> {
        self.claims.as_ref()
    }

    /// Returns the expiry, if known.
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }
}

fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.').skip(1);
    let payload = parts.next()?;
    // The signature.
    parts.next()?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    Claims::read(&serde_json::from_slice(&payload).ok()?)
}

impl Claims {
    /// Reads the known claims; `None` if `tid` is neither a string nor null, because the token then counts as
    /// opaque. Each claim is read separately: a malformed claim, or one that exists under both of its names,
    /// must not affect the others.
    fn read(all: &BTreeMap<String, Box<RawValue>>) -> Option<Self> {
        let roles = claim::<Vec<&RawValue>>(all, "roles").unwrap_or_default().into_iter();
        let exp = claim::<f64>(all, "exp").and_then(|exp| Duration::try_from_secs_f64(exp).ok());
        Some(Self {
            tid: match all.get("tid") {
                Some(tid) => serde_json::from_str(tid.get()).ok()?,
                None => None,
            },
            aud: claim(all, "aud").map(|one| vec![one]).or_else(|| claim(all, "aud")).unwrap_or_default(),
            appid: claim(all, "appid").or_else(|| claim(all, "azp")),
            app_displayname: claim(all, "app_displayname"),
            upn: claim(all, "upn").or_else(|| claim(all, "preferred_username")),
            oid: claim(all, "oid"),
            roles: roles.filter_map(|role| serde_json::from_str(role.get()).ok()).collect(),
            scp: claim(all, "scp"),
            exp: exp.map(|exp| exp.as_secs()),
        })
    }
}

impl Claims {
    /// Returns who acts with the token: the user of a delegated token by name or object id, otherwise the app. `None`
    /// if the token does not name it.
    pub fn actor(&self) -> Option<Actor> {
        // Only a delegated token has scopes (<https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>).
        let user = self.upn.as_ref().or(self.oid.as_ref().filter(|_| self.scp.is_some()));
        match user {
            Some(user) => Some(Actor::User(user.clone())),
            None => self.appid.clone().map(Actor::App),
        }
    }
}

/// Returns a claim if it exists and has the expected type.
fn claim<'a, T: Deserialize<'a>>(all: &'a BTreeMap<String, Box<RawValue>>, name: &str) -> Option<T> {
    serde_json::from_str(all.get(name)?.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims_of(payload: &str) -> Option<Claims> {
        let text = format!("e30.{}.signature", BASE64_URL_SAFE_NO_PAD.encode(payload));
        Token::new(&text, None).unwrap().claims().cloned()
    }

    #[test]
    fn token_has_a_tenant_or_is_opaque() {
        assert_eq!(claims_of(r#"{"tid": "t", "aud": "x"}"#).unwrap().tid.as_deref(), Some("t"));
        assert_eq!(claims_of(r#"{"azp": "a"}"#).unwrap().appid.as_deref(), Some("a"));
        assert_eq!(claims_of("{}"), Some(Claims::default()));
        for opaque in ["opaque", "a.b", "a.b.c", "..", "e30.é.x"] {
            let token = Token::new(opaque, None);
            assert!(token.is_err() || token.unwrap().claims().is_none(), "{opaque}");
        }
        for odd in ["[7]", r#"{"tid": 7}"#, "x"] {
            assert_eq!(claims_of(odd), None, "{odd}");
        }
    }

    #[test]
    fn malformed_claim_does_not_affect_others() {
        let whole = Claims {
            tid: Some("t".into()),
            appid: Some("a".into()),
            upn: Some("u".into()),
            roles: vec!["R".into()],
            ..Claims::default()
        };
        for (odd, read) in [
            (
                r#""appid": "a", "azp": "b", "preferred_username": "p", "upn": "u", "roles": ["R"]"#,
                whole.clone(),
            ),
            (
                r#""azp": "a", "appid": null, "upn": 7, "preferred_username": "u", "roles": [null, "R", 7]"#,
                whole,
            ),
            (r#""roles": null, "scp": [], "app_displayname": {}, "exp": "soon""#, Claims::default()),
            (r#""exp": 60.5"#, Claims { exp: Some(60), ..Claims::default() }),
            (r#""exp": -1"#, Claims::default()),
            (r#""exp": 1e300, "other": 1e999"#, Claims::default()),
        ] {
            let claims = claims_of(&format!(r#"{{"tid": "t", {odd}}}"#));
            assert_eq!(claims, Some(Claims { tid: Some("t".into()), ..read }), "{odd}");
        }
    }

    #[test]
    fn actor_is_the_user_of_a_delegated_token_otherwise_the_app() {
        for (payload, actor) in [
            (r#"{"appid": "a", "oid": "o", "roles": ["R"]}"#, Some(Actor::App("a".into()))),
            (
                r#"{"appid": "a", "oid": "o", "upn": "u@c.example", "scp": "S"}"#,
                Some(Actor::User("u@c.example".into())),
            ),
            (
                r#"{"azp": "a", "oid": "o", "preferred_username": "u", "scp": "S"}"#,
                Some(Actor::User("u".into())),
            ),
            (r#"{"appid": "a", "oid": "o", "scp": "S"}"#, Some(Actor::User("o".into()))),
            (r#"{"appid": "a", "scp": "S"}"#, Some(Actor::App("a".into()))),
            (r#"{"oid": "o"}"#, None),
            (r#"{"appid": 7, "upn": {}, "oid": []}"#, None),
        ] {
            assert_eq!(claims_of(payload).unwrap().actor(), actor, "{payload}");
        }
    }

    #[test]
    fn text_with_invalid_header_characters_is_not_a_token() {
        for bad in ["", " t", "Bearer t", "a\nb", "a\u{1}", "\"t\"", "'t'", "é"] {
            assert!(Token::new(bad, None).is_err(), "{bad:?}");
        }
        assert!(!format!("{:?}", Token::new("s3cr3t", None)).contains("s3cr3t"));
    }

    #[test]
    fn expiry_out_of_range_is_ignored() {
        let expires = |exp: u64| {
            let text = format!("e30.{}.x", BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"exp": {exp}}}"#)));
            Token::new(&text, None).unwrap().expires()
        };
        assert_eq!(expires(u64::MAX), None);
        assert_eq!(expires(60), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(60)));
    }
}
