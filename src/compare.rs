//! Compares what two desired states or snapshots bind, by flow, step and name of the connector.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ConnectorId, ConnectorKey, Desired, FlowId, FlowKey, InvalidId, Step};
use crate::snapshot::Snapshot;

/// Connectors that a desired-state file or a snapshot binds.
#[derive(Debug)]
pub struct Side {
    origin: Origin,
    bindings: Vec<(FlowId, Step, ConnectorKey)>,
    /// Names of the connectors whose ids are known.
    names: BTreeMap<ConnectorId, String>,
    /// Names that several connectors have.
    shared: BTreeSet<String>,
    /// Whether `names` has all connectors of the tenant.
    lists_connectors: bool,
}

/// Where one side of a comparison is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Name of the file, as given.
    pub file: String,
    /// Tenant, as the file names it.
    pub tenant: String,
}

/// Differences between two sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// First side.
    pub a: Origin,
    /// Second side.
    pub b: Origin,
    /// Bindings that differ, by flow and step.
    pub differences: Vec<Difference>,
}

/// Binding that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Flow, in the spelling of the first side that binds it.
    pub flow: FlowId,
    /// Step.
    pub step: Step,
    /// Name, or without a unique name the id, of the connector that the first side binds; `None` for nothing.
    pub a: Option<String>,
    /// The same of the second side.
    pub b: Option<String>,
}

/// Id of a snapshot, and why it cannot be an id of the service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("id `{0}`: {1}")]
pub struct UnusableId(String, InvalidId);

impl Side {
    /// Returns the regular bindings of a desired state. Holds do not count.
    pub fn from_desired(desired: &Desired) -> Self {
        let bindings = desired.flows.iter().flat_map(|flow| {
            let bound = |(step, connector): (Step, &ConnectorKey)| (flow.id.clone(), step, connector.clone());
            let bindings = flow.bindings.iter();
            bindings.filter_map(|(step, it)| Some((step, &it.connector.as_ref()?.key))).map(bound)
        });
        let bindings: Vec<_> = bindings.collect();
        let names = bindings.iter().filter_map(|(_, _, connector)| match connector {
            ConnectorKey::IdAndName(id, name) => Some((id.clone(), name.clone())),
            ConnectorKey::Id(_) | ConnectorKey::Name(_) => None,
        });
        Self {
            origin: Origin { file: desired.file.clone(), tenant: desired.tenant.to_string() },
            names: names.collect(),
            bindings,
            shared: BTreeSet::new(),
            lists_connectors: false,
        }
    }

    /// Returns the bindings of a snapshot. `file` is its name.
    ///
    /// # Errors
    /// A flow or a connector has an id that no flow or connector of the service can have.
    pub fn from_snapshot(file: &str, snapshot: &Snapshot) -> Result<Self, UnusableId> {
        let connector_id =
            |id: &str| ConnectorId::parse(id).map_err(|error| UnusableId(id.to_owned(), error));
        let (mut bindings, mut names, mut shared) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        for flow in &snapshot.flows {
            let id = FlowId::parse(&flow.id).map_err(|error| UnusableId(flow.id.clone(), error))?;
            for (step, connector) in &flow.bindings {
                let (Some(connector), Ok(step)) = (connector, step.name().parse()) else { continue };
                bindings.push((id.clone(), step, ConnectorKey::Id(connector_id(connector)?)));
            }
        }
        let mut seen = BTreeSet::new();
        for connector in &snapshot.connectors {
            let Some(name) = connector.display_name.as_ref().filter(|name| !name.is_empty()) else {
                continue;
            };
            names.insert(connector_id(&connector.id)?, name.clone());
            if !seen.insert(name) {
                shared.insert(name.clone());
            }
        }
        let origin = Origin { file: file.to_owned(), tenant: snapshot.tenant.clone() };
        Ok(Self { origin, bindings, names, shared, lists_connectors: true })
    }

    /// Returns the connectors by binding. The name of an id that a file does not name is looked up in the other side.
    fn bound<'a>(&'a self, other: &'a Self) -> BTreeMap<(FlowKey<'a>, Step), (&'a FlowId, Connector<'a>)> {
        let bound = self.bindings.iter().map(|(flow, step, key)| {
            let (id, name) = match key {
                ConnectorKey::Id(id) => (Some(id), None),
                ConnectorKey::Name(name) => (None, Some(name)),
                ConnectorKey::IdAndName(id, name) => (Some(id), Some(name)),
            };
            let sides = [Some(self), Some(other).filter(|_| !self.lists_connectors)];
            let found = sides.into_iter().flatten().find_map(|side| Some((side, side.names.get(id?)?)));
            let is_shared = found.is_some_and(|(side, name)| side.shared.contains(name));
            let name = name.or(found.map(|(_, name)| name)).map(String::as_str);
            ((flow.into(), *step), (flow, Connector { id, name, is_shared }))
        });
        bound.collect()
    }
}

/// Connector of a binding: its id, its name or both.
#[derive(Debug, Clone, Copy)]
struct Connector<'a> {
    id: Option<&'a ConnectorId>,
    name: Option<&'a str>,
    /// Whether another connector of the tenant has the same name.
    is_shared: bool,
}

impl<'a> Connector<'a> {
    /// Returns the name; the id if the name is unknown or shared.
    fn label(self) -> &'a str {
        let id = self.id.map_or("", ConnectorId::as_str);
        self.name.filter(|_| !self.is_shared).unwrap_or(id)
    }

    fn is_same(self, other: Self) -> bool {
        // A name that became shared does not make another connector of it.
        self.label() == other.label()
            || self.id.is_some() && self.id == other.id && self.name.is_some() && self.name == other.name
    }
}

/// Compares two sides. A binding to nothing and one that is not mentioned are equal.
pub fn compare(a: &Side, b: &Side) -> Comparison {
    let sides = (a.bound(b), b.bound(a));
    let keys: BTreeSet<_> = sides.0.keys().chain(sides.1.keys()).copied().collect();
    let differences = keys.into_iter().filter_map(|key| {
        let (one, other) = (sides.0.get(&key), sides.1.get(&key));
        if let (Some((_, one)), Some((_, other))) = (one, other)
            && one.is_same(*other)
        {
            return None;
        }
        let (flow, _) = one.or(other)?;
        let label = |bound: Option<&(_, Connector<'_>)>| bound.map(|(_, it)| it.label().to_owned());
        Some(Difference { flow: FlowId::clone(flow), step: key.1, a: label(one), b: label(other) })
    });
    Comparison { differences: differences.collect(), a: a.origin.clone(), b: b.origin.clone() }
}
