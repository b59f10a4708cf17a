//! The addresses that a file pins connectors to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Connector, ConnectorId, ConnectorKey, TargetUrl};

/// The addresses that a file pins connectors to, whatever its bindings call them: the one with the id
/// that the file gives beside the address, and where it gives none, each that carries the name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pins {
    by_id: BTreeMap<ConnectorId, Vec<Arc<TargetUrl>>>,
    by_name: BTreeMap<String, Vec<Arc<TargetUrl>>>,
}

impl Pins {
    /// Pins what is found by this.
    pub fn insert(&mut self, by: &ConnectorKey, pin: Arc<TargetUrl>) {
        let pins = match by {
            ConnectorKey::Id(id) | ConnectorKey::IdAndName(id, _) => {
                self.by_id.entry(id.clone()).or_default()
            }
            ConnectorKey::Name(name) => self.by_name.entry(name.clone()).or_default(),
        };
        pins.push(pin);
    }

    /// The addresses that a connector has to have, all of them.
    pub fn of(&self, connector: &Connector) -> impl Iterator<Item = &Arc<TargetUrl>> {
        let by_id = self.by_id.get(&connector.id);
        let by_name = connector.display_name.as_ref().and_then(|name| self.by_name.get(name));
        by_id.into_iter().chain(by_name).flatten()
    }

    /// Whether any may be of the connector with this id, whose name is not known.
    pub fn may_be_of(&self, id: &ConnectorId) -> bool {
        self.by_id.contains_key(id) || !self.by_name.is_empty()
    }
}
