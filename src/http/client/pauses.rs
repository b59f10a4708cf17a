//! The pauses that a service asks for: of one request, or of all that a tenant is asked.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::Client;
use crate::http::message::{Patience, Request};
use crate::http::retry::{Next, Outcome};

impl Client {
    /// Waits as long as the service asks for where it was answered, for the moment, with this status: to
    /// the request, or to one that travelled in it.
    ///
    /// # Errors
    /// The pause, where it is longer than there is time.
    pub async fn rest(&self, request: &Request<'_>, status: u16, asked: Duration) -> Result<(), Duration> {
        if let Some(pause) = self.too_long(status, asked, request.patience) {
            return Err(pause);
        }
        let (Some(pause), Ok(mut open)) = (self.pause(status, asked), self.connections.to(&request.url))
        else {
            return Ok(());
        };
        // Where the run is stopped meanwhile, whatever is to be sent next is told so.
        _ = self.wait(&mut open, request, pause, status == 503).await;
        Ok(())
    }

    /// The pause before what was answered so, for the moment, is asked for again.
    fn pause(&self, status: u16, asked: Duration) -> Option<Duration> {
        match self.settings.retry.next(1, Outcome::Answered(status, Some(asked)), 0.0) {
            Next::Again(pause) => Some(pause),
            Next::PauseAll(_) | Next::Stop => None,
        }
    }

    /// The same, where it is longer than there is time for a request that begins now.
    pub fn too_long(&self, status: u16, asked: Duration, patience: Patience) -> Option<Duration> {
        let left = self.deadline(patience, Duration::ZERO).saturating_duration_since(Instant::now());
        self.pause(status, asked).filter(|pause| left < *pause)
    }

    /// Lets the time of a request pass for which the service wants to be left alone for longer. Who has
    /// time of his own for it would come again at once.
    pub async fn let_pass(&self, patience: Patience, spent: Duration) {
        if matches!(patience, Patience::For(_)) {
            _ = self.unless_stopped(patience, None, sleep_until(self.deadline(patience, spent))).await;
        }
    }

    /// Takes note that so many of the requests that travelled in the one answered last were throttled,
    /// and of the pause that the service asks for.
    pub fn throttled(&self, requests: u32, asked: Option<Duration>) {
        let next = self.settings.retry.next(1, Outcome::Answered(429, asked), fastrand::f64());
        if let Next::PauseAll(pause) | Next::Again(pause) = next {
            self.hold(requests, pause, asked.is_some());
        }
    }

    pub(super) fn hold(&self, requests: u32, pause: Duration, asked: bool) {
        if self.pace.throttled(requests, pause, asked) {
            warn!("throttled: nothing is sent for {} s", pause.as_secs_f64().ceil());
        }
    }
}
