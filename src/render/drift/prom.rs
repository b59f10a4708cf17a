//! Renders drift for Prometheus.

use strum::VariantArray as _;

use super::super::prom::{DRIFT, DRIFT_DIFFERENCES, RunSamples, Samples, UNCHANGED, UNKNOWN};
use crate::drift::{Drift, Kind, TargetDrift};

/// Renders the numbers of differences of each tenant and kind, whether there is any, if known, and the time and success
/// of the run. Tenants that were not read have no numbers. `at` is RFC 3339.
pub(crate) fn render(drift: &Drift, at: &str) -> String {
    let mut samples = Samples::new("drift", drift.label.as_ref());
    for target in drift.read_targets() {
        add_target(&mut samples, target);
    }
    let tenants = drift.by_tenant();
    for tenant in &tenants {
        samples.add_certificates(tenant.tenant, tenant.targets.iter().flat_map(|it| &it.certificates));
        // An unknown state has no sample.
        if let Some(is_drifted) = tenant.is_drifted() {
            samples.add(DRIFT, tenant.tenant, "", is_drifted.into());
        }
    }
    let run = RunSamples { at, limit: drift.limit.as_ref(), shard: drift.shard.as_ref() };
    let tenants = tenants.iter().map(|it| (it.tenant.as_str(), it.is_complete())).collect();
    samples.add_run(run, tenants, drift.is_complete());
    samples.render()
}

fn add_target(samples: &mut Samples, target: &TargetDrift) {
    for kind in Kind::VARIANTS {
        let label = format!(",kind=\"{}\"", kind.name());
        let count = target.differences.iter().filter(|difference| difference.kind == *kind).count();
        samples.add_count(DRIFT_DIFFERENCES, &target.tenant, &label, count);
    }
    samples.add_holds(&target.tenant, target.holds());
    samples.add_count(UNCHANGED, &target.tenant, "", target.in_sync.len());
    samples.add_count(UNKNOWN, &target.tenant, "", target.unreadable.len());
}
