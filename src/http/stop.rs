//! Shutdown signal: no new request may start.

use tokio::sync::watch;

/// Signal that stops a run. Requests in flight are finished.
pub type Stop = watch::Receiver<bool>;

/// Waits until the signal is true. Never returns if `stop` is `None`, or if its sender was dropped before.
pub async fn stopped(stop: Option<&Stop>) {
    let Some(mut stop) = stop.cloned() else { return std::future::pending().await };
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
