//! From a tenant and the global options to a Graph that can be asked: the real one or a sandbox.

use std::sync::Arc;

use reqwest::Url;
use tokio::time::timeout_at;

use super::failure::Failure;
use super::fleet::Run;
use super::tenant::{self, Checked, Rule};
use crate::auth::{self, Credential, Token};
use crate::diagnostic::Diagnostic;
use crate::graph::{self, Graph, GraphUrl};
use crate::http::{Client, is_safe};
use crate::model::{Api, Cloud, Tenant};
use crate::sandbox::Sandbox;

/// The Graph of one tenant.
pub(super) struct Connection {
    pub(super) graph: Graph,
    /// The root as plans show it: for a sandbox the cloud's own, so that a rehearsed plan has
    /// the changes and the fingerprint of the real one.
    pub(super) shown_url: String,
    /// Whether the token is for this tenant.
    pub(super) checked: Checked,
    /// Serves for as long as it lives.
    _sandbox: Option<Sandbox>,
}

/// What to connect to.
pub(super) struct Place<'a> {
    pub(super) tenant: &'a Tenant,
    /// The app that signs in, where the file names one.
    pub(super) client_id: Option<&'a str>,
    pub(super) cloud: Cloud,
    pub(super) api: Api,
}

/// Connects to a tenant, once it is certain that the token is not for another one.
pub(super) async fn connect(place: &Place<'_>, run: &Run<'_>, rule: Rule) -> Result<Connection, Failure> {
    let cloud_url = GraphUrl::of(place.cloud, place.api)?;
    let shown_url = cloud_url.to_string();
    let http = Client::new(run.settings(), Arc::clone(&run.connections));
    if let Some(sandbox) = run.sandboxes.serve(place).await? {
        let url = GraphUrl::parse(&format!("{}/{}", sandbox.url(), place.api), place.api)?;
        let token = Token::new("sandbox", None).map_err(anyhow::Error::from)?;
        let graph = Graph::new(http, url, cloud_url, Arc::new(Credential::from_token(token)));
        return Ok(Connection { graph, shown_url, checked: Checked::Exempt, _sandbox: Some(sandbox) });
    }
    let SignedIn { credential, url, checked } = sign_in(place, cloud_url, run).await?;
    let checked = checked?;
    if let (Checked::Unknown(why), Rule::Refuse) = (&checked, rule) {
        return Err(Failure::tenant_unchecked(why));
    }
    let shown_url = url.to_string();
    let graph = Graph::new(http, url.clone(), url, credential);
    Ok(Connection { graph, shown_url, checked, _sandbox: None })
}

/// Who asks, whom, and whether for the right tenant.
pub(super) struct SignedIn {
    pub(super) credential: Arc<Credential>,
    pub(super) url: GraphUrl,
    pub(super) checked: Result<Checked, Failure>,
}

/// Signs in to a tenant.
pub(super) async fn sign_in(
    place: &Place<'_>,
    cloud_url: GraphUrl,
    run: &Run<'_>,
) -> Result<SignedIn, Failure> {
    let url = match &run.global.graph_url {
        Some(text) => GraphUrl::parse(text, place.api)?,
        None => cloud_url,
    };
    let authority = authority(place, run)?;
    let sign_in = auth::SignInTarget {
        tenant: place.tenant.to_string(),
        client_id: place.client_id.map(str::to_owned),
        authority: authority.clone(),
        scope: graph::scope(place.cloud),
        assertion_audience: graph::token_exchange(place.cloud),
    };
    let settings = &run.environment.credentials;
    let login = run.login();
    let credential = auth::sign_in(run.global.auth, settings, &sign_in, &login);
    // Neither needs the other's answer.
    let signing_in = async { tokio::join!(credential, tenant::meant(place, &url, &authority, &login)) };
    let (credential, meant) = timeout_at(run.deadline, signing_in).await.map_err(|_| {
        Diagnostic::error("the time for the whole run (`--timeout`) was over before a token was there")
    })?;
    let credential = credential.map_err(|none| Failure::no_credential(place.tenant, &none))?;
    let checked = tenant::check(credential.token().claims(), place, &url, meant);
    Ok(SignedIn { credential: Arc::new(credential), url, checked })
}

/// Where the tenant signs in.
fn authority(place: &Place<'_>, run: &Run<'_>) -> Result<Url, Failure> {
    let host = run.environment.authority_host.as_deref().unwrap_or_else(|| graph::authority(place.cloud));
    let url = Url::parse(host).ok().filter(is_plain_and_safe).ok_or_else(|| {
        Diagnostic::error("`AZURE_AUTHORITY_HOST` is no plain https address")
            .hint("set it to the root of the login authority, such as `https://login.microsoftonline.com`")
    })?;
    Ok(url)
}

/// What the authority says decides which tenant is written to, so nobody may change it on the way. A path
/// would be asked for the tenant of a domain, and not for its tokens.
fn is_plain_and_safe(url: &Url) -> bool {
    let bare = url.username().is_empty() && url.password().is_none();
    bare && url.path() == "/" && url.query().is_none() && url.fragment().is_none() && is_safe(url)
}
