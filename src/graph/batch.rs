//! Many reads in one request (<https://learn.microsoft.com/graph/json-batching>), where that saves waves
//! of requests. What a batch does not answer well is read singly before it is believed.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::sync::Mutex;
use tracing::info;

use super::client::{Bindings, Graph};
use super::error::GraphError;
use super::permission::Need;
use super::wire::{Batch, BatchHeaders, BatchItem, BatchRequest, BatchRequests};
use crate::http::{
    Answer, Request, RequestPermit, RetryBudget, SendError, SendErrorKind, client_request_id, retry,
    retry_after, server_time,
};
use crate::model::{FlowId, Reading, Step};

/// How many requests a batch may hold.
const LARGEST: usize = 20;

/// Whether batches are of use to a service, as far as is known.
#[derive(Debug, Default)]
pub(super) struct Batches {
    refused: AtomicBool,
}

impl Batches {
    fn are_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }
}

/// The configurations that are to be read: of which flow, at which steps.
pub(super) type Reads<'a> = [(&'a FlowId, &'a [Step])];

/// What was read, by its place in the list. What is not there is to be read singly.
type Found = Vec<(usize, Result<Bindings, GraphError>)>;

/// Reads in batches what saves waves of requests that way: nothing where it saves none. `beside` is how
/// many other requests go out at the same time.
pub(super) async fn read(graph: &Graph, reads: &Reads<'_>, beside: usize, budget: RetryBudget) -> Found {
    let at_once = graph.http.parallelism();
    let batches = reads.len().div_ceil(LARGEST);
    let waves = |requests: usize| requests.saturating_add(beside).div_ceil(at_once);
    if waves(batches) >= waves(reads.len()) || graph.batches.are_refused() {
        return Vec::new();
    }
    let queue = Mutex::new((0..reads.len()).collect());
    let senders = (0..batches.min(at_once)).map(|_| send_all(graph, reads, &queue, budget));
    join_all(senders).await.into_iter().flatten().collect()
}

/// Sends one batch after the other, each with as many reads as the budget has room for, until none is
/// left.
async fn send_all(
    graph: &Graph,
    reads: &Reads<'_>,
    queue: &Mutex<VecDeque<usize>>,
    budget: RetryBudget,
) -> Found {
    let mut found = Vec::new();
    while !graph.batches.are_refused() {
        let mut left = queue.lock().await;
        let most = u32::try_from(left.len().min(LARGEST)).ok().and_then(NonZeroU32::new);
        let Some(most) = most else { break };
        // Without room in time each read tells so by itself.
        let Ok(slot) = graph.http.acquire_batch_permit(most, budget).await else { break };
        let travelling: Vec<_> = (0..slot.requests()).filter_map(|_| left.pop_front()).collect();
        drop(left);
        found.extend(send(graph, reads, slot, &travelling, budget).await);
    }
    found
}

/// Sends one batch.
async fn send(
    graph: &Graph,
    reads: &Reads<'_>,
    slot: RequestPermit<'_>,
    travelling: &[usize],
    budget: RetryBudget,
) -> Found {
    let request = Request {
        method: Method::POST,
        url: graph.root().join(&["$batch"], None),
        headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
        authorization: Some(graph.credential()),
        body: Some(body(graph, reads, travelling)),
        retry_budget: budget,
        halt: None,
    };
    let what = match graph.http.send_once(slot, &request).await {
        Ok(None) => return Vec::new(),
        Ok(Some(answer)) => {
            if let Some(asked) = retry_after(&answer)
                && let Err(pause) = graph.http.honor_retry_after(&request, answer.status, asked).await
            {
                return travelling
                    .iter()
                    .map(|at| (*at, Err(put_off(graph, &request, &answer, pause))))
                    .collect();
            }
            match answer.status {
                200..300 => match items(travelling, &answer) {
                    Some(items) => return take(graph, reads, items, &request, &answer).await,
                    None => "makes no sense".to_owned(),
                },
                // There is no better token: each read by itself would be told the same.
                401 => {
                    let refused = || {
                        GraphError::rejected(
                            graph.request_line(Need::Bindings, "POST", &request.url),
                            &answer,
                        )
                    };
                    return travelling.iter().map(|at| (*at, Err(refused()))).collect();
                }
                429 => return Vec::new(),
                status => format!("is answered {status}"),
            }
        }
        Err(error) => format!("is not answered ({error})"),
    };
    // One that is no use costs as much as all that travels in it, and time.
    if !graph.batches.refused.swap(true, Ordering::Relaxed) {
        info!("`$batch` {what}: all is read singly");
    }
    Vec::new()
}

/// What is told of a read for which the service wants to be left alone for longer than there is time.
fn put_off(graph: &Graph, request: &Request<'_>, answer: &Answer, pause: Duration) -> GraphError {
    let error = SendError {
        kind: SendErrorKind::PauseBeyondTimeout(pause),
        client_request_id: Some(answer.client_request_id.clone()),
        attempts: answer.attempts,
        may_have_acted: false,
        last: None,
    };
    GraphError::not_sent(graph.request_line(Need::Bindings, "POST", &request.url), error)
}

fn body(graph: &Graph, reads: &Reads<'_>, travelling: &[usize]) -> String {
    let item = |at: &usize| {
        let (flow, steps) = reads.get(*at)?;
        let url = graph.root().relative(&graph.configuration_url(flow, steps));
        let headers = BatchHeaders { client_request_id: client_request_id() };
        Some(BatchRequest { id: at.to_string(), method: "GET", url, headers })
    };
    let requests = BatchRequests { requests: travelling.iter().filter_map(item).collect() };
    // Strings and lists are always JSON.
    serde_json::to_string(&requests).unwrap_or_default()
}

/// The answers to what travelled; `None` where there is none.
fn items<'a>(travelling: &[usize], answer: &'a Answer) -> Option<BTreeMap<usize, Vec<BatchItem<'a>>>> {
    let Batch { responses } = serde_json::from_slice(&answer.body).ok()?;
    let mut items = BTreeMap::<usize, Vec<BatchItem<'_>>>::new();
    for item in responses {
        // An id that is not ours answers nothing of ours.
        let Some(at) = item.id.parse().ok().filter(|at| travelling.contains(at)) else { continue };
        items.entry(at).or_default().push(item);
    }
    Some(items).filter(|items| !items.is_empty())
}

/// Takes what was answered well, notes what was throttled, and waits as what failed for the moment asks.
async fn take(
    graph: &Graph,
    reads: &Reads<'_>,
    items: BTreeMap<usize, Vec<BatchItem<'_>>>,
    request: &Request<'_>,
    answer: &Answer,
) -> Found {
    let now = server_time(&answer.headers);
    let asked = |item: &BatchItem<'_>| retry::parse_retry_after(&item.header("retry-after")?, now);
    let (throttled, others): (Vec<_>, Vec<_>) = items.values().flatten().partition(|item| item.status == 429);
    if !throttled.is_empty() {
        let pause = throttled.iter().filter_map(|item| asked(item)).max();
        graph.http.record_throttling(u32::try_from(throttled.len()).unwrap_or(u32::MAX), pause);
    }
    // Each by itself would be asked to wait as long.
    let too_long = |item: &BatchItem<'_>| {
        graph.http.pause_beyond_deadline(item.status, asked(item)?, request.retry_budget)
    };
    let put_off = |item: &BatchItem<'_>| Some(put_off(graph, request, answer, too_long(item)?));
    let pauses = others.iter().filter(|item| too_long(item).is_none());
    let pauses = pauses.filter_map(|item| Some((asked(item)?, item.status)));
    if let Some((pause, status)) = pauses.filter(|(_, status)| !(200..300).contains(status)).max() {
        _ = graph.http.honor_retry_after(request, status, pause).await;
    }
    let all = items.len();
    let found = items.into_iter().filter_map(|(at, items)| {
        let (_, steps) = reads.get(at)?;
        // Two answers to one request are none.
        let [item] = <[BatchItem<'_>; 1]>::try_from(items).ok()?;
        if let Some(put_off) = put_off(&item) {
            return Some((at, Err(put_off)));
        }
        let bindings = item.configuration()?.bindings(steps);
        let makes_sense = bindings.values().all(|read| matches!(read, Reading::Known(_)));
        makes_sense.then_some((at, Ok(bindings)))
    });
    let found: Found = found.collect();
    if found.len() < all {
        let others = all.saturating_sub(found.len());
        info!("{others} of {all} reads in a `$batch` were not answered well: again, each by itself");
    }
    found
}
