//! Renders counts and times for Prometheus, as the text-file collector of the node exporter reads them
//! (<https://github.com/prometheus/node_exporter#textfile-collector>).

use std::collections::BTreeMap;

use strum::VariantArray as _;

use super::escape;
use super::names::Names;
use super::wording::push_line;
use crate::apply::{OutcomeKind, Report, TargetReport};
use crate::model::{FlowId, Step};
use crate::plan::{BoundCertificate, Hold, Limit, Plan, Summary, Target};

/// Renders the counts of each tenant of a plan, the expiry of its certificates, and the time and success of the run.
/// Tenants that were not read have no counts. `at` is RFC 3339.
pub(super) fn render_plan(plan: &Plan, at: &str) -> String {
    let mut families = Families::default();
    // The counts of a tenant that was not read are unknown.
    plan.read_targets().for_each(|target| families.add_target(target));
    for tenant in &plan.tenants {
        let certificates = tenant.targets.iter().flat_map(|target| &target.certificates);
        families.add_certificates(&tenant.tenant, certificates);
    }
    families.render("plan", plan.limit.as_ref(), at, plan.is_complete())
}

/// Renders the counts of each tenant of a report, and the time and success of the run. `at` is RFC 3339.
pub(super) fn render_report(report: &Report, at: &str) -> String {
    let mut families = Families::default();
    report.targets.iter().for_each(|target| families.add_target_report(target));
    families.render("apply", report.limit.as_ref(), at, report.exit_code == 0)
}

/// Samples by metric: the format requires that the samples of a metric are together, and that none occurs twice.
#[derive(Default)]
pub(super) struct Families(BTreeMap<&'static str, Family>);

/// Help text of a metric, and its samples by their labels.
struct Family {
    help: &'static str,
    samples: BTreeMap<String, i64>,
}

impl Families {
    fn add_target(&mut self, target: &Target) {
        let Summary { enable, replace, disable, unchanged, not_compared: _ } = target.summary();
        for (action, changes) in [("enable", enable), ("replace", replace), ("disable", disable)] {
            let help = "Bindings that differ from the file.";
            let label = format!(",action=\"{action}\"");
            self.add_count(&target.tenant, "flowbind_changes", help, &label, changes);
        }
        self.add_holds(&target.tenant, target.holds());
        let pins = target.pins.len();
        for (name, help, value) in [
            ("flowbind_unchanged", "Managed bindings that are as in the file.", unchanged),
            ("flowbind_unmanaged", "Bindings that the file does not list.", target.unmanaged.len()),
            ("flowbind_dangling", "Bindings to deleted connectors.", target.dangling.len()),
            ("flowbind_unknown", "Bindings that could not be read.", target.unreadable.len()),
            ("flowbind_broken_pins", "Connectors that do not call their pinned address.", pins),
            ("flowbind_refusals", "Guards that block the changes.", target.blockers.len()),
        ] {
            self.add_count(&target.tenant, name, help, "", value);
        }
    }

    /// Adds the number of active holds of a tenant, and the ends of its holds, also of those that are over.
    pub(super) fn add_holds<'a>(
        &mut self,
        tenant: &str,
        holds: impl Iterator<Item = (&'a FlowId, Step, &'a Hold)> + Clone,
    ) {
        let active = holds.clone().filter(|(.., hold)| !hold.is_expired).count();
        self.add_count(tenant, "flowbind_held_bindings", "Bindings with an active hold.", "", active);
        let tenant = escape::label(tenant);
        for (flow, step, hold) in holds {
            let flow = escape::label(flow.as_str());
            let labels = format!("tenant=\"{tenant}\",flow=\"{flow}\",step=\"{step}\"");
            let help = "Time from which the regular value of the binding counts again.";
            self.add("flowbind_hold_until_seconds", help, &labels, hold.until.as_second());
        }
    }

    /// Adds the time until which each connector of a tenant has an active certificate, as far as there is one.
    /// Connectors with the same name are distinguished by their ids.
    pub(super) fn add_certificates<'a>(
        &mut self,
        tenant: &str,
        certificates: impl Iterator<Item = &'a BoundCertificate> + Clone,
    ) {
        let names = Names::from_connectors(certificates.clone().map(|it| &it.connector));
        let sample = |BoundCertificate { connector, not_after, .. }: &BoundCertificate| {
            let (tenant, connector) = (escape::label(tenant), escape::label(&names.connector(connector)));
            let labels = format!("tenant=\"{tenant}\",connector=\"{connector}\"");
            not_after.map(|time| (labels, time.as_second()))
        };
        // Several files can bind one connector.
        let samples: BTreeMap<_, _> = certificates.filter_map(sample).collect();
        for (labels, time) in samples {
            let help = "Time until which the connector has an active certificate.";
            self.add("flowbind_connector_certificate_not_after_seconds", help, &labels, time);
        }
    }

    fn add_target_report(&mut self, target: &TargetReport) {
        self.add_holds(&target.tenant, target.holds.iter().map(|it| (&it.flow, it.step, &it.hold)));
        for outcome in OutcomeKind::VARIANTS {
            let help = "Changes of the last apply, by outcome.";
            let label = format!(",outcome=\"{}\"", outcome.name());
            let value = target.count(*outcome);
            self.add_count(&target.tenant, "flowbind_applied_changes", help, &label, value);
        }
    }

    /// Adds a count of a tenant. `label` is another label, after a comma, or empty.
    pub(super) fn add_count(
        &mut self,
        tenant: &str,
        name: &'static str,
        help: &'static str,
        label: &str,
        value: usize,
    ) {
        let labels = format!("tenant=\"{}\"{label}", escape::label(tenant));
        self.add(name, help, &labels, i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// Adds a value to the sample with this name and these labels, which starts at zero. So the counts of
    /// several files of one tenant are added up.
    pub(super) fn add(&mut self, name: &'static str, help: &'static str, labels: &str, value: i64) {
        let Family { samples, .. } =
            self.0.entry(name).or_insert_with(|| Family { help, samples: BTreeMap::new() });
        let sum = samples.entry(labels.to_owned()).or_default();
        *sum = sum.saturating_add(value);
    }

    /// Renders the samples, with the time, the limit and the success of the run.
    pub(super) fn render(
        mut self,
        command: &str,
        limit: Option<&Limit>,
        at: &str,
        is_success: bool,
    ) -> String {
        let labels = format!("command=\"{command}\"");
        if let Ok(at) = at.parse::<jiff::Timestamp>() {
            self.add("flowbind_last_run_timestamp_seconds", "Time of the last run.", &labels, at.as_second());
        }
        if let Some(limit) = limit {
            let selected = i64::try_from(limit.selected).unwrap_or(i64::MAX);
            let help = "Bindings to which the last run was limited.";
            self.add("flowbind_limited_bindings", help, &labels, selected);
        }
        let help = "Whether the last run was complete.";
        self.add("flowbind_last_run_success", help, &labels, is_success.into());
        let mut text = String::new();
        for (name, Family { help, samples }) in self.0 {
            push_line(&mut text, format_args!("# HELP {name} {help}\n# TYPE {name} gauge"));
            for (labels, value) in samples {
                let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
                push_line(&mut text, format_args!("{name}{labels} {value}"));
            }
        }
        text
    }
}
