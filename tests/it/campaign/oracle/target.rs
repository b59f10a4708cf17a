//! What a plan tells of one file: each difference as it is, from where the file says so, and what
//! nobody manages. Only what could not be read of this very file excuses that a difference is not told;
//! what nobody manages is told once for all files of a tenant.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use flowbind::snapshot::Step;
use serde_json::{Value, json};

use super::{Evidence, id, list, place};
use crate::campaign::file::{Change, Expected, File, quoted};
use crate::campaign::scenario::Command;
use crate::campaign::world::{Place, World};

impl Evidence<'_> {
    pub(super) fn check_targets(&self, plan: &Value, planned: &[Expected]) -> Result<()> {
        let mut whole = list(plan, "errors").is_empty();
        for target in list(plan, "targets") {
            let name = target["file"].as_str().context("a file")?;
            let mut files = self.scenario.files.iter().zip(planned);
            let (file, expected) = files
                .find(|(file, _)| format!("{}.yaml", file.stem) == name)
                .with_context(|| format!("nobody gave `{name}`"))?;
            whole &= list(target, "unknown").is_empty();
            let errors = list(plan, "errors").iter().any(|error| is_about(error, file));
            let all = list(plan, "targets").iter().filter(|other| other["tenant"] == target["tenant"]);
            let all: Vec<_> = all.collect();
            self.check_target(target, &all, file, expected, errors).with_context(|| name.to_owned())?;
        }
        // What is not known is never taken for nothing.
        let code = self.ended.code;
        let admits = matches!(code, Some(1) | None);
        ensure!(whole || admits, "not all is known, and it ends with {code:?}");
        Ok(())
    }

    /// `all` are the targets of the tenant: what no file lists is told in one of them.
    fn check_target(
        &self,
        target: &Value,
        all: &[&Value],
        file: &File,
        expected: &Expected,
        errors: bool,
    ) -> Result<()> {
        let scenario = self.scenario;
        ensure!(target["tenant"] == file.tenant, "the tenant is {}", target["tenant"]);
        let mut unread = Vec::new();
        for unknown in list(target, "unknown") {
            unread.push(place(unknown)?);
        }
        // A file that is wrong in one place is told whole but for that.
        let excused = errors && !self.is_certain();
        let mut wanted: BTreeMap<_, _> =
            expected.changes.iter().map(|change| (&change.place, change)).collect();
        let mut counts = BTreeMap::<_, u64>::new();
        for told in list(target, "changes") {
            let at = place(told)?;
            let change = wanted.remove(&at).with_context(|| format!("{at:?} does not differ"))?;
            check_change(told, change).with_context(|| format!("{at:?}"))?;
            let source = source(file, &scenario.world, &at).context("the file does not say so")?;
            ensure!(told["source"] == source, "{at:?} is not at {}, but {source}", told["source"]);
            *counts.entry(action(change)).or_default() += 1;
        }
        for missing in wanted.keys() {
            ensure!(excused || unread.contains(missing), "{missing:?} differs, and is not told");
        }

        let mut unmanaged = self.unmanaged(file);
        for told in list(target, "unmanaged") {
            let at = place(told)?;
            let is = unmanaged.remove(&at).with_context(|| format!("{at:?} is not unmanaged"))?;
            ensure!(id(&told["current"]) == Some(is), "unmanaged, {at:?} is not {}", told["current"]);
        }
        for (at, other) in all.iter().enumerate() {
            for unknown in list(other, "unknown") {
                unread.push(place(unknown)?);
            }
            for told in list(other, "unmanaged") {
                let place = place(told)?;
                unmanaged.remove(&place);
                let twice = all[..at].iter().any(|before| list(before, "unmanaged").contains(told));
                ensure!(!twice, "{place:?} is told twice");
            }
        }
        for missing in unmanaged.keys() {
            ensure!(excused || unread.contains(missing), "{missing:?} is unmanaged, and is not told");
        }

        for action in ["enable", "replace", "disable"] {
            let counted = counts.get(action).copied().unwrap_or_default();
            ensure!(target["summary"][action] == counted, "the summary of {action} is not {counted}");
        }
        let unchanged = target["summary"]["unchanged"].as_u64().context("how many are unchanged")?;
        let same = (file.managed(&scenario.world).len() - expected.changes.len()) as u64;
        ensure!(unchanged <= same, "more are unchanged than {same}");
        if !errors && unread.is_empty() {
            ensure!(unchanged == same, "{unchanged} are unchanged, not {same}");
            let refused = !list(target, "refusals").is_empty();
            ensure!(refused == expected.refused, "refused: {refused}");
            ensure!(list(target, "pins").is_empty() != expected.broken_pin, "pins");
        }
        Ok(())
    }

    /// What is bound in the flows that a file looks at, and that no file of the tenant is about.
    pub(super) fn unmanaged(&self, file: &File) -> BTreeMap<Place, String> {
        let scenario = self.scenario;
        let same = scenario.files.iter().filter(|other| other.tenant == file.tenant);
        let managed: Vec<_> = same.map(|other| other.managed(&scenario.world)).collect();
        let strict = scenario.command == Command::Drift { strict: true };
        let looks = |flow: &String| strict || file.flows.iter().any(|(listed, _)| listed == flow);
        let unmanaged = |place: &Place| {
            looks(&place.0)
                && file.steps.contains(&place.1)
                && !managed.iter().any(|managed| managed.contains_key(place))
        };
        let bound = scenario.met().into_iter().filter_map(|(place, is)| Some((place, is?)));
        bound.filter(|(place, _)| unmanaged(place)).collect()
    }
}

/// Whether an error keeps what a file wants from being known.
fn is_about(error: &Value, file: &File) -> bool {
    let names = [format!("{}.yaml", file.stem), format!("{}-base.yaml", file.stem)];
    let tenant = error["tenant"].as_str().is_none_or(|tenant| tenant == file.tenant);
    tenant && error["file"].as_str().is_none_or(|name| names.iter().any(|known| known == name))
}

fn check_change(told: &Value, change: &Change) -> Result<()> {
    let Change { place: _, from, to, protected } = change;
    let (current, desired) = (id(&told["current"]), id(&told["desired"]));
    ensure!((&current, &desired) == (from, to), "it is not {current:?} → {desired:?}");
    ensure!(told["action"] == action(change), "it is no {}", told["action"]);
    ensure!(told["protected"] == *protected, "protected: {}", told["protected"]);
    Ok(())
}

fn action(change: &Change) -> &'static str {
    match (&change.from, &change.to) {
        (None, _) => "enable",
        (_, None) => "disable",
        _ => "replace",
    }
}

/// Where a file, or what it extends, says what a binding is to be, found in its text: the connector,
/// or the word after `prune`.
fn source(file: &File, world: &World, (flow, step): &(String, Step)) -> Option<Value> {
    let (flow, step) = (format!("  {}:", quoted(flow)), format!("    {}: ", step.name()));
    let texts = file.texts(world);
    let at = |path: &str, line: usize, before: &str| json!({"file": path, "line": line + 1, "column": before.len() + 1});
    for (path, text) in &texts {
        let mut within = false;
        for (number, line) in text.lines().enumerate() {
            if line.starts_with("  ") && !line.starts_with("   ") {
                within = line.starts_with(&flow);
            }
            match line.strip_prefix(&step).filter(|_| within) {
                Some(value) if value.starts_with("{connector: ") => {
                    return Some(at(path, number, &format!("{step}{{connector: ")));
                }
                Some(_) => return Some(at(path, number, &step)),
                None => {}
            }
        }
    }
    texts.iter().find_map(|(path, text)| {
        let number = text.lines().position(|line| line.starts_with("prune: "))?;
        Some(at(path, number, "prune: "))
    })
}
