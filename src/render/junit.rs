//! Renders a test suite for each tenant, with a test case for each managed binding and each problem, so that
//! pipelines show drift among their tests. The dialect is that of Jenkins' JUnit plugin.

use super::escape::xml;
use super::hold::{self, Held};
use super::names::Names;
use super::order::unblocking_pins;
use super::wording::{self, push_line};
use crate::apply::{ChangeReport, Outcome, Report, TargetReport};
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::model::{FlowId, Label, Step};
use crate::plan::{InSync, Limit, Plan, Problem, Target, UnreadableBinding};

/// Renders a plan as JUnit XML: a suite for each target, and one for the errors of the run. Targets whose tenant was
/// not read have no suite. `at` is the time of the run in RFC 3339, written without its `Z`.
pub(super) fn render_plan(plan: &Plan, at: &str) -> String {
    // The suite of a tenant that was not read would be empty and pass.
    let suites = plan.read_targets().map(|target| target_suite(plan, target)).collect();
    render(("plan", plan.label.as_ref()), plan.limit.as_ref(), suites, &plan.errors(), at)
}

/// Renders a report as JUnit XML: a suite for each target, and one for the errors of the run.
pub(super) fn render_report(report: &Report, at: &str) -> String {
    let suites = report.targets.iter().map(report_suite).collect();
    render(("apply", report.label.as_ref()), report.limit.as_ref(), suites, &report.errors, at)
}

/// Renders the suites of a command, and one for its errors. The names have the label of the run, because a pipeline
/// shows the suites of all its runs together. That of the file has the limit of the run, too.
pub(super) fn render(
    (command, label): (&str, Option<&Label>),
    limit: Option<&Limit>,
    mut suites: Vec<Suite>,
    errors: &[Problem],
    at: &str,
) -> String {
    let limit = limit.map(|limit| format!(": {}", wording::describe_limit(limit))).unwrap_or_default();
    suites.extend(errors_suite(errors));
    let command = wording::labeled(command, label);
    let sum = |count: fn(&Suite) -> usize| suites.iter().map(count).sum::<usize>();
    let (tests, failures) = (sum(|suite| suite.cases.len()), sum(|suite| suite.count("failure")));
    let errors = sum(|suite| suite.count("error"));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"flowbind {command}{limit}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">\n"
    );
    // The format has no offset.
    let at = at.trim_end_matches('Z');
    for suite in suites {
        suite.write_to(&mut text, &wording::labeled(&suite.name, label), &xml(at));
    }
    text + "</testsuites>\n"
}

/// Cases of one tenant, or the errors of the run.
pub(super) struct Suite {
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
pub(super) struct Failure {
    /// Name of the XML element.
    element: &'static str,
    /// Id of the problem, or the kind of difference.
    kind: &'static str,
    message: String,
}

impl Failure {
    pub(super) fn failed(kind: &'static str, message: String) -> Option<Self> {
        Some(Self { element: "failure", kind, message })
    }

    pub(super) fn error(code: Code, message: String) -> Option<Self> {
        Some(Self { element: "error", kind: code.id(), message })
    }
}

impl Suite {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), cases: Vec::new() }
    }

    pub(super) fn add(&mut self, class: &str, name: &str, failure: Option<Failure>) {
        self.cases.push(Case { class: class.to_owned(), name: name.to_owned(), failure });
    }

    pub(super) fn binding(&mut self, flow: &FlowId, step: Step, failure: Option<Failure>) {
        self.add(flow.as_str(), step.name(), failure);
    }

    /// Adds a skipped case for each held binding.
    pub(super) fn held(&mut self, held: &[Held]) {
        for it in held {
            let message = format!("{}. {}", it.values(), it.until());
            let skipped = Failure { element: "skipped", kind: "hold", message };
            self.add("holds", &format!("{} {}", it.flow, it.step), Some(skipped));
        }
    }

    /// Sorts the cases by class and name, and joins those of one binding into one, which fails if any failed
    /// and has the messages of all failures.
    pub(super) fn sort(&mut self) {
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
    fn write_to(&self, text: &mut String, name: &str, at: &str) {
        let (tests, failures) = (self.cases.len(), self.count("failure"));
        let (errors, skipped) = (self.count("error"), self.count("skipped"));
        let name = xml(name);
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

fn target_suite(plan: &Plan, target: &Target) -> Suite {
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
    for pin in unblocking_pins(target) {
        let failure = Failure::failed(Code::PinMismatch.id(), wording::describe_pin(pin));
        suite.add("pins", &names.connector(&pin.connector), failure);
    }
    suite.held(&hold::of_target(target, &names));
    for (blocker, problem) in target.blockers.iter().zip(plan.blocker_diagnostics(target)) {
        let failure = Failure::failed(problem.code.id(), wording::one_line(&problem));
        suite.add("blockers", &blocker.to_string(), failure);
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
    suite.held(&hold::of_report(target, &Names::from_report(target)));
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
