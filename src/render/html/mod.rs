//! Renders an HTML page for owners of a sign-up who do not read YAML: for each tenant its flows as rails of
//! steps with the connectors that they call. The page is self-contained: its policy allows only the script
//! and the style inside it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::document::Document;
use super::escape::{self, xml};
use super::order;
use super::report::outcomes;
use super::text::{self, Names, counted, line, one_line};
use crate::apply::{ChangeReport, Report, TargetReport};
use crate::model::{Action, FlowId, Step};
use crate::plan::{Drift, Plan, Problem, Target};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Renders the page. `at` is RFC 3339.
pub(super) fn render(document: Document<'_>, at: &str) -> String {
    let (tenants, errors, fingerprint) = match document {
        Document::Plan(plan) => (of_plan(plan), &plan.errors, plan.fingerprint()),
        Document::Drift(plan) => (of_plan(plan), &plan.errors, None),
        Document::Report(report) => {
            let fingerprint = report.fingerprint.as_deref().map(escape::fingerprint);
            (of_report(report), &report.errors, fingerprint)
        }
    };
    let title = title(document);
    let hash = |text: &str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)));
    let policy = format!("default-src 'none'; style-src {}; script-src {}", hash(STYLE), hash(SCRIPT));
    let mut page = String::new();
    line(
        &mut page,
        format_args!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>flowbind: {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
            title = xml(&title)
        ),
    );
    line(
        &mut page,
        format_args!(
            "<header>\n<h1>{}</h1>\n<p class=\"at\">flowbind {}, {}</p>",
            xml(&title),
            document.command(),
            xml(at)
        ),
    );
    if let Some(fingerprint) = fingerprint {
        line(&mut page, format_args!("<p class=\"at\">Fingerprint of the plan: {fingerprint}</p>"));
    }
    for Problem { diagnostic, tenant } in errors {
        let tenant = tenant.as_ref().map(|tenant| format!("{tenant}: ")).unwrap_or_default();
        let note = format!("{tenant}[{}] {}", diagnostic.code, one_line(diagnostic));
        line(&mut page, format_args!("<p class=\"note alarm\">{}</p>", xml(&note)));
    }
    filter(&mut page, document);
    line(&mut page, format_args!("</header>\n<main>"));
    for tenant in &tenants {
        tenant.draw(&mut page);
    }
    if tenants.is_empty() {
        line(&mut page, format_args!("<p>No tenant was read.</p>"));
    }
    line(&mut page, format_args!("</main>\n<script>{SCRIPT}</script>\n</body>\n</html>"));
    page
}

/// Each choice is a class of the stations that it is about.
fn filter(page: &mut String, document: Document<'_>) {
    let choices: &[(&str, &str)] = match document {
        Document::Plan(_) | Document::Drift(_) => &[
            ("differs", "what differs"),
            ("enable", "enable"),
            ("replace", "replace"),
            ("disable", "disable"),
            ("dangling", "deleted connector"),
            ("unknown", "unknown"),
            ("unmanaged", "unmanaged"),
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
    for (class, words) in choices {
        line(page, format_args!("<option value=\"{class}\">{words}</option>"));
    }
    page.push_str("</select></label>\n<output id=\"shown\"></output>\n</form>\n");
}

/// A tenant with its flows, in the order in which they are shown.
struct Shown {
    name: String,
    about: String,
    notes: Vec<(&'static str, String)>,
    flows: Vec<String>,
    steps: BTreeMap<String, BTreeMap<Step, Station>>,
}

/// What stands at one step of a flow.
struct Station {
    /// What is the matter with it: a class of the style, and what the filter looks for.
    kind: &'static str,
    /// Whether it is what makes the answer.
    differs: bool,
    /// Whether the bound connector was deleted.
    is_dangling: bool,
    word: String,
    now: String,
    then: Option<String>,
    why: Option<String>,
}

impl Shown {
    fn new(name: &str, about: String) -> Self {
        Self { name: name.to_owned(), about, notes: Vec::new(), flows: Vec::new(), steps: BTreeMap::new() }
    }

    fn add(&mut self, flow: &FlowId, step: Step, station: Station) {
        let flow = flow.as_str();
        if !self.steps.contains_key(flow) {
            self.flows.push(flow.to_owned());
        }
        self.steps.entry(flow.to_owned()).or_default().insert(step, station);
    }

    /// Marks a binding whose connector was deleted, in addition to its state.
    fn add_dangling(&mut self, flow: &FlowId, step: Step, now: String) {
        if self.steps.get(flow.as_str()).is_none_or(|steps| !steps.contains_key(&step)) {
            self.add(flow, step, Station::plain("same", "", now));
        }
        let station = self.steps.get_mut(flow.as_str()).and_then(|steps| steps.get_mut(&step));
        if let Some(station) = station {
            (station.is_dangling, station.differs) = (true, true);
        }
    }

    fn draw(&self, page: &mut String) {
        let Self { name, about, notes, flows, steps } = self;
        line(page, format_args!("<section class=\"tenant\">\n<h2>{}</h2>\n<p>{}</p>", xml(name), xml(about)));
        for (class, note) in notes {
            line(page, format_args!("<p class=\"note {class}\">{}</p>", xml(note)));
        }
        for flow in flows {
            let name = xml(flow);
            line(page, format_args!("<article class=\"flow\">\n<h3>{name}</h3>\n<ol class=\"rail\">"));
            for (step, station) in steps.get(flow).into_iter().flatten() {
                station.draw(page, *step);
            }
            line(page, format_args!("</ol>\n</article>"));
        }
        line(page, format_args!("</section>"));
    }
}

impl Station {
    fn plain(kind: &'static str, word: &str, now: String) -> Self {
        Self { kind, differs: false, is_dangling: false, word: word.to_owned(), now, then: None, why: None }
    }

    fn draw(&self, page: &mut String, step: Step) {
        let Self { kind, differs, is_dangling, word, now, then, why } = self;
        let (dangling, differs) =
            (if *is_dangling { " dangling" } else { "" }, if *differs { " differs" } else { "" });
        line(page, format_args!("<li class=\"{kind}{dangling}{differs}\">"));
        line(page, format_args!("<span class=\"step\">{}</span>", words(step)));
        let then = then.as_ref().map(|then| format!(" <span class=\"to\">→</span> <b>{}</b>", xml(then)));
        line(page, format_args!("<span class=\"bound\">{}{}</span>", xml(now), then.unwrap_or_default()));
        if !word.is_empty() {
            line(page, format_args!("<span class=\"word\">{}</span>", xml(word)));
        }
        let deleted = is_dangling.then_some("the connector was deleted");
        for why in deleted.into_iter().chain(why.as_deref()) {
            line(page, format_args!("<span class=\"why\">{}</span>", xml(why)));
        }
        line(page, format_args!("</li>"));
    }
}

/// A step in the portal's words.
fn words(step: Step) -> &'static str {
    match step {
        Step::PostFederationSignup => "After federating with an identity provider during sign-up",
        Step::PostAttributeCollection => "Before creating the user",
        Step::PreTokenIssuance => "Before sending the token",
    }
}

fn title(document: Document<'_>) -> String {
    let caveats = document.status_suffix();
    match document {
        Document::Plan(plan) if plan.has_changes() || !caveats.is_empty() => {
            let counts = Some(text::counts(plan.summary())).filter(|counts| !counts.is_empty());
            let counts = counts.map(|counts| format!(": {counts}")).unwrap_or_default();
            format!("Plan{caveats}{counts}")
        }
        Document::Plan(_) => "No changes".to_owned(),
        Document::Drift(plan) => match plan.is_drifted() {
            Some(true) => format!("Drift{caveats}: the tenants differ from their files"),
            Some(false) => "No drift".to_owned(),
            None => "Drift is unknown, because not everything could be read".to_owned(),
        },
        Document::Report(report) => match outcomes(report.changes()) {
            counts if !counts.is_empty() => format!("Apply{caveats}: {counts}"),
            _ if caveats.is_empty() => "Nothing to do".to_owned(),
            _ => format!("Apply{caveats}"),
        },
    }
}

fn of_plan(plan: &Plan) -> Vec<Shown> {
    plan.targets.iter().map(|target| of_target(target, plan.drift)).collect()
}

fn of_target(target: &Target, drift: Option<Drift>) -> Shown {
    let names = Names::of_target(target);
    let unchanged = counted(target.in_sync.len(), "binding", "bindings");
    let about = format!("From {}: {unchanged} unchanged.", target.file);
    let mut shown = Shown::new(&target.tenant, about);
    for blocker in &target.blockers {
        // Blockers do not concern drift.
        let class = if drift.is_none() { "alarm" } else { "warning" };
        let note = format!("Blocked [{}]: {}", blocker.code(), one_line(&blocker.diagnostic()));
        shown.notes.push((class, note));
    }
    for pin in &target.pins {
        let name = names.connector(&pin.connector);
        shown.notes.push(("alarm", format!("{name}: {}", text::pin(pin))));
    }
    if !target.overrides.is_empty() {
        shown.notes.push(("warning", format!("Planned with {}", text::override_flags(target))));
    }
    for cause in target.unreadable_causes() {
        shown.notes.push(("alarm", format!("[{}] {}", cause.code, one_line(&cause))));
    }
    for warning in target.warnings() {
        let warning = warning.diagnostic();
        shown.notes.push(("warning", format!("[{}] {}", warning.code, warning.message)));
    }
    for flow in order::flows(target) {
        shown.flows.push(flow.to_string());
        shown.steps.insert(flow.to_string(), BTreeMap::new());
    }
    for change in &target.changes {
        let (kind, word) = match change.action {
            Action::Enable => ("enable", "will start being called"),
            Action::Replace => ("replace", "will be replaced"),
            Action::Disable => ("disable", "will stop being called"),
        };
        let protected = if change.protected { ", although it is protected" } else { "" };
        let station = Station {
            differs: true,
            then: Some(names.bound(&change.desired)),
            ..Station::plain(kind, &format!("{word}{protected}"), names.bound(&change.current))
        };
        shown.add(&change.flow, change.step, station);
    }
    for it in &target.in_sync {
        shown.add(&it.flow, it.step, Station::plain("same", "", names.bound(&it.current)));
    }
    for it in &target.unmanaged {
        let station = Station {
            differs: drift.is_some_and(|drift| drift.strict),
            ..Station::plain("unmanaged", "not in the file", names.bound(&it.current))
        };
        shown.add(&it.flow, it.step, station);
    }
    for it in &target.unreadable {
        let station = Station {
            differs: true,
            why: Some(it.error.cause.to_string()),
            ..Station::plain("unknown", "could not be read", "unknown".into())
        };
        shown.add(&it.flow, it.step, station);
    }
    for it in target.dangling.iter().filter(|_| drift.is_some()) {
        shown.add_dangling(&it.flow, it.step, names.bound(&it.current));
    }
    shown
}

fn of_report(report: &Report) -> Vec<Shown> {
    report.targets.iter().map(of_target_report).collect()
}

fn of_target_report(target: &TargetReport) -> Shown {
    let names = Names::of_report(target);
    let about = format!("Results of the changes, through {}", target.graph_url);
    let mut shown = Shown::new(&target.tenant, about);
    for ChangeReport { change, outcome, attempts: _, request_id, error, hint: _ } in &target.changes {
        let tag = request_id.as_ref().filter(|_| !outcome.is_done());
        let tag = tag.map(|id| format!("request-id {id}"));
        let why: Vec<_> = error.iter().cloned().chain(tag).collect();
        let station = Station {
            differs: !outcome.is_done(),
            then: Some(names.bound(&change.desired)),
            why: (!why.is_empty()).then(|| why.join("; ")),
            ..Station::plain(outcome.name(), &outcome.name().replace('-', " "), names.bound(&change.current))
        };
        shown.add(&change.flow, change.step, station);
    }
    shown
}
