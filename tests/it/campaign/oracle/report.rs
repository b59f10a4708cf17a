//! A report: each outcome is what the tenant has, and the exit code is what the report says.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Evidence, Verdict, exit_of, id, list, place};
use crate::campaign::file::Change;
use crate::campaign::scenario::{Approval, Command, Event, OutputTrouble};
use crate::campaign::world::Place;

pub(super) const OUTCOMES: [&str; 5] = ["applied", "already", "failed", "unverified", "not-attempted"];

/// What the changes of one tenant came to.
#[derive(Debug, Clone, Copy, Default)]
struct Came {
    /// Whether a PUT was sent.
    sent: bool,
    /// Whether a change is not known to be made.
    open: bool,
}

impl Evidence<'_> {
    pub(super) fn check_report(&self) -> Result<()> {
        let report = self.document()?;
        let came = match &report {
            Some(report) => self.check_changes(report)?,
            None => BTreeMap::new(),
        };
        let Some(code) = self.ended.code else {
            // Whoever is killed tells nothing.
            return Ok(());
        };
        let unwritten = self.is_output_lost();
        // What is lost is what stdout gets, and the file is another.
        let has_file = self.scenario.output == OutputTrouble::StdoutFull && !self.scenario.cannot_begin();
        ensure!(self.written.is_some() || !has_file, "the report's file is not there");
        match &report {
            Some(report) => {
                self.check_exit(code, report, &came)?;
                let agrees = report["exitCode"] == code;
                ensure!(agrees || unwritten, "its own code is {}", report["exitCode"]);
                self.check_report_printed(report).context("stdout")?;
            }
            // Without a report nothing may have been begun, unless it was lost.
            None => ensure!(matches!(code, 1) && self.puts().next().is_none() || unwritten, "there is none"),
        }
        Ok(())
    }

    /// Whether an output could not be written, or may not have been.
    pub(super) fn is_output_lost(&self) -> bool {
        let gone = self.ended.fired == Some(Event::FolderGone);
        gone || self.finds_no_room()
    }

    /// Whether there was no room for an output. What is short may find room on a disk that fills.
    pub(super) fn finds_no_room(&self) -> bool {
        match self.scenario.output {
            OutputTrouble::DiskFull | OutputTrouble::StdoutFull => true,
            OutputTrouble::DiskFills => self.written.is_none(),
            _ => false,
        }
    }

    fn puts(&self) -> impl Iterator<Item = Place> {
        let puts = self.journal.iter().filter(|entry| entry["method"] == "PUT");
        puts.filter_map(|entry| self.place_of(entry["path"].as_str()?))
    }

    /// Holds every change to the tenant. Gives what the changes of each tenant came to.
    fn check_changes(&self, report: &Value) -> Result<BTreeMap<String, Came>> {
        let scenario = self.scenario;
        let planned = scenario.planned();
        let before = scenario.met();
        let mut came = BTreeMap::<String, Came>::new();
        let mut told = BTreeSet::new();
        for target in list(report, "targets") {
            let tenant = target["tenant"].as_str().context("a tenant")?;
            let files = scenario.files.iter().zip(&planned).filter(|(file, _)| file.tenant == tenant);
            let changes: BTreeMap<_, _> = files
                .flat_map(|(_, expected)| &expected.changes)
                .map(|change| (&change.place, change))
                .collect();
            let came = came.entry(tenant.to_owned()).or_default();
            let mut counts = BTreeMap::<&str, u64>::new();
            for reported in list(target, "changes") {
                let at = place(reported)?;
                let change = changes.get(&at).with_context(|| format!("{at:?} was not to be changed"))?;
                let (current, desired) = (id(&reported["current"]), id(&reported["desired"]));
                ensure!(
                    (&current, &desired) == (&change.from, &change.to),
                    "{at:?}: {current:?} → {desired:?}"
                );
                let outcome = reported["outcome"].as_str().context("an outcome")?;
                *counts.entry(outcome).or_default() += 1;
                let attempts = reported["attempts"].as_u64().context("attempts")?;
                let (was, is) = (&before[&at], &self.truth[&at]);
                let right = match outcome {
                    "applied" => *is == change.to && attempts > 0,
                    "already" => *is == change.to && is == was && attempts == 0,
                    "failed" => is == was && attempts > 0,
                    "not-attempted" => is == was && attempts == 0,
                    "unverified" => (is == was || *is == change.to) && attempts > 0,
                    _ => false,
                };
                ensure!(right, "{at:?} is {outcome} after {attempts} attempts, and the tenant has {is:?}");
                let arrived = self.puts().filter(|put| *put == at).count() as u64;
                ensure!(arrived <= attempts, "{at:?} was sent {arrived} times, not {attempts}");
                let is_done = matches!(outcome, "applied" | "already");
                let explained = reported["error"].is_string();
                ensure!(!(is_done && explained), "{at:?} is {outcome}, and tells an error");
                ensure!(
                    explained || !matches!(outcome, "failed" | "unverified"),
                    "{at:?} is {outcome} without a reason"
                );
                came.sent |= attempts > 0;
                came.open |= !is_done;
                ensure!(told.insert(at.clone()), "{at:?} is there twice");
            }
            for outcome in OUTCOMES {
                let key = if outcome == "not-attempted" { "notAttempted" } else { outcome };
                let counted = counts.get(outcome).copied().unwrap_or_default();
                ensure!(target["summary"][key] == counted, "the summary of {outcome} is not {counted}");
            }
        }
        for (at, was) in &before {
            ensure!(self.truth[at] == *was || told.contains(at), "{at:?} changed, and is not told");
        }
        Ok(came)
    }

    /// What was to be done and is not there.
    fn undone(&self) -> Vec<Change> {
        let open = self.allowed().into_values();
        open.filter(|change| self.truth[&change.place] != change.to).collect()
    }

    fn check_exit(&self, code: i32, report: &Value, came: &BTreeMap<String, Came>) -> Result<()> {
        let scenario = self.scenario;
        let verdicts = scenario.verdicts();
        let any = |verdict| verdicts.values().any(|it| *it == verdict);
        let incomplete = came.values().any(|came| came.sent && came.open);
        let sent = came.values().any(|came| came.sent);
        let errors = !list(report, "errors").is_empty();
        if self.is_certain() {
            let foreseen = exit_of(verdicts.values().copied());
            ensure!(code == foreseen, "nothing went wrong that lasts: it was to end with {foreseen}");
        }
        if self.finds_no_room() && code < 128 {
            let lost = if sent { 4 } else { 1 };
            ensure!(code == lost, "an output is lost, so it was to end with {lost}");
        }
        match code {
            0 => {
                ensure!(!errors && came.values().all(|came| !came.open), "not all is done");
                ensure!(!any(Verdict::Wrong) && !any(Verdict::Refused), "it was not to go through");
                ensure!(self.undone().is_empty(), "{:?} is not there", self.undone());
            }
            1 => {
                ensure!(!incomplete, "it has begun what it has not done");
                ensure!(!(sent && self.is_output_lost()), "it has begun, and an output is lost");
                ensure!(
                    errors || came.values().any(|came| came.open) || self.is_output_lost(),
                    "for no reason"
                );
            }
            3 => {
                ensure!(!incomplete, "it has begun what it has not done");
                // What could not be read makes another plan than the approved one.
                let other =
                    scenario.command == Command::Apply(Approval::Expected) && !scenario.is_undisturbed();
                ensure!(any(Verdict::Refused) || other, "nothing was to be refused");
                ensure!(!any(Verdict::Wrong), "a refusal hides what is wrong");
                ensure!(other || self.undone().is_empty(), "a refusal hides {:?}", self.undone());
            }
            4 => ensure!(incomplete || (sent && self.is_output_lost()), "all that was begun is done"),
            130 | 143 => ensure!(self.was_signalled(), "nobody stopped it"),
            _ => anyhow::bail!("no such code"),
        }
        Ok(())
    }

    /// How many changes came to what.
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
