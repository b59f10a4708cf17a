//! Credentials: what proves to Graph who asks. Each kind becomes a [`Token`], which a [`Credential`]
//! keeps and renews.
//!
//! `azure` holds the kinds that have to ask somebody for their token.

#[cfg(feature = "azure")]
mod azure;
mod credential;
mod error;
mod kind;
mod secret;
pub mod tenant;
mod token;

pub use credential::Credential;
pub use error::SignInError;
pub use kind::{Kind, NoCredential, Place, Settings, sign_in};
pub use secret::Secret;
pub use token::{Claims, InvalidToken, Token};
