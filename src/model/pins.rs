//! Pins: the addresses that a file requires of connectors.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::connector::{Connector, ConnectorKey};
use super::id::ConnectorId;
use super::target_url::TargetUrl;
use crate::diagnostic::Span;

/// Address that a file requires of a connector. Pins are equal if their addresses are.
#[derive(Debug, Clone)]
pub struct Pin {
    /// The address. Shared, because many bindings may use the same connector.
    pub url: Arc<TargetUrl>,
    /// Location of the address in the file.
    pub span: Span,
}

impl PartialEq for Pin {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
    }
}

impl Eq for Pin {}

/// Addresses to which a file pins connectors. A pin with an id applies to the connector with that id,
/// any other pin to all connectors with its name. The keys in the bindings do not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pins {
    by_id: BTreeMap<ConnectorId, Vec<Pin>>,
    by_name: BTreeMap<String, Vec<Pin>>,
}

impl Pins {
    /// Adds a pin: for the connector with the id of `key`, or if the key has none, for all connectors with
    /// its name.
    pub fn insert(&mut self, key: &ConnectorKey, pin: Pin) {
        let pins = match key {
            ConnectorKey::Id(id) | ConnectorKey::IdAndName(id, _) => {
                self.by_id.entry(id.clone()).or_default()
            }
            ConnectorKey::Name(name) => self.by_name.entry(name.clone()).or_default(),
        };
        pins.push(pin);
    }

    /// Returns the pins of a connector, all of which must hold.
    pub fn for_connector(&self, connector: &Connector) -> impl Iterator<Item = &Pin> {
        let by_id = self.by_id.get(&connector.id);
        let by_name = connector.display_name.as_ref().and_then(|name| self.by_name.get(name));
        by_id.into_iter().chain(by_name).flatten()
    }

    /// Returns the pins of the connectors with this name. Pins with an id are not among them.
    pub fn for_name(&self, name: &str) -> impl Iterator<Item = &Pin> {
        self.by_name.get(name).into_iter().flatten()
    }

    /// Returns the pins of the connector with this id, without those by name.
    pub fn for_id(&self, id: &ConnectorId) -> impl Iterator<Item = &Pin> {
        self.by_id.get(id).into_iter().flatten()
    }

    /// Returns whether a pin could apply to the connector with this id, whose name is unknown: any pin by
    /// name could.
    pub fn could_apply_to(&self, id: &ConnectorId) -> bool {
        self.by_id.contains_key(id) || !self.by_name.is_empty()
    }
}
