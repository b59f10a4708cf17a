//! From a file and the global options to a Graph that can be asked: the real one or a sandbox.

use std::path::Path;

use anyhow::Context as _;
use tokio::time::Instant;

use super::Global;
use super::environment::Environment;
use super::failure::Failure;
use super::tenant::{self, Checked, Rule};
use crate::auth::Secret;
use crate::diagnostic::Diagnostic;
use crate::files;
use crate::graph::{Graph, GraphUrl};
use crate::http::{self, Stop, retry};
use crate::model::{Api, Cloud, Tenant};
use crate::sandbox::{Options, Sandbox};
use crate::snapshot::Snapshot;

/// The Graph of one tenant.
pub(super) struct Connection {
    pub(super) graph: Graph,
    /// The root as plans show it: for a sandbox the cloud's own, so that a rehearsed plan has
    /// the changes and the fingerprint of the real one.
    pub(super) shown_url: String,
    /// Whether the token is for this tenant.
    pub(super) checked: Checked,
    /// When the run has to be over.
    pub(super) deadline: Instant,
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
pub(super) async fn connect(
    place: &Place<'_>,
    global: &Global,
    environment: &Environment,
    stop: &Stop,
    rule: Rule,
) -> Result<Connection, Failure> {
    let cloud_url = GraphUrl::of(place.cloud, place.api)?;
    let shown_url = cloud_url.to_string();
    let settings = http::Settings {
        parallelism: global.parallelism,
        rate: global.rate,
        deadline: Instant::now() + global.timeout,
        retry: retry::Policy::default(),
        stop: stop.clone(),
    };
    let deadline = settings.deadline;
    if let Some(path) = &global.sandbox {
        let sandbox = open_sandbox(path, place).await?;
        let url = GraphUrl::parse(&format!("{}/{}", sandbox.url(), place.api), place.api)?;
        let graph = Graph::new(client(settings, true)?, url, cloud_url, &Secret::new("sandbox"))?;
        let checked = Checked::Exempt;
        return Ok(Connection { graph, shown_url, checked, deadline, _sandbox: Some(sandbox) });
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
    Ok(Connection { graph, shown_url, checked, deadline, _sandbox: None })
}

/// Prepares requests.
pub(super) fn client(settings: http::Settings, loopback: bool) -> anyhow::Result<http::Client> {
    http::Client::new(settings, loopback).map_err(anyhow::Error::msg).context("cannot prepare for requests")
}

async fn open_sandbox(path: &Path, place: &Place<'_>) -> Result<Sandbox, Failure> {
    let snapshot = read_snapshot(path)?;
    let differs = |what: &str, theirs: &str, ours: &str| {
        Diagnostic::error(format!("`{}` is of the {what} `{theirs}`, not of `{ours}`", path.display()))
            .hint("give the snapshot of the tenant that the run is about")
    };
    if !snapshot.tenant.eq_ignore_ascii_case(place.tenant.as_str()) {
        return Err(Failure::foreign(differs("tenant", &snapshot.tenant, place.tenant.as_str())));
    }
    if snapshot.cloud.name() != place.cloud.name() {
        return Err(Failure::foreign(differs("cloud", snapshot.cloud.name(), place.cloud.name())));
    }
    start_sandbox(path, snapshot, Options::default(), None).await
}

/// Reads the snapshot at a path.
pub(super) fn read_snapshot(path: &Path) -> Result<Snapshot, Failure> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the snapshot `{}`", path.display()))?;
    Snapshot::parse(text.trim_start_matches('\u{feff}')).map_err(|error| Failure::snapshot(path, &error))
}

/// Serves a snapshot and keeps in its file what is written.
pub(super) async fn start_sandbox(
    path: &Path,
    snapshot: Snapshot,
    options: Options,
    journal: Option<Box<dyn std::io::Write + Send>>,
) -> Result<Sandbox, Failure> {
    let path = path.to_owned();
    let keep = move |snapshot: &Snapshot| files::write(&path, &snapshot.to_json());
    let sandbox = Sandbox::start(snapshot, options, journal, Some(Box::new(keep))).await;
    Ok(sandbox.context("cannot serve the sandbox")?)
}
