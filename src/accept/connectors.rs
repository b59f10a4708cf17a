//! Lookup in the connectors of a tenant.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ConnectorId, ConnectorKey, ListedConnector, TargetUrl};

/// Connectors of a tenant by id and by displayName.
pub(super) struct Connectors<'a> {
    by_id: BTreeMap<&'a ConnectorId, &'a ListedConnector>,
    by_name: BTreeMap<&'a str, BTreeSet<&'a ConnectorId>>,
}

impl<'a> Connectors<'a> {
    pub(super) fn new(listed: &'a [ListedConnector]) -> Self {
        let mut connectors = Self { by_id: BTreeMap::new(), by_name: BTreeMap::new() };
        for listed in listed {
            let id = &listed.connector.id;
            connectors.by_id.insert(id, listed);
            if let Some(name) = &listed.connector.display_name {
                connectors.by_name.entry(name).or_default().insert(id);
            }
        }
        connectors
    }

    /// Returns the id of the connector that a key of a file identifies. Returns `None` if several connectors or
    /// none have its name, or if the connector with its id has another name.
    pub(super) fn resolve(&self, key: &'a ConnectorKey) -> Option<&'a ConnectorId> {
        match key {
            ConnectorKey::Id(id) => Some(id),
            ConnectorKey::IdAndName(id, name) => Some(id).filter(|id| self.display_name(id) == Some(name)),
            ConnectorKey::Name(name) => {
                let ids = self.by_name.get(name.as_str()).filter(|ids| ids.len() == 1)?;
                ids.first().copied()
            }
        }
    }

    /// Returns whether the tenant has a connector.
    pub(super) fn contains(&self, id: &ConnectorId) -> bool {
        self.by_id.contains_key(id)
    }

    /// Returns whether exactly one connector has a displayName.
    pub(super) fn is_unique(&self, name: &str) -> bool {
        self.by_name.get(name).is_some_and(|ids| ids.len() == 1)
    }

    /// Returns the displayName of a connector.
    pub(super) fn display_name(&self, id: &ConnectorId) -> Option<&'a str> {
        self.by_id.get(id)?.connector.display_name.as_deref()
    }

    /// Returns the address that a connector calls.
    pub(super) fn target_url(&self, id: &ConnectorId) -> Option<&'a TargetUrl> {
        self.by_id.get(id)?.target_url.as_ref()
    }
}
