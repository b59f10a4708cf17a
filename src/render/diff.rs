//! Renders a unified diff of current against desired bindings, in the syntax of a desired-state file.

use similar::TextDiff;

use super::escape;
use super::hold;
use super::names::Names;
use super::order::{self, FlowSteps};
use super::wording::{describe_limit, push_line};
use crate::apply::{ChangeReport, Outcome, Report, TargetReport};
use crate::model::{Bound, Connector, Label};
use crate::plan::{Limit, Plan, Target};

/// Renders a diff for each target of a plan that differs, and its held bindings as comments. Empty if nothing differs
/// and nothing is held.
pub(super) fn render_plan(plan: &Plan) -> String {
    with_scope(plan.label.as_ref(), plan.limit.as_ref(), plan.targets().map(target_diff).collect())
}

/// Renders a diff of the applied changes for each target of a report, and its held bindings as comments. Empty if none
/// was applied and nothing is held.
pub(super) fn render_report(report: &Report) -> String {
    with_scope(report.label.as_ref(), report.limit.as_ref(), report.targets.iter().map(report_diff).collect())
}

/// Returns a diff below the label and the limit of its run, which programs that apply a diff ignore.
pub(super) fn with_scope(label: Option<&Label>, limit: Option<&Limit>, diff: String) -> String {
    if diff.is_empty() {
        return diff;
    }
    let label = label.map(|label| format!("# Label: {label}\n")).unwrap_or_default();
    let limit = limit.map(|limit| format!("# {}\n", describe_limit(limit))).unwrap_or_default();
    label + &limit + &diff
}

/// Values of bindings before and after, in the syntax of the file.
pub(super) type Bindings<'a> = FlowSteps<'a, [String; 2]>;

fn target_diff(target: &Target) -> String {
    let mut bindings = Bindings::new(order::flows(target));
    for it in &target.changes {
        bindings.flow(&it.flow).insert(it.step, [value(&it.current), value(&it.desired)]);
    }
    for it in &target.in_sync {
        bindings.flow(&it.flow).insert(it.step, [value(&it.current), value(&it.current)]);
    }
    let held = hold::of_target(target, &Names::from_target(target));
    hold::comments(&held) + &unified(&render_sides(&bindings), &target.tenant, &target.file)
}

fn report_diff(target: &TargetReport) -> String {
    let mut bindings = Bindings::new(Vec::new());
    for ChangeReport { change, outcome } in &target.changes {
        if let Outcome::Applied(_) = outcome {
            bindings.flow(&change.flow).insert(change.step, [value(&change.current), value(&change.desired)]);
        }
    }
    let (from, to) = (format!("{} before", target.tenant), format!("{} after", target.tenant));
    let held = hold::of_report(target, &Names::from_report(target));
    hold::comments(&held) + &unified(&render_sides(&bindings), &from, &to)
}

/// Returns a unified diff of two texts with these names; empty if they are equal.
pub(super) fn unified([before, after]: &[String; 2], from: &str, to: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(3).header(&escape::text(from), &escape::text(to)).to_string()
}

/// Renders the values before and after as two files.
pub(super) fn render_sides(bindings: &Bindings<'_>) -> [String; 2] {
    let mut texts = ["flows:\n", "flows:\n"].map(str::to_owned);
    for (flow, steps) in bindings.iter() {
        for text in &mut texts {
            push_line(text, format_args!("  {}:", escape::yaml(flow.as_str())));
        }
        for (step, values) in steps {
            for (text, value) in texts.iter_mut().zip(values) {
                push_line(text, format_args!("    {step}: {value}"));
            }
        }
    }
    texts
}

/// Returns a binding in the syntax of the file: the name with the id in a comment, the id if there is no
/// name, or `null` if nothing is bound.
pub(super) fn value(bound: &Bound) -> String {
    bound.as_ref().map_or("null".to_owned(), connector)
}

/// Returns a connector in the syntax of the file, as [`value`] does.
pub(super) fn connector(Connector { id, display_name }: &Connector) -> String {
    match display_name.as_deref().filter(|name| !name.trim().is_empty()) {
        Some(name) => format!("{}  # {}", escape::yaml(name), escape::text(id.as_str())),
        None => escape::yaml(id.as_str()).into_owned(),
    }
}

/// Renders a unified diff of two texts of a file, ready for `git apply`. Characters that a terminal would interpret are
/// escaped; tabs and line ends stay.
pub fn file_diff(name: &str, old: &str, new: &str) -> String {
    // Git rejects a path that begins with `./`.
    let name = name.trim_start_matches("./");
    let diff = unified(&[old, new].map(str::to_owned), &format!("a/{name}"), &format!("b/{name}"));
    let escape_line = |line: &str| {
        let text = line.trim_end_matches(['\r', '\n']);
        let end = line.strip_prefix(text).unwrap_or_default();
        let cells: Vec<_> = text.split('\t').map(escape::text).collect();
        cells.join("\t") + end
    };
    diff.split_inclusive('\n').map(escape_line).collect()
}
