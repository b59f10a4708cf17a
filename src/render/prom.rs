//! Renders counts for Prometheus, as the text-file collector of the node exporter reads them
//! (<https://github.com/prometheus/node_exporter#textfile-collector>).

use std::collections::BTreeMap;

use strum::VariantArray as _;

use super::document::Document;
use super::escape;
use super::wording::push_line;
use crate::apply::OutcomeKind;
use crate::plan::Summary;

/// Renders the counts of each tenant, and the time and success of the run; for drift also whether there is
/// any, if known. Tenants of a plan that were not read have no counts. `at` is RFC 3339.
pub(super) fn render(document: Document<'_>, at: &str) -> String {
    let mut families = Families::default();
    let command = document.command();
    let mut count = |tenant: &str, name, help, labels: &str, value: usize| {
        let tenant = escape::label(tenant);
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        families.add(name, help, &format!("tenant=\"{tenant}\"{labels}"), value);
    };
    let success = match document {
        Document::Plan(plan) | Document::Drift(plan) => {
            // The counts of a tenant that was not read are unknown.
            for target in plan.read_targets() {
                let Summary { enable, replace, disable, unchanged, not_compared: _ } = target.summary();
                for (action, changes) in [("enable", enable), ("replace", replace), ("disable", disable)] {
                    let labels = format!(",action=\"{action}\"");
                    let help = "Bindings that differ from the file.";
                    count(&target.tenant, "flowbind_changes", help, &labels, changes);
                }
                for (name, help, value) in [
                    ("flowbind_unchanged", "Managed bindings that are as in the file.", unchanged),
                    ("flowbind_unmanaged", "Bindings that the file does not list.", target.unmanaged.len()),
                    ("flowbind_dangling", "Bindings to deleted connectors.", target.dangling.len()),
                    ("flowbind_unknown", "Bindings that could not be read.", target.unreadable.len()),
                    (
                        "flowbind_broken_pins",
                        "Connectors that do not call their pinned address.",
                        target.pins.len(),
                    ),
                    ("flowbind_refusals", "Guards that block the changes.", target.blockers.len()),
                ] {
                    count(&target.tenant, name, help, "", value);
                }
            }
            plan.is_complete()
        }
        Document::Report(report) => {
            for target in &report.targets {
                for outcome in OutcomeKind::VARIANTS {
                    let labels = format!(",outcome=\"{}\"", outcome.name());
                    let help = "Changes of the last apply, by outcome.";
                    count(&target.tenant, "flowbind_applied_changes", help, &labels, target.count(*outcome));
                }
            }
            report.exit_code == 0
        }
    };
    // An unknown state has no sample.
    if let Document::Drift(plan) = document
        && let Some(differs) = plan.is_drifted()
    {
        let help = "Whether any tenant differs from its file.";
        families.add("flowbind_drift", help, "", differs.into());
    }
    let labels = format!("command=\"{command}\"");
    if let Ok(at) = at.parse::<jiff::Timestamp>() {
        families.add("flowbind_last_run_timestamp_seconds", "Time of the last run.", &labels, at.as_second());
    }
    let help = "Whether the last run was complete.";
    families.add("flowbind_last_run_success", help, &labels, success.into());
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
