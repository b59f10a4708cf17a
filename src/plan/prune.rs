//! Pruning: adds the bindings that a file manages through `prune` without listing them.
//!
//! The comparison then treats them like listed bindings and needs no special case.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::model::{Current, Desired, DesiredBinding, FlowId, Prune, StepMap};

/// Flow of a file or of the tenant, with its managed bindings.
pub(super) struct ManagedFlow<'a> {
    pub(super) id: &'a FlowId,
    /// Location in the file, if the file lists the flow.
    pub(super) span: Option<&'a Span>,
    pub(super) bindings: Cow<'a, StepMap<DesiredBinding>>,
}

/// Returns the flows of a file, in its order, then the unlisted flows that were read, sorted by id. Bindings that
/// the file prunes are added as unbound.
pub(super) fn flows<'a>(desired: &'a Desired, current: &'a Current) -> Vec<ManagedFlow<'a>> {
    let listed: BTreeSet<_> = desired.flows.iter().map(|flow| &flow.id).collect();
    let others = current.flows.keys().filter(|id| !listed.contains(id));
    let listed = desired.flows.iter().map(|flow| ManagedFlow {
        id: &flow.id,
        span: Some(&flow.span),
        bindings: Cow::Borrowed(&flow.bindings),
    });
    let others = others.map(|id| ManagedFlow { id, span: None, bindings: Cow::default() });
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
            let nothing = DesiredBinding { connector: None, span: span.clone(), protect: false };
            flow.bindings.to_mut().insert(step, nothing);
        }
    }
    flow
}

/// Returns the error for a flow list that was requested and could not be read; otherwise `None`.
pub(super) fn unreadable_list_error(desired: &Desired, current: &Current) -> Option<Diagnostic> {
    let error = current.flow_list.error()?;
    let problem = |message| Diagnostic::error(Code::FlowsUnreadable, message);
    Some(error.explain(match &desired.prune {
        Some((Prune::Flows, span)) => {
            problem("cannot list the tenant's user flows, which `prune: flows` needs").at(span)
        }
        _ => problem("cannot list the tenant's user flows"),
    }))
}
