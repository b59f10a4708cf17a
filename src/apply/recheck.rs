//! Before the first PUT: whether the plan's bindings are still what the plan was made from.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join;

use super::look::{Steps, look};
use super::verify::shows;
use crate::graph::{Graph, GraphError, RetryBudget};
use crate::model::{Bound, FlowId, ListedConnector, Reading, Step, bound_id};
use crate::plan::{BrokenPin, Change, Target, Unknown};

/// What became of a plan's bindings since it was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recheck {
    /// The bindings that have the desired value by now.
    already: BTreeSet<(FlowId, Step)>,
    /// The bindings that have neither the planned current value nor the desired one.
    pub moved: Vec<Moved>,
    /// The pins that do not hold any more.
    pub broken: Vec<BrokenPin>,
    /// The bindings that could not be read.
    pub unknown: Vec<Unknown>,
}

/// A binding that is no longer what the plan was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The change that was planned.
    pub change: Change,
    /// What is bound now.
    pub now: Bound,
}

impl Recheck {
    /// Whether a change has been made already, by somebody else.
    pub fn is_already(&self, change: &Change) -> bool {
        self.already.contains(&(change.flow.clone(), change.step))
    }
}

/// Reads the bindings of a plan again, and the connectors where it pins any; nothing else of the
/// tenant.
pub async fn recheck(graph: &Graph, target: &Target) -> Recheck {
    let mut steps = Steps::new();
    for change in &target.changes {
        steps.entry(&change.flow).or_default().push(change.step);
    }
    let pinned = target.changes.iter().any(|change| change.pin.is_some());
    let connectors = async { if pinned { Some(graph.connectors().await) } else { None } };
    let (shown, connectors) =
        join(look(graph, &steps, usize::from(pinned), RetryBudget::UntilDeadline), connectors).await;
    let mut recheck = Recheck::default();
    for change in &target.changes {
        if let Some(connectors) = &connectors {
            recheck.compare_pin(change, connectors);
        }
        if let Some(read) = shown.get(&(&change.flow, change.step)) {
            recheck.compare(change, read);
        }
    }
    recheck
}

impl Recheck {
    fn compare_pin(&mut self, change: &Change, connectors: &Result<Vec<ListedConnector>, GraphError>) {
        let (Some(pin), Some(connector)) = (&change.pin, &change.desired) else { return };
        let listed = match connectors {
            Ok(listed) => listed.iter().find(|listed| listed.connector.id == connector.id),
            Err(error) => {
                let (flow, step) = (change.flow.clone(), change.step);
                return self.unknown.push(Unknown { flow, step, error: error.to_string().into() });
            }
        };
        let actual = listed.and_then(|listed| listed.target_url.as_ref());
        if actual != Some(&**pin) {
            self.broken.push(BrokenPin {
                connector: connector.clone(),
                expected: pin.to_string(),
                actual: actual.map(ToString::to_string),
            });
        }
    }

    fn compare(&mut self, change: &Change, read: &Reading<Bound>) {
        let (flow, step) = (change.flow.clone(), change.step);
        match read {
            Reading::Unknown(unread) => {
                self.unknown.push(Unknown { flow, step, error: Arc::clone(&unread.why) });
            }
            read if shows(change, read) => _ = self.already.insert((flow, step)),
            Reading::Known(now) if bound_id(now) == bound_id(&change.current) => {}
            Reading::Known(now) => self.moved.push(Moved { change: change.clone(), now: now.clone() }),
        }
    }
}
