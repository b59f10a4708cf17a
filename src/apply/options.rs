//! Options of an apply.

use std::time::Duration;

use tokio::time::Instant;

use crate::graph::Stop;

/// Options of an apply.
#[derive(Debug, Clone)]
pub struct Options {
    /// Send no further PUT after a failed one.
    pub fail_fast: bool,
    /// Time for which changes are read back until they show.
    pub verify_timeout: Duration,
    /// Deadline of the run.
    pub deadline: Instant,
    /// Shutdown signal.
    pub stop: Stop,
}
