//! A token of another issuer, in a file that its issuer keeps fresh
//! (<https://learn.microsoft.com/azure/aks/workload-identity-overview>).

use std::path::PathBuf;

use async_trait::async_trait;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;

use super::{Settings, SignInError};

/// The file of a token.
#[derive(Debug)]
pub(super) struct FederatedToken(PathBuf);

impl FederatedToken {
    /// The file that the settings name.
    pub(super) fn new(settings: &Settings) -> Self {
        Self(settings.federated_token_file.clone().unwrap_or_default())
    }
}

#[async_trait]
impl ClientAssertion for FederatedToken {
    // The crate's own reader keeps a line end, which no token has.
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let Self(path) = self;
        let token = std::fs::read_to_string(path).map(|token| token.trim().to_owned());
        match token {
            Ok(token) if token.is_empty() => Err(format!("`{}` is empty", path.display())),
            Ok(token) => Ok(token),
            Err(error) => Err(format!("cannot read `{}`: {error}", path.display())),
        }
        .map_err(|why| SignInError(why).into())
    }
}
