//! Progress line on a terminal, redrawn while the run lasts. Nothing is printed to a pipe.

use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};

use crate::http::Meter;
use crate::terminal;

/// Interval between two updates of the line. A shorter run prints none.
const REDRAW_INTERVAL: Duration = Duration::from_millis(250);

/// Progress of a run over its tenants.
pub(super) struct Progress {
    tenants: usize,
    done: Cell<usize>,
    in_flight: Cell<usize>,
    meter: Arc<Meter>,
    shown: bool,
}

impl Progress {
    /// Creates the progress of a run over `tenants` tenants. Without `shown`, it prints nothing.
    pub(super) fn new(tenants: usize, meter: &Arc<Meter>, shown: bool) -> Self {
        let meter = Arc::clone(meter);
        Self { tenants, done: Cell::new(0), in_flight: Cell::new(0), meter, shown }
    }

    /// Runs `work` and returns its result. Counts one tenant as in flight meanwhile, and as done afterwards.
    pub(super) async fn count_while<T>(&self, work: impl Future<Output = T>) -> T {
        self.in_flight.update(|number| number.saturating_add(1));
        let done = work.await;
        self.in_flight.update(|number| number.saturating_sub(1));
        self.done.update(|number| number.saturating_add(1));
        done
    }

    /// Runs `work` and returns its result. Meanwhile updates the progress line every 250 ms, if it is shown.
    pub(super) async fn show_while<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut line = None;
        loop {
            if let Ok(done) = timeout(REDRAW_INTERVAL, &mut work).await {
                return done;
            }
            if self.shown {
                line.get_or_insert_with(terminal::StatusLine::start).set_text(self.text());
            }
        }
    }

    fn text(&self) -> String {
        let (tenants, done, in_flight) = (self.tenants, self.done.get(), self.in_flight.get());
        let mut text = format!("{done} of {tenants} tenants done, {in_flight} in flight");
        if let (throttled @ 1.., Some(until)) = self.meter.throttled() {
            let left = until.saturating_duration_since(Instant::now());
            let at =
                SignedDuration::try_from(left).ok().and_then(|left| Timestamp::now().checked_add(left).ok());
            let at = at.map_or_else(|| "after this run".into(), |at| at.strftime("%H:%M:%SZ").to_string());
            text.push_str(&format!(", {throttled} throttled until {at}"));
        }
        text
    }
}
