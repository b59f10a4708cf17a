//! Resolves `extends`: merge order and merge rules.
//!
//! Merging is associative. A file with one base is therefore that base's result, overlaid with the file.

use std::collections::BTreeMap;

use super::schema::{Binding, ConnectorEntry, File, Flow, GuardsEntry};
use crate::model::StepMap;

/// Computes the merge order of all direct and indirect bases of a file, lowest precedence first.
///
/// `bases` holds, for each base in the order of `extends`, the merge order of that base, which ends with the
/// base itself. The result is the C3 linearization: each file occurs once and after its own bases, and if
/// one base overrides another, it does so in every file that extends both.
///
/// # Errors
/// The files of a cycle, if no order satisfies all lists: each must be merged before the one in front of it,
/// and the first before the last.
pub(super) fn merge_order(bases: &[&[usize]]) -> Result<Vec<usize>, Vec<usize>> {
    let list: Vec<_> = bases.iter().filter_map(|base| base.last().copied()).collect();
    let mut remaining: Vec<_> = bases.iter().copied().chain([&*list]).collect();
    let mut heads = BTreeMap::<usize, Vec<usize>>::new();
    // Number of rows in which a file occurs behind the head.
    let mut blocked = BTreeMap::<usize, usize>::new();
    for (at, row) in remaining.iter().enumerate() {
        if let [head, tail @ ..] = row {
            heads.entry(*head).or_default().push(at);
            for file in tail {
                let times = blocked.entry(*file).or_default();
                *times = times.saturating_add(1);
            }
        }
    }
    let (mut order, mut from) = (Vec::new(), 0_usize);
    while let Some(row) = remaining.get(from) {
        if row.is_empty() {
            from = from.saturating_add(1);
            continue;
        }
        let rows = remaining.iter().skip(from);
        let Some(next) = rows.filter_map(|row| row.first()).find(|head| !blocked.contains_key(head)) else {
            return Err(find_cycle(remaining.get(from..).unwrap_or_default()));
        };
        let next = *next;
        order.push(next);
        for at in heads.remove(&next).unwrap_or_default() {
            let Some(row) = remaining.get_mut(at) else { continue };
            *row = row.get(1..).unwrap_or_default();
            if let Some(head) = row.first() {
                heads.entry(*head).or_default().push(at);
                match blocked.get_mut(head) {
                    Some(times) if *times > 1 => *times = times.saturating_sub(1),
                    _ => _ = blocked.remove(head),
                }
            }
        }
    }
    Ok(order)
}

/// Finds a cycle if no file can be merged next. `rows` are the orders of the files still to merge; each first
/// file (head) is behind another head. From a head, goes to the head of a row that has it further back, until
/// a head repeats. Returns the heads of this cycle.
fn find_cycle(rows: &[&[usize]]) -> Vec<usize> {
    let mut visited = Vec::new();
    let mut next = rows.iter().find_map(|row| row.first());
    while let Some(file) = next {
        if let Some(start) = visited.iter().position(|earlier| earlier == file) {
            return visited.split_off(start);
        }
        visited.push(*file);
        next = rows.iter().find(|row| row.iter().skip(1).any(|it| it == file)).and_then(|row| row.first());
    }
    visited
}

/// Merges a file over its base. The base contributes everything except `tenant` and `clientId`.
/// `connectors`, `flows`, their steps and `guards` are merged key by key and field by field; any other value
/// of `over` replaces that of the base.
pub(super) fn merge(base: File, over: File) -> File {
    File {
        span: over.span,
        invalid_keys: base.invalid_keys.into_iter().chain(over.invalid_keys).collect(),
        version: over.version,
        extends: over.extends,
        tenant: over.tenant,
        client_id: over.client_id,
        cloud: over.cloud.or(base.cloud),
        api: over.api.or(base.api),
        steps: over.steps.or(base.steps),
        connectors: merge_option(base.connectors, over.connectors, merge_connectors),
        flows: merge_option(base.flows, over.flows, merge_flows),
        prune: over.prune.or(base.prune),
        guards: GuardsEntry {
            max_changes: over.guards.max_changes.or(base.guards.max_changes),
            max_disables: over.guards.max_disables.or(base.guards.max_disables),
        },
    }
}

fn merge_option<T>(base: Option<T>, over: Option<T>, merge: impl FnOnce(T, T) -> T) -> Option<T> {
    match (base, over) {
        (Some(base), Some(over)) => Some(merge(base, over)),
        (base, over) => over.or(base),
    }
}

type Connectors = BTreeMap<String, ConnectorEntry>;

fn merge_connectors(mut base: Connectors, over: Connectors) -> Connectors {
    for (name, over) in over {
        let entry = merge_option(base.remove(&name), Some(over), merge_connector);
        base.extend(entry.map(|entry| (name, entry)));
    }
    base
}

fn merge_connector(base: ConnectorEntry, over: ConnectorEntry) -> ConnectorEntry {
    ConnectorEntry {
        key: over.key,
        display_name: over.display_name.or(base.display_name),
        id: over.id.or(base.id),
        target_url: over.target_url.or(base.target_url),
        is_invalid: base.is_invalid || over.is_invalid,
    }
}

/// Merges flows: those of the base in its order, then new ones in the order of `over`. A flow in both is
/// merged by step and by field of its binding; `over` wins.
fn merge_flows(base: Vec<Flow>, over: Vec<Flow>) -> Vec<Flow> {
    let mut over: BTreeMap<_, _> =
        over.into_iter().enumerate().map(|(at, flow)| (flow.id.value.clone(), (at, flow))).collect();
    let mut flows: Vec<_> = base
        .into_iter()
        .map(|base| match over.remove(&base.id.value) {
            Some((_, over)) => Flow { id: over.id, bindings: merge_bindings(base.bindings, over.bindings) },
            None => base,
        })
        .collect();
    let mut new: Vec<_> = over.into_values().collect();
    new.sort_unstable_by_key(|(at, _)| *at);
    flows.extend(new.into_iter().map(|(_, flow)| flow));
    flows
}

fn merge_bindings(mut base: StepMap<Binding>, over: StepMap<Binding>) -> StepMap<Binding> {
    for (step, over) in over {
        let binding = merge_option(base.remove(step), Some(over), merge_binding);
        base.extend(binding.map(|binding| (step, binding)));
    }
    base
}

fn merge_binding(base: Binding, over: Binding) -> Binding {
    Binding {
        step: over.step,
        connector: over.connector.or(base.connector),
        protect: over.protect.or(base.protect),
        hold: over.hold.or(base.hold),
        is_invalid: base.is_invalid || over.is_invalid,
    }
}
