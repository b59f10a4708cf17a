//! Shutdown signal: no new request may start.

use tokio::sync::watch;

/// Signal that stops a run. Requests in flight are finished.
pub type Stop = watch::Receiver<bool>;

/// Waits for the signal. Never returns if there is none.
pub async fn stopped(stop: Option<&Stop>) {
    let Some(mut stop) = stop.cloned() else { return std::future::pending().await };
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
