//! Whether the token is for the tenant that the file is about: before the first request to Graph,
//! since another tenant may well have flows of the same names.

use std::time::Duration;

use reqwest::Url;
use tokio::time::Instant;

use super::connect::{Place, client};
use super::environment::Environment;
use super::failure::Failure;
use crate::auth::{Secret, tenant};
use crate::diagnostic::Diagnostic;
use crate::graph::{GraphUrl, authority, is_loopback};
use crate::http::{Settings, retry};

/// How long the authority may take to say which tenant a domain belongs to.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// Compares the token's tenant with the one that is meant.
pub(super) async fn check(
    token: &Secret,
    place: &Place<'_>,
    graph_url: &GraphUrl,
    settings: &Settings,
    environment: &Environment,
) -> Result<Checked, Failure> {
    let claimed = tenant::of_token(token);
    if graph_url.is_loopback() && (claimed.is_none() || place.tenant.guid().is_none()) {
        return Ok(Checked::Exempt);
    }
    let Some(claimed) = claimed else {
        return Ok(Checked::Unknown("the access token does not say which tenant it is for".into()));
    };
    let meant = match place.tenant.guid() {
        Some(guid) => guid.to_owned(),
        None => match resolve(place, settings, environment).await? {
            Ok(guid) => guid,
            Err(why) => return Ok(Checked::Unknown(why)),
        },
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

/// Which tenant a domain belongs to, or why that could not be found out.
async fn resolve(
    place: &Place<'_>,
    settings: &Settings,
    environment: &Environment,
) -> Result<Result<String, String>, Failure> {
    let host = environment.authority_host.as_deref().unwrap_or_else(|| authority(place.cloud));
    let Some(url) = Url::parse(host).ok().filter(is_safe) else {
        return Err(Diagnostic::error("`AZURE_AUTHORITY_HOST` is no plain https address")
            .hint("set it to the root of the login authority, such as `https://login.microsoftonline.com`")
            .into());
    };
    let settings = Settings {
        deadline: settings.deadline.min(Instant::now() + PATIENCE),
        retry: retry::Policy { max_attempts: 3, ..settings.retry },
        ..settings.clone()
    };
    let http = client(settings, is_loopback(&url))?;
    Ok(tenant::of_domain(&http, &url, place.tenant.as_str()).await)
}

/// What the authority says decides which tenant is written to, so nobody may change it on the way.
fn is_safe(url: &Url) -> bool {
    let bare = url.username().is_empty() && url.password().is_none();
    let bare = bare && url.query().is_none() && url.fragment().is_none();
    bare && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)))
}
