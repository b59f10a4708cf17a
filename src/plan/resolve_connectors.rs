//! Resolves the names and ids of a file to connectors. Names are compared exactly; a name that matches none
//! or several connectors is an error at its location.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, Suggester, clipped};
use crate::model::{
    Certificate, Connector, ConnectorId, ConnectorKey, ConnectorRef, Current, CurrentFlow, ListedConnector,
    NameMistake, Pin, Pins, Reading, StepMap, TargetUrl, contradictions, invisible_difference, spell_out,
};

/// Connectors of a tenant, by id and by name.
pub(super) struct Resolver<'a> {
    /// Connectors that the tenant lists; `None` if they were not read.
    listed: Option<BTreeMap<&'a ConnectorId, &'a ListedConnector>>,
    by_name: BTreeMap<&'a str, Vec<&'a Connector>>,
    /// Connectors that the list has with different content.
    contradictions: BTreeMap<&'a ConnectorId, Vec<&'a ListedConnector>>,
    /// Connectors that came with the bindings, if the list was not read.
    bound: BTreeMap<&'a ConnectorId, &'a Connector>,
    /// Whether reading the list failed.
    is_unreadable: bool,
    pins: &'a Pins,
    suggester: Suggester,
}

/// Connector, with the address that it calls and its certificates if they were read.
pub(super) struct Resolved<'a> {
    pub(super) connector: Connector,
    pub(super) target_url: Option<&'a TargetUrl>,
    pub(super) certificates: &'a [Certificate],
}

impl<'a> Resolver<'a> {
    /// Creates a resolver from what was read, and the pins of the file.
    pub(super) fn new(current: &'a Current, pins: &'a Pins) -> Self {
        let list = current.connectors.known();
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
            contradictions: list.map(|list| contradictions(list)).unwrap_or_default(),
            bound: bound.collect(),
            is_unreadable: current.connectors.error().is_some(),
            pins,
            suggester: Suggester::default(),
        }
    }

    /// Returns the connector that a file names by id, by name or by both, with its address and certificates if the
    /// list of connectors was read. Fails if none or several match, or if the list is needed but unreadable. Without
    /// a list, an id is used as it is.
    pub(super) fn resolve(&self, wanted: &ConnectorRef) -> Result<Resolved<'a>, ResolveError> {
        let connector = match &wanted.key {
            ConnectorKey::Id(id) => self.by_id(id, wanted)?,
            ConnectorKey::Name(name) => self.by_name(name, wanted)?,
            ConnectorKey::IdAndName(id, name) => self.by_both(id, name, wanted)?,
        };
        let listed = self.listed.as_ref().and_then(|listed| listed.get(&connector.id).copied());
        Ok(Resolved {
            connector,
            target_url: listed.and_then(|listed| listed.target_url.as_ref()),
            certificates: listed.map(|listed| listed.certificates.as_slice()).unwrap_or_default(),
        })
    }

    fn by_both(
        &self,
        id: &ConnectorId,
        name: &str,
        wanted: &ConnectorRef,
    ) -> Result<Connector, ResolveError> {
        self.require_list()?;
        let connector = self.by_id(id, wanted)?;
        if connector.display_name.as_deref() == Some(name) {
            return Ok(connector);
        }
        let actual =
            connector.display_name.map_or("no displayName".to_owned(), |actual| format!("`{actual}`"));
        let message = format!("connector `{id}` is named {actual}, not `{name}`");
        Err(Diagnostic::error(Code::ConnectorMismatch, message)
            .at(&wanted.span)
            .hint("correct `id` or `displayName`, or keep one of them")
            .into())
    }

    fn by_id(&self, id: &ConnectorId, wanted: &ConnectorRef) -> Result<Connector, ResolveError> {
        if self.pins.could_apply_to(id) {
            self.require_list()?;
        }
        let Some(listed) = &self.listed else {
            // Without the list, an id is used as it is.
            let bound = self.bound.get(id).map(|connector| (*connector).clone());
            return Ok(bound.unwrap_or_else(|| Connector { id: id.clone(), display_name: None }));
        };
        self.require_readable(id, wanted)?;
        let Some(listed) = listed.get(id) else {
            let problem = missing_connector(id).at(&wanted.span);
            let pinned = self.calling(self.pins.for_id(id));
            let others: Vec<_> = pinned.map(|it| &it.connector).map(described).collect();
            return Err(match others.as_slice() {
                [] => problem.into(),
                others => {
                    let others = others.join(" or ");
                    let hint = format!(
                        "check whether it was deleted and created again: {others} calls the pinned address"
                    );
                    problem.hint(hint).into()
                }
            });
        };
        Ok(listed.connector.clone())
    }

    fn by_name(&self, name: &str, wanted: &ConnectorRef) -> Result<Connector, ResolveError> {
        self.require_list()?;
        for connector in self.by_name.get(name).into_iter().flatten() {
            self.require_readable(&connector.id, wanted)?;
        }
        match self.by_name.get(name).map(Vec::as_slice) {
            Some([connector]) => Ok((*connector).clone()),
            Some(several) if !several.is_empty() => {
                let mut ids: Vec<_> = several.iter().map(|connector| &connector.id).collect();
                ids.sort_unstable();
                let message = format!("{} connectors are named `{name}`", ids.len());
                let problem = Diagnostic::error(Code::ConnectorAmbiguous, message).at(&wanted.span);
                let problem = ids.into_iter().fold(problem, |problem, id| {
                    problem.note(match self.target_url(id) {
                        Some(url) => format!("`{id}` calls {url}"),
                        None => format!("`{id}` has no readable address"),
                    })
                });
                Err(problem.hint("select one of them by its `id`").into())
            }
            _ => Err(self.not_found(name, wanted).into()),
        }
    }

    /// Returns the error for a name that matches no connector. For a likely mistake, such as `off`, it has only the
    /// hint for that. Otherwise it lists names of the tenant, and suggests similar names, or for a pinned name the
    /// connectors that call its address.
    fn not_found(&self, name: &str, wanted: &ConnectorRef) -> Diagnostic {
        const LISTED: usize = 8;
        let message = format!("the tenant has no connector named `{name}`");
        let problem = Diagnostic::error(Code::ConnectorNotFound, message).at(&wanted.span);
        if let Some(mistake) = NameMistake::detect(name) {
            return problem.hint(mistake.hint());
        }
        let look_alikes =
            self.by_name.keys().filter_map(|other| Some((other, invisible_difference(name, other)?)));
        let look_alikes: Vec<_> = look_alikes.take(LISTED).collect();
        if !look_alikes.is_empty() {
            return look_alikes.into_iter().fold(problem, |problem, (other, difference)| {
                problem
                    .note(format!(
                        "`{}` looks like `{}`, but has {difference}",
                        clipped(name, 80),
                        clipped(other, 80)
                    ))
                    .hint(format!("write `{}`", clipped(&spell_out(other), 80)))
            });
        }
        let names: Vec<_> =
            self.by_name.keys().take(LISTED).map(|name| format!("`{}`", clipped(name, 80))).collect();
        let more = self.by_name.len().saturating_sub(LISTED);
        let problem = match (names.is_empty(), more) {
            (true, _) => problem.note("the tenant has no connector with a displayName"),
            (false, 0) => problem.note(format!("connectors of the tenant: {}", names.join(", "))),
            (false, more) => {
                problem.note(format!("connectors of the tenant: {} and {more} more", names.join(", ")))
            }
        };
        let problem = if self.pins.for_name(name).next().is_some() {
            // A similar name is not suggested for a pinned connector, because it may be another check.
            let renamed = self.calling(self.pins.for_name(name));
            let renamed: Vec<_> = renamed
                .filter_map(|listed| listed.connector.display_name.as_ref())
                .map(|name| format!("`{}`", clipped(name, 80)))
                .collect();
            match renamed.as_slice() {
                [] => problem,
                names => problem.hint(format!(
                    "check whether it was renamed: {} calls the pinned address",
                    names.join(" or ")
                )),
            }
        } else {
            self.suggester.suggest(problem, name, self.by_name.keys().copied())
        };
        problem.hint("create the connector first, or correct the name; names are case-sensitive")
    }

    /// Returns the name by which readers know a connector, also if it cannot be resolved: its displayName if only this
    /// connector has it, otherwise the id of the file.
    pub(super) fn label(&self, wanted: &ConnectorRef) -> String {
        match &wanted.key {
            ConnectorKey::Name(name) => name.clone(),
            ConnectorKey::Id(id) | ConnectorKey::IdAndName(id, _) => {
                let listed = self.listed.as_ref().and_then(|listed| listed.get(id).copied());
                let name = listed.and_then(|listed| listed.connector.display_name.as_deref());
                let is_unique = |name: &&str| self.by_name.get(name).is_some_and(|named| named.len() == 1);
                name.filter(is_unique).unwrap_or(id.as_str()).to_owned()
            }
        }
    }

    /// Returns whether the list of connectors was read and does not have this one.
    pub(super) fn is_deleted(&self, id: &ConnectorId) -> bool {
        self.listed.as_ref().is_some_and(|listed| !listed.contains_key(id))
    }

    fn target_url(&self, id: &ConnectorId) -> Option<&TargetUrl> {
        self.listed.as_ref()?.get(id)?.target_url.as_ref()
    }

    /// Returns the connectors that call the address of all these pins; none without a pin.
    fn calling(&self, pins: impl Iterator<Item = &'a Pin>) -> impl Iterator<Item = &'a ListedConnector> {
        let pins: Vec<_> = pins.map(|pin| &*pin.url).collect();
        let listed = self.listed.iter().flat_map(BTreeMap::values).copied();
        let readable = listed.filter(|listed| !self.contradictions.contains_key(&listed.connector.id));
        readable.filter(move |listed| {
            let calls = |url| !pins.is_empty() && pins.iter().all(|pin| *pin == url);
            listed.target_url.as_ref().is_some_and(calls)
        })
    }

    /// Fails if the list has the connector with different content.
    fn require_readable(&self, id: &ConnectorId, wanted: &ConnectorRef) -> Result<(), ResolveError> {
        let Some(items) = self.contradictions.get(id) else { return Ok(()) };
        let message = format!("connector `{id}` is unreadable: the tenant lists it with different content");
        let problem = Diagnostic::error(Code::ConnectorUnreadable, message).at(&wanted.span);
        let problem = items.iter().fold(problem, |problem, listed| {
            let name = described(&listed.connector);
            problem.note(match &listed.target_url {
                Some(url) => format!("{name} calls {url}"),
                None => format!("{name} has no readable address"),
            })
        });
        let hint = "run again: the connector may have changed while the list was read";
        Err(ResolveError::Unreadable(Box::new(problem.hint(hint))))
    }

    fn require_list(&self) -> Result<(), ResolveError> {
        if self.is_unreadable { Err(ResolveError::NotListed) } else { Ok(()) }
    }
}

/// Why a connector could not be resolved.
pub(super) enum ResolveError {
    /// The list of connectors could not be read, which is one problem for all names.
    NotListed,
    /// The list has the connector with different content.
    Unreadable(Box<Diagnostic>),
    /// The name or id does not select one connector.
    Invalid(Box<Diagnostic>),
}

/// Creates the error of an id that no connector of the tenant has.
pub(super) fn missing_connector(id: &ConnectorId) -> Diagnostic {
    let message = format!("the tenant has no connector with the id `{id}`");
    Diagnostic::error(Code::ConnectorNotFound, message).hint("correct the id, or create the connector first")
}

/// Returns name and id of a connector.
fn described(connector: &Connector) -> String {
    match &connector.display_name {
        Some(name) => format!("`{}` (`{}`)", clipped(name, 80), connector.id),
        None => format!("`{}`", connector.id),
    }
}

impl From<Diagnostic> for ResolveError {
    fn from(problem: Diagnostic) -> Self {
        Self::Invalid(Box::new(problem))
    }
}
