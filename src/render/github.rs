//! Renders workflow commands of GitHub Actions: annotations at the lines of the files, and outputs
//! (<https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>).

use std::collections::BTreeMap;

use super::document::Document;
use super::escape;
use super::names::Names;
use super::order::{ACTIONS, OUTCOMES, blockers_and_pins};
use super::wording::{self, one_line, push_line};
use crate::apply::{ChangeReport, OutcomeKind, Report};
use crate::diagnostic::{Code, Diagnostic, Location, Severity, SourceLocation};
use crate::model::{Action, FlowId, Step};
use crate::plan::{Plan, Problem, Summary, Target, Unmanaged};

/// Renders an annotation for each change and each problem, which includes blockers and broken pins. In a
/// strict drift run, also for each binding that the file does not list.
pub(super) fn annotations(document: Document<'_>) -> String {
    let mut text = String::new();
    match document {
        Document::Plan(plan) | Document::Drift(plan) => plan_annotations(&mut text, plan),
        Document::Report(report) => report_annotations(&mut text, report),
    }
    text
}

/// Renders the outputs of a step, one `name=value` per line: the numbers of changes, the drift (`true`,
/// `false` or `unknown`), the fingerprint, and whether the plan is blocked or the apply ended with exit code
/// 3. The fingerprint of an incomplete plan is empty.
pub fn outputs(document: Document<'_>) -> String {
    let (summary, is_refused, drift) = match document {
        Document::Plan(plan) | Document::Drift(plan) => {
            (plan.summary(), plan.is_blocked(), plan.is_drifted())
        }
        Document::Report(report) => {
            let count = |action| report.changes().filter(|it| it.change.action == action).count();
            let summary = Summary {
                enable: count(Action::Enable),
                replace: count(Action::Replace),
                disable: count(Action::Disable),
                ..Summary::default()
            };
            let left = report.changes().any(|change| !change.outcome.is_done());
            // It is not known whether an unreadable binding differs.
            let drift = (left || report.is_complete()).then_some(left);
            (summary, report.exit_code == 3, drift)
        }
    };
    let fingerprint = document.fingerprint().unwrap_or_default();
    let drift = drift.map_or("unknown".to_owned(), |drift| drift.to_string());
    let Summary { enable, replace, disable, .. } = summary;
    let changes = summary.changes();
    format!(
        "changes={changes}\nenable={enable}\nreplace={replace}\ndisable={disable}\ndrift={drift}\n\
         fingerprint={fingerprint}\nrefused={is_refused}\n"
    )
}

/// Appends the annotations of a plan or of drift, the most dangerous of all tenants first: a step shows at
/// most ten annotations of a level.
fn plan_annotations(text: &mut String, plan: &Plan) {
    let named = |target| (target, Names::from_target(target), start_of_file(target));
    let targets: Vec<_> = plan.targets().map(named).collect();
    let mut files = BTreeMap::new();
    for (target, _, file) in &targets {
        files.entry(&target.tenant).or_insert(file.as_ref());
    }
    let problems = plan.problems();
    // Problems without a location are at the beginning of the first file of their tenant.
    let problem_annotations = |text: &mut String, severity| {
        for problem in problems.iter().filter(|problem| problem.diagnostic.severity == severity) {
            let file = problem.tenant.as_ref().and_then(|tenant| files.get(tenant).copied().flatten());
            problem_annotation(text, file, problem);
        }
    };
    problem_annotations(text, Severity::Error);
    // Blockers do not concern drift.
    let is_drift = plan.drift.is_some();
    let level = if is_drift { "warning" } else { "error" };
    for (target, _, file) in &targets {
        for blocker in blockers_and_pins(target, is_drift).0 {
            diagnostic_annotation(text, level, file.as_ref(), &target.tenant, &blocker.diagnostic());
        }
    }
    for (target, names, file) in &targets {
        for pin in blockers_and_pins(target, is_drift).1 {
            let message = format!("{}: {}", names.connector(&pin.connector), wording::describe_pin(pin));
            annotate(text, "error", file.as_ref(), &title(Code::PinMismatch, &target.tenant), &message);
        }
    }
    for action in ACTIONS {
        let level = if action == Action::Enable { "notice" } else { "warning" };
        for (target, names, _) in &targets {
            for change in target.changes.iter().filter(|change| change.action == action) {
                let (current, desired) = (names.bound(&change.current), names.bound(&change.desired));
                let title = binding_title(action.name(), &change.flow, change.step, &target.tenant);
                annotate(text, level, Some(&change.source), &title, &format!("{current} → {desired}"));
            }
        }
    }
    problem_annotations(text, Severity::Warning);
    for (target, names, file) in targets.iter().filter(|_| plan.is_strict()) {
        for Unmanaged { flow, step, current } in &target.unmanaged {
            let message = format!("bound to {}, but not in the file", names.bound(current));
            let title = binding_title("unmanaged", flow, *step, &target.tenant);
            annotate(text, "warning", file.as_ref(), &title, &message);
        }
    }
}

/// Appends the annotations of a report: the errors, then the changes, those that are not done first.
fn report_annotations(text: &mut String, report: &Report) {
    for problem in &report.errors {
        problem_annotation(text, None, problem);
    }
    let names: Vec<_> = report.targets.iter().map(Names::from_report).collect();
    for kind in OUTCOMES {
        let level = match kind {
            OutcomeKind::Applied | OutcomeKind::Already => "notice",
            OutcomeKind::NotAttempted => "warning",
            OutcomeKind::Failed | OutcomeKind::Unverified => "error",
        };
        for (target, names) in report.targets.iter().zip(&names) {
            let of_kind = target.changes.iter().filter(|report| report.outcome.kind() == kind);
            for ChangeReport { change, outcome } in of_kind {
                let (current, desired) = (names.bound(&change.current), names.bound(&change.desired));
                let error = outcome.error().map(|error| format!(": {error}")).unwrap_or_default();
                let hint = outcome.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
                let title = binding_title(kind.name(), &change.flow, change.step, &target.tenant);
                let id = kind.code().map(|code| format!(" [{code}]")).unwrap_or_default();
                let message = format!("{current} → {desired}{error}{hint}");
                annotate(text, level, change.source.as_ref(), &format!("{title}{id}"), &message);
            }
        }
    }
}

/// Appends a problem at its own location if it has one, otherwise at `fallback`. The severity is the level;
/// the title has the tenant, or `flowbind` for a problem of the run.
fn problem_annotation(
    text: &mut String,
    fallback: Option<&SourceLocation>,
    Problem { diagnostic, tenant }: &Problem,
) {
    let level = match diagnostic.severity {
        Severity::Error | Severity::Blocked => "error",
        Severity::Warning => "warning",
    };
    diagnostic_annotation(text, level, fallback, tenant.as_deref().unwrap_or("flowbind"), diagnostic);
}

/// Appends a diagnostic with this level, at its own location if it has one, otherwise at `fallback`. The
/// title has its id and the tenant, the message all details.
fn diagnostic_annotation(
    text: &mut String,
    level: &str,
    fallback: Option<&SourceLocation>,
    tenant: &str,
    diagnostic: &Diagnostic,
) {
    let location = diagnostic.location.as_deref().map(Location::position);
    let message = one_line(&Diagnostic { location: None, ..diagnostic.clone() });
    annotate(text, level, location.as_ref().or(fallback), &title(diagnostic.code, tenant), &message);
}

/// Returns the title of a problem: `stale-plan (contoso.onmicrosoft.com)`.
fn title(code: Code, tenant: &str) -> String {
    format!("{code} ({tenant})")
}

/// Returns the title of a binding: `disable B2C_1_signup postFederationSignup (contoso.onmicrosoft.com)`.
fn binding_title(state: &str, flow: &FlowId, step: Step, tenant: &str) -> String {
    format!("{state} {flow} {step} ({tenant})")
}

/// Returns the beginning of a target's file, for problems without a line. `None` if the target has no file
/// name.
fn start_of_file(target: &Target) -> Option<SourceLocation> {
    Some(SourceLocation { file: target.file.clone(), line: 1, column: 1 })
        .filter(|location| !location.file.is_empty())
}

/// Appends an annotation as one workflow command, with title and message escaped. `None` omits the location.
fn annotate(text: &mut String, level: &str, location: Option<&SourceLocation>, title: &str, message: &str) {
    let title = escape::property(title);
    let location = location.map(|SourceLocation { file, line, column }| {
        format!("file={},line={line},col={column},", escape::property(file))
    });
    let (location, message) = (location.unwrap_or_default(), escape::command(message));
    push_line(text, format_args!("::{level} {location}title={title}::{message}"));
}
