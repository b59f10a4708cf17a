//! Sends the PUTs: one for each change, concurrently within the client's limits.
//!
//! The steps of one flow are sent one after the other: the service keeps them in one document, and the
//! documentation asks for one step at a time.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, Stream, StreamExt as _, unfold};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::info;

use super::options::Options;
use crate::graph::{AcceptedPut, Graph, GraphError, StopStage};
use crate::plan::Change;

/// Result of the PUT of one change.
#[derive(Debug)]
pub(super) enum PutResult {
    /// The tenant already had the desired value.
    Skipped,
    /// The PUT was not sent.
    NotSent(NotSent),
    /// The service accepted the PUT (2xx).
    Accepted(AcceptedPut),
    /// The service rejected the PUT, so nothing happened.
    Rejected(GraphError),
    /// There was no response, or none that shows whether anything happened.
    Indeterminate(GraphError),
}

/// Why a PUT was not sent.
#[derive(Debug)]
pub(super) enum NotSent {
    /// The run was interrupted.
    Interrupted,
    /// Another change failed (`--fail-fast`).
    FailFast,
    /// The request failed before it was sent.
    Error(GraphError),
}

impl PutResult {
    /// Returns whether the tenant may have the desired value because of the PUT.
    pub(super) fn may_have_worked(&self) -> bool {
        matches!(self, Self::Accepted(_) | Self::Indeterminate(_))
    }
}

/// Change with the result of its PUT.
#[derive(Debug)]
pub(super) struct PutChange<'a> {
    /// Position of the change in its target.
    pub(super) position: usize,
    pub(super) change: &'a Change,
    pub(super) put: PutResult,
}

/// Time without a result after which the results so far are returned. Results that follow each other closely are
/// read back together, because a batch costs one round trip.
const QUIET: Duration = Duration::from_secs(1);

/// Sends one PUT for each change except those that are `already` done, until the run is interrupted or, with
/// `--fail-fast`, one fails. Returns the results of complete flows, as soon as no other is about to follow: one PUT
/// that is retried holds up no other. Flows are sent concurrently, the steps of one flow in sequence. With
/// `has_failed`, a change of another file failed before.
pub(super) fn put_all<'a>(
    graph: &'a Graph,
    changes: &'a [Change],
    already: &'a impl Fn(&Change) -> bool,
    has_failed: bool,
    options: &'a Options,
) -> impl Stream<Item = Vec<PutChange<'a>>> {
    let (fail, halt) = watch::channel(has_failed);
    let put = async move |change: &Change| {
        if already(change) {
            return PutResult::Skipped;
        }
        if *options.stop.borrow() >= StopStage::Stopping {
            return PutResult::NotSent(NotSent::Interrupted);
        }
        if *halt.borrow() {
            return PutResult::NotSent(NotSent::FailFast);
        }
        let connector = change.desired.as_ref().map(|connector| &connector.id);
        let put = match graph.bind(&change.flow, change.step, connector, &halt).await {
            Ok(accepted) => return PutResult::Accepted(accepted),
            Err(error) if error.attempts == 0 && *halt.borrow() => {
                return PutResult::NotSent(NotSent::FailFast);
            }
            Err(error) if error.attempts == 0 => PutResult::NotSent(NotSent::Error(error)),
            Err(error) if error.may_have_acted => PutResult::Indeterminate(error),
            Err(error) => PutResult::Rejected(error),
        };
        if options.fail_fast {
            fail.send_replace(true);
        }
        put
    };
    let mut flows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (position, change) in changes.iter().enumerate() {
        flows.entry(&change.flow).or_default().push((position, change));
    }
    let put = Rc::new(put);
    let puts: FuturesUnordered<_> = flows
        .into_values()
        .map(|changes| {
            let put = Rc::clone(&put);
            async move {
                let mut puts = Vec::with_capacity(changes.len());
                for (position, change) in changes {
                    puts.push(PutChange { position, change, put: put(change).await });
                }
                puts
            }
        })
        .collect();
    unfold(puts, async |mut puts| {
        let mut done = puts.next().await?;
        loop {
            match timeout(QUIET, puts.next()).await {
                Ok(Some(more)) => done.extend(more),
                Ok(None) => break,
                Err(_) => {
                    info!("changes to read back: {}; flows without a result: {}", done.len(), puts.len());
                    break;
                }
            }
        }
        Some((done, puts))
    })
}
