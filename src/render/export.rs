//! Renders a tenant's inventory as a desired-state file. The plan of the file is empty.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::wording::push_line;
use super::{escape, short_name};
use crate::model::{
    Api, Bound, Cloud, Connector, ConnectorId, Inventory, ListedConnector, Step, Tenant, bound_id, is_guid,
    latest_not_after, trim_blanks,
};

/// Renders an inventory as a desired-state file in YAML: the connectors with short names, and the bindings of
/// all flows at `steps`. Cloud, API version and steps are written only if they are not the defaults. Comments note the
/// time `taken_at`, and how long the certificates of each connector are valid.
pub fn export(
    inventory: &Inventory,
    tenant: &Tenant,
    cloud: Cloud,
    api: Api,
    steps: &[Step],
    taken_at: Timestamp,
) -> String {
    let mut text = export_start(tenant);
    text.push_str(&format!(
        "{READ_ON}{taken_at} by flowbind export.\n\
         # A plan of this file is empty until the tenant or the file changes.\n\
         version: 1\ntenant: {}\n",
        escape::yaml(tenant.as_str())
    ));
    if cloud != Cloud::default() {
        push_line(&mut text, format_args!("cloud: {cloud}"));
    }
    if api != Api::default() {
        push_line(&mut text, format_args!("api: {api}"));
    }
    if steps != Step::DEFAULT {
        let steps: Vec<_> = steps.iter().map(|step| step.name()).collect();
        push_line(&mut text, format_args!("steps: [{}]", steps.join(", ")));
    }
    let names = ShortNames::from_connectors(&inventory.connectors);
    text.push_str(&connectors(&names, taken_at));
    text.push_str(&flows(inventory, steps, &names));
    text
}

/// Start of the line with the time.
const READ_ON: &str = "# read from the tenant on ";

/// Returns the first line of an exported desired-state file.
pub fn export_start(tenant: &Tenant) -> String {
    format!("# The API connectors of the user flows of {tenant},\n")
}

/// Returns whether two exports, as files or as snapshots, differ only in the time, or in the ends of their lines.
pub fn is_same_export(one: &str, other: &str) -> bool {
    let has_time = |line: &str| line.starts_with(READ_ON) || line.trim_start().starts_with("\"takenAt\":");
    let content =
        |text: &str| text.lines().filter(|line| !has_time(line)).map(str::to_owned).collect::<Vec<_>>();
    content(one) == content(other)
}

fn connectors(names: &ShortNames<'_>, now: Timestamp) -> String {
    if names.connectors.is_empty() {
        return String::new();
    }
    let mut text = "\n# Short names. A plan that would bind a connector is blocked if the connector calls\n\
                    # another address than its `targetUrl` here.\nconnectors:\n"
        .to_owned();
    for (short, listed) in &names.connectors {
        let ListedConnector { connector, target_url, certificates } = listed;
        push_line(&mut text, format_args!("{}", escape::yaml_key(short, 2)));
        match connector.display_name.as_deref().filter(|name| names.is_unique(name)) {
            Some(name) => push_line(&mut text, format_args!("    displayName: {}", escape::yaml(name))),
            None => push_line(&mut text, format_args!("    id: {}", escape::yaml(connector.id.as_str()))),
        }
        if let Some(url) = target_url {
            push_line(&mut text, format_args!("    targetUrl: {}", escape::yaml(&url.to_string())));
        }
        match latest_not_after(certificates, now) {
            _ if certificates.is_empty() => {}
            Some(time) => {
                push_line(&mut text, format_args!("    # certificate valid until {}", time.strftime("%F")));
            }
            None => push_line(&mut text, format_args!("    # no active certificate")),
        }
    }
    text
}

fn flows(inventory: &Inventory, steps: &[Step], names: &ShortNames<'_>) -> String {
    if inventory.flows.is_empty() {
        return "\nflows: {}\n".to_owned();
    }
    let mut text = "\n# `null`: nothing is called at this step.\nflows:\n".to_owned();
    for (flow, bindings) in &inventory.flows {
        push_line(&mut text, format_args!("{}", escape::yaml_key(&flow.id, 2)));
        let mut managed = false;
        for (step, bound) in bindings.iter().filter(|(step, _)| steps.contains(step)) {
            managed |= push_binding(&mut text, *step, bound, names);
        }
        if !managed {
            text.push_str("    {}\n");
        }
    }
    text
}

/// Appends one binding as a line. Returns whether the file can manage it; otherwise the line is a comment,
/// because the connector has no short name.
fn push_binding(text: &mut String, step: Step, bound: &Bound, names: &ShortNames<'_>) -> bool {
    match bound_id(bound).map(|id| (id, names.by_id.get(id))) {
        None => push_line(text, format_args!("    {step}: null")),
        Some((_, Some(short))) => push_line(text, format_args!("    {step}: {}", escape::yaml(short))),
        Some((id, None)) => {
            let id = escape::text(id.as_str());
            push_line(text, format_args!("    # {step} is bound to {id}, which a file cannot name"));
            return false;
        }
    }
    true
}

/// Short names of the connectors in the file.
struct ShortNames<'a> {
    connectors: BTreeMap<String, &'a ListedConnector>,
    by_id: BTreeMap<&'a ConnectorId, String>,
    shared: BTreeSet<&'a str>,
}

impl<'a> ShortNames<'a> {
    fn from_connectors(listed: &'a [ListedConnector]) -> Self {
        // Sorted by name, so that the file does not depend on the order of Graph's list.
        let mut sorted: Vec<_> = listed.iter().collect();
        sorted.sort_by_key(|listed| (&listed.connector.display_name, &listed.connector.id));
        sorted.dedup_by_key(|listed| &listed.connector.id);
        let mut seen = BTreeSet::new();
        let names = sorted.iter().filter_map(|listed| listed.connector.display_name.as_deref());
        let shared = names.filter(|name| !seen.insert(*name)).collect();
        let mut names = Self { connectors: BTreeMap::new(), by_id: BTreeMap::new(), shared };
        let mut numbers = BTreeMap::new();
        for listed in sorted {
            let Connector { id, display_name } = &listed.connector;
            let name = display_name.as_deref().unwrap_or_default();
            // A connector without a unique name is identified by its id, which must be a GUID in a file.
            if names.is_unique(name) || is_guid(id.as_str()) {
                let is_used = |short: &str| names.connectors.contains_key(short);
                let short = short_name::unused(short_name::slug(name), &mut numbers, is_used);
                names.by_id.insert(id, short.clone());
                names.connectors.insert(short, listed);
            }
        }
        names
    }

    /// Returns whether a file can have a displayName: it is not empty, has no blanks around it, and only one connector
    /// has it.
    fn is_unique(&self, name: &str) -> bool {
        !name.is_empty() && trim_blanks(name) == name && !self.shared.contains(name)
    }
}
