//! Renders counts and times for Prometheus, as the text-file collector of the node exporter reads them
//! (<https://github.com/prometheus/node_exporter#textfile-collector>).
//!
//! The collector reads all files of a folder as one. If two of them have the same series, it reports none of the
//! metrics (<https://github.com/prometheus/node_exporter/issues/1885>), and a metric must have one help text in all
//! files. So each series has the command, the label of the run and a tenant, and each metric is a constant.

use std::collections::BTreeMap;

use strum::VariantArray as _;

use super::escape;
use super::names::Names;
use super::wording::push_line;
use crate::apply::{OutcomeKind, Report, TargetReport};
use crate::model::{FlowId, Label, Step};
use crate::plan::{BoundCertificate, Hold, Limit, Plan, ShardInfo, Summary, Target};

/// Metric with its help text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Metric {
    name: &'static str,
    help: &'static str,
}

/// Declares metrics, each with the name after `flowbind_` and its help text.
macro_rules! metrics {
    ($($constant:ident $name:literal $help:literal;)+) => { $(
        pub(super) const $constant: Metric = Metric { name: concat!("flowbind_", $name), help: $help };
    )+ };
}

metrics! {
    APPLIED_CHANGES "applied_changes" "Changes of the last apply, by outcome.";
    BROKEN_PINS "broken_pins" "Connectors that do not call their pinned address.";
    CERTIFICATE_END "connector_certificate_not_after_seconds" "Time until which the connector has an active certificate.";
    CHANGES "changes" "Bindings that differ from the file.";
    DANGLING "dangling" "Bindings to deleted connectors.";
    DRIFT "drift" "Whether the tenant differs from its files.";
    DRIFT_DIFFERENCES "drift_differences" "Differences between the tenant and its file, by kind.";
    HELD_BINDINGS "held_bindings" "Bindings with an active hold.";
    HOLD_END "hold_until_seconds" "Time from which the regular value of the binding counts again.";
    LIMITED_BINDINGS "limited_bindings" "Bindings of all tenants to which the last run was limited.";
    REFUSALS "refusals" "Guards that block the changes.";
    RUN_SUCCESS "last_run_success" "Whether the last run was complete.";
    RUN_TIME "last_run_timestamp_seconds" "Time of the last run.";
    UNCHANGED "unchanged" "Managed bindings that are as in the file.";
    UNKNOWN "unknown" "Bindings that could not be read.";
    UNMANAGED "unmanaged" "Bindings that the file does not list.";
}

/// Renders the counts of each tenant of a plan, the expiry of its certificates, and the time and success of the run.
/// Tenants that were not read have no counts. `at` is RFC 3339.
pub(super) fn render_plan(plan: &Plan, at: &str) -> String {
    let mut samples = Samples::new("plan", plan.label.as_ref());
    // The counts of a tenant that was not read are unknown.
    plan.read_targets().for_each(|target| samples.add_target(target));
    for tenant in &plan.tenants {
        let certificates = tenant.targets.iter().flat_map(|target| &target.certificates);
        samples.add_certificates(&tenant.tenant, certificates);
    }
    let tenants = plan.tenants.iter().map(|it| (it.tenant.as_str(), plan.is_tenant_complete(it)));
    let run = RunSamples { at, limit: plan.limit.as_ref(), shard: plan.shard.as_ref() };
    samples.add_run(run, tenants.collect(), plan.is_complete());
    samples.render()
}

/// Renders the counts of each tenant of a report, and the time and success of the run. `at` is RFC 3339.
pub(super) fn render_report(report: &Report, at: &str) -> String {
    let mut samples = Samples::new("apply", report.label.as_ref());
    report.targets.iter().for_each(|target| samples.add_target_report(target));
    let tenants = report.tenants().into_iter().map(|it| (it.as_str(), report.is_tenant_complete(it)));
    let run = RunSamples { at, limit: report.limit.as_ref(), shard: report.shard.as_ref() };
    samples.add_run(run, tenants.collect(), report.exit_code == 0);
    samples.render()
}

/// Samples by metric and labels: the format requires that the samples of a metric are together, and that none occurs
/// twice.
pub(super) struct Samples {
    /// Labels of every sample.
    of_run: String,
    metrics: BTreeMap<Metric, BTreeMap<String, i64>>,
}

/// Values that each tenant of a run has.
pub(super) struct RunSamples<'a> {
    /// Time of the run, in RFC 3339.
    pub(super) at: &'a str,
    pub(super) limit: Option<&'a Limit>,
    pub(super) shard: Option<&'a ShardInfo>,
}

impl Samples {
    /// Creates the samples of a run of a command, without any.
    pub(super) fn new(command: &str, label: Option<&Label>) -> Self {
        let label = label.map(|label| format!(",label=\"{label}\"")).unwrap_or_default();
        Self { of_run: format!("command=\"{command}\"{label}"), metrics: BTreeMap::new() }
    }

    fn add_target(&mut self, target: &Target) {
        let Summary { enable, replace, disable, unchanged, not_compared: _ } = target.summary();
        for (action, changes) in [("enable", enable), ("replace", replace), ("disable", disable)] {
            self.add_count(CHANGES, &target.tenant, &format!(",action=\"{action}\""), changes);
        }
        self.add_holds(&target.tenant, target.holds());
        for (metric, value) in [
            (UNCHANGED, unchanged),
            (UNMANAGED, target.unmanaged.len()),
            (DANGLING, target.dangling.len()),
            (UNKNOWN, target.unreadable.len()),
            (BROKEN_PINS, target.pins.len()),
            (REFUSALS, target.blockers.len()),
        ] {
            self.add_count(metric, &target.tenant, "", value);
        }
    }

    /// Adds the number of active holds of a tenant, and the ends of its holds, also of those that are over.
    pub(super) fn add_holds<'a>(
        &mut self,
        tenant: &str,
        holds: impl Iterator<Item = (&'a FlowId, Step, &'a Hold)> + Clone,
    ) {
        let active = holds.clone().filter(|(.., hold)| !hold.is_expired).count();
        self.add_count(HELD_BINDINGS, tenant, "", active);
        for (flow, step, hold) in holds {
            let binding = format!(",flow=\"{}\",step=\"{step}\"", escape::label(flow.as_str()));
            self.add(HOLD_END, tenant, &binding, hold.until.as_second());
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
            let connector = format!(",connector=\"{}\"", escape::label(&names.connector(connector)));
            not_after.map(|time| (connector, time.as_second()))
        };
        // Several files can bind one connector.
        let samples: BTreeMap<_, _> = certificates.filter_map(sample).collect();
        for (connector, time) in samples {
            self.add(CERTIFICATE_END, tenant, &connector, time);
        }
    }

    fn add_target_report(&mut self, target: &TargetReport) {
        self.add_holds(&target.tenant, target.holds.iter().map(|it| (&it.flow, it.step, &it.hold)));
        for outcome in OutcomeKind::VARIANTS {
            let label = format!(",outcome=\"{}\"", outcome.name());
            self.add_count(APPLIED_CHANGES, &target.tenant, &label, target.count(*outcome));
        }
    }

    /// Adds a count of a tenant. `label` is another label, after a comma, or empty.
    pub(super) fn add_count(&mut self, metric: Metric, tenant: &str, label: &str, value: usize) {
        self.add(metric, tenant, label, i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// Adds a value to a sample of a tenant, which starts at zero. So the counts of several files of one tenant are
    /// added up.
    pub(super) fn add(&mut self, metric: Metric, tenant: &str, label: &str, value: i64) {
        self.add_sample(metric, format!("tenant=\"{}\"{label},", escape::label(tenant)), value);
    }

    /// Adds a value to the sample with these labels, each followed by a comma.
    fn add_sample(&mut self, metric: Metric, labels: String, value: i64) {
        let sum = self.metrics.entry(metric).or_default().entry(labels).or_default();
        *sum = sum.saturating_add(value);
    }

    /// Adds time and limit of the run to each of its tenants, and whether the tenant was complete. A failed run
    /// without tenants, because its files are unreadable, has samples with its shard alone.
    pub(super) fn add_run(&mut self, run: RunSamples<'_>, tenants: Vec<(&str, bool)>, is_success: bool) {
        let RunSamples { at, limit, shard } = run;
        let at = at.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second).ok();
        let limit = limit.map(|limit| i64::try_from(limit.selected).unwrap_or(i64::MAX));
        let labels = |(tenant, is_success)| (format!("tenant=\"{}\",", escape::label(tenant)), is_success);
        let mut samples: Vec<_> = tenants.into_iter().map(labels).collect();
        if samples.is_empty() && !is_success {
            let shard = shard.map(|info| format!("shard=\"{}\",", info.shard)).unwrap_or_default();
            samples.push((shard, false));
        }
        for (labels, is_success) in samples {
            let values = [(RUN_TIME, at), (LIMITED_BINDINGS, limit), (RUN_SUCCESS, Some(is_success.into()))];
            for (metric, value) in values {
                if let Some(value) = value {
                    self.add_sample(metric, labels.clone(), value);
                }
            }
        }
    }

    pub(super) fn render(self) -> String {
        let (mut text, of_run) = (String::new(), self.of_run);
        for (Metric { name, help }, samples) in self.metrics {
            push_line(&mut text, format_args!("# HELP {name} {help}\n# TYPE {name} gauge"));
            for (labels, value) in samples {
                push_line(&mut text, format_args!("{name}{{{labels}{of_run}}} {value}"));
            }
        }
        text
    }
}
