//! Targets of a plan: each lists every difference of its file, with source location, and unmanaged
//! bindings. A difference may only be missing if it could not be read. Each unmanaged binding is listed
//! once per tenant.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use flowbind::snapshot::Step;
use serde_json::{Value, json};

use super::{Evidence, binding_key, id, list};
use crate::campaign::desired_file::{Change, DesiredFile, ExpectedPlan, quoted};
use crate::campaign::scenario::Command;
use crate::campaign::tenant_model::{BindingKey, TenantModel};

impl Evidence<'_> {
    pub(super) fn check_targets(&self, plan: &Value, planned: &[ExpectedPlan]) -> Result<()> {
        let mut is_complete = list(plan, "errors").is_empty();
        for target in list(plan, "targets") {
            let name = target["file"].as_str().context("no file")?;
            let mut files = self.scenario.files.iter().zip(planned);
            let (file, expected) = files
                .find(|(file, _)| format!("{}.yaml", file.stem) == name)
                .with_context(|| format!("unknown file `{name}`"))?;
            is_complete &= list(target, "unknown").is_empty();
            let has_errors = list(plan, "errors").iter().any(|error| concerns(error, file));
            let tenant_targets =
                list(plan, "targets").iter().filter(|other| other["tenant"] == target["tenant"]);
            let tenant_targets: Vec<_> = tenant_targets.collect();
            self.check_target(target, &tenant_targets, file, expected, has_errors)
                .with_context(|| name.to_owned())?;
        }
        // An unreadable binding must not be treated as unbound.
        let code = self.result.code;
        let is_failure = matches!(code, Some(1) | None);
        ensure!(is_complete || is_failure, "exit code {code:?} of an incomplete plan");
        Ok(())
    }

    /// Checks a target. `tenant_targets` are all targets of its tenant: an unmanaged binding is listed in
    /// one of them.
    fn check_target(
        &self,
        target: &Value,
        tenant_targets: &[&Value],
        file: &DesiredFile,
        expected: &ExpectedPlan,
        has_errors: bool,
    ) -> Result<()> {
        let scenario = self.scenario;
        ensure!(target["tenant"] == file.tenant, "the tenant is {}", target["tenant"]);
        self.check_unsupported_step(target, file)?;
        let mut unreadable = Vec::new();
        for unknown in list(target, "unknown") {
            unreadable.push(binding_key(unknown)?);
        }
        // With an error, the differences that it affects may be missing.
        let may_be_missing = has_errors && !self.is_predictable();
        let mut expected_changes: BTreeMap<_, _> =
            expected.changes.iter().map(|change| (&change.key, change)).collect();
        let mut counts = BTreeMap::<_, u64>::new();
        for listed in list(target, "changes") {
            let at = binding_key(listed)?;
            let change = expected_changes.remove(&at).with_context(|| format!("{at:?} does not differ"))?;
            check_change(listed, change).with_context(|| format!("{at:?}"))?;
            let source = source(file, &scenario.model, &at).context("no line of the file sets it")?;
            ensure!(
                listed["source"] == source,
                "source of {at:?} is {}, expected {source}",
                listed["source"]
            );
            *counts.entry(action(change)).or_default() += 1;
        }
        for missing in expected_changes.keys() {
            ensure!(may_be_missing || unreadable.contains(missing), "the difference {missing:?} is missing");
        }

        let mut unmanaged = self.unmanaged(file);
        for listed in list(target, "unmanaged") {
            let at = binding_key(listed)?;
            let is = unmanaged.remove(&at).with_context(|| format!("{at:?} is not unmanaged"))?;
            ensure!(id(&listed["current"]) == Some(is), "unmanaged {at:?} is not {}", listed["current"]);
        }
        for (index, other) in tenant_targets.iter().enumerate() {
            for unknown in list(other, "unknown") {
                unreadable.push(binding_key(unknown)?);
            }
            for listed in list(other, "unmanaged") {
                let key = binding_key(listed)?;
                unmanaged.remove(&key);
                let is_duplicate =
                    tenant_targets[..index].iter().any(|before| list(before, "unmanaged").contains(listed));
                ensure!(!is_duplicate, "unmanaged {key:?} is listed twice");
            }
        }
        for missing in unmanaged.keys() {
            ensure!(may_be_missing || unreadable.contains(missing), "unmanaged {missing:?} is missing");
        }

        for action in ["enable", "replace", "disable"] {
            let counted = counts.get(action).copied().unwrap_or_default();
            ensure!(target["summary"][action] == counted, "the summary of {action} is not {counted}");
        }
        let unchanged = target["summary"]["unchanged"].as_u64().context("no `unchanged`")?;
        let unchanged_count = (file.managed(&scenario.model).len() - expected.changes.len()) as u64;
        ensure!(unchanged <= unchanged_count, "more than {unchanged_count} unchanged: {unchanged}");
        if !has_errors && unreadable.is_empty() {
            ensure!(unchanged == unchanged_count, "{unchanged} are unchanged, not {unchanged_count}");
            // Guards do not concern drift, which lists no blockers.
            let blocked = !list(target, "refusals").is_empty();
            ensure!(blocked == expected.blocked || target["refusals"].is_null(), "blocked: {blocked}");
            ensure!(list(target, "pins").is_empty() != expected.broken_pin, "pins");
        }
        Ok(())
    }

    /// Returns whether the plan reports that the service rejects `preTokenIssuance` for the tenant of the file.
    fn rejects_optional_step(&self, file: &DesiredFile) -> bool {
        let document = self.document().ok().flatten().unwrap_or_default();
        let mut targets = list(&document, "targets").iter();
        targets.any(|target| target["tenant"] == file.tenant && !target["unsupportedStep"].is_null())
    }

    /// Checks that a step is reported as rejected only by a strict run without a file that manages it, and only
    /// after such a response.
    fn check_unsupported_step(&self, target: &Value, file: &DesiredFile) -> Result<()> {
        let step = &target["unsupportedStep"];
        if step.is_null() {
            return Ok(());
        }
        let optional = Step::PreTokenIssuance;
        ensure!(*step == optional.name(), "{step} is reported as rejected");
        ensure!(self.scenario.command == Command::Drift { strict: true }, "{step} is rejected, but not read");
        let mut same = self.scenario.files.iter().filter(|other| other.tenant == file.tenant);
        ensure!(!same.any(|other| other.steps.contains(&optional)), "{step} is managed and left out");
        let is_rejection = |entry: &Value| {
            let path = entry["path"].as_str().unwrap_or_default();
            entry["status"] == 400 && (path.contains(optional.name()) || path.ends_with("/$batch"))
        };
        ensure!(self.journal.iter().any(is_rejection), "{step} was not rejected");
        Ok(())
    }

    /// Returns the bindings of the flows that are read for the file and that no file of the tenant
    /// manages.
    pub(super) fn unmanaged(&self, file: &DesiredFile) -> BTreeMap<BindingKey, String> {
        let scenario = self.scenario;
        let same = scenario.files.iter().filter(|other| other.tenant == file.tenant);
        let managed: Vec<_> = same.map(|other| other.managed(&scenario.model)).collect();
        let strict = scenario.command == Command::Drift { strict: true };
        let is_rejected = self.rejects_optional_step(file);
        let is_covered = |step: &Step| {
            let is_optional = *step == Step::PreTokenIssuance;
            file.steps.contains(step)
                || (strict && !(is_optional && (is_rejected || scenario.api() == "v1.0")))
        };
        let is_read = |flow: &String| strict || file.flows.iter().any(|(listed, _)| listed == flow);
        let is_unmanaged = |key: &BindingKey| {
            is_read(&key.0) && is_covered(&key.1) && !managed.iter().any(|managed| managed.contains_key(key))
        };
        let bound = scenario.initial_bindings().into_iter().filter_map(|(place, is)| Some((place, is?)));
        bound.filter(|(key, _)| is_unmanaged(key)).collect()
    }
}

/// Returns whether an error may affect the target of the file.
fn concerns(error: &Value, file: &DesiredFile) -> bool {
    let names = [format!("{}.yaml", file.stem), format!("{}-base.yaml", file.stem)];
    let tenant = error["tenant"].as_str().is_none_or(|tenant| tenant == file.tenant);
    tenant && error["file"].as_str().is_none_or(|name| names.iter().any(|known| known == name))
}

fn check_change(listed: &Value, change: &Change) -> Result<()> {
    let Change { key: _, from, to, protected } = change;
    let (current, desired) = (id(&listed["current"]), id(&listed["desired"]));
    ensure!((&current, &desired) == (from, to), "listed as {current:?} → {desired:?}");
    ensure!(listed["action"] == action(change), "listed as {}", listed["action"]);
    // Drift does not depend on `protect`.
    let is_expected = listed["protected"] == *protected || listed["protected"].is_null();
    ensure!(is_expected, "protected: {}", listed["protected"]);
    Ok(())
}

fn action(change: &Change) -> &'static str {
    match (&change.from, &change.to) {
        (None, _) => "enable",
        (_, None) => "disable",
        _ => "replace",
    }
}

/// Finds the source location of a binding in the text of a file or of its base: its connector, or the
/// value of `prune`.
fn source(file: &DesiredFile, model: &TenantModel, (flow, step): &(String, Step)) -> Option<Value> {
    let (flow, step) = (format!("  {}:", quoted(flow)), format!("    {}: ", step.name()));
    let texts = file.to_yaml(model);
    let at = |path: &str, line: usize, before: &str| json!({"file": path, "line": line + 1, "column": before.len() + 1});
    for (path, text) in &texts {
        let mut is_in_flow = false;
        for (number, line) in text.lines().enumerate() {
            if line.starts_with("  ") && !line.starts_with("   ") {
                is_in_flow = line.starts_with(&flow);
            }
            match line.strip_prefix(&step).filter(|_| is_in_flow) {
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
