//! A plan: every difference is told or told to be unknown, and nothing else is.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Evidence, Verdict, exit_of, list, verdicts};
use crate::campaign::file::{Expected, File};
use crate::campaign::scenario::{Command, Event};

impl Evidence<'_> {
    pub(super) fn check_plan(&self) -> Result<()> {
        let scenario = self.scenario;
        let planned = scenario.planned();
        let document = self.document()?;
        if let Some(plan) = &document {
            self.check_targets(plan, &planned)?;
        }
        // A plan has nothing to finish: a signal ends it.
        let Some(code) = self.ended.code else { return Ok(()) };
        if let Some(plan) = &document {
            self.check_plan_printed(plan).context("stdout")?;
        }
        if self.was_signalled() {
            return Ok(());
        }
        let foreseen = self.foreseen(&planned);
        if self.is_certain() {
            ensure!(code == foreseen, "nothing went wrong that lasts: it was to end with {foreseen}");
        }
        ensure!(code == 1 || !self.finds_no_room(), "an output is not written");
        if code == 1 {
            let told = document.as_ref().is_some_and(|plan| {
                let unknown = |target: &Value| !list(target, "unknown").is_empty();
                !list(plan, "errors").is_empty() || list(plan, "targets").iter().any(unknown)
            });
            let reason = told || self.is_output_lost() || scenario.cannot_begin();
            ensure!(reason, "for no reason");
            return Ok(());
        }
        ensure!(code == foreseen, "it was to end with {foreseen} or not to know");
        if self.ended.fired == Some(Event::FolderGone) {
            return Ok(());
        }
        let plan = document.context("it has none")?;
        ensure!(list(&plan, "errors").is_empty(), "it has errors, and ends with {code}");
        ensure!(list(&plan, "targets").len() == scenario.files.len(), "it lacks a file");
        Ok(())
    }

    /// What it has to end with when all can be read.
    fn foreseen(&self, planned: &[Expected]) -> i32 {
        let scenario = self.scenario;
        if scenario.is_hopeless() {
            return 1;
        }
        let exit = exit_of(
            verdicts(&scenario.files, planned)
                .into_values()
                .map(|it| match (it, scenario.command) {
                    // Nobody refuses to look.
                    (Verdict::Refused, Command::Drift { .. }) => Verdict::Open,
                    _ => it,
                })
                .collect::<Vec<_>>()
                .into_iter(),
        );
        let differs = planned.iter().any(|expected| !expected.changes.is_empty());
        let drifts = || {
            let files = scenario.files.iter().zip(planned);
            files.clone().any(|(_, expected)| expected.broken_pin)
                || files.clone().any(|(file, _)| self.has_more(file))
        };
        match (exit, scenario.command) {
            (0, Command::Plan { detailed: true }) if differs => 2,
            (0, Command::Drift { .. }) if differs || drifts() => 2,
            _ => exit,
        }
    }

    /// Whether a strict look finds what no file of the tenant is about.
    fn has_more(&self, file: &File) -> bool {
        self.scenario.command == (Command::Drift { strict: true }) && !self.unmanaged(file).is_empty()
    }
}
