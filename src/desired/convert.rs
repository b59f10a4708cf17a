//! Converts a composed file to values without the details of its text.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::decoder::Spanned;
use super::files::NamedFile;
use super::schema::{Binding, ConnectorEntry, File, HoldEntry};
use crate::diagnostic::Span;
use crate::model::{
    ConnectorId, ConnectorKey, ConnectorRef, Desired, DesiredBinding, DesiredFlow, DesiredHold, GuardLimit,
    Guards, Pin, Pins, Prune, Step, TargetUrl, is_guid,
};

/// Converts a valid file to the desired state. Returns `None` if a required key is missing, which `check`
/// reports.
pub(super) fn to_desired(NamedFile { name, file }: NamedFile) -> Option<Desired> {
    let steps = file.step_list();
    // Most files are not the base of another one, so that nothing is copied.
    let File { tenant, client_id, cloud, api, connectors, flows, prune, guards, .. } =
        Arc::unwrap_or_clone(file);
    let (mut by_short_name, mut pins) = (BTreeMap::new(), Pins::default());
    for (name, mut entry) in connectors.unwrap_or_default() {
        let pin = entry.target_url.take();
        let Some(connector) = from_short_name(entry) else { continue };
        if let Some(pin) = pin {
            pins.insert(&connector.key, Pin { url: pin.value, span: pin.span });
        }
        by_short_name.insert(name, Arc::new(connector));
    }
    let connector = |value: Option<String>, span: &Span| {
        value.map(|name| match by_short_name.get(&name) {
            Some(connector) => Arc::clone(connector),
            None => Arc::new(from_literal(name, span.clone())),
        })
    };
    let hold = |hold: Spanned<Option<HoldEntry>>| {
        let HoldEntry { bind, until: Spanned { value: until, span }, reason } = hold.value?;
        let connector = bind.and_then(|Spanned { value, span }| connector(value, &span));
        Some(Box::new(DesiredHold { connector, until, reason: reason.value, span }))
    };
    let binding = |(step, binding): (Step, Binding)| {
        let Spanned { value, span } = binding.connector?;
        let connector = connector(value, &span);
        let protect = binding.protect.filter(|protect| protect.value).map(|protect| protect.span);
        Some((step, DesiredBinding { connector, span, protect, hold: binding.hold.and_then(hold) }))
    };
    let flows = flows?
        .into_iter()
        .map(|flow| DesiredFlow {
            id: flow.id.value,
            span: flow.id.span,
            bindings: flow.bindings.into_iter().filter_map(binding).collect(),
        })
        .collect();
    Some(Desired {
        file: name,
        tenant: tenant?.value,
        client_id: client_id.map(|id| id.value.to_ids()),
        cloud: cloud.map(|cloud| cloud.value).unwrap_or_default(),
        api: api.map(|api| api.value).unwrap_or_default(),
        steps,
        flows,
        pins,
        prune: prune.map(|prune| (prune.value, prune.span)).filter(|(prune, _)| *prune != Prune::None),
        is_limited: false,
        lists_connectors: false,
        guards: Guards {
            max_changes: guards.max_changes.map(guard_limit),
            max_disables: guards.max_disables.map_or(Guards::default().max_disables, guard_limit),
        },
    })
}

/// Connector with a short name in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortName {
    /// Key by which the connector is looked up in the tenant.
    pub key: ConnectorKey,
    /// Address to which the connector is pinned.
    pub pin: Option<Arc<TargetUrl>>,
}

/// Returns the short names of a valid file; `None` without the key `connectors`.
pub(super) fn short_names(file: &File) -> Option<BTreeMap<String, ShortName>> {
    let short_name = |(name, entry): (&String, &ConnectorEntry)| {
        let pin = entry.target_url.as_ref().map(|pin| Arc::clone(&pin.value));
        Some((name.clone(), ShortName { key: from_short_name(entry.clone())?.key, pin }))
    };
    Some(file.connectors.as_ref()?.iter().filter_map(short_name).collect())
}

fn guard_limit(Spanned { value: number, span }: Spanned<u32>) -> GuardLimit {
    GuardLimit { number, span: Some(span) }
}

/// Returns the connector of an entry under `connectors`; `None` if the entry has neither id nor name.
fn from_short_name(entry: ConnectorEntry) -> Option<ConnectorRef> {
    let (key, span) = match (entry.id, entry.display_name) {
        (Some(id), Some(name)) => (ConnectorKey::IdAndName(id.value, name.value), id.span),
        (Some(id), None) => (ConnectorKey::Id(id.value), id.span),
        (None, Some(name)) => (ConnectorKey::Name(name.value), name.span),
        (None, None) => return None,
    };
    Some(ConnectorRef { key, span })
}

/// Returns the connector of a binding without a short name: a GUID is always an id, any other text a
/// displayName.
fn from_literal(name: String, span: Span) -> ConnectorRef {
    let id = is_guid(&name).then(|| ConnectorId::parse(&name).ok()).flatten();
    ConnectorRef { key: id.map_or(ConnectorKey::Name(name), ConnectorKey::Id), span }
}
