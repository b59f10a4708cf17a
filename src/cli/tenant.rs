//! Whether the token is for the tenant that the file is about: before the first request to Graph,
//! since another tenant may well have flows of the same names.

use reqwest::Url;

use super::connect::Place;
use super::failure::Failure;
use crate::auth::{Claims, tenant};
use crate::diagnostic::Diagnostic;
use crate::graph::GraphUrl;
use crate::http::Client;

/// What is known of the tenant that a token is for.
pub(super) enum Checked {
    /// It is the file's, which has this GUID.
    Same(String),
    /// It could not be established, for this reason.
    Unknown(String),
    /// There is nothing to check: an emulator has no tenants to mix up.
    Exempt,
}

/// What follows where the tenant cannot be established.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// The plan says so.
    Warn,
    /// Nothing is even asked.
    Refuse,
}

/// The GUID of the tenant that is meant, or why it is not known; `None` where nobody has to know.
pub(super) async fn meant(
    place: &Place<'_>,
    graph_url: &GraphUrl,
    authority: &Url,
    login: &Client,
) -> Option<Result<String, String>> {
    match place.tenant.guid() {
        Some(guid) => Some(Ok(guid.to_owned())),
        None if graph_url.is_loopback() => None,
        None => {
            let guid = tenant::resolve_tenant_id(login, authority, place.tenant.as_str()).await;
            Some(guid.map_err(|error| error.to_string()))
        }
    }
}

/// Compares the token's tenant with the one that is meant.
pub(super) fn check(
    claims: Option<&Claims>,
    place: &Place<'_>,
    graph_url: &GraphUrl,
    meant: Option<Result<String, String>>,
) -> Result<Checked, Failure> {
    let claimed = claims.and_then(|claims| claims.tid.as_deref());
    if graph_url.is_loopback() && claimed.is_none() {
        return Ok(Checked::Exempt);
    }
    let Some(meant) = meant else { return Ok(Checked::Exempt) };
    let Some(claimed) = claimed else {
        return Ok(Checked::Unknown("the access token does not say which tenant it is for".into()));
    };
    let meant = match meant {
        Ok(guid) => guid,
        Err(why) => return Ok(Checked::Unknown(why)),
    };
    if claimed.eq_ignore_ascii_case(&meant) {
        return Ok(Checked::Same(meant.to_ascii_lowercase()));
    }
    let which = match place.tenant.guid() {
        Some(_) => format!("`{}`", place.tenant),
        None => format!("`{}`, which is `{meant}`", place.tenant),
    };
    let problem = format!("the access token is for the tenant `{claimed}`, not for {which}");
    Err(Failure::foreign(
        Diagnostic::error(problem)
            .hint("sign in to the tenant that the file names, or use the file of the token's tenant"),
    ))
}
