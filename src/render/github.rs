//! Renders workflow commands of GitHub Actions: annotations at the lines of the files, and outputs
//! (<https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>).

use std::collections::BTreeMap;

use super::escape;
use super::hold::{self, Held};
use super::names::Names;
use super::order::{ACTIONS, OUTCOMES, unblocking_pins};
use super::wording::{self, one_line};
use crate::apply::{ChangeReport, OutcomeKind, Report};
use crate::diagnostic::{Code, Diagnostic, Location, STDIN, Severity, SourceLocation, clipped};
use crate::model::{Action, FlowId, Label, Step, Tenant};
use crate::plan::{Limit, Plan, Problem, Summary};

/// Number of annotations of a level that a step shows
/// (<https://docs.github.com/actions/reference/limits>).
const MAX_SHOWN: usize = 10;

/// Number of characters of a title: GitHub accepts 255, and a clipped text has one more
/// (<https://docs.github.com/rest/checks/runs#create-a-check-run>).
const MAX_TITLE: usize = 254;

/// Number of characters of a message: the runner cuts off what is beyond 4,096, and a clipped text has one more
/// (<https://github.com/actions/runner/blob/main/src/Runner.Worker/ExecutionContext.cs>).
const MAX_MESSAGE: usize = 4_095;

/// Renders the outputs of a step for a plan, one `name=value` per line: the numbers of changes, whether anything
/// differs (`true`, `false` or `unknown`), the fingerprint, which is empty for an incomplete plan, whether the plan is
/// blocked, and the fingerprint of each complete tenant as a JSON object.
pub(super) fn plan_outputs(plan: &Plan) -> String {
    let fingerprints = plan.tenant_fingerprints().into_iter();
    let fingerprints = fingerprints.filter_map(|(tenant, it)| Some((tenant.to_string(), it?.into())));
    let fingerprints = serde_json::Value::Object(fingerprints.collect());
    let outputs = outputs(plan.summary(), plan.is_drifted(), plan.fingerprint(), plan.is_blocked());
    format!("{outputs}fingerprints={fingerprints}\n")
}

/// Renders the outputs of a step for a report: those of a plan, for the changes that were to be made.
pub(super) fn report_outputs(report: &Report) -> String {
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
    let fingerprint = report.fingerprint.as_deref().map(escape::fingerprint);
    outputs(summary, drift, fingerprint, report.exit_code == 3)
}

fn outputs(summary: Summary, drift: Option<bool>, fingerprint: Option<String>, is_refused: bool) -> String {
    let (drift, fingerprint) = (drift_status(drift), fingerprint.unwrap_or_default());
    let Summary { enable, replace, disable, .. } = summary;
    let changes = summary.changes();
    format!(
        "changes={changes}\nenable={enable}\nreplace={replace}\ndisable={disable}\ndrift={drift}\n\
         fingerprint={fingerprint}\nrefused={is_refused}\n"
    )
}

/// Returns `true`, `false` or `unknown`.
pub(super) fn drift_status(is_drifted: Option<bool>) -> &'static str {
    match is_drifted {
        Some(true) => "true",
        Some(false) => "false",
        None => "unknown",
    }
}

/// Renders an annotation for each change, each problem and each held binding of a plan. Problems include blockers and
/// broken pins. The most dangerous of all tenants come first: a step shows at most ten annotations of a level.
pub(super) fn plan_annotations(plan: &Plan) -> Annotations {
    let mut annotations = Annotations::new(plan.label.as_ref());
    let named = |target| (target, Names::from_target(target));
    let targets: Vec<_> = plan.targets().map(named).collect();
    let problems = plan.problems();
    let files = plan.targets().map(|target| (&target.tenant, target.file.as_str())).collect::<Vec<_>>();
    problem_annotations(&mut annotations, &problems, &files, Severity::Error);
    for (target, _) in &targets {
        for blocker in plan.blocker_diagnostics(target) {
            let file = start_of_file(&target.file);
            diagnostic_annotation(&mut annotations, "error", file.as_ref(), &target.tenant, &blocker);
        }
    }
    for (target, names) in &targets {
        for pin in unblocking_pins(target) {
            let message = format!("{}: {}", names.connector(&pin.connector), wording::describe_pin(pin));
            let title = title(Code::PinMismatch, &target.tenant);
            let file = start_of_file(&target.file);
            annotations.push("error", pin.source.as_ref().or(file.as_ref()), &title, &message);
        }
    }
    for action in ACTIONS {
        let level = if action == Action::Enable { "notice" } else { "warning" };
        for (target, names) in &targets {
            for change in target.changes.iter().filter(|change| change.action == action) {
                let (current, desired) = (names.bound(&change.current), names.bound(&change.desired));
                let title = binding_title(action.name(), &change.flow, change.step, &target.tenant);
                annotations.push(level, Some(&change.source), &title, &format!("{current} → {desired}"));
            }
        }
    }
    problem_annotations(&mut annotations, &problems, &files, Severity::Warning);
    for (target, names) in &targets {
        held_annotations(&mut annotations, &target.tenant, &hold::of_target(target, names));
    }
    push_limit(&mut annotations, plan.limit.as_ref());
    annotations
}

/// Appends the limit of a run as a notice, if it has one.
pub(super) fn push_limit(annotations: &mut Annotations, limit: Option<&Limit>) {
    if let Some(limit) = limit {
        annotations.push("notice", None, "flowbind", &wording::describe_limit(limit));
    }
}

/// Appends a notice for each held binding of a tenant.
pub(super) fn held_annotations(annotations: &mut Annotations, tenant: &Tenant, held: &[Held]) {
    for it in held {
        let title = binding_title("held", &it.flow, it.step, tenant);
        let message = format!("{}. {}", it.values(), it.until());
        annotations.push("notice", Some(it.source()), &title, &message);
    }
}

/// Appends the problems of this severity. Those without a location are at the beginning of the first file of their
/// tenant. `files` are the tenants with their files, in order.
pub(super) fn problem_annotations(
    annotations: &mut Annotations,
    problems: &[Problem],
    files: &[(&Tenant, &str)],
    severity: Severity,
) {
    let mut first = BTreeMap::new();
    files.iter().for_each(|(tenant, file)| _ = first.entry(*tenant).or_insert(*file));
    for problem in problems.iter().filter(|problem| problem.diagnostic.severity == severity) {
        let file = problem.tenant.as_ref().and_then(|tenant| first.get(tenant));
        problem_annotation(annotations, file.and_then(|file| start_of_file(file)).as_ref(), problem);
    }
}

/// Renders the annotations of a report: the errors, then the changes, those that are not done first.
pub(super) fn report_annotations(report: &Report) -> Annotations {
    let mut annotations = Annotations::new(report.label.as_ref());
    for problem in &report.errors {
        problem_annotation(&mut annotations, None, problem);
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
                annotations.push(level, change.source.as_ref(), &format!("{title}{id}"), &message);
            }
        }
    }
    for (target, names) in report.targets.iter().zip(&names) {
        held_annotations(&mut annotations, &target.tenant, &hold::of_report(target, names));
    }
    push_limit(&mut annotations, report.limit.as_ref());
    annotations
}

/// Appends a problem at its own location if it has one, otherwise at `fallback`. The severity is the level;
/// the title has the tenant, or `flowbind` for a problem of the run.
fn problem_annotation(
    annotations: &mut Annotations,
    fallback: Option<&SourceLocation>,
    Problem { diagnostic, tenant }: &Problem,
) {
    let level = match diagnostic.severity {
        Severity::Error | Severity::Blocked => "error",
        Severity::Warning => "warning",
    };
    diagnostic_annotation(annotations, level, fallback, tenant.as_deref().unwrap_or("flowbind"), diagnostic);
}

/// Appends a diagnostic with this level, at its own location if it has one, otherwise at `fallback`. The
/// title has its id and the tenant, the message all details.
fn diagnostic_annotation(
    annotations: &mut Annotations,
    level: &'static str,
    fallback: Option<&SourceLocation>,
    tenant: &str,
    diagnostic: &Diagnostic,
) {
    let location = diagnostic.location.as_deref().map(Location::position);
    let message = one_line(&Diagnostic { location: None, ..diagnostic.clone() });
    annotations.push(level, location.as_ref().or(fallback), &title(diagnostic.code, tenant), &message);
}

/// Returns the title of a problem: `stale-plan (contoso.onmicrosoft.com)`.
fn title(code: Code, tenant: &str) -> String {
    format!("{code} ({tenant})")
}

/// Returns the title of a binding: `disable B2C_1_signup postFederationSignup (contoso.onmicrosoft.com)`.
pub(super) fn binding_title(state: &str, flow: &FlowId, step: Step, tenant: &str) -> String {
    format!("{state} {flow} {step} ({tenant})")
}

/// Returns the beginning of a file, for problems without a line. `None` if the file has no name.
pub(super) fn start_of_file(file: &str) -> Option<SourceLocation> {
    (!file.is_empty()).then(|| SourceLocation { file: file.to_owned(), line: 1, column: 1 })
}

/// Annotations of a run, the most important first.
#[derive(Default)]
pub(super) struct Annotations {
    /// Label of the run, which each title ends with.
    label: Option<Label>,
    list: Vec<Annotation>,
}

struct Annotation {
    level: &'static str,
    location: Option<SourceLocation>,
    title: String,
    message: String,
}

impl Annotations {
    /// Creates an empty list for a run with this label.
    pub(super) fn new(label: Option<&Label>) -> Self {
        Self { label: label.cloned(), list: Vec::new() }
    }

    /// Adds an annotation. `None` omits the location, and so does stdin.
    pub(super) fn push(
        &mut self,
        level: &'static str,
        location: Option<&SourceLocation>,
        title: &str,
        message: &str,
    ) {
        let (location, title, message) = (location.cloned(), title.to_owned(), message.to_owned());
        self.list.push(Annotation { level, location, title, message });
    }

    /// Renders each annotation as one workflow command. `path_in_repository` returns the path of a file relative to
    /// the root of its repository. If a level has more annotations than a step shows, the last that is shown has the
    /// number of the others. The log has all of them.
    pub(super) fn render(mut self, path_in_repository: &dyn Fn(&str) -> String) -> String {
        for level in ["error", "warning", "notice"] {
            let of_level = self.list.iter().enumerate().filter(|(_, it)| it.level == level);
            let positions: Vec<_> = of_level.map(|(at, _)| at).collect();
            let more = positions.len().saturating_sub(MAX_SHOWN.saturating_sub(1));
            if let Some(last) = positions.get(MAX_SHOWN.saturating_sub(1)).filter(|_| more > 1) {
                let message = format!("{more} more {level}s are in the log of this step");
                let title = "flowbind".to_owned();
                self.list.insert(*last, Annotation { level, location: None, title, message });
            }
        }
        let Self { label, list } = self;
        let suffix = label.map(|label| format!(" ({label})")).unwrap_or_default();
        list.iter().map(|annotation| annotation.render(&suffix, path_in_repository)).collect()
    }
}

impl Annotation {
    /// Renders the annotation as a workflow command, with `suffix` at the end of its title.
    fn render(&self, suffix: &str, path_in_repository: &dyn Fn(&str) -> String) -> String {
        let Self { level, location, title, message } = self;
        let location = location.as_ref().filter(|location| location.file != STDIN);
        let location = location.map(|SourceLocation { file, line, column }| {
            let file = escape::property(&path_in_repository(file));
            format!("file={file},line={line},col={column},")
        });
        let room = MAX_TITLE.saturating_sub(suffix.len());
        let title = escape::property(&format!("{}{suffix}", clipped(&escape::text(title), room)));
        let message = escape::command(&clipped(&escape::text(message), MAX_MESSAGE));
        format!("::{level} {}title={title}::{message}\n", location.unwrap_or_default())
    }
}
