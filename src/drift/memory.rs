//! Memory of drift: which differences are new since an earlier run, and which are resolved.

use std::collections::{BTreeMap, BTreeSet};

use super::difference::{Difference, Subject};
use super::kind::Kind;
use super::run::{Drift, Remembered, TenantDrift};
use super::target::TargetDrift;
use crate::model::{FlowKey, Tenant};

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
    let known: BTreeMap<_, _> =
        earlier.iter().map(|(tenant, it)| ((*tenant, it.subject_key()), *it)).collect();
    for TargetDrift { tenant, differences, .. } in &mut drift.targets {
        for difference in differences {
            let known = known.get(&(&*tenant, difference.subject_key())).copied();
            let same = known.filter(|earlier| difference.is_same_as(earlier));
            difference.first_seen = same.map_or(difference.first_seen, |earlier| earlier.first_seen);
            difference.is_new = Some(same.is_none());
        }
    }
    let (mut resolved, remembered) = {
        // Several files can pin one connector, and the shards of a run can remember one difference.
        let mut seen: BTreeSet<_> = drift
            .targets
            .iter()
            .flat_map(|target| target.differences.iter().map(|it| (&target.tenant, it.subject_key())))
            .collect();
        let unseen = earlier.iter().filter(|(tenant, it)| seen.insert((*tenant, it.subject_key())));
        settle(&drift, unseen.copied())
    };
    // The first file of a tenant lists what is resolved.
    for target in &mut drift.targets {
        target.resolved = resolved.remove(&target.tenant).unwrap_or_default();
    }
    drift.remembered = remembered;
    drift.is_compared = true;
    drift
}

/// Returns which differences that a run did not report are resolved, by tenant, and which are remembered. Those of a
/// tenant that no file has any more are neither. So are bindings of a flow that the tenant does not have any more: the
/// difference of the flow takes their place.
fn settle<'a>(
    drift: &Drift,
    unseen: impl Iterator<Item = (&'a Tenant, &'a Difference)>,
) -> (BTreeMap<Tenant, Vec<Difference>>, Vec<Remembered>) {
    let tenants = drift.by_tenant();
    let tenants: BTreeMap<_, _> = tenants.iter().map(|it| (it.tenant, Coverage::new(it))).collect();
    let is_run_complete = drift.errors.iter().all(|error| error.tenant.is_some());
    // A limited run leaves out each tenant without a selected binding. The others are in the fleet of a shard.
    let fleet: BTreeSet<_> = drift.shard.iter().flat_map(|it| &it.fleet).map(|it| &it.tenant).collect();
    let is_left_out = |tenant| drift.limit.is_some() && !fleet.contains(tenant);
    let (mut resolved, mut remembered) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
    for (tenant, difference) in unseen {
        let coverage = tenants.get(tenant);
        let is_covered = match coverage {
            Some(coverage) => coverage.is_complete && (drift.strict || coverage.includes(difference)),
            None => is_run_complete && !is_left_out(tenant),
        };
        if !(is_covered && is_selected(drift, difference)) {
            remembered.push(Remembered { tenant: tenant.clone(), difference: difference.clone() });
        } else if coverage.is_some_and(|coverage| !coverage.is_of_missing_flow(difference)) {
            resolved.entry(tenant.clone()).or_default().push(difference.clone());
        }
    }
    (resolved, remembered)
}

/// What a run read of a tenant.
struct Coverage<'a> {
    is_complete: bool,
    /// Flows that were read.
    flows: BTreeSet<FlowKey<'a>>,
    /// Flows that the tenant does not have.
    missing_flows: BTreeSet<FlowKey<'a>>,
}

impl<'a> Coverage<'a> {
    fn new(drift: &TenantDrift<'a>) -> Self {
        let mut coverage =
            Self { is_complete: drift.is_complete(), flows: BTreeSet::new(), missing_flows: BTreeSet::new() };
        for target in &drift.targets {
            let unmanaged = target.unmanaged.iter().map(|it| &it.flow);
            coverage.flows.extend(target.managed().map(|(flow, _)| flow).chain(unmanaged).map(FlowKey::from));
            for difference in &target.differences {
                match &difference.subject {
                    Subject::Binding(flow, _) => coverage.flows.insert(flow.into()),
                    Subject::Flow(flow) => coverage.missing_flows.insert(flow.into()),
                    Subject::Connector(_) => continue,
                };
            }
        }
        coverage
    }

    /// Returns whether a run that is not strict would report a difference. It reads no flow that the files do not list.
    fn includes(&self, difference: &Difference) -> bool {
        let is_unlisted = difference.source.is_none() && difference.subject.step().is_some();
        let is_read = difference.subject.flow().is_none_or(|flow| self.flows.contains(&flow.into()));
        difference.kind != Kind::Unmanaged && (!is_unlisted || is_read)
    }

    fn is_of_missing_flow(&self, difference: &Difference) -> bool {
        match &difference.subject {
            Subject::Binding(flow, _) => self.missing_flows.contains(&flow.into()),
            Subject::Flow(_) | Subject::Connector(_) => false,
        }
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
