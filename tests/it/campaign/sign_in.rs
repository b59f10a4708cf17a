//! Sign-in faults: short-lived and revoked tokens, and a token endpoint that returns errors.

use std::sync::Mutex;
use std::time::Duration;

use super::rng::SeededRng;
use super::scenario::Scenario;
use crate::support::entra::{APP, Entra};
use crate::support::faulty_proxy::TokenGate;

/// How a run gets its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// `FLOWBIND_ACCESS_TOKEN` holds a token that does not expire.
    StaticToken,
    /// Tokens expire after two seconds.
    ShortLived,
    /// Tokens do not expire, but report this lifetime in seconds, which may be negative.
    WrongLifetime(i64),
    /// The first token is revoked after so many requests. Later tokens do not expire.
    Revoked(usize),
    /// The first token is revoked after so many requests. Then the endpoint returns this status.
    RevokedWithoutRenewal(usize, u16),
    /// The token endpoint returns this status once.
    TransientError(u16),
    /// The token endpoint always returns this status.
    Rejected(u16),
}

impl SignIn {
    /// Statuses of the token endpoint after which a retry helps.
    pub const TRANSIENT_STATUSES: [u16; 6] = [408, 429, 500, 502, 503, 504];
    /// Statuses of a token endpoint that never issues a token.
    pub const PERMANENT_STATUSES: [u16; 6] = [400, 401, 403, 429, 500, 503];
    /// Reported lifetimes in seconds, as seen by a wrong clock.
    pub const REPORTED_LIFETIMES: [i64; 4] = [-86_400, 0, 1, 31_536_000];

    pub fn generate(rng: &mut SeededRng) -> Self {
        if !cfg!(feature = "azure") || rng.chance(82) {
            return Self::StaticToken;
        }
        match rng.below(7) {
            0 | 1 => Self::ShortLived,
            2 => Self::Revoked(rng.below(8)),
            3 => Self::RevokedWithoutRenewal(rng.below(8), *rng.pick(&Self::PERMANENT_STATUSES)),
            4 => Self::WrongLifetime(*rng.pick(&Self::REPORTED_LIFETIMES)),
            5 => Self::TransientError(*rng.pick(&Self::TRANSIENT_STATUSES)),
            _ => Self::Rejected(*rng.pick(&Self::PERMANENT_STATUSES)),
        }
    }

    /// Returns whether a run with enough time ends as with a static token.
    pub fn is_transient(self) -> bool {
        !matches!(self, Self::RevokedWithoutRenewal(..) | Self::Rejected(_))
    }

    /// Returns the name under which the campaign counts the fault.
    pub fn name(self) -> &'static str {
        match self {
            Self::StaticToken => "sign-in: static token",
            Self::ShortLived => "sign-in: short-lived",
            Self::WrongLifetime(_) => "sign-in: wrong lifetime",
            Self::Revoked(_) => "sign-in: revoked",
            Self::RevokedWithoutRenewal(..) => "sign-in: revoked without renewal",
            Self::TransientError(_) => "sign-in: transient error",
            Self::Rejected(_) => "sign-in: rejected",
        }
    }
}

/// Fake services that sign in to the tenants of a scenario.
pub struct SignInService {
    pub entra: Entra,
    sign_in: SignIn,
}

impl SignInService {
    /// Starts the services of a scenario, `None` for a static token.
    pub fn for_scenario(scenario: &Scenario) -> Option<Self> {
        let sign_in = scenario.sign_in;
        if sign_in == SignIn::StaticToken {
            return None;
        }
        let snapshot = || scenario.model.snapshot(&scenario.model.bindings);
        let entra = Entra::serve(vec![
            ("contoso.onmicrosoft.com", "11111111-0000-4000-8000-000000000001", snapshot()),
            ("fabrikam.onmicrosoft.com", "22222222-0000-4000-8000-000000000002", snapshot()),
        ]);
        // The body repeats the secret, so that the oracle can check that flowbind redacts it.
        let body = r#"{"error":"nonsense","error_description":"::error::you sent client-s3cr3t\r\nTrace"}"#;
        entra.behave(|behavior| match sign_in {
            SignIn::StaticToken | SignIn::Revoked(_) => {}
            SignIn::WrongLifetime(life) => behavior.reported_lifetime = Some(life),
            SignIn::ShortLived => behavior.token_lifetime = Duration::from_secs(2),
            SignIn::RevokedWithoutRenewal(_, status) => {
                (behavior.token_error, behavior.tokens_before_error) = (Some((status, body.into())), 1);
            }
            SignIn::TransientError(status) => {
                (behavior.token_error, behavior.token_errors) =
                    (Some((status, "<html>busy</html>".into())), 1);
            }
            SignIn::Rejected(status) => behavior.token_error = Some((status, body.into())),
        });
        Some(Self { entra, sign_in })
    }

    /// Returns the environment variables of a run that signs in here.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AZURE_AUTHORITY_HOST", self.entra.url("")),
            ("SSL_CERT_FILE", self.entra.ca_file().display().to_string()),
            ("AZURE_CLIENT_ID", APP.to_owned()),
            ("AZURE_CLIENT_SECRET", "client-s3cr3t".to_owned()),
        ]
    }

    /// Returns the gate that decides which tokens Graph accepts.
    pub fn token_gate(&self) -> TokenGate {
        let is_valid = self.entra.token_validator();
        let max_uses = match self.sign_in {
            SignIn::Revoked(max_uses) | SignIn::RevokedWithoutRenewal(max_uses, _) => max_uses,
            _ => usize::MAX,
        };
        let first_token = Mutex::new((None::<String>, 0));
        std::sync::Arc::new(move |token| {
            let mut first_token = first_token.lock().unwrap();
            if !is_valid(token) {
                return false;
            }
            let (first, uses) = &mut *first_token;
            let is_first = first.get_or_insert_with(|| token.to_owned()) == token;
            *uses += usize::from(is_first);
            !is_first || *uses <= max_uses
        })
    }

    /// Returns the number of requests to token endpoints.
    pub fn token_requests(&self) -> usize {
        self.entra.requests_to("/oauth2/v2.0/token").len()
    }
}
