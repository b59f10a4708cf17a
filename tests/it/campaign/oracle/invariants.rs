//! Invariants of every run: no panic, no secret in the output, no temporary files, and a prompt stop
//! after a signal.

use std::panic;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Evidence;
use crate::campaign::process::ProcessResult;
use crate::campaign::scenario::{Command, ProcessEvent};
use crate::campaign::sign_in::SignIn;
use crate::fuzz_corpus::fuzz::inert::assert_inert;

/// Longest time from a signal to the end of a run that had nothing left to do but write its report.
const STOP_TIME: Duration = Duration::from_secs(3);

impl Evidence<'_> {
    /// Checks exit code, output and files of a run.
    pub(super) fn check_invariants(&self) -> Result<()> {
        let ProcessResult { code, signal, stdout, stderr, fired_event, time_after_event: _, started: _ } =
            &self.result;
        ensure!(*code != Some(101) && !stderr.contains("panicked at"), "panic");
        let sent = match fired_event {
            Some(ProcessEvent::Signal("INT")) => &[2, 130][..],
            Some(ProcessEvent::Signal("TERM" | "HUP")) => &[1, 15, 143],
            Some(ProcessEvent::Signal("KILL")) => &[9],
            _ => &[],
        };
        ensure!(signal.is_none_or(|signal| sent.contains(&signal)), "ended by a signal that was not sent");
        let known: &[i32] = match self.scenario.command {
            Command::Plan { detailed: false } => &[0, 1, 3],
            Command::Plan { detailed: true } => &[0, 1, 2, 3],
            Command::Drift { .. } => &[0, 1, 2],
            Command::Export { .. } => &[0, 1],
            Command::Apply(_) => &[0, 1, 3, 4],
        };
        let caught = |code: &i32| self.scenario.is_apply() && sent.contains(code) && *code > 128;
        ensure!(code.is_none_or(|code| known.contains(&code) || caught(&code)), "unexpected exit code");
        // Only a run with a static token has this token. The runner checks the tokens of other runs.
        let has_token = self.scenario.sign_in == SignIn::StaticToken;
        for (name, text) in [("stdout", stdout), ("stderr", stderr)].into_iter().chain(self.written_files()) {
            ensure!(!has_token || !text.contains(&self.scenario.token), "{name} contains the token");
        }
        for (name, text) in [("stdout", stdout), ("stderr", stderr)].into_iter().chain(self.results()) {
            let is_active = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
            ensure!(!text.contains(is_active), "{name} contains control characters");
            // `assert_inert` panics with a description of its finding.
            let inert = panic::catch_unwind(|| assert_inert(text));
            ensure!(inert.is_ok(), "{name} contains active content");
        }
        // A killed process cannot delete its temporary files.
        if signal.is_none() {
            let known = |name: &String| {
                ["saved.json", "out/report.json", "out/plan.json"].contains(&name.as_str())
                    || name.starts_with("desired/")
            };
            let left: Vec<_> = self.files.keys().filter(|name| !known(name)).collect();
            ensure!(left.is_empty(), "left files: {left:?}");
        }
        Ok(())
    }

    /// Returns the files that flowbind wrote.
    fn results(&self) -> impl Iterator<Item = (&str, &String)> {
        self.written_files().filter(|(name, _)| name.starts_with("out/") || *name == "saved.json")
    }

    pub(super) fn written_files(&self) -> impl Iterator<Item = (&str, &String)> {
        self.files.iter().map(|(name, text)| (name.as_str(), text))
    }

    /// Checks that an apply that was signalled ends with a report. Only before its first request may a
    /// signal kill it.
    pub(super) fn check_stop(&self) -> Result<()> {
        let asked = self
            .result
            .fired_event
            .filter(|event| matches!(event, ProcessEvent::Signal("INT" | "TERM" | "HUP")));
        if asked.is_none() || !self.scenario.is_apply() {
            return Ok(());
        }
        match self.result.code {
            None => ensure!(
                self.requests() == 0 && self.written.is_none(),
                "killed by a signal that it must handle"
            ),
            Some(130 | 143) => {}
            Some(_) => ensure!(self.result.time_after_event < STOP_TIME, "continued after the signal"),
        }
        Ok(())
    }
}
