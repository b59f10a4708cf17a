//! What all tenants of a run share.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::time::Instant;
use tracing::info;

use super::error::CommandError;
use super::in_order::for_each_in_order;
use super::progress::Progress;
use super::sandboxes::Sandboxes;
use crate::auth::{self, Kind};
use crate::diagnostic::{Code, Diagnostic};
use crate::http::retry::Policy;
use crate::http::{
    Client, Connections, Figures, Meter, Proxies, Rate, Settings, Stop, TrustStore, UnusableProxy,
    is_loopback, saturating_add,
};
use crate::{encoding, paths};

/// Options of the connections of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Snapshots of emulated tenants; empty for real ones.
    pub sandboxes: Vec<PathBuf>,
    /// The only kind of credential to use; `None` for the first that is configured.
    pub auth: Option<Kind>,
    /// Time limit of the run.
    pub timeout: Duration,
    /// Root of Graph with its version, in place of the cloud's own.
    pub graph_url: Option<String>,
    /// PEM file with certificate authorities to trust in addition.
    pub ca_file: Option<PathBuf>,
    /// Maximum concurrent requests per tenant.
    pub parallelism: NonZeroU32,
    /// Maximum tenants processed concurrently.
    pub tenants_at_once: NonZeroU32,
    /// Rate limit per tenant.
    pub rate: Rate,
    /// Settings of the credentials.
    pub credentials: auth::Settings,
    /// Login authority, in place of the cloud's own.
    pub authority_host: Option<String>,
    /// Proxies, or why they cannot be used.
    pub proxies: Result<Proxies, UnusableProxy>,
    /// Certificate authorities in place of the system's.
    pub trust_store: TrustStore,
}

/// State that all tenants of a run share.
pub struct Run {
    pub(super) options: Options,
    /// Deadline of the run.
    pub(super) deadline: Instant,
    /// Shutdown signal.
    pub(super) stop: Stop,
    /// Emulated tenants, if the run uses any.
    pub(super) sandboxes: Sandboxes,
    /// Connections of all clients.
    pub(super) connections: Arc<Connections>,
    /// Counts requests to Graph.
    meter: Arc<Meter>,
    progress: Progress,
}

/// Retry policy for signing in, which fails within seconds if it cannot work.
const LOGIN: Policy =
    Policy { base: Duration::from_secs(1), longest: Duration::from_secs(30), max_attempts: 3 };

impl Run {
    /// Starts the time limit, reads the sandboxes and the certificate authorities, and creates the connections.
    ///
    /// # Errors
    /// A file or a variable is unusable; nothing is sent.
    pub fn start(options: Options, stop: Stop) -> Result<Self, CommandError> {
        let deadline = saturating_add(Instant::now(), options.timeout);
        let sandboxes = Sandboxes::read(&options.sandboxes)?;
        let connections = Arc::new(connections(&options)?);
        let (meter, progress) = (Arc::default(), Progress::default());
        Ok(Self { options, deadline, stop, sandboxes, connections, meter, progress })
    }

    /// Returns the emulated tenants.
    pub fn sandboxes(&self) -> &Sandboxes {
        &self.sandboxes
    }

    /// Returns the number of tenants, and of those that are done and in flight.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Returns the counts of the requests to Graph.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Creates a client for the login authority of one tenant: without a rate limit, with at most 3 attempts,
    /// and not counted by the meter of the run. A throttled app delays no other tenant.
    pub(super) fn login_client(&self) -> Arc<Client> {
        let unlimited = Rate { requests: NonZeroU32::MAX, per: Duration::from_secs(1) };
        let settings = Settings { rate: unlimited, retry: LOGIN, meter: Arc::default(), ..self.settings() };
        Arc::new(Client::new(settings, Arc::clone(&self.connections)))
    }

    /// Returns the settings of one tenant's client: parallelism and rate of the options, and deadline, stop
    /// signal and meter of the run.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            parallelism: self.options.parallelism,
            rate: self.options.rate,
            deadline: self.deadline,
            retry: Policy::default(),
            stop: self.stop.clone(),
            meter: Arc::clone(&self.meter),
        }
    }

    /// Calls `work` for each tenant, at most [`Options::tenants_at_once`] concurrently; it returns results with
    /// their positions. Calls `handle` with each result, in the order of the positions from 0.
    pub async fn for_each_tenant<T, R>(
        &self,
        tenants: Vec<T>,
        work: impl AsyncFn(T) -> Vec<(usize, R)>,
        handle: impl FnMut(R),
    ) {
        self.progress.start(tenants.len());
        let work = async |tenant| self.progress.count_while(work(tenant)).await;
        for_each_in_order(tenants, self.options.tenants_at_once, work, handle).await;
    }
}

impl Drop for Run {
    /// Logs the cost of the run, however it ended.
    fn drop(&mut self) {
        let Figures { requests, exchanges, retries, waited, bytes } = self.meter.figures();
        if exchanges == 0 {
            return;
        }
        let waited = waited.as_secs_f64();
        info!(
            "{requests} requests in {exchanges} exchanges, {retries} retried; waited {waited:.1} s; {bytes} bytes"
        );
    }
}

/// Creates the connections of a run, which also trust the certificates of `--ca-file`. For real tenants, a
/// proxy or certificate authorities that cannot be used are an error.
fn connections(options: &Options) -> Result<Connections, CommandError> {
    let connections = match &options.ca_file {
        Some(path) => trusting(path)?,
        None => Connections::default(),
    };
    if !options.sandboxes.is_empty() {
        return Ok(connections);
    }
    let proxies = options.proxies.clone().map_err(|unusable| {
        Diagnostic::error(Code::InvalidEnvironment, unusable.to_string()).hint(unusable.hint())
    })?;
    let connections = connections.with_environment(proxies, options.trust_store.clone());
    let url = options.graph_url.as_ref().and_then(|url| Url::parse(url).ok());
    // Loading the authorities takes longer than a plan, and a Graph on this machine may not need them.
    if !url.is_some_and(|url| is_loopback(&url)) {
        connections.prepare().map_err(|error| {
            let problem = Diagnostic::error((&error).into(), error.to_string());
            CommandError::from(error.hint().into_iter().fold(problem, Diagnostic::hint))
        })?;
    }
    Ok(connections)
}

/// Creates connections that also trust the certificates in a file. A file that cannot be read or used is an error.
fn trusting(path: &Path) -> Result<Connections, CommandError> {
    let wrong = |why: String| {
        let message = format!("`--ca-file`: cannot use `{}`: {why}", paths::display(path));
        Diagnostic::error(Code::InvalidCaFile, message)
            .hint("pass a PEM file with the certificates of the authorities to trust")
    };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    Ok(Connections::with_authorities(encoding::strip_byte_order_mark(&pem))
        .map_err(|error| wrong(error.to_string()))?)
}
