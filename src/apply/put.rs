//! The PUTs: one for each change, as many at once as the client allows.
//!
//! The steps of one flow go one after the other: the service keeps them in one document, and the
//! documentation asks for one step at a time.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::Options;
use crate::graph::{Graph, GraphError, Taken};
use crate::plan::Change;

/// What came of the PUT of one change.
#[derive(Debug)]
pub(super) enum Put {
    /// The tenant had the desired value before.
    Needless,
    /// It was not sent, for this reason.
    NotSent(String),
    /// The service said yes.
    Taken(Taken),
    /// The service turned it away, so nothing happened.
    Refused(GraphError),
    /// There was no answer, or one that does not tell whether anything happened.
    Unclear(GraphError),
}

impl Put {
    /// Whether the tenant may show the desired value because of it.
    pub(super) fn may_have_worked(&self) -> bool {
        matches!(self, Self::Taken(_) | Self::Unclear(_))
    }
}

fn halted() -> Put {
    Put::NotSent("another change failed before (`--fail-fast`)".into())
}

/// Sends the PUTs of all changes. Gives what came of each, in the order of the changes.
pub(super) async fn put_all(
    graph: &Graph,
    changes: &[Change],
    already: impl Fn(&Change) -> bool,
    options: &Options,
) -> Vec<Put> {
    let (fail, halt) = watch::channel(options.halted);
    let put = async |change: &Change| {
        if already(change) {
            return Put::Needless;
        }
        if *options.stop.borrow() {
            return Put::NotSent("the run was stopped".into());
        }
        if *halt.borrow() {
            return halted();
        }
        let connector = change.desired.as_ref().map(|connector| &connector.id);
        let put = match graph.bind(&change.flow, change.step, connector, &halt).await {
            Ok(taken) => return Put::Taken(taken),
            Err(error) if error.attempts == 0 && *halt.borrow() => {
                return halted();
            }
            Err(error) if error.attempts == 0 => Put::NotSent(error.to_string()),
            Err(error) if error.may_have_acted => Put::Unclear(error),
            Err(error) => Put::Refused(error),
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
