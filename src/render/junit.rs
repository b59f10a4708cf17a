//! Renders a test suite for each tenant, with a test case for each managed binding and each problem, so that
//! pipelines show drift among their tests. The dialect is that of Jenkins' JUnit plugin.

use super::document::Document;
use super::escape::xml;
use super::names::Names;
use super::order::blockers_and_pins;
use super::wording::{self, push_line};
use crate::apply::{ChangeReport, Outcome, TargetReport};
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::model::{FlowId, Step};
use crate::plan::{Drift, InSync, Problem, Target, UnreadableBinding};

/// Renders a document as JUnit XML: a suite for each target, and one for the errors of the run. Targets of a
/// plan whose tenant was not read have no suite. `at` is the time of the run in RFC 3339, written without its
/// `Z`.
pub(super) fn render(document: Document<'_>, at: &str) -> String {
    let (mut suites, errors): (Vec<_>, _) = match document {
        Document::Plan(plan) | Document::Drift(plan) => {
            // The suite of a tenant that was not read would be empty and pass.
            let suites = plan.read_targets().map(|target| target_suite(target, plan.drift));
            (suites.collect(), &plan.errors())
        }
        Document::Report(report) => (report.targets.iter().map(report_suite).collect(), &report.errors),
    };
    suites.extend(errors_suite(errors));
    let sum = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
    let (tests, failures) = (sum(|suite| suite.cases.len()), sum(|suite| suite.count("failure")));
    let errors = sum(|suite| suite.count("error"));
    let name = document.command();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"flowbind {name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">\n"
    );
    // The format has no offset.
    let at = at.trim_end_matches('Z');
    for suite in suites {
        suite.write_to(&mut text, &xml(at));
    }
    text + "</testsuites>\n"
}

/// Cases of one tenant, or the errors of the run.
struct Suite {
    name: String,
    cases: Vec<Case>,
}

/// Test case: a managed binding or a problem.
struct Case {
    /// Group of cases, such as the flow.
    class: String,
    name: String,
    failure: Option<Failure>,
}

/// Result of a case that did not pass.
struct Failure {
    /// Name of the XML element.
    element: &'static str,
    /// Id of the problem, or the kind of difference.
    kind: &'static str,
    message: String,
}

impl Failure {
    fn failed(kind: &'static str, message: String) -> Option<Self> {
        Some(Self { element: "failure", kind, message })
    }

    fn error(code: Code, message: String) -> Option<Self> {
        Some(Self { element: "error", kind: code.id(), message })
    }
}

impl Suite {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), cases: Vec::new() }
    }

    fn add(&mut self, class: &str, name: &str, failure: Option<Failure>) {
        self.cases.push(Case { class: class.to_owned(), name: name.to_owned(), failure });
    }

    fn binding(&mut self, flow: &FlowId, step: Step, failure: Option<Failure>) {
        self.add(flow.as_str(), step.name(), failure);
    }

    /// Sorts the cases by class and name, and joins those of one binding into one, which fails if any failed
    /// and has the messages of all failures.
    fn sort(&mut self) {
        self.cases.sort_by(|one, other| (&one.class, &one.name).cmp(&(&other.class, &other.name)));
        self.cases.dedup_by(|next, one| {
            let same = (&next.class, &next.name) == (&one.class, &one.name);
            match (&mut one.failure, &mut next.failure) {
                (Some(failure), Some(more)) if same => {
                    failure.message.push_str(&format!("; {}", more.message))
                }
                (none @ None, more) if same => *none = more.take(),
                _ => {}
            }
            same
        });
    }

    fn count(&self, element: &str) -> usize {
        let has_element = |case: &&Case| case.failure.as_ref().is_some_and(|it| it.element == element);
        self.cases.iter().filter(has_element).count()
    }

    /// Appends the suite as XML.
    fn write_to(&self, text: &mut String, at: &str) {
        let (tests, failures) = (self.cases.len(), self.count("failure"));
        let (errors, skipped) = (self.count("error"), self.count("skipped"));
        let name = xml(&self.name);
        text.push_str(&format!(
            "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" \
             skipped=\"{skipped}\" time=\"0\" timestamp=\"{at}\">\n"
        ));
        for Case { class, name, failure } in &self.cases {
            let (class, name) = (xml(class), xml(name));
            let end = match failure {
                None => "/>".to_owned(),
                Some(Failure { element: "skipped", kind: _, message }) => {
                    format!("><skipped message=\"{}\"/></testcase>", xml(message))
                }
                Some(Failure { element, kind, message }) => {
                    let message = xml(message);
                    format!(
                        "><{element} message=\"{message}\" type=\"{kind}\">{message}</{element}></testcase>"
                    )
                }
            };
            let case = format_args!("    <testcase classname=\"{class}\" name=\"{name}\" time=\"0\"{end}");
            push_line(text, case);
        }
        text.push_str("  </testsuite>\n");
    }
}

fn target_suite(target: &Target, drift: Option<Drift>) -> Suite {
    let names = Names::from_target(target);
    let mut suite = Suite::new(&target.tenant);
    for InSync { flow, step, .. } in &target.in_sync {
        suite.binding(flow, *step, None);
    }
    for change in &target.changes {
        let (current, desired) = (names.bound(&change.current), names.bound(&change.desired));
        let message = format!("{}: {current} → {desired}", change.action.name());
        suite.binding(&change.flow, change.step, Failure::failed("change", message));
    }
    for UnreadableBinding { flow, step, error } in &target.unreadable {
        suite.binding(flow, *step, Failure::error(error.code, error.to_string()));
    }
    let (blockers, pins) = blockers_and_pins(target, drift.is_some());
    for pin in pins {
        let failure = Failure::failed(Code::PinMismatch.id(), wording::describe_pin(pin));
        suite.add("pins", &names.connector(&pin.connector), failure);
    }
    // Blockers do not concern drift.
    for blocker in blockers.into_iter().filter(|_| drift.is_none()) {
        let failure = Failure::failed(blocker.code().id(), wording::one_line(&blocker.diagnostic()));
        suite.add("blockers", &blocker.to_string(), failure);
    }
    if let Some(drift) = drift {
        for dangling in &target.dangling {
            let message = format!("bound to the deleted connector {}", names.bound(&dangling.current));
            let failure = Failure::failed(Code::DanglingBinding.id(), message);
            suite.binding(&dangling.flow, dangling.step, failure);
        }
        for unmanaged in target.unmanaged.iter().filter(|_| drift.strict) {
            let message = format!("bound to {}, but not in the file", names.bound(&unmanaged.current));
            suite.binding(&unmanaged.flow, unmanaged.step, Failure::failed("unmanaged", message));
        }
    }
    suite.sort();
    suite
}

fn report_suite(target: &TargetReport) -> Suite {
    let mut suite = Suite::new(&target.tenant);
    for ChangeReport { change, outcome } in &target.changes {
        let message = || outcome.error().unwrap_or_else(|| outcome.kind().name()).to_owned();
        let kind = outcome.kind().code().map(Code::id).unwrap_or_default();
        let failure = match outcome {
            Outcome::Applied(_) | Outcome::Already => None,
            Outcome::Failed(..) => Failure::failed(kind, message()),
            Outcome::Unverified(..) => Some(Failure { element: "error", kind, message: message() }),
            Outcome::NotAttempted(_) => Some(Failure { element: "skipped", kind, message: message() }),
        };
        suite.binding(&change.flow, change.step, failure);
    }
    suite
}

/// Returns a suite with one case for each error; `None` without errors.
fn errors_suite(errors: &[Problem]) -> Option<Suite> {
    let mut suite = Suite::new("errors");
    for Problem { diagnostic, tenant } in errors {
        let location = diagnostic.location.as_deref().map(Location::position);
        let name = location.map_or_else(|| diagnostic.summary(), |location| location.to_string());
        let class = tenant.as_deref().unwrap_or("run");
        let message = wording::one_line(&Diagnostic { location: None, ..diagnostic.clone() });
        suite.add(class, &name, Failure::error(diagnostic.code, message));
    }
    Some(suite).filter(|suite| !suite.cases.is_empty())
}
