//! The state of the emulated tenant and what each resource answers.
//!
//! Owns the meaning of requests: a function of state, request and time. It must not do I/O, read
//! a clock, or know of faults, throttling and batches.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::message::{Request, Response};
use super::odata::{Place, Problem};
use super::query::Query;
use super::reference;
use super::render::{self, Collection};
use super::route::{Resource, Route, Version};
use crate::snapshot::{Cloud, Connector, Flow, Kind, Snapshot, Step};

/// A tenant behind the emulator.
#[derive(Debug, Clone)]
pub(super) struct Tenant {
    snapshot: Snapshot,
    /// The emulator's own address, without a version.
    origin: String,
    page_size: usize,
    /// How long reads show the value before a write.
    lag: Duration,
    /// Writes that reads may not show yet, the oldest first.
    recent: Vec<Write>,
}

/// One write to a binding.
#[derive(Debug, Clone)]
struct Write {
    at: Timestamp,
    flow: String,
    step: Step,
    former: Option<String>,
}

/// A request whose resource is known.
struct Call<'a> {
    request: &'a Request,
    version: Version,
    /// The emulator's own address with the version of the request.
    root: String,
    now: Timestamp,
}

impl Call<'_> {
    fn place<'a>(&'a self, path: &'a str) -> Place<'a> {
        Place { root: &self.root, path }
    }
}

impl Tenant {
    pub(super) fn new(snapshot: Snapshot, origin: String, page_size: usize, lag: Duration) -> Self {
        Self { snapshot, origin, page_size, lag, recent: Vec::new() }
    }

    /// Gives the true state, writes that reads do not show yet included.
    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Answers one request at the time `now`.
    ///
    /// Errors as Graph does; a request with an error has changed nothing.
    pub(super) fn handle(&mut self, request: &Request, now: Timestamp) -> Result<Response, Problem> {
        request.require_token()?;
        let Route { version, resource } = Route::parse(&request.path)?;
        if version == Version::V1 && matches!(self.snapshot.cloud, Cloud::Usgov | Cloud::UsgovDod) {
            // <https://learn.microsoft.com/graph/api/identityapiconnector-list>
            return Err(Problem::bad_request("the resource is not in v1.0 of this cloud"));
        }
        request.require_method(resource.method())?;
        if let Some(kind) = resource.kind() {
            self.require_kind(kind)?;
        }
        let root = format!("{}/{version}", self.origin);
        let call = Call { request, version, root, now };
        let Snapshot { connectors, flows, .. } = &self.snapshot;
        let body = match resource {
            Resource::Connectors => {
                self.list(&call, &render::CONNECTORS, connectors.iter().map(render::connector))
            }
            Resource::Connector(id) => {
                single(&call, &render::CONNECTORS, render::connector(self.find_connector(&id)?))
            }
            Resource::Flows(kind) => {
                self.list(&call, render::flows(kind), flows.iter().map(|flow| render::flow(flow, kind)))
            }
            Resource::Flow(kind, id) => {
                single(&call, render::flows(kind), render::flow(self.find_flow(&id)?, kind))
            }
            Resource::Configuration(kind, id) => self.configuration(&call, kind, &id),
            Resource::Reference(_, id, step) => return self.bind(&call, &id, step),
        }?;
        Ok(Response::json(200, &body))
    }

    fn list(
        &self,
        call: &Call<'_>,
        collection: &Collection,
        entities: impl Iterator<Item = Map<String, Value>>,
    ) -> Result<Value, Problem> {
        let query = Query::parse(&call.request.query, Query::COLLECTION)?;
        query.require_properties(collection.properties)?;
        Ok(call.place(collection.path).page(entities, &query, self.page_size))
    }

    fn configuration(&self, call: &Call<'_>, kind: Kind, id: &str) -> Result<Value, Problem> {
        let query = Query::parse(&call.request.query, &["$expand"])?;
        let steps = query.expand.iter().map(|name| call.version.step(name));
        let steps = steps.collect::<Result<Vec<_>, _>>()?;
        let flow = self.find_flow(id)?;
        let path = format!("{}('{id}')/apiConnectorConfiguration", render::flows(kind).path);
        let context = call.place(&path).context(&expanded(&steps));

        let mut body = Map::from_iter([("@odata.context".to_owned(), context)]);
        for step in steps {
            let bound = self.visible(flow, step, call.now).map(|id| self.bound(id));
            body.insert(step.name().to_owned(), bound.map_or(Value::Null, Value::Object));
        }
        Ok(body.into())
    }

    fn bind(&mut self, call: &Call<'_>, flow: &str, step: Step) -> Result<Response, Problem> {
        Query::parse(&call.request.query, &[])?;
        call.request.require_json()?;
        self.find_flow(flow)?;
        let public = reference::graph_root(self.snapshot.cloud);
        let roots = [call.root.clone(), format!("{public}/{}", call.version)];
        let connector = match reference::parse(&call.request.body, &roots)? {
            None => None,
            Some(id) => Some(self.find_connector(&id)?.id.clone()),
        };
        self.write(flow, step, connector, call.now);
        Ok(Response::no_content())
    }

    fn write(&mut self, flow: &str, step: Step, connector: Option<String>, now: Timestamp) {
        let Some(found) = self.snapshot.flows.iter_mut().find(|known| known.id == flow) else {
            return;
        };
        let former = found.bindings.insert(step, connector).flatten();
        let lag = self.lag;
        self.recent.retain(|write| is_hidden(write, lag, now));
        self.recent.push(Write { at: now, flow: flow.to_owned(), step, former });
    }

    /// Gives the binding that reads show: the value before the oldest write that is still hidden.
    fn visible<'a>(&'a self, flow: &'a Flow, step: Step, now: Timestamp) -> Option<&'a str> {
        let hidden = self
            .recent
            .iter()
            .find(|write| write.flow == flow.id && write.step == step && is_hidden(write, self.lag, now));
        match hidden {
            Some(write) => write.former.as_deref(),
            None => flow.bindings.get(&step)?.as_deref(),
        }
    }

    /// Renders a bound connector; one that was deleted meanwhile has nothing left but its id.
    fn bound(&self, id: &str) -> Map<String, Value> {
        match self.find_connector(id) {
            Ok(connector) => render::connector(connector),
            Err(_) => render::deleted_connector(id),
        }
    }

    fn find_connector(&self, id: &str) -> Result<&Connector, Problem> {
        let mut connectors = self.snapshot.connectors.iter();
        let found = connectors.find(|connector| connector.id.eq_ignore_ascii_case(id));
        found.ok_or_else(|| Problem::not_found(format!("the directory has no API connector '{id}'")))
    }

    fn find_flow(&self, id: &str) -> Result<&Flow, Problem> {
        let found = self.snapshot.flows.iter().find(|flow| flow.id == id);
        found.ok_or_else(|| Problem::not_found(format!("the directory has no user flow '{id}'")))
    }

    /// Refuses the flows of the kind that the tenant does not have; without flows it is B2C.
    fn require_kind(&self, asked: Kind) -> Result<(), Problem> {
        let kind = self.snapshot.flows.iter().find_map(|flow| Kind::of(&flow.id)).unwrap_or(Kind::B2c);
        if kind == asked {
            return Ok(());
        }
        let directory = match kind {
            Kind::B2c => "an Azure AD B2C directory: its user flows are b2cUserFlows, not b2xUserFlows",
            Kind::B2x => "not an Azure AD B2C directory: its user flows are b2xUserFlows, not b2cUserFlows",
        };
        Err(Problem::new(403, "AADB2C", format!("'{}' is {directory}", self.snapshot.tenant)))
    }
}

/// Renders one member of a collection.
fn single(call: &Call<'_>, collection: &Collection, entity: Map<String, Value>) -> Result<Value, Problem> {
    let query = Query::parse(&call.request.query, Query::ENTITY)?;
    query.require_properties(collection.properties)?;
    Ok(call.place(collection.path).entity(entity, &query))
}

fn is_hidden(write: &Write, lag: Duration, now: Timestamp) -> bool {
    now.duration_since(write.at).unsigned_abs() < lag
}

/// Gives the context's list of what was expanded; nothing when nothing was.
fn expanded(steps: &[Step]) -> String {
    let steps: Vec<_> = steps.iter().map(|step| format!("{}()", step.name())).collect();
    if steps.is_empty() { String::new() } else { format!("({})", steps.join(",")) }
}

#[cfg(test)]
mod tests;
