//! The sandbox: an emulator of Microsoft Graph's user flow API, loaded from a snapshot and served
//! over HTTP on loopback.
//!
//! Owns everything between a socket and a [`Snapshot`], which is the only type that it shares
//! with the client under test: one mistake cannot agree with itself. It must not read files, the
//! environment or the network beyond its own listener.
//!
//! From the wire inward: `server` (HTTP) → `gateway` (journal, `throttle`, `faults`, `batch`) →
//! `tenant` (state and meaning), over `route`, `query`, `reference`, `render` and `odata`. All but
//! `server` are functions of their arguments, the time included.

mod batch;
mod faults;
mod gateway;
mod journal;
mod mangle;
mod message;
mod odata;
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

/// Keeps a changed snapshot somewhere.
pub type OnChange = Box<dyn Fn(&Snapshot) -> io::Result<()> + Send + Sync>;

/// How a sandbox behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen: a loopback address; port 0 chooses a free one.
    pub listen: SocketAddr,
    /// What it calls itself in links, such as `http://127.0.0.1:8080`, where it is reached through
    /// something else; its own address when absent.
    pub origin: Option<String>,
    /// How long every answer takes.
    pub latency: Duration,
    /// The budget of requests; none when absent.
    pub throttle: Option<Throttle>,
    /// The share of requests, from 0 to 1, that are answered 429, 500, 502, 503 or 504.
    pub fail: f64,
    /// How many members a page of a collection has at most.
    pub page_size: usize,
    /// How long reads show the value before a write.
    pub lag: Duration,
    /// What all chance comes from: the same seed gives the same failures.
    pub seed: u64,
    /// What goes wrong for chosen requests.
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

/// A running sandbox. It ends when it is stopped or dropped, and its connections with it.
pub struct Sandbox {
    url: String,
    server: Arc<Server>,
    task: JoinHandle<()>,
}

impl Sandbox {
    /// Serves `snapshot` on the current Tokio runtime.
    ///
    /// Each request is written as a line of JSON to `journal`. After each write that changes the
    /// tenant, and before it is answered, `on_change` gets the new snapshot; when it fails, the
    /// write is undone and answered 500.
    ///
    /// # Errors
    /// When the address to listen on is not a loopback one or cannot be bound.
    pub async fn start(
        snapshot: Snapshot,
        options: Options,
        journal: Option<Box<dyn Write + Send>>,
        on_change: Option<OnChange>,
    ) -> io::Result<Self> {
        // The sandbox accepts every token: nobody else may reach it.
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

    /// Gives the root that stands for `https://graph.microsoft.com`: no version, no slash at the
    /// end.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Gives the true state of the tenant, whatever reads still show.
    pub fn snapshot(&self) -> Snapshot {
        self.server.gateway().snapshot().clone()
    }

    /// Ends the sandbox: its socket is closed, and its connections end.
    pub async fn stop(mut self) {
        self.task.abort();
        // An aborted task ends with an error that says just that.
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
