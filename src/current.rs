//! Reads a tenant: Graph → [`Current`].
//!
//! Reads run concurrently, subject to the client's limits. The flow list is fetched only if a flow returns
//! 404, or if a file or the command needs all flows. A failed read yields [`Reading::Unknown`] or
//! [`Fetched::Failed`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join3};
use strum::VariantArray as _;

use crate::diagnostic::Code;
use crate::graph::{Bindings, Graph, GraphError, Need, RetryBudget};
use crate::model::{
    Api, ConnectorKey, Current, CurrentFlow, Desired, Fetched, FlowId, FlowKey, FlowKind, InvalidId,
    Inventory, ListedConnector, ListedFlow, ReadError, Reading, Scope, Step, contradiction,
};

/// Returns what [`read`] reads for a file, and so the permissions that the app needs: the list of flows if `scope`
/// is `All` or the file prunes flows, bindings if so or if the file lists flows, and connectors if `scope` is
/// `All` or a binding needs the list of connectors, which an id without pins does not.
pub fn needs(desired: &Desired, scope: Scope) -> BTreeSet<Need> {
    let all = scope == Scope::All;
    let lists_flows = all || desired.prunes_flows();
    let flows = lists_flows.then_some(Need::Flows);
    let bindings = (lists_flows || !desired.flows.is_empty()).then_some(Need::Bindings);
    let connectors = (all || needs_connectors(desired)).then_some(Need::Connectors);
    flows.into_iter().chain(bindings).chain(connectors).collect()
}

/// Reads the bindings of the flows that the files of one tenant list, and of all flows if `scope` is `All` or a
/// file prunes flows. Reads the list of connectors if a file needs it, and the list of flows also if a flow returns
/// 404. What could not be read is unknown in the result.
pub async fn read(graph: &Graph, files: &[Desired], scope: Scope) -> Current {
    read_needs(graph, files, scope, &files.iter().flat_map(|file| needs(file, scope)).collect()).await
}

/// Reads as [`read`] does, and the list of connectors also if no file needs it. The list is unreadable if it has any
/// connector with different content.
pub async fn read_with_connectors(graph: &Graph, files: &[Desired], scope: Scope) -> Current {
    let needs = files.iter().flat_map(|file| needs(file, scope)).chain([Need::Connectors]);
    let mut current = read_needs(graph, files, scope, &needs.collect()).await;
    if let Some(error) = current.connectors.known().and_then(|listed| contradiction(listed)) {
        current.connectors = Fetched::Failed(error);
    }
    current
}

async fn read_needs(graph: &Graph, files: &[Desired], scope: Scope, needs: &BTreeSet<Need>) -> Current {
    let (lists_flows, lists_connectors) = (needs.contains(&Need::Flows), needs.contains(&Need::Connectors));
    let connectors = async {
        if lists_connectors {
            graph.connectors().await.map_err(|error| ReadError::from(&error)).into()
        } else {
            Fetched::NotRequested
        }
    };
    let covered = covered_steps(files, scope);
    // A managed step is never left out.
    let is_managed = |step: &Step| files.iter().any(|file| file.steps.contains(step));
    let optional = covered.iter().copied().find(|step| !Step::DEFAULT.contains(step) && !is_managed(step));
    let listed = listed_steps(files, &covered);
    let concurrent = usize::from(lists_connectors).saturating_add(usize::from(lists_flows));
    let configurations = configurations(graph, &listed, optional, concurrent);
    let unlisted = async {
        if lists_flows { Some(unlisted_flows(graph, files, &covered, optional).await) } else { None }
    };
    // The flow list goes first, because more reads depend on it.
    let (unlisted, connectors, mut configurations) = join3(unlisted, connectors, configurations).await;

    let is_missing = |read: &FlowRead| read.bindings.as_ref().is_err_and(GraphError::is_not_found);
    let missing = listed.iter().zip(&configurations).find(|(_, read)| is_missing(read));
    let (flow_list, mut others) = match (unlisted, missing) {
        (Some((list, others)), _) => (list, others),
        (None, Some(((flow, _), _))) => (fetched_list(flows(graph, &[flow.kind()]).await), Vec::new()),
        (None, None) => (Fetched::NotRequested, Vec::new()),
    };
    let reads = configurations.iter_mut().chain(others.iter_mut().map(|(_, read)| read));
    let unsupported_step = unsupported_step(reads.collect(), optional);
    let reads =
        listed.iter().zip(configurations).map(|((flow, steps), read)| ((*flow).clone(), &**steps, read));
    let others = others.into_iter().map(|(flow, read)| (flow, &*covered, read));
    let states = reads.chain(others).map(|(flow, steps, read)| {
        let state = match read.bindings {
            Ok(found) => CurrentFlow::Found(found),
            Err(error) => flow_from_error(&flow, &error, steps, &flow_list),
        };
        (flow, state)
    });
    let flows = states.collect();
    Current { scope, connectors, flows, flow_list, unsupported_step }
}

/// Returns the steps to read of flows that no file lists: those of the files that prune flows, or all steps of the
/// API if the run covers everything.
fn covered_steps(files: &[Desired], scope: Scope) -> Vec<Step> {
    let api = files.first().map(|file| file.api).unwrap_or_default();
    let is_covered = |step: &Step| match scope {
        Scope::All => api.supports_step(*step),
        Scope::Listed => files.iter().any(|file| file.prunes_flows() && file.steps.contains(step)),
    };
    Step::VARIANTS.iter().copied().filter(is_covered).collect()
}

/// Answer to the read of one flow.
struct FlowRead {
    bindings: Result<Bindings, GraphError>,
    /// Why the service rejected the optional step, if it then returned the other steps.
    rejection: Option<ReadError>,
}

/// Returns the `optional` step if the service rejected it and accepted it for no flow. If it accepted the step for
/// another flow, adds each rejected binding as unknown.
fn unsupported_step(mut reads: Vec<&mut FlowRead>, optional: Option<Step>) -> Option<Step> {
    let optional = optional.filter(|_| reads.iter().any(|read| read.rejection.is_some()))?;
    if !reads.iter().any(|read| read.rejection.is_none() && read.bindings.is_ok()) {
        return Some(optional);
    }
    for FlowRead { bindings, rejection } in &mut reads {
        if let (Ok(bindings), Some(rejection)) = (bindings, rejection.take()) {
            bindings.insert(optional, Reading::Unknown(rejection));
        }
    }
    None
}

/// Returns each flow that the files list once, in order, with the steps of these files and the `covered` ones.
fn listed_steps<'a>(files: &'a [Desired], covered: &[Step]) -> Vec<(&'a FlowId, Cow<'a, [Step]>)> {
    let mut listed = Vec::<(_, Cow<'a, [Step]>)>::new();
    let mut positions = BTreeMap::new();
    for (file, flow) in files.iter().flat_map(|file| file.flows.iter().map(move |flow| (file, flow))) {
        let position = *positions.entry(&flow.id).or_insert(listed.len());
        match listed.get_mut(position) {
            Some((_, steps)) => add_steps(steps, &file.steps_of(flow)),
            None => listed.push((&flow.id, file.steps_of(flow))),
        }
    }
    listed.iter_mut().for_each(|(_, steps)| add_steps(steps, covered));
    listed
}

/// Adds the steps that are missing. The result is in the order of [`Step`].
fn add_steps(steps: &mut Cow<'_, [Step]>, more: &[Step]) {
    if more.iter().any(|step| !steps.contains(step)) {
        let all: BTreeSet<_> = steps.iter().chain(more).copied().collect();
        *steps = all.into_iter().collect();
    }
}

/// Reads the list of flows, and then these steps of those that no file lists. If the list is unreadable or has an
/// invalid id, returns it as failed, without bindings.
async fn unlisted_flows(
    graph: &Graph,
    files: &[Desired],
    steps: &[Step],
    optional: Option<Step>,
) -> (Fetched<Vec<ListedFlow>>, Vec<(FlowId, FlowRead)>) {
    let list = fetched_list(flows(graph, &kinds(files)).await);
    let Some(known) = list.known() else { return (list, Vec::new()) };
    let others = match others(files, known) {
        Ok(others) => others,
        Err(error) => return (Fetched::Failed(error), Vec::new()),
    };
    let requests: Vec<_> = others.iter().map(|flow| (flow, steps)).collect();
    let reads = configurations(graph, &requests, optional, 0).await;
    (list, others.into_iter().zip(reads).collect())
}

/// Reads the steps of several flows, and returns one result for each flow, in their order. If the service rejects
/// a request as invalid, reads the flow again without the `optional` step. `concurrent` is the number of other
/// requests that are sent at the same time.
async fn configurations<S: AsRef<[Step]>>(
    graph: &Graph,
    flows: &[(&FlowId, S)],
    optional: Option<Step>,
    concurrent: usize,
) -> Vec<FlowRead> {
    let requests: Vec<_> = flows.iter().map(|(flow, steps)| (*flow, steps.as_ref())).collect();
    let reads = graph.configurations(&requests, concurrent, RetryBudget::UntilDeadline).await;
    let mut reads: Vec<_> =
        reads.into_iter().map(|bindings| FlowRead { bindings, rejection: None }).collect();
    let Some(optional) = optional else { return reads };
    let rejected = requests.iter().zip(&mut reads).filter_map(|((flow, steps), read)| {
        let rejection = read.bindings.as_ref().err().filter(|error| error.is_bad_request())?.into();
        let others: Vec<_> = steps.iter().copied().filter(|step| *step != optional).collect();
        Some((*flow, others, read, rejection))
    });
    let rejected: Vec<_> = rejected.collect();
    let requests: Vec<_> = rejected.iter().map(|(flow, steps, ..)| (*flow, &**steps)).collect();
    let others = graph.configurations(&requests, concurrent, RetryBudget::UntilDeadline).await;
    for ((_, _, read, rejection), bindings) in rejected.into_iter().zip(others) {
        // If this request fails too, the step was not the only cause.
        *read = FlowRead { rejection: bindings.is_ok().then_some(rejection), bindings };
    }
    reads
}

/// Returns the kinds of flows to list: the kind of the first flow of the files. Without flows, all kinds with the
/// beta API, and only B2X with v1.0.
fn kinds(files: &[Desired]) -> Vec<FlowKind> {
    let api = files.first().map(|file| file.api).unwrap_or_default();
    match (files.iter().flat_map(|file| &file.flows).next(), api) {
        (Some(flow), _) => vec![flow.id.kind()],
        (None, Api::Beta) => FlowKind::VARIANTS.to_vec(),
        (None, Api::V1) => vec![FlowKind::B2x],
    }
}

/// Returns the flows of `list` that no file lists, sorted and without duplicates. Fails if an id is invalid.
/// An id that differs only in case counts as listed.
fn others(files: &[Desired], list: &[ListedFlow]) -> Result<Vec<FlowId>, ReadError> {
    let flows = files.iter().flat_map(|file| &file.flows);
    let listed: BTreeSet<_> = flows.map(|flow| FlowKey::from(&flow.id)).collect();
    let mut others = BTreeSet::new();
    for ListedFlow { id, .. } in list {
        let id = FlowId::parse(id).map_err(|error| invalid_flow_id(id, &error))?;
        if !listed.contains(&FlowKey::from(&id)) {
            others.insert(id);
        }
    }
    Ok(others.into_iter().collect())
}

fn fetched_list(list: Result<(FlowKind, Vec<ListedFlow>), Vec<ReadError>>) -> Fetched<Vec<ListedFlow>> {
    list.map(|(_, flows)| flows).map_err(join_errors).into()
}

/// Parts of a tenant that could not be read.
#[derive(Debug, Clone, Default)]
pub struct Unreadable {
    /// Why the list of connectors could not be read, if so.
    pub connectors: Option<ReadError>,
    /// Why the lists of flows could not be read, if so.
    pub flows: Option<ReadError>,
    /// Invalid ids in the list of flows.
    pub invalid_ids: Vec<ReadError>,
    /// Bindings that could not be read.
    pub bindings: Vec<(FlowId, Step, ReadError)>,
}

impl Unreadable {
    fn is_empty(&self) -> bool {
        let Self { connectors, flows, invalid_ids, bindings } = self;
        connectors.is_none() && flows.is_none() && invalid_ids.is_empty() && bindings.is_empty()
    }
}

/// Reads all connectors, and all flows of the first of `kinds` that the tenant has any of, with their
/// bindings at the given steps, without the `optional` one if the service rejects it. If any part could not be read,
/// returns all such parts as the error.
///
/// # Errors
/// Everything that could not be read: an unreadable part is never left out.
pub async fn read_all(
    graph: &Graph,
    kinds: &[FlowKind],
    steps: &[Step],
    optional: Option<Step>,
) -> Result<Inventory, Unreadable> {
    let flows = async {
        let (kind, flows) = flows(graph, kinds).await?;
        let flows: Vec<_> = flows.into_iter().map(|flow| (FlowId::parse(&flow.id), flow)).collect();
        let ids = flows.iter().filter_map(|(id, _)| id.as_ref().ok());
        let requests: Vec<_> = ids.map(|id| (id, steps)).collect();
        let reads = configurations(graph, &requests, optional, 0).await;
        Ok((kind, flows, reads))
    };
    let (connectors, flows) = join(graph.connectors(), flows).await;
    let mut unreadable = Unreadable::default();
    let connectors = connectors.unwrap_or_else(|error| {
        unreadable.connectors = Some(ReadError::from(&error));
        Vec::new()
    });
    unreadable.connectors = unreadable.connectors.or_else(|| contradiction(&connectors));
    let (kind, flows, mut reads) = match flows {
        Ok(found) => found,
        Err(errors) => return Err(Unreadable { flows: Some(join_errors(errors)), ..unreadable }),
    };
    let unsupported_step = unsupported_step(reads.iter_mut().collect(), optional);
    let mut inventory = Inventory { kind, connectors, flows: Vec::new(), unsupported_step };
    let mut reads = reads.into_iter();
    for (id, flow) in flows {
        let id = match id {
            Ok(id) => id,
            Err(error) => {
                unreadable.invalid_ids.push(invalid_flow_id(&flow.id, &error));
                continue;
            }
        };
        let Some(read) = reads.next() else { break };
        let mut bindings = BTreeMap::new();
        for (step, reading) in
            read.bindings.unwrap_or_else(|error| unknown_at(steps, &ReadError::from(&error)))
        {
            match reading {
                Reading::Known(bound) => _ = bindings.insert(step, bound),
                Reading::Unknown(error) => unreadable.bindings.push((id.clone(), step, error)),
            }
        }
        inventory.flows.push((flow, bindings));
    }
    if unreadable.is_empty() { Ok(inventory) } else { Err(unreadable) }
}

fn invalid_flow_id(id: &str, error: &InvalidId) -> ReadError {
    let cause = format!("the list of flows has an invalid id `{id}`: {error}");
    ReadError::new(Code::GraphUnexpectedResponse, cause)
}

/// Returns bindings that are unknown, with this error, at each of the steps.
fn unknown_at(steps: &[Step], error: &ReadError) -> Bindings {
    steps.iter().map(|step| (*step, Reading::Unknown(error.clone()))).collect()
}

/// Lists the flows of the first of `kinds` that the tenant has any of. An empty list is returned only if
/// every other kind is also empty or denied; otherwise the errors are. Each kind of tenant denies requests
/// for the other kind.
async fn flows(graph: &Graph, kinds: &[FlowKind]) -> Result<(FlowKind, Vec<ListedFlow>), Vec<ReadError>> {
    let mut empty = None;
    let mut errors = Vec::new();
    for kind in kinds {
        match graph.flows(*kind).await {
            Ok(flows) if flows.is_empty() => empty = empty.or(Some((*kind, flows))),
            Ok(flows) => return Ok((*kind, flows)),
            Err(error) => errors.push(error),
        }
        // Both kinds are requested from the same host.
        if errors.iter().any(|error| error.unreachable().is_some()) {
            break;
        }
    }
    // One permission covers both kinds. So if one kind can be read, the other is denied because the tenant
    // is not of that kind. A kind that could not be read for another reason may have flows.
    let readable = errors.iter().all(GraphError::is_denied);
    empty.filter(|_| readable).ok_or_else(|| errors.iter().map(ReadError::from).collect())
}

/// Reads the list of connectors to look up the ids of a plan for which it was not read. `None` if the token has no
/// permission for the list, which ids do not need.
///
/// # Errors
/// The list is unreadable for another reason.
pub async fn read_connectors(graph: &Graph) -> Result<Option<Vec<ListedConnector>>, ReadError> {
    match graph.connectors().await {
        Ok(listed) => contradiction(&listed).map_or(Ok(Some(listed)), Err),
        Err(error) if error.is_denied() => Ok(None),
        Err(error) => Err(ReadError::from(&error)),
    }
}

/// Returns whether any binding or its hold needs the list of connectors: by name, by id and name, or by an id that a
/// pin may apply to, or the file asks for it.
fn needs_connectors(desired: &Desired) -> bool {
    let needs_list = desired
        .flows
        .iter()
        .flat_map(|flow| flow.bindings.values())
        .flat_map(|binding| {
            let held = binding.hold.as_ref().and_then(|hold| hold.connector.as_ref());
            binding.connector.iter().chain(held)
        })
        .any(|connector| match &connector.key {
            ConnectorKey::Id(id) => desired.pins.could_apply_to(id),
            ConnectorKey::Name(_) | ConnectorKey::IdAndName(..) => true,
        });
    needs_list || desired.lists_connectors
}

/// Joins the errors of the lists of several kinds of flows into one with all different causes, and the first
/// code and hint. Without errors, returns one that no list was requested.
fn join_errors(errors: Vec<ReadError>) -> ReadError {
    let mut errors = errors.into_iter();
    let Some(first) = errors.next() else {
        return ReadError::new(Code::GraphUnexpectedResponse, "no list of flows was requested");
    };
    errors.fold(first, |joined, next| {
        let hint = joined.hint.clone().or(next.hint);
        let meaning = joined.meaning.clone().or(next.meaning);
        let cause = if joined.cause == next.cause {
            joined.cause.clone()
        } else {
            format!("{}; {}", joined.cause, next.cause).into()
        };
        let request = match (joined.request.clone(), next.request) {
            (Some(first), Some(next)) => Some(format!("{first}; {next}").into()),
            (first, next) => first.or(next),
        };
        ReadError { cause, hint, meaning, request, ..joined }
    })
}

/// Returns the state of a flow that could not be read. It is missing if Graph answered 404 and a readable
/// list of flows does not have it; otherwise it is found, with every step unknown.
fn flow_from_error(
    flow: &FlowId,
    error: &GraphError,
    steps: &[Step],
    list: &Fetched<Vec<ListedFlow>>,
) -> CurrentFlow {
    let is_missing = error.is_not_found()
        && list.known().is_some_and(|list| !list.iter().any(|listed| listed.id == flow.as_str()));
    let error = ReadError::from(error);
    if is_missing {
        return CurrentFlow::Missing(error);
    }
    CurrentFlow::Found(unknown_at(steps, &error))
}
