//! A test suite for each tenant and a test case for each managed binding and whatever else is wrong, so
//! that pipelines show drift where they show tests. The dialect is that of Jenkins' JUnit plugin.

use super::document::Document;
use super::escape::xml;
use super::text::{self, Names, line};
use crate::apply::{ChangeReport, Outcome, Report, TargetReport};
use crate::model::{FlowId, Step};
use crate::plan::{Drift, InSync, Plan, Problem, Target, Unknown};

/// Draws the suites. `at` is RFC 3339.
pub(super) fn draw(document: Document<'_>, at: &str) -> String {
    let suites = match document {
        Document::Plan(plan) | Document::Drift(plan) => plan_suites(plan),
        Document::Report(report) => report_suites(report),
    };
    let sum = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
    let (tests, failures) = (sum(|suite| suite.cases.len()), sum(|suite| suite.count("failure")));
    let errors = sum(|suite| suite.count("error"));
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let name = document.command();
    line(
        &mut text,
        format_args!(
            "<testsuites name=\"flowbind {name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">"
        ),
    );
    // Without the offset, which the format has no place for.
    let at = at.trim_end_matches('Z');
    for suite in suites {
        suite.draw(&mut text, &xml(at));
    }
    text + "</testsuites>\n"
}

/// The cases of one tenant, or of the run.
struct Suite {
    name: String,
    cases: Vec<Case>,
}

struct Case {
    /// What groups cases: the flow.
    class: String,
    name: String,
    /// What is wrong with it: the element, and its words.
    wrong: Option<(&'static str, String)>,
}

impl Suite {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), cases: Vec::new() }
    }

    fn add(&mut self, class: &str, name: &str, wrong: Option<(&'static str, String)>) {
        self.cases.push(Case { class: class.to_owned(), name: name.to_owned(), wrong });
    }

    fn binding(&mut self, flow: &FlowId, step: Step, wrong: Option<(&'static str, String)>) {
        self.add(flow.as_str(), step.name(), wrong);
    }

    /// Brings what is of one flow together, whatever came of each binding: each is one case, with all that
    /// is wrong with it.
    fn sort(&mut self) {
        self.cases.sort_by(|one, other| (&one.class, &one.name).cmp(&(&other.class, &other.name)));
        self.cases.dedup_by(|next, one| {
            let same = (&next.class, &next.name) == (&one.class, &one.name);
            match (&mut one.wrong, &mut next.wrong) {
                (Some((_, words)), Some((_, more))) if same => words.push_str(&format!("; {more}")),
                (none @ None, more) if same => *none = more.take(),
                _ => {}
            }
            same
        });
    }

    fn count(&self, element: &str) -> usize {
        let is_such = |case: &&Case| case.wrong.as_ref().is_some_and(|(wrong, _)| *wrong == element);
        self.cases.iter().filter(is_such).count()
    }

    fn draw(&self, text: &mut String, at: &str) {
        let (tests, failures) = (self.cases.len(), self.count("failure"));
        let (errors, skipped) = (self.count("error"), self.count("skipped"));
        line(
            text,
            format_args!(
                "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" \
                 skipped=\"{skipped}\" time=\"0\" timestamp=\"{at}\">",
                xml(&self.name)
            ),
        );
        for Case { class, name, wrong } in &self.cases {
            let case =
                format!("    <testcase classname=\"{}\" name=\"{}\" time=\"0\"", xml(class), xml(name));
            match wrong {
                None => line(text, format_args!("{case}/>")),
                Some(("skipped", words)) => {
                    line(text, format_args!("{case}><skipped message=\"{}\"/></testcase>", xml(words)));
                }
                Some((element, words)) => {
                    let words = xml(words);
                    line(
                        text,
                        format_args!(
                            "{case}><{element} message=\"{words}\" type=\"{element}\">{words}</{element}></testcase>"
                        ),
                    );
                }
            }
        }
        line(text, format_args!("  </testsuite>"));
    }
}

fn plan_suites(plan: &Plan) -> Vec<Suite> {
    let mut suites: Vec<_> = plan.targets.iter().map(|target| target_suite(target, plan.drift)).collect();
    suites.extend(errors_suite(&plan.errors));
    suites
}

fn target_suite(target: &Target, drift: Option<Drift>) -> Suite {
    let names = Names::of_target(target);
    let mut suite = Suite::new(&target.tenant);
    for InSync { flow, step, .. } in &target.in_sync {
        suite.binding(flow, *step, None);
    }
    for change in &target.changes {
        let (current, desired) = (names.bound(&change.current), names.bound(&change.desired));
        let words = format!("{}: {current} → {desired}", change.action.name());
        suite.binding(&change.flow, change.step, Some(("failure", words)));
    }
    for Unknown { flow, step, error } in &target.unknown {
        suite.binding(flow, *step, Some(("error", error.to_string())));
    }
    for pin in &target.pins {
        suite.add("pins", &names.connector(&pin.connector), Some(("failure", text::pin(pin))));
    }
    // What refuses a plan is no matter of what differs.
    for refusal in target.refusals.iter().filter(|_| drift.is_none()) {
        suite.add("refusals", &refusal.reason, Some(("failure", text::refusal(refusal))));
    }
    if let Some(drift) = drift {
        for gone in &target.gone {
            let words = format!("bound to {}, which is gone", names.bound(&gone.current));
            suite.binding(&gone.flow, gone.step, Some(("failure", words)));
        }
        for unmanaged in target.unmanaged.iter().filter(|_| drift.strict) {
            let words = format!("bound to {}, and not in the file", names.bound(&unmanaged.current));
            suite.binding(&unmanaged.flow, unmanaged.step, Some(("failure", words)));
        }
    }
    suite.sort();
    suite
}

fn report_suites(report: &Report) -> Vec<Suite> {
    let mut suites: Vec<_> = report.targets.iter().map(report_suite).collect();
    suites.extend(errors_suite(&report.errors));
    suites
}

fn report_suite(target: &TargetReport) -> Suite {
    let mut suite = Suite::new(&target.tenant);
    for ChangeReport { change, outcome, error, .. } in &target.changes {
        let words = || error.clone().unwrap_or_else(|| outcome.name().to_owned());
        let wrong = match outcome {
            Outcome::Applied | Outcome::Already => None,
            Outcome::Failed => Some(("failure", words())),
            Outcome::Unverified => Some(("error", words())),
            Outcome::NotAttempted => Some(("skipped", words())),
        };
        suite.binding(&change.flow, change.step, wrong);
    }
    suite
}

/// What kept the run from being whole, where anything did.
fn errors_suite(errors: &[Problem]) -> Option<Suite> {
    let mut suite = Suite::new("errors");
    for Problem { message, place, tenant } in errors {
        let place = place.as_ref().map(|place| format!("{}:{}:{}", place.file, place.line, place.column));
        let class = tenant.as_deref().unwrap_or("run");
        suite.add(class, &place.unwrap_or_else(|| message.clone()), Some(("error", message.clone())));
    }
    Some(suite).filter(|suite| !suite.cases.is_empty())
}
