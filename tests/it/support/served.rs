//! A sandbox in a thread of its own, with a journal that the test can read.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use flowbind::sandbox::{Options, Sandbox};
use flowbind::snapshot::Snapshot;
use serde_json::Value;

/// A sandbox that serves until it is dropped.
pub struct Served {
    url: String,
    journal: Journal,
    ask: Option<mpsc::Sender<Ask>>,
    thread: Option<JoinHandle<()>>,
}

/// What the test wants of the thread that serves. When nobody can ask any more, it ends.
enum Ask {
    Truth(mpsc::Sender<Snapshot>),
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

/// Serves a tenant on a free port of loopback.
pub fn serve(snapshot: Snapshot, options: Options) -> Served {
    let journal = Journal::default();
    let (tell_url, url) = mpsc::channel();
    let (ask, asked) = mpsc::channel();
    let lines = journal.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sandbox = Sandbox::start(snapshot, options, Some(Box::new(lines)), None).await.unwrap();
            tell_url.send(sandbox.url()).unwrap();
            let asked = Arc::new(Mutex::new(asked));
            loop {
                // The thread serves while it waits.
                let asked = Arc::clone(&asked);
                match tokio::task::spawn_blocking(move || asked.lock().unwrap().recv()).await.unwrap() {
                    Ok(Ask::Truth(tell)) => tell.send(sandbox.snapshot()).unwrap(),
                    Err(_) => break,
                }
            }
            sandbox.stop().await;
        });
    });
    Served { url: url.recv().unwrap(), journal, ask: Some(ask), thread: Some(thread) }
}

impl Served {
    /// What `--graph-url` takes.
    pub fn graph_url(&self) -> String {
        format!("{}/beta", self.url)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.url.trim_start_matches("http://").parse().unwrap()
    }

    /// How many requests arrived so far.
    pub fn arrived(&self) -> usize {
        self.journal.0.lock().unwrap().iter().filter(|byte| **byte == b'\n').count()
    }

    /// Every request so far, in the order of arrival.
    pub fn journal(&self) -> Vec<Value> {
        let bytes = self.journal.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What the tenant truly has now.
    pub fn truth(&self) -> Snapshot {
        let (tell, told) = mpsc::channel();
        self.ask.as_ref().unwrap().send(Ask::Truth(tell)).unwrap();
        told.recv().unwrap()
    }

    /// How many PUTs there were so far.
    pub fn puts(&self) -> usize {
        self.journal().iter().filter(|entry| entry["method"] == "PUT").count()
    }

    /// `METHOD path` of every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<String> {
        let line = |entry: &Value| {
            format!("{} {}", entry["method"].as_str().unwrap(), entry["path"].as_str().unwrap())
        };
        self.journal().iter().map(line).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.ask.take();
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}
