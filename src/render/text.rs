//! Renders a plan as text, for a terminal or a log.
//!
//! Colors only repeat the text: the output without colors has the same meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use strum::VariantArray as _;
use unicode_width::UnicodeWidthChar as _;

use super::diagnostic::prefixed_diagnostic;
use super::escape;
use super::order::blockers_and_pins;
use crate::apply::TargetReport;
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::{Action, Bound, Connector, ConnectorId, FlowId, Step, is_guid};
use crate::plan::{BrokenPin, Change, Plan, Problem, Summary, Target, Unmanaged};

pub(super) const STRONG: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const ALARM: Style = AnsiColor::Red.on_default().bold();

/// Renders a plan: its targets, then its problems, then the summary. The text is styled; the printer strips
/// styles for outputs without colors.
pub fn plan(plan: &Plan) -> String {
    let targets: String = plan.targets.iter().map(target).collect();
    targets + &problems(plan) + &summary(plan)
}

/// Renders the problems of a plan, each followed by a blank line: the warnings, then the errors, then the
/// blockers. Bindings that could not be read for one cause are one error.
fn problems(plan: &Plan) -> String {
    let several = plan.has_several_tenants();
    let mut problems = plan.problems();
    problems.sort_by_key(|problem| match problem.diagnostic.severity {
        Severity::Warning => 0,
        Severity::Error => 1,
        Severity::Blocked => 2,
    });
    problems.iter().map(|problem| self::problem(problem, several) + "\n").collect()
}

/// Renders one problem as text. Its tenant, if it has one, is before the message if the run has `several`
/// tenants.
pub fn problem(problem: &Problem, several: bool) -> String {
    let tenant = problem.tenant.as_ref().filter(|_| several);
    let prefix = tenant.map(|tenant| format!("{tenant}: ")).unwrap_or_default();
    prefixed_diagnostic(&prefix, &problem.diagnostic)
}

/// Renders the last lines of a plan: one for each tenant if there are several, the total, and the fingerprint of a
/// complete plan.
fn summary(plan: &Plan) -> String {
    let mut text = String::new();
    if plan.has_several_tenants() {
        for (tenant, line) in tenant_lines(plan) {
            push_line(&mut text, format_args!("{STRONG}{}{STRONG:#}: {line}", escape::text(&tenant)));
        }
    }
    let total = self::total(plan);
    let style = if plan.is_complete() { STRONG } else { ALARM };
    push_line(&mut text, format_args!("{style}{total}{style:#}"));
    if let Some(fingerprint) = plan.fingerprint() {
        push_line(&mut text, format_args!("Fingerprint: {fingerprint}"));
    }
    text
}

/// Returns the counts of a plan's changes and blockers as sentences: `Plan: 1 to enable. Blocked by 1
/// guard.`, or `No changes.` For an incomplete plan, returns why it is incomplete, and whether all or how
/// many of its tenants cannot be applied.
pub(super) fn total(plan: &Plan) -> String {
    if !plan.is_complete() {
        let is_complete = plan.completeness_check();
        let tenants = plan.tenants();
        let complete = |tenant: &String| {
            let mut targets = plan.targets_of(tenant).peekable();
            targets.peek().is_some() && targets.all(&is_complete)
        };
        let incomplete = tenants.iter().filter(|tenant| !complete(tenant)).count();
        let consequence = if tenants.len() > 1 && incomplete < tenants.len() {
            format!("{incomplete} of {} tenants cannot be applied", tenants.len())
        } else {
            "It cannot be applied".to_owned()
        };
        return format!(
            "Plan incomplete: {}. {consequence}.",
            incompleteness(plan.summary(), plan.errors.len())
        );
    }
    let blockers: usize = plan.targets.iter().map(|target| target.blockers.len()).sum();
    let blocked = match blockers {
        0 => String::new(),
        blockers => format!(" Blocked by {}.", pluralize(blockers, "guard", "guards")),
    };
    match action_counts(plan.summary()) {
        counts if counts.is_empty() => format!("No changes.{blocked}"),
        counts => format!("Plan: {counts}.{blocked}"),
    }
}

/// Returns the number of changes of each kind that occurs, or why the plan is incomplete. `None` without changes.
pub(super) fn result(plan: &Plan) -> Option<String> {
    let result = if plan.is_complete() {
        action_counts(plan.summary())
    } else {
        incompleteness(plan.summary(), plan.errors.len())
    };
    Some(result).filter(|result| !result.is_empty())
}

/// Returns why a plan is incomplete: `10 of 60 bindings could not be compared`. If all were compared, returns
/// the number of errors, or without errors `not all bindings could be read`.
fn incompleteness(summary: Summary, errors: usize) -> String {
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

/// Returns each tenant of the plan with a summary: the counts of its changes, or why it is incomplete. The
/// counts end with `, blocked` if a guard blocks the tenant, or with a note if only the run is incomplete.
/// Tenants are in the order of the files, those without a target last.
fn tenant_lines(plan: &Plan) -> Vec<(String, String)> {
    let is_complete = plan.completeness_check();
    let line = |tenant: String| {
        let targets: Vec<_> = plan.targets_of(&tenant).collect();
        let summary: Summary = targets.iter().map(|target| target.summary()).sum();
        let errors = plan.errors.iter().filter(|error| error.concerns_tenant(&tenant)).count();
        let counts = Some(action_counts(summary)).filter(|counts| !counts.is_empty());
        let counts = counts.unwrap_or_else(|| "no changes".to_owned());
        let is_read = errors == 0 && targets.iter().all(|target| target.unreadable.is_empty());
        let line = if targets.is_empty() || !is_read {
            format!("incomplete: {}", incompleteness(summary, errors))
        } else if !targets.iter().all(|target| is_complete(target)) {
            // An error that is not about this tenant.
            counts + ", but the run is incomplete"
        } else {
            let blocked = targets.iter().any(|target| !target.blockers.is_empty());
            counts + if blocked { ", blocked" } else { "" }
        };
        (tenant, line)
    };
    plan.tenants().into_iter().map(line).collect()
}

/// Renders one target: a line with its tenant and file, the changes, the broken pins that do not block them,
/// the override flags, the unmanaged bindings, and the number of unchanged ones. Does not render its
/// problems.
pub fn target(target: &Target) -> String {
    let Target { tenant, cloud, api, file, changes, in_sync, unmanaged, overrides, .. } = target;
    let names = Names::from_target(target);
    let mut text = String::new();
    let (tenant, file) = (escape::text(tenant), escape::text(file));
    push_line(&mut text, format_args!("{STRONG}{tenant}{STRONG:#} (cloud {cloud}, api {api}) from {file}\n"));

    for changes in changes.chunk_by(|one, next| one.flow == next.flow) {
        if let Some(first) = changes.first() {
            push_line(&mut text, format_args!("{STRONG}{}{STRONG:#}", flow(&first.flow)));
        }
        for change in changes {
            text.push_str(&self::change(change, &names));
        }
        text.push('\n');
    }
    // A broken pin that blocks the changes is one of the problems.
    let pins = blockers_and_pins(target, false).1;
    if !pins.is_empty() {
        push_line(&mut text, format_args!("{ALARM}Connector address differs from its pin:{ALARM:#}"));
        for BrokenPin { connector, expected, actual } in pins {
            let connector = names.connector(connector);
            let actual = actual.as_deref().unwrap_or("no address");
            let (expected, actual) = (escape::text(expected), escape::text(actual));
            push_line(
                &mut text,
                format_args!("    {connector}\n        pinned: {expected}\n        calls:  {actual}"),
            );
        }
        text.push('\n');
    }
    if !overrides.is_empty() {
        push_line(&mut text, format_args!("Planned with {}\n", override_flags(target)));
    }
    if !unmanaged.is_empty() {
        push_line(&mut text, format_args!("Not in the file (left unchanged):"));
        for Unmanaged { flow, step, current } in unmanaged {
            let (flow, current) = (self::flow(flow), names.bound(current));
            push_line(&mut text, format_args!("{FAINT}    {flow} {step}: {current}{FAINT:#}"));
        }
        text.push('\n');
    }
    if !in_sync.is_empty() {
        push_line(
            &mut text,
            format_args!("Unchanged: {}\n", pluralize(in_sync.len(), "binding", "bindings")),
        );
    }
    text
}

/// Returns the flags that override guards in a target's plan, separated by spaces and quoted for a shell.
/// Empty without flags.
pub(super) fn override_flags(target: &Target) -> String {
    let flags = target.overrides.iter().map(|flag| escape::text(&flag.to_shell()).into_owned());
    flags.collect::<Vec<_>>().join(" ")
}

fn change(change: &Change, names: &Names<'_>) -> String {
    let Change { flow: _, step, action, current, desired, protected, pin: _, source: _ } = change;
    let (mark, style) = match action {
        Action::Enable => ("+ enable ", AnsiColor::Green.on_default()),
        Action::Replace => ("~ replace", AnsiColor::Yellow.on_default()),
        // A check that is removed must not be overlooked, with or without color.
        Action::Disable => ("- DISABLE", ALARM),
    };
    let width = Step::VARIANTS.iter().map(|step| step.name().len()).max().unwrap_or_default();
    let (current, desired, step) = (names.bound(current), names.bound(desired), step.name());
    let protected = if *protected { "  (protected)" } else { "" };
    format!("  {style}{mark}{style:#}  {step:width$}  {current} → {desired}{protected}\n")
}

/// Names of connectors in one target: the displayName, with the id if a reader could confuse it with another.
pub(super) struct Names<'a> {
    ids: BTreeMap<String, BTreeSet<&'a ConnectorId>>,
}

impl<'a> Names<'a> {
    pub(super) fn from_target(target: &'a Target) -> Self {
        let Target { changes, in_sync, unmanaged, pins, .. } = target;
        let changed = changes.iter().flat_map(|change| [&change.current, &change.desired]);
        let unchanged = in_sync.iter().map(|it| &it.current).chain(unmanaged.iter().map(|it| &it.current));
        let bound = changed.chain(unchanged).flatten();
        Self::from_connectors(bound.chain(pins.iter().map(|pin| &pin.connector)))
    }

    pub(super) fn from_report(target: &'a TargetReport) -> Self {
        let changes = target.changes.iter().map(|report| &report.change);
        Self::from_connectors(changes.flat_map(|change| [&change.current, &change.desired]).flatten())
    }

    pub(super) fn from_connectors(shown: impl Iterator<Item = &'a Connector>) -> Self {
        let mut ids: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for connector in shown {
            if let Some(name) = &connector.display_name {
                ids.entry(confusable_key(name)).or_default().insert(&connector.id);
            }
        }
        Self { ids }
    }

    pub(super) fn bound(&self, bound: &Bound) -> String {
        bound.as_ref().map_or("nothing".to_owned(), |connector| self.connector(connector))
    }

    pub(super) fn connector(&self, Connector { id, display_name }: &Connector) -> String {
        let id = escape::text(id.as_str());
        match display_name.as_deref().filter(|name| !name.trim().is_empty()) {
            Some(name) => {
                let shown = escape::text(name);
                let shared = self.ids.get(&confusable_key(name)).is_some_and(|ids| ids.len() > 1);
                if shared || needs_id(name) { format!("{shown} ({id})") } else { shown.into_owned() }
            }
            // An id that is not a GUID can be any word.
            None if needs_id(&id) && !is_guid(&id) => format!("({id})"),
            None => id.into_owned(),
        }
    }
}

/// Returns whether a name needs its id: it looks like a keyword of the output, contains a GUID, has more than
/// [`MAX_NAME`] characters, or has invisible characters or outer spaces.
fn needs_id(name: &str) -> bool {
    let keyword = confusable_key(name) == "nothing" || name.contains('→') || name.contains("(protected)");
    let is_long = name.chars().nth(MAX_NAME).is_some();
    keyword || is_long || has_guid(name) || !is_visible(name)
}

/// Number of characters up to which names are compared at a glance.
const MAX_NAME: usize = 120;

/// Returns whether a name contains a GUID.
fn has_guid(name: &str) -> bool {
    // Bytes, because a GUID is ASCII, and every name in every format is checked.
    name.as_bytes().windows(36).any(|bytes| str::from_utf8(bytes).is_ok_and(is_guid))
}

/// Returns whether a name has no white space at its ends, and no characters of width zero. The Hangul fillers
/// are also invisible.
fn is_visible(name: &str) -> bool {
    let blank = |char: char| {
        char.width() == Some(0) || matches!(char, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}')
    };
    name.trim() == name && !name.chars().any(blank)
}

/// Returns only the letters and digits of a name, in lower case: names with the same key look alike.
fn confusable_key(name: &str) -> String {
    name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Returns the id of a flow, escaped for a terminal.
pub(super) fn flow(id: &FlowId) -> String {
    escape::text(id.as_str()).into_owned()
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

/// Returns the pinned and the actual address in one line, without the connector.
pub(super) fn describe_pin(BrokenPin { connector: _, expected, actual }: &BrokenPin) -> String {
    format!("pinned to {expected}, but calls {}", actual.as_deref().unwrap_or("no address"))
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
