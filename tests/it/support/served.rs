//! A sandbox in a thread of its own, with a journal that the test can read.

use std::io::{self, Write};
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
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
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
    let (stop, stopped) = mpsc::channel::<()>();
    let lines = journal.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sandbox = Sandbox::start(snapshot, options, Some(Box::new(lines)), None).await.unwrap();
            tell_url.send(sandbox.url()).unwrap();
            // The thread serves while it waits; dropping `Served` ends the wait.
            _ = tokio::task::spawn_blocking(move || stopped.recv()).await;
            sandbox.stop().await;
        });
    });
    Served { url: url.recv().unwrap(), journal, stop: Some(stop), thread: Some(thread) }
}

impl Served {
    /// What `--graph-url` takes.
    pub fn graph_url(&self) -> String {
        format!("{}/beta", self.url)
    }

    /// Every request so far, in the order of arrival.
    pub fn journal(&self) -> Vec<Value> {
        let bytes = self.journal.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
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
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}
