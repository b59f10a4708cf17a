//! How a run has to behave whatever it does: no panic, no secret, nothing left behind, and it stops when
//! it is asked to.

use std::panic;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Evidence;
use crate::campaign::login::SignIn;
use crate::campaign::process::Ended;
use crate::campaign::scenario::{Command, Event};
use crate::fuzz_corpus::fuzz::inert::assert_inert;

/// Whoever goes on for so long after a signal has heard it: what comes last is to write the report,
/// and that takes no time.
const DEAF: Duration = Duration::from_secs(3);

impl Evidence<'_> {
    /// What holds for every run: no panic, no secret, nothing left behind.
    pub(super) fn check_manners(&self) -> Result<()> {
        let Ended { code, signal, stdout, stderr, fired, outlived: _, started: _ } = &self.ended;
        ensure!(*code != Some(101) && !stderr.contains("panicked at"), "it panicked");
        let sent = match fired {
            Some(Event::Signal("INT")) => &[2, 130][..],
            Some(Event::Signal("TERM")) => &[15, 143],
            Some(Event::Signal("KILL")) => &[9],
            _ => &[],
        };
        ensure!(signal.is_none_or(|signal| sent.contains(&signal)), "a signal ended it that nobody sent");
        let known: &[i32] = match self.scenario.command {
            Command::Plan { detailed: false } => &[0, 1, 3],
            Command::Plan { detailed: true } => &[0, 1, 2, 3],
            Command::Drift { .. } => &[0, 1, 2],
            Command::Export { .. } => &[0, 1],
            Command::Apply(_) => &[0, 1, 3, 4],
        };
        let caught = |code: &i32| self.scenario.is_apply() && sent.contains(code) && *code > 128;
        ensure!(
            code.is_none_or(|code| known.contains(&code) || caught(&code)),
            "a code that it must not have"
        );
        // Whoever signs in was never given it; what he gets in its place, the login knows.
        let is_given = self.scenario.sign_in == SignIn::Given;
        for (name, text) in [("stdout", stdout), ("stderr", stderr)].into_iter().chain(self.written_files()) {
            ensure!(!is_given || !text.contains(&self.scenario.token), "{name} holds the token");
        }
        for (name, text) in [("stdout", stdout), ("stderr", stderr)].into_iter().chain(self.results()) {
            let acts = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
            ensure!(!text.contains(acts), "{name} holds what acts on a terminal");
            // It panics, and tells what it found.
            let inert = panic::catch_unwind(|| assert_inert(text));
            ensure!(inert.is_ok(), "{name} holds what acts on a reader");
        }
        // Whoever is killed has no time to tidy up.
        if signal.is_none() {
            let known = |name: &String| {
                ["saved.json", "out/report.json", "out/plan.json"].contains(&name.as_str())
                    || name.starts_with("desired/")
            };
            let left: Vec<_> = self.files.keys().filter(|name| !known(name)).collect();
            ensure!(left.is_empty(), "it left behind {left:?}");
        }
        Ok(())
    }

    /// The files that it wrote itself.
    fn results(&self) -> impl Iterator<Item = (&str, &String)> {
        self.written_files().filter(|(name, _)| name.starts_with("out/") || *name == "saved.json")
    }

    pub(super) fn written_files(&self) -> impl Iterator<Item = (&str, &String)> {
        self.files.iter().map(|(name, text)| (name.as_str(), text))
    }

    /// Whoever is asked to stop while he changes a tenant tells what became of it. Only before anything
    /// was asked is nobody there who hears.
    pub(super) fn check_stop(&self) -> Result<()> {
        let asked = self.ended.fired.filter(|event| matches!(event, Event::Signal("INT" | "TERM")));
        if asked.is_none() || !self.scenario.is_apply() {
            return Ok(());
        }
        match self.ended.code {
            None => ensure!(self.requests() == 0 && self.written.is_none(), "it died of what it has to hear"),
            Some(130 | 143) => {}
            Some(_) => ensure!(self.ended.outlived < DEAF, "it went on as if nobody had asked it to stop"),
        }
        Ok(())
    }
}
