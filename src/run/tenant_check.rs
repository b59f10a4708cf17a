//! Checks that the access token belongs to the tenant of the file, before the first request to Graph: another
//! tenant may well have flows of the same names.

use reqwest::Url;

use super::error::CommandError;
use super::tenant_ref::TenantRef;
use crate::auth::{Claims, tenant};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::GraphUrl;
use crate::http::Client;
use crate::model::TenantCheck;

/// Returns the GUID of the expected tenant, as written or, for a domain, from the login authority; an `Err`
/// is why it is not known. For a domain with Graph on loopback, returns `None` and sends nothing.
pub(super) async fn resolve_expected_tenant_id(
    tenant_ref: &TenantRef<'_>,
    graph_url: &GraphUrl,
    authority: &Url,
    login: &Client,
) -> Option<Result<String, String>> {
    match tenant_ref.tenant.guid() {
        Some(guid) => Some(Ok(guid.to_owned())),
        None if graph_url.is_loopback() => None,
        None => {
            let guid = tenant::resolve_tenant_id(login, authority, tenant_ref.tenant.as_str()).await;
            Some(guid.map_err(|error| error.to_string()))
        }
    }
}

/// Compares the token's tenant with `expected`. Returns `Unverified` if either is unknown, and
/// `NotApplicable` if `expected` is `None` or Graph is on loopback and the token has no tenant. A token for
/// another tenant is an error.
pub(super) fn check(
    claims: Option<&Claims>,
    tenant_ref: &TenantRef<'_>,
    graph_url: &GraphUrl,
    expected: Option<Result<String, String>>,
) -> Result<TenantCheck, CommandError> {
    let claimed = claims.and_then(|claims| claims.tid.as_deref());
    if graph_url.is_loopback() && claimed.is_none() {
        return Ok(TenantCheck::NotApplicable);
    }
    let Some(expected) = expected else { return Ok(TenantCheck::NotApplicable) };
    let Some(claimed) = claimed else {
        return Ok(TenantCheck::Unverified("the access token has no tenant claim".into()));
    };
    let expected = match expected {
        Ok(guid) => guid,
        Err(why) => return Ok(TenantCheck::Unverified(why)),
    };
    if claimed.eq_ignore_ascii_case(&expected) {
        return Ok(TenantCheck::Verified(expected.to_ascii_lowercase()));
    }
    let which = match tenant_ref.tenant.guid() {
        Some(_) => format!("`{}`", tenant_ref.tenant),
        None => format!("`{}`, which is `{expected}`", tenant_ref.tenant),
    };
    let message = format!("the access token is for the tenant `{claimed}`, not for {which}");
    let problem = Diagnostic::error(Code::TenantMismatch, message);
    Err(problem
        .hint("sign in to the tenant that the file names, or use the file of the token's tenant")
        .into())
}
