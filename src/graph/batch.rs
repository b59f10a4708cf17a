//! Reads several configurations with one request (<https://learn.microsoft.com/graph/json-batching>), if that
//! saves round trips. An item without a usable response is read again separately, before its error counts.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, Url};
use serde_json::json;
use tokio::sync::Mutex;
use tracing::info;

use super::error::{GraphError, RequestLine};
use super::permission::Need;
use super::transport::Transport;
use super::wire::{Batch, BatchItem, Bindings};
use crate::http::{
    Answer, Request, RequestPermit, RetryBudget, SendError, SendErrorKind, new_client_request_id, retry,
    retry_after, server_time,
};
use crate::model::{FlowId, Reading, Step};

/// Largest number of requests in a batch.
const MAX_ITEMS: usize = 20;

/// Reads the configurations of several flows in batches.
pub(super) struct BatchReader<'a> {
    pub(super) transport: &'a Transport,
    /// Whether a batch was not usable, so that no further one is sent.
    pub(super) are_rejected: &'a AtomicBool,
    /// Configurations to read: flows, each with its steps.
    pub(super) reads: &'a [(&'a FlowId, &'a [Step])],
    pub(super) budget: RetryBudget,
}

/// Results by their index in `reads`. Reads without a result are to be sent separately.
type Results = Vec<(usize, Result<Bindings, GraphError>)>;

impl BatchReader<'_> {
    /// Reads configurations in batches, if that saves round trips and no batch was rejected before; otherwise
    /// sends nothing and returns no results. A read without a usable response has no result. `concurrent` is
    /// the number of other requests that are sent at the same time.
    pub(super) async fn read(&self, concurrent: usize) -> Results {
        let parallelism = self.transport.http.limits().parallelism();
        let batches = self.reads.len().div_ceil(MAX_ITEMS);
        let round_trips = |requests: usize| requests.saturating_add(concurrent).div_ceil(parallelism);
        if round_trips(batches) >= round_trips(self.reads.len()) || self.are_rejected.load(Ordering::Relaxed)
        {
            return Vec::new();
        }
        let queue = Mutex::new((0..self.reads.len()).collect());
        let senders = (0..batches.min(parallelism)).map(|_| self.send_all(&queue));
        join_all(senders).await.into_iter().flatten().collect()
    }

    /// Sends batches until the queue is empty, batches are rejected, or no permit is available in time. Each
    /// has as many reads as the rate limit admits. Returns the results of all these batches.
    async fn send_all(&self, queue: &Mutex<VecDeque<usize>>) -> Results {
        let http = &self.transport.http;
        let mut results = Vec::new();
        while !self.are_rejected.load(Ordering::Relaxed) {
            let mut queued = queue.lock().await;
            let most = u32::try_from(queued.len().min(MAX_ITEMS)).ok().and_then(NonZeroU32::new);
            let Some(most) = most else { break };
            // Without a permit in time, each separate read fails with its own error.
            let Ok(permit) = http.acquire_batch_permit(&self.url(), most, self.budget).await else { break };
            let items: Vec<_> = (0..permit.requests()).filter_map(|_| queued.pop_front()).collect();
            drop(queued);
            results.extend(self.send(permit, &items).await);
        }
        results
    }

    /// Sends one batch with these items, which are indices of `reads`, and returns the usable results. A 401,
    /// a failed sign-in, or a `Retry-After` beyond the deadline is the error of every item. An unusable batch has no results; a
    /// send error or an unexpected response also disables batches for the run.
    async fn send(&self, permit: RequestPermit<'_>, items: &[usize]) -> Results {
        let http = &self.transport.http;
        let request = self.transport.request(Method::POST, self.url(), Some(self.body(items)));
        let request = Request { retry_budget: self.budget, ..request };
        let fail_all = |error: &dyn Fn() -> GraphError| items.iter().map(|at| (*at, Err(error()))).collect();
        let problem = match http.send_once(permit, &request).await {
            Ok(None) => return Vec::new(),
            Ok(Some(answer)) => {
                if let Some(asked) = retry_after(&answer)
                    && let Err(pause) = http.honor_retry_after(&request, answer.status, asked).await
                {
                    return fail_all(&|| self.pause_error(&answer, pause));
                }
                match answer.status {
                    200..300 => match parse_items(items, &answer) {
                        Some(responses) => return self.collect_results(responses, &request, &answer).await,
                        None => "unexpected response".to_owned(),
                    },
                    // The token was renewed already, so separate reads would be rejected as well.
                    401 => return fail_all(&|| GraphError::from_rejection(self.line(), &answer)),
                    429 => return Vec::new(),
                    status => format!("answered {status}"),
                }
            }
            // Separate reads have no token either.
            Err(SendError {
                kind: SendErrorKind::SignIn(error), client_request_id: id, attempts, ..
            }) => {
                return fail_all(&|| self.error(SendErrorKind::SignIn(error.clone()), id.as_ref(), attempts));
            }
            Err(error) => error.to_string(),
        };
        // A useless batch costs as much of the rate limit as all of its items.
        if !self.are_rejected.swap(true, Ordering::Relaxed) {
            info!("`$batch`: {problem}; reading without batches");
        }
        Vec::new()
    }

    fn url(&self) -> Url {
        self.transport.root.join(&["$batch"], None)
    }

    fn line(&self) -> RequestLine {
        RequestLine::new(Need::Bindings, &Method::POST, &self.url())
    }

    /// Creates the error of a read whose `Retry-After` is longer than the time that is left.
    fn pause_error(&self, answer: &Answer, pause: Duration) -> GraphError {
        let kind = SendErrorKind::PauseBeyondTimeout(pause);
        self.error(kind, Some(&answer.client_request_id), answer.attempts)
    }

    fn error(&self, kind: SendErrorKind, id: Option<&String>, attempts: u32) -> GraphError {
        let client_request_id = id.cloned();
        let error = SendError { kind, client_request_id, attempts, may_have_acted: false, last: None };
        GraphError::from_send_error(self.line(), error)
    }

    /// Returns the body of a batch. Each item has its index as id, and its URL is relative to the root.
    fn body(&self, items: &[usize]) -> String {
        let root = &self.transport.root;
        let item = |at: &usize| {
            let (flow, steps) = self.reads.get(*at)?;
            let url = root.relative(&root.configuration(flow, steps));
            let headers = json!({"client-request-id": new_client_request_id()});
            Some(json!({"id": at.to_string(), "method": "GET", "url": url, "headers": headers}))
        };
        let requests: Vec<_> = items.iter().filter_map(item).collect();
        json!({"requests": requests}).to_string()
    }

    /// Returns the results of the items with a complete configuration, and an error for each whose `Retry-After`
    /// exceeds the deadline; the others have no result. Records throttled items in the rate limiter, and waits
    /// for the `Retry-After` of items that failed temporarily.
    async fn collect_results(
        &self,
        items: BTreeMap<usize, Vec<BatchItem<'_>>>,
        request: &Request<'_>,
        answer: &Answer,
    ) -> Results {
        let limits = self.transport.http.limits();
        let now = server_time(&answer.headers);
        let asked = |item: &BatchItem<'_>| retry::parse_retry_after(&item.header("retry-after")?, now);
        let (throttled, others): (Vec<_>, Vec<_>) =
            items.values().flatten().partition(|item| item.status == 429);
        if !throttled.is_empty() {
            let pause = throttled.iter().filter_map(|item| asked(item)).max();
            limits.record_throttling(u32::try_from(throttled.len()).unwrap_or(u32::MAX), pause);
        }
        // A separate read would get the same `Retry-After`.
        let beyond_deadline = |item: &BatchItem<'_>| {
            limits.pause_beyond_deadline(item.status, asked(item)?, request.retry_budget)
        };
        let deferred = |item: &BatchItem<'_>| Some(self.pause_error(answer, beyond_deadline(item)?));
        let pauses = others.iter().filter(|item| beyond_deadline(item).is_none());
        let pauses = pauses.filter_map(|item| Some((asked(item)?, item.status)));
        if let Some((pause, status)) = pauses.filter(|(_, status)| !(200..300).contains(status)).max() {
            _ = self.transport.http.honor_retry_after(request, status, pause).await;
        }
        let all = items.len();
        let results = items.into_iter().filter_map(|(at, items)| {
            let (_, steps) = self.reads.get(at)?;
            // Two responses to one item contradict each other.
            let [item] = <[BatchItem<'_>; 1]>::try_from(items).ok()?;
            if let Some(error) = deferred(&item) {
                return Some((at, Err(error)));
            }
            let bindings = item.configuration()?.bindings(steps);
            let is_complete = bindings.values().all(|read| matches!(read, Reading::Known(_)));
            is_complete.then_some((at, Ok(bindings)))
        });
        let results: Results = results.collect();
        if results.len() < all {
            let others = all.saturating_sub(results.len());
            info!("{others} of {all} items of a `$batch` have no usable response: reading them separately");
        }
        results
    }
}

/// Returns the responses to these items by index, one or several for each. `None` if the body is not a batch
/// response, or has no response to any of them.
fn parse_items<'a>(items: &[usize], answer: &'a Answer) -> Option<BTreeMap<usize, Vec<BatchItem<'a>>>> {
    let Batch { responses } = serde_json::from_slice(&answer.body).ok()?;
    let mut parsed = BTreeMap::<usize, Vec<BatchItem<'_>>>::new();
    for item in responses {
        // An unknown id belongs to no item of this batch.
        let Some(at) = item.id.parse().ok().filter(|at| items.contains(at)) else { continue };
        parsed.entry(at).or_default().push(item);
    }
    Some(parsed).filter(|parsed| !parsed.is_empty())
}
