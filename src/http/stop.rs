//! The word that nothing new may begin.

use tokio::sync::watch;

/// Tells a run to begin nothing new. What is in flight is finished.
pub type Stop = watch::Receiver<bool>;

/// Waits until somebody says stop; for ever where nobody can.
pub async fn stopped(stop: Option<&Stop>) {
    let Some(mut stop) = stop.cloned() else { return std::future::pending().await };
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
