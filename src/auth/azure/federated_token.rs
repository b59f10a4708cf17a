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
        let bytes = super::read(path.clone()).await?;
        match str::from_utf8(&bytes).map(str::trim) {
            Ok("") => Err(SignInError::new(format!("`{}` is empty", path.display())).into()),
            Ok(token) => Ok(token.to_owned()),
            Err(_) => Err(SignInError::new(format!("`{}` holds no token", path.display())).into()),
        }
    }
}
