//! A plan: every difference is told or told to be unknown, and nothing else is.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Evidence, Verdict, exit_of, id, list, place, verdicts};
use crate::campaign::file::{Change, Expected, File};
use crate::campaign::scenario::{Command, Event, OutputTrouble};
use crate::campaign::world::Place;

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
        if scenario.is_certain() {
            ensure!(code == foreseen, "nothing went wrong that lasts: it was to end with {foreseen}");
        }
        match scenario.output {
            OutputTrouble::StdoutFull | OutputTrouble::DiskFull => {
                ensure!(code == 1, "an output is not written")
            }
            _ => {}
        }
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
        let scenario = self.scenario;
        let same = scenario.files.iter().filter(|other| other.tenant == file.tenant);
        let managed: Vec<_> = same.map(|other| other.managed(&scenario.world)).collect();
        let unmanaged = |place: &Place| {
            file.steps.contains(&place.1) && !managed.iter().any(|managed| managed.contains_key(place))
        };
        let bound = |(place, is): (&Place, &Option<String>)| is.is_some() && unmanaged(place);
        scenario.command == (Command::Drift { strict: true }) && scenario.met().iter().any(bound)
    }

    fn check_targets(&self, plan: &Value, planned: &[Expected]) -> Result<()> {
        let errors = !list(plan, "errors").is_empty();
        let mut unknown = false;
        for target in list(plan, "targets") {
            let name = target["file"].as_str().context("a file")?;
            let mut files = self.scenario.files.iter().zip(planned);
            let (_, expected) = files
                .find(|(file, _)| format!("{}.yaml", file.stem) == name)
                .with_context(|| format!("nobody gave `{name}`"))?;
            unknown |= !list(target, "unknown").is_empty();
            check_target(target, expected, errors).with_context(|| name.to_owned())?;
        }
        // What is not known is never taken for nothing.
        let code = self.ended.code;
        ensure!(
            !(unknown || errors) || matches!(code, Some(1) | None),
            "not all is known, and it ends with {code:?}"
        );
        Ok(())
    }
}

fn check_target(target: &Value, expected: &Expected, errors: bool) -> Result<()> {
    let mut wanted: BTreeMap<_, _> = expected.changes.iter().map(|change| (&change.place, change)).collect();
    for change in list(target, "changes") {
        let at = place(change)?;
        let Change { from, to, .. } =
            wanted.remove(&at).with_context(|| format!("{at:?} does not differ"))?;
        let (current, desired) = (id(&change["current"]), id(&change["desired"]));
        ensure!((&current, &desired) == (from, to), "{at:?} is not {current:?} → {desired:?}");
    }
    let mut unread = Vec::new();
    for unknown in list(target, "unknown") {
        unread.push(place(unknown)?);
    }
    for missing in wanted.into_keys() {
        ensure!(errors || unread.contains(missing), "{missing:?} differs, and is not told");
    }
    if !errors && unread.is_empty() {
        let refused = !list(target, "refusals").is_empty();
        ensure!(refused == expected.refused, "refused: {refused}");
        ensure!(list(target, "pins").is_empty() != expected.broken_pin, "pins");
    }
    Ok(())
}
