//! Plan: it lists every difference as a change or as unknown, and nothing else.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::drift::to_plan;
use super::{Evidence, Verdict, expected_exit, list, tenant_verdicts};
use crate::campaign::desired_file::{DesiredFile, ExpectedPlan};
use crate::campaign::scenario::{Command, ProcessEvent};

impl Evidence<'_> {
    pub(super) fn check_plan(&self) -> Result<()> {
        let scenario = self.scenario;
        let planned = scenario.planned();
        let is_drift = matches!(scenario.command, Command::Drift { .. });
        let document = self.document()?;
        let drift = document.clone().filter(|_| is_drift);
        let document = if is_drift { drift.as_ref().map(to_plan) } else { document };
        if let Some(plan) = &document {
            self.check_targets(plan, &planned)?;
        }
        // A plan does not handle signals, so it ends without an exit code.
        let Some(code) = self.result.code else { return Ok(()) };
        match (&document, &drift) {
            (_, Some(drift)) => self.check_printed_drift(drift).context("stdout")?,
            (Some(plan), None) => self.check_printed_plan(plan).context("stdout")?,
            (None, None) => {}
        }
        if self.was_signalled() {
            return Ok(());
        }
        let exit_without_faults = self.exit_without_faults(&planned);
        if self.is_predictable() {
            ensure!(
                code == exit_without_faults,
                "expected exit code {exit_without_faults}, because no fault is permanent"
            );
        }
        ensure!(
            code == 1 || !self.has_disk_full_error(),
            "expected exit code 1, because an output cannot be written"
        );
        if code == 1 {
            let document_errors = document.as_ref().is_some_and(|plan| {
                let unknown = |target: &Value| !list(target, "unknown").is_empty();
                !list(plan, "errors").is_empty() || list(plan, "targets").iter().any(unknown)
            });
            let has_reason =
                document_errors || self.is_output_lost() || scenario.fails_before_first_request();
            ensure!(has_reason, "exit code 1 without an error");
            return Ok(());
        }
        ensure!(
            code == exit_without_faults,
            "expected exit code {exit_without_faults}, or 1 for an incomplete plan"
        );
        if self.result.fired_event == Some(ProcessEvent::OutputFolderRemoved) {
            return Ok(());
        }
        let plan = document.context("no plan")?;
        ensure!(list(&plan, "errors").is_empty(), "exit code {code} of a plan with errors");
        ensure!(list(&plan, "targets").len() == scenario.files.len(), "a file is missing in the plan");
        Ok(())
    }

    /// Returns the exit code if everything can be read.
    fn exit_without_faults(&self, planned: &[ExpectedPlan]) -> i32 {
        let scenario = self.scenario;
        if scenario.must_fail() {
            return 1;
        }
        let exit = expected_exit(
            tenant_verdicts(&scenario.files, planned)
                .into_values()
                .map(|it| match (it, scenario.command) {
                    // Guards do not block `drift`, and a name that the tenant does not have is a difference.
                    (_, Command::Drift { .. }) => Verdict::Applicable,
                    _ => it,
                })
                .collect::<Vec<_>>()
                .into_iter(),
        );
        let differs = planned.iter().any(|expected| !expected.changes.is_empty());
        let drifts = || {
            let files = scenario.files.iter().zip(planned);
            files.clone().any(|(_, expected)| expected.broken_pin || expected.invalid)
                || files.clone().any(|(file, _)| self.has_unmanaged(file))
        };
        match (exit, scenario.command) {
            (0, Command::Plan { detailed: true }) if differs => 2,
            (0, Command::Drift { .. }) if differs || drifts() => 2,
            _ => exit,
        }
    }

    /// Returns whether `drift --strict` finds unmanaged bindings.
    fn has_unmanaged(&self, file: &DesiredFile) -> bool {
        self.scenario.command == (Command::Drift { strict: true }) && !self.unmanaged(file).is_empty()
    }
}
