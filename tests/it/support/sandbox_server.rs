//! Sandbox that runs in a thread of its own and keeps a journal of all requests.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use flowbind::sandbox::{Options, Sandbox};
use flowbind::snapshot::Snapshot;
use serde_json::Value;
use tokio::sync::mpsc as async_mpsc;

use super::background::Background;

/// Sandbox that runs until it is dropped.
pub struct SandboxServer {
    url: String,
    journal: Journal,
    /// Requests for a snapshot of the tenant.
    snapshots: async_mpsc::UnboundedSender<mpsc::Sender<Snapshot>>,
    _background: Background,
}

#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<u8>>>);

impl Write for Journal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts a sandbox with this tenant on a free port of loopback.
pub fn serve(snapshot: Snapshot, options: Options) -> SandboxServer {
    let journal = Journal::default();
    let lines = journal.clone();
    let (snapshots, mut requested) = async_mpsc::unbounded_channel::<mpsc::Sender<Snapshot>>();
    let (background, url) = Background::start(async move |ready| {
        let sandbox = Sandbox::start(snapshot, options, Some(Box::new(lines)), None).await.unwrap();
        ready.send(sandbox.url()).unwrap();
        while let Some(reply) = requested.recv().await {
            reply.send(sandbox.snapshot()).unwrap();
        }
    });
    SandboxServer { url, journal, snapshots, _background: background }
}

impl SandboxServer {
    /// Returns the value for `--graph-url`.
    pub fn graph_url(&self) -> String {
        format!("{}/beta", self.url)
    }

    pub fn address(&self) -> SocketAddr {
        self.url.trim_start_matches("http://").parse().unwrap()
    }

    /// Returns the number of requests so far.
    pub fn request_count(&self) -> usize {
        self.journal.0.lock().unwrap().iter().filter(|byte| **byte == b'\n').count()
    }

    /// Returns the journal entry of every request so far, in the order of arrival.
    pub fn journal(&self) -> Vec<Value> {
        let bytes = self.journal.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Returns the current state of the tenant, including changes that reads do not show yet.
    pub fn actual_state(&self) -> Snapshot {
        let (sender, snapshot) = mpsc::channel();
        self.snapshots.send(sender).unwrap();
        snapshot.recv().unwrap()
    }

    /// Returns the number of PUT requests so far.
    pub fn puts(&self) -> usize {
        self.journal().iter().filter(|entry| entry["method"] == "PUT").count()
    }

    /// Returns `METHOD path` of every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<String> {
        let line = |entry: &Value| {
            format!("{} {}", entry["method"].as_str().unwrap(), entry["path"].as_str().unwrap())
        };
        self.journal().iter().map(line).collect()
    }
}
