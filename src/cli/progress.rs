//! Progress line on a terminal, redrawn while the run lasts. Nothing is printed to a pipe.

use std::cell::RefCell;
use std::pin::pin;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};

use super::options::Global;
use crate::run::Run;
use crate::terminal::{self, StatusLine};

/// Interval between two updates of the line. A shorter run prints none.
const REDRAW_INTERVAL: Duration = Duration::from_millis(250);

/// Progress line of a run.
pub(super) struct ProgressLine {
    is_shown: bool,
    line: RefCell<Option<StatusLine>>,
}

impl ProgressLine {
    /// Creates the line. It is shown only if stderr is a terminal, and not with `--quiet`.
    pub(super) fn new(global: &Global) -> Self {
        let is_shown = terminal::stderr_is_terminal() && !global.quiet;
        Self { is_shown, line: RefCell::new(None) }
    }

    /// Runs `work` and returns its result. Meanwhile updates the line every 250 ms while tenants are processed.
    pub(super) async fn show_while<T>(&self, run: &Run, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            if let Ok(done) = timeout(REDRAW_INTERVAL, &mut work).await {
                self.clear();
                return done;
            }
            if self.is_shown && run.progress().in_flight() > 0 {
                self.line.borrow_mut().get_or_insert_with(StatusLine::start).set_text(text(run));
            }
        }
    }

    /// Removes the line from the terminal, so that something else can be printed.
    pub(super) fn clear(&self) {
        self.line.replace(None);
    }
}

fn text(run: &Run) -> String {
    let progress = run.progress();
    let (tenants, done, in_flight) = (progress.tenants(), progress.done(), progress.in_flight());
    let mut text = format!("{done} of {tenants} tenants done, {in_flight} in flight");
    if let (throttled @ 1.., Some(until)) = run.meter().throttled() {
        let left = until.saturating_duration_since(Instant::now());
        let at = SignedDuration::try_from(left).ok().and_then(|left| Timestamp::now().checked_add(left).ok());
        let at = at.map_or_else(|| "after this run".into(), |at| at.strftime("%H:%M:%SZ").to_string());
        text.push_str(&format!(", {throttled} throttled until {at}"));
    }
    text
}
