//! The way back from an apply: files that give each changed binding its value from before.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::report::{ChangeReport, OutcomeKind, Report, ReportedChange, TargetReport};
use crate::diagnostic::{Source, SourceLocation, Span};
use crate::model::{
    ConnectorKey, ConnectorRef, Desired, DesiredBinding, DesiredFlow, Guards, Pins, Step, StepMap,
};
use crate::plan::UndoneChange;

/// Desired state that takes back the changes of one file.
#[derive(Debug, Clone)]
pub struct Undo {
    /// File with the values from before, which is read as it is.
    pub desired: Desired,
    /// Changes that are taken back.
    pub changes: Vec<UndoneChange>,
}

/// Returns what takes back the changes of a report that were applied or may have been. `name` is the file of the report,
/// for locations of changes without one. Targets without such a change are left out.
pub fn undo(report: &Report, name: &str) -> Vec<Undo> {
    let span = Source::new(name, "").span(0..0);
    let undo_target = |target: &TargetReport| {
        let is_sent =
            |it: &&ChangeReport| matches!(it.outcome.kind(), OutcomeKind::Applied | OutcomeKind::Unverified);
        let changes = target.changes.iter().filter(is_sent).map(|it| undone_change(&it.change, &span));
        let changes: Vec<_> = changes.collect();
        (!changes.is_empty()).then(|| Undo { desired: desired(target, &changes, &span), changes })
    };
    report.targets.iter().filter_map(undo_target).collect()
}

fn undone_change(change: &ReportedChange, span: &Span) -> UndoneChange {
    let ReportedChange { flow, step, current, desired, protected, source, .. } = change.clone();
    let source = source.unwrap_or_else(|| SourceLocation::from(span));
    UndoneChange { flow, step, before: current, set: desired, protected, source }
}

fn desired(target: &TargetReport, changes: &[UndoneChange], span: &Span) -> Desired {
    let mut flows: Vec<DesiredFlow> = Vec::new();
    let mut positions = BTreeMap::new();
    for UndoneChange { flow, step, before, protected, .. } in changes {
        let reference = |id| Arc::new(ConnectorRef { key: ConnectorKey::Id(id), span: span.clone() });
        let connector = before.as_ref().map(|connector| reference(connector.id.clone()));
        let protect = protected.then(|| span.clone());
        let binding = DesiredBinding { connector, span: span.clone(), protect, hold: None };
        let at = *positions.entry(flow).or_insert(flows.len());
        match flows.get_mut(at) {
            Some(flow) => _ = flow.bindings.insert(*step, binding),
            None => flows.push(DesiredFlow {
                id: flow.clone(),
                span: span.clone(),
                bindings: StepMap::from_iter([(*step, binding)]),
            }),
        }
    }
    let mut steps: Vec<Step> = changes.iter().map(|change| change.step).collect();
    steps.sort_unstable();
    steps.dedup();
    Desired {
        file: target.file.clone(),
        tenant: target.tenant.clone(),
        client_id: target.client_id.clone(),
        cloud: target.cloud,
        api: target.api,
        steps,
        flows,
        pins: Pins::default(),
        prune: None,
        guards: Guards::default(),
        is_limited: true,
        lists_connectors: changes.iter().any(|change| change.before.is_some()),
    }
}
