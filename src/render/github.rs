//! Workflow commands of GitHub Actions: annotations at the lines of the files, and outputs
//! (<https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>).

use super::document::{Document, Drift};
use super::escape;
use super::text::{Names, line};
use crate::apply::{ChangeReport, Outcome, Report};
use crate::model::Action;
use crate::plan::{BrokenPin, Place, Plan, Problem, Refusal, Summary, Target, Unknown};

/// Draws an annotation for each thing that a reviewer or whoever is on call should see.
pub(super) fn annotations(document: Document<'_>) -> String {
    let mut text = String::new();
    match document {
        Document::Plan(plan) => plan_annotations(&mut text, plan, None),
        Document::Drift(drift) => plan_annotations(&mut text, drift.plan, Some(drift)),
        Document::Report(report) => report_annotations(&mut text, report),
    }
    text
}

/// Draws what a workflow reads as the outputs of a step: one `name=value` a line.
pub fn outputs(document: Document<'_>) -> String {
    let (summary, fingerprint, refused, drift) = match document {
        Document::Plan(plan) | Document::Drift(Drift { plan, .. }) => {
            let drift = match document {
                Document::Drift(drift) => drift,
                _ => Drift { plan, gone: &[], strict: false },
            };
            (plan.summary(), plan.fingerprint(), plan.is_refused(), drift.answer())
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
            (summary, escape::fingerprint(&report.fingerprint), report.exit_code == 3, Some(left))
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

fn plan_annotations(text: &mut String, plan: &Plan, drift: Option<Drift<'_>>) {
    for Problem { message, place, tenant } in &plan.errors {
        annotate(text, "error", place.as_ref(), tenant.as_deref().unwrap_or("flowbind"), message);
    }
    for (at, target) in plan.targets.iter().enumerate() {
        target_annotations(text, target);
        let Some(drift) = drift else { continue };
        let names = Names::of_target(target);
        for gone in drift.gone.get(at).into_iter().flatten() {
            let message = format!("bound to {}, which is gone", names.bound(&gone.current));
            let title = format!("{} {}", gone.flow, gone.step);
            annotate(text, "warning", whole_file(target).as_ref(), &title, &message);
        }
        for unmanaged in target.unmanaged.iter().filter(|_| drift.strict) {
            let message = format!("bound to {}, and not in the file", names.bound(&unmanaged.current));
            let title = format!("{} {}", unmanaged.flow, unmanaged.step);
            annotate(text, "warning", whole_file(target).as_ref(), &title, &message);
        }
    }
}

/// The most dangerous come first: a job shows no more than ten annotations of a kind.
fn target_annotations(text: &mut String, target: &Target) {
    let names = Names::of_target(target);
    let file = whole_file(target);
    for Refusal { reason, allow } in &target.refusals {
        let allow = allow.as_ref().map(|flag| format!("; allow it with {flag}")).unwrap_or_default();
        annotate(text, "error", file.as_ref(), "refused", &format!("{reason}{allow}"));
    }
    for Unknown { flow, step, error } in &target.unknown {
        annotate(text, "error", file.as_ref(), &format!("{flow} {step} could not be read"), error);
    }
    for BrokenPin { connector, expected, actual } in &target.pins {
        let actual = actual.as_deref().unwrap_or("no address");
        let message = format!("{}: pinned to {expected}, calls {actual}", names.connector(connector));
        annotate(text, "error", file.as_ref(), "a pin does not hold", &message);
    }
    for action in [Action::Disable, Action::Replace, Action::Enable] {
        let kind = if action == Action::Enable { "notice" } else { "warning" };
        for change in target.changes.iter().filter(|change| change.action == action) {
            let (current, desired) = (names.bound(&change.current), names.bound(&change.desired));
            let title = format!("{} {} {}", action.name(), change.flow, change.step);
            annotate(text, kind, Some(&change.source), &title, &format!("{current} → {desired}"));
        }
    }
    for warning in &target.warnings {
        annotate(text, "warning", file.as_ref(), &target.tenant, warning);
    }
}

fn report_annotations(text: &mut String, report: &Report) {
    for Problem { message, place, tenant } in &report.errors {
        annotate(text, "error", place.as_ref(), tenant.as_deref().unwrap_or("flowbind"), message);
    }
    for target in &report.targets {
        let names = Names::of_report(target);
        for ChangeReport { change, outcome, error, .. } in &target.changes {
            let kind = match outcome {
                Outcome::Applied | Outcome::Already => "notice",
                Outcome::NotAttempted => "warning",
                Outcome::Failed | Outcome::Unverified => "error",
            };
            let (current, desired) = (names.bound(&change.current), names.bound(&change.desired));
            let error = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            let title = format!("{} {} {}", outcome.name(), change.flow, change.step);
            let place = Some(&change.source).filter(|place| !place.file.is_empty());
            annotate(text, kind, place, &title, &format!("{current} → {desired}{error}"));
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
