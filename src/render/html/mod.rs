//! A page for somebody who owns the sign-up and reads no YAML: for each tenant its flows as rails of
//! steps with the connectors that they call. Self-contained: it loads nothing, and its policy lets it
//! run and load nothing but the script and the style that are in it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use super::document::{Document, Drift};
use super::escape::xml;
use super::text::{Names, counted, line};
use crate::apply::{Outcome, Report};
use crate::model::{Action, FlowId, Step};
use crate::plan::{Plan, Problem, Summary, Target};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Draws the page. `at` is RFC 3339.
pub(super) fn draw(document: Document<'_>, at: &str) -> String {
    let (title, tenants, errors) = match document {
        Document::Plan(plan) => (plan_title(plan), of_plan(plan, None), &plan.errors),
        Document::Drift(drift) => {
            let title = match drift.answer() {
                Some(true) => "Drift: the tenants are not as their files say",
                Some(false) => "No drift",
                None => "Whether there is drift is not known: not all could be read",
            };
            (title.to_owned(), of_plan(drift.plan, Some(drift)), &drift.plan.errors)
        }
        Document::Report(report) => (report_title(report), of_report(report), &report.errors),
    };
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
    problems(&mut page, errors);
    page.push_str(FILTER);
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

const FILTER: &str = "\
<form id=\"filter\" role=\"search\">
<label>Flow or connector <input type=\"search\" name=\"text\" autocomplete=\"off\"></label>
<label>Show <select name=\"action\">
<option value=\"\">everything</option>
<option value=\"differs\">what differs</option>
<option value=\"enable\">enable</option>
<option value=\"replace\">replace</option>
<option value=\"disable\">disable</option>
<option value=\"unknown\">unknown</option>
<option value=\"unmanaged\">unmanaged</option>
</select></label>
<output id=\"shown\"></output>
</form>
";

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
        Self { kind, word: word.to_owned(), now, then: None, why: None }
    }

    fn draw(&self, page: &mut String, step: Step) {
        let Self { kind, word, now, then, why } = self;
        line(page, format_args!("<li class=\"{kind}\" data-kind=\"{kind}\">"));
        line(page, format_args!("<span class=\"step\">{}</span>", words(step)));
        let then = then.as_ref().map(|then| format!(" <span class=\"to\">→</span> <b>{}</b>", xml(then)));
        line(page, format_args!("<span class=\"bound\">{}{}</span>", xml(now), then.unwrap_or_default()));
        if !word.is_empty() {
            line(page, format_args!("<span class=\"word\">{}</span>", xml(word)));
        }
        if let Some(why) = why {
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

fn problems(page: &mut String, errors: &[Problem]) {
    for Problem { message, place, tenant } in errors {
        let tenant = tenant.as_ref().map(|tenant| format!("{tenant}: ")).unwrap_or_default();
        let place = place.as_ref().map(|at| format!("{}:{}:{}: ", at.file, at.line, at.column));
        let text = format!("{tenant}{}{message}", place.unwrap_or_default());
        line(page, format_args!("<p class=\"note alarm\">{}</p>", xml(&text)));
    }
}

fn plan_title(plan: &Plan) -> String {
    let Summary { enable, replace, disable, unchanged: _ } = plan.summary();
    let counts = format!("{enable} to enable, {replace} to replace, {disable} to disable");
    if !plan.is_whole() {
        format!("A plan that is not whole: {counts}")
    } else if plan.is_refused() {
        format!("A plan that is refused: {counts}")
    } else if plan.has_changes() {
        format!("Plan: {counts}")
    } else {
        "No changes".into()
    }
}

fn of_plan(plan: &Plan, drift: Option<Drift<'_>>) -> Vec<Shown> {
    plan.targets.iter().enumerate().map(|(at, target)| of_target(target, at, drift)).collect()
}

fn of_target(target: &Target, at: usize, drift: Option<Drift<'_>>) -> Shown {
    let names = Names::of_target(target);
    let unchanged = counted(target.unchanged, "binding is", "bindings are");
    let about = format!("From {}: {unchanged} as the file says.", target.file);
    let mut shown = Shown::new(&target.tenant, about);
    for refusal in &target.refusals {
        shown.notes.push(("alarm", format!("Refused: {}", refusal.reason)));
    }
    for pin in &target.pins {
        let actual = pin.actual.as_deref().unwrap_or("no address");
        let name = names.connector(&pin.connector);
        let note = format!("{name} is pinned to {}, and calls {actual}.", pin.expected);
        shown.notes.push(("alarm", note));
    }
    shown.notes.extend(target.warnings.iter().map(|warning| ("warning", warning.clone())));
    // Flows in the file's order, whatever came of their bindings.
    let places = target.changes.iter().map(|it| (&it.source, &it.flow));
    let places = places.chain(target.in_sync.iter().map(|it| (&it.source, &it.flow)));
    let mut order: Vec<_> = places.map(|(place, flow)| (place.line, flow)).collect();
    order.sort_unstable();
    for (_, flow) in order {
        if !shown.steps.contains_key(flow.as_str()) {
            shown.flows.push(flow.to_string());
            shown.steps.insert(flow.to_string(), BTreeMap::new());
        }
    }
    for change in &target.changes {
        let (kind, word) = match change.action {
            Action::Enable => ("enable", "will be called"),
            Action::Replace => ("replace", "will be replaced"),
            Action::Disable => ("disable", "will not be called any more"),
        };
        let protected = if change.protected { ", although it is protected" } else { "" };
        let station = Station {
            then: Some(names.bound(&change.desired)),
            ..Station::plain(kind, &format!("{word}{protected}"), names.bound(&change.current))
        };
        shown.add(&change.flow, change.step, station);
    }
    for it in &target.in_sync {
        shown.add(&it.flow, it.step, Station::plain("same", "", names.bound(&it.current)));
    }
    for it in &target.unmanaged {
        let station = Station::plain("unmanaged", "not in the file", names.bound(&it.current));
        shown.add(&it.flow, it.step, station);
    }
    for it in &target.unknown {
        let station = Station {
            why: Some(it.error.to_string()),
            ..Station::plain("unknown", "could not be read", "unknown".into())
        };
        shown.add(&it.flow, it.step, station);
    }
    for it in drift.into_iter().filter_map(|drift| drift.gone.get(at)).flatten() {
        let station = Station::plain("disable", "the connector is gone", names.bound(&it.current));
        shown.add(&it.flow, it.step, station);
    }
    shown
}

fn report_title(report: &Report) -> String {
    let counts: Vec<_> = Outcome::ALL
        .into_iter()
        .filter(|outcome| report.count(*outcome) > 0)
        .map(|outcome| format!("{} {}", report.count(outcome), outcome.name().replace('-', " ")))
        .collect();
    if counts.is_empty() { "Nothing to do".into() } else { format!("Apply: {}", counts.join(", ")) }
}

fn of_report(report: &Report) -> Vec<Shown> {
    let draw = |target: &crate::apply::TargetReport| {
        let names = Names::of_report(target);
        let mut shown =
            Shown::new(&target.tenant, format!("What became of the changes, over {}", target.graph_url));
        for it in &target.changes {
            let kind = match it.outcome {
                Outcome::Applied | Outcome::Already => "same",
                Outcome::Failed | Outcome::Unverified => "unknown",
                Outcome::NotAttempted => "replace",
            };
            let station = Station {
                then: Some(names.bound(&it.change.desired)),
                why: it.error.clone(),
                ..Station::plain(kind, &it.outcome.name().replace('-', " "), names.bound(&it.change.current))
            };
            shown.add(&it.change.flow, it.change.step, station);
        }
        shown
    };
    report.targets.iter().map(draw).collect()
}
