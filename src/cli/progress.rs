//! Progress line on a terminal, redrawn while the run lasts. Nothing is printed to a pipe.

use std::pin::pin;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};

use super::options::Global;
use crate::run::Run;
use crate::terminal;

/// Interval between two updates of the line. A shorter run prints none.
const REDRAW_INTERVAL: Duration = Duration::from_millis(250);

/// Runs `work` and returns its result. Meanwhile updates the progress line every 250 ms while tenants are processed,
/// if stderr is a terminal, unless `--quiet`.
pub(super) async fn show_while<T>(run: &Run, global: &Global, work: impl Future<Output = T>) -> T {
    let is_shown = terminal::stderr_is_terminal() && !global.quiet;
    let mut work = pin!(work);
    let mut line = None;
    loop {
        if let Ok(done) = timeout(REDRAW_INTERVAL, &mut work).await {
            return done;
        }
        if run.progress().in_flight() == 0 {
            // The line must not be in the way of a question.
            line = None;
        } else if is_shown {
            line.get_or_insert_with(terminal::StatusLine::start).set_text(text(run));
        }
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
