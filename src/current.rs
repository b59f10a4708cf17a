//! Graph → [`Current`]: what a tenant has, as far as a file speaks of it.
//!
//! All reads go out at once, within the client's limits, and none waits for another; only a flow
//! that is not there asks for the list of those that are. What cannot be read is unknown.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};

use crate::graph::{Graph, GraphError, Patience};
use crate::model::{
    Bound, ConnectorKey, Current, CurrentFlow, Desired, FlowId, FlowKind, Inventory, ListedFlow, Reading,
    Step, Unread,
};

/// Reads the bindings that `desired` speaks of, and the connectors where it names any.
pub async fn read(graph: &Graph, desired: &Desired) -> Current {
    let connectors =
        async { if names_connectors(desired) { Some(reading(graph.connectors().await)) } else { None } };
    let configurations = desired.flows.iter();
    let configurations =
        join_all(configurations.map(|flow| graph.configuration(&flow.id, &desired.steps, Patience::Full)));
    let (connectors, configurations) = join(connectors, configurations).await;

    let missing = desired
        .flows
        .iter()
        .zip(&configurations)
        .find(|(_, read)| read.as_ref().is_err_and(GraphError::is_not_found));
    let flow_list = match missing {
        Some((flow, _)) => {
            let flows = graph.flows(flow.id.kind()).await;
            Some(flows.map(|flows| flows.into_iter().map(|flow| flow.id).collect::<Vec<_>>()))
        }
        None => None,
    };
    let flows = desired
        .flows
        .iter()
        .zip(configurations)
        .map(|(flow, read)| {
            let read = match read {
                Ok(steps) => CurrentFlow::Found(steps),
                Err(error) => not_read(&flow.id, &error, &desired.steps, flow_list.as_ref()),
            };
            (flow.id.clone(), read)
        })
        .collect();
    Current { connectors, flows, flow_list: flow_list.and_then(Result::ok) }
}

/// Reads all that a tenant has at the given steps, of the first of the kinds that it has.
///
/// # Errors
/// Everything that could not be read: what is unknown is not left out.
pub async fn read_all(graph: &Graph, kinds: &[FlowKind], steps: &[Step]) -> Result<Inventory, Vec<String>> {
    let (connectors, flows) = join(graph.connectors(), flows(graph, kinds)).await;
    let mut errors = Vec::new();
    let connectors = connectors.unwrap_or_else(|error| {
        errors.push(error.to_string());
        Vec::new()
    });
    let (kind, flows) = match flows {
        Ok(found) => found,
        Err(reasons) => return Err([errors, reasons].concat()),
    };
    let reads = flows.iter().map(async |flow| {
        let id = FlowId::parse(&flow.id).map_err(|error| format!("the flow `{}`: {error}", flow.id))?;
        let read = graph.configuration(&id, steps, Patience::Full).await;
        known(read.map_err(|error| error.to_string())?)
    });
    let mut inventory = Inventory { kind, connectors, flows: Vec::new() };
    for (read, flow) in join_all(reads).await.into_iter().zip(flows.clone()) {
        match read {
            Ok(bindings) => inventory.flows.push((flow, bindings)),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(inventory) } else { Err(errors) }
}

/// The flows of the first kind that the tenant has any of. Each kind of tenant denies the other's.
async fn flows(graph: &Graph, kinds: &[FlowKind]) -> Result<(FlowKind, Vec<ListedFlow>), Vec<String>> {
    let mut empty = None;
    let mut errors = Vec::new();
    for kind in kinds {
        match graph.flows(*kind).await {
            Ok(flows) if flows.is_empty() => empty = empty.or(Some((*kind, flows))),
            Ok(flows) => return Ok((*kind, flows)),
            Err(error) => errors.push(error.to_string()),
        }
    }
    empty.ok_or(errors)
}

fn known(steps: BTreeMap<Step, Reading<Bound>>) -> Result<BTreeMap<Step, Bound>, String> {
    let known = |(step, read)| match read {
        Reading::Known(bound) => Ok((step, bound)),
        Reading::Unknown(Unread { why, .. }) => Err(why.to_string()),
    };
    steps.into_iter().map(known).collect()
}

/// Whether any binding is by name, or by an id that a name or a pin stands beside.
fn names_connectors(desired: &Desired) -> bool {
    desired
        .flows
        .iter()
        .flat_map(|flow| flow.bindings.values())
        .filter_map(|binding| binding.connector.as_ref())
        .any(|connector| connector.pin.is_some() || !matches!(connector.by, ConnectorKey::Id(_)))
}

fn reading<T>(read: Result<T, GraphError>) -> Reading<T> {
    match read {
        Ok(value) => Reading::Known(value),
        Err(error) => Reading::Unknown(Unread::from(&error)),
    }
}

/// A flow is missing when the service says so and its list agrees; else it is unknown.
fn not_read(
    flow: &FlowId,
    error: &GraphError,
    steps: &[Step],
    list: Option<&Result<Vec<String>, GraphError>>,
) -> CurrentFlow {
    let unread = match list.filter(|_| error.is_not_found()) {
        Some(Ok(list)) if !list.iter().any(|id| id == flow.as_str()) => {
            return CurrentFlow::Missing(error.to_string());
        }
        Some(Err(list)) => Unread::new(format!("{error}; and the list of flows: {list}")),
        _ => Unread::from(error),
    };
    CurrentFlow::Found(steps.iter().map(|step| (*step, Reading::Unknown(unread.clone()))).collect())
}
