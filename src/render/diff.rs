//! Renders a unified diff of current against desired bindings, in the syntax of a desired-state file.

use similar::TextDiff;

use super::document::Document;
use super::escape;
use super::order::{self, FlowSteps};
use super::wording::push_line;
use crate::apply::{ChangeReport, Outcome, TargetReport};
use crate::model::{Bound, Connector};
use crate::plan::Target;

/// Renders a diff for each target that differs. For a report, only the applied changes are in the diff. Empty if
/// nothing differs.
pub(super) fn render(document: Document<'_>) -> String {
    match document {
        Document::Plan(plan) | Document::Drift(plan) => plan.targets().map(target_diff).collect(),
        Document::Report(report) => report.targets.iter().map(report_diff).collect(),
    }
}

/// Values of bindings before and after.
type Bindings<'a> = FlowSteps<'a, [&'a Bound; 2]>;

fn target_diff(target: &Target) -> String {
    let mut bindings = Bindings::new(order::flows(target));
    for it in &target.changes {
        bindings.flow(&it.flow).insert(it.step, [&it.current, &it.desired]);
    }
    for it in &target.in_sync {
        bindings.flow(&it.flow).insert(it.step, [&it.current, &it.current]);
    }
    unified(&bindings, &target.tenant, &target.file)
}

fn report_diff(target: &TargetReport) -> String {
    let mut bindings = Bindings::new(Vec::new());
    for ChangeReport { change, outcome } in &target.changes {
        if let Outcome::Applied(_) = outcome {
            bindings.flow(&change.flow).insert(change.step, [&change.current, &change.desired]);
        }
    }
    unified(&bindings, &format!("{} before", target.tenant), &format!("{} after", target.tenant))
}

fn unified(bindings: &Bindings<'_>, from: &str, to: &str) -> String {
    let before = render_side(bindings, |[before, _]| before);
    let after = render_side(bindings, |[_, after]| after);
    let diff = TextDiff::from_lines(&before, &after);
    diff.unified_diff().context_radius(3).header(&escape::text(from), &escape::text(to)).to_string()
}

fn render_side<'a>(bindings: &Bindings<'a>, side: fn([&'a Bound; 2]) -> &'a Bound) -> String {
    let mut text = String::from("flows:\n");
    for (flow, steps) in bindings.iter() {
        push_line(&mut text, format_args!("  {}:", escape::yaml(flow.as_str())));
        for (step, values) in steps {
            push_line(&mut text, format_args!("    {step}: {}", value(side(*values))));
        }
    }
    text
}

/// Returns a binding in the syntax of the file: the name with the id in a comment, the id if there is no
/// name, or `null` if nothing is bound.
fn value(bound: &Bound) -> String {
    let Some(Connector { id, display_name }) = bound else { return "null".to_owned() };
    match display_name.as_deref().filter(|name| !name.trim().is_empty()) {
        Some(name) => format!("{}  # {}", escape::yaml(name), escape::text(id.as_str())),
        None => escape::yaml(id.as_str()).into_owned(),
    }
}
