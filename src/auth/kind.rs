//! Kinds of credentials, and the choice of the one that signs in.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::Url;

#[cfg(feature = "azure")]
use super::azure::SignIn;
use super::{Credential, InvalidToken, Secret, SignInError, Token};
use crate::http::Client;

/// Kind of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A ready token for Graph.
    AccessToken,
    /// A secret of the app.
    ClientSecret,
    /// A certificate of the app, with its private key.
    ClientCertificate,
    /// A token of another issuer that the app trusts, in a file: Kubernetes' workload identity.
    FederatedToken,
    /// The token that GitHub Actions issues for a job.
    GithubOidc,
    /// The token that Azure Pipelines issues for a service connection.
    AzurePipelinesOidc,
    /// The identity of the Azure resource that this runs on.
    ManagedIdentity,
    /// The user who is logged in to the Azure CLI.
    AzureCli,
}

impl Kind {
    /// All kinds, in the order in which they are tried.
    pub const ALL: [Self; 8] = [
        Self::AccessToken,
        Self::ClientSecret,
        Self::ClientCertificate,
        Self::FederatedToken,
        Self::GithubOidc,
        Self::AzurePipelinesOidc,
        Self::ManagedIdentity,
        Self::AzureCli,
    ];

    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "access-token",
            Self::ClientSecret => "client-secret",
            Self::ClientCertificate => "client-certificate",
            Self::FederatedToken => "federated-token",
            Self::GithubOidc => "github-oidc",
            Self::AzurePipelinesOidc => "azure-pipelines-oidc",
            Self::ManagedIdentity => "managed-identity",
            Self::AzureCli => "azure-cli",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Settings of the credentials. Each field is an environment variable.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `FLOWBIND_ACCESS_TOKEN`.
    pub access_token: Option<Secret>,
    /// `AZURE_CLIENT_ID`: the app if the file names none, and the managed identity if there are several.
    pub client_id: Option<String>,
    /// `AZURE_CLIENT_SECRET`.
    pub client_secret: Option<Secret>,
    /// `AZURE_CLIENT_CERTIFICATE_PATH`.
    pub certificate: Option<PathBuf>,
    /// `AZURE_CLIENT_CERTIFICATE_PASSWORD`.
    pub certificate_password: Option<Secret>,
    /// `AZURE_FEDERATED_TOKEN_FILE`.
    pub federated_token_file: Option<PathBuf>,
    /// `ACTIONS_ID_TOKEN_REQUEST_URL`.
    pub github_url: Option<String>,
    /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
    pub github_token: Option<Secret>,
    /// `SYSTEM_OIDCREQUESTURI`.
    pub pipelines_url: Option<String>,
    /// `SYSTEM_ACCESSTOKEN`.
    pub pipelines_token: Option<Secret>,
    /// `AZURESUBSCRIPTION_SERVICE_CONNECTION_ID`.
    pub service_connection: Option<String>,
    /// `AZURESUBSCRIPTION_CLIENT_ID`: the app of that service connection.
    pub service_connection_app: Option<String>,
    /// `IDENTITY_ENDPOINT`.
    pub identity_endpoint: Option<String>,
    /// `IDENTITY_HEADER`.
    pub identity_header: Option<Secret>,
}

/// Target of a sign-in.
#[derive(Debug, Clone)]
pub struct SignInTarget {
    /// The tenant, as a domain or a GUID.
    pub tenant: String,
    /// The app that the file names.
    pub client_id: Option<String>,
    /// The login authority.
    pub authority: Url,
    /// The scope of the token: Graph in the tenant's cloud.
    pub scope: String,
    /// The audience of a federated assertion in the tenant's cloud.
    pub assertion_audience: &'static str,
}

/// Error of a sign-in without a usable credential.
#[derive(Debug, Clone, Default)]
pub struct NoCredential {
    /// The kinds that are not configured, with the missing settings.
    pub missing: Vec<(Kind, String)>,
    /// The configured kind that failed.
    pub failed: Option<(Kind, SignInError)>,
    /// The kinds after it, which were not tried.
    pub untried: Vec<Kind>,
}

impl Kind {
    /// Returns a text with the unset environment variables of this kind; `None` if all are set. The Azure CLI
    /// needs none.
    fn missing_settings(self, settings: &Settings) -> Option<String> {
        let unset = |name: &str, is_set: bool| (!is_set).then(|| format!("`{name}`"));
        let missing = match self {
            Self::AccessToken => vec![unset("FLOWBIND_ACCESS_TOKEN", settings.access_token.is_some())],
            Self::ClientSecret => vec![unset("AZURE_CLIENT_SECRET", settings.client_secret.is_some())],
            Self::ClientCertificate => {
                vec![unset("AZURE_CLIENT_CERTIFICATE_PATH", settings.certificate.is_some())]
            }
            Self::FederatedToken => {
                vec![unset("AZURE_FEDERATED_TOKEN_FILE", settings.federated_token_file.is_some())]
            }
            Self::GithubOidc => {
                let url = unset("ACTIONS_ID_TOKEN_REQUEST_URL", settings.github_url.is_some());
                let token = unset("ACTIONS_ID_TOKEN_REQUEST_TOKEN", settings.github_token.is_some());
                vec![url, token]
            }
            Self::AzurePipelinesOidc => {
                let url = unset("SYSTEM_OIDCREQUESTURI", settings.pipelines_url.is_some());
                let token = unset("SYSTEM_ACCESSTOKEN", settings.pipelines_token.is_some());
                let connection = settings.service_connection.is_some();
                let connection = unset("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", connection);
                vec![url, token, connection]
            }
            Self::ManagedIdentity => {
                let endpoint = unset("IDENTITY_ENDPOINT", settings.identity_endpoint.is_some());
                let header = unset("IDENTITY_HEADER", settings.identity_header.is_some());
                vec![endpoint, header]
            }
            Self::AzureCli => Vec::new(),
        };
        let missing: Vec<_> = missing.into_iter().flatten().collect();
        let [first @ .., last] = missing.as_slice() else { return None };
        let (first, verb) = match first {
            [] => (String::new(), "is"),
            first => (format!("{} and ", first.join(", ")), "are"),
        };
        Some(format!("{first}{last} {verb} not set"))
    }

    /// Returns whether this kind needs a client id and none is set.
    fn needs_client_id(self, settings: &Settings, target: &SignInTarget) -> bool {
        let known = target.client_id.is_some() || settings.client_id.is_some();
        match self {
            Self::AccessToken | Self::ManagedIdentity | Self::AzureCli => false,
            Self::ClientSecret | Self::ClientCertificate | Self::FederatedToken | Self::GithubOidc => !known,
            Self::AzurePipelinesOidc => !known && settings.service_connection_app.is_none(),
        }
    }

    /// Returns whether a pipeline sets the variables of this kind in every job.
    fn is_ambient(self) -> bool {
        matches!(self, Self::GithubOidc | Self::AzurePipelinesOidc)
    }
}

/// Signs in with the `wanted` kind, or with the first that is configured, and returns its credential with a
/// token. If a configured credential fails, the sign-in fails, so that flowbind never acts as a different
/// identity. A token of a pipeline without a client id counts as not configured.
///
/// # Errors
/// The reason for each kind.
pub async fn sign_in(
    wanted: Option<Kind>,
    settings: &Settings,
    target: &SignInTarget,
    http: &Arc<Client>,
) -> Result<Credential, NoCredential> {
    let mut none = NoCredential::default();
    let mut kinds = Kind::ALL.into_iter().filter(|kind| wanted.is_none_or(|wanted| wanted == *kind));
    while let Some(kind) = kinds.next() {
        // On a virtual machine no variable shows that there is a managed identity.
        let asked_for = wanted == Some(Kind::ManagedIdentity);
        if let Some(missing) = kind.missing_settings(settings).filter(|_| !asked_for) {
            none.missing.push((kind, missing));
            continue;
        }
        let token = if kind.needs_client_id(settings, target) {
            let why = "no app id: set `clientId` in the file, or `AZURE_CLIENT_ID`";
            if kind.is_ambient() {
                none.missing.push((kind, why.into()));
                continue;
            }
            Err(SignInError::new(why))
        } else {
            obtain_credential(kind, settings, target, http).await
        };
        match token {
            Ok(credential) => return Ok(credential),
            Err(why) => none.failed = Some((kind, why)),
        }
        none.untried = kinds.collect();
        break;
    }
    Err(none)
}

async fn obtain_credential(
    kind: Kind,
    settings: &Settings,
    target: &SignInTarget,
    http: &Arc<Client>,
) -> Result<Credential, SignInError> {
    if kind == Kind::AccessToken {
        let unset = || SignInError::new("`FLOWBIND_ACCESS_TOKEN` is not set");
        let token = settings.access_token.as_ref().ok_or_else(unset)?;
        return Token::new(token.expose(), None).map(Credential::from_token).map_err(|InvalidToken| {
            SignInError::new(
                "`FLOWBIND_ACCESS_TOKEN` is not a bare token (it contains a space, quote or line break); \
                 remove `Bearer` and quotes",
            )
        });
    }
    #[cfg(feature = "azure")]
    {
        let sign_in = SignIn::new(kind, settings.clone(), target.clone(), Arc::clone(http));
        Credential::from_source(sign_in, kind).await
    }
    #[cfg(not(feature = "azure"))]
    {
        _ = (target, http);
        Err(SignInError::new("this flowbind was built without the feature `azure`"))
    }
}
