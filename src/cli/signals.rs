//! SIGINT and SIGTERM: a run that changes a tenant finishes the requests in flight and reports them.

use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use tokio::sync::watch;

use crate::exit::Exit;
use crate::http::{Stop, stopped};

/// Shutdown signals of the process.
pub(super) struct Signals {
    /// Turns true with the first signal.
    pub(super) stop: Stop,
    exit: Arc<OnceLock<Exit>>,
}

impl Signals {
    /// Installs handlers for SIGINT and SIGTERM (elsewhere than on Unix: Ctrl+C). The first signal sets
    /// `stop` and the exit code.
    pub(super) fn catch() -> anyhow::Result<Self> {
        let (sender, stop) = watch::channel(false);
        let exit = Arc::new(OnceLock::new());
        let shutdown = shutdown_signal()?;
        let exit_code = Arc::clone(&exit);
        tokio::spawn(async move {
            // Only the first signal counts, and the receivers may be dropped.
            _ = exit_code.set(shutdown.await);
            _ = sender.send(true);
        });
        Ok(Self { stop, exit })
    }

    /// Returns the exit code of the first signal; `None` before any signal.
    pub(super) fn exit(&self) -> Option<Exit> {
        self.exit.get().copied()
    }

    /// Waits for the first signal.
    pub(super) async fn stopped(&self) {
        stopped(Some(&self.stop)).await;
    }
}

/// Returns a shutdown signal that never comes.
pub(super) fn no_shutdown() -> Stop {
    watch::channel(false).1
}

#[cfg(unix)]
fn shutdown_signal() -> anyhow::Result<impl Future<Output = Exit> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => Exit::Interrupted,
            _ = terminate.recv() => Exit::Terminated,
        }
    })
}

#[cfg(not(unix))]
fn shutdown_signal() -> anyhow::Result<impl Future<Output = Exit> + Send> {
    Ok(async {
        // Without a handler, the signal ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Exit::Interrupted
    })
}
