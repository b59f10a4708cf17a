//! Workflow commands of GitHub Actions: annotations at the lines of the files, and outputs
//! (<https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>).

use super::document::Document;
use super::escape;
use super::order::{ACTIONS, OUTCOMES};
use super::text::{self, Names, line};
use crate::apply::{ChangeReport, Outcome, Report};
use crate::model::Action;
use crate::plan::{Place, Plan, Problem, Summary, Target, Unknown};

/// Draws an annotation for each thing that a reviewer or whoever is on call should see.
pub(super) fn annotations(document: Document<'_>) -> String {
    let mut text = String::new();
    match document {
        Document::Plan(plan) | Document::Drift(plan) => plan_annotations(&mut text, plan),
        Document::Report(report) => report_annotations(&mut text, report),
    }
    text
}

/// Draws what a workflow reads as the outputs of a step: one `name=value` a line.
pub fn outputs(document: Document<'_>) -> String {
    let (summary, fingerprint, refused, drift) = match document {
        Document::Plan(plan) | Document::Drift(plan) => {
            (plan.summary(), plan.fingerprint(), plan.is_refused(), plan.answer())
        }
        Document::Report(report) => {
            let count = |action| report.changes().filter(|it| it.change.action == action).count();
            let summary = Summary {
                enable: count(Action::Enable),
                replace: count(Action::Replace),
                disable: count(Action::Disable),
                unchanged: 0,
            };
            let left = report.changes().any(|change| !change.outcome.is_done());
            // Of what could not be read nobody knows whether it differs.
            let drift = (left || report.is_whole()).then_some(left);
            (summary, escape::fingerprint(&report.fingerprint), report.exit_code == 3, drift)
        }
    };
    let drift = drift.map_or("unknown".to_owned(), |drift| drift.to_string());
    let Summary { enable, replace, disable, unchanged: _ } = summary;
    let changes = enable.saturating_add(replace).saturating_add(disable);
    format!(
        "changes={changes}\nenable={enable}\nreplace={replace}\ndisable={disable}\ndrift={drift}\n\
         fingerprint={fingerprint}\nrefused={refused}\n"
    )
}

/// The most dangerous of all tenants come first: a step shows no more than ten annotations of a kind.
fn plan_annotations(text: &mut String, plan: &Plan) {
    let strict = plan.is_strict();
    for Problem { message, place, tenant } in &plan.errors {
        annotate(text, "error", place.as_ref(), tenant.as_deref().unwrap_or("flowbind"), message);
    }
    let targets = || plan.targets.iter().map(|target| (target, whole_file(target)));
    for (target, file) in targets() {
        // What refuses a plan is no matter of what differs.
        let level = if plan.drift.is_none() { "error" } else { "warning" };
        for refusal in &target.refusals {
            annotate(text, level, file.as_ref(), "refused", &text::refusal(refusal));
        }
    }
    for (target, file) in targets() {
        for Unknown { flow, step, error } in &target.unknown {
            annotate(text, "error", file.as_ref(), &format!("{flow} {step} could not be read"), error);
        }
    }
    let names: Vec<_> = plan.targets.iter().map(Names::of_target).collect();
    for ((target, file), names) in targets().zip(&names) {
        for pin in &target.pins {
            let message = format!("{}: {}", names.connector(&pin.connector), text::pin(pin));
            annotate(text, "error", file.as_ref(), "a pin does not hold", &message);
        }
    }
    for action in ACTIONS {
        let kind = if action == Action::Enable { "notice" } else { "warning" };
        for (target, names) in plan.targets.iter().zip(&names) {
            for change in target.changes.iter().filter(|change| change.action == action) {
                let (current, desired) = (names.bound(&change.current), names.bound(&change.desired));
                let title = format!("{} {} {}", action.name(), change.flow, change.step);
                annotate(text, kind, Some(&change.source), &title, &format!("{current} → {desired}"));
            }
        }
    }
    for (target, file) in targets() {
        for warning in &target.warnings {
            annotate(text, "warning", file.as_ref(), &target.tenant, warning);
        }
    }
    for ((target, file), names) in targets().zip(&names).filter(|_| strict) {
        for unmanaged in &target.unmanaged {
            let message = format!("bound to {}, and not in the file", names.bound(&unmanaged.current));
            let title = format!("{} {}", unmanaged.flow, unmanaged.step);
            annotate(text, "warning", file.as_ref(), &title, &message);
        }
    }
}

/// What is not as it should be in any tenant comes first.
fn report_annotations(text: &mut String, report: &Report) {
    for Problem { message, place, tenant } in &report.errors {
        annotate(text, "error", place.as_ref(), tenant.as_deref().unwrap_or("flowbind"), message);
    }
    let names: Vec<_> = report.targets.iter().map(Names::of_report).collect();
    for outcome in OUTCOMES {
        let kind = match outcome {
            Outcome::Applied | Outcome::Already => "notice",
            Outcome::NotAttempted => "warning",
            Outcome::Failed | Outcome::Unverified => "error",
        };
        for (target, names) in report.targets.iter().zip(&names) {
            for ChangeReport { change, error, .. } in
                target.changes.iter().filter(|change| change.outcome == outcome)
            {
                let (current, desired) = (names.bound(&change.current), names.bound(&change.desired));
                let error = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
                let title = format!("{} {} {}", outcome.name(), change.flow, change.step);
                let place = Some(&change.source).filter(|place| !place.file.is_empty());
                annotate(text, kind, place, &title, &format!("{current} → {desired}{error}"));
            }
        }
    }
}

/// The beginning of a target's file, for what stands in no line of it.
fn whole_file(target: &Target) -> Option<Place> {
    Some(Place { file: target.file.clone(), line: 1, column: 1 }).filter(|place| !place.file.is_empty())
}

fn annotate(text: &mut String, kind: &str, place: Option<&Place>, title: &str, message: &str) {
    let title = escape::property(title);
    let place = place.map(|Place { file, line, column }| {
        format!("file={},line={line},col={column},", escape::property(file))
    });
    let (place, message) = (place.unwrap_or_default(), escape::command(message));
    line(text, format_args!("::{kind} {place}title={title}::{message}"));
}
