//! Renders counts for Prometheus, as the text-file collector of the node exporter reads them
//! (<https://github.com/prometheus/node_exporter#textfile-collector>).

use std::collections::BTreeMap;

use strum::VariantArray as _;

use super::document::Document;
use super::escape;
use super::wording::push_line;
use crate::apply::{OutcomeKind, TargetReport};
use crate::plan::{Summary, Target};

/// Renders the counts of each tenant, and the time and success of the run; for drift also whether there is
/// any, if known. Tenants of a plan that were not read have no counts. `at` is RFC 3339.
pub(super) fn render(document: Document<'_>, at: &str) -> String {
    let mut families = Families::default();
    let is_success = match document {
        Document::Plan(plan) | Document::Drift(plan) => {
            // The counts of a tenant that was not read are unknown.
            plan.read_targets().for_each(|target| families.add_target(target));
            plan.is_complete()
        }
        Document::Report(report) => {
            report.targets.iter().for_each(|target| families.add_target_report(target));
            report.exit_code == 0
        }
    };
    // An unknown state has no sample.
    if let Document::Drift(plan) = document
        && let Some(differs) = plan.is_drifted()
    {
        families.add("flowbind_drift", "Whether any tenant differs from its file.", "", differs.into());
    }
    let labels = format!("command=\"{}\"", document.command());
    if let Ok(at) = at.parse::<jiff::Timestamp>() {
        families.add("flowbind_last_run_timestamp_seconds", "Time of the last run.", &labels, at.as_second());
    }
    let help = "Whether the last run was complete.";
    families.add("flowbind_last_run_success", help, &labels, is_success.into());
    families.render()
}

/// Samples by metric: the format requires that the samples of a metric are together, and that none occurs twice.
#[derive(Default)]
struct Families(BTreeMap<&'static str, Family>);

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

    fn add_target_report(&mut self, target: &TargetReport) {
        for outcome in OutcomeKind::VARIANTS {
            let help = "Changes of the last apply, by outcome.";
            let label = format!(",outcome=\"{}\"", outcome.name());
            let value = target.count(*outcome);
            self.add_count(&target.tenant, "flowbind_applied_changes", help, &label, value);
        }
    }

    /// Adds a count of a tenant. `label` is another label, after a comma, or empty.
    fn add_count(&mut self, tenant: &str, name: &'static str, help: &'static str, label: &str, value: usize) {
        let labels = format!("tenant=\"{}\"{label}", escape::label(tenant));
        self.add(name, help, &labels, i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// Adds a value to the sample with this name and these labels, which starts at zero. So the counts of
    /// several files of one tenant are added up.
    fn add(&mut self, name: &'static str, help: &'static str, labels: &str, value: i64) {
        let Family { samples, .. } =
            self.0.entry(name).or_insert_with(|| Family { help, samples: BTreeMap::new() });
        let sum = samples.entry(labels.to_owned()).or_default();
        *sum = sum.saturating_add(value);
    }

    fn render(self) -> String {
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
