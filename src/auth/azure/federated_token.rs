//! Token of another issuer, in a file that the issuer keeps up to date
//! (<https://learn.microsoft.com/azure/aks/workload-identity-overview>).

use std::path::PathBuf;

use async_trait::async_trait;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;

use super::file;
use crate::auth::error::SignInError;
use crate::{encoding, paths};

/// File of a federated token. It is read when a token is requested.
#[derive(Debug)]
pub(super) struct FederatedToken(pub(super) PathBuf);

#[async_trait]
impl ClientAssertion for FederatedToken {
    // The crate's own reader keeps a trailing line break, which is invalid in a token.
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let Self(path) = self;
        let bytes = file::read(path.clone()).await?;
        match encoding::decode(&bytes).map(str::trim) {
            Ok("") => Err(SignInError::new(format!("`{}` is empty", paths::display(path))).into()),
            Ok(token) => Ok(token.to_owned()),
            Err(invalid) => Err(SignInError::new(format!("`{}` is {invalid}", paths::display(path))).into()),
        }
    }
}
