//! What a file names → the connector that it means. Names compare exactly; what fits none or
//! several is an error at the place of the name.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Suggester};
use crate::model::{
    Advice, Connector, ConnectorId, ConnectorKey, ConnectorRef, Current, CurrentFlow, ListedConnector, Pins,
    Reading, StepMap, TargetUrl, Unread,
};

/// The connectors of a tenant, by what a file may call them.
pub(super) struct Resolver<'a> {
    /// Those that the tenant lists; `None` where they were not read.
    listed: Option<BTreeMap<&'a ConnectorId, &'a ListedConnector>>,
    by_name: BTreeMap<&'a str, Vec<&'a Connector>>,
    /// Those that came along with the bindings, where they were not read otherwise.
    bound: BTreeMap<&'a ConnectorId, &'a Connector>,
    /// Why the connectors could not be read, where they could not.
    unreadable: Option<&'a Unread>,
    pins: &'a Pins,
    suggester: Suggester,
}

/// A connector, and the address that it calls where it was read.
pub(super) struct Resolved {
    pub(super) connector: Connector,
    pub(super) target_url: Option<TargetUrl>,
}

impl<'a> Resolver<'a> {
    /// Takes what was read, and what the file pins.
    pub(super) fn new(current: &'a Current, pins: &'a Pins) -> Self {
        let (list, unreadable) = match &current.connectors {
            Some(Reading::Known(list)) => (Some(list), None),
            Some(Reading::Unknown(unread)) => (None, Some(unread)),
            None => (None, None),
        };
        let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for ListedConnector { connector, .. } in list.into_iter().flatten() {
            if let Some(name) = &connector.display_name {
                by_name.entry(name.as_str()).or_default().push(connector);
            }
        }
        let flows = current.flows.values().filter(|_| list.is_none());
        let found = flows.filter_map(|flow| match flow {
            CurrentFlow::Found(steps) => Some(steps),
            CurrentFlow::Missing(_) => None,
        });
        let bound = found.flat_map(StepMap::values).filter_map(|read| match read {
            Reading::Known(bound) => bound.as_ref().map(|connector| (&connector.id, connector)),
            Reading::Unknown(_) => None,
        });
        Self {
            listed: list.map(|list| list.iter().map(|listed| (&listed.connector.id, listed)).collect()),
            by_name,
            bound: bound.collect(),
            unreadable,
            pins,
            suggester: Suggester::default(),
        }
    }

    /// Finds the connector that a file means.
    pub(super) fn resolve(&self, wanted: &ConnectorRef) -> Result<Resolved, Diagnostic> {
        let connector = match &wanted.key {
            ConnectorKey::Id(id) => self.by_id(id, wanted)?,
            ConnectorKey::Name(name) => self.by_name(name, wanted)?,
            ConnectorKey::IdAndName(id, name) => self.by_both(id, name, wanted)?,
        };
        let listed = self.listed.as_ref().and_then(|listed| listed.get(&connector.id));
        Ok(Resolved { target_url: listed.and_then(|listed| listed.target_url.clone()), connector })
    }

    fn by_both(&self, id: &ConnectorId, name: &str, wanted: &ConnectorRef) -> Result<Connector, Diagnostic> {
        self.readable(wanted)?;
        let connector = self.by_id(id, wanted)?;
        if connector.display_name.as_deref() == Some(name) {
            return Ok(connector);
        }
        let actual =
            connector.display_name.map_or("no displayName".to_owned(), |actual| format!("`{actual}`"));
        Err(Diagnostic::error(format!("the connector `{id}` is not called `{name}`: it has {actual}"))
            .at(&wanted.span)
            .hint("let `id` and `displayName` fit the same connector, or keep one of them"))
    }

    fn by_id(&self, id: &ConnectorId, wanted: &ConnectorRef) -> Result<Connector, Diagnostic> {
        if self.pins.could_apply_to(id) {
            self.readable(wanted)?;
        }
        let Some(listed) = &self.listed else {
            // Where the connectors were not read, an id stands for itself.
            let bound = self.bound.get(id).map(|connector| (*connector).clone());
            return Ok(bound.unwrap_or_else(|| Connector { id: id.clone(), display_name: None }));
        };
        match listed.get(id) {
            Some(listed) => Ok(listed.connector.clone()),
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
            _ => {
                let problem = Diagnostic::error(format!("no connector of the tenant is called `{name}`"));
                let problem =
                    self.suggester.suggest(problem.at(&wanted.span), name, self.by_name.keys().copied());
                Err(problem.hint(
                    "names compare exactly; a connector without a displayName can be named by `id` only",
                ))
            }
        }
    }

    fn readable(&self, wanted: &ConnectorRef) -> Result<(), Diagnostic> {
        let Some(Unread { why, advice }) = self.unreadable else { return Ok(()) };
        let problem = Diagnostic::error(
            "the tenant's connectors could not be read, so names and pins cannot be checked",
        )
        .at(&wanted.span)
        .caused_by(&**why);
        Err(match advice {
            Some(Advice { problem: cause, hint }) => problem.caused_by(*cause).hint(*hint),
            None => problem,
        })
    }
}
