//! Memory of drift: which differences are new since an earlier run, and which are resolved.

use std::collections::{BTreeMap, BTreeSet};

use super::difference::{Difference, Subject};
use super::kind::Kind;
use super::run::{Drift, Remembered};
use super::target::TargetDrift;
use crate::model::Tenant;

/// Marks each difference as new or as known since its first run, and adds those of the earlier run that are
/// resolved. A difference whose kind or value in the tenant is another one is new. Differences of a tenant that could not
/// be read completely are neither confirmed nor resolved: they are remembered for the next run. So are bindings that only a
/// strict run reads.
pub fn compare_with_earlier(mut drift: Drift, earlier: &Drift) -> Drift {
    let of_targets = earlier.targets.iter().flat_map(|target| {
        let tenant = &target.tenant;
        target.differences.iter().map(move |difference| (tenant, difference))
    });
    let remembered = earlier.remembered.iter().map(|it| (&it.tenant, &it.difference));
    let earlier: Vec<_> = of_targets.chain(remembered).collect();
    let keys = earlier.iter().enumerate().map(|(at, (tenant, it))| ((*tenant, it.subject_key()), at));
    let positions: BTreeMap<_, _> = keys.collect();
    let mut seen = BTreeSet::<usize>::new();
    for TargetDrift { tenant, differences, .. } in &mut drift.targets {
        for difference in differences {
            let at = positions.get(&(&*tenant, difference.subject_key()));
            seen.extend(at);
            let known = at.and_then(|at| earlier.get(*at)).map(|(_, earlier)| earlier);
            let same = known.filter(|earlier| difference.is_same_as(earlier));
            difference.first_seen = same.map_or(difference.first_seen, |earlier| earlier.first_seen);
            difference.is_new = Some(same.is_none());
        }
    }
    for (_, (tenant, difference)) in earlier.iter().enumerate().filter(|(at, _)| !seen.contains(at)) {
        settle(&mut drift, tenant, (*difference).clone());
    }
    drift.is_compared = true;
    drift
}

/// Adds a difference that this run did not report: as resolved if the run would have found it, otherwise as remembered.
/// Drops it if no file has the tenant any more.
fn settle(drift: &mut Drift, tenant: &Tenant, difference: Difference) {
    let needs_strict = difference.kind == Kind::Unmanaged && !drift.strict;
    if needs_strict || !is_selected(drift, &difference) || !drift.is_tenant_complete(tenant) {
        drift.remembered.push(Remembered { tenant: tenant.clone(), difference });
    } else if let Some(target) = drift.targets.iter_mut().find(|target| target.tenant == *tenant) {
        target.resolved.push(difference);
    }
}

/// Returns whether the run read the subject of a difference, as far as its limit is concerned.
fn is_selected(drift: &Drift, difference: &Difference) -> bool {
    let Some(limit) = &drift.limit else { return true };
    match &difference.subject {
        Subject::Binding(flow, step) => limit.only.iter().any(|only| only.contains(flow, *step)),
        Subject::Flow(_) | Subject::Connector(_) => false,
    }
}
