//! Renders a report as text: the outcome of each change, and the counts.

use anstyle::{AnsiColor, Style};

use super::escape;
use super::text::{Names, STRONG, flow, line, problem};
use crate::apply::{ChangeReport, Outcome, Report, StaleBinding, TargetReport};
use crate::model::Step;
use crate::plan::{Problem, Target};

/// Renders a report: the results, the problems, and the summary. Empty if there was nothing to do.
pub fn report(report: &Report) -> String {
    let targets: String = report.targets.iter().map(target).collect();
    targets + &end(report, &report.errors)
}

/// Renders the end of a report: these problems, then the summary.
pub fn end(report: &Report, problems: &[Problem]) -> String {
    let several = report.has_several_tenants();
    let mut text: String = problems.iter().map(|it| format!("\n{}", problem(it, several))).collect();
    if report.changes().next().is_none() && report.errors.is_empty() {
        return text;
    }
    let is_untouched = report.targets.iter().all(TargetReport::is_untouched);
    if is_untouched || !text.is_empty() {
        text.push('\n');
    }
    if several && !is_untouched {
        for tenant in report.tenants() {
            let changes = report.targets_of(&tenant).flat_map(|target| &target.changes);
            let outcomes = Some(outcomes(changes)).filter(|outcomes| !outcomes.is_empty());
            let outcomes = outcomes.unwrap_or_else(|| "no changes".to_owned());
            line(&mut text, format_args!("{STRONG}{}{STRONG:#}: {outcomes}", escape::text(&tenant)));
        }
    }
    if is_untouched {
        line(&mut text, format_args!("{STRONG}Nothing was changed.{STRONG:#}"));
    } else {
        line(&mut text, format_args!("{STRONG}Apply: {}.{STRONG:#}", outcomes(report.changes())));
    }
    text
}

/// Returns the numbers of changes with each outcome that occurs, and of those applied; empty without changes.
pub(super) fn outcomes<'a>(changes: impl Iterator<Item = &'a ChangeReport>) -> String {
    let changes: Vec<_> = changes.collect();
    let count = |outcome| changes.iter().filter(|change| change.outcome == outcome).count();
    let shown = Outcome::ALL
        .into_iter()
        .filter(|it| !changes.is_empty() && *it == Outcome::Applied || count(*it) > 0);
    let counts = shown.map(|outcome| format!("{} {}", count(outcome), outcome.name().replace('-', " ")));
    counts.collect::<Vec<_>>().join(", ")
}

/// Describes a stale binding: ``` `F` `S`: the plan expected A, the tenant now has C ```.
pub fn stale(target: &Target, stale: &StaleBinding) -> String {
    let StaleBinding { change, now } = stale;
    let changed = target.changes.iter().flat_map(|change| [&change.current, &change.desired]);
    let names = Names::of(changed.chain([now]).flatten());
    let (current, now) = (names.bound(&change.current), names.bound(now));
    format!("`{}` `{}`: the plan expected {current}, the tenant now has {now}", change.flow, change.step)
}

/// Renders the outcome of each change to one tenant; empty if none was started.
pub fn target(target: &TargetReport) -> String {
    if target.is_untouched() {
        return String::new();
    }
    let TargetReport { tenant, changes, .. } = target;
    let names = Names::of_report(target);
    let mut text = String::new();
    line(&mut text, format_args!("\n{STRONG}Results for {}:{STRONG:#}\n", escape::text(tenant)));
    for changes in changes.chunk_by(|one, next| one.change.flow == next.change.flow) {
        if let Some(first) = changes.first() {
            line(&mut text, format_args!("{STRONG}{}{STRONG:#}", flow(&first.change.flow)));
        }
        for change in changes {
            text.push_str(&self::change(change, &names));
        }
        text.push('\n');
    }
    // One hint concerns many changes.
    let mut hints: Vec<(Outcome, &str)> = Vec::new();
    for change in changes {
        if let Some(hint) = &change.hint
            && !hints.iter().any(|(_, known)| known == hint)
        {
            hints.push((change.outcome, hint));
        }
    }
    for (outcome, hint) in hints {
        let docs = outcome.code().map(|code| format!("  = docs: flowbind explain {code}\n"));
        let docs = docs.unwrap_or_default();
        line(&mut text, format_args!("  = hint: {}\n{docs}", escape::text(hint)));
    }
    text
}

fn change(report: &ChangeReport, names: &Names<'_>) -> String {
    let ChangeReport { change, outcome, attempts: _, request_id: _, error, hint: _ } = report;
    let (word, style) = match outcome {
        Outcome::Applied => ("applied      ", AnsiColor::Green.on_default()),
        Outcome::Already => ("already      ", Style::new()),
        // A change that is not done must not be overlooked, with or without color.
        Outcome::Failed => ("FAILED       ", AnsiColor::Red.on_default().bold()),
        Outcome::Unverified => ("UNVERIFIED   ", AnsiColor::Red.on_default().bold()),
        Outcome::NotAttempted => ("not attempted", AnsiColor::Yellow.on_default()),
    };
    let width = Step::ALL.map(|step| step.name().len()).into_iter().max().unwrap_or_default();
    let (current, desired) = (names.bound(&change.current), names.bound(&change.desired));
    let mut text =
        format!("  {style}{word}{style:#}  {:width$}  {current} → {desired}\n", change.step.name());
    if let Some(error) = error {
        let id = outcome.code().map(|code| format!("[{code}] ")).unwrap_or_default();
        line(&mut text, format_args!("      {id}{}", escape::text(error)));
    }
    text
}
