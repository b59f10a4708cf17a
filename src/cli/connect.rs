//! Connects to the Graph of a tenant, real or emulated.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use reqwest::Url;
use tokio::time::timeout_at;

use super::failure::Failure;
use super::fleet::Run;
use super::tenant::{self, TenantCheck, UnverifiedTenantPolicy};
use super::values;
use crate::auth::{self, Credential, Kind, NoCredential, SignInError, Token};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{self, Graph, GraphUrl, INVALID_PROXY_HINT, InvalidGraphUrl};
use crate::http::{Client, ClientError, Rate, is_safe};
use crate::model::{Api, Cloud, Tenant};
use crate::sandbox::Sandbox;

/// Options of the commands that connect to tenants.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct ConnectionArgs {
    /// Use an emulated tenant from snapshot FILE (changes are written back). Repeatable
    #[arg(long, value_name = "FILE")]
    pub(super) sandbox: Vec<PathBuf>,
    /// Use only this kind of credential [default: the first that is configured]
    #[arg(long, value_name = "KIND", value_parser = values::kind_parser())]
    pub(super) auth: Option<Kind>,
    /// Time limit of the run, such as 90s or 10m
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = values::parse_duration)]
    pub(super) timeout: Duration,
    /// Root of Microsoft Graph with its version [default: from the file's cloud and api]
    #[arg(long, value_name = "URL", conflicts_with = "sandbox", hide_short_help = true)]
    pub(super) graph_url: Option<String>,
    /// Also trust the certificate authorities in PEM
    #[arg(long, value_name = "PEM", hide_short_help = true)]
    pub(super) ca_file: Option<PathBuf>,
    /// Maximum concurrent requests per tenant
    #[arg(long, value_name = "N", default_value = "16", value_parser = values::parse_positive, hide_short_help = true)]
    pub(super) parallelism: NonZeroU32,
    /// Maximum tenants processed concurrently
    #[arg(long, value_name = "N", default_value = "64", value_parser = values::parse_positive, hide_short_help = true)]
    pub(super) tenants_at_once: NonZeroU32,
    /// Rate limit per tenant: N requests per SECONDS
    #[arg(long, value_name = "N/SECONDS", default_value = "200/60", value_parser = values::parse_rate, hide_short_help = true)]
    pub(super) rate: Rate,
}

/// The Graph of one tenant.
pub(super) struct Connection {
    pub(super) graph: Graph,
    /// Root of Graph as plans show it: for a sandbox the cloud's own, so that a rehearsed plan has the changes and
    /// the fingerprint of the real one.
    pub(super) shown_url: String,
    /// Result of the tenant check.
    pub(super) tenant_check: TenantCheck,
    /// The sandbox stops when this is dropped.
    _sandbox: Option<Sandbox>,
}

/// Tenant to connect to.
pub(super) struct TenantRef<'a> {
    pub(super) tenant: &'a Tenant,
    /// App that signs in, if the file names one.
    pub(super) client_id: Option<&'a str>,
    pub(super) cloud: Cloud,
    pub(super) api: Api,
}

/// Connects to a tenant: starts its sandbox if the run uses sandboxes, otherwise signs in. A token for
/// another tenant is an error, and so is an unverified tenant if `policy` is `Reject`.
pub(super) async fn connect(
    tenant_ref: &TenantRef<'_>,
    run: &Run<'_>,
    policy: UnverifiedTenantPolicy,
) -> Result<Connection, Failure> {
    let cloud_url = GraphUrl::for_cloud(tenant_ref.cloud, tenant_ref.api)?;
    let shown_url = cloud_url.to_string();
    let http = Client::new(run.settings(), Arc::clone(&run.connections));
    if let Some(sandbox) = run.sandboxes.serve(tenant_ref).await? {
        let url = GraphUrl::parse(&format!("{}/{}", sandbox.url(), tenant_ref.api), tenant_ref.api)?;
        let token = Token::new("sandbox", None).map_err(anyhow::Error::from)?;
        let graph = Graph::new(http, url, cloud_url, Arc::new(Credential::from_token(token)));
        return Ok(Connection {
            graph,
            shown_url,
            tenant_check: TenantCheck::NotApplicable,
            _sandbox: Some(sandbox),
        });
    }
    let SignedIn { credential, url, tenant_check } = sign_in(tenant_ref, run).await?;
    let tenant_check = tenant_check?;
    if let (TenantCheck::Unverified(why), UnverifiedTenantPolicy::Reject) = (&tenant_check, policy) {
        return Err(Failure::tenant_unverified(tenant_ref.tenant, why));
    }
    let shown_url = url.to_string();
    let graph = Graph::new(http, url.clone(), url, credential);
    Ok(Connection { graph, shown_url, tenant_check, _sandbox: None })
}

/// Credential of a run, the Graph URL, and the result of the tenant check.
pub(super) struct SignedIn {
    pub(super) credential: Arc<Credential>,
    pub(super) url: GraphUrl,
    pub(super) tenant_check: Result<TenantCheck, Failure>,
}

/// Returns the root of Graph for a real tenant: `--graph-url` if it is given, otherwise that of the cloud and
/// API version. An unusable `--graph-url` is an error.
pub(super) fn graph_url(tenant_ref: &TenantRef<'_>, run: &Run<'_>) -> Result<GraphUrl, InvalidGraphUrl> {
    match &run.connection_args.graph_url {
        Some(text) => GraphUrl::parse(text, tenant_ref.api),
        None => GraphUrl::for_cloud(tenant_ref.cloud, tenant_ref.api),
    }
}

/// Signs in to a real tenant (never to a sandbox) and checks the tenant of the token. A failed check is in
/// `tenant_check`, not an error: the caller must test it.
pub(super) async fn sign_in(tenant_ref: &TenantRef<'_>, run: &Run<'_>) -> Result<SignedIn, Failure> {
    let url = graph_url(tenant_ref, run)?;
    let authority = authority(tenant_ref, run)?;
    let sign_in = auth::SignInTarget {
        tenant: tenant_ref.tenant.to_string(),
        client_id: tenant_ref.client_id.map(str::to_owned),
        authority: authority.clone(),
        scope: graph::scope(tenant_ref.cloud),
        assertion_audience: graph::token_exchange_audience(tenant_ref.cloud),
    };
    let settings = &run.environment.credentials;
    let login = run.login_client();
    let credential = auth::sign_in(run.connection_args.auth, settings, &sign_in, &login);
    // Neither depends on the other.
    let signing_in = async {
        tokio::join!(credential, tenant::resolve_expected_tenant_id(tenant_ref, &url, &authority, &login))
    };
    let (credential, expected) = timeout_at(run.deadline, signing_in).await.map_err(|_| {
        let message = "the time limit of the run (`--timeout`) was over before a token was issued";
        Diagnostic::error(Code::Timeout, message).hint("run again with a larger `--timeout`")
    })?;
    let credential = credential.map_err(|none| sign_in_failure(tenant_ref.tenant, &none))?;
    let tenant_check = tenant::check(credential.token().claims(), tenant_ref, &url, expected);
    Ok(SignedIn { credential: Arc::new(credential), url, tenant_check })
}

/// Creates the error of a failed sign-in: the error of the HTTP client if that is why the credential failed,
/// such as an invalid proxy variable; otherwise [`Failure::no_credential`].
fn sign_in_failure(tenant: &Tenant, none: &NoCredential) -> Failure {
    let Some((kind, SignInError::Client(error))) = &none.failed else {
        return Failure::no_credential(tenant, none);
    };
    let problem = Diagnostic::error(error.into(), error.to_string());
    let problem = problem.caused_by(format!("needed to sign in to `{tenant}` with {kind}"));
    match error {
        ClientError::InvalidProxyVariable(_) => problem.hint(INVALID_PROXY_HINT).into(),
        _ => problem.into(),
    }
}

/// Returns the login authority: `AZURE_AUTHORITY_HOST` if it is set, otherwise that of the tenant's cloud. A
/// URL that [`is_plain_and_safe`] rejects is an error.
fn authority(tenant_ref: &TenantRef<'_>, run: &Run<'_>) -> Result<Url, Failure> {
    let host =
        run.environment.authority_host.as_deref().unwrap_or_else(|| graph::authority(tenant_ref.cloud));
    let url = Url::parse(host).ok().filter(is_plain_and_safe).ok_or_else(|| {
        let message = "`AZURE_AUTHORITY_HOST` is not the https root of a login authority";
        Diagnostic::error(Code::InvalidEnvironment, message)
            .hint("set it to the root of the login authority, such as `https://login.microsoftonline.com`")
    })?;
    Ok(url)
}

/// Returns whether the URL is an https root, or an http root on loopback, without user info, query and
/// fragment. The authority decides which tenant is changed, so its answer must not be changed in transit. A
/// path would apply to the tenant's configuration, but not to its tokens.
fn is_plain_and_safe(url: &Url) -> bool {
    let bare = url.username().is_empty() && url.password().is_none();
    bare && url.path() == "/" && url.query().is_none() && url.fragment().is_none() && is_safe(url)
}
