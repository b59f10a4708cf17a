//! Renders an HTML page for owners of a sign-up who do not read YAML: for each tenant its flows, each as a row of
//! steps with the connectors that they call. The page is self-contained: its content security policy allows only
//! the script and the style inside it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::document::Document;
use super::escape::xml;
use super::names::Names;
use super::order::{self, FlowSteps, blockers_and_pins};
use super::wording::{self, one_line, pluralize, push_line};
use crate::apply::{ChangeReport, TargetReport};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Action, Step};
use crate::plan::{Drift, Problem, Target};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Renders a document as a complete HTML page: a header with the title, the errors and the filter, then a
/// section for each target. `at` is the time of the run in RFC 3339.
pub(super) fn render(document: Document<'_>, at: &str) -> String {
    let (targets, errors): (Vec<_>, _) = match document {
        Document::Plan(plan) | Document::Drift(plan) => {
            (plan.targets().map(|target| plan_target(target, plan.drift)).collect(), &plan.errors())
        }
        Document::Report(report) => (report.targets.iter().map(report_target).collect(), &report.errors),
    };
    let fingerprint = document.fingerprint().filter(|_| !matches!(document, Document::Drift(_)));
    let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)));
    let policy = format!("default-src 'none'; style-src {}; script-src {}", hash(STYLE), hash(SCRIPT));
    let (title, command, at) = (xml(&title(document)), document.command(), xml(at));
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
    for Problem { diagnostic, tenant } in errors {
        let tenant = tenant.as_ref().map(|tenant| format!("{tenant}: ")).unwrap_or_default();
        let note = format!("{tenant}[{}] {}", diagnostic.code, one_line(diagnostic));
        push_line(&mut page, format_args!("<p class=\"note alarm\">{}</p>", xml(&note)));
    }
    push_filter(&mut page, document);
    page.push_str("</header>\n<main>\n");
    for target in &targets {
        target.write_to(&mut page);
    }
    if targets.is_empty() {
        page.push_str("<p>No tenant was read.</p>\n");
    }
    push_line(&mut page, format_args!("</main>\n<script>{SCRIPT}</script>\n</body>\n</html>"));
    page
}

/// Appends the form that filters the flows by text and by state. The choices of states depend on the kind of
/// document; the value of each choice is a class of the cells that it selects.
fn push_filter(page: &mut String, document: Document<'_>) {
    let choices: &[(&str, &str)] = match document {
        Document::Plan(_) | Document::Drift(_) => &[
            ("differs", "what differs"),
            ("enable", "enable"),
            ("replace", "replace"),
            ("disable", "disable"),
            ("dangling", "deleted connector"),
            ("unreadable", "could not be read"),
            ("unmanaged", "not in the file"),
        ],
        Document::Report(_) => &[
            ("differs", "what is not done"),
            ("applied", "applied"),
            ("already", "already"),
            ("failed", "failed"),
            ("unverified", "unverified"),
            ("not-attempted", "not attempted"),
        ],
    };
    page.push_str(
        "<form id=\"filter\" role=\"search\">\n\
         <label>Flow or connector <input type=\"search\" name=\"text\" autocomplete=\"off\"></label>\n\
         <label>Show <select name=\"action\">\n<option value=\"\">everything</option>\n",
    );
    for (class, label) in choices {
        push_line(page, format_args!("<option value=\"{class}\">{label}</option>"));
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
    /// Whether the bound connector was deleted.
    is_dangling: bool,
    label: String,
    current: String,
    desired: Option<String>,
    reason: Option<String>,
}

impl HtmlTarget<'_> {
    /// Appends the section as HTML.
    fn write_to(&self, page: &mut String) {
        let Self { name, description, notes, flows } = self;
        let (name, description) = (xml(name), xml(description));
        push_line(page, format_args!("<section class=\"tenant\">\n<h2>{name}</h2>\n<p>{description}</p>"));
        for (class, note) in notes {
            push_line(page, format_args!("<p class=\"note {class}\">{}</p>", xml(note)));
        }
        for (flow, steps) in flows.iter() {
            let name = xml(flow.as_str());
            push_line(page, format_args!("<article class=\"flow\">\n<h3>{name}</h3>\n<ol class=\"steps\">"));
            for (step, cell) in steps {
                cell.write_to(page, *step);
            }
            page.push_str("</ol>\n</article>\n");
        }
        page.push_str("</section>\n");
    }
}

impl StepCell {
    fn new(state: &'static str, label: &str, current: String) -> Self {
        Self { state, label: label.to_owned(), current, ..Self::default() }
    }

    /// Appends the cell of a step as an HTML list item.
    fn write_to(&self, page: &mut String, step: Step) {
        let Self { state, differs, is_dangling, label, current, desired, reason } = self;
        let dangling = if *is_dangling { " dangling" } else { "" };
        let differs = if *differs { " differs" } else { "" };
        push_line(page, format_args!("<li class=\"{state}{dangling}{differs}\">"));
        push_line(page, format_args!("<span class=\"step\">{}</span>", portal_label(step)));
        let desired = desired.as_deref().map(xml);
        let desired = desired.map(|desired| format!(" <span class=\"to\">→</span> <b>{desired}</b>"));
        let (current, desired) = (xml(current), desired.unwrap_or_default());
        push_line(page, format_args!("<span class=\"bound\">{current}{desired}</span>"));
        if !label.is_empty() {
            push_line(page, format_args!("<span class=\"label\">{}</span>", xml(label)));
        }
        let deleted = is_dangling.then_some("the connector was deleted");
        for reason in deleted.into_iter().chain(reason.as_deref()) {
            push_line(page, format_args!("<span class=\"reason\">{}</span>", xml(reason)));
        }
        page.push_str("</li>\n");
    }
}

/// Returns the label of a step in the Azure portal.
fn portal_label(step: Step) -> &'static str {
    match step {
        Step::PostFederationSignup => "After federating with an identity provider during sign-up",
        Step::PostAttributeCollection => "Before creating the user",
        Step::PreTokenIssuance => "Before sending the token",
    }
}

/// Returns the title of the page: the kind of document with its status, then the counts, or whether the
/// tenants drifted.
fn title(document: Document<'_>) -> String {
    match document {
        Document::Plan(_) => wording::title(document, "Plan", "No changes"),
        Document::Drift(plan) => match plan.is_drifted() {
            Some(true) => format!("Drift{}: the tenants differ from their files", document.status_suffix()),
            Some(false) => "No drift".to_owned(),
            None => "Drift is unknown, because not everything could be read".to_owned(),
        },
        Document::Report(_) => wording::title(document, "Apply", "Nothing to do"),
    }
}

fn plan_target(target: &Target, drift: Option<Drift>) -> HtmlTarget<'_> {
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
        let cell = StepCell {
            differs: drift.is_some_and(|drift| drift.strict),
            ..StepCell::new("unmanaged", "not in the file", names.bound(&it.current))
        };
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
    // A deleted connector is shown in addition to the state of its binding.
    for it in target.dangling.iter().filter(|_| drift.is_some()) {
        let cell = flows.flow(&it.flow).entry(it.step).or_insert_with(|| same(&it.current));
        (cell.is_dangling, cell.differs) = (true, true);
    }
    let unchanged = match target.in_sync.len() {
        0 => String::new(),
        number => format!(": {} unchanged", pluralize(number, "binding", "bindings")),
    };
    let description = format!("From {}{unchanged}.", target.file);
    HtmlTarget { name: &target.tenant, description, notes: plan_notes(target, &names, drift), flows }
}

/// Returns the notes of a target with their classes.
fn plan_notes(target: &Target, names: &Names<'_>, drift: Option<Drift>) -> Vec<(&'static str, String)> {
    let mut notes = Vec::new();
    let (blockers, pins) = blockers_and_pins(target, drift.is_some());
    for blocker in blockers {
        // Blockers do not concern drift.
        let class = if drift.is_none() { "alarm" } else { "warning" };
        notes.push((class, format!("Blocked [{}]: {}", blocker.code(), one_line(&blocker.diagnostic()))));
    }
    for pin in pins {
        let name = names.connector(&pin.connector);
        notes.push(("alarm", format!("[{}] {name}: {}", Code::PinMismatch, wording::describe_pin(pin))));
    }
    if !target.overrides.is_empty() {
        notes.push(("warning", format!("Planned with {}", wording::override_flags(target))));
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
    let description = format!("Results of the changes, through {}", target.graph_url);
    HtmlTarget { name: &target.tenant, description, notes: Vec::new(), flows }
}
