//! Pruning: what a file does not mention and still manages, since it says `prune`.
//!
//! It is a transformation of what is desired, ahead of the comparison, which then has no special
//! case.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Span};
use crate::model::{Current, Desired, DesiredBinding, FlowId, Prune, Reading, StepMap};

/// A flow that was read, and what of it is managed.
pub(super) struct Managed<'a> {
    pub(super) id: &'a FlowId,
    /// Where the file lists it, if it does.
    pub(super) span: Option<&'a Span>,
    pub(super) bindings: Cow<'a, StepMap<DesiredBinding>>,
}

/// The flows of a file, in its order, and those beyond it that were read, by id; with the bindings
/// that are to be nothing because the file prunes them.
pub(super) fn flows<'a>(desired: &'a Desired, current: &'a Current) -> Vec<Managed<'a>> {
    let listed: BTreeSet<_> = desired.flows.iter().map(|flow| &flow.id).collect();
    let others = current.flows.keys().filter(|id| !listed.contains(id));
    let listed = desired.flows.iter().map(|flow| Managed {
        id: &flow.id,
        span: Some(&flow.span),
        bindings: Cow::Borrowed(&flow.bindings),
    });
    let others = others.map(|id| Managed { id, span: None, bindings: Cow::default() });
    listed.chain(others).map(|flow| pruned(flow, desired)).collect()
}

fn pruned<'a>(mut flow: Managed<'a>, desired: &Desired) -> Managed<'a> {
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

/// Where all flows are asked for and cannot be listed, the plan is not whole.
pub(super) fn unreadable_list(desired: &Desired, current: &Current) -> Option<Diagnostic> {
    let Some(Reading::Unknown(unread)) = &current.flow_list else { return None };
    let problem = match &desired.prune {
        Some((Prune::Flows, span)) => {
            Diagnostic::error("the list of flows could not be read, which `prune: flows` needs").at(span)
        }
        _ => Diagnostic::error("the list of flows could not be read"),
    };
    Some(problem.caused_by(&*unread.why))
}
