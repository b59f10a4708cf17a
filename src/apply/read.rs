//! Reads bindings from the tenant.

use std::collections::BTreeMap;

use crate::diagnostic::Code;
use crate::graph::{Graph, RetryBudget};
use crate::model::{Bound, FlowId, ReadError, Reading, Step};

/// Steps to read, by flow.
pub(super) type Steps<'a> = BTreeMap<&'a FlowId, Vec<Step>>;

/// Reads the steps while `concurrent_requests` other requests run. Returns the value of each step, or why it
/// could not be read.
pub(super) async fn read_bindings<'a>(
    graph: &Graph,
    steps: &Steps<'a>,
    concurrent_requests: usize,
    budget: RetryBudget,
) -> BTreeMap<(&'a FlowId, Step), Reading<Bound>> {
    let asked: Vec<_> = steps.iter().map(|(flow, steps)| (*flow, steps.as_slice())).collect();
    let reads = graph.configurations(&asked, concurrent_requests, budget).await;
    let mut values = BTreeMap::new();
    for ((flow, steps), read) in asked.into_iter().zip(reads) {
        let read = read.map_err(|error| ReadError::from(&error));
        for step in steps {
            let reading = match &read {
                Ok(found) => found.get(*step).cloned(),
                Err(error) => Some(Reading::Unknown(error.clone())),
            };
            let reading = reading.unwrap_or_else(|| {
                Reading::Unknown(ReadError::new(Code::GraphUnexpectedResponse, "the step was not requested"))
            });
            values.insert((flow, *step), reading);
        }
    }
    values
}
