//! The sandbox: an emulator of Microsoft Graph's user flow API, loaded from a snapshot and served
//! over HTTP on loopback.
//!
//! [`Snapshot`] is the only type that it shares with the client under test, so that one mistake cannot
//! affect both sides. It must not read files or the environment, or use the network except for its
//! own listener.
//!
//! Layers, from the outside: `server` (HTTP) → `gateway` (journal, `throttle`, `faults`, `batch`) →
//! `tenant` (state and responses), based on `route`, `query`, `reference`, `render` and `odata`. The
//! leaves are `error` and `percent`. All modules except `server` are functions of their arguments;
//! the time is an argument, too.

mod batch;
mod corrupt_batch;
mod error;
mod faults;
mod gateway;
mod journal;
mod message;
mod odata;
mod percent;
mod query;
mod reference;
mod render;
mod route;
mod server;
mod tenant;
mod throttle;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use faults::{Effect, Fault};
pub use throttle::Throttle;

use crate::snapshot::Snapshot;
use gateway::Gateway;
use journal::Journal;
use server::Server;
use tenant::Tenant;

/// Callback that saves a changed snapshot.
pub type OnChange = Box<dyn Fn(&Snapshot) -> io::Result<()> + Send + Sync>;

/// Options of a sandbox.
#[derive(Debug, Clone)]
pub struct Options {
    /// Loopback address to listen on. Port 0 selects a free port.
    pub listen: SocketAddr,
    /// Base URL in links, such as `http://127.0.0.1:8080`, if clients connect through a proxy. The
    /// default is the address of the listener.
    pub origin: Option<String>,
    /// Delay of every response.
    pub latency: Duration,
    /// Rate limit; none if absent.
    pub throttle: Option<Throttle>,
    /// Share of requests, from 0 to 1, that fail with 429, 500, 502, 503 or 504.
    pub fail: f64,
    /// Maximum number of members on a page of a collection.
    pub page_size: usize,
    /// Time for which reads return the previous value after a write.
    pub lag: Duration,
    /// Seed for random failures, request ids and the order of batch responses.
    pub seed: u64,
    /// Faults for selected requests.
    pub faults: Vec<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            origin: None,
            latency: Duration::ZERO,
            throttle: None,
            fail: 0.0,
            page_size: 100,
            lag: Duration::ZERO,
            seed: 0,
            faults: Vec::new(),
        }
    }
}

/// Running sandbox. Stopping or dropping it closes its connections.
pub struct Sandbox {
    url: String,
    server: Arc<Server>,
    task: JoinHandle<()>,
}

impl Sandbox {
    /// Listens on `options.listen`, serves `snapshot` there in a background task of the current Tokio
    /// runtime, and returns the running sandbox.
    ///
    /// Writes a line of JSON per request to `journal`. After each write that changes the tenant,
    /// `on_change` receives the new snapshot before the response is sent. If it fails, the write is
    /// undone and the response is a 500.
    ///
    /// # Errors
    /// If the address to listen on is not a loopback address or cannot be bound.
    pub async fn start(
        snapshot: Snapshot,
        options: Options,
        journal: Option<Box<dyn Write + Send>>,
        on_change: Option<OnChange>,
    ) -> io::Result<Self> {
        // The sandbox accepts every token, so it must not be reachable from other machines.
        if !options.listen.ip().is_loopback() {
            let message = format!("`{}` is not a loopback address", options.listen);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = TcpListener::bind(options.listen).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let latency = options.latency;
        let origin = options.origin.clone().unwrap_or_else(|| url.clone());
        let tenant = Tenant::new(snapshot, origin, options.page_size, options.lag);
        let gateway = Gateway::new(tenant, options, Journal::new(journal), on_change);
        let server = Arc::new(Server::new(gateway, latency));
        let task = tokio::spawn(Arc::clone(&server).run(listener));
        Ok(Self { url, server, task })
    }

    /// Returns the URL of the listener, without version and trailing slash. It replaces
    /// `https://graph.microsoft.com`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Returns the actual state of the tenant, including writes that reads do not return yet.
    pub fn snapshot(&self) -> Snapshot {
        self.server.gateway().snapshot().clone()
    }

    /// Stops the sandbox: closes its listener and its connections.
    pub async fn stop(mut self) {
        self.task.abort();
        // An aborted task always returns an error.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
