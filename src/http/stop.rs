//! Shutdown of a run, in stages.

use tokio::sync::watch;

/// Stage of a shutdown. Each ends more than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopStage {
    /// The run goes on.
    Running,
    /// No request starts, and reads end. Changes in flight are finished, and read back once.
    Stopping,
    /// Changes in flight end, too. They are still read back once.
    Verifying,
    /// All requests end.
    Ending,
}

/// Signal that stops a run.
pub type Stop = watch::Receiver<StopStage>;

/// Signal that a request must not start any more, although the run goes on.
pub type Halt = watch::Receiver<bool>;

/// Waits until a shutdown has reached a stage. Never returns if the sender of the signal was dropped before.
pub async fn stopped(stop: &Stop, stage: StopStage) {
    reached(stop.clone(), |current| *current >= stage).await;
}

/// Waits until a signal is true. Never returns if there is none, or if its sender was dropped before.
pub(super) async fn halted(halt: Option<&Halt>) {
    match halt {
        Some(halt) => reached(halt.clone(), |halt| *halt).await,
        None => std::future::pending().await,
    }
}

async fn reached<T>(mut signal: watch::Receiver<T>, is_reached: impl FnMut(&T) -> bool) {
    if signal.wait_for(is_reached).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Returns a signal that never stops a run.
pub fn never_stopped() -> Stop {
    watch::channel(StopStage::Running).1
}
