//! Sandbox that runs in a thread of its own and keeps a journal of all requests.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use flowbind::sandbox::{Options, Sandbox};
use flowbind::snapshot::Snapshot;
use serde_json::Value;

/// Sandbox that runs until it is dropped.
pub struct SandboxServer {
    url: String,
    journal: Journal,
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

/// Command of the test to the thread of the sandbox. The thread ends when the sender is dropped.
enum Command {
    Snapshot(mpsc::Sender<Snapshot>),
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
    let (url_sender, url) = mpsc::channel();
    let (commands, received) = mpsc::channel();
    let lines = journal.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sandbox = Sandbox::start(snapshot, options, Some(Box::new(lines)), None).await.unwrap();
            url_sender.send(sandbox.url()).unwrap();
            let received = Arc::new(Mutex::new(received));
            loop {
                // The sandbox answers requests while a blocking thread waits for commands.
                let received = Arc::clone(&received);
                match tokio::task::spawn_blocking(move || received.lock().unwrap().recv()).await.unwrap() {
                    Ok(Command::Snapshot(reply)) => reply.send(sandbox.snapshot()).unwrap(),
                    Err(_) => break,
                }
            }
            sandbox.stop().await;
        });
    });
    SandboxServer { url: url.recv().unwrap(), journal, commands: Some(commands), thread: Some(thread) }
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
        self.commands.as_ref().unwrap().send(Command::Snapshot(sender)).unwrap();
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

impl Drop for SandboxServer {
    fn drop(&mut self) {
        self.commands.take();
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}
