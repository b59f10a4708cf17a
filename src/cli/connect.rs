//! From a file and the global options to a Graph that can be asked: the real one or a sandbox.

use std::path::Path;

use anyhow::Context as _;
use tokio::time::Instant;

use super::Global;
use super::environment::Environment;
use super::failure::Failure;
use crate::auth::Secret;
use crate::diagnostic::Diagnostic;
use crate::files;
use crate::graph::{Graph, GraphUrl};
use crate::http::{self, retry};
use crate::model::Desired;
use crate::sandbox::{Options, Sandbox};
use crate::snapshot::Snapshot;

/// The Graph of one tenant.
pub(super) struct Connection {
    pub(super) graph: Graph,
    /// The root as plans show it: for a sandbox the cloud's own, so that a rehearsed plan is the
    /// real one to the byte.
    pub(super) shown_url: String,
    /// Serves for as long as it lives.
    _sandbox: Option<Sandbox>,
}

/// Connects to the tenant of a file.
pub(super) async fn connect(
    desired: &Desired,
    global: &Global,
    environment: &Environment,
) -> Result<Connection, Failure> {
    let cloud_url = GraphUrl::of(desired.cloud, desired.api)?;
    if let Some(path) = &global.sandbox {
        let sandbox = open_sandbox(path, desired).await?;
        let url = GraphUrl::parse(&format!("{}/{}", sandbox.url(), desired.api), desired.api)?;
        let graph = graph(url, &Secret::new("sandbox"), global)?;
        return Ok(Connection { graph, shown_url: cloud_url.to_string(), _sandbox: Some(sandbox) });
    }
    let url = match &global.graph_url {
        Some(text) => GraphUrl::parse(text, desired.api)?,
        None => cloud_url,
    };
    let token = environment.access_token.as_ref().ok_or_else(Failure::no_credential)?;
    let shown_url = url.to_string();
    Ok(Connection { graph: graph(url, token, global)?, shown_url, _sandbox: None })
}

fn graph(url: GraphUrl, token: &Secret, global: &Global) -> Result<Graph, Failure> {
    let settings = http::Settings {
        parallelism: global.parallelism,
        rate: global.rate,
        deadline: Instant::now() + global.timeout,
        retry: retry::Policy::default(),
    };
    let client = http::Client::new(settings, url.is_loopback())
        .map_err(anyhow::Error::msg)
        .context("cannot prepare for requests")?;
    Ok(Graph::new(client, url, token)?)
}

async fn open_sandbox(path: &Path, desired: &Desired) -> Result<Sandbox, Failure> {
    let snapshot = read_snapshot(path)?;
    let differs = |what: &str, theirs: &str, ours: &str| {
        Diagnostic::error(format!("`{}` is of the {what} `{theirs}`, the file of `{ours}`", path.display()))
            .hint("give the snapshot of the file's own tenant")
    };
    if !snapshot.tenant.eq_ignore_ascii_case(desired.tenant.as_str()) {
        return Err(differs("tenant", &snapshot.tenant, desired.tenant.as_str()).into());
    }
    if snapshot.cloud.name() != desired.cloud.name() {
        return Err(differs("cloud", snapshot.cloud.name(), desired.cloud.name()).into());
    }
    start_sandbox(path, snapshot, Options::default(), None).await
}

/// Reads the snapshot at a path.
pub(super) fn read_snapshot(path: &Path) -> Result<Snapshot, Failure> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the snapshot `{}`", path.display()))?;
    Snapshot::parse(&text).map_err(|error| Failure::snapshot(path, &error))
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
