//! Renders a unified diff of current against desired bindings, in the syntax of a desired-state file.

use std::collections::BTreeMap;

use similar::TextDiff;

use super::document::Document;
use super::escape;
use super::order;
use super::wording::push_line;
use crate::apply::{Outcome, TargetReport};
use crate::model::{Bound, FlowId, Step};
use crate::plan::Target;

/// Renders a diff for each target that differs. For a report, only the applied changes are in the diff. Empty if
/// nothing differs.
pub(super) fn render(document: Document<'_>) -> String {
    match document {
        Document::Plan(plan) | Document::Drift(plan) => plan.targets().map(target_diff).collect(),
        Document::Report(report) => report.targets.iter().map(report_diff).collect(),
    }
}

/// One side of a diff: the steps of each flow, in the order in which flows are added.
#[derive(Default)]
struct Side<'a> {
    flows: Vec<&'a FlowId>,
    steps: BTreeMap<&'a FlowId, BTreeMap<Step, String>>,
}

impl<'a> Side<'a> {
    fn flow(&mut self, flow: &'a FlowId) -> &mut BTreeMap<Step, String> {
        self.steps.entry(flow).or_insert_with(|| {
            self.flows.push(flow);
            BTreeMap::new()
        })
    }

    fn add(&mut self, flow: &'a FlowId, step: Step, value: String) {
        self.flow(flow).insert(step, value);
    }

    fn render(&self) -> String {
        let mut text = String::from("flows:\n");
        for flow in &self.flows {
            push_line(&mut text, format_args!("  {}:", escape::yaml(flow.as_str())));
            for (step, value) in self.steps.get(flow).into_iter().flatten() {
                push_line(&mut text, format_args!("    {step}: {value}"));
            }
        }
        text
    }
}

fn target_diff(target: &Target) -> String {
    let (mut current, mut desired) = (Side::default(), Side::default());
    for flow in order::flows(target) {
        current.flow(flow);
        desired.flow(flow);
    }
    for change in &target.changes {
        current.add(&change.flow, change.step, value(&change.current));
        desired.add(&change.flow, change.step, value(&change.desired));
    }
    for binding in &target.in_sync {
        current.add(&binding.flow, binding.step, value(&binding.current));
        desired.add(&binding.flow, binding.step, value(&binding.current));
    }
    unified(&current, &desired, &target.tenant, &target.file)
}

fn report_diff(target: &TargetReport) -> String {
    let (mut before, mut after) = (Side::default(), Side::default());
    for report in target.changes.iter().filter(|report| matches!(report.outcome, Outcome::Applied(_))) {
        before.add(&report.change.flow, report.change.step, value(&report.change.current));
        after.add(&report.change.flow, report.change.step, value(&report.change.desired));
    }
    unified(&before, &after, &format!("{} before", target.tenant), &format!("{} after", target.tenant))
}

fn unified(one: &Side<'_>, other: &Side<'_>, from: &str, to: &str) -> String {
    let (one, other) = (one.render(), other.render());
    let diff = TextDiff::from_lines(&one, &other);
    diff.unified_diff().context_radius(3).header(&escape::text(from), &escape::text(to)).to_string()
}

/// Returns a binding in the syntax of the file: the name with the id in a comment, the id if there is no
/// name, or `null` if nothing is bound.
fn value(bound: &Bound) -> String {
    match bound {
        None => "null".to_owned(),
        Some(connector) => {
            let id = connector.id.as_str();
            match connector.display_name.as_deref().filter(|name| !name.trim().is_empty()) {
                Some(name) => format!("{}  # {}", escape::yaml(name), escape::text(id)),
                None => escape::yaml(id).into_owned(),
            }
        }
    }
}
