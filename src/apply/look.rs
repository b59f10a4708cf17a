//! What bindings show at the moment.

use std::collections::BTreeMap;

use crate::graph::{Graph, RetryBudget};
use crate::model::{Bound, FlowId, Reading, Step, Unread};

/// The steps to look at, by flow.
pub(super) type Steps<'a> = BTreeMap<&'a FlowId, Vec<Step>>;

/// Reads those steps, `beside` so many other reads. Gives what each shows.
pub(super) async fn look<'a>(
    graph: &Graph,
    steps: &Steps<'a>,
    beside: usize,
    budget: RetryBudget,
) -> BTreeMap<(&'a FlowId, Step), Reading<Bound>> {
    let asked: Vec<_> = steps.iter().map(|(flow, steps)| (*flow, steps.as_slice())).collect();
    let reads = graph.configurations(&asked, beside, budget).await;
    let mut shown = BTreeMap::new();
    for ((flow, steps), read) in asked.into_iter().zip(reads) {
        let read = read.map_err(|error| Unread::from(&error));
        for step in steps {
            let reading = match &read {
                Ok(found) => found.get(*step).cloned(),
                Err(unread) => Some(Reading::Unknown(unread.clone())),
            };
            let reading = reading.unwrap_or_else(|| Reading::Unknown(Unread::new("it was not read")));
            shown.insert((flow, *step), reading);
        }
    }
    shown
}
