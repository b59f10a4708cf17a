//! What a file names → the connector that it means. Names compare exactly; what fits none or
//! several is an error at the place of the name.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::model::{Connector, ConnectorId, ConnectorKey, ConnectorRef, Current, CurrentFlow, Reading};

/// The connectors of a tenant, by what a file may call them.
pub(super) struct Resolver<'a> {
    by_id: BTreeMap<&'a ConnectorId, &'a Connector>,
    by_name: BTreeMap<&'a str, Vec<&'a Connector>>,
    /// Why the connectors could not be read, where they could not.
    unreadable: Option<&'a str>,
    /// Whether `by_id` holds every connector of the tenant.
    complete: bool,
}

impl<'a> Resolver<'a> {
    /// Takes what was read: the connectors, and those that came along with the bindings.
    pub(super) fn new(current: &'a Current) -> Self {
        let (list, unreadable) = match &current.connectors {
            Some(Reading::Known(list)) => (list.as_slice(), None),
            Some(Reading::Unknown(why)) => (&[][..], Some(why.as_str())),
            None => (&[][..], None),
        };
        let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for connector in list {
            if let Some(name) = &connector.display_name {
                by_name.entry(name.as_str()).or_default().push(connector);
            }
        }
        let bound = current.flows.values().flat_map(|flow| match flow {
            CurrentFlow::Found(steps) => steps.values().collect(),
            CurrentFlow::Missing(_) => Vec::new(),
        });
        let bound = bound.filter_map(|read| match read {
            Reading::Known(bound) => bound.as_ref(),
            Reading::Unknown(_) => None,
        });
        let mut by_id = BTreeMap::new();
        for connector in bound.chain(list) {
            // Of two that say the same id, the one that has a name says more.
            let known = by_id.entry(&connector.id).or_insert(connector);
            if connector.display_name.is_some() {
                *known = connector;
            }
        }
        let complete = matches!(current.connectors, Some(Reading::Known(_)));
        Self { by_id, by_name, unreadable, complete }
    }

    /// Finds the connector that a file means.
    pub(super) fn resolve(&self, wanted: &ConnectorRef) -> Result<Connector, Diagnostic> {
        match &wanted.by {
            ConnectorKey::Id(id) => self.by_id(id, wanted),
            ConnectorKey::Name(name) => self.by_name(name, wanted),
            ConnectorKey::IdAndName(id, name) => {
                self.readable(wanted)?;
                let connector = self.by_id(id, wanted)?;
                if connector.display_name.as_ref() == Some(name) {
                    return Ok(connector);
                }
                let actual = connector.display_name.as_deref().map_or("no displayName".into(), quoted);
                Err(Diagnostic::error(format!(
                    "the connector `{id}` is not called `{name}`: it has {actual}"
                ))
                .at(&wanted.span)
                .hint("let `id` and `displayName` fit the same connector, or keep one of them"))
            }
        }
    }

    fn by_id(&self, id: &ConnectorId, wanted: &ConnectorRef) -> Result<Connector, Diagnostic> {
        match self.by_id.get(id) {
            Some(connector) => Ok((*connector).clone()),
            // Where the connectors were not read, an id stands for itself.
            None if !self.complete => Ok(Connector { id: id.clone(), display_name: None }),
            None => Err(Diagnostic::error(format!("no connector of the tenant has the id `{id}`"))
                .at(&wanted.span)
                .hint("create the connector first, or name one that is there")),
        }
    }

    fn by_name(&self, name: &str, wanted: &ConnectorRef) -> Result<Connector, Diagnostic> {
        self.readable(wanted)?;
        match self.by_name.get(name).map(Vec::as_slice) {
            Some([connector]) => Ok((*connector).clone()),
            Some(several) if !several.is_empty() => {
                let mut ids: Vec<_> = several.iter().map(|connector| connector.id.to_string()).collect();
                ids.sort_unstable();
                let ids: Vec<_> = ids.iter().map(|id| format!("`{id}`")).collect();
                Err(Diagnostic::error(format!(
                    "{} connectors are called `{name}`: {}",
                    ids.len(),
                    ids.join(", ")
                ))
                .at(&wanted.span)
                .hint("name the one that you mean by its `id`"))
            }
            _ => Err(Diagnostic::error(format!("no connector of the tenant is called `{name}`"))
                .at(&wanted.span)
                .suggest(name, self.by_name.keys().copied())
                .hint("names compare exactly; a connector without a displayName can be named by `id` only")),
        }
    }

    fn readable(&self, wanted: &ConnectorRef) -> Result<(), Diagnostic> {
        match self.unreadable {
            None => Ok(()),
            Some(why) => Err(Diagnostic::error("the tenant's connectors could not be read, so names cannot be resolved")
                .at(&wanted.span)
                .caused_by(why)
                .hint("the app needs the permission `APIConnectors.Read.All` (the documentation says `APIConnectors.ReadWrite.All`); naming connectors by `id` does without")),
        }
    }
}

fn quoted(name: &str) -> String {
    format!("`{name}`")
}
