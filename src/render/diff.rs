//! A unified diff of what is bound against what is wanted, in the syntax of a desired-state file.

use std::collections::BTreeMap;

use similar::TextDiff;

use super::document::Document;
use super::escape;
use super::order;
use super::text::line;
use crate::apply::{Outcome, TargetReport};
use crate::model::{Bound, FlowId, Step};
use crate::plan::{Change, InSync, Target};

/// Draws a diff for each tenant that differs; of a report, what it changed.
pub(super) fn render(document: Document<'_>) -> String {
    match document {
        Document::Plan(plan) | Document::Drift(plan) => plan.targets.iter().map(of_target).collect(),
        Document::Report(report) => report.targets.iter().map(of_report).collect(),
    }
}

/// The lines of a side: a flow's steps, by flow in the order in which flows appear.
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

    fn draw(&self) -> String {
        let mut text = String::from("flows:\n");
        for flow in &self.flows {
            line(&mut text, format_args!("  {}:", escape::yaml(flow.as_str())));
            for (step, value) in self.steps.get(flow).into_iter().flatten() {
                line(&mut text, format_args!("    {step}: {value}"));
            }
        }
        text
    }
}

fn of_target(target: &Target) -> String {
    let (mut current, mut desired) = (Side::default(), Side::default());
    for flow in order::flows(target) {
        current.flow(flow);
        desired.flow(flow);
    }
    for Change { flow, step, current: is, desired: wanted, .. } in &target.changes {
        current.add(flow, *step, value(is));
        desired.add(flow, *step, value(wanted));
    }
    for InSync { flow, step, current: is, source: _ } in &target.in_sync {
        current.add(flow, *step, value(is));
        desired.add(flow, *step, value(is));
    }
    unified(&current, &desired, &target.tenant, &target.file)
}

fn of_report(target: &TargetReport) -> String {
    let (mut before, mut after) = (Side::default(), Side::default());
    for report in target.changes.iter().filter(|report| report.outcome == Outcome::Applied) {
        before.add(&report.change.flow, report.change.step, value(&report.change.current));
        after.add(&report.change.flow, report.change.step, value(&report.change.desired));
    }
    unified(&before, &after, &format!("{} before", target.tenant), &format!("{} after", target.tenant))
}

fn unified(one: &Side<'_>, other: &Side<'_>, from: &str, to: &str) -> String {
    let (one, other) = (one.draw(), other.draw());
    let diff = TextDiff::from_lines(&one, &other);
    diff.unified_diff().context_radius(3).header(&escape::text(from), &escape::text(to)).to_string()
}

/// A binding as the file writes it: by name where there is one, and with the id beside it.
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
