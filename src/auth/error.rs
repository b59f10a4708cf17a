//! Errors of signing in.

use std::sync::Arc;

use crate::http::{AuthorizeError, ClientError, SendError, SendErrorKind, Unreachable};

/// Error of a sign-in, or of the renewal of a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The login host, the source of a proof or the metadata service cannot be reached.
    #[error("{0}")]
    Unreachable(Arc<Unreachable>),
    /// No request can be made: the proxy or the certificate store is not usable.
    #[error("{0}")]
    Client(ClientError),
    /// The login that new tokens come from is over: its assertion or its refresh token expired. The text is that
    /// of the login service.
    #[error("{0}")]
    LoginOver(String),
    /// Any other reason, as text for the user.
    #[error("{0}")]
    Other(String),
}

impl SignInError {
    /// Creates an `Other` error with a text for the user.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self::Other(message.into())
    }

    /// Creates an error from a message of the login service: `LoginOver` if it has a code for that
    /// (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>), otherwise `Other`.
    #[cfg_attr(
        not(feature = "azure"),
        expect(dead_code, reason = "only the feature signs in at the login service")
    )]
    pub(super) fn from_service(message: String) -> Self {
        const LOGIN_OVER: [&str; 6] = ["50132", "50173", "70008", "70043", "700024", "700082"];
        let code = |text: &str| text.split(|char: char| !char.is_ascii_digit()).next().map(str::to_owned);
        let codes = message.split("AADSTS").skip(1).filter_map(code).collect::<Vec<_>>();
        let is_over = codes.iter().any(|code| LOGIN_OVER.contains(&&**code));
        if is_over { Self::LoginOver(message) } else { Self::Other(message) }
    }

    /// Returns whether only a new login helps.
    pub fn is_login_over(&self) -> bool {
        matches!(self, Self::LoginOver(_))
    }

    /// Converts the error of a request that is shown as `line`: `Unreachable` if a host cannot be reached,
    /// `Client` if the proxy or the certificate store is not usable, otherwise `Other` with `line` and the
    /// error.
    pub(super) fn from_send_error(line: &str, error: &SendError) -> Self {
        match (error.unreachable(), &error.kind) {
            (Some(unreachable), _) => Self::Unreachable(Arc::clone(unreachable)),
            (None, SendErrorKind::Client(error)) if !matches!(error, ClientError::Request(_)) => {
                Self::Client(error.clone())
            }
            (None, _) => Self::Other(format!("{line}: {error}")),
        }
    }

    /// Returns the host that cannot be reached, if that is the reason.
    pub fn unreachable(&self) -> Option<&Arc<Unreachable>> {
        match self {
            Self::Unreachable(unreachable) => Some(unreachable),
            Self::Client(_) | Self::LoginOver(_) | Self::Other(_) => None,
        }
    }
}

/// The error of a request that needs a token, after the last one expired or was rejected.
impl From<SignInError> for AuthorizeError {
    fn from(error: SignInError) -> Self {
        Self {
            message: format!("the access token expired or was rejected, and cannot be renewed: {error}"),
            unreachable: error.unreachable().cloned(),
            is_login_over: error.is_login_over(),
        }
    }
}
