//! Sends the PUTs: one for each change, concurrently within the client's limits.
//!
//! The steps of one flow are sent one after the other: the service keeps them in one document, and the
//! documentation asks for one step at a time.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tokio::sync::watch;

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

/// Sends one PUT for each change except those that are `already` done, until the run is interrupted or, with
/// `--fail-fast`, one fails. Returns the result of each, in the order of the changes. Flows are sent
/// concurrently, the steps of one flow in sequence. With `has_failed`, a change of another file failed before.
pub(super) async fn put_all(
    graph: &Graph,
    changes: &[Change],
    already: impl Fn(&Change) -> bool,
    has_failed: bool,
    options: &Options,
) -> Vec<PutResult> {
    let (fail, halt) = watch::channel(has_failed);
    let put = async |change: &Change| {
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
    for (at, change) in changes.iter().enumerate() {
        flows.entry(&change.flow).or_default().push((at, change));
    }
    let puts = join_all(flows.into_values().map(async |changes| {
        let mut puts = Vec::with_capacity(changes.len());
        for (at, change) in changes {
            puts.push((at, put(change).await));
        }
        puts
    }));
    let mut puts: Vec<_> = puts.await.into_iter().flatten().collect();
    puts.sort_unstable_by_key(|(at, _)| *at);
    puts.into_iter().map(|(_, put)| put).collect()
}
