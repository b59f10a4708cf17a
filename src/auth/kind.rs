//! Kinds of credentials, and what each needs.

use std::path::PathBuf;

use reqwest::Url;
use strum::{Display, IntoStaticStr, VariantArray};

use super::secret::Secret;

/// Kind of credential, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
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

impl Kind {
    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns a text with the unset environment variables of this kind; `None` if all are set. The Azure CLI
    /// needs none.
    pub(super) fn missing_settings(self, settings: &Settings) -> Option<String> {
        let needed: &[(&str, bool)] = match self {
            Self::AccessToken => &[("FLOWBIND_ACCESS_TOKEN", settings.access_token.is_some())],
            Self::ClientSecret => &[("AZURE_CLIENT_SECRET", settings.client_secret.is_some())],
            Self::ClientCertificate => &[("AZURE_CLIENT_CERTIFICATE_PATH", settings.certificate.is_some())],
            Self::FederatedToken => {
                &[("AZURE_FEDERATED_TOKEN_FILE", settings.federated_token_file.is_some())]
            }
            Self::GithubOidc => &[
                ("ACTIONS_ID_TOKEN_REQUEST_URL", settings.github_url.is_some()),
                ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", settings.github_token.is_some()),
            ],
            Self::AzurePipelinesOidc => &[
                ("SYSTEM_OIDCREQUESTURI", settings.pipelines_url.is_some()),
                ("SYSTEM_ACCESSTOKEN", settings.pipelines_token.is_some()),
                ("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", settings.service_connection.is_some()),
            ],
            Self::ManagedIdentity => &[
                ("IDENTITY_ENDPOINT", settings.identity_endpoint.is_some()),
                ("IDENTITY_HEADER", settings.identity_header.is_some()),
            ],
            Self::AzureCli => &[],
        };
        let unset = needed.iter().filter(|(_, is_set)| !is_set);
        let missing: Vec<_> = unset.map(|(name, _)| format!("`{name}`")).collect();
        let [first @ .., last] = missing.as_slice() else { return None };
        let (first, verb) = match first {
            [] => (String::new(), "is"),
            first => (format!("{} and ", first.join(", ")), "are"),
        };
        Some(format!("{first}{last} {verb} not set"))
    }

    /// Returns whether this kind needs a client id and none is set.
    pub(super) fn needs_client_id(self, settings: &Settings, target: &SignInTarget) -> bool {
        let known = target.client_id.is_some() || settings.client_id.is_some();
        match self {
            Self::AccessToken | Self::ManagedIdentity | Self::AzureCli => false,
            Self::ClientSecret | Self::ClientCertificate | Self::FederatedToken | Self::GithubOidc => !known,
            Self::AzurePipelinesOidc => !known && settings.service_connection_app.is_none(),
        }
    }

    /// Returns whether a pipeline sets the variables of this kind in every job.
    pub(super) fn is_ambient(self) -> bool {
        matches!(self, Self::GithubOidc | Self::AzurePipelinesOidc)
    }
}
