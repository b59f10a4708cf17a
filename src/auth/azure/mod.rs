//! The kinds of credentials that ask somebody for their token, with Microsoft's own crate for it.
//!
//! The crate's own cache and retries are not used: a [`Credential`](super::Credential) keeps the
//! token, and each token is asked for by a credential made anew, so that a file that was rotated is
//! read again; [`Client`] sends again what may pass.

mod azure_cli;
mod client_certificate;
mod federated_token;
mod github_oidc;
mod managed_identity;
mod transport;

use std::error::Error as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{AccessToken, Secret as AzureSecret, TokenCredential};
use azure_core::error::ErrorKind;
use azure_core::http::{ClientOptions, RetryOptions, Transport as AzureTransport};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, AzurePipelinesCredential, AzurePipelinesCredentialOptions,
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, Executor,
};
use futures_util::future::BoxFuture;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::credential::Issuer;
use super::kind::{Kind, Place, Settings};
use super::{InvalidToken, Secret, SignInError, Token};
use crate::http::{Client, RetryBudget, SendErrorKind};
use federated_token::FederatedToken;
use github_oidc::GithubOidc;
use transport::{Transport, one_line};

/// How long the Azure CLI may take: it may be cold, and it may wait for somebody for ever.
const CLI_PATIENCE: Duration = Duration::from_secs(60);

/// How one kind signs in to one tenant.
#[derive(Debug)]
pub(super) struct SignIn {
    kind: Kind,
    settings: Settings,
    place: Place,
    http: Arc<Client>,
}

/// As the crate's error, which its credentials hand on and do not retry.
impl From<SignInError> for azure_core::Error {
    fn from(error: SignInError) -> Self {
        Self::new(ErrorKind::Credential, error)
    }
}

impl SignIn {
    pub(super) fn new(kind: Kind, settings: Settings, place: Place, http: Arc<Client>) -> Self {
        Self { kind, settings, place, http }
    }

    async fn ask(&self) -> azure_core::Result<AccessToken> {
        match self.kind {
            Kind::AccessToken => Err(SignInError::new("it cannot be renewed").into()),
            Kind::ClientSecret => self.client_secret().await,
            Kind::ClientCertificate => {
                let certificate = client_certificate::read(&self.settings).await?;
                let audience = format!("{}/oauth2/v2.0/token", self.tenant_url());
                self.exchange(certificate.assertion(self.app(), audience)).await
            }
            Kind::FederatedToken => self.exchange(FederatedToken::new(&self.settings)).await,
            Kind::GithubOidc => {
                let http = Arc::clone(&self.http);
                self.exchange(GithubOidc::new(&self.settings, self.place.exchange, http)?).await
            }
            Kind::AzurePipelinesOidc => self.azure_pipelines().await,
            Kind::ManagedIdentity => self.managed_identity().await,
            Kind::AzureCli => self.azure_cli().await,
        }
    }

    async fn client_secret(&self) -> azure_core::Result<AccessToken> {
        let secret = azure_secret(self.settings.client_secret.as_ref());
        let options = ClientSecretCredentialOptions { client_options: self.options() };
        let credential = ClientSecretCredential::new(&self.place.tenant, self.app(), secret, Some(options))?;
        credential.get_token(&[&self.place.scope], None).await
    }

    async fn azure_cli(&self) -> azure_core::Result<AccessToken> {
        let tenant_id = Some(self.place.tenant.clone());
        let executor: Option<Arc<dyn Executor>> = Some(Arc::new(azure_cli::Tied));
        let options =
            AzureCliCredentialOptions { tenant_id, executor, ..AzureCliCredentialOptions::default() };
        let credential = AzureCliCredential::new(Some(options))?;
        let scopes = [self.place.scope.as_str()];
        let asked = timeout(CLI_PATIENCE, credential.get_token(&scopes, None)).await;
        asked.unwrap_or_else(|_| {
            let problem = format!("`az` did not answer for {} s", CLI_PATIENCE.as_secs());
            Err(SignInError::new(problem).into())
        })
    }

    /// The app that signs in.
    fn app(&self) -> String {
        let Self { kind, settings, place, http: _ } = self;
        let connection =
            settings.service_connection_app.as_ref().filter(|_| *kind == Kind::AzurePipelinesOidc);
        let app = place.client_id.as_ref().or(settings.client_id.as_ref()).or(connection);
        app.cloned().unwrap_or_default()
    }

    async fn azure_pipelines(&self) -> azure_core::Result<AccessToken> {
        let Settings { pipelines_token, service_connection, .. } = &self.settings;
        let options = AzurePipelinesCredentialOptions { credential_options: self.assertion_options() };
        let credential = AzurePipelinesCredential::new(
            self.place.tenant.clone(),
            self.app(),
            service_connection.as_deref().unwrap_or_default(),
            azure_secret(pipelines_token.as_ref()),
            Some(options),
        )?;
        credential.get_token(&[&self.place.scope], None).await
    }

    /// The identity of a machine is one of the machine's own tenant. Where the file names an app, the
    /// identity's token is the proof by which that app signs in to the file's tenant
    /// (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity>);
    /// else the identity signs in itself.
    async fn managed_identity(&self) -> azure_core::Result<AccessToken> {
        let identity =
            managed_identity::new(self.settings.client_id.clone(), Transport::of_machine(&self.http))?;
        match &self.place.client_id {
            Some(app) if self.settings.client_id.as_ref().is_none_or(|id| !id.eq_ignore_ascii_case(app)) => {
                let proof = managed_identity::Proof { identity, audience: self.place.exchange };
                self.exchange(proof).await
            }
            _ => identity.get_token(&[&self.place.scope], None).await,
        }
    }

    /// Exchanges a proof of who asks for a token.
    async fn exchange(&self, proof: impl ClientAssertion + 'static) -> azure_core::Result<AccessToken> {
        let tenant = self.place.tenant.clone();
        let options = Some(self.assertion_options());
        let credential = ClientAssertionCredential::new(tenant, self.app(), proof, options)?;
        credential.get_token(&[&self.place.scope], None).await
    }

    fn assertion_options(&self) -> ClientAssertionCredentialOptions {
        ClientAssertionCredentialOptions { client_options: self.options() }
    }

    fn options(&self) -> ClientOptions {
        let mut custom = CustomConfiguration::default();
        custom.authority_host = self.place.authority.to_string();
        let cloud = CloudConfiguration::from(custom);
        ClientOptions { cloud: Some(Arc::new(cloud)), ..options(Transport::to_others(&self.http)) }
    }

    fn tenant_url(&self) -> String {
        format!("{}/{}", self.place.authority.as_str().trim_end_matches('/'), self.place.tenant)
    }
}

impl Issuer for SignIn {
    fn token(&self) -> BoxFuture<'_, Result<Token, SignInError>> {
        Box::pin(async {
            tokio::select! {
                asked = self.ask() => taken(asked.map_err(|error| said(&error))?).map_err(SignInError::new),
                () = self.http.stopped(RetryBudget::UntilDeadline) => {
                    Err(SignInError::new(SendErrorKind::Stopped.to_string()))
                }
            }
        })
    }
}

/// The beginning of a file, as far as a key or a token can reach. It may be a pipe that nobody writes into,
/// which must not hold up what else goes on.
async fn read(path: PathBuf) -> Result<Vec<u8>, SignInError> {
    const LONGEST: u64 = 1 << 20;
    let shown = path.display().to_string();
    let reading = spawn_blocking(move || {
        let mut bytes = Vec::new();
        File::open(path)?.take(LONGEST).read_to_end(&mut bytes).map(|_| bytes)
    });
    let read = reading.await.map_err(io::Error::from).flatten();
    read.map_err(|error| SignInError::new(format!("cannot read `{shown}`: {error}")))
}

/// Sends by our own client, which sends again by itself.
fn options(transport: Transport) -> ClientOptions {
    ClientOptions {
        transport: Some(AzureTransport::new(Arc::new(transport))),
        retry: RetryOptions::none(),
        ..ClientOptions::default()
    }
}

/// As the crate's own. An absent one is empty, which the crate refuses.
fn azure_secret(secret: Option<&Secret>) -> AzureSecret {
    AzureSecret::new(secret.map(Secret::expose).unwrap_or_default().to_owned())
}

/// Takes the crate's token over.
fn taken(token: AccessToken) -> Result<Token, String> {
    let (expires, token) = (token.expires_on.into(), token.token.secret());
    if token.trim().is_empty() {
        return Err("the answer holds no access token".into());
    }
    let odd = |InvalidToken| "the answer holds an access token with characters that no token has".into();
    Token::new(token, Some(expires)).map_err(odd)
}

/// What an error says, without the crate's own names and links: the innermost of our words, or of the
/// service's.
fn said(error: &azure_core::Error) -> SignInError {
    let mut words = error.to_string();
    let mut status = error.http_status();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(theirs) = inner.downcast_ref::<azure_core::Error>() {
            (words, status) = (theirs.to_string(), theirs.http_status());
        } else if let Some(ours) = inner.downcast_ref::<SignInError>() {
            if ours.unreachable().is_some() {
                return ours.clone();
            }
            (words, status) = (ours.to_string(), None);
        } else if inner.is::<serde_json::Error>() {
            words = without_text(&words);
        }
        cause = inner.source();
    }
    SignInError::new(match status {
        Some(status) if words.trim().is_empty() => format!("answered {}", u16::from(status)),
        _ => one_line(&words),
    })
}

/// What a reader of JSON says, without the text that stood where something else was expected: it may be
/// the token.
fn without_text(words: &str) -> String {
    match (words.split_once('"'), words.rsplit_once('"')) {
        (Some((before, _)), Some((_, after))) => format!("{before}\"***\"{after}"),
        _ => words.to_owned(),
    }
}
