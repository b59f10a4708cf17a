//! From a tenant and the global options to a Graph that can be asked: the real one or a sandbox.

use anyhow::Context as _;

use super::failure::Failure;
use super::fleet::Run;
use super::tenant::{self, Checked, Rule};
use crate::auth::Secret;
use crate::graph::{Graph, GraphUrl};
use crate::http::{self, retry};
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
    pub(super) cloud: Cloud,
    pub(super) api: Api,
}

/// Connects to a tenant, once it is certain that the token is not for another one.
pub(super) async fn connect(place: &Place<'_>, run: &Run<'_>, rule: Rule) -> Result<Connection, Failure> {
    let Run { global, environment, deadline, stop, sandboxes } = run;
    let cloud_url = GraphUrl::of(place.cloud, place.api)?;
    let shown_url = cloud_url.to_string();
    let settings = http::Settings {
        parallelism: global.parallelism,
        rate: global.rate,
        deadline: *deadline,
        retry: retry::Policy::default(),
        stop: stop.clone(),
    };
    if let Some(sandbox) = sandboxes.serve(place).await? {
        let url = GraphUrl::parse(&format!("{}/{}", sandbox.url(), place.api), place.api)?;
        let graph = Graph::new(client(settings, true)?, url, cloud_url, &Secret::new("sandbox"))?;
        return Ok(Connection { graph, shown_url, checked: Checked::Exempt, _sandbox: Some(sandbox) });
    }
    let url = match &global.graph_url {
        Some(text) => GraphUrl::parse(text, place.api)?,
        None => cloud_url,
    };
    let token = environment.access_token.as_ref().ok_or_else(Failure::no_credential)?;
    let checked = tenant::check(token, place, &url, &settings, environment).await?;
    if let (Checked::Unknown(why), Rule::Refuse) = (&checked, rule) {
        return Err(Failure::tenant_unchecked(why));
    }
    let shown_url = url.to_string();
    let graph = Graph::new(client(settings, url.is_loopback())?, url.clone(), url, token)?;
    Ok(Connection { graph, shown_url, checked, _sandbox: None })
}

/// Prepares requests.
pub(super) fn client(settings: http::Settings, loopback: bool) -> anyhow::Result<http::Client> {
    http::Client::new(settings, loopback).map_err(anyhow::Error::msg).context("cannot prepare for requests")
}
