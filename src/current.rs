//! Graph → [`Current`]: what a tenant has, as far as a file speaks of it.
//!
//! All reads go out at once, within the client's limits, and none waits for another; only a flow
//! that is not there asks for the list of those that are. What cannot be read is unknown.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join3};

use crate::graph::{Bindings, Graph, GraphError, Need, RetryBudget};
use crate::model::{
    Api, ConnectorKey, Current, CurrentFlow, Desired, FlowId, FlowKind, Inventory, ListedFlow, Prune,
    Reading, Step, Unread,
};

/// How much of a tenant is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The flows that the file lists, and the connectors where it names any.
    Listed,
    /// Every flow and every connector.
    Whole,
}

/// What has to be read for that, and so permitted.
pub fn needs(desired: &Desired, scope: Scope) -> BTreeSet<Need> {
    let whole = scope == Scope::Whole;
    let lists_flows = whole || matches!(desired.prune, Some((Prune::Flows, _)));
    let flows = lists_flows.then_some(Need::Flows);
    let bindings = (lists_flows || !desired.flows.is_empty()).then_some(Need::Bindings);
    let connectors = (whole || names_connectors(desired)).then_some(Need::Connectors);
    flows.into_iter().chain(bindings).chain(connectors).collect()
}

/// Reads the bindings that `desired` speaks of, and as much more as `scope` says. A file that
/// prunes flows speaks of all of them.
pub async fn read(graph: &Graph, desired: &Desired, scope: Scope) -> Current {
    let needs = needs(desired, scope);
    let (lists_flows, lists_connectors) = (needs.contains(&Need::Flows), needs.contains(&Need::Connectors));
    let connectors = async { if lists_connectors { Some(reading(graph.connectors().await)) } else { None } };
    let listed = desired.flows.iter().map(|flow| &flow.id);
    let beside = usize::from(lists_connectors).saturating_add(usize::from(lists_flows));
    let configurations = configurations(graph, listed.clone(), &desired.steps, beside);
    let beyond = async { if lists_flows { Some(beyond(graph, desired).await) } else { None } };
    // First what more reads wait for.
    let (beyond, connectors, configurations) = join3(beyond, connectors, configurations).await;

    let missing = listed
        .clone()
        .zip(&configurations)
        .find(|(_, read)| read.as_ref().is_err_and(GraphError::is_not_found));
    let (flow_list, others) = match (beyond, missing) {
        (Some((list, others)), _) => (Some(list), others),
        (None, Some((flow, _))) => (Some(reading_list(flows(graph, &[flow.kind()]).await)), Vec::new()),
        (None, None) => (None, Vec::new()),
    };
    let reads = listed.cloned().zip(configurations).chain(others);
    let found = reads.map(|(flow, read)| {
        let read = match read {
            Ok(steps) => CurrentFlow::Found(steps),
            Err(error) => not_read(&flow, &error, &desired.steps, flow_list.as_ref()),
        };
        (flow, read)
    });
    Current { connectors, flows: found.collect(), flow_list }
}

/// Reads the list of flows, and then what is bound to those that the file does not list.
async fn beyond(
    graph: &Graph,
    desired: &Desired,
) -> (Reading<Vec<String>>, Vec<(FlowId, Result<Bindings, GraphError>)>) {
    let list = reading_list(flows(graph, &kinds(desired)).await);
    let Reading::Known(known) = &list else { return (list, Vec::new()) };
    let others = match others(desired, known) {
        Ok(others) => others,
        Err(unread) => return (Reading::Unknown(unread), Vec::new()),
    };
    let reads = configurations(graph, others.iter(), &desired.steps, 0).await;
    (list, others.into_iter().zip(reads).collect())
}

/// Reads the same steps of several flows, in their order.
async fn configurations<'a>(
    graph: &Graph,
    flows: impl Iterator<Item = &'a FlowId>,
    steps: &[Step],
    beside: usize,
) -> Vec<Result<Bindings, GraphError>> {
    let reads: Vec<_> = flows.map(|flow| (flow, steps)).collect();
    graph.configurations(&reads, beside, RetryBudget::UntilDeadline).await
}

/// The kinds of flows that a file's tenant may have.
fn kinds(desired: &Desired) -> Vec<FlowKind> {
    match (desired.flows.first(), desired.api) {
        (Some(flow), _) => vec![flow.id.kind()],
        (None, Api::Beta) => FlowKind::ALL.to_vec(),
        (None, Api::V1) => vec![FlowKind::B2x],
    }
}

/// The flows of the tenant that the file does not list. Whether the service tells the case of ids
/// apart is not known, so one that differs in nothing else is the listed one.
fn others(desired: &Desired, list: &[String]) -> Result<Vec<FlowId>, Unread> {
    let listed: BTreeSet<_> = desired.flows.iter().map(|flow| flow.id.as_str().to_lowercase()).collect();
    let mut others = BTreeSet::new();
    for id in list {
        let id = FlowId::parse(id)
            .map_err(|error| Unread::new(format!("it holds `{id}`, which is no user flow's id: {error}")))?;
        if !listed.contains(&id.as_str().to_lowercase()) {
            others.insert(id);
        }
    }
    Ok(others.into_iter().collect())
}

fn reading_list(list: Result<(FlowKind, Vec<ListedFlow>), Vec<Unread>>) -> Reading<Vec<String>> {
    match list {
        Ok((_, flows)) => Reading::Known(flows.into_iter().map(|flow| flow.id).collect()),
        Err(reasons) => {
            let words: Vec<_> = reasons.iter().map(|reason| &*reason.why).collect();
            let advice = reasons.iter().find_map(|reason| reason.advice);
            Reading::Unknown(Unread { advice, ..Unread::new(words.join("; ")) })
        }
    }
}

/// Reads all that a tenant has at the given steps, of the first of the kinds that it has.
///
/// # Errors
/// Everything that could not be read: what is unknown is not left out.
pub async fn read_all(graph: &Graph, kinds: &[FlowKind], steps: &[Step]) -> Result<Inventory, Vec<Unread>> {
    let flows = async {
        let (kind, flows) = flows(graph, kinds).await?;
        let flows: Vec<_> = flows.into_iter().map(|flow| (FlowId::parse(&flow.id), flow)).collect();
        let ids = flows.iter().filter_map(|(id, _)| id.as_ref().ok());
        let reads = configurations(graph, ids, steps, 0).await;
        Ok((kind, flows, reads))
    };
    let (connectors, flows) = join(graph.connectors(), flows).await;
    let mut errors = Vec::new();
    let connectors = connectors.unwrap_or_else(|error| {
        errors.push(Unread::from(&error));
        Vec::new()
    });
    let (kind, flows, reads) = match flows {
        Ok(found) => found,
        Err(reasons) => return Err([errors, reasons].concat()),
    };
    let mut inventory = Inventory { kind, connectors, flows: Vec::new() };
    let mut reads = reads.into_iter();
    for (id, flow) in flows {
        if let Err(error) = id {
            errors.push(Unread::new(format!("the flow `{}`: {error}", flow.id)));
            continue;
        }
        let Some(read) = reads.next() else { break };
        let mut bindings = BTreeMap::new();
        for (step, read) in read.unwrap_or_else(|error| {
            errors.push(Unread::from(&error));
            Bindings::default()
        }) {
            match read {
                Reading::Known(bound) => _ = bindings.insert(step, bound),
                Reading::Unknown(Unread { why, advice }) => {
                    let why = format!("the flow `{}` at `{step}`: {why}", flow.id);
                    errors.push(Unread { advice, ..Unread::new(why) });
                }
            }
        }
        inventory.flows.push((flow, bindings));
    }
    if errors.is_empty() { Ok(inventory) } else { Err(errors) }
}

/// The flows of the first kind that the tenant has any of. Each kind of tenant denies the other's.
async fn flows(graph: &Graph, kinds: &[FlowKind]) -> Result<(FlowKind, Vec<ListedFlow>), Vec<Unread>> {
    let mut empty = None;
    let mut errors = Vec::new();
    for kind in kinds {
        match graph.flows(*kind).await {
            Ok(flows) if flows.is_empty() => empty = empty.or(Some((*kind, flows))),
            Ok(flows) => return Ok((*kind, flows)),
            Err(error) => errors.push(error),
        }
        // The same host would be asked for the other kind.
        if errors.iter().any(|error| error.unreachable().is_some()) {
            break;
        }
    }
    // One permission serves both kinds, so where one can be read, the other is denied because the
    // tenant is not of that kind. One that could not be read for another reason may have any.
    let readable = errors.iter().all(GraphError::is_denied);
    empty.filter(|_| readable).ok_or_else(|| errors.iter().map(Unread::from).collect())
}

/// Whether any binding is by name, or by an id that a name stands beside or that a pin may be of.
fn names_connectors(desired: &Desired) -> bool {
    desired
        .flows
        .iter()
        .flat_map(|flow| flow.bindings.values())
        .filter_map(|binding| binding.connector.as_ref())
        .any(|connector| match &connector.by {
            ConnectorKey::Id(id) => desired.pins.may_be_of(id),
            ConnectorKey::Name(_) | ConnectorKey::IdAndName(..) => true,
        })
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
    list: Option<&Reading<Vec<String>>>,
) -> CurrentFlow {
    let unread = match list.filter(|_| error.is_not_found()) {
        Some(Reading::Known(list)) if !list.iter().any(|id| id == flow.as_str()) => {
            return CurrentFlow::Missing(error.to_string());
        }
        Some(Reading::Unknown(list)) => {
            let why = format!("{error}; and the list of flows: {}", list.why);
            Unread { advice: list.advice, ..Unread::new(why) }
        }
        _ => Unread::from(error),
    };
    CurrentFlow::Found(steps.iter().map(|step| (*step, Reading::Unknown(unread.clone()))).collect())
}
