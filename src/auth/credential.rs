//! A credential's token: kept for the run, and renewed before it expires or once it is refused.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use reqwest::header::HeaderValue;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Kind, SignInError, Token};
use crate::http::{Authorize, AuthorizeError};

/// How long before it expires a token is renewed, at most: services and clocks differ by minutes.
const MARGIN: Duration = Duration::from_secs(300);

/// How long after a renewal that failed it is not tried again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Proves to one tenant's Graph who asks.
#[derive(Debug)]
pub struct Credential {
    kind: Kind,
    /// Who gives another token; nobody, where this is the only one.
    issuer: Option<Box<dyn Issuer>>,
    state: Mutex<State>,
    /// Held by who renews, who may take a minute.
    renewing: tokio::sync::Mutex<()>,
}

/// Gives a new token each time.
pub(super) trait Issuer: fmt::Debug + Send + Sync {
    /// A token, or why there is none.
    fn token(&self) -> BoxFuture<'_, Result<Token, SignInError>>;
}

#[derive(Debug)]
struct State {
    token: Token,
    /// When it is to be renewed, and when it expires.
    due: Option<Instant>,
    expires: Option<Instant>,
    /// Why the last renewal failed.
    failure: Option<SignInError>,
    /// Whether the service refused it, and another is being asked for.
    refused: bool,
    /// Whether it took the place of one that was refused: if it is refused too, another will be.
    last_try: bool,
}

/// What somebody gets who needs the token now.
enum Outlook {
    /// What there is.
    Token,
    /// What there is, and it is time for another.
    Due,
    /// Another one alone.
    Over,
    /// None, and there is no use in asking again so soon.
    Failed(SignInError),
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
        Self { token, due, expires: left.and_then(after), failure: None, refused: false, last_try }
    }

    fn outlook(&self) -> Outlook {
        let now = Instant::now();
        let over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        match &self.failure {
            _ if self.refused => Outlook::Over,
            _ if over(self.due) && over(self.expires) => Outlook::Over,
            _ if over(self.due) => Outlook::Due,
            Some(why) if over(self.expires) => Outlook::Failed(why.clone()),
            _ => Outlook::Token,
        }
    }

    /// Takes note of a renewal that failed just now, however long that took. When the token expires it is
    /// tried once more.
    fn failed(&mut self, why: SignInError) {
        let now = Instant::now();
        let expires = self.expires.filter(|expires| *expires > now);
        self.due = [now.checked_add(PATIENCE), expires].into_iter().flatten().min();
        self.failure = Some(why);
    }
}

impl Credential {
    fn new(kind: Kind, issuer: Option<Box<dyn Issuer>>, token: Token) -> Self {
        let state = Mutex::new(State::new(token, false));
        Self { kind, issuer, state, renewing: tokio::sync::Mutex::default() }
    }

    /// A token that cannot be renewed.
    pub fn given(token: Token) -> Self {
        Self::new(Kind::AccessToken, None, token)
    }

    /// Asks for a first token.
    #[cfg_attr(not(feature = "azure"), expect(dead_code, reason = "without the feature there is no issuer"))]
    pub(super) async fn issued_by(issuer: impl Issuer + 'static, kind: Kind) -> Result<Self, SignInError> {
        let token = issuer.token().await?;
        Ok(Self::new(kind, Some(Box::new(issuer)), token))
    }

    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The token as it is now.
    pub fn token(&self) -> Token {
        self.state().token.clone()
    }

    /// Held for a moment only: nobody waits for anything with it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for another token. It has to be for the tenant that the first one is for, since only that
    /// was compared with the file's: a login may have changed meanwhile.
    async fn renew(&self, issuer: &dyn Issuer, last_try: bool) -> Result<(), SignInError> {
        let token = issuer.token().await?;
        let tenant = |token: &Token| token.claims().and_then(|claims| claims.tid.clone());
        let (before, after) = (tenant(&self.token()), tenant(&token));
        if before != after {
            let name = |tenant: Option<String>| tenant.unwrap_or_else(|| "none that it tells".into());
            let (before, after) = (name(before), name(after));
            return Err(SignInError::new(format!(
                "the new token is for another tenant: `{after}`, and before it was `{before}`"
            )));
        }
        info!("renewed the access token by {}", self.kind);
        *self.state() = State::new(token, last_try);
        Ok(())
    }

    fn current(&self) -> Result<HeaderValue, AuthorizeError> {
        let state = self.state();
        match state.outlook() {
            Outlook::Failed(why) => Err(why.into()),
            Outlook::Token | Outlook::Due | Outlook::Over => Ok(state.token.header().clone()),
        }
    }
}

impl Authorize for Credential {
    fn header(&self) -> BoxFuture<'_, Result<HeaderValue, AuthorizeError>> {
        Box::pin(async {
            let Some(issuer) = self.issuer.as_deref() else { return self.current() };
            let outlook = self.state().outlook();
            let _renewing = match outlook {
                Outlook::Token | Outlook::Failed(_) => return self.current(),
                // One renews it, and the others go on with what there is.
                Outlook::Due => match self.renewing.try_lock() {
                    Ok(renewing) => renewing,
                    Err(_) => return self.current(),
                },
                Outlook::Over => self.renewing.lock().await,
            };
            // Whoever had it meanwhile may have renewed it, or failed to, or given up half way.
            let outlook = {
                let mut state = self.state();
                state.refused = false;
                state.outlook()
            };
            if let Outlook::Due | Outlook::Over = outlook
                && let Err(why) = self.renew(issuer, false).await
            {
                self.state().failed(why.clone());
                if self.current().is_ok() {
                    warn!("the access token cannot be renewed: {why}");
                }
            }
            self.current()
        })
    }

    fn renewed<'a>(&'a self, refused: &'a HeaderValue) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let Some(issuer) = self.issuer.as_deref() else { return false };
            let _renewing = self.renewing.lock().await;
            {
                let mut state = self.state();
                if state.token.header() != refused {
                    return true;
                }
                if state.last_try {
                    return false;
                }
                state.refused = true;
            }
            match self.renew(issuer, true).await {
                Ok(()) => self.state().token.header() != refused,
                Err(why) => {
                    warn!("the service refuses the access token, and it cannot be renewed: {why}");
                    let mut state = self.state();
                    (state.refused, state.last_try) = (false, true);
                    false
                }
            }
        })
    }
}

#[cfg(test)]
mod tests;
