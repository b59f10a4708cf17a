//! Flags that override guards, for all tenants of a run.

use std::collections::{BTreeMap, BTreeSet};

use super::overrides::{Override, Overrides, ScopedOverride};
use crate::diagnostic::{Code, Diagnostic, Suggester};
use crate::model::{Desired, FlowId, FlowKey, Step, Tenant};

/// Flags of a command line that override guards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunOverrides(Vec<ScopedOverride>);

impl From<Vec<ScopedOverride>> for RunOverrides {
    fn from(flags: Vec<ScopedOverride>) -> Self {
        Self(flags)
    }
}

impl RunOverrides {
    /// Returns the guards that are overridden for one tenant of the run. Flags without a tenant concern each.
    pub fn for_tenant(&self, tenant: &Tenant) -> Overrides {
        let mut overrides = Overrides::default();
        let concerns = |flag: &&ScopedOverride| flag.tenant.as_ref().is_none_or(|it| it == tenant);
        for flag in self.0.iter().filter(concerns) {
            match &flag.value {
                Override::MaxChanges(limit) => overrides.max_changes = Some(*limit),
                Override::MaxDisables(limit) => overrides.max_disables = Some(*limit),
                Override::AllowProtected(flow, step) => {
                    overrides.allow_protected.push((flow.clone(), *step));
                }
                Override::AllowEmpty => overrides.allow_empty = true,
            }
        }
        overrides
    }

    /// Checks that each flag concerns exactly one tenant of the run, can lift a guard of its files, and does not
    /// contradict another flag. `files` are those of all shards.
    ///
    /// # Errors
    /// One problem for each flag.
    pub fn check(&self, files: &[Desired]) -> Result<(), Vec<Diagnostic>> {
        let mut of_tenant = BTreeMap::<_, Vec<_>>::new();
        for file in files.iter().filter(|_| !self.0.is_empty()) {
            of_tenant.entry(&file.tenant).or_default().push(file);
        }
        let (mut limited, suggester) = (BTreeSet::new(), Suggester::default());
        let check = |flag: &ScopedOverride| {
            let (tenant, files) = match (&flag.tenant, of_tenant.len()) {
                (Some(tenant), _) => match of_tenant.get(tenant) {
                    Some(files) => (tenant, files),
                    None => {
                        return Some(unknown_tenant(option(&flag.value), tenant, of_tenant.keys().copied()));
                    }
                },
                (None, 2..) => return Some(without_tenant(flag, of_tenant.len())),
                (None, _) => of_tenant.first_key_value().map(|(tenant, files)| (*tenant, files))?,
            };
            match &flag.value {
                Override::MaxChanges(_) | Override::MaxDisables(_) => {
                    let is_new = limited.insert((option(&flag.value), tenant.clone()));
                    (!is_new).then(|| given_twice(&flag.value, tenant))
                }
                Override::AllowProtected(flow, step) => {
                    check_managed(tenant, files, (flow, *step), &suggester)
                }
                Override::AllowEmpty => {
                    let is_match = files.iter().any(|file| file.prunes_flows());
                    (!is_match).then(|| never_pruned(tenant))
                }
            }
        };
        let problems: Vec<_> = self.0.iter().filter_map(check).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

/// Returns the name of the flag, without its value.
fn option(flag: &Override) -> &'static str {
    match flag {
        Override::MaxChanges(_) => "--max-changes",
        Override::MaxDisables(_) => "--max-disables",
        Override::AllowProtected(..) => "--allow-protected",
        Override::AllowEmpty => "--allow-empty",
    }
}

/// Creates the error of an option that names a tenant that the run does not have.
pub fn unknown_tenant<'a>(
    option: &str,
    tenant: &Tenant,
    tenants: impl Iterator<Item = &'a Tenant>,
) -> Diagnostic {
    let message = format!("`{option}` names `{tenant}`, which is not a tenant of this run");
    let problem = Diagnostic::error(Code::Usage, message);
    let problem = Suggester::default().suggest(problem, tenant, tenants.map(Tenant::as_str));
    problem.hint("write the tenant as the files do, or leave it out")
}

/// Creates the error of a flag without a tenant in a run over several.
fn without_tenant(flag: &ScopedOverride, tenants: usize) -> Diagnostic {
    let message = format!("`{}` does not name its tenant, and the run has {tenants}", flag.to_shell());
    let scoped = flag.to_shell_for(Some("TENANT"));
    Diagnostic::error(Code::Usage, message)
        .hint(format!("repeat it for each tenant that it concerns: `{scoped}`"))
}

/// Creates the error of a limit that is given twice.
fn given_twice(flag: &Override, tenant: &Tenant) -> Diagnostic {
    let message = format!("`{}` is given twice for the tenant `{tenant}`", option(flag));
    Diagnostic::error(Code::Usage, message).hint("pass one limit for each tenant")
}

/// Creates the error of `--allow-empty` for a tenant whose files keep the flows that they do not list, or of a limited
/// run, which never prunes.
fn never_pruned(tenant: &Tenant) -> Diagnostic {
    let message = format!("`--allow-empty` lifts nothing: this run does not prune the flows of `{tenant}`");
    Diagnostic::error(Code::Usage, message).hint("leave the flag out")
}

/// Returns the error of a binding that none of the tenant's files manages in a flow that it lists, or that the run is not
/// limited to; otherwise `None`. Other bindings, which `prune: flows` disables, are never protected.
fn check_managed(
    tenant: &Tenant,
    files: &[&Desired],
    (flow, step): (&FlowId, Step),
    suggester: &Suggester,
) -> Option<Diagnostic> {
    let managed = || files.iter().flat_map(|file| file.managed_bindings());
    let key = FlowKey::from(flow);
    if managed().any(|(managed, at)| (FlowKey::from(managed), at) == (key, step)) {
        return None;
    }
    let binding = format!("{flow}/{step}");
    let message =
        format!("`--allow-protected` names `{binding}`, which this run does not manage in `{tenant}`");
    let names: Vec<_> = managed().map(|(flow, step)| format!("{flow}/{step}")).collect();
    let problem = Diagnostic::error(Code::Usage, message);
    let problem = suggester.suggest(problem, &binding, names.iter().map(String::as_str));
    Some(problem.hint("name a binding as the files do, or leave the flag out"))
}
