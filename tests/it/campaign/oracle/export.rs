//! Export: the complete tenant or nothing.

use anyhow::{Context as _, Result, ensure};
use flowbind::snapshot::{Snapshot, Step};

use super::Evidence;
use crate::campaign::process::ProcessResult;
use crate::campaign::scenario::{Command, OutputFault};
use crate::campaign::tenant_model::bindings;

impl Evidence<'_> {
    pub(super) fn check_export(&self, snapshot: bool) -> Result<()> {
        let ProcessResult { code, stdout, .. } = &self.result;
        ensure!(self.requests() > 0 || *code != Some(0), "no requests, but exit code 0");
        // A killed process may have printed the complete export before.
        let is_printed = code.is_none() && !stdout.is_empty();
        if *code != Some(0) && !is_printed {
            // A partial export could be mistaken for a complete one.
            ensure!(stdout.is_empty(), "output of a failed export");
            ensure!(!self.is_predictable(), "failed without a permanent fault");
            return Ok(());
        }
        if self.scenario.output != OutputFault::None {
            return Ok(());
        }
        if !snapshot {
            // `TestBed::check_exported_file` checks the content.
            ensure!(
                stdout.starts_with("# ") && stdout.contains("\nversion: 1\n"),
                "not a desired-state file"
            );
            return Ok(());
        }
        let exported = bindings(&Snapshot::parse(stdout).context("not a snapshot")?);
        for (key, is) in self.actual_state.iter().filter(|((_, step), _)| self.is_exported(*step)) {
            ensure!(exported.get(key) == Some(is), "{key:?} has {is:?}");
        }
        ensure!(exported.len() == self.actual_state.len(), "other flows than the tenant");
        Ok(())
    }

    /// Returns whether the API has the step and the run does not report that the service rejects it.
    fn is_exported(&self, step: Step) -> bool {
        let is_rejected = || self.result.stderr.contains("warning[unsupported-step]");
        step != Step::PreTokenIssuance || (self.scenario.api() == "beta" && !is_rejected())
    }

    /// Returns whether a connector is bound at a step that the API has and the run does not export.
    pub fn leaves_out_bindings(&self) -> bool {
        let mut bound = self.actual_state.iter().filter(|(_, is)| is.is_some());
        self.scenario.api() == "beta" && bound.any(|((_, step), _)| !self.is_exported(*step))
    }

    /// Returns whether a desired-state file was exported to stdout.
    pub fn has_exported(&self) -> bool {
        self.scenario.command == Command::Export { snapshot: false }
            && self.result.code == Some(0)
            && self.scenario.output == OutputFault::None
    }
}
