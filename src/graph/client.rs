//! The requests of Graph that flowbind makes, one function each.

use std::collections::BTreeMap;

use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;

use super::cloud::GraphUrl;
use super::error::{GraphError, GraphErrorKind};
use super::page;
use super::wire::{Configuration, ConnectorEntity, FlowEntity};
use crate::auth::Secret;
use crate::http::{Answer, Client, Request};
use crate::model::{Bound, Connector, FlowId, FlowKind, Reading, Step};

/// Graph, as one tenant's app sees it.
#[derive(Debug)]
pub struct Graph {
    http: Client,
    root: GraphUrl,
    authorization: HeaderValue,
}

/// A token that no header can carry.
#[derive(Debug, thiserror::Error)]
#[error("the access token has characters that no token has, such as a line end")]
pub struct InvalidToken;

impl Graph {
    /// Asks Graph at `root` with an access token. The token goes nowhere else.
    ///
    /// # Errors
    /// The token cannot be sent in a header.
    pub fn new(http: Client, root: GraphUrl, token: &Secret) -> Result<Self, InvalidToken> {
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| InvalidToken)?;
        authorization.set_sensitive(true);
        Ok(Self { http, root, authorization })
    }

    /// Lists the tenant's connectors.
    /// <https://learn.microsoft.com/graph/api/identityapiconnector-list>
    ///
    /// # Errors
    /// Any page that could not be read.
    pub async fn connectors(&self) -> Result<Vec<Connector>, GraphError> {
        let url = self.root.join(&["identity", "apiConnectors"], None);
        let connectors = page::all::<ConnectorEntity>(self, url).await?;
        Ok(connectors.into_iter().map(Connector::from).collect())
    }

    /// Lists the ids of the tenant's flows of one kind.
    /// <https://learn.microsoft.com/graph/api/identitycontainer-list-b2cuserflows>
    ///
    /// # Errors
    /// Any page that could not be read.
    pub async fn flow_ids(&self, kind: FlowKind) -> Result<Vec<String>, GraphError> {
        let url = self.root.join(&["identity", kind.collection()], None);
        let flows = page::all::<FlowEntity>(self, url).await?;
        Ok(flows.into_iter().map(|flow| flow.id).collect())
    }

    /// Reads what is bound to the given steps of a flow.
    /// <https://learn.microsoft.com/graph/api/b2cidentityuserflow-get-apiconnectorconfiguration>
    ///
    /// # Errors
    /// The configuration could not be read. A step of it that makes no sense is unknown by itself.
    pub async fn configuration(
        &self,
        flow: &FlowId,
        steps: &[Step],
    ) -> Result<BTreeMap<Step, Reading<Bound>>, GraphError> {
        let path = ["identity", flow.kind().collection(), flow.as_str(), "apiConnectorConfiguration"];
        let names: Vec<_> = steps.iter().map(|step| step.name()).collect();
        let url = self.root.join(&path, Some(&format!("$expand={}", names.join(","))));
        let (answer, mut configuration) = self.get::<Configuration>(url.clone()).await?;
        if configuration.is_error() {
            return Err(GraphError::refused(self.request_line("GET", &url), &answer));
        }
        Ok(steps.iter().map(|step| (*step, configuration.bound(*step))).collect())
    }

    /// Reads one JSON document.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<(Answer, T), GraphError> {
        let line = self.request_line("GET", &url);
        let request = Request { method: Method::GET, url, authorization: self.authorization.clone() };
        let answer = match self.http.send(&request).await {
            Ok(answer) => answer,
            Err(error) => return Err(GraphError::not_sent(line, error)),
        };
        if !(200..300).contains(&answer.status) {
            return Err(GraphError::refused(line, &answer));
        }
        match serde_json::from_slice(&answer.body) {
            Ok(value) => Ok((answer, value)),
            Err(error) => Err(GraphError::of(line, &answer, GraphErrorKind::Broken(error.to_string()))),
        }
    }

    pub(super) fn root(&self) -> &GraphUrl {
        &self.root
    }

    /// A request as errors show it: the path alone, since the place is the same for all of a run,
    /// and without a page's token.
    pub(super) fn request_line(&self, method: &str, url: &Url) -> String {
        format!("{method} {}", url.path())
    }
}
