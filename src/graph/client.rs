//! Client of Microsoft Graph: one function for each request that flowbind sends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::batch::{self, BatchSupport};
use super::cloud::GraphUrl;
use super::error::{self, GraphError, GraphErrorKind, RequestLine};
use super::page;
use super::permission::Need;
use super::wire::{Configuration, ConnectorEntity, FlowEntity};
use crate::auth::Credential;
use crate::http::{Answer, Client, Request, RetryBudget, Stop};
use crate::model::{
    Bound, ConnectorId, FlowId, FlowKind, ListedConnector, ListedFlow, Reading, Step, StepMap,
};

/// Microsoft Graph for one tenant and credential.
#[derive(Debug)]
pub struct Graph {
    pub(super) http: Client,
    pub(super) batch_support: BatchSupport,
    root: GraphUrl,
    reference_root: GraphUrl,
    credential: Arc<Credential>,
}

/// Bindings of a flow at the requested steps.
pub type Bindings = StepMap<Reading<Bound>>;

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
        Self { http, batch_support: BatchSupport::default(), root, reference_root, credential }
    }

    /// Returns all connectors of the tenant, from all pages, each id once.
    /// <https://learn.microsoft.com/graph/api/identityapiconnector-list>
    ///
    /// # Errors
    /// A page could not be read.
    pub async fn connectors(&self) -> Result<Vec<ListedConnector>, GraphError> {
        let url = self.root.join(&["identity", "apiConnectors"], None);
        let connectors = page::read_all::<ConnectorEntity>(self, Need::Connectors, url)
            .await?
            .into_iter()
            .map(ListedConnector::from);
        Ok(dedupe_by(connectors, |listed| listed.connector.id.clone()))
    }

    /// Returns all flows of one kind in the tenant, from all pages, each id once.
    /// <https://learn.microsoft.com/graph/api/identitycontainer-list-b2cuserflows>
    ///
    /// # Errors
    /// A page could not be read.
    pub async fn flows(&self, kind: FlowKind) -> Result<Vec<ListedFlow>, GraphError> {
        let url = self.root.join(&["identity", kind.collection()], None);
        let flows =
            page::read_all::<FlowEntity>(self, Need::Flows, url).await?.into_iter().map(ListedFlow::from);
        Ok(dedupe_by(flows, |flow| flow.id.clone()))
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
        let mut results: BTreeMap<_, _> =
            batch::read(self, reads, concurrent, budget).await.into_iter().collect();
        let reads = reads.iter().enumerate().map(|(at, (flow, steps))| (results.remove(&at), flow, steps));
        let reads = reads.map(async |(result, flow, steps)| match result {
            Some(Err(error)) if error.is_deferred() => {
                self.http.limits().wait_for_deadline(budget, Duration::ZERO).await;
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
        let url = self.configuration_url(flow, steps);
        let (answer, configuration) = self.get::<Configuration>(Need::Bindings, url.clone(), budget).await?;
        if configuration.is_error() {
            return Err(GraphError::from_rejection(self.request_line(Need::Bindings, "GET", &url), &answer));
        }
        Ok(configuration.bindings(steps))
    }

    pub(super) fn configuration_url(&self, flow: &FlowId, steps: &[Step]) -> Url {
        let names: Vec<_> = steps.iter().map(|step| step.name()).collect();
        self.root.join(&configuration_path(flow), Some(&format!("$expand={}", names.join(","))))
    }

    /// Sends the PUT that binds a connector to a step of a flow, with retries; `None` disables the step. A
    /// 2xx answer with an error in its body is an `Err`. If `halt` is true before an attempt starts, nothing
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
        halt: &Stop,
    ) -> Result<AcceptedPut, GraphError> {
        let path = [&configuration_path(flow)[..], &[step.name(), "$ref"]].concat();
        let body = match connector {
            Some(id) => {
                let reference = self.reference_root.join(&["identity", "apiConnectors", id.as_str()], None);
                json!({"@odata.id": reference.as_str()}).to_string()
            }
            // The service rejects an empty body: disabling needs an empty object.
            None => "{}".to_owned(),
        };
        let request = Request {
            method: Method::PUT,
            url: self.root.join(&path, None),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
            authorization: Some(&*self.credential),
            body: Some(body),
            retry_budget: RetryBudget::UntilDeadline,
            halt: Some(halt.clone()),
        };
        let line = self.request_line(Need::Changes, "PUT", &request.url);
        let answer = self.send(Need::Changes, request).await?;
        // A success status with an error in the body is an error.
        if serde_json::from_slice::<Configuration>(&answer.body).is_ok_and(|body| body.is_error()) {
            return Err(GraphError::from_rejection(line, &answer));
        }
        Ok(AcceptedPut { attempts: answer.attempts, request_id: error::request_id(&answer) })
    }

    /// Sends a GET, with retries. Returns the 2xx response and the value parsed from its JSON body. Any other
    /// status, or a body that is not such a value, is an error.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        need: Need,
        url: Url,
        budget: RetryBudget,
    ) -> Result<(Answer, T), GraphError> {
        let line = self.request_line(need, "GET", &url);
        let request = Request {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            authorization: Some(&*self.credential),
            body: None,
            retry_budget: budget,
            halt: None,
        };
        let answer = self.send(need, request).await?;
        match serde_json::from_slice(&answer.body) {
            Ok(value) => Ok((answer, value)),
            Err(error) => {
                let kind = GraphErrorKind::UnexpectedResponse(error::describe_unexpected(&answer, &error));
                Err(GraphError::from_answer(line, &answer, kind))
            }
        }
    }

    /// Sends a request, with retries, and returns its 2xx response. Every other status is an error.
    async fn send(&self, need: Need, request: Request<'_>) -> Result<Answer, GraphError> {
        let line = self.request_line(need, request.method.as_str(), &request.url);
        match self.http.send(&request).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer),
            Ok(answer) => Err(GraphError::from_rejection(line, &answer)),
            Err(error) => Err(GraphError::from_send_error(line, error)),
        }
    }

    pub(super) fn root(&self) -> &GraphUrl {
        &self.root
    }

    pub(super) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Returns a request as errors show it: without the host, which is the same in all of a run, and without the
    /// query, which may hold the token of a page.
    pub(super) fn request_line(&self, need: Need, method: &str, url: &Url) -> RequestLine {
        RequestLine { need, line: format!("{method} {}", url.path()) }
    }
}

/// Removes items with the same id as an earlier one: a list that changes while its pages are read may have an
/// item twice.
fn dedupe_by<T, Id: Ord>(items: impl Iterator<Item = T>, id: impl Fn(&T) -> Id) -> Vec<T> {
    let mut seen = BTreeSet::new();
    items.filter(|item| seen.insert(id(item))).collect()
}

fn configuration_path(flow: &FlowId) -> [&str; 4] {
    ["identity", flow.kind().collection(), flow.as_str(), "apiConnectorConfiguration"]
}
