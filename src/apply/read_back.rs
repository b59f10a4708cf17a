//! Read-back: reads changed bindings until they have the desired value or the time is over.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::options::Options;
use super::put::{PutChange, PutResult};
use super::read::{Steps, read_bindings};
use crate::graph::{Graph, RetryBudget, StopStage, saturating_add, stopped};
use crate::model::{Bound, Reading, bound_id};
use crate::plan::Change;

/// Pauses between two reads of a change: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Longest time to read back changes whose PUTs all had no usable response, although each was retried. One of them
/// took effect by now, or probably none did.
const UNANSWERED_TIMEOUT: Duration = Duration::from_secs(15);

/// Reads back the changes whose PUT may have worked, until all have the desired value, the time is over or
/// the run is interrupted. Returns the last value of each binding; `None` if it was not read.
pub(super) async fn read_back(
    graph: &Graph,
    puts: &[PutChange<'_>],
    options: &Options,
) -> Vec<Option<Reading<Bound>>> {
    let mut seen = vec![None; puts.len()];
    // Starts with the end of the first read, which the rate limit may have delayed.
    let mut began_waiting = None;
    let mut pause = FIRST_PAUSE;
    let mut unconfirmed = self::unconfirmed(puts, &seen);
    while !unconfirmed.is_empty() {
        let left = |end: Instant| end.saturating_duration_since(Instant::now());
        let is_accepted = unconfirmed.iter().any(|put| matches!(put.put, PutResult::Accepted(_)));
        let timeout =
            options.verify_timeout.min(if is_accepted { Duration::MAX } else { UNANSWERED_TIMEOUT });
        let end = |began: Instant| saturating_add(began, timeout);
        let time = began_waiting.map_or(timeout, |began| left(end(began))).min(left(options.deadline));
        // One final read after the run was interrupted or is out of time.
        let stage = *options.stop.borrow();
        if stage == StopStage::Ending {
            break;
        }
        let last = stage >= StopStage::Stopping || time.is_zero();
        let budget = if last { RetryBudget::final_attempt() } else { RetryBudget::For(time) };
        let began = Instant::now();
        let values = read_bindings(graph, &steps(&unconfirmed), 0, budget).await;
        let is_answered = values.values().any(|reading| matches!(reading, Reading::Known(_)));
        for (PutChange { change, .. }, seen) in puts.iter().zip(&mut seen) {
            match values.get(&(&change.flow, change.step)) {
                // A failed read does not replace the value of an earlier one.
                Some(Reading::Unknown(_)) if matches!(seen, Some(Reading::Known(_))) => {}
                Some(reading) => *seen = Some(reading.clone()),
                None => {}
            }
        }
        unconfirmed = self::unconfirmed(puts, &seen);
        if last || unconfirmed.is_empty() {
            break;
        }
        let is_first = began_waiting.is_none();
        let end = end(*began_waiting.get_or_insert_with(Instant::now));
        let is_over = *options.stop.borrow() >= StopStage::Stopping || left(options.deadline).is_zero();
        // Without any answer, the first read has used up the time.
        if is_first && !is_answered && began.elapsed() >= timeout && !is_over {
            break;
        }
        tokio::select! {
            () = sleep(pause.min(left(end)).min(left(options.deadline))) => {}
            () = stopped(&options.stop, StopStage::Stopping) => {}
        }
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
    seen
}

/// Returns the changes whose PUT was accepted or has an unknown outcome and whose reading does not show the change
/// yet. The slices are parallel.
fn unconfirmed<'p, 'c>(puts: &'p [PutChange<'c>], seen: &[Option<Reading<Bound>>]) -> Vec<&'p PutChange<'c>> {
    let is_confirmed = |(put, seen): &(&PutChange<'_>, &Option<Reading<Bound>>)| {
        seen.as_ref().is_some_and(|seen| matches_desired(put.change, seen))
    };
    let open = puts.iter().zip(seen).filter(|pair| pair.0.put.may_have_worked() && !is_confirmed(pair));
    open.map(|(put, _)| put).collect()
}

/// Returns the steps of changes, by flow.
fn steps<'c>(puts: &[&PutChange<'c>]) -> Steps<'c> {
    let mut steps = Steps::new();
    for PutChange { change, .. } in puts {
        steps.entry(&change.flow).or_default().push(change.step);
    }
    steps
}

/// Returns whether a reading has the connector id, or the absence of one, that a change desires. False if it
/// could not be read.
pub(super) fn matches_desired(change: &Change, seen: &Reading<Bound>) -> bool {
    matches!(seen, Reading::Known(bound) if bound_id(bound) == bound_id(&change.desired))
}
