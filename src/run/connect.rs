//! Connects to the Graph of a tenant, real or emulated.

use std::sync::Arc;

use reqwest::Url;
use tokio::time::timeout_at;

use super::error::CommandError;
use super::expiry::expired_error;
use super::session::Run;
use super::tenant_check;
use super::tenant_ref::TenantRef;
use crate::apply::UnverifiedTenantPolicy;
use crate::auth::{self, Claims, Credential, Kind, Token};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{self, Graph, GraphUrl, InvalidGraphUrl};
use crate::http::{Client, is_safe};
use crate::model::TenantCheck;
use crate::plan::Connected;
use crate::sandbox::Sandbox;

/// The Graph of one tenant.
pub(super) struct Connection {
    pub(super) graph: Graph,
    /// Tenant check, who acts, and the root of Graph as plans show it: for a sandbox the cloud's own, so that a
    /// rehearsed plan has the changes and the fingerprint of the real one.
    pub(super) connected: Connected,
    /// The sandbox stops when this is dropped.
    _sandbox: Option<Sandbox>,
}

/// Connects to a tenant: starts its sandbox if the run uses sandboxes, otherwise signs in. A token for
/// another tenant is an error, and so is an unverified tenant if `policy` is `Reject`.
pub(super) async fn connect(
    tenant_ref: &TenantRef<'_>,
    run: &Run,
    policy: UnverifiedTenantPolicy,
) -> Result<Connection, CommandError> {
    let cloud_url = GraphUrl::for_cloud(tenant_ref.cloud, tenant_ref.api)?;
    let http = Client::new(run.settings(), Arc::clone(&run.connections));
    if let Some(sandbox) = run.sandboxes.serve(tenant_ref).await? {
        let url = GraphUrl::parse(&format!("{}/{}", sandbox.url(), tenant_ref.api), tenant_ref.api)?;
        let token = Token::new("sandbox", None)
            .map_err(|error| Diagnostic::error(Code::System, error.to_string()))?;
        let graph_url = cloud_url.to_string();
        let connected = Connected { graph_url, tenant_check: TenantCheck::NotApplicable, actor: None };
        let graph = Graph::new(http, url, cloud_url, Arc::new(Credential::from_token(token)));
        return Ok(Connection { graph, connected, _sandbox: Some(sandbox) });
    }
    let SignedIn { credential, url, tenant_check } = sign_in(tenant_ref, run).await?;
    let tenant_check = tenant_check?;
    // A token that can be renewed may only seem expired, because of a wrong clock. The service decides about those.
    if credential.kind() == Kind::AccessToken
        && let Some(expired) = expired_error(&credential)
    {
        return Err(expired.into());
    }
    if let (TenantCheck::Unverified(why), UnverifiedTenantPolicy::Reject) = (&tenant_check, policy) {
        return Err(CommandError::tenant_unverified(tenant_ref.tenant, why));
    }
    let actor = credential.token().claims().and_then(Claims::actor);
    let connected = Connected { graph_url: url.to_string(), tenant_check, actor };
    let graph = Graph::new(http, url.clone(), url, credential);
    Ok(Connection { graph, connected, _sandbox: None })
}

/// Credential of a run, the Graph URL, and the result of the tenant check.
pub(super) struct SignedIn {
    pub(super) credential: Arc<Credential>,
    pub(super) url: GraphUrl,
    pub(super) tenant_check: Result<TenantCheck, CommandError>,
}

/// Returns the root of Graph for a real tenant: `--graph-url` if it is given, otherwise that of the cloud and
/// API version. An unusable `--graph-url` is an error.
pub(super) fn graph_url(tenant_ref: &TenantRef<'_>, run: &Run) -> Result<GraphUrl, InvalidGraphUrl> {
    match &run.options.graph_url {
        Some(text) => GraphUrl::parse(text, tenant_ref.api),
        None => GraphUrl::for_cloud(tenant_ref.cloud, tenant_ref.api),
    }
}

/// Signs in to a real tenant (never to a sandbox) and checks the tenant of the token. A failed check is in
/// `tenant_check`, not an error: the caller must test it.
pub(super) async fn sign_in(tenant_ref: &TenantRef<'_>, run: &Run) -> Result<SignedIn, CommandError> {
    let url = graph_url(tenant_ref, run)?;
    let authority = authority(tenant_ref, run)?;
    let sign_in = auth::SignInTarget {
        tenant: tenant_ref.tenant.to_string(),
        client_id: tenant_ref.client_id.map(str::to_owned),
        authority: authority.clone(),
        scope: url.scope(tenant_ref.cloud),
        assertion_audience: graph::token_exchange_audience(tenant_ref.cloud),
    };
    let settings = &run.options.credentials;
    let login = run.login_client();
    let credential = auth::sign_in(run.options.auth, settings, &sign_in, &login);
    // Neither depends on the other.
    let signing_in = async {
        tokio::join!(
            credential,
            tenant_check::resolve_expected_tenant_id(tenant_ref, &url, &authority, &login)
        )
    };
    let (credential, expected) = timeout_at(run.deadline, signing_in).await.map_err(|_| {
        let message = "the time limit of the run (`--timeout`) was over before a token was issued";
        Diagnostic::error(Code::Timeout, message).hint("run again with a larger `--timeout`")
    })?;
    let credential = credential.map_err(|none| CommandError::no_credential(tenant_ref.tenant, &none))?;
    let tenant_check = tenant_check::check(credential.token().claims(), tenant_ref, &url, expected);
    Ok(SignedIn { credential: Arc::new(credential), url, tenant_check })
}

/// Returns the login authority: `AZURE_AUTHORITY_HOST` if it is set, as https if it has no scheme, otherwise that of
/// the tenant's cloud. A URL that [`is_plain_and_safe`] rejects is an error.
fn authority(tenant_ref: &TenantRef<'_>, run: &Run) -> Result<Url, CommandError> {
    let known = graph::authority(tenant_ref.cloud);
    let text = run.options.authority_host.as_deref().unwrap_or(known).trim();
    let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("https://{text}")) };
    let url = url.ok();
    if let Some(url) = url.clone().filter(is_plain_and_safe) {
        return Ok(url);
    }
    let host = url.as_ref().and_then(Url::host_str).filter(|host| !host.is_empty());
    let port = url.as_ref().and_then(Url::port).map(|port| format!(":{port}")).unwrap_or_default();
    let root = host.map_or_else(|| known.to_owned(), |host| format!("https://{host}{port}"));
    let message = "`AZURE_AUTHORITY_HOST` is not the https root of a login authority";
    let problem = Diagnostic::error(Code::InvalidEnvironment, message);
    Err(problem.hint(format!("set it to the root of the login authority, such as `{root}`")).into())
}

/// Returns whether the URL is an https root, or an http root on loopback, without user info, query and
/// fragment. The authority decides which tenant is changed, so its answer must not be changed in transit. A
/// path would apply to the tenant's configuration, but not to its tokens.
fn is_plain_and_safe(url: &Url) -> bool {
    let bare = url.username().is_empty() && url.password().is_none();
    bare && url.path() == "/" && url.query().is_none() && url.fragment().is_none() && is_safe(url)
}
