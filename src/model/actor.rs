//! Who acts in a tenant.

use std::fmt;

/// App or user of an access token, as the token names it. The token is not verified, so the name may be any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Client id of an app that acts for itself.
    App(String),
    /// Name or object id of a user who signed in to an app.
    User(String),
}

impl fmt::Display for Actor {
    /// Writes `app ID` or `user NAME`, not escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(id) => write!(f, "app {id}"),
            Self::User(name) => write!(f, "user {name}"),
        }
    }
}
