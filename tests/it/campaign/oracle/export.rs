//! An export: all that the tenant has, or nothing.

use anyhow::{Context as _, Result, ensure};
use flowbind::snapshot::Snapshot;

use super::Evidence;
use crate::campaign::process::Ended;
use crate::campaign::scenario::{Command, OutputTrouble};
use crate::campaign::world::bindings;

impl Evidence<'_> {
    pub(super) fn check_export(&self, snapshot: bool) -> Result<()> {
        let Ended { code, stdout, .. } = &self.ended;
        ensure!(self.requests() > 0 || *code != Some(0), "it asked nobody");
        if self.scenario.output == OutputTrouble::StdoutFull && !self.was_signalled() {
            ensure!(*code == Some(1), "what it exports is lost");
        }
        // Who is killed may have printed it before, and so all of it.
        let is_printed = code.is_none() && !stdout.is_empty();
        if *code != Some(0) && !is_printed {
            // Half an export would be taken for a whole one.
            ensure!(stdout.is_empty(), "it failed, and printed");
            ensure!(!self.is_certain(), "nothing was to go wrong that lasts");
            return Ok(());
        }
        if self.scenario.output != OutputTrouble::None {
            return Ok(());
        }
        if !snapshot {
            // What it is, its plan tells.
            ensure!(stdout.starts_with("# ") && stdout.contains("\nversion: 1\n"), "it is no file");
            return Ok(());
        }
        let exported = bindings(&Snapshot::parse(stdout).context("it makes no snapshot")?);
        let steps = &self.scenario.files[0].steps;
        for (place, is) in self.truth.iter().filter(|((_, step), _)| steps.contains(step)) {
            ensure!(exported.get(place) == Some(is), "{place:?} has {is:?}");
        }
        ensure!(exported.len() == self.truth.len(), "it has other flows");
        Ok(())
    }

    /// Whether a desired-state file was exported, and somebody heard of it.
    pub fn has_exported(&self) -> bool {
        self.scenario.command == Command::Export { snapshot: false }
            && self.ended.code == Some(0)
            && self.scenario.output == OutputTrouble::None
    }
}
