//! The kinds of credentials, in the order in which they are tried, and which of them serves.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::Url;

#[cfg(feature = "azure")]
use super::azure::SignIn;
use super::{Credential, InvalidToken, Secret, SignInError, Token};
use crate::http::Client;

/// A kind of credential.
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
    /// Whoever is logged in to the Azure CLI.
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

    /// What it is called on the command line.
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

/// What the surroundings offer to sign in with. Each field is a variable of the environment.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `FLOWBIND_ACCESS_TOKEN`.
    pub access_token: Option<Secret>,
    /// `AZURE_CLIENT_ID`: the app, where the file names none; and which of several managed identities.
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

/// What is signed in to.
#[derive(Debug, Clone)]
pub struct Place {
    /// The tenant, as a domain or a GUID.
    pub tenant: String,
    /// The app that the file names.
    pub client_id: Option<String>,
    /// Where the tenant signs in.
    pub authority: Url,
    /// What the token is for: Graph, in the tenant's cloud.
    pub scope: String,
    /// What a token of another issuer has to be for, so that the tenant's cloud takes it.
    pub exchange: &'static str,
}

/// Why no credential serves.
#[derive(Debug, Clone, Default)]
pub struct NoCredential {
    /// The kinds that are not set up, with what they lack.
    pub lacking: Vec<(Kind, String)>,
    /// The kind that is, with why it does not serve.
    pub failed: Option<(Kind, SignInError)>,
    /// The kinds that would have come after it.
    pub untried: Vec<Kind>,
}

impl Kind {
    /// What keeps this kind from being set up.
    fn lacks(self, settings: &Settings) -> Option<String> {
        let unset = |name: &str, is_set: bool| (!is_set).then(|| format!("`{name}`"));
        let lacking = match self {
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
        let lacking: Vec<_> = lacking.into_iter().flatten().collect();
        let [first @ .., last] = lacking.as_slice() else { return None };
        let (first, verb) = match first {
            [] => (String::new(), "is"),
            first => (format!("{} and ", first.join(", ")), "are"),
        };
        Some(format!("{first}{last} {verb} not set"))
    }

    /// Whether this kind proves that it is an app, and nobody says which.
    fn lacks_app(self, settings: &Settings, place: &Place) -> bool {
        let known = place.client_id.is_some() || settings.client_id.is_some();
        match self {
            Self::AccessToken | Self::ManagedIdentity | Self::AzureCli => false,
            Self::ClientSecret | Self::ClientCertificate | Self::FederatedToken | Self::GithubOidc => !known,
            Self::AzurePipelinesOidc => !known && settings.service_connection_app.is_none(),
        }
    }

    /// Whether a pipeline sets its variables, whoever is to sign in with what.
    fn is_of_pipelines(self) -> bool {
        matches!(self, Self::GithubOidc | Self::AzurePipelinesOidc)
    }
}

/// Signs in to a tenant with the `wanted` kind, or with the first that is set up. One that is set up
/// has to serve: falling back to another would be to act as somebody else than was meant.
///
/// # Errors
/// Why each kind does not serve.
pub async fn sign_in(
    wanted: Option<Kind>,
    settings: &Settings,
    place: &Place,
    http: &Arc<Client>,
) -> Result<Credential, NoCredential> {
    let mut none = NoCredential::default();
    let mut kinds = Kind::ALL.into_iter().filter(|kind| wanted.is_none_or(|wanted| wanted == *kind));
    while let Some(kind) = kinds.next() {
        // A virtual machine has a managed identity without any variable that tells.
        let asked_for = wanted == Some(Kind::ManagedIdentity);
        if let Some(lacking) = kind.lacks(settings).filter(|_| !asked_for) {
            none.lacking.push((kind, lacking));
            continue;
        }
        let token = if kind.lacks_app(settings, place) {
            let why = "it is not said which app signs in: neither `clientId` nor `AZURE_CLIENT_ID` is set";
            if kind.is_of_pipelines() {
                none.lacking.push((kind, why.into()));
                continue;
            }
            Err(SignInError::new(why))
        } else {
            token_of(kind, settings, place, http).await
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

async fn token_of(
    kind: Kind,
    settings: &Settings,
    place: &Place,
    http: &Arc<Client>,
) -> Result<Credential, SignInError> {
    if kind == Kind::AccessToken {
        let token = settings.access_token.as_ref().ok_or_else(|| SignInError::new("it is not set"))?;
        return Token::new(token.expose(), None).map(Credential::given).map_err(|InvalidToken| {
            SignInError::new(
                "`FLOWBIND_ACCESS_TOKEN` has characters that no token has, such as spaces, quotes or line ends; \
                 it has to be the token alone, without `Bearer`",
            )
        });
    }
    #[cfg(feature = "azure")]
    {
        let sign_in = SignIn::new(kind, settings.clone(), place.clone(), Arc::clone(http));
        Credential::issued_by(sign_in, kind).await
    }
    #[cfg(not(feature = "azure"))]
    {
        _ = (place, http);
        Err(SignInError::new("this flowbind was built without the feature `azure`"))
    }
}
