//! Renders drift as an HTML page: each flow and connector that differs, the most dangerous first, then the others.

use std::collections::BTreeMap;

use super::super::escape::xml;
use super::super::html::{Page, article, portal_label, section};
use super::super::names::Names;
use super::super::wording::{one_line, pluralize, push_line};
use super::wording::{self, Sides};
use crate::diagnostic::Severity;
use crate::drift::{Difference, Drift, Kind, Subject, TargetDrift};
use crate::model::{FlowId, Step};

const CHOICES: [(&str, &str); 11] = [
    ("differs", "what differs"),
    ("missing", "not called any more"),
    ("changed", "another connector"),
    ("dangling", "deleted connector"),
    ("unresolved", "unresolved name"),
    ("address", "another address"),
    ("certificate", "certificate expires"),
    ("added", "added"),
    ("unmanaged", "not in the file"),
    ("unreadable", "could not be read"),
    ("same", "as in the file"),
];

/// Renders drift as a complete HTML page. `at` is the time of the run in RFC 3339.
pub(crate) fn render(drift: &Drift, at: &str) -> String {
    let mut targets: Vec<_> = drift.targets.iter().collect();
    // The most dangerous difference of all tenants is seen without scrolling.
    targets.sort_by_key(|target| danger(target.differences.first()));
    let page = Page {
        title: wording::title(drift, "Drift"),
        command: "drift",
        at,
        fingerprint: None,
        limit: drift.limit.as_ref(),
        errors: &drift.errors,
        choices: &CHOICES,
    };
    let differs = drift.is_drifted() != Some(false);
    page.render(differs, targets.into_iter().map(target_section))
}

/// Returns the position of the kind of a difference; those without a difference come last.
fn danger(difference: Option<&Difference>) -> (bool, Option<Kind>) {
    (difference.is_none(), difference.map(|difference| difference.kind))
}

fn target_section(target: &TargetDrift) -> String {
    let names = wording::names(target);
    let mut cards = Cards::default();
    for difference in &target.differences {
        let cell = difference_cell(difference, &names);
        match &difference.subject {
            Subject::Binding(flow, step) => cards.flow(flow).push((Some(*step), cell)),
            Subject::Flow(flow) => cards.flow(flow).push((None, cell)),
            Subject::Connector(connector) => cards.card(names.connector(connector)).push((None, cell)),
        }
    }
    for it in &target.unreadable {
        let reason = it.error.cause.to_string();
        let cell = cell("unreadable differs", Some(it.step), "could not be read", &[], &[reason]);
        cards.flow(&it.flow).push((Some(it.step), cell));
    }
    for it in &target.in_sync {
        let cell = cell("same", Some(it.step), "", &[names.bound(&it.current)], &[]);
        cards.flow(&it.flow).push((Some(it.step), cell));
    }
    for it in &target.unmanaged {
        let cell = cell("unmanaged", Some(it.step), "not in the file", &[names.bound(&it.current)], &[]);
        cards.flow(&it.flow).push((Some(it.step), cell));
    }
    let unchanged = match target.in_sync.len() {
        0 => String::new(),
        number => format!(": {} unchanged", pluralize(number, "binding", "bindings")),
    };
    section(
        &target.tenant,
        &format!("From {}{unchanged}.", target.file),
        &notes(target, &names),
        cards.render(),
    )
}

/// Cells of a card with their steps, for their order.
type Cells = Vec<(Option<Step>, String)>;

/// Cards of flows and connectors, in the order in which they were added, each with its cells.
#[derive(Default)]
struct Cards {
    cards: Vec<(String, Cells)>,
    positions: BTreeMap<String, usize>,
}

impl Cards {
    fn flow(&mut self, flow: &FlowId) -> &mut Cells {
        self.card(flow.as_str().to_owned())
    }

    /// Returns the cells of a card, which is added if it is new.
    fn card(&mut self, name: String) -> &mut Cells {
        let at = *self.positions.entry(name.clone()).or_insert(self.cards.len());
        if at == self.cards.len() {
            self.cards.push((name, Vec::new()));
        }
        #[expect(clippy::indexing_slicing, reason = "the position is below the length")]
        &mut self.cards[at].1
    }

    /// Renders each card with its cells in the order of the steps.
    fn render(self) -> impl Iterator<Item = String> {
        self.cards.into_iter().map(|(name, mut cells)| {
            cells.sort_by_key(|(step, _)| *step);
            let cells: String = cells.into_iter().map(|(_, cell)| cell).collect();
            article(&name, &cells)
        })
    }
}

/// Renders a difference: a sentence, then what the file says and what the tenant has.
fn difference_cell(difference: &Difference, names: &Names<'_>) -> String {
    let Sides { file, tenant } = Sides::new(difference, names);
    let sentence = match difference.kind {
        Kind::Missing => format!("not called any more, although the file says {file}"),
        Kind::Changed => format!("{tenant} is called, although the file says {file}"),
        Kind::Dangling => "the connector was deleted, but is still bound".to_owned(),
        Kind::Unresolved if difference.subject.step().is_none() => {
            "the tenant does not have this flow".to_owned()
        }
        Kind::Unresolved => {
            "no connector of the tenant has the name in the file, or several have it".to_owned()
        }
        Kind::Address => "the connector calls another address than its pin".to_owned(),
        Kind::Certificate if difference.tenant.is_none() => {
            "the connector has no active certificate".to_owned()
        }
        Kind::Certificate => "the certificate of the connector expires or has expired".to_owned(),
        Kind::Added => format!("{tenant} is called, although the file says nothing"),
        Kind::Unmanaged => format!("{tenant} is called, but is not in the file"),
    };
    let age = wording::age(difference).map(|age| format!(" ({age})")).unwrap_or_default();
    let sides = [format!("file says: {file}"), format!("tenant has: {tenant}")];
    let source = difference.source.as_ref().map(|source| format!("{}:{}", source.file, source.line));
    let reasons: Vec<_> = difference.note.clone().into_iter().chain(source).collect();
    let class = format!("{} differs", difference.kind.name());
    cell(&class, difference.subject.step(), &format!("{sentence}{age}"), &sides, &reasons)
}

/// Renders a cell as a list item: the step as the portal names it, a label if it is not empty, values and reasons.
fn cell(class: &str, step: Option<Step>, label: &str, values: &[String], reasons: &[String]) -> String {
    let mut cell = format!("<li class=\"{class}\">\n");
    if let Some(step) = step {
        push_line(&mut cell, format_args!("<span class=\"step\">{}</span>", portal_label(step)));
    }
    if !label.is_empty() {
        push_line(&mut cell, format_args!("<span class=\"label\">{}</span>", xml(label)));
    }
    for (class, texts) in [("bound", values), ("reason", reasons)] {
        for text in texts {
            push_line(&mut cell, format_args!("<span class=\"{class}\">{}</span>", xml(text)));
        }
    }
    cell + "</li>\n"
}

/// Returns the notes of a target with their classes: unreadable bindings by cause, warnings, held bindings, and what is
/// resolved.
fn notes(target: &TargetDrift, names: &Names<'_>) -> Vec<(&'static str, String)> {
    let mut notes: Vec<_> = target
        .problems()
        .iter()
        .map(|problem| {
            let class = if problem.severity == Severity::Warning { "warning" } else { "alarm" };
            (class, format!("[{}] {}", problem.code, one_line(problem)))
        })
        .collect();
    notes.extend(wording::held(target, names).iter().map(|it| ("warning", it.one_line())));
    notes.extend(target.resolved.iter().map(|it| {
        let subject = wording::subject(&it.subject, names);
        ("", format!("Resolved since the last run: {} {subject}", it.kind.name()))
    }));
    notes
}
