//! Credentials. Each kind returns a [`Token`], which a [`Credential`] caches and renews.
//!
//! `azure` has the kinds that request their token.

#[cfg(feature = "azure")]
mod azure;
mod credential;
mod error;
mod kind;
mod secret;
mod sign_in;
pub mod tenant;
mod token;

pub use credential::Credential;
pub use error::SignInError;
pub use kind::{Kind, Settings, SignInTarget};
pub use secret::Secret;
pub use sign_in::{NoCredential, sign_in};
pub use token::{Claims, InvalidToken, Token};
