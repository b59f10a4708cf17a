//! The sandbox: an emulator of Microsoft Graph's user flow API, loaded from a snapshot and served
//! over HTTP on loopback.
//!
//! [`Snapshot`] is the only type that it shares with the client under test, so that one mistake cannot
//! affect both sides. It must not read files or the environment, or use the network except for its
//! own listener.
//!
//! Layers, from the outside: `server` (HTTP) → `gateway` (journal, `throttle`, `faults`, `batch`) →
//! `tenant` (state and responses), based on `route`, `query`, `reference`, `render` and `odata`. The
//! leaves are `error` and `percent`; `options` is for the caller. All modules except `server` are functions
//! of their arguments; the time is an argument, too.

mod batch;
mod corrupt_batch;
mod error;
mod faults;
mod gateway;
mod journal;
mod message;
mod odata;
mod options;
mod percent;
mod query;
mod reference;
mod render;
mod route;
mod server;
mod tenant;
mod throttle;

use std::io::{self, Write};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use faults::{Effect, Fault};
pub use options::{OnChange, Options};
pub use throttle::Throttle;

use crate::snapshot::Snapshot;
use gateway::Gateway;
use journal::Journal;
use server::Server;
use tenant::Tenant;

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
    /// undone and the response is a 423.
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
        let tenant = Tenant::new(snapshot, origin, &options);
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
