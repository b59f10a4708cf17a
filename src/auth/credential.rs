//! Cached token of a credential, renewed before it expires or after the service rejected it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use reqwest::header::HeaderValue;
use tokio::time::Instant;
use tracing::{info, warn};

use super::error::SignInError;
use super::kind::Kind;
use super::token::Token;
use crate::http::{Authorize, AuthorizeError};

/// Maximum time before expiry at which a token is renewed: clocks may differ by minutes.
const REFRESH_MARGIN: Duration = Duration::from_secs(300);

/// Time after a failed renewal without another attempt.
const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// Credential of a run for one tenant, with its token.
#[derive(Debug)]
pub struct Credential {
    kind: Kind,
    /// Source of new tokens; `None` if the token cannot be renewed.
    source: Option<Box<dyn TokenSource>>,
    state: Mutex<State>,
    /// Held during a renewal, which may take a minute.
    renewing: tokio::sync::Mutex<()>,
}

/// Source of tokens.
pub(super) trait TokenSource: fmt::Debug + Send + Sync {
    /// Requests a new token.
    fn token(&self) -> BoxFuture<'_, Result<Token, SignInError>>;
}

#[derive(Debug)]
struct State {
    token: Token,
    /// When the token is renewed, and when it expires.
    due: Option<Instant>,
    expires: Option<Instant>,
    /// Error of the last renewal.
    failure: Option<SignInError>,
    /// Whether the service rejected the token and a new one is being requested.
    is_rejected: bool,
    /// Whether the token replaced a rejected one. If it is rejected too, a further one would be as well.
    is_replacement: bool,
}

/// State of the cached token.
enum TokenState {
    /// The token is valid.
    Fresh,
    /// The token is valid and should be renewed.
    RefreshDue,
    /// The token must be renewed before use.
    Expired,
    /// The token is expired, and a renewal failed a moment ago.
    Failed(SignInError),
}

impl State {
    fn new(token: Token) -> Self {
        // The remaining time is computed once, because the system clock may be changed later. A new token that
        // is expired already comes from another clock; the service decides.
        let now = Instant::now();
        let left = token.expires().map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
        let left = left.filter(|left| !left.is_zero());
        let after = |wait: Duration| now.checked_add(wait);
        let due = left.and_then(|left| {
            after(left.saturating_sub(left.checked_div(2).unwrap_or_default().min(REFRESH_MARGIN)))
        });
        let expires = left.and_then(after);
        Self { token, due, expires, failure: None, is_rejected: false, is_replacement: false }
    }

    fn token_state(&self) -> TokenState {
        let now = Instant::now();
        let is_past = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        match &self.failure {
            _ if self.is_rejected => TokenState::Expired,
            _ if is_past(self.due) && is_past(self.expires) => TokenState::Expired,
            _ if is_past(self.due) => TokenState::RefreshDue,
            Some(error) if is_past(self.expires) => TokenState::Failed(error.clone()),
            _ => TokenState::Fresh,
        }
    }

    /// Records a renewal that failed just now. The next one is due after [`RETRY_INTERVAL`], or when the token
    /// expires. If the login is over, no other one is due.
    fn record_failure(&mut self, error: SignInError) {
        let now = Instant::now();
        let expires = self.expires.filter(|expires| *expires > now);
        let next = [now.checked_add(RETRY_INTERVAL), expires].into_iter().flatten().min();
        self.due = next.filter(|_| !error.is_login_over());
        self.failure = Some(error);
    }
}

impl Credential {
    fn new(kind: Kind, source: Option<Box<dyn TokenSource>>, token: Token) -> Self {
        let state = Mutex::new(State::new(token));
        Self { kind, source, state, renewing: tokio::sync::Mutex::default() }
    }

    /// Creates a credential from a token that cannot be renewed.
    pub fn from_token(token: Token) -> Self {
        Self::new(Kind::AccessToken, None, token)
    }

    /// Requests a token from a source, and creates a credential with it that can request further ones there.
    /// Fails if there is no token.
    #[cfg_attr(not(feature = "azure"), expect(dead_code, reason = "without the feature there is no source"))]
    pub(super) async fn from_source(
        source: impl TokenSource + 'static,
        kind: Kind,
    ) -> Result<Self, SignInError> {
        let token = source.token().await?;
        Ok(Self::new(kind, Some(Box::new(source)), token))
    }

    /// Returns the kind of the credential.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the cached token, even if it is expired. Requests none.
    pub fn token(&self) -> Token {
        self.state().token.clone()
    }

    /// Locks the state. The lock is never held across an await.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests a new token and caches it. An error without change if it is for another tenant than the
    /// cached one, because only the tenant of the first token was compared with the file: `az login` may have
    /// switched meanwhile.
    async fn renew(&self, source: &dyn TokenSource) -> Result<(), SignInError> {
        let token = source.token().await?;
        let tenant = |token: &Token| token.claims().and_then(|claims| claims.tid.clone());
        let (before, after) = (tenant(&self.token()), tenant(&token));
        if before != after {
            let name = |tenant: Option<String>| tenant.unwrap_or_else(|| "unknown".into());
            let (before, after) = (name(before), name(after));
            return Err(SignInError::new(format!(
                "the new token is for another tenant: `{after}`, not `{before}`"
            )));
        }
        info!("renewed the access token by {}", self.kind);
        *self.state() = State::new(token);
        Ok(())
    }

    fn current(&self) -> Result<HeaderValue, AuthorizeError> {
        let state = self.state();
        match state.token_state() {
            TokenState::Failed(error) => Err(error.into()),
            TokenState::Fresh | TokenState::RefreshDue | TokenState::Expired => {
                Ok(state.token.header().clone())
            }
        }
    }
}

impl Authorize for Credential {
    fn header(&self) -> BoxFuture<'_, Result<HeaderValue, AuthorizeError>> {
        Box::pin(async {
            let Some(source) = self.source.as_deref() else { return self.current() };
            let token_state = self.state().token_state();
            let _renewing = match token_state {
                TokenState::Fresh | TokenState::Failed(_) => return self.current(),
                // One request renews the token; the others use the cached one.
                TokenState::RefreshDue => match self.renewing.try_lock() {
                    Ok(renewing) => renewing,
                    Err(_) => return self.current(),
                },
                TokenState::Expired => self.renewing.lock().await,
            };
            // The previous holder of the lock may have renewed the token, failed, or been cancelled.
            let token_state = {
                let mut state = self.state();
                state.is_rejected = false;
                state.token_state()
            };
            if let TokenState::RefreshDue | TokenState::Expired = token_state
                && let Err(error) = self.renew(source).await
            {
                self.state().record_failure(error.clone());
                if self.current().is_ok() {
                    warn!("cannot renew the access token: {error}");
                }
            }
            self.current()
        })
    }

    fn renewed<'a>(&'a self, rejected: &'a HeaderValue) -> BoxFuture<'a, Result<bool, AuthorizeError>> {
        Box::pin(async move {
            let Some(source) = self.source.as_deref() else { return Ok(false) };
            let _renewing = self.renewing.lock().await;
            {
                let mut state = self.state();
                if state.token.header() != rejected {
                    return Ok(true);
                }
                if let Some(over) = state.failure.clone().filter(SignInError::is_login_over) {
                    state.expires = Some(Instant::now());
                    return Err(over.into());
                }
                if state.is_replacement {
                    return Ok(false);
                }
                state.is_rejected = true;
            }
            let renewed = self.renew(source).await;
            let mut state = self.state();
            (state.is_rejected, state.is_replacement) = (false, true);
            match renewed {
                Ok(()) => Ok(state.token.header() != rejected),
                Err(error) if error.is_login_over() => {
                    state.expires = Some(Instant::now());
                    state.record_failure(error.clone());
                    Err(error.into())
                }
                Err(error) => {
                    warn!("the service rejected the access token, and it cannot be renewed: {error}");
                    Ok(false)
                }
            }
        })
    }
}

#[cfg(test)]
mod tests;
