//! Managed bindings: those that a file lists, and those that it manages through `prune`.
//!
//! Pruned bindings become bindings to nothing, so that the comparison needs no special case.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::diagnostic::Span;
use crate::model::{
    Current, CurrentFlow, Desired, DesiredBinding, FlowId, FlowKey, Ownership, Prune, Scope, StepMap,
};

/// Flow of a file or of the tenant, with its managed bindings.
pub(super) struct ManagedFlow<'a> {
    pub(super) id: &'a FlowId,
    /// Location in the file, if the file lists the flow.
    pub(super) span: Option<&'a Span>,
    pub(super) bindings: Cow<'a, StepMap<DesiredBinding>>,
}

/// Returns the owners of the bindings of one tenant, by the positions of its files.
pub(super) fn ownership(files: &[Desired]) -> Ownership<'_, usize> {
    let mut owners = Ownership::default();
    for (at, file) in files.iter().enumerate() {
        file.managed_bindings().for_each(|(flow, step)| owners.add(flow, step, at));
        if file.prunes_flows() {
            owners.add_pruning(file.steps.clone(), at);
        }
    }
    owners
}

/// Returns the flows of a file, in its order. If the file or the run covers all flows, appends the unlisted flows
/// of the tenant, sorted by id. Bindings that the file prunes are added as unbound.
pub(super) fn managed_flows<'a>(desired: &'a Desired, current: &'a Current) -> Vec<ManagedFlow<'a>> {
    let covers_all = current.scope == Scope::All || desired.prunes_flows();
    let candidates = Some(&current.flows).filter(|_| covers_all);
    let listed = desired.flows.iter().filter(|_| covers_all).map(|flow| FlowKey::from(&flow.id));
    let listed: BTreeSet<_> = listed.collect();
    let others = candidates.into_iter().flatten().filter(|(id, state)| {
        matches!(state, CurrentFlow::Found(_)) && !listed.contains(&FlowKey::from(*id))
    });
    let listed = desired.flows.iter().map(|flow| ManagedFlow {
        id: &flow.id,
        span: Some(&flow.span),
        bindings: Cow::Borrowed(&flow.bindings),
    });
    let others = others.map(|(id, _)| ManagedFlow { id, span: None, bindings: Cow::default() });
    listed.chain(others).map(|flow| add_pruned_bindings(flow, desired)).collect()
}

fn add_pruned_bindings<'a>(mut flow: ManagedFlow<'a>, desired: &Desired) -> ManagedFlow<'a> {
    let span = match &desired.prune {
        Some((Prune::Flows, span)) => span,
        Some((Prune::Steps, span)) if flow.span.is_some() => span,
        _ => return flow,
    };
    for step in desired.steps.iter().copied() {
        if !flow.bindings.contains_key(step) {
            let nothing = DesiredBinding { connector: None, span: span.clone(), protect: None, hold: None };
            flow.bindings.to_mut().insert(step, nothing);
        }
    }
    flow
}
