//! How a file builds on others: the rules of merging. Pure, and associative along a chain of files.

use std::collections::BTreeMap;

use super::schema::{Binding, ConnectorEntry, File, Flow, GuardsEntry};
use crate::model::StepMap;

/// What stands where `over` extends `base`: everything of the base but `tenant` and `clientId`, and
/// over it what `over` says. `connectors`, `flows`, their steps and `guards` are merged key by key
/// and field by field, all else is replaced.
pub(super) fn merge(base: File, over: File) -> File {
    File {
        place: over.place,
        unclear: base.unclear.into_iter().chain(over.unclear).collect(),
        version: over.version,
        extends: over.extends,
        tenant: over.tenant,
        client_id: over.client_id,
        cloud: over.cloud.or(base.cloud),
        api: over.api.or(base.api),
        steps: over.steps.or(base.steps),
        connectors: both(base.connectors, over.connectors, connectors),
        flows: both(base.flows, over.flows, flows),
        prune: over.prune.or(base.prune),
        guards: GuardsEntry {
            max_changes: over.guards.max_changes.or(base.guards.max_changes),
            max_disables: over.guards.max_disables.or(base.guards.max_disables),
        },
    }
}

fn both<T>(base: Option<T>, over: Option<T>, merge: impl FnOnce(T, T) -> T) -> Option<T> {
    match (base, over) {
        (Some(base), Some(over)) => Some(merge(base, over)),
        (base, over) => over.or(base),
    }
}

type Connectors = BTreeMap<String, ConnectorEntry>;

fn connectors(mut base: Connectors, over: Connectors) -> Connectors {
    for (name, over) in over {
        let entry = match base.remove(&name) {
            Some(base) => connector(base, over),
            None => over,
        };
        base.insert(name, entry);
    }
    base
}

fn connector(base: ConnectorEntry, over: ConnectorEntry) -> ConnectorEntry {
    ConnectorEntry {
        key: over.key,
        display_name: over.display_name.or(base.display_name),
        id: over.id.or(base.id),
        target_url: over.target_url.or(base.target_url),
        unclear: base.unclear || over.unclear,
    }
}

/// The base's flows in its order, then new ones in theirs.
fn flows(base: Vec<Flow>, over: Vec<Flow>) -> Vec<Flow> {
    let mut over: BTreeMap<_, _> =
        over.into_iter().enumerate().map(|(at, flow)| (flow.id.value.clone(), (at, flow))).collect();
    let mut flows: Vec<_> = base
        .into_iter()
        .map(|base| match over.remove(&base.id.value) {
            Some((_, over)) => Flow { id: over.id, bindings: bindings(base.bindings, over.bindings) },
            None => base,
        })
        .collect();
    let mut new: Vec<_> = over.into_values().collect();
    new.sort_unstable_by_key(|(at, _)| *at);
    flows.extend(new.into_iter().map(|(_, flow)| flow));
    flows
}

fn bindings(mut base: StepMap<Binding>, over: StepMap<Binding>) -> StepMap<Binding> {
    for (step, over) in over {
        let merged = match base.remove(step) {
            Some(base) => binding(base, over),
            None => over,
        };
        base.insert(step, merged);
    }
    base
}

fn binding(base: Binding, over: Binding) -> Binding {
    Binding {
        step: over.step,
        connector: over.connector.or(base.connector),
        protect: over.protect.or(base.protect),
        unclear: base.unclear || over.unclear,
    }
}
