//! Report: each outcome matches the tenant, and the exit code matches the report.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Evidence, Verdict, binding_key, expected_exit, id, list};
use crate::campaign::desired_file::Change;
use crate::campaign::scenario::{Approval, Command, OutputFault, ProcessEvent};
use crate::campaign::tenant_model::BindingKey;

pub(super) const OUTCOMES: [&str; 5] = ["applied", "already", "failed", "unverified", "not-attempted"];

/// Results of the changes of one tenant.
#[derive(Debug, Clone, Copy, Default)]
struct TenantResult {
    /// Whether a PUT was sent.
    has_sent_put: bool,
    /// Whether a change is neither applied nor already made.
    has_open_change: bool,
}

impl Evidence<'_> {
    pub(super) fn check_report(&self) -> Result<()> {
        let report = self.document()?;
        let results = match &report {
            Some(report) => self.check_changes(report)?,
            None => BTreeMap::new(),
        };
        let Some(code) = self.result.code else {
            // A killed process writes no report.
            return Ok(());
        };
        let is_lost = self.is_output_lost();
        match &report {
            Some(report) => {
                self.check_exit(code, report, &results)?;
                let matches = report["exitCode"] == code;
                ensure!(matches || is_lost, "`exitCode` is {}", report["exitCode"]);
                self.check_printed_report(report).context("stdout")?;
            }
            // Without a report no PUT may have been sent, unless the report was lost. A signal while the files are read
            // ends the run at once.
            None => {
                let is_early = code == 1 || self.was_signalled() && self.requests() == 0;
                ensure!(is_early && self.puts().next().is_none() || is_lost, "no report");
            }
        }
        Ok(())
    }

    /// Returns whether an output could not be written, or may not have been.
    pub(super) fn is_output_lost(&self) -> bool {
        let folder_removed = self.result.fired_event == Some(ProcessEvent::OutputFolderRemoved);
        folder_removed || self.has_disk_full_error()
    }

    /// Returns whether an output did not fit on the disk. A short output may fit on a nearly full disk.
    pub(super) fn has_disk_full_error(&self) -> bool {
        match self.scenario.output {
            OutputFault::DiskFull => true,
            OutputFault::DiskFills => self.written.is_none(),
            _ => false,
        }
    }

    fn puts(&self) -> impl Iterator<Item = BindingKey> {
        let puts = self.journal.iter().filter(|entry| entry["method"] == "PUT");
        puts.filter_map(|entry| self.binding_of(entry["path"].as_str()?))
    }

    /// Compares every reported change with the tenant. Returns the results by tenant.
    fn check_changes(&self, report: &Value) -> Result<BTreeMap<String, TenantResult>> {
        let scenario = self.scenario;
        let planned = scenario.planned();
        let before = scenario.initial_bindings();
        let mut results = BTreeMap::<String, TenantResult>::new();
        let mut reported_keys = BTreeSet::new();
        for target in list(report, "targets") {
            let tenant = target["tenant"].as_str().context("no tenant")?;
            let files = scenario.files.iter().zip(&planned).filter(|(file, _)| file.tenant == tenant);
            let changes: BTreeMap<_, _> = files
                .flat_map(|(_, expected)| &expected.changes)
                .map(|change| (&change.key, change))
                .collect();
            let result = results.entry(tenant.to_owned()).or_default();
            let mut counts = BTreeMap::<&str, u64>::new();
            for reported in list(target, "changes") {
                let at = binding_key(reported)?;
                let change = changes.get(&at).with_context(|| format!("unplanned change of {at:?}"))?;
                let (current, desired) = (id(&reported["current"]), id(&reported["desired"]));
                ensure!(
                    (&current, &desired) == (&change.from, &change.to),
                    "{at:?}: {current:?} → {desired:?}"
                );
                let outcome = reported["outcome"].as_str().context("no outcome")?;
                *counts.entry(outcome).or_default() += 1;
                let attempts = reported["attempts"].as_u64().context("no attempts")?;
                let (was, is) = (&before[&at], &self.actual_state[&at]);
                let is_truthful = match outcome {
                    "applied" => *is == change.to && attempts > 0,
                    "already" => *is == change.to && is == was && attempts == 0,
                    "failed" => is == was && attempts > 0,
                    "not-attempted" => is == was && attempts == 0,
                    "unverified" => (is == was || *is == change.to) && attempts > 0,
                    _ => false,
                };
                ensure!(
                    is_truthful,
                    "{at:?} is {outcome} after {attempts} attempts, but the tenant has {is:?}"
                );
                let arrived = self.puts().filter(|put| *put == at).count() as u64;
                ensure!(arrived <= attempts, "{at:?} was sent {arrived} times, not {attempts}");
                let is_done = matches!(outcome, "applied" | "already");
                let has_error = reported["error"].is_string();
                ensure!(!(is_done && has_error), "{at:?} is {outcome} with an error");
                ensure!(
                    has_error || !matches!(outcome, "failed" | "unverified"),
                    "{at:?} is {outcome} without an error"
                );
                result.has_sent_put |= attempts > 0;
                result.has_open_change |= !is_done;
                ensure!(reported_keys.insert(at.clone()), "{at:?} is reported twice");
            }
            for outcome in OUTCOMES {
                let key = if outcome == "not-attempted" { "notAttempted" } else { outcome };
                let counted = counts.get(outcome).copied().unwrap_or_default();
                ensure!(target["summary"][key] == counted, "the summary of {outcome} is not {counted}");
            }
        }
        for (at, was) in &before {
            ensure!(
                self.actual_state[at] == *was || reported_keys.contains(at),
                "{at:?} changed, but is not reported"
            );
        }
        Ok(results)
    }

    /// Returns the allowed changes that the tenant does not have.
    fn missing_changes(&self) -> Vec<Change> {
        let allowed = self.allowed_changes().into_values();
        allowed.filter(|change| self.actual_state[&change.key] != change.to).collect()
    }

    fn check_exit(&self, code: i32, report: &Value, results: &BTreeMap<String, TenantResult>) -> Result<()> {
        let scenario = self.scenario;
        let verdicts = scenario.expected_verdicts();
        let any = |verdict| verdicts.values().any(|it| *it == verdict);
        let incomplete = results.values().any(|result| result.has_sent_put && result.has_open_change);
        let sent = results.values().any(|result| result.has_sent_put);
        let errors = !list(report, "errors").is_empty();
        if self.is_predictable() {
            let exit_without_faults = expected_exit(verdicts.values().copied());
            ensure!(
                code == exit_without_faults,
                "expected exit code {exit_without_faults}, because no fault is permanent"
            );
        }
        if self.has_disk_full_error() && code < 128 {
            let expected = if sent { 4 } else { 1 };
            ensure!(code == expected, "expected exit code {expected}, because an output is lost");
        }
        match code {
            0 => {
                ensure!(
                    !errors && results.values().all(|result| !result.has_open_change),
                    "exit code 0 with errors or open changes"
                );
                ensure!(
                    !any(Verdict::Invalid) && !any(Verdict::Blocked),
                    "exit code 0 of an invalid or blocked plan"
                );
                ensure!(
                    self.missing_changes().is_empty(),
                    "exit code 0 without {:?}",
                    self.missing_changes()
                );
            }
            1 => {
                ensure!(!incomplete, "exit code 1 after a partial apply");
                ensure!(!(sent && self.is_output_lost()), "exit code 1 after a PUT, with a lost output");
                ensure!(
                    errors || results.values().any(|result| result.has_open_change) || self.is_output_lost(),
                    "exit code 1 without a reason"
                );
            }
            3 => {
                ensure!(!incomplete, "exit code 3 after a partial apply");
                // An unreadable binding changes the plan, so its fingerprint is not the approved one.
                let other_plan =
                    scenario.command == Command::Apply(Approval::Fingerprint) && !scenario.has_no_faults();
                ensure!(any(Verdict::Blocked) || other_plan, "exit code 3, but nothing is blocked");
                ensure!(!any(Verdict::Invalid), "exit code 3 of an invalid plan");
                ensure!(
                    other_plan || self.missing_changes().is_empty(),
                    "exit code 3 without {:?}",
                    self.missing_changes()
                );
            }
            4 => ensure!(
                incomplete || (sent && self.is_output_lost()),
                "exit code 4, but all changes are done"
            ),
            130 | 143 => ensure!(self.was_signalled(), "exit code of a signal that was not sent"),
            _ => anyhow::bail!("unexpected exit code"),
        }
        Ok(())
    }

    /// Returns the number of changes by outcome.
    pub fn outcomes(&self) -> BTreeMap<String, usize> {
        let mut outcomes = BTreeMap::new();
        let Ok(Some(report)) = self.document() else { return outcomes };
        for change in list(&report, "targets").iter().flat_map(|target| list(target, "changes")) {
            if let Some(outcome) = change["outcome"].as_str() {
                *outcomes.entry(outcome.to_owned()).or_default() += 1;
            }
        }
        outcomes
    }
}
