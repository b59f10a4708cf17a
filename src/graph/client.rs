//! Client of Microsoft Graph: one function for each request that flowbind sends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::batch::BatchReader;
use super::cloud::GraphUrl;
use super::error::{self, GraphError, GraphErrorKind, RequestLine};
use super::page;
use super::permission::Need;
use super::transport::Transport;
use super::wire::{Bindings, Configuration, ConnectorEntity, FlowEntity};
use crate::auth::Credential;
use crate::http::{Client, Halt, Request, RetryBudget, foreign_text};
use crate::model::{ConnectorId, FlowId, FlowKind, ListedConnector, ListedFlow, Step};

/// Microsoft Graph for one tenant and credential.
#[derive(Debug)]
pub struct Graph {
    transport: Transport,
    reference_root: GraphUrl,
    /// Whether the service rejected a batch.
    rejects_batches: AtomicBool,
}

/// PUT that the service accepted. Only a read-back shows its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedPut {
    /// Number of attempts.
    pub attempts: u32,
    /// Graph's id of the request.
    pub request_id: Option<String>,
}

impl Graph {
    /// Creates the client of Graph at `root`. The credential's token is sent to this host only. References to
    /// connectors are written with `reference_root`, which differs from `root` only for an emulator.
    pub fn new(http: Client, root: GraphUrl, reference_root: GraphUrl, credential: Arc<Credential>) -> Self {
        let transport = Transport { http, root, credential };
        Self { transport, reference_root, rejects_batches: AtomicBool::default() }
    }

    /// Returns all connectors of the tenant, from all pages. A connector that the list has with different content is
    /// returned twice.
    /// <https://learn.microsoft.com/graph/api/identityapiconnector-list>
    ///
    /// # Errors
    /// A page could not be read.
    pub async fn connectors(&self) -> Result<Vec<ListedConnector>, GraphError> {
        let url = self.transport.root.join(&["identity", "apiConnectors"], None);
        let connectors = page::read_all::<ConnectorEntity>(&self.transport, Need::Connectors, url).await?;
        Ok(distinct(connectors, |listed: &ListedConnector| listed.connector.id.clone()))
    }

    /// Returns all flows of one kind in the tenant, from all pages, each id once.
    /// <https://learn.microsoft.com/graph/api/identitycontainer-list-b2cuserflows>
    ///
    /// # Errors
    /// A page could not be read, or the list has one flow with different content.
    pub async fn flows(&self, kind: FlowKind) -> Result<Vec<ListedFlow>, GraphError> {
        let url = self.transport.root.join(&["identity", kind.collection()], None);
        let line = RequestLine::new(Need::Flows, &Method::GET, &url);
        let flows = page::read_all::<FlowEntity>(&self.transport, Need::Flows, url).await?;
        let flows = distinct(flows, |flow: &ListedFlow| flow.id.clone());
        match flows.iter().zip(flows.iter().skip(1)).find(|(one, next)| one.id == next.id) {
            Some((flow, _)) => {
                let why = format!("the list has `{}` twice, with different content", foreign_text(&flow.id));
                Err(GraphError::from_content(line, why))
            }
            None => Ok(flows),
        }
    }

    /// Reads the bindings of several flows, each at its steps, in as few round trips as possible. Returns one
    /// result for each flow, in the order of `reads`. `concurrent` is the number of other requests that are
    /// sent at the same time.
    /// <https://learn.microsoft.com/graph/api/b2cidentityuserflow-get-apiconnectorconfiguration>
    ///
    /// # Errors
    /// Each configuration that could not be read has its own error. A malformed step makes only this step
    /// unknown.
    pub async fn configurations(
        &self,
        reads: &[(&FlowId, &[Step])],
        concurrent: usize,
        budget: RetryBudget,
    ) -> Vec<Result<Bindings, GraphError>> {
        let (transport, are_rejected) = (&self.transport, &self.rejects_batches);
        let batches = BatchReader { transport, are_rejected, reads, budget };
        let mut results: BTreeMap<_, _> = batches.read(concurrent).await.into_iter().collect();
        let reads = reads.iter().enumerate().map(|(at, (flow, steps))| (results.remove(&at), flow, steps));
        let reads = reads.map(async |(result, flow, steps)| match result {
            Some(Err(error)) if error.is_deferred() => {
                transport.http.limits().wait_for_deadline(budget, Duration::ZERO).await;
                Err(error)
            }
            Some(result) => result,
            None => self.configuration(flow, steps, budget).await,
        });
        join_all(reads).await
    }

    async fn configuration(
        &self,
        flow: &FlowId,
        steps: &[Step],
        budget: RetryBudget,
    ) -> Result<Bindings, GraphError> {
        let url = self.transport.root.configuration(flow, steps);
        let get = self.transport.get(Need::Bindings, url, budget, Configuration::is_error);
        Ok(get.await?.1.bindings(steps))
    }

    /// Sends the PUT that binds a connector to a step of a flow, with retries; `None` disables the step. A
    /// 2xx answer with an error or a page in its body is an `Err`. If `halt` is true before an attempt starts, nothing
    /// more is sent and an `Err` is returned. This is the only request of the program that changes a tenant.
    /// <https://learn.microsoft.com/graph/api/b2cidentityuserflow-put-apiconnectorconfiguration>
    ///
    /// # Errors
    /// The service rejected the request, or did not answer. Without an answer it may still have acted.
    pub async fn bind(
        &self,
        flow: &FlowId,
        step: Step,
        connector: Option<&ConnectorId>,
        halt: &Halt,
    ) -> Result<AcceptedPut, GraphError> {
        let body = match connector {
            Some(id) => {
                let reference = self.reference_root.join(&["identity", "apiConnectors", id.as_str()], None);
                json!({"@odata.id": reference.as_str()}).to_string()
            }
            // The service rejects an empty body: disabling needs an empty object.
            None => "{}".to_owned(),
        };
        let url = self.transport.root.reference(flow, step);
        let request = self.transport.request(Method::PUT, url, Some(body));
        let line = RequestLine::new(Need::Changes, &request.method, &request.url);
        let request = Request { halt: Some(halt.clone()), ..request };
        let answer = self.transport.send(Need::Changes, request).await?;
        // A success status with an error in the body is an error.
        if serde_json::from_slice::<Configuration>(&answer.body).is_ok_and(|body| body.is_error()) {
            return Err(GraphError::from_rejection(line, &answer));
        }
        if let Some(page) = error::describe_foreign(&answer) {
            return Err(GraphError::from_answer(line, &answer, GraphErrorKind::UnexpectedResponse(page)));
        }
        Ok(AcceptedPut { attempts: answer.attempts, request_id: error::request_id(&answer) })
    }
}

/// Converts entities, sorts them by id, and removes duplicates: a list that changes while its pages are read may have
/// an item twice. One with the same id and other content stays; the second shows that the content is not known.
fn distinct<Entity, T: From<Entity> + PartialEq, Id: Ord>(
    entities: Vec<Entity>,
    id: impl Fn(&T) -> Id,
) -> Vec<T> {
    let mut groups = BTreeMap::<Id, Vec<T>>::new();
    for item in entities.into_iter().map(T::from) {
        let group = groups.entry(id(&item)).or_default();
        if group.len() < 2 && !group.contains(&item) {
            group.push(item);
        }
    }
    groups.into_values().flatten().collect()
}
