//! State of the emulated tenant, and the response of each resource.
//!
//! A response is a function of state, request and time. This module must not do I/O, read a clock,
//! or depend on faults, throttling and batches.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::error::ErrorResponse;
use super::message::{Request, Response};
use super::odata::ResourceUrl;
use super::options::Options;
use super::query::Query;
use super::reference;
use super::render::{self, Collection};
use super::route::{Resource, Route, Version};
use crate::snapshot::{Cloud, Connector, Flow, FlowKind, Snapshot, Step};

/// Emulated tenant.
#[derive(Debug, Clone)]
pub(super) struct Tenant {
    snapshot: Snapshot,
    /// Base URL of the emulator, without a version.
    origin: String,
    page_size: usize,
    /// Time for which reads return the previous value after a write.
    lag: Duration,
    /// Whether the ids of flows match regardless of letter case.
    ignore_case: bool,
    /// Writes that reads may not return yet, oldest first.
    recent: Vec<BindingWrite>,
}

/// One write to a binding.
#[derive(Debug, Clone)]
struct BindingWrite {
    at: Timestamp,
    flow: String,
    step: Step,
    previous: Option<String>,
}

/// Request whose path was parsed.
struct RoutedRequest<'a> {
    request: &'a Request,
    version: Version,
    /// Base URL of the emulator with the version of the request.
    root: String,
    now: Timestamp,
}

impl RoutedRequest<'_> {
    fn resource_url<'a>(&'a self, path: &'a str) -> ResourceUrl<'a> {
        ResourceUrl { root: &self.root, path }
    }
}

impl Tenant {
    pub(super) fn new(snapshot: Snapshot, origin: String, options: &Options) -> Self {
        let Options { page_size, lag, ignore_case, .. } = *options;
        Self { snapshot, origin, page_size, lag, ignore_case, recent: Vec::new() }
    }

    /// Returns the actual state, including writes that reads do not return yet.
    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Returns the response to one request at `now`. A PUT changes the binding that it names.
    ///
    /// # Errors
    /// The error that Graph would return. A request that fails has no effect on the tenant.
    pub(super) fn handle(&mut self, request: &Request, now: Timestamp) -> Result<Response, ErrorResponse> {
        request.require_token()?;
        let Route { version, resource } = Route::parse(&request.path)?;
        if version == Version::V1 && matches!(self.snapshot.cloud, Cloud::Usgov | Cloud::UsgovDod) {
            // <https://learn.microsoft.com/graph/api/identityapiconnector-list>
            return Err(ErrorResponse::bad_request("this cloud does not have the resource in v1.0"));
        }
        request.require_method(resource.method())?;
        if let Some(kind) = resource.flow_kind() {
            self.require_flow_kind(kind)?;
        }
        let root = format!("{}/{version}", self.origin);
        let call = RoutedRequest { request, version, root, now };
        let Snapshot { connectors, flows, .. } = &self.snapshot;
        let body = match resource {
            Resource::Connectors => {
                self.render_list(&call, &render::CONNECTORS, connectors.iter().map(render::connector))
            }
            Resource::Connector(id) => {
                render_member(&call, &render::CONNECTORS, render::connector(self.find_connector(&id)?))
            }
            Resource::Flows(kind) => self.render_list(
                &call,
                render::flow_collection(kind),
                flows.iter().map(|flow| render::flow(flow, kind)),
            ),
            Resource::Flow(kind, id) => {
                render_member(&call, render::flow_collection(kind), render::flow(self.find_flow(&id)?, kind))
            }
            Resource::Configuration(kind, id) => self.render_configuration(&call, kind, &id),
            Resource::Reference(_, id, step) => return self.bind(&call, &id, step),
        }?;
        Ok(Response::json(200, &body))
    }

    fn render_list(
        &self,
        call: &RoutedRequest<'_>,
        collection: &Collection,
        entities: impl Iterator<Item = Map<String, Value>>,
    ) -> Result<Value, ErrorResponse> {
        let query = Query::parse(&call.request.query, Query::COLLECTION)?;
        query.require_properties(collection.properties)?;
        Ok(call.resource_url(collection.path).render_page(entities, &query, self.page_size))
    }

    fn render_configuration(
        &self,
        call: &RoutedRequest<'_>,
        kind: FlowKind,
        id: &str,
    ) -> Result<Value, ErrorResponse> {
        let query = Query::parse(&call.request.query, &["$expand"])?;
        let steps = query.expand.iter().map(|name| call.version.parse_step(name));
        let steps = steps.collect::<Result<Vec<_>, _>>()?;
        let flow = self.find_flow(id)?;
        let path = format!("{}('{}')/apiConnectorConfiguration", render::flow_collection(kind).path, flow.id);
        let context = call.resource_url(&path).context(&expand_suffix(&steps));

        let mut body = Map::from_iter([("@odata.context".to_owned(), context)]);
        for step in steps {
            let bound = self.visible_connector(flow, step, call.now);
            let bound = bound.map(|id| match self.find_connector(id) {
                Ok(connector) => render::connector(connector),
                Err(_) => render::deleted_connector(id),
            });
            body.insert(step.name().to_owned(), bound.into());
        }
        Ok(body.into())
    }

    fn bind(&mut self, call: &RoutedRequest<'_>, flow: &str, step: Step) -> Result<Response, ErrorResponse> {
        Query::parse(&call.request.query, &[])?;
        call.request.require_json()?;
        let flow = self.find_flow(flow)?.id.clone();
        let public = reference::graph_root(self.snapshot.cloud);
        let roots = [call.root.clone(), format!("{public}/{}", call.version)];
        let connector = match reference::parse(&call.request.body, &roots)? {
            None => None,
            Some(id) => Some(self.find_connector(&id)?.id.clone()),
        };
        if let Some(found) = self.snapshot.flows.iter_mut().find(|known| known.id == flow) {
            let previous = found.bindings.insert(step, connector).flatten();
            let (lag, at) = (self.lag, call.now);
            self.recent.retain(|write| is_hidden(write, lag, at));
            self.recent.push(BindingWrite { at, flow, step, previous });
        }
        Ok(Response::no_content())
    }

    /// Returns the connector that reads show as bound. If a write is still hidden, this is the value
    /// before the oldest such write.
    fn visible_connector<'a>(&'a self, flow: &'a Flow, step: Step, now: Timestamp) -> Option<&'a str> {
        let is_match = |write: &&BindingWrite| write.flow == flow.id && write.step == step;
        match self.recent.iter().filter(is_match).find(|write| is_hidden(write, self.lag, now)) {
            Some(write) => write.previous.as_deref(),
            None => flow.bindings.get(&step)?.as_deref(),
        }
    }

    fn find_connector(&self, id: &str) -> Result<&Connector, ErrorResponse> {
        let mut connectors = self.snapshot.connectors.iter();
        let found = connectors.find(|connector| connector.id.eq_ignore_ascii_case(id));
        found.ok_or_else(|| ErrorResponse::not_found(format!("the directory has no API connector '{id}'")))
    }

    fn find_flow(&self, id: &str) -> Result<&Flow, ErrorResponse> {
        let is_match = |flow: &&Flow| flow.id == id || (self.ignore_case && flow.id.eq_ignore_ascii_case(id));
        let found = self.snapshot.flows.iter().find(is_match);
        found.ok_or_else(|| ErrorResponse::not_found(format!("the directory has no user flow '{id}'")))
    }

    /// Returns 403 if the tenant does not have flows of this kind. A tenant without flows is B2C.
    fn require_flow_kind(&self, requested: FlowKind) -> Result<(), ErrorResponse> {
        let mut kinds = self.snapshot.flows.iter().filter_map(|flow| FlowKind::from_flow_id(&flow.id));
        let kind = kinds.next().unwrap_or(FlowKind::B2c);
        if kind == requested {
            return Ok(());
        }
        let directory = match kind {
            FlowKind::B2c => "an Azure AD B2C directory: its user flows are b2cUserFlows, not b2xUserFlows",
            FlowKind::B2x => {
                "not an Azure AD B2C directory: its user flows are b2xUserFlows, not b2cUserFlows"
            }
        };
        Err(ErrorResponse::new(403, "AADB2C", format!("'{}' is {directory}", self.snapshot.tenant)))
    }
}

/// Renders one member of a collection; a 400 if the query has an unsupported option or an unknown property.
fn render_member(
    call: &RoutedRequest<'_>,
    collection: &Collection,
    entity: Map<String, Value>,
) -> Result<Value, ErrorResponse> {
    let query = Query::parse(&call.request.query, Query::ENTITY)?;
    query.require_properties(collection.properties)?;
    Ok(call.resource_url(collection.path).render_entity(entity, &query))
}

fn is_hidden(write: &BindingWrite, lag: Duration, now: Timestamp) -> bool {
    now.duration_since(write.at).unsigned_abs() < lag
}

/// Returns the suffix of `@odata.context` for expanded steps; empty if no step is expanded.
fn expand_suffix(steps: &[Step]) -> String {
    let steps: Vec<_> = steps.iter().map(|step| format!("{}()", step.name())).collect();
    if steps.is_empty() { String::new() } else { format!("({})", steps.join(",")) }
}

#[cfg(test)]
mod tests;
