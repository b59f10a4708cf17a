//! Renders drift for Prometheus.

use strum::VariantArray as _;

use super::super::prom::Families;
use crate::drift::{Drift, Kind, TargetDrift, TenantDrift};

/// Renders the numbers of differences of each tenant and kind, whether there is any, if known, and the time and success
/// of the run. Tenants that were not read have no numbers. `at` is RFC 3339.
pub(crate) fn render(drift: &Drift, at: &str) -> String {
    let mut families = Families::default();
    for target in drift.read_targets() {
        add_target(&mut families, target);
    }
    for TenantDrift { tenant, targets, .. } in drift.by_tenant() {
        families.add_certificates(tenant, targets.iter().flat_map(|target| &target.certificates));
    }
    // An unknown state has no sample.
    if let Some(is_drifted) = drift.is_drifted() {
        families.add("flowbind_drift", "Whether any tenant differs from its file.", "", is_drifted.into());
    }
    families.render("drift", drift.limit.as_ref(), at, drift.is_complete())
}

fn add_target(families: &mut Families, target: &TargetDrift) {
    for kind in Kind::VARIANTS {
        let help = "Differences between the tenant and its file, by kind.";
        let label = format!(",kind=\"{}\"", kind.name());
        let count = target.differences.iter().filter(|difference| difference.kind == *kind).count();
        families.add_count(&target.tenant, "flowbind_drift_differences", help, &label, count);
    }
    families.add_holds(&target.tenant, target.holds());
    for (name, help, value) in [
        ("flowbind_unchanged", "Managed bindings that are as in the file.", target.in_sync.len()),
        ("flowbind_unknown", "Bindings that could not be read.", target.unreadable.len()),
    ] {
        families.add_count(&target.tenant, name, help, "", value);
    }
}
