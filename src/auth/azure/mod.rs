//! Credentials that request their token, based on Microsoft's crate `azure_identity`.
//!
//! The cache and the retries of the crate are not used. [`Credential`](super::Credential) caches the token.
//! Each token is requested by a new `azure_identity` credential, so that a rotated file is read again.
//! [`Client`](crate::http::Client) retries.

mod azure_cli;
mod client_certificate;
mod error;
mod federated_token;
mod file;
mod github_oidc;
mod managed_identity;
mod token_request;
mod token_response;
mod transport;

pub(super) use token_request::TokenRequest;
