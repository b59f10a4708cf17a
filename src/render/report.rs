//! A report as text: what became of each change, and the counts.

use anstyle::{AnsiColor, Style};

use super::escape;
use super::text::{Names, flow, line, problem};
use crate::apply::{ChangeReport, Moved, Outcome, Report, TargetReport};
use crate::model::Step;
use crate::plan::Target;

const STRONG: Style = Style::new().bold();

/// Draws a report, ending with what kept it from being whole and the counts. A run that had nothing to do
/// has nothing to tell.
pub fn report(report: &Report) -> String {
    let mut text: String = report.targets.iter().map(target).collect();
    if !report.errors.is_empty() {
        line(&mut text, format_args!("\n{STRONG}Why not all was done:{STRONG:#}\n"));
        for error in &report.errors {
            line(&mut text, format_args!("    {}", escape::text(&problem(error))));
        }
        text.push('\n');
    }
    text + &end(report)
}

/// Draws the end of a report: the counts.
pub fn end(report: &Report) -> String {
    let mut text = String::new();
    if report.changes().next().is_none() {
        return text;
    }
    if report.targets.iter().all(TargetReport::is_untouched) {
        line(&mut text, format_args!("\n{STRONG}Nothing was changed.{STRONG:#}"));
        return text;
    }
    line(&mut text, format_args!("{STRONG}Apply: {}.{STRONG:#}", outcomes(report)));
    text
}

/// How many changes ended how; nothing where there were none.
pub(super) fn outcomes(report: &Report) -> String {
    let count = |outcome| report.count(outcome);
    let any = report.changes().next().is_some();
    let shown = Outcome::ALL.into_iter().filter(|it| any && *it == Outcome::Applied || count(*it) > 0);
    let counts = shown.map(|outcome| format!("{} {}", count(outcome), outcome.name().replace('-', " ")));
    counts.collect::<Vec<_>>().join(", ")
}

/// Tells how a binding moved since it was planned: `planned A → B, now C`.
pub fn moved(target: &Target, moved: &Moved) -> String {
    let Moved { change, now } = moved;
    let changed = target.changes.iter().flat_map(|change| [&change.current, &change.desired]);
    let names = Names::of(changed.chain([now]).flatten());
    let (current, desired, now) =
        (names.bound(&change.current), names.bound(&change.desired), names.bound(now));
    format!("{} {}: planned {current} → {desired}, now {now}", change.flow, change.step)
}

/// Draws what became of the changes to one tenant, where any was begun.
pub fn target(target: &TargetReport) -> String {
    if target.is_untouched() {
        return String::new();
    }
    let TargetReport { tenant, changes, .. } = target;
    let names = Names::of_report(target);
    let mut text = String::new();
    line(
        &mut text,
        format_args!("\n{STRONG}What became of the changes to {}:{STRONG:#}\n", escape::text(tenant)),
    );
    for changes in changes.chunk_by(|one, next| one.change.flow == next.change.flow) {
        if let Some(first) = changes.first() {
            line(&mut text, format_args!("{STRONG}{}{STRONG:#}", flow(&first.change.flow)));
        }
        for change in changes {
            text.push_str(&self::change(change, &names));
        }
        text.push('\n');
    }
    text
}

fn change(report: &ChangeReport, names: &Names<'_>) -> String {
    let ChangeReport { change, outcome, attempts: _, request_id: _, error } = report;
    let (word, style) = match outcome {
        Outcome::Applied => ("applied      ", AnsiColor::Green.on_default()),
        Outcome::Already => ("already      ", Style::new()),
        // What is not as it should be must not be overlooked, with or without colour.
        Outcome::Failed => ("FAILED       ", AnsiColor::Red.on_default().bold()),
        Outcome::Unverified => ("UNVERIFIED   ", AnsiColor::Red.on_default().bold()),
        Outcome::NotAttempted => ("not attempted", AnsiColor::Yellow.on_default()),
    };
    let width = Step::ALL.map(|step| step.name().len()).into_iter().max().unwrap_or_default();
    let (current, desired) = (names.bound(&change.current), names.bound(&change.desired));
    let mut text =
        format!("  {style}{word}{style:#}  {:width$}  {current} → {desired}\n", change.step.name());
    if let Some(error) = error {
        line(&mut text, format_args!("      {}", escape::text(error)));
    }
    text
}
