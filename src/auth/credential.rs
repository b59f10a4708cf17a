//! A credential's token: kept for the run, and renewed before it expires or once it is refused.

use std::fmt;
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use reqwest::header::HeaderValue;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Kind, Token};
use crate::http::Authorize;

/// How long before it expires a token is renewed, at most: services and clocks differ by minutes.
const MARGIN: Duration = Duration::from_secs(300);

/// How long a renewal that failed is not tried again while the token still serves.
const PATIENCE: Duration = Duration::from_secs(30);

/// Proves to one tenant's Graph who asks.
#[derive(Debug)]
pub struct Credential {
    kind: Kind,
    /// Who gives another token; nobody, where this is the only one.
    issuer: Option<Box<dyn Issuer>>,
    state: Mutex<State>,
}

/// Gives a new token each time.
pub(super) trait Issuer: fmt::Debug + Send + Sync {
    /// A token, or why there is none.
    fn token(&self) -> BoxFuture<'_, Result<Token, String>>;
}

#[derive(Debug)]
struct State {
    token: Token,
    /// When it is to be renewed, and when it expires.
    due: Option<Instant>,
    expires: Option<Instant>,
    /// Whether it took the place of one that was refused: if it is refused too, another will be.
    last_try: bool,
}

impl State {
    fn new(token: Token, last_try: bool) -> Self {
        // The time left is measured once: from here on the clock may be set anew. A new token that
        // expired already is one of another clock, and the service decides.
        let now = Instant::now();
        let left = token.expires().map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
        let left = left.filter(|left| !left.is_zero());
        let after = |wait: Duration| now.checked_add(wait);
        let due = left
            .and_then(|left| after(left.saturating_sub(left.checked_div(2).unwrap_or_default().min(MARGIN))));
        Self { token, due, expires: left.and_then(after), last_try }
    }
}

impl Credential {
    /// A token that cannot be renewed.
    pub fn given(token: Token) -> Self {
        Self { kind: Kind::AccessToken, issuer: None, state: Mutex::new(State::new(token, false)) }
    }

    /// Asks for a first token.
    #[cfg_attr(not(feature = "azure"), expect(dead_code, reason = "without the feature there is no issuer"))]
    pub(super) async fn issued_by(issuer: impl Issuer + 'static, kind: Kind) -> Result<Self, String> {
        let token = issuer.token().await?;
        Ok(Self { kind, issuer: Some(Box::new(issuer)), state: Mutex::new(State::new(token, false)) })
    }

    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The token as it is now.
    pub async fn token(&self) -> Token {
        self.state.lock().await.token.clone()
    }

    /// Asks for another token. It has to be for the tenant that the first one is for, since only that
    /// was compared with the file's: a login may have changed meanwhile.
    async fn renew(&self, issuer: &dyn Issuer, state: &mut State, last_try: bool) -> Result<(), String> {
        let token = issuer.token().await?;
        let tenant = |token: &Token| token.claims().and_then(|claims| claims.tid.clone());
        let (before, after) = (tenant(&state.token), tenant(&token));
        if before != after {
            let name = |tenant: Option<String>| tenant.unwrap_or_else(|| "none that it tells".into());
            let (before, after) = (name(before), name(after));
            return Err(format!(
                "the new token is for another tenant: `{after}`, and before it was `{before}`"
            ));
        }
        info!("renewed the access token by {}", self.kind);
        *state = State::new(token, last_try);
        Ok(())
    }
}

impl Authorize for Credential {
    fn header(&self) -> BoxFuture<'_, Result<HeaderValue, String>> {
        Box::pin(async {
            let mut state = self.state.lock().await;
            let now = Instant::now();
            if let Some(issuer) = self.issuer.as_deref()
                && state.due.is_some_and(|due| due <= now)
                && let Err(why) = self.renew(issuer, &mut state, false).await
            {
                if state.expires.is_some_and(|expires| expires <= now) {
                    return Err(format!("the access token expired and cannot be renewed: {why}"));
                }
                warn!("the access token cannot be renewed: {why}");
                state.due = now.checked_add(PATIENCE).min(state.expires);
            }
            Ok(state.token.header().clone())
        })
    }

    fn renewed<'a>(&'a self, refused: &'a HeaderValue) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let mut state = self.state.lock().await;
            if state.token.header() != refused {
                return true;
            }
            let Some(issuer) = self.issuer.as_deref().filter(|_| !state.last_try) else { return false };
            match self.renew(issuer, &mut state, true).await {
                Ok(()) => state.token.header() != refused,
                Err(why) => {
                    warn!("the service refuses the access token, and it cannot be renewed: {why}");
                    state.last_try = true;
                    false
                }
            }
        })
    }
}
