//! Signing in by chance: tokens that live for seconds or are revoked, and an authority that gives none.

use std::sync::Mutex;
use std::time::Duration;

use super::dice::Dice;
use super::scenario::Scenario;
use crate::support::entra::{APP, Entra};
use crate::support::line::Gate;

/// How a run comes by its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// One is given to it that serves for ever.
    Given,
    /// Tokens live for two seconds.
    ShortLived,
    /// Tokens say that they live for so many seconds from now, or that they are over, and serve for ever.
    OddClock(i64),
    /// The first one serves for so many requests, and the others for ever.
    Revoked(usize),
    /// The first one serves for so many requests, and the others are answered with this status.
    Lost(usize, u16),
    /// Whoever asks for one is answered with this status at first.
    Stumbling(u16),
    /// Whoever asks for one is answered with this status.
    Refused(u16),
}

impl SignIn {
    /// What an authority answers that is to be asked again.
    pub const PASSING: [u16; 6] = [408, 429, 500, 502, 503, 504];
    /// What one answers that gives no token.
    pub const LASTING: [u16; 6] = [400, 401, 403, 429, 500, 503];
    /// How long tokens live by a clock that is another.
    pub const LIVES: [i64; 4] = [-86_400, 0, 1, 31_536_000];

    pub fn roll(dice: &mut Dice) -> Self {
        if !cfg!(feature = "azure") || dice.chance(82) {
            return Self::Given;
        }
        match dice.below(7) {
            0 | 1 => Self::ShortLived,
            2 => Self::Revoked(dice.below(8)),
            3 => Self::Lost(dice.below(8), *dice.pick(&Self::LASTING)),
            4 => Self::OddClock(*dice.pick(&Self::LIVES)),
            5 => Self::Stumbling(*dice.pick(&Self::PASSING)),
            _ => Self::Refused(*dice.pick(&Self::LASTING)),
        }
    }

    /// Whether a run that has time ends as if it had been given a token.
    pub fn passes(self) -> bool {
        !matches!(self, Self::Lost(..) | Self::Refused(_))
    }

    /// What it is called in counts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "sign-in: given",
            Self::ShortLived => "sign-in: short-lived",
            Self::OddClock(_) => "sign-in: odd clock",
            Self::Revoked(_) => "sign-in: revoked",
            Self::Lost(..) => "sign-in: lost",
            Self::Stumbling(_) => "sign-in: stumbling",
            Self::Refused(_) => "sign-in: refused",
        }
    }
}

/// An authority that signs in to the tenants of a scenario.
pub struct Login {
    pub entra: Entra,
    sign_in: SignIn,
}

impl Login {
    /// None where a token is given.
    pub fn of(scenario: &Scenario) -> Option<Self> {
        let sign_in = scenario.sign_in;
        if sign_in == SignIn::Given {
            return None;
        }
        let snapshot = || scenario.world.snapshot(&scenario.world.bindings);
        let entra = Entra::serve(vec![
            ("contoso.onmicrosoft.com", "11111111-0000-4000-8000-000000000001", snapshot()),
            ("fabrikam.onmicrosoft.com", "22222222-0000-4000-8000-000000000002", snapshot()),
        ]);
        // It repeats what it was sent, as a careless service may.
        let words = r#"{"error":"nonsense","error_description":"::error::you sent client-s3cr3t\r\nTrace"}"#;
        entra.behave(|manner| match sign_in {
            SignIn::Given | SignIn::Revoked(_) => {}
            SignIn::OddClock(life) => manner.says = Some(life),
            SignIn::ShortLived => manner.life = Duration::from_secs(2),
            SignIn::Lost(_, status) => {
                (manner.refusal, manner.issues) = (Some((status, words.into())), 1);
            }
            SignIn::Stumbling(status) => {
                (manner.refusal, manner.refusals) = (Some((status, "<html>busy</html>".into())), 1);
            }
            SignIn::Refused(status) => manner.refusal = Some((status, words.into())),
        });
        Some(Self { entra, sign_in })
    }

    /// What tells a run to sign in here.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AZURE_AUTHORITY_HOST", self.entra.url("")),
            ("SSL_CERT_FILE", self.entra.ca_file().display().to_string()),
            ("AZURE_CLIENT_ID", APP.to_owned()),
            ("AZURE_CLIENT_SECRET", "client-s3cr3t".to_owned()),
        ]
    }

    /// Whose tokens Graph takes.
    pub fn gate(&self) -> Gate {
        let admits = self.entra.admission();
        let most = match self.sign_in {
            SignIn::Revoked(most) | SignIn::Lost(most, _) => most,
            _ => usize::MAX,
        };
        let first = Mutex::new((None::<String>, 0));
        std::sync::Arc::new(move |token| {
            let mut first = first.lock().unwrap();
            if !admits(token) {
                return false;
            }
            let is_first = first.0.get_or_insert_with(|| token.to_owned()) == token;
            first.1 += usize::from(is_first);
            !is_first || first.1 <= most
        })
    }

    /// How often a token was asked for.
    pub fn asked(&self) -> usize {
        self.entra.asked("/oauth2/v2.0/token").len()
    }
}
