//! Environment variables, read once and in one place.

use std::env::VarError;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::auth::{Secret, Settings};
use crate::diagnostic::{Code, Diagnostic};
use crate::http::{Proxies, TrustStore, UnusableProxy};
use crate::output::StepFiles;
use crate::run::CommandError;

/// Values of the environment variables.
#[derive(Debug)]
pub(super) struct Environment {
    /// Settings of the credentials.
    pub(super) credentials: Settings,
    /// `AZURE_TENANT_ID`: the tenant, if no file names one.
    pub(super) tenant: Option<String>,
    /// `SOURCE_DATE_EPOCH`: the time in outputs, in seconds since 1970, so that equal runs write equal bytes
    /// (<https://reproducible-builds.org/specs/source-date-epoch/>).
    source_date_epoch: Option<Timestamp>,
    /// Paths that GitHub Actions sets for a step.
    pub(super) github: StepFiles,
    /// `AZURE_AUTHORITY_HOST`: the login authority, in place of the cloud's own.
    pub(super) authority_host: Option<String>,
    /// Proxies, or why they cannot be used.
    pub(super) proxies: Result<Proxies, UnusableProxy>,
    /// Certificate authorities in place of the system's.
    pub(super) trust_store: TrustStore,
}

impl Environment {
    /// Reads all environment variables that flowbind uses; an empty one counts as unset. A value that is not UTF-8 and
    /// an invalid `SOURCE_DATE_EPOCH` are errors; an invalid proxy is only recorded, because not every command needs
    /// one.
    ///
    /// # Errors
    /// A variable has an unusable value.
    pub(super) fn read() -> Result<Self, CommandError> {
        let secret = |name| variable(name).map(|value| value.as_deref().and_then(Secret::new));
        let path = |name| variable(name).map(|value| value.map(PathBuf::from));
        let credentials = Settings {
            access_token: secret("FLOWBIND_ACCESS_TOKEN")?,
            client_id: variable("AZURE_CLIENT_ID")?,
            client_secret: secret("AZURE_CLIENT_SECRET")?,
            certificate: path("AZURE_CLIENT_CERTIFICATE_PATH")?,
            certificate_password: password("AZURE_CLIENT_CERTIFICATE_PASSWORD")?,
            federated_token_file: path("AZURE_FEDERATED_TOKEN_FILE")?,
            github_url: variable("ACTIONS_ID_TOKEN_REQUEST_URL")?,
            github_token: secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?,
            pipelines_url: variable("SYSTEM_OIDCREQUESTURI")?,
            pipelines_token: secret("SYSTEM_ACCESSTOKEN")?,
            service_connection: variable("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID")?,
            service_connection_app: variable("AZURESUBSCRIPTION_CLIENT_ID")?,
            identity_endpoint: variable("IDENTITY_ENDPOINT")?,
            identity_header: secret("IDENTITY_HEADER")?,
        };
        Ok(Self {
            credentials,
            tenant: variable("AZURE_TENANT_ID")?,
            source_date_epoch: source_date_epoch()?,
            github: StepFiles {
                summary: path("GITHUB_STEP_SUMMARY")?,
                outputs: path("GITHUB_OUTPUT")?,
                workspace: path("GITHUB_WORKSPACE")?,
            },
            authority_host: variable("AZURE_AUTHORITY_HOST")?,
            proxies: proxies()?,
            trust_store: TrustStore { file: path("SSL_CERT_FILE")?, folders: variable("SSL_CERT_DIR")? },
        })
    }

    /// Returns the time for outputs: `SOURCE_DATE_EPOCH` if it is set, otherwise the current time in seconds.
    pub(super) fn now(&self) -> Timestamp {
        self.source_date_epoch.unwrap_or_else(current_time)
    }

    /// Returns the same time as [`Self::now`], without reading any other variable.
    ///
    /// # Errors
    /// `SOURCE_DATE_EPOCH` is not a time.
    pub(super) fn read_now() -> Result<Timestamp, CommandError> {
        Ok(source_date_epoch()?.unwrap_or_else(current_time))
    }
}

/// Returns the current time in seconds.
fn current_time() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default()
}

/// Returns the value of `SOURCE_DATE_EPOCH`; `None` if it is unset.
fn source_date_epoch() -> Result<Option<Timestamp>, CommandError> {
    let Some(text) = variable("SOURCE_DATE_EPOCH")? else { return Ok(None) };
    let time = text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map(Some).ok_or_else(|| {
        let message = "`SOURCE_DATE_EPOCH` is not a number of seconds since 1970";
        let problem = Diagnostic::error(Code::InvalidEnvironment, message);
        let hint = "set it as in `SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)`, or unset it";
        problem.hint(hint).into()
    })
}

/// Returns a variable's value without surrounding white space; `None` if it is unset or empty. A value that
/// is not UTF-8 is an error.
fn variable(name: &str) -> Result<Option<String>, CommandError> {
    let value = value(name)?;
    Ok(value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()))
}

/// Returns a variable's value as a password, without line ends at its end; `None` if it is unset or empty.
/// Other white space may be part of the password.
fn password(name: &str) -> Result<Option<Secret>, CommandError> {
    Ok(value(name)?.and_then(|value| Secret::new(value.trim_end_matches(['\r', '\n']))))
}

/// Returns the proxies for https. As in curl, a variable in lower case counts before the same in upper case, and an
/// empty one counts as unset (<https://everything.curl.dev/usingcurl/proxies/env.html>).
fn proxies() -> Result<Result<Proxies, UnusableProxy>, CommandError> {
    let first = |names: &[&'static str]| {
        names
            .iter()
            .find_map(|name| Some((*name, variable(name).transpose()?)))
            .map_or(Ok(None), |(name, value)| value.map(|value| Some((name, value))))
    };
    let proxy = first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?;
    Ok(Proxies::new(proxy, first(&["no_proxy", "NO_PROXY"])?))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn value(name: &str) -> Result<Option<String>, CommandError> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            let problem = Diagnostic::error(Code::InvalidEnvironment, format!("`{name}` is not UTF-8"));
            Err(problem.hint("set it again, or unset it").into())
        }
    }
}
