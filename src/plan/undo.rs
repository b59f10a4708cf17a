//! Checks of a plan that takes changes back: the tenant still has what they set, and what they replaced still exists.

use std::collections::BTreeMap;

use super::binding::{Change, InSync, UnresolvedName};
use super::blocker::Blocker;
use super::tenant::TenantPlan;
use crate::diagnostic::SourceLocation;
use crate::model::{Action, Bound, FlowId, FlowKey, Step, bound_id};

/// Change of an earlier apply that is to be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoneChange {
    /// The flow.
    pub flow: FlowId,
    /// The step.
    pub step: Step,
    /// Value before the change, which the binding gets again.
    pub before: Bound,
    /// Value that the change set.
    pub set: Bound,
    /// Whether the file protected the binding.
    pub protected: bool,
    /// Location of the value in the file.
    pub source: SourceLocation,
}

/// Checks the plan of a tenant whose files are made of these changes. Adds a blocker for each binding that no longer has
/// what the change set, unless it has the old value again, and for each old connector that was deleted. Locations become
/// those of the files, and the plan names its `report`.
pub fn check_undo(plan: &mut TenantPlan, report: &str, undone: &[UndoneChange]) {
    let by_binding: BTreeMap<_, _> =
        undone.iter().map(|it| ((FlowKey::from(&it.flow), it.step), it)).collect();
    let find = |flow: &FlowId, step: Step| by_binding.get(&(FlowKey::from(flow), step)).copied();
    for target in &mut plan.targets {
        target.undo = Some(report.to_owned());
        let mut deleted = Vec::new();
        for unresolved in std::mem::take(&mut target.unresolved) {
            let UnresolvedName::Connector { step, current, .. } = &unresolved.missing else {
                target.unresolved.push(unresolved);
                continue;
            };
            plan.errors.retain(|error| *error != unresolved.problem);
            target.not_compared = target.not_compared.saturating_sub(unresolved.not_compared);
            deleted.extend(find(&unresolved.flow, *step).map(|undone| (undone, current.clone())));
        }
        for (UndoneChange { flow, step, before, protected, source, .. }, current) in deleted {
            let Some(connector) = before.clone() else { continue };
            let (flow, step, source) = (flow.clone(), *step, source.clone());
            let Some(action) = Action::from_values(current.as_ref(), Some(&connector)) else {
                target.in_sync.push(InSync { flow, step, current, hold: None, source });
                continue;
            };
            target.changes.push(Change {
                flow: flow.clone(),
                step,
                action,
                current,
                desired: Some(connector.clone()),
                protected: *protected,
                pin: None,
                hold: None,
                source: source.clone(),
            });
            target.blockers.push(Blocker::UndoDeleted { flow, step, connector, source });
        }
        for it in &mut target.in_sync {
            it.source = find(&it.flow, it.step).map_or(it.source.clone(), |undone| undone.source.clone());
        }
        for change in &mut target.changes {
            let Some(UndoneChange { set, source, .. }) = find(&change.flow, change.step) else { continue };
            change.source = source.clone();
            if bound_id(&change.current) != bound_id(set) {
                target.blockers.push(Blocker::UndoStale {
                    flow: change.flow.clone(),
                    step: change.step,
                    set: set.clone(),
                    current: change.current.clone(),
                    source: source.clone(),
                });
            }
        }
        for blocker in &mut target.blockers {
            if let Blocker::Protected { flow, step, source, .. } = blocker {
                *source = find(flow, *step).map_or(source.clone(), |undone| undone.source.clone());
            }
        }
    }
}
