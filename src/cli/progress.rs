//! How far a run is: one line on a terminal, drawn anew as long as the run lasts, and nothing in a pipe.

use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};

use crate::http::Meter;
use crate::terminal;

/// How often the line is drawn. A run that is over before needs none.
const DRAWN: Duration = Duration::from_millis(250);

/// How far a run is with its tenants.
pub(super) struct Progress {
    tenants: usize,
    done: Cell<usize>,
    in_flight: Cell<usize>,
    meter: Arc<Meter>,
    shown: bool,
}

impl Progress {
    /// Of a run that begins with so many tenants.
    pub(super) fn of(tenants: usize, meter: &Arc<Meter>, shown: bool) -> Self {
        let meter = Arc::clone(meter);
        Self { tenants, done: Cell::new(0), in_flight: Cell::new(0), meter, shown }
    }

    /// Counts a tenant while it is worked on.
    pub(super) async fn on_one<T>(&self, work: impl Future<Output = T>) -> T {
        self.in_flight.update(|number| number.saturating_add(1));
        let done = work.await;
        self.in_flight.update(|number| number.saturating_sub(1));
        self.done.update(|number| number.saturating_add(1));
        done
    }

    /// Draws the line until all are done.
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut line = None;
        loop {
            if let Ok(done) = timeout(DRAWN, &mut work).await {
                return done;
            }
            if self.shown {
                line.get_or_insert_with(terminal::Line::begin).draw(self.text());
            }
        }
    }

    fn text(&self) -> String {
        let (tenants, done, in_flight) = (self.tenants, self.done.get(), self.in_flight.get());
        let mut text = format!("{done} of {tenants} tenants done, {in_flight} in flight");
        if let (held @ 1.., Some(until)) = self.meter.throttled() {
            let left = until.saturating_duration_since(Instant::now());
            let at =
                SignedDuration::try_from(left).ok().and_then(|left| Timestamp::now().checked_add(left).ok());
            let at =
                at.map_or_else(|| "long after this run".into(), |at| at.strftime("%H:%M:%SZ").to_string());
            text.push_str(&format!(", {held} held back by `Retry-After` until {at}"));
        }
        text
    }
}
