//! Request of a token with each kind of credential.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{AccessToken, Secret as AzureSecret, TokenCredential};
use azure_core::http::ClientOptions;
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, AzurePipelinesCredential, AzurePipelinesCredentialOptions,
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, Executor, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId,
};
use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::azure_cli::KillOnDropExecutor;
use super::client_certificate::{self, Assertion};
use super::error::sign_in_error;
use super::federated_token::FederatedToken;
use super::github_oidc::GithubOidc;
use super::managed_identity::IdentityAssertion;
use super::transport::Transport;
use crate::auth::credential::TokenSource;
use crate::auth::error::SignInError;
use crate::auth::kind::{Kind, Settings, SignInTarget};
use crate::auth::secret::Secret;
use crate::auth::token::{InvalidToken, Token};
use crate::http::{Client, RetryBudget, SendErrorKind};

/// Time limit of the Azure CLI, which may start slowly or wait for input.
const CLI_TIMEOUT: Duration = Duration::from_secs(60);

/// Request of tokens for one tenant with one kind of credential.
#[derive(Debug)]
pub(crate) struct TokenRequest {
    kind: Kind,
    settings: Settings,
    target: SignInTarget,
    http: Arc<Client>,
}

impl TokenRequest {
    pub(crate) fn new(kind: Kind, settings: Settings, target: SignInTarget, http: Arc<Client>) -> Self {
        Self { kind, settings, target, http }
    }

    async fn request_token(&self) -> azure_core::Result<AccessToken> {
        let credential = self.credential().await?;
        let scopes = [self.target.scope.as_str()];
        let token = credential.get_token(&scopes, None);
        if self.kind != Kind::AzureCli {
            return token.await;
        }
        timeout(CLI_TIMEOUT, token).await.unwrap_or_else(|_| {
            let problem = format!("`az` did not answer for {} s", CLI_TIMEOUT.as_secs());
            Err(SignInError::new(problem).into())
        })
    }

    async fn credential(&self) -> azure_core::Result<Arc<dyn TokenCredential>> {
        match self.kind {
            Kind::AccessToken => Err(SignInError::new("a given token cannot be renewed").into()),
            Kind::ClientSecret => {
                let secret = azure_secret(self.settings.client_secret.as_ref());
                let options = ClientSecretCredentialOptions { client_options: self.options()? };
                Ok(ClientSecretCredential::new(&self.target.tenant, self.app(), secret, Some(options))?)
            }
            Kind::ClientCertificate => {
                let certificate = client_certificate::read(&self.settings).await?;
                let authority = self.target.authority.as_str().trim_end_matches('/');
                let audience = format!("{authority}/{}/oauth2/v2.0/token", self.target.tenant);
                self.with_assertion(Assertion { certificate, app: self.app(), audience })
            }
            Kind::FederatedToken => {
                let path = self.settings.federated_token_file.clone();
                self.with_assertion(FederatedToken(path.unwrap_or_default()))
            }
            Kind::GithubOidc => {
                let http = Arc::clone(&self.http);
                self.with_assertion(GithubOidc::new(&self.settings, self.target.assertion_audience, http)?)
            }
            Kind::AzurePipelinesOidc => self.azure_pipelines(),
            Kind::ManagedIdentity => self.managed_identity(),
            Kind::AzureCli => {
                let tenant_id = Some(self.target.tenant.clone());
                let executor: Option<Arc<dyn Executor>> = Some(Arc::new(KillOnDropExecutor));
                let options =
                    AzureCliCredentialOptions { tenant_id, executor, ..AzureCliCredentialOptions::default() };
                Ok(AzureCliCredential::new(Some(options))?)
            }
        }
    }

    /// Returns the client id of the app: of the file, else `AZURE_CLIENT_ID`, else that of the service
    /// connection of Azure Pipelines. Empty if there is none.
    fn app(&self) -> String {
        let Self { kind, settings, target, http: _ } = self;
        let connection =
            settings.service_connection_app.as_ref().filter(|_| *kind == Kind::AzurePipelinesOidc);
        let app = target.client_id.as_ref().or(settings.client_id.as_ref()).or(connection);
        app.cloned().unwrap_or_default()
    }

    fn azure_pipelines(&self) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let Settings { pipelines_token, service_connection, .. } = &self.settings;
        let options = AzurePipelinesCredentialOptions { credential_options: self.assertion_options()? };
        Ok(AzurePipelinesCredential::new(
            self.target.tenant.clone(),
            self.app(),
            service_connection.as_deref().unwrap_or_default(),
            azure_secret(pipelines_token.as_ref()),
            Some(options),
        )?)
    }

    /// Creates the credential of the managed identity, which belongs to the tenant of its machine. If the file
    /// names another client id than `AZURE_CLIENT_ID`, the identity's token is the assertion with which that
    /// app signs in to the file's tenant
    /// (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity>).
    /// Otherwise the identity signs in itself.
    fn managed_identity(&self) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let options = ManagedIdentityCredentialOptions {
            user_assigned_id: self.settings.client_id.clone().map(UserAssignedId::ClientId),
            client_options: Transport::for_metadata_service(&self.http).options(),
        };
        let identity = ManagedIdentityCredential::new(Some(options))?;
        match &self.target.client_id {
            Some(app) if self.settings.client_id.as_ref().is_none_or(|id| !id.eq_ignore_ascii_case(app)) => {
                let audience = self.target.assertion_audience;
                self.with_assertion(IdentityAssertion { identity, audience })
            }
            _ => Ok(identity),
        }
    }

    /// Creates the credential of the app that has an assertion in place of a secret.
    fn with_assertion(
        &self,
        assertion: impl ClientAssertion + 'static,
    ) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let tenant = self.target.tenant.clone();
        let options = Some(self.assertion_options()?);
        Ok(ClientAssertionCredential::new(tenant, self.app(), assertion, options)?)
    }

    fn assertion_options(&self) -> Result<ClientAssertionCredentialOptions, SignInError> {
        Ok(ClientAssertionCredentialOptions { client_options: self.options()? })
    }

    /// Returns the options of a credential that asks the login authority for its token. A domain may be looked up
    /// over http on loopback, but `azure_identity` requests tokens over https only.
    fn options(&self) -> Result<ClientOptions, SignInError> {
        let authority = &self.target.authority;
        if authority.scheme() != "https" {
            let url = authority.as_str().trim_end_matches('/');
            return Err(SignInError::new(format!(
                "a token is requested over https only, but the login authority is `{url}`"
            )));
        }
        let mut custom = CustomConfiguration::default();
        custom.authority_host = authority.to_string();
        let cloud = CloudConfiguration::from(custom);
        Ok(ClientOptions { cloud: Some(Arc::new(cloud)), ..Transport::for_authorities(&self.http).options() })
    }
}

impl TokenSource for TokenRequest {
    fn token(&self) -> BoxFuture<'_, Result<Token, SignInError>> {
        Box::pin(async {
            tokio::select! {
                token = self.request_token() => token.map_err(|error| sign_in_error(&error))?.try_into(),
                () = self.http.limits().stopped(RetryBudget::UntilDeadline) => {
                    Err(SignInError::new(SendErrorKind::Stopped.to_string()))
                }
            }
        })
    }
}

/// Converts a secret to the type of `azure_core`. A missing secret is empty, which `azure_identity` rejects.
fn azure_secret(secret: Option<&Secret>) -> AzureSecret {
    AzureSecret::new(secret.map(Secret::expose).unwrap_or_default().to_owned())
}

/// Converts a token of the crate.
impl TryFrom<AccessToken> for Token {
    type Error = SignInError;

    fn try_from(token: AccessToken) -> Result<Self, SignInError> {
        // An expiry of 0 is not known.
        let expires = Some(SystemTime::from(token.expires_on)).filter(|at| *at != SystemTime::UNIX_EPOCH);
        let token = token.token.secret();
        if token.trim().is_empty() {
            return Err(SignInError::new("the response has no access token"));
        }
        Self::new(token, expires).map_err(|InvalidToken| {
            SignInError::new("the response has an access token with invalid characters")
        })
    }
}
