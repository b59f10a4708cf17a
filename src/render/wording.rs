//! Phrases that several formats share.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use strum::VariantArray as _;

use super::escape;
use crate::apply::{ChangeReport, OutcomeKind, Report};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Action, Label, Only};
use crate::plan::{BrokenPin, Limit, Override, Plan, Summary, Target, TenantPlan};

/// Returns a name with the label of its run: `Plan (prod)`.
pub(super) fn labeled(name: &str, label: Option<&Label>) -> String {
    label.map_or_else(|| name.to_owned(), |label| format!("{name} ({label})"))
}

/// Returns the counts of a plan's changes and blockers as sentences: `Plan: 1 to enable. Blocked by 1
/// guard.`, or `No changes.` For an incomplete plan, returns why it is incomplete, and whether all or how
/// many of its tenants cannot be applied.
pub(super) fn total(plan: &Plan) -> String {
    let labeled = |name| self::labeled(name, plan.label.as_ref());
    if !plan.is_complete() {
        let tenants = plan.tenants.len();
        let incomplete = plan.tenants.iter().filter(|tenant| !plan.is_tenant_complete(tenant)).count();
        let consequence = if tenants > 1 && incomplete < tenants {
            format!("{incomplete} of {tenants} tenants cannot be applied")
        } else {
            "It cannot be applied".to_owned()
        };
        return format!(
            "{} incomplete: {}. {consequence}.",
            labeled("Plan"),
            incompleteness(plan.summary(), plan.errors().len())
        );
    }
    let blockers: usize = plan.targets().map(|target| target.blockers.len()).sum();
    let blocked = match blockers {
        0 => String::new(),
        blockers => format!(" Blocked by {}.", pluralize(blockers, "guard", "guards")),
    };
    match action_counts(plan.summary()) {
        counts if counts.is_empty() => format!("{}.{blocked}", labeled("No changes")),
        counts => format!("{}: {counts}.{blocked}", labeled("Plan")),
    }
}

/// Returns the title of a plan: `name`, `, incomplete` and `, blocked` if it is, then the counts, or why the plan is
/// incomplete. A complete plan without changes has the title `nothing`.
pub(super) fn plan_title(plan: &Plan, name: &str, nothing: &str) -> String {
    let is_complete = plan.is_complete();
    let blocked = if plan.is_blocked() { ", blocked" } else { "" };
    let suffix = format!("{}{blocked}", incomplete_suffix(is_complete));
    let result = if is_complete {
        action_counts(plan.summary())
    } else {
        incompleteness(plan.summary(), plan.errors().len())
    };
    title(name, &suffix, &result, nothing)
}

/// Returns the title of a report: `name`, `, incomplete` if it is, then the counts. A complete report without changes
/// has the title `nothing`.
pub(super) fn report_title(report: &Report, name: &str, nothing: &str) -> String {
    title(name, incomplete_suffix(report.is_complete()), &outcome_counts(report.changes()), nothing)
}

fn title(name: &str, suffix: &str, result: &str, nothing: &str) -> String {
    match (suffix, result) {
        ("", "") => nothing.to_owned(),
        (suffix, "") => format!("{name}{suffix}"),
        (suffix, result) => format!("{name}{suffix}: {result}"),
    }
}

/// Returns the suffix of a title: `, incomplete` or nothing.
pub(super) fn incomplete_suffix(is_complete: bool) -> &'static str {
    if is_complete { "" } else { ", incomplete" }
}

/// Returns the question of a prompt: `Apply 2 changes (1 disable) to contoso.onmicrosoft.com?` The disables are left
/// out if there are none, and several tenants are only counted. The label of the run is last.
pub fn approval_question(tenants: &[&TenantPlan], label: Option<&Label>) -> String {
    let changes = || tenants.iter().flat_map(|tenant| tenant.changes());
    let disables = changes().filter(|change| change.action == Action::Disable).count();
    let disables = match disables {
        0 => String::new(),
        number => format!(" ({})", pluralize(number, "disable", "disables")),
    };
    let names = match tenants {
        [tenant] => tenant.tenant.to_string(),
        several => format!("{} tenants", several.len()),
    };
    let (changes, names) = (pluralize(changes().count(), "change", "changes"), labeled(&names, label));
    escape::text(&format!("Apply {changes}{disables} to {names}?")).into_owned()
}

/// Returns why a plan is incomplete: `10 of 60 bindings could not be compared`. If all were compared, returns
/// the number of errors, or without errors `not all bindings could be read`.
pub(super) fn incompleteness(summary: Summary, errors: usize) -> String {
    match summary.not_compared {
        0 if errors > 0 => pluralize(errors, "error", "errors"),
        0 => "not all bindings could be read".to_owned(),
        not_compared => {
            let managed = pluralize(summary.managed(), "binding", "bindings");
            format!("{not_compared} of {managed} could not be compared")
        }
    }
}

/// Returns the number of changes of each kind that occurs, such as `1 to enable, 2 to disable`. Empty without
/// changes.
pub(super) fn action_counts(Summary { enable, replace, disable, .. }: Summary) -> String {
    let counts = [(enable, "enable"), (replace, "replace"), (disable, "disable")].into_iter();
    let counts = counts.filter(|(number, _)| *number > 0);
    counts.map(|(number, action)| format!("{number} to {action}")).collect::<Vec<_>>().join(", ")
}

/// Returns the number of changes with each outcome that occurs, such as `2 applied, 1 failed`. Empty without
/// changes.
pub(super) fn outcome_counts<'a>(changes: impl Iterator<Item = &'a ChangeReport>) -> String {
    let changes: Vec<_> = changes.collect();
    let count = |kind| changes.iter().filter(|change| change.outcome.kind() == kind).count();
    let counts = OutcomeKind::VARIANTS.iter().map(|kind| (count(*kind), kind.name().replace('-', " ")));
    let counts = counts.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}"));
    counts.collect::<Vec<_>>().join(", ")
}

/// Returns the flags that override guards in a target's plan, separated by spaces and quoted for a shell. They name
/// the tenant if the run has `several`. Empty without flags.
pub(super) fn override_flags(target: &Target, several: bool) -> String {
    let shell = |flag: &Override| flag.scoped(&target.tenant, several).to_shell();
    let flags = target.overrides.iter().map(|flag| escape::text(&shell(flag)).into_owned());
    flags.collect::<Vec<_>>().join(" ")
}

/// Returns a problem in one line, not escaped: location, message, causes, notes and hints, without severity
/// and id.
pub(super) fn one_line(diagnostic: &Diagnostic) -> String {
    let Diagnostic { severity: _, code: _, message, location, causes, notes, hints } = diagnostic;
    let location = location.as_ref().map(|location| format!("{}: ", location.position()));
    let causes = Some(causes.join("; ")).filter(|causes| !causes.is_empty());
    let causes = causes.map(|causes| format!(": {causes}")).unwrap_or_default();
    let details = notes.iter().chain(hints).map(|detail| format!("; {detail}")).collect::<String>();
    format!("{}{message}{causes}{details}", location.unwrap_or_default())
}

/// Returns the hints of the changes that are not done, with the id of the problem, each once: one hint may
/// concern many changes.
pub(super) fn hints(changes: &[ChangeReport]) -> Vec<(Code, &str)> {
    let mut seen = BTreeSet::new();
    let hints = changes.iter().filter_map(|it| it.outcome.kind().code().zip(it.outcome.hint()));
    hints.filter(|hint| seen.insert(*hint)).collect()
}

/// Returns the pinned and the actual address in one line, without the connector.
pub(super) fn describe_pin(BrokenPin { connector: _, expected, actual, source: _ }: &BrokenPin) -> String {
    format!("pinned to {expected}, but calls {}", actual.as_deref().unwrap_or("no address"))
}

/// Returns the limit of a run: `Limited to 1 of 60 bindings (--only)`.
pub(super) fn describe_limit(limit: &Limit) -> String {
    format!("Limited to {} of {} (--only)", limit.selected, pluralize(limit.of, "binding", "bindings"))
}

/// Returns the flags that select bindings, quoted for a shell, each with a space before.
pub(super) fn only_flags<'a>(only: impl IntoIterator<Item = &'a Only>) -> String {
    let flag = |only: &Only| format!(" --only {}", escape::shell(&only.to_string()));
    only.into_iter().map(flag).collect()
}

/// Returns a number with its noun: `1 error`, `2 errors`.
pub fn pluralize(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Appends a line and its end.
pub(super) fn push_line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    _ = writeln!(text, "{line}");
}
