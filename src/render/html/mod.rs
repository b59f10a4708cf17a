//! A page for somebody who owns the sign-up and reads no YAML: for each tenant its flows as rails of
//! steps with the connectors that they call. Self-contained: it loads nothing, and its policy lets it
//! run and load nothing but the script and the style that are in it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::document::Document;
use super::escape::{self, xml};
use super::order;
use super::report::outcomes;
use super::text::{self, Names, counted, line, problem};
use crate::apply::{ChangeReport, Report, TargetReport};
use crate::model::{Action, FlowId, Step};
use crate::plan::{Drift, Plan, Summary, Target};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Draws the page. `at` is RFC 3339.
pub(super) fn draw(document: Document<'_>, at: &str) -> String {
    let (tenants, errors, fingerprint) = match document {
        Document::Plan(plan) => (of_plan(plan), &plan.errors, Some(plan.fingerprint())),
        Document::Drift(plan) => (of_plan(plan), &plan.errors, None),
        Document::Report(report) => {
            (of_report(report), &report.errors, Some(escape::fingerprint(&report.fingerprint)))
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
    for error in errors {
        line(&mut page, format_args!("<p class=\"note alarm\">{}</p>", xml(&problem(error))));
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
            ("gone", "gone"),
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
    /// Whether what is bound is not there any more.
    is_gone: bool,
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

    /// Says of a binding that its connector is gone, whatever else is said of it.
    fn add_gone(&mut self, flow: &FlowId, step: Step, now: String) {
        if self.steps.get(flow.as_str()).is_none_or(|steps| !steps.contains_key(&step)) {
            self.add(flow, step, Station::plain("same", "", now));
        }
        let station = self.steps.get_mut(flow.as_str()).and_then(|steps| steps.get_mut(&step));
        if let Some(station) = station {
            (station.is_gone, station.differs) = (true, true);
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
        Self { kind, differs: false, is_gone: false, word: word.to_owned(), now, then: None, why: None }
    }

    fn draw(&self, page: &mut String, step: Step) {
        let Self { kind, differs, is_gone, word, now, then, why } = self;
        let (gone, differs) = (if *is_gone { " gone" } else { "" }, if *differs { " differs" } else { "" });
        line(page, format_args!("<li class=\"{kind}{gone}{differs}\">"));
        line(page, format_args!("<span class=\"step\">{}</span>", words(step)));
        let then = then.as_ref().map(|then| format!(" <span class=\"to\">→</span> <b>{}</b>", xml(then)));
        line(page, format_args!("<span class=\"bound\">{}{}</span>", xml(now), then.unwrap_or_default()));
        if !word.is_empty() {
            line(page, format_args!("<span class=\"word\">{}</span>", xml(word)));
        }
        let gone = is_gone.then_some("the connector is gone");
        for why in gone.into_iter().chain(why.as_deref()) {
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
    let caveats = document.caveats();
    match document {
        Document::Plan(plan) if plan.has_changes() || !caveats.is_empty() => {
            let Summary { enable, replace, disable, unchanged: _ } = plan.summary();
            format!("Plan{caveats}: {enable} to enable, {replace} to replace, {disable} to disable")
        }
        Document::Plan(_) => "No changes".to_owned(),
        Document::Drift(plan) => match plan.answer() {
            Some(true) => format!("Drift{caveats}: the tenants are not as their files say"),
            Some(false) => "No drift".to_owned(),
            None => "Whether there is drift is not known: not all could be read".to_owned(),
        },
        Document::Report(report) => match outcomes(report) {
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
    let unchanged = counted(target.unchanged, "binding is", "bindings are");
    let about = format!("From {}: {unchanged} as the file says.", target.file);
    let mut shown = Shown::new(&target.tenant, about);
    for refusal in &target.refusals {
        // What refuses a plan is no matter of what differs.
        let class = if drift.is_none() { "alarm" } else { "warning" };
        shown.notes.push((class, format!("Refused: {}", text::refusal(refusal))));
    }
    for pin in &target.pins {
        let name = names.connector(&pin.connector);
        shown.notes.push(("alarm", format!("{name}: {}", text::pin(pin))));
    }
    if !target.overrides.is_empty() {
        let flags: Vec<_> = target.overrides.iter().map(|flag| escape::flag(flag)).collect();
        shown.notes.push(("warning", format!("Made with {}", flags.join(" "))));
    }
    shown.notes.extend(target.warnings.iter().map(|warning| ("warning", warning.clone())));
    for flow in order::flows(target) {
        shown.flows.push(flow.to_string());
        shown.steps.insert(flow.to_string(), BTreeMap::new());
    }
    for change in &target.changes {
        let (kind, word) = match change.action {
            Action::Enable => ("enable", "will be called"),
            Action::Replace => ("replace", "will be replaced"),
            Action::Disable => ("disable", "will not be called any more"),
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
    for it in &target.unknown {
        let station = Station {
            differs: true,
            why: Some(it.error.to_string()),
            ..Station::plain("unknown", "could not be read", "unknown".into())
        };
        shown.add(&it.flow, it.step, station);
    }
    for it in target.gone.iter().filter(|_| drift.is_some()) {
        shown.add_gone(&it.flow, it.step, names.bound(&it.current));
    }
    shown
}

fn of_report(report: &Report) -> Vec<Shown> {
    report.targets.iter().map(of_target_report).collect()
}

fn of_target_report(target: &TargetReport) -> Shown {
    let names = Names::of_report(target);
    let about = format!("What became of the changes, over {}", target.graph_url);
    let mut shown = Shown::new(&target.tenant, about);
    for ChangeReport { change, outcome, attempts: _, request_id, error } in &target.changes {
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
