//! Renders drift as a Markdown comment, for an issue or a pull request.

use super::super::markdown::{
    Layout, Section, beginning, location, marker, page, problem_items, target_line,
};
use super::super::names::Names;
use super::super::prose::{self, code};
use super::actions::Actions;
use super::wording::{self, Sides};
use crate::diagnostic::Severity;
use crate::drift::{Difference, Drift, Kind, Subject, TargetDrift};

/// Renders drift as a Markdown comment within `limit` bytes. It begins with an invisible marker of its kind.
pub(crate) fn render(drift: &Drift, limit: usize) -> String {
    let targets: Vec<_> = drift.targets.iter().map(|target| (target, wording::names(target))).collect();
    let several = drift.has_several_tenants();
    let layout = Layout { names_tenants: targets.len() > 1 };
    let mut rows: Vec<(Kind, String)> = targets
        .iter()
        .flat_map(|(target, names)| {
            let rows = target.differences.iter();
            rows.map(|it| (it.kind, layout.row(&target.tenant, &cells(it, names))))
        })
        .collect();
    rows.sort_by_key(|(kind, _)| *kind);
    let notes = targets.iter().flat_map(|(target, _)| {
        let notes = target.notes().into_iter();
        notes.map(|note| layout.item(&target.tenant, &prose::message(note)))
    });
    let held = targets.iter().flat_map(|(target, names)| {
        let held = wording::held(target, names);
        held.iter().map(|it| layout.held(&target.tenant, it)).collect::<Vec<_>>()
    });
    let resolved = targets.iter().flat_map(|(target, names)| {
        let resolved = target.resolved.iter();
        resolved.map(|it| layout.item(&target.tenant, &resolved_item(it, names)))
    });
    let head = layout.table_head(&["", "Flow", "Step", "File says", "Tenant has", "Where"]);
    let problems = drift.problems();
    let sections = [
        Section::new(head, rows.into_iter().map(|(_, row)| row).collect(), "differences"),
        Section::list("Notes", notes.collect(), "notes"),
        Section::list("Held", held.collect(), "held bindings"),
        Section::list("Errors", problem_items(&problems, several, Severity::Error), "errors"),
        Section::list("Resolved since the last run", resolved.collect(), "resolved differences"),
        Section::list("Warnings", problem_items(&problems, several, Severity::Warning), "warnings"),
        actions(drift),
    ];
    let lines = drift.targets.iter().map(|target| {
        let TargetDrift { tenant, cloud, api, file, in_sync, .. } = target;
        target_line(tenant, (*cloud, *api), file, None, in_sync.len())
    });
    let end =
        drift.fingerprint().map(|it| format!("\nFingerprint of the drift: `{it}`\n")).unwrap_or_default();
    let title = wording::title(drift, "drift");
    let marker = marker("drift", drift.label.as_ref());
    page(&beginning(&marker, &title, drift.limit.as_ref(), lines.collect()), &sections, &end, limit)
}

/// Returns the cells of a difference: kind, flow or connector, step, both sides, and location.
fn cells(difference: &Difference, names: &Names<'_>) -> [String; 6] {
    let kind = difference.kind.name();
    let mark =
        if difference.kind.is_dangerous() { format!("⛔ **{kind}**") } else { format!("⚠️ {kind}") };
    let age = wording::age(difference).map(|age| format!(" ({age})")).unwrap_or_default();
    let (subject, step) = match &difference.subject {
        Subject::Binding(flow, step) => (flow.as_str().to_owned(), step.name()),
        Subject::Flow(flow) => (flow.as_str().to_owned(), ""),
        Subject::Connector(connector) => (names.connector(connector), ""),
    };
    let Sides { file, tenant } = Sides::new(difference, names);
    let source = difference.source.as_ref().map(location).unwrap_or_default();
    [format!("{mark}{age}"), code(&subject), step.to_owned(), code(&file), code(&tenant), source]
}

fn resolved_item(difference: &Difference, names: &Names<'_>) -> String {
    format!("{} {}", difference.kind.name(), code(&wording::subject(&difference.subject, names)))
}

/// Renders what to do, folded.
fn actions(drift: &Drift) -> Section {
    let Actions { revert, accept, advice } = Actions::new(drift);
    let commands = |heading: &str, commands: &[String]| {
        let commands = commands.iter().map(|it| format!("- {heading}: {}\n", code(it)));
        commands.collect::<Vec<_>>()
    };
    let mut items = commands("revert the tenant to the file, after a review", &revert);
    items.extend(commands("accept what the tenant has", &accept));
    items.extend(
        advice.iter().map(|(kind, advice)| format!("- {}: {}\n", kind.name(), prose::message(advice))),
    );
    Section::folded("What to do", "\n", items, "actions")
}
