//! Stdout: it shows the document that was written to a file, or the same counts as text.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::report::OUTCOMES;
use super::{Evidence, list};
use crate::campaign::scenario::OutputFault;

/// Last lines of a plan in text output: the total, and the fingerprint of a complete plan.
struct PlanSummary<'t> {
    total: &'t str,
    fingerprint: Option<&'t str>,
}

impl Evidence<'_> {
    /// Returns whether stdout cannot be read.
    pub(super) fn is_stdout_lost(&self) -> bool {
        matches!(self.scenario.output, OutputFault::StdoutFull | OutputFault::StdoutClosed)
    }

    /// Checks that the printed plan has the counts and the fingerprint of the document.
    pub(super) fn check_printed_plan(&self, plan: &Value) -> Result<()> {
        let stdout = &self.result.stdout;
        if self.scenario.json {
            return self.check_same_document();
        }
        if self.is_stdout_lost() {
            return Ok(());
        }
        let targets = list(plan, "targets");
        let is_complete = list(plan, "errors").is_empty()
            && targets.iter().all(|target| list(target, "unknown").is_empty());
        ensure!(plan["fingerprint"].is_string() == is_complete, "fingerprint {}", plan["fingerprint"]);
        let summary = find_summary(stdout)?.context("no summary")?;
        let count =
            |key: &str| targets.iter().filter_map(|target| target["summary"][key].as_u64()).sum::<u64>();
        let (total, not_compared) = (summary.total, count("notCompared"));
        if is_complete {
            let blockers = targets.iter().map(|target| list(target, "refusals").len()).sum();
            let expected = counts(plan) + &blocked(blockers);
            ensure!(total == expected, "{total:?}, not {expected:?}");
            ensure!(not_compared == 0, "{not_compared} bindings of a complete plan are not compared");
        } else if not_compared > 0 {
            let managed: u64 =
                ["enable", "replace", "disable", "unchanged", "notCompared"].map(count).iter().sum();
            let bindings = if managed == 1 { "binding" } else { "bindings" };
            let expected =
                format!("Plan incomplete: {not_compared} of {managed} {bindings} could not be compared. ");
            ensure!(total.starts_with(&expected), "{total:?}, not {expected:?}");
        }
        ensure!(plan["fingerprint"].as_str() == summary.fingerprint, "fingerprint of another plan");
        Ok(())
    }

    /// Checks that the printed report and plan have the counts of the document.
    pub(super) fn check_printed_report(&self, report: &Value) -> Result<()> {
        if self.scenario.json {
            self.check_same_document()?;
        }
        let changes: Vec<_> =
            list(report, "targets").iter().flat_map(|target| list(target, "changes")).collect();
        let untouched =
            changes.iter().all(|change| change["outcome"] == "not-attempted" && change["error"].is_null());
        let stdout = &self.result.stdout;
        // With `--format json` the plan is on stderr, because stdout holds only the report.
        if !self.is_stdout_lost() {
            let summary = find_summary(if self.scenario.json { &self.result.stderr } else { stdout })?;
            ensure!(summary.is_some() || untouched, "the plan is not printed");
            if let Some(PlanSummary { total, fingerprint }) = summary {
                let counts = counts(report);
                let is_blocked = |rest: &str| (1..20).any(|blockers| rest == blocked(blockers));
                let matches = match total.strip_prefix(&counts) {
                    Some(rest) => rest.is_empty() || is_blocked(rest),
                    None => fingerprint.is_none(),
                };
                ensure!(matches, "{total:?}, not {counts:?}");
                ensure!(report["fingerprint"].as_str() == fingerprint, "fingerprint of another plan");
            }
        }
        if self.scenario.json || self.is_stdout_lost() {
            return Ok(());
        }
        let count = |outcome: &str| changes.iter().filter(|change| change["outcome"] == outcome).count();
        let counts = OUTCOMES.iter().filter(|outcome| count(outcome) > 0);
        let counts: Vec<_> =
            counts.map(|outcome| format!("{} {}", count(outcome), outcome.replace('-', " "))).collect();
        let is_done = |outcome: &str| matches!(outcome, "applied" | "already");
        let is_sent = |outcome: &str| !matches!(outcome, "already" | "not-attempted");
        let outcomes = || changes.iter().filter_map(|change| change["outcome"].as_str());
        let unchanged = !outcomes().any(is_sent) && !outcomes().all(is_done);
        let unchanged_sentence = if unchanged { " Nothing was changed." } else { "" };
        let end = format!("Apply: {}.{unchanged_sentence}\n", counts.join(", "));
        ensure!(untouched || stdout.ends_with(&end), "stdout does not end with {end:?}");
        ensure!(!untouched || !stdout.contains("\nApply: "), "counts of an apply that did not start");
        let has_work = !changes.is_empty() || !list(report, "errors").is_empty();
        let printed = stdout.matches("Nothing was changed.").count();
        let expected = usize::from(if untouched { has_work } else { unchanged });
        ensure!(printed == expected, "\"Nothing was changed.\" is printed {printed} times, not {expected}");
        Ok(())
    }

    /// Checks that stdout equals the output file, if there is one.
    pub(super) fn check_same_document(&self) -> Result<()> {
        match &self.written {
            Some(written) => ensure!(self.result.stdout == *written, "stdout differs from the output file"),
            None => ensure!(!self.result.stdout.is_empty(), "stdout is empty"),
        }
        Ok(())
    }
}

/// Returns the summary line for the changes of a document. Zero counts are left out.
fn counts(document: &Value) -> String {
    let changes = list(document, "targets").iter().flat_map(|target| list(target, "changes"));
    let changes: Vec<_> = changes.collect();
    if changes.is_empty() {
        return "No changes.".to_owned();
    }
    let count = |action: &str| changes.iter().filter(|change| change["action"] == action).count();
    let counts = ["enable", "replace", "disable"].map(|action| (count(action), action)).into_iter();
    let counts = counts.filter(|(count, _)| *count > 0).map(|(count, action)| format!("{count} to {action}"));
    format!("Plan: {}.", counts.collect::<Vec<_>>().join(", "))
}

/// Returns the end of the summary line of a plan with this number of blockers.
fn blocked(blockers: usize) -> String {
    match blockers {
        0 => String::new(),
        1 => " Blocked by 1 guard.".to_owned(),
        _ => format!(" Blocked by {blockers} guards."),
    }
}

/// Finds the only plan summary in a text. Only a complete plan has a fingerprint.
fn find_summary(text: &str) -> Result<Option<PlanSummary<'_>>> {
    let lines: Vec<_> = text.lines().collect();
    let starts = ["Plan: ", "Plan incomplete: ", "No changes."];
    let is_summary = |line: &str| starts.iter().any(|start| line.starts_with(start));
    let mut summaries = lines.iter().enumerate().filter(|(_, line)| is_summary(line));
    let Some((index, total)) = summaries.next() else { return Ok(None) };
    ensure!(summaries.next().is_none(), "two plan summaries");
    let fingerprint = lines.get(index + 1).and_then(|line| line.strip_prefix("Fingerprint: "));
    let is_incomplete = total.starts_with("Plan incomplete: ");
    ensure!(is_incomplete == fingerprint.is_none(), "fingerprint {fingerprint:?} after {total:?}");
    let fingerprints = lines.iter().filter(|line| line.starts_with("Fingerprint: ")).count();
    ensure!(fingerprints == usize::from(!is_incomplete), "{fingerprints} fingerprints");
    Ok(Some(PlanSummary { total, fingerprint }))
}
