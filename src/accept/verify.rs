//! Compares a file before and after its edits.

use std::collections::{BTreeMap, BTreeSet};

use super::changes::Changes;
use super::connectors::Connectors;
use super::edit::Edit;
use crate::desired::Document;
use crate::model::{ConnectorId, Desired, DesiredBinding, DesiredFlow, DesiredHold, FlowKey, Step};

/// Returns whether a file has exactly the wanted values after the edits, and every other value from before.
pub(super) fn is_exact(
    (old, new): (&Document, &Document),
    connectors: &Connectors<'_>,
    changes: &Changes,
    edits: &[Edit],
) -> bool {
    let wanted = wanted_values(edits);
    has_equal_settings(old.desired(), new.desired())
        && *changes.steps.as_ref().unwrap_or(&old.desired().steps) == new.desired().steps
        && has_wanted_bindings((old.desired(), new.desired()), connectors, &wanted)
        && has_wanted_short_names((old, new), changes)
        && edits.iter().all(|edit| has_valid_pins(new.desired(), connectors, edit))
}

fn has_equal_settings(old: &Desired, new: &Desired) -> bool {
    let settings = |desired: &Desired| {
        let Desired {
            file: _,
            tenant,
            client_id,
            cloud,
            api,
            steps: _,
            flows: _,
            pins: _,
            prune,
            guards,
            is_limited: _,
            lists_connectors: _,
        } = desired;
        let prune = prune.as_ref().map(|(prune, _)| *prune);
        (tenant.clone(), client_id.clone(), *cloud, *api, prune, guards.clone())
    };
    settings(old) == settings(new)
}

/// Wanted connectors of the bindings that are edited.
type Wanted<'a> = BTreeMap<(FlowKey<'a>, Step), Option<&'a ConnectorId>>;

fn wanted_values(edits: &[Edit]) -> Wanted<'_> {
    let binding = |edit| match edit {
        &Edit::Binding { ref flow, step, ref connector } => {
            Some(((flow.into(), step), connector.as_ref().map(|connector| &connector.id)))
        }
        Edit::Pin { .. } => None,
    };
    edits.iter().filter_map(binding).collect()
}

fn has_wanted_bindings(
    (old, new): (&Desired, &Desired),
    connectors: &Connectors<'_>,
    wanted: &Wanted<'_>,
) -> bool {
    let (old, new) = (flows(old), flows(new));
    let edited: BTreeSet<_> = wanted.keys().map(|(flow, _)| *flow).collect();
    let is_kept = |(key, flow): (&FlowKey<'_>, &&DesiredFlow)| {
        new.get(key).is_some_and(|new| {
            new.id == flow.id && flow.bindings.iter().all(|(step, _)| new.bindings.contains_key(step))
        })
    };
    let is_bound = |(flow, step): &(FlowKey<'_>, Step)| {
        new.get(flow).is_some_and(|flow| flow.bindings.contains_key(*step))
    };
    let is_expected = |(key, flow): (&FlowKey<'_>, &&DesiredFlow)| {
        let before = old.get(key);
        let mut bindings = flow.bindings.iter();
        (before.is_some() || edited.contains(key))
            && bindings.all(|(step, binding)| {
                let before = before.and_then(|flow| flow.bindings.get(step));
                has_wanted_value(before, binding, connectors, wanted.get(&(*key, step)))
            })
    };
    old.iter().all(is_kept) && wanted.keys().all(is_bound) && new.iter().all(is_expected)
}

fn flows(desired: &Desired) -> BTreeMap<FlowKey<'_>, &DesiredFlow> {
    desired.flows.iter().map(|flow| (FlowKey::from(&flow.id), flow)).collect()
}

/// Returns whether a binding has the wanted value, or without one that of before. `protect` and `hold` never change.
fn has_wanted_value(
    before: Option<&DesiredBinding>,
    binding: &DesiredBinding,
    connectors: &Connectors<'_>,
    wanted: Option<&Option<&ConnectorId>>,
) -> bool {
    let key = |binding: &DesiredBinding| binding.connector.as_ref().map(|connector| connector.key.clone());
    let has_value = match wanted {
        Some(wanted) => {
            let key = binding.connector.as_ref().map(|connector| &connector.key);
            key.map(|key| connectors.resolve(key)) == wanted.map(Some)
        }
        None => before.is_some_and(|before| key(before) == key(binding)),
    };
    let hold = |binding: &DesiredBinding| {
        let held = |hold: &DesiredHold| hold.connector.as_ref().map(|connector| connector.key.clone());
        binding.hold.as_deref().map(|hold| (held(hold), hold.until, hold.reason.clone()))
    };
    has_value
        && binding.protect.is_some() == before.is_some_and(|before| before.protect.is_some())
        && hold(binding) == before.and_then(hold)
}

/// Returns whether exactly the planned short names and addresses are new.
fn has_wanted_short_names((old, new): (&Document, &Document), changes: &Changes) -> bool {
    let mut expected = old.short_names().cloned();
    for (short, url) in &changes.pins {
        if let Some(entry) = expected.as_mut().and_then(|expected| expected.get_mut(short)) {
            entry.pin = Some(url.clone().into());
        }
    }
    if let Some(expected) = &mut expected {
        expected.extend(changes.entries.iter().map(|(short, entry)| (short.clone(), entry.clone())));
    }
    expected.as_ref() == new.short_names()
}

/// Returns whether the pins of the connector of an edit hold, if the tenant has its address.
fn has_valid_pins(new: &Desired, connectors: &Connectors<'_>, edit: &Edit) -> bool {
    let (Edit::Binding { connector: Some(connector), .. } | Edit::Pin { connector }) = edit else {
        return true;
    };
    let url = connectors.target_url(&connector.id);
    url.is_none_or(|url| new.pins.for_connector(connector).all(|pin| *pin.url == *url))
}
