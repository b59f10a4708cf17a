//! Renders an HTML page for owners of a sign-up who do not read YAML: for each tenant its flows, each as a row of
//! steps with the connectors that they call. The page is self-contained: its content security policy allows only
//! the script and the style inside it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::escape;
use super::escape::xml;
use super::hold;
use super::names::Names;
use super::order::{self, FlowSteps, unblocking_pins};
use super::wording::{self, one_line, pluralize, push_line};
use crate::apply::{ChangeReport, Report, TargetReport};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Action, Step};
use crate::plan::{Limit, Plan, Problem, Target};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Renders a plan as a complete HTML page. `at` is the time of the run in RFC 3339.
pub(super) fn render_plan(plan: &Plan, at: &str) -> String {
    let labeled = |name| wording::labeled(name, plan.label.as_ref());
    let title = wording::plan_title(plan, &labeled("Plan"), &labeled("No changes"));
    let (fingerprint, errors) = (plan.fingerprint(), plan.errors());
    let targets: Vec<_> = plan.targets().map(|target| plan_target(plan, target)).collect();
    let page = Page {
        title,
        command: "plan",
        at,
        fingerprint,
        limit: plan.limit.as_ref(),
        errors: &errors,
        choices: &PLAN_CHOICES,
    };
    page.render(targets.iter().any(HtmlTarget::differs), targets.iter().map(HtmlTarget::render))
}

/// Renders a report as a complete HTML page. `at` is the time of the run in RFC 3339.
pub(super) fn render_report(report: &Report, at: &str) -> String {
    let labeled = |name| wording::labeled(name, report.label.as_ref());
    let title = wording::report_title(report, &labeled("Apply"), &labeled("Nothing to do"));
    let fingerprint = report.fingerprint.as_deref().map(escape::fingerprint);
    let targets: Vec<_> = report.targets.iter().map(report_target).collect();
    let errors = &report.errors;
    let page = Page {
        title,
        command: "apply",
        at,
        fingerprint,
        limit: report.limit.as_ref(),
        errors,
        choices: &REPORT_CHOICES,
    };
    page.render(targets.iter().any(HtmlTarget::differs), targets.iter().map(HtmlTarget::render))
}

/// Choices of the filter: classes of the cells that they select, with their labels.
type Choices = [(&'static str, &'static str)];

const PLAN_CHOICES: [(&str, &str); 6] = [
    ("differs", "what differs"),
    ("enable", "enable"),
    ("replace", "replace"),
    ("disable", "disable"),
    ("unreadable", "could not be read"),
    ("unmanaged", "not in the file"),
];

const REPORT_CHOICES: [(&str, &str); 6] = [
    ("differs", "what is not done"),
    ("applied", "applied"),
    ("already", "already"),
    ("failed", "failed"),
    ("unverified", "unverified"),
    ("not-attempted", "not attempted"),
];

/// Page without its sections.
pub(super) struct Page<'a> {
    pub(super) title: String,
    pub(super) command: &'a str,
    /// Time of the run, in RFC 3339.
    pub(super) at: &'a str,
    /// Fingerprint of the plan, if it has one.
    pub(super) fingerprint: Option<String>,
    pub(super) limit: Option<&'a Limit>,
    pub(super) errors: &'a [Problem],
    pub(super) choices: &'a Choices,
}

impl Page<'_> {
    /// Renders the page: a header with the title, the errors and the filter, then the sections of the tenants. If
    /// anything `differs`, the filter first shows only that.
    pub(super) fn render(self, differs: bool, sections: impl Iterator<Item = String>) -> String {
        let Self { title, command, at, fingerprint, limit, errors, choices } = self;
        let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)));
        let policy = format!("default-src 'none'; style-src {}; script-src {}", hash(STYLE), hash(SCRIPT));
        let (title, at) = (xml(&title), xml(at));
        let mut page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>flowbind: {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <header>\n<h1>{title}</h1>\n<p class=\"at\">flowbind {command}, {at}</p>\n"
        );
        if let Some(fingerprint) = fingerprint {
            push_line(&mut page, format_args!("<p class=\"at\">Fingerprint of the plan: {fingerprint}</p>"));
        }
        if let Some(limit) = limit {
            let limit = xml(&wording::describe_limit(limit));
            push_line(&mut page, format_args!("<p class=\"note warning\">{limit}</p>"));
        }
        for Problem { diagnostic, tenant } in errors {
            let tenant = tenant.as_ref().map(|tenant| format!("{tenant}: ")).unwrap_or_default();
            let note = format!("{tenant}[{}] {}", diagnostic.code, one_line(diagnostic));
            push_line(&mut page, format_args!("<p class=\"note alarm\">{}</p>", xml(&note)));
        }
        push_filter(&mut page, choices, differs);
        page.push_str("</header>\n<main>\n");
        let start = page.len();
        page.extend(sections);
        if page.len() == start {
            page.push_str("<p>No tenant was read.</p>\n");
        }
        push_line(&mut page, format_args!("</main>\n<script>{SCRIPT}</script>\n</body>\n</html>"));
        page
    }
}

/// Appends the form that filters the flows by text and by state.
fn push_filter(page: &mut String, choices: &Choices, differs: bool) {
    page.push_str(
        "<form id=\"filter\" role=\"search\">\n\
         <label>Flow or connector <input type=\"search\" name=\"text\" autocomplete=\"off\"></label>\n\
         <label>Show <select name=\"action\" autocomplete=\"off\">\n<option value=\"\">everything</option>\n",
    );
    for (class, label) in choices {
        let selected = if differs && *class == "differs" { " selected" } else { "" };
        push_line(page, format_args!("<option value=\"{class}\"{selected}>{label}</option>"));
    }
    page.push_str("</select></label>\n<output id=\"shown\"></output>\n</form>\n");
}

/// Section of one tenant, with its flows in display order.
struct HtmlTarget<'a> {
    name: &'a str,
    description: String,
    /// Notes with their classes.
    notes: Vec<(&'static str, String)>,
    flows: FlowSteps<'a, StepCell>,
}

/// Cell of one step of a flow.
#[derive(Default)]
struct StepCell {
    /// State of the binding: a class of the style sheet and of the filter.
    state: &'static str,
    /// Whether the binding counts as a difference, or as not done.
    differs: bool,
    label: String,
    current: String,
    desired: Option<String>,
    reason: Option<String>,
}

impl HtmlTarget<'_> {
    /// Returns whether any cell counts as a difference, or as not done.
    fn differs(&self) -> bool {
        self.flows.iter().any(|(_, steps)| steps.values().any(|cell| cell.differs))
    }

    fn render(&self) -> String {
        let Self { name, description, notes, flows } = self;
        let articles = flows.iter().map(|(flow, steps)| {
            let cells: String = steps.iter().map(|(step, cell)| cell.render(*step)).collect();
            article(flow.as_str(), &cells)
        });
        section(name, description, notes, articles)
    }
}

/// Renders the section of a tenant: its name, a description, notes with their classes, and articles.
pub(super) fn section(
    name: &str,
    description: &str,
    notes: &[(&str, String)],
    articles: impl Iterator<Item = String>,
) -> String {
    let (name, description) = (xml(name), xml(description));
    let mut section = format!("<section class=\"tenant\">\n<h2>{name}</h2>\n<p>{description}</p>\n");
    for (class, note) in notes {
        push_line(&mut section, format_args!("<p class=\"note {class}\">{}</p>", xml(note)));
    }
    section.extend(articles);
    section + "</section>\n"
}

/// Renders the article of a flow or a connector with its cells.
pub(super) fn article(name: &str, cells: &str) -> String {
    let name = xml(name);
    format!("<article class=\"flow\">\n<h3>{name}</h3>\n<ol class=\"steps\">\n{cells}</ol>\n</article>\n")
}

impl StepCell {
    fn new(state: &'static str, label: &str, current: String) -> Self {
        Self { state, label: label.to_owned(), current, ..Self::default() }
    }

    /// Renders the cell of a step as an HTML list item.
    fn render(&self, step: Step) -> String {
        let Self { state, differs, label, current, desired, reason } = self;
        let differs = if *differs { " differs" } else { "" };
        let desired = desired.as_deref().map(xml);
        let desired = desired.map(|desired| format!(" <span class=\"to\">→</span> <b>{desired}</b>"));
        let (current, desired) = (xml(current), desired.unwrap_or_default());
        let mut cell = format!(
            "<li class=\"{state}{differs}\">\n<span class=\"step\">{}</span>\n\
             <span class=\"bound\">{current}{desired}</span>\n",
            portal_label(step)
        );
        if !label.is_empty() {
            push_line(&mut cell, format_args!("<span class=\"label\">{}</span>", xml(label)));
        }
        if let Some(reason) = reason {
            push_line(&mut cell, format_args!("<span class=\"reason\">{}</span>", xml(reason)));
        }
        cell + "</li>\n"
    }
}

/// Returns the label of a step in the Azure portal.
pub(super) fn portal_label(step: Step) -> &'static str {
    match step {
        Step::PostFederationSignup => "After federating with an identity provider during sign-up",
        Step::PostAttributeCollection => "Before creating the user",
        Step::PreTokenIssuance => "Before sending the token",
    }
}

fn plan_target<'a>(plan: &Plan, target: &'a Target) -> HtmlTarget<'a> {
    let names = Names::from_target(target);
    let mut flows = FlowSteps::new(order::flows(target));
    for change in &target.changes {
        let (state, label) = match change.action {
            Action::Enable => ("enable", "will start being called"),
            Action::Replace => ("replace", "will be replaced"),
            Action::Disable => ("disable", "will stop being called"),
        };
        let protected = if change.protected { ", although it is protected" } else { "" };
        let cell = StepCell {
            differs: true,
            desired: Some(names.bound(&change.desired)),
            ..StepCell::new(state, &format!("{label}{protected}"), names.bound(&change.current))
        };
        flows.flow(&change.flow).insert(change.step, cell);
    }
    let same = |current| StepCell::new("same", "", names.bound(current));
    for it in &target.in_sync {
        flows.flow(&it.flow).insert(it.step, same(&it.current));
    }
    for it in &target.unmanaged {
        let cell = StepCell::new("unmanaged", "not in the file", names.bound(&it.current));
        flows.flow(&it.flow).insert(it.step, cell);
    }
    for it in &target.unreadable {
        let cell = StepCell {
            differs: true,
            reason: Some(it.error.cause.to_string()),
            ..StepCell::new("unreadable", "could not be read", "unknown".into())
        };
        flows.flow(&it.flow).insert(it.step, cell);
    }
    let unchanged = match target.in_sync.len() {
        0 => String::new(),
        number => format!(": {} unchanged", pluralize(number, "binding", "bindings")),
    };
    let undo = target.undo.as_ref().map(|report| format!(", undo of {report}")).unwrap_or_default();
    let description = format!("From {}{undo}{unchanged}.", target.file);
    HtmlTarget { name: &target.tenant, description, notes: plan_notes(plan, target, &names), flows }
}

/// Returns the notes of a target with their classes.
fn plan_notes(plan: &Plan, target: &Target, names: &Names<'_>) -> Vec<(&'static str, String)> {
    let mut notes = Vec::new();
    for blocker in plan.blocker_diagnostics(target) {
        notes.push(("alarm", format!("Blocked [{}]: {}", blocker.code, one_line(&blocker))));
    }
    for pin in unblocking_pins(target) {
        let name = names.connector(&pin.connector);
        notes.push(("alarm", format!("[{}] {name}: {}", Code::PinMismatch, wording::describe_pin(pin))));
    }
    notes.extend(hold::of_target(target, names).iter().map(|it| ("warning", it.one_line())));
    if !target.overrides.is_empty() {
        let flags = wording::override_flags(target, plan.needs_scoped_flags());
        notes.push(("warning", format!("Planned with {}", flags)));
    }
    let problem = |it: &Diagnostic| format!("[{}] {}", it.code, one_line(it));
    notes.extend(target.unreadable_causes().iter().map(|cause| ("alarm", problem(cause))));
    notes.extend(target.warnings().iter().map(|warning| ("warning", problem(&warning.diagnostic()))));
    notes
}

fn report_target(target: &TargetReport) -> HtmlTarget<'_> {
    let names = Names::from_report(target);
    let mut flows = FlowSteps::new(Vec::new());
    for ChangeReport { change, outcome } in &target.changes {
        let kind = outcome.kind();
        let error = kind.code().zip(outcome.error()).map(|(id, error)| format!("[{id}] {error}"));
        let request_id = outcome.request_id().filter(|_| !outcome.is_done());
        let request_id = request_id.map(|id| format!("request-id {id}"));
        let hint = outcome.hint().map(str::to_owned);
        let reasons: Vec<_> = error.into_iter().chain(request_id).chain(hint).collect();
        let label = kind.name().replace('-', " ");
        let cell = StepCell {
            differs: !outcome.is_done(),
            desired: Some(names.bound(&change.desired)),
            reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
            ..StepCell::new(kind.name(), &label, names.bound(&change.current))
        };
        flows.flow(&change.flow).insert(change.step, cell);
    }
    let by = target.actor.as_ref().map(|actor| format!(", by {actor}")).unwrap_or_default();
    let description = format!("Results of the changes, through {}{by}", target.graph_url);
    let notes = hold::of_report(target, &names).iter().map(|it| ("warning", it.one_line())).collect();
    HtmlTarget { name: &target.tenant, description, notes, flows }
}
