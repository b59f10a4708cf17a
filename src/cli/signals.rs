//! SIGINT and SIGTERM: a run that changes a tenant finishes what is in flight and tells of it.

use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use tokio::sync::watch;

use super::Exit;
use crate::http::{Stop, stopped};

/// Whether somebody asked the process to stop, and how.
pub(super) struct Signals {
    /// Turns true when the process is asked to stop.
    pub(super) stop: Stop,
    exit: Arc<OnceLock<Exit>>,
}

impl Signals {
    /// Catches the signals from here on.
    pub(super) fn catch() -> anyhow::Result<Self> {
        let (tell, stop) = watch::channel(false);
        let exit = Arc::new(OnceLock::new());
        let asked = asked()?;
        let told = Arc::clone(&exit);
        tokio::spawn(async move {
            // Only the first one counts, and nobody may be listening any more.
            _ = told.set(asked.await);
            _ = tell.send(true);
        });
        Ok(Self { stop, exit })
    }

    /// What the process has to end with, once it was asked to stop.
    pub(super) fn exit(&self) -> Option<Exit> {
        self.exit.get().copied()
    }

    /// Waits until the process is asked to stop.
    pub(super) async fn stopped(&self) {
        stopped(Some(&self.stop)).await;
    }
}

/// Nobody who could ask a run to stop.
pub(super) fn never() -> Stop {
    watch::channel(false).1
}

#[cfg(unix)]
fn asked() -> anyhow::Result<impl Future<Output = Exit> + Send> {
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
fn asked() -> anyhow::Result<impl Future<Output = Exit> + Send> {
    Ok(async {
        // Where the signal cannot be watched for, it ends the process by itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Exit::Interrupted
    })
}
