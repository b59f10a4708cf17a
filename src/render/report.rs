//! Renders a report as text: the outcome of each change, and the counts.

use anstyle::{AnsiColor, Style};
use strum::VariantArray as _;

use super::escape;
use super::hold;
use super::names::Names;
use super::text::{STRONG, problem, push_limit};
use super::wording::{hints, labeled, outcome_counts, pluralize, push_line};
use crate::apply::{ChangeReport, Outcome, Report, StaleBinding, TargetReport};
use crate::diagnostic::Code;
use crate::model::Step;
use crate::plan::{Change, Problem, merge_shared};

/// Renders a report: the results, the held bindings, the problems, and the summary. Empty if there was nothing to do
/// and nothing is held.
pub fn report(report: &Report) -> String {
    let targets: String = report.targets.iter().map(target).collect();
    let holds = report.targets.iter().map(|it| hold::text(&hold::of_report(it, &Names::from_report(it))));
    let holds: String = holds.collect();
    let holds = if holds.is_empty() { holds } else { format!("\n{}", holds.trim_end_matches('\n')) + "\n" };
    let text = targets + &holds + &end(report, &report.errors);
    text.trim_start_matches('\n').to_owned()
}

/// Renders the end of a report: these problems, then the summary, each after a blank line. The summary has
/// the counts of each of several tenants, the total, and whether nothing was changed. Empty if the report has
/// neither changes nor errors.
pub fn end(report: &Report, problems: &[Problem]) -> String {
    if report.changes().next().is_none() && report.errors.is_empty() {
        return String::new();
    }
    let several = report.has_several_tenants();
    let is_untouched = report.targets.iter().all(TargetReport::is_untouched);
    let problems = merge_shared(problems);
    let mut text: String = problems.iter().map(|it| format!("\n{}", problem(it, several))).collect();
    let mut summary = String::new();
    if several && !is_untouched {
        for tenant in report.tenants() {
            let changes = report.targets_of(tenant).flat_map(|target| &target.changes);
            let outcomes = outcome_counts(changes);
            let errors = report.errors.iter().filter(|error| error.tenant.as_ref() == Some(tenant)).count();
            let result = match errors {
                _ if !outcomes.is_empty() => outcomes,
                0 => "no changes".to_owned(),
                errors => pluralize(errors, "error", "errors"),
            };
            push_line(&mut summary, format_args!("{STRONG}{}{STRONG:#}: {result}", escape::text(tenant)));
        }
    }
    // A missing shard may have changed its tenants.
    let lacks_shard = report.errors.iter().any(|error| error.diagnostic.code == Code::MissingShard);
    let counts = outcome_counts(report.changes());
    let counts = Some(counts).filter(|counts| !counts.is_empty() && (!is_untouched || lacks_shard));
    let labeled = |name| labeled(name, report.label.as_ref());
    let counts = counts.map(|counts| format!("{}: {counts}.", labeled("Apply")));
    let is_unchanged = !report.has_sent() && !report.changes().all(|it| it.outcome.is_done());
    let unchanged = (!lacks_shard && (is_untouched || is_unchanged)).then_some("Nothing was changed");
    // The label is named once.
    let unchanged =
        unchanged.map(|it| if counts.is_some() { format!("{it}.") } else { format!("{}.", labeled(it)) });
    let sentences = counts.into_iter().chain(unchanged).collect::<Vec<_>>().join(" ");
    if !sentences.is_empty() {
        push_limit(&mut summary, report.limit.as_ref());
        push_line(&mut summary, format_args!("{STRONG}{sentences}{STRONG:#}"));
    }
    if !summary.is_empty() {
        text.push('\n');
        text.push_str(&summary);
    }
    text
}

/// Describes a stale binding: ``` `F` `S`: the plan expected A, the tenant now has C ```.
pub fn stale<'a>(changes: impl Iterator<Item = &'a Change>, stale: &'a StaleBinding) -> String {
    let StaleBinding { change, now } = stale;
    let changed = changes.flat_map(|change| [&change.current, &change.desired]);
    let names = Names::from_connectors(changed.chain([now]).flatten());
    let (current, now) = (names.bound(&change.current), names.bound(now));
    format!("`{}` `{}`: the plan expected {current}, the tenant now has {now}", change.flow, change.step)
}

/// Renders the outcome of each change to one tenant and then their hints, after a blank line; empty if none
/// was started.
pub fn target(target: &TargetReport) -> String {
    if target.is_untouched() {
        return String::new();
    }
    let TargetReport { tenant, actor, changes, .. } = target;
    let by =
        actor.as_ref().map(|actor| format!(" by {}", escape::text(&actor.to_string()))).unwrap_or_default();
    let names = Names::from_report(target);
    let mut text = String::new();
    push_line(&mut text, format_args!("\n{STRONG}Results for {}{by}:{STRONG:#}", escape::text(tenant)));
    for changes in changes.chunk_by(|one, next| one.change.flow == next.change.flow) {
        if let Some(first) = changes.first() {
            let flow = escape::text(first.change.flow.as_str());
            push_line(&mut text, format_args!("\n{STRONG}{flow}{STRONG:#}"));
        }
        text.extend(changes.iter().map(|change| self::change(change, &names)));
    }
    for (id, hint) in hints(changes) {
        push_line(&mut text, format_args!("\n  = hint: {}", escape::text(hint)));
        push_line(&mut text, format_args!("  = docs: flowbind explain {id}"));
    }
    text
}

fn change(report: &ChangeReport, names: &Names<'_>) -> String {
    let ChangeReport { change, outcome } = report;
    let (word, style) = match outcome {
        Outcome::Applied(_) => ("applied      ", AnsiColor::Green.on_default()),
        Outcome::Already => ("already      ", Style::new()),
        // A change that is not done must not be overlooked, with or without color.
        Outcome::Failed(..) => ("FAILED       ", AnsiColor::Red.on_default().bold()),
        Outcome::Unverified(..) => ("UNVERIFIED   ", AnsiColor::Red.on_default().bold()),
        Outcome::NotAttempted(_) => ("not attempted", AnsiColor::Yellow.on_default()),
    };
    let width = Step::VARIANTS.iter().map(|step| step.name().len()).max().unwrap_or_default();
    let (current, desired) = (names.bound(&change.current), names.bound(&change.desired));
    let mut text =
        format!("  {style}{word}{style:#}  {:width$}  {current} → {desired}\n", change.step.name());
    if let Some(error) = outcome.error() {
        let id = outcome.kind().code().map(|code| format!("[{code}] ")).unwrap_or_default();
        push_line(&mut text, format_args!("      {id}{}", escape::text(error)));
    }
    text
}
