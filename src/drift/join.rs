//! Joins the drift of shards into that of an unsharded run.

use std::collections::{BTreeMap, BTreeSet};

use super::difference::Subject;
use super::run::Drift;
use super::target::{TargetDrift, dedupe_certificates};
use crate::model::{FlowId, Ownership, Step, Tenant};
use crate::plan::{self, JoinError, Joined, Problem};

/// Joins drift; shards become the result of an unsharded run.
///
/// # Errors
/// The parts do not belong together.
pub fn join(parts: Vec<Drift>) -> Result<Drift, JoinError> {
    let strict = parts.iter().any(|drift| drift.strict);
    let is_compared = parts.iter().any(|drift| drift.is_compared);
    let mut seen = BTreeSet::new();
    // With an error of the run, each shard remembers the differences of all tenants.
    let remembered = parts.iter().flat_map(|drift| &drift.remembered);
    let remembered = remembered.filter(|it| seen.insert((&it.tenant, it.difference.subject_key()))).cloned();
    let remembered = remembered.collect();
    let parts = parts.into_iter().map(|drift| (drift.shard, drift.targets, drift.errors));
    let joined = plan::join(parts.collect(), |target: &TargetDrift| &target.tenant)?;
    let Joined { mut targets, mut errors, .. } = joined;
    dedupe(&mut targets);
    dedupe_certificates(&mut targets);
    let ids = targets.iter().filter_map(|target| Some((&target.tenant, target.tenant_id.as_deref()?)));
    for (tenant, error) in plan::alias_errors(ids) {
        let error = Problem { tenant: Some(tenant), diagnostic: error };
        // The parts can have it already.
        errors.retain(|other| *other != error);
        errors.push(error);
    }
    Ok(Drift { targets, errors, strict, is_compared, remembered, ..Drift::default() })
}

/// Keeps each binding of a tenant once among targets that were read in different runs: in the target that manages
/// it, otherwise in the first.
fn dedupe(targets: &mut [TargetDrift]) {
    let mut tenants = BTreeMap::<Tenant, Vec<_>>::new();
    for target in targets {
        tenants.entry(target.tenant.clone()).or_default().push(target);
    }
    for mut targets in tenants.into_values().filter(|targets| targets.len() > 1) {
        let managed: Vec<Vec<_>> = targets
            .iter()
            .map(|target| target.managed().map(|(flow, step)| (flow.clone(), step)).collect())
            .collect();
        let mut owners = Ownership::default();
        for (at, managed) in managed.iter().enumerate() {
            managed.iter().for_each(|(flow, step)| owners.add(flow, *step, at));
        }
        let mut seen = BTreeSet::new();
        for (at, target) in targets.iter_mut().enumerate() {
            let mut stays = |list: &'static str, flow: &FlowId, step: Step| match owners.owner(flow, step) {
                Some(owner) => *owner == at,
                None => seen.insert((list, flow.clone(), step)),
            };
            target.differences.retain(|difference| match &difference.subject {
                Subject::Binding(flow, step) if difference.source.is_none() => {
                    stays("difference", flow, *step)
                }
                _ => true,
            });
            target.unmanaged.retain(|it| stays("unmanaged", &it.flow, it.step));
            target.unreadable.retain(|it| stays("unreadable", &it.flow, it.step));
        }
    }
}
