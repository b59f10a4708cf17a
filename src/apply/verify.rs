//! The read-back: changed bindings are read until they show the desired value or the time is over.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Options;
use super::look::{Steps, look};
use super::put::Put;
use crate::graph::{Graph, Patience, stopped};
use crate::model::{Bound, Reading, bound_id};
use crate::plan::Change;

/// The pauses between two looks at a change: the first, and the longest.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);

/// Reads the changes back whose PUT may have worked. Gives what each binding showed last; `None`
/// where it was not read.
pub(super) async fn read_back(
    graph: &Graph,
    changes: &[Change],
    puts: &[Put],
    options: &Options,
) -> Vec<Option<Reading<Bound>>> {
    let mut seen = vec![None; changes.len()];
    let end = Instant::now().checked_add(options.verify_timeout);
    let deadline = end.unwrap_or(options.deadline).min(options.deadline);
    let mut pause = FIRST;
    let mut unseen = open(changes, puts, &seen);
    while !unseen.is_empty() {
        // Once the run is stopped or out of time there is one last look.
        let last = *options.stop.borrow() || Instant::now() >= deadline;
        let patience = if last { Patience::LastWord } else { Patience::Until(deadline) };
        let shown = look(graph, &unseen, 0, patience).await;
        for (change, seen) in changes.iter().zip(&mut seen) {
            if let Some(reading) = shown.get(&(&change.flow, change.step)) {
                *seen = Some(reading.clone());
            }
        }
        unseen = open(changes, puts, &seen);
        if last || unseen.is_empty() {
            break;
        }
        tokio::select! {
            () = sleep(pause.min(deadline.saturating_duration_since(Instant::now()))) => {}
            () = stopped(Some(&options.stop)) => {}
        }
        pause = pause.saturating_mul(2).min(LONGEST);
    }
    seen
}

/// The flows that have a change which may have worked and does not show yet, with the steps.
fn open<'a>(changes: &'a [Change], puts: &[Put], seen: &[Option<Reading<Bound>>]) -> Steps<'a> {
    let mut open = Steps::new();
    for ((change, put), seen) in changes.iter().zip(puts).zip(seen) {
        let shows = seen.as_ref().is_some_and(|seen| shows(change, seen));
        if put.may_have_worked() && !shows {
            open.entry(&change.flow).or_default().push(change.step);
        }
    }
    open
}

/// Whether a reading is what the change wants.
pub(super) fn shows(change: &Change, seen: &Reading<Bound>) -> bool {
    matches!(seen, Reading::Known(bound) if bound_id(bound) == bound_id(&change.desired))
}
