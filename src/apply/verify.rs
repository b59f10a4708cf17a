//! The read-back: changed bindings are read until they show the desired value or the time is over.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Options;
use super::look::{Steps, look};
use super::put::Put;
use crate::graph::{Graph, RetryBudget, saturating_add, stopped};
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
    // Runs from the end of the first look on: when that is, is a matter of the budget.
    let mut deadline = None;
    let mut pause = FIRST;
    let mut unseen = open(changes, puts, &seen);
    while !unseen.is_empty() {
        let left = |end: Instant| end.saturating_duration_since(Instant::now());
        let time = deadline.map_or(options.verify_timeout, left).min(left(options.deadline));
        // Once the run is stopped or out of time there is one last look.
        let last = *options.stop.borrow() || time.is_zero();
        let budget = if last { RetryBudget::final_attempt() } else { RetryBudget::For(time) };
        let began = Instant::now();
        let shown = look(graph, &unseen, 0, budget).await;
        let is_answered = shown.values().any(|reading| matches!(reading, Reading::Known(_)));
        for (change, seen) in changes.iter().zip(&mut seen) {
            match shown.get(&(&change.flow, change.step)) {
                // What was seen before is more than that it was not seen again.
                Some(Reading::Unknown(_)) if matches!(seen, Some(Reading::Known(_))) => {}
                Some(reading) => *seen = Some(reading.clone()),
                None => {}
            }
        }
        unseen = open(changes, puts, &seen);
        if last || unseen.is_empty() {
            break;
        }
        let is_first = deadline.is_none();
        let end = *deadline.get_or_insert_with(|| saturating_add(Instant::now(), options.verify_timeout));
        let is_over = *options.stop.borrow() || left(options.deadline).is_zero();
        // Where nobody answers, the first look takes all the time there is.
        if is_first && !is_answered && began.elapsed() >= options.verify_timeout && !is_over {
            break;
        }
        tokio::select! {
            () = sleep(pause.min(left(end)).min(left(options.deadline))) => {}
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
