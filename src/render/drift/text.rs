//! Renders drift as text.

use anstyle::{AnsiColor, Style};

use super::super::escape;
use super::super::hold;
use super::super::names::Names;
use super::super::text::{STRONG, problems, push_limit};
use super::super::wording::{labeled, pluralize, push_line};
use super::actions::Actions;
use super::wording::{self, Sides};
use crate::drift::{Difference, Drift, TargetDrift};

const ALARM: Style = AnsiColor::Red.on_default().bold();
const NOTICE: Style = AnsiColor::Yellow.on_default().bold();

/// Renders drift: the differences of each target, then the problems, then the counts, then what to do. The text is
/// styled; the printer strips styles for outputs without colors.
pub fn render(drift: &Drift) -> String {
    let targets: String = drift.targets.iter().map(target).collect();
    targets + &problems(drift.problems(), drift.has_several_tenants()) + &summary(drift) + &actions(drift)
}

/// Renders one target: a line with its tenant and file, the differences, the held bindings, those that are resolved, and the numbers of
/// bindings that do not differ.
fn target(target: &TargetDrift) -> String {
    let TargetDrift { tenant, cloud, api, file, resolved, in_sync, unmanaged, .. } = target;
    let names = wording::names(target);
    let (tenant, file) = (escape::text(tenant), escape::text(file));
    let mut text = format!("{STRONG}{tenant}{STRONG:#} (cloud {cloud}, api {api}) from {file}\n\n");
    text.extend(target.differences.iter().map(|it| difference(it, &names)));
    for note in target.notes() {
        push_line(&mut text, format_args!("  Note: {}\n", escape::text(note)));
    }
    text.push_str(&hold::text(&wording::held(target, &names)));
    if !resolved.is_empty() {
        text.push_str("Resolved since the last run:\n");
        for it in resolved {
            let subject = wording::subject(&it.subject, &names);
            push_line(&mut text, format_args!("    {} {subject}", it.kind.name()));
        }
        text.push('\n');
    }
    let counts = [("Not in the file (shown by --strict)", unmanaged.len()), ("Unchanged", in_sync.len())];
    for (what, number) in counts.into_iter().filter(|(_, number)| *number > 0) {
        push_line(&mut text, format_args!("{what}: {}\n", pluralize(number, "binding", "bindings")));
    }
    text
}

/// Renders a difference in three lines, so that names never run into one another, and a blank line.
fn difference(difference: &Difference, names: &Names<'_>) -> String {
    let kind = difference.kind.name();
    // A check that is missing must not be overlooked, with or without color.
    let (kind, style) =
        if difference.kind.is_dangerous() { (kind.to_uppercase(), ALARM) } else { (kind.to_owned(), NOTICE) };
    let subject = wording::subject(&difference.subject, names);
    let source = difference.source.as_ref().map(|it| format!("{}:{}", escape::text(&it.file), it.line));
    let context: Vec<_> = source.into_iter().chain(wording::age(difference)).collect();
    let context = if context.is_empty() { String::new() } else { format!("  ({})", context.join(", ")) };
    let Sides { file, tenant } = Sides::new(difference, names);
    format!(
        "  {style}{kind}{style:#}  {STRONG}{subject}{STRONG:#}{context}\n    file says:  {file}\n    tenant has: {tenant}\n\n"
    )
}

/// Renders the counts: a line for each tenant if there are several, then the total.
fn summary(drift: &Drift) -> String {
    let mut text = String::new();
    let tenants = drift.by_tenant();
    for tenant in tenants.iter().filter(|_| tenants.len() > 1) {
        let targets = tenant.targets.iter().copied();
        let counts = wording::counts(targets.clone().flat_map(|it| &it.differences));
        let counts = if counts.is_empty() { "no drift".to_owned() } else { counts };
        let summary = if tenant.is_complete() {
            counts
        } else {
            format!("incomplete: {}; {counts}", wording::incompleteness(targets, tenant.count_errors()))
        };
        push_line(&mut text, format_args!("{STRONG}{}{STRONG:#}: {summary}", escape::text(tenant.tenant)));
    }
    push_limit(&mut text, drift.limit.as_ref());
    let counts = wording::counts(drift.differences());
    let labeled = |name| labeled(name, drift.label.as_ref());
    let (style, total) = match (drift.is_complete(), counts.is_empty()) {
        (true, true) => (STRONG, format!("{}.", labeled("No drift"))),
        (true, false) => (STRONG, format!("{}: {counts}.", labeled("Drift"))),
        (false, is_empty) => {
            let why = wording::incompleteness(drift.targets.iter(), drift.errors.len());
            let found = if is_empty { String::new() } else { format!(" Found: {counts}.") };
            (ALARM, format!("{} incomplete: {why}.{found}", labeled("Drift")))
        }
    };
    push_line(&mut text, format_args!("{style}{total}{style:#}"));
    text
}

/// Renders what to do, after a blank line; empty if there is nothing to do.
fn actions(drift: &Drift) -> String {
    let Actions { revert, accept, advice } = Actions::new(drift);
    let mut text = String::new();
    for (heading, commands) in [
        ("To revert the tenant to the file, after a review:", revert),
        ("To accept what the tenant has:", accept),
    ] {
        if !commands.is_empty() {
            push_line(&mut text, format_args!("\n{heading}\n"));
            commands.iter().for_each(|command| push_line(&mut text, format_args!("    {command}")));
        }
    }
    if !advice.is_empty() {
        text.push('\n');
    }
    for (kind, advice) in advice {
        push_line(&mut text, format_args!("For `{}`: {advice}", kind.name()));
    }
    text
}
