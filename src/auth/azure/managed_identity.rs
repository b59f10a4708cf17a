//! The identity of the Azure resource that this runs on
//! (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/overview>).

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::http::ClientMethodOptions;
use azure_identity::{
    ClientAssertion, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};

use super::options;
use super::transport::Transport;

/// The identity of that client id, or else the resource's own.
pub(super) fn new(
    client_id: Option<String>,
    transport: Transport,
) -> azure_core::Result<Arc<ManagedIdentityCredential>> {
    let options = ManagedIdentityCredentialOptions {
        user_assigned_id: client_id.map(UserAssignedId::ClientId),
        client_options: options(transport),
    };
    ManagedIdentityCredential::new(Some(options))
}

/// An identity's token as the proof of an app that trusts the identity.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) identity: Arc<ManagedIdentityCredential>,
    /// What such a token has to be for.
    pub(super) audience: &'static str,
}

#[async_trait]
impl ClientAssertion for Proof {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let scope = format!("{}/.default", self.audience);
        let token = self.identity.get_token(&[scope.as_str()], None).await?;
        Ok(token.token.secret().to_owned())
    }
}
