//! Stdout: it shows the document that was written to a file, or the same counts as text.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::report::OUTCOMES;
use super::{Evidence, list};
use crate::campaign::scenario::OutputFault;

/// Counts and fingerprint of a plan in text output.
struct PlanSummary<'t> {
    counts: &'t str,
    fingerprint: &'t str,
}

impl Evidence<'_> {
    /// Returns whether stdout cannot be read.
    fn is_stdout_lost(&self) -> bool {
        matches!(self.scenario.output, OutputFault::StdoutFull | OutputFault::StdoutClosed)
    }

    /// Checks that the printed plan has the counts of the document.
    pub(super) fn check_printed_plan(&self, plan: &Value) -> Result<()> {
        let stdout = &self.result.stdout;
        if self.scenario.json {
            return self.check_same_document();
        }
        if self.is_stdout_lost() {
            return Ok(());
        }
        if list(plan, "targets").is_empty() {
            ensure!(stdout.is_empty(), "output for a plan without targets");
            return Ok(());
        }
        let is_complete = list(plan, "errors").is_empty()
            && list(plan, "targets").iter().all(|target| list(target, "unknown").is_empty());
        let summary = find_summary(stdout)?.context("no counts")?;
        let counts = counts(plan, is_complete);
        ensure!(summary.counts == counts, "{:?}, not {counts:?}", summary.counts);
        ensure!(plan["fingerprint"] == summary.fingerprint, "fingerprint of another plan");
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
            if let Some(PlanSummary { counts: printed, fingerprint }) = summary {
                let (complete, incomplete) = (counts(report, true), counts(report, false));
                let has_errors = !list(report, "errors").is_empty();
                let matches = printed == complete || (printed == incomplete && has_errors);
                ensure!(matches, "{printed:?}, not {complete:?}");
                ensure!(report["fingerprint"] == fingerprint, "fingerprint of another plan");
            }
        }
        if self.scenario.json || self.is_stdout_lost() {
            return Ok(());
        }
        let count = |outcome: &str| changes.iter().filter(|change| change["outcome"] == outcome).count();
        let counts = OUTCOMES.iter().filter(|outcome| **outcome == "applied" || count(outcome) > 0);
        let counts: Vec<_> =
            counts.map(|outcome| format!("{} {}", count(outcome), outcome.replace('-', " "))).collect();
        let end = format!("Apply: {}.\n", counts.join(", "));
        ensure!(untouched || stdout.ends_with(&end), "stdout does not end with {end:?}");
        ensure!(!untouched || !stdout.contains("\nApply: "), "counts of an apply that did not start");
        Ok(())
    }

    /// Checks that stdout equals the output file, if there is one.
    fn check_same_document(&self) -> Result<()> {
        match &self.written {
            Some(written) => ensure!(self.result.stdout == *written, "stdout differs from the output file"),
            None => ensure!(!self.result.stdout.is_empty(), "stdout is empty"),
        }
        Ok(())
    }
}

/// Returns the summary line for the changes of a document.
fn counts(document: &Value, is_complete: bool) -> String {
    let changes = list(document, "targets").iter().flat_map(|target| list(target, "changes"));
    let changes: Vec<_> = changes.collect();
    if changes.is_empty() && is_complete {
        return "No changes.".to_owned();
    }
    let count = |action: &str| changes.iter().filter(|change| change["action"] == action).count();
    let [enable, replace, disable] = ["enable", "replace", "disable"].map(count);
    format!("Plan: {enable} to enable, {replace} to replace, {disable} to disable.")
}

/// Finds the only plan summary in a text.
fn find_summary(text: &str) -> Result<Option<PlanSummary<'_>>> {
    let lines: Vec<_> = text.lines().collect();
    let is_summary = |line: &str| line.starts_with("Plan: ") || line == "No changes.";
    let mut summaries = lines.windows(2).filter(|pair| is_summary(pair[0]));
    let Some(pair) = summaries.next() else { return Ok(None) };
    ensure!(summaries.next().is_none(), "two plan summaries");
    let fingerprint = pair[1].strip_prefix("Fingerprint: ").context("no fingerprint after the counts")?;
    Ok(Some(PlanSummary { counts: pair[0], fingerprint }))
}
