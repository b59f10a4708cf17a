//! What is printed is what is written: the same document, or the same counts in words.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::report::OUTCOMES;
use super::{Evidence, list};
use crate::campaign::scenario::OutputTrouble;

/// The plan's counts in words, the fingerprint beneath.
struct Told<'t> {
    counts: &'t str,
    fingerprint: &'t str,
}

impl Evidence<'_> {
    /// Whether what it prints arrives nowhere.
    fn is_unheard(&self) -> bool {
        matches!(self.scenario.output, OutputTrouble::StdoutFull | OutputTrouble::StdoutClosed)
    }

    /// What is printed of a plan has its counts.
    pub(super) fn check_plan_printed(&self, plan: &Value) -> Result<()> {
        let stdout = &self.ended.stdout;
        if self.scenario.json {
            return self.check_same();
        }
        if self.is_unheard() {
            return Ok(());
        }
        if list(plan, "targets").is_empty() {
            ensure!(stdout.is_empty(), "a plan of nothing is printed");
            return Ok(());
        }
        let whole = list(plan, "errors").is_empty()
            && list(plan, "targets").iter().all(|target| list(target, "unknown").is_empty());
        let told = told(stdout)?.context("the counts are not there")?;
        let counts = counts(plan, whole);
        ensure!(told.counts == counts, "{:?}, not {counts:?}", told.counts);
        ensure!(plan["fingerprint"] == told.fingerprint, "the fingerprint of another plan");
        Ok(())
    }

    /// What is printed of a report has its counts, and so has the plan before it.
    pub(super) fn check_report_printed(&self, report: &Value) -> Result<()> {
        if self.scenario.json {
            self.check_same()?;
        }
        let changes: Vec<_> =
            list(report, "targets").iter().flat_map(|target| list(target, "changes")).collect();
        let untouched =
            changes.iter().all(|change| change["outcome"] == "not-attempted" && change["error"].is_null());
        let stdout = &self.ended.stdout;
        // The plan is on stderr where stdout is for the report alone.
        if !self.is_unheard() {
            let told = told(if self.scenario.json { &self.ended.stderr } else { stdout })?;
            ensure!(told.is_some() || untouched, "the plan is not there");
            if let Some(told) = told {
                let (whole, broken) = (counts(report, true), counts(report, false));
                let fits =
                    told.counts == whole || (told.counts == broken && !list(report, "errors").is_empty());
                ensure!(fits, "{:?}, not {whole:?}", told.counts);
                ensure!(report["fingerprint"] == told.fingerprint, "the fingerprint of another plan");
            }
        }
        if self.scenario.json || self.is_unheard() {
            return Ok(());
        }
        let count = |outcome: &str| changes.iter().filter(|change| change["outcome"] == outcome).count();
        let counts = OUTCOMES.iter().filter(|outcome| **outcome == "applied" || count(outcome) > 0);
        let counts: Vec<_> =
            counts.map(|outcome| format!("{} {}", count(outcome), outcome.replace('-', " "))).collect();
        let end = format!("Apply: {}.\n", counts.join(", "));
        ensure!(untouched || stdout.ends_with(&end), "stdout does not end with {end:?}");
        ensure!(!untouched || !stdout.contains("\nApply: "), "nothing was begun");
        Ok(())
    }

    /// The document on stdout is that in the file, if there is one.
    fn check_same(&self) -> Result<()> {
        match &self.written {
            Some(written) => ensure!(self.ended.stdout == *written, "it is not what was written"),
            None => ensure!(!self.ended.stdout.is_empty(), "nothing is printed"),
        }
        Ok(())
    }
}

/// The counts of a document's changes, as they are told.
fn counts(document: &Value, whole: bool) -> String {
    let changes = list(document, "targets").iter().flat_map(|target| list(target, "changes"));
    let changes: Vec<_> = changes.collect();
    if changes.is_empty() && whole {
        return "No changes.".to_owned();
    }
    let count = |action: &str| changes.iter().filter(|change| change["action"] == action).count();
    let [enable, replace, disable] = ["enable", "replace", "disable"].map(count);
    format!("Plan: {enable} to enable, {replace} to replace, {disable} to disable.")
}

/// What a text tells of a plan, once at most.
fn told(text: &str) -> Result<Option<Told<'_>>> {
    let lines: Vec<_> = text.lines().collect();
    let is_told = |line: &str| line.starts_with("Plan: ") || line == "No changes.";
    let mut told = lines.windows(2).filter(|pair| is_told(pair[0]));
    let Some(pair) = told.next() else { return Ok(None) };
    ensure!(told.next().is_none(), "the counts are there twice");
    let fingerprint = pair[1].strip_prefix("Fingerprint: ").context("no fingerprint beneath the counts")?;
    Ok(Some(Told { counts: pair[0], fingerprint }))
}
