//! Managed identity of the Azure resource that this runs on
//! (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/overview>).

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::http::ClientMethodOptions;
use azure_identity::{ClientAssertion, ManagedIdentityCredential};

/// Token of a managed identity, as the assertion of an app that trusts it.
#[derive(Debug)]
pub(super) struct IdentityAssertion {
    pub(super) identity: Arc<ManagedIdentityCredential>,
    /// Audience of such a token.
    pub(super) audience: &'static str,
}

#[async_trait]
impl ClientAssertion for IdentityAssertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let scope = format!("{}/.default", self.audience);
        let token = self.identity.get_token(&[scope.as_str()], None).await?;
        Ok(token.token.secret().to_owned())
    }
}
