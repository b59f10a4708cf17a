//! Renders a plan as text, for a terminal or a log.
//!
//! Colors only repeat the text: the output without colors has the same meaning.

use anstyle::{AnsiColor, Style};
use strum::VariantArray as _;

use super::diagnostic::prefixed_diagnostic;
use super::escape;
use super::hold;
use super::names::Names;
use super::order::unblocking_pins;
use super::wording::{
    action_counts, describe_limit, incompleteness, override_flags, pluralize, push_line, total,
};
use crate::diagnostic::Severity;
use crate::model::{Action, Step};
use crate::plan::{
    BrokenPin, Change, Limit, Plan, Problem, Summary, Target, TenantPlan, Unmanaged, merge_shared,
};

pub(super) const STRONG: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
/// Digits of a tenant's fingerprint that are shown, as many as `apply --expect` needs.
const SHORT_FINGERPRINT: usize = 12;
const ALARM: Style = AnsiColor::Red.on_default().bold();

/// Renders a plan: its targets, then its problems, then the summary. The text is styled; the printer strips
/// styles for outputs without colors.
pub fn plan(plan: &Plan) -> String {
    let scoped = plan.needs_scoped_flags();
    let targets: String = plan.targets().map(|it| target(it, scoped)).collect();
    targets + &problems(plan.problems(), plan.has_several_tenants()) + &summary(plan)
}

/// Renders problems, each followed by a blank line, with their tenants if there are `several`: the warnings, then the
/// errors, then the blockers.
pub(super) fn problems(problems: Vec<Problem>, several: bool) -> String {
    let mut problems = merge_shared(&problems);
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
/// complete plan. Tenants are in the order of the files, those without a target last.
fn summary(plan: &Plan) -> String {
    let mut text = String::new();
    if plan.has_several_tenants() {
        for tenant in &plan.tenants {
            let (name, summary) = (escape::text(&tenant.tenant), tenant_summary(plan, tenant));
            let fingerprint = plan.tenant_fingerprint(tenant).unwrap_or_default();
            let fingerprint = fingerprint.get(..SHORT_FINGERPRINT).map(|it| format!(" (fingerprint {it})"));
            let fingerprint = fingerprint.unwrap_or_default();
            push_line(&mut text, format_args!("{STRONG}{name}{STRONG:#}: {summary}{fingerprint}"));
        }
    }
    push_limit(&mut text, plan.limit.as_ref());
    let total = total(plan);
    let style = if plan.is_complete() { STRONG } else { ALARM };
    push_line(&mut text, format_args!("{style}{total}{style:#}"));
    if let Some(fingerprint) = plan.fingerprint() {
        push_line(&mut text, format_args!("Fingerprint: {fingerprint}"));
    }
    text
}

/// Appends the limit of a run as a line, if it has one.
pub(super) fn push_limit(text: &mut String, limit: Option<&Limit>) {
    if let Some(limit) = limit {
        push_line(text, format_args!("{}", describe_limit(limit)));
    }
}

/// Returns the counts of a tenant's changes, or why it is incomplete. The counts end with `, blocked` if a guard
/// blocks the tenant, or with a note if only the run is incomplete.
fn tenant_summary(plan: &Plan, tenant: &TenantPlan) -> String {
    let summary: Summary = tenant.targets.iter().map(Target::summary).sum();
    let counts = Some(action_counts(summary)).filter(|counts| !counts.is_empty());
    let counts = counts.unwrap_or_else(|| "no changes".to_owned());
    if tenant.targets.is_empty() || !tenant.is_complete() {
        format!("incomplete: {}", incompleteness(summary, tenant.errors.len()))
    } else if !plan.is_tenant_complete(tenant) {
        // An error that is not about this tenant.
        counts + ", but the run is incomplete"
    } else {
        counts + if tenant.blockers().next().is_some() { ", blocked" } else { "" }
    }
}

/// Renders one target: a line with its tenant, its file and the report that is taken back, the changes, the held
/// bindings, the broken pins that do not block them, the override flags, the unmanaged bindings, and the number of
/// unchanged ones. Does not render its problems. Flags name the tenant if the run has `several`.
pub fn target(target: &Target, several: bool) -> String {
    let Target { tenant, cloud, api, file, undo, changes, in_sync, overrides, .. } = target;
    let names = Names::from_target(target);
    let (tenant, file) = (escape::text(tenant), escape::text(file));
    let undo = undo.as_ref().map(|report| format!(", undo of {}", escape::text(report))).unwrap_or_default();
    let mut text = format!("{STRONG}{tenant}{STRONG:#} (cloud {cloud}, api {api}) from {file}{undo}\n\n");
    for changes in changes.chunk_by(|one, next| one.flow == next.flow) {
        if let Some(first) = changes.first() {
            push_line(&mut text, format_args!("{STRONG}{}{STRONG:#}", escape::text(first.flow.as_str())));
        }
        text.extend(changes.iter().map(|change| self::change(change, &names)));
        text.push('\n');
    }
    text.push_str(&hold::text(&hold::of_target(target, &names)));
    text.push_str(&broken_pins(target, &names));
    if !overrides.is_empty() {
        push_line(&mut text, format_args!("Planned with {}\n", override_flags(target, several)));
    }
    text.push_str(&unmanaged(target, &names));
    if !in_sync.is_empty() {
        let unchanged = pluralize(in_sync.len(), "binding", "bindings");
        push_line(&mut text, format_args!("Unchanged: {unchanged}\n"));
    }
    text
}

/// Renders the broken pins that do not block the changes, and a blank line; empty if there are none. A pin
/// that blocks the changes is one of the problems.
fn broken_pins(target: &Target, names: &Names<'_>) -> String {
    let pins = unblocking_pins(target);
    if pins.is_empty() {
        return String::new();
    }
    let mut text = format!("{ALARM}Connector address differs from its pin:{ALARM:#}\n");
    for BrokenPin { connector, expected, actual, source: _ } in pins {
        let (connector, expected) = (names.connector(connector), escape::text(expected));
        let actual = escape::text(actual.as_deref().unwrap_or("no address"));
        push_line(&mut text, format_args!("    {connector}"));
        push_line(&mut text, format_args!("        pinned: {expected}\n        calls:  {actual}"));
    }
    text + "\n"
}

/// Renders the bindings that the file does not list, and a blank line; empty if there are none.
fn unmanaged(Target { unmanaged, .. }: &Target, names: &Names<'_>) -> String {
    if unmanaged.is_empty() {
        return String::new();
    }
    let mut text = "Not in the file (left unchanged):\n".to_owned();
    for Unmanaged { flow, step, current } in unmanaged {
        let (flow, current) = (escape::text(flow.as_str()), names.bound(current));
        push_line(&mut text, format_args!("{FAINT}    {flow} {step}: {current}{FAINT:#}"));
    }
    text + "\n"
}

fn change(change: &Change, names: &Names<'_>) -> String {
    let Change { step, action, current, desired, protected, .. } = change;
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
