//! Choice of the credential that signs in.

use std::sync::Arc;

use strum::VariantArray as _;

#[cfg(feature = "azure")]
use super::azure::TokenRequest;
use super::credential::Credential;
use super::error::SignInError;
use super::kind::{Kind, Settings, SignInTarget};
use super::token::{InvalidToken, Token};
use crate::http::Client;

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
    const NO_APP: &str = "no app id: set `clientId` in the file, or `AZURE_CLIENT_ID`";
    let mut none = NoCredential::default();
    let mut kinds = Kind::VARIANTS.iter().copied().filter(|kind| wanted.is_none_or(|wanted| wanted == *kind));
    while let Some(kind) = kinds.next() {
        let needs_app = kind.needs_client_id(settings, target);
        // On a virtual machine no variable shows that there is a managed identity.
        let missing = kind.missing_settings(settings).filter(|_| wanted != Some(Kind::ManagedIdentity));
        let missing = missing.or_else(|| (needs_app && kind.is_ambient()).then(|| NO_APP.into()));
        if let Some(missing) = missing {
            none.missing.push((kind, missing));
            continue;
        }
        let credential = if needs_app {
            Err(SignInError::new(NO_APP))
        } else {
            obtain_credential(kind, settings, target, http).await
        };
        match credential {
            Ok(credential) => return Ok(credential),
            Err(error) => none.failed = Some((kind, error)),
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
        let source = TokenRequest::new(kind, settings.clone(), target.clone(), Arc::clone(http));
        Credential::from_source(source, kind).await
    }
    #[cfg(not(feature = "azure"))]
    {
        _ = (target, http);
        Err(SignInError::new("this flowbind was built without the feature `azure`"))
    }
}
