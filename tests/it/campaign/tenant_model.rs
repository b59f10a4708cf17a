//! Randomly generated tenant: connectors with hostile names, flows and bindings.

use std::collections::BTreeMap;

use flowbind::snapshot::{Cloud, Connector, Flow, FormatVersion, Snapshot, Step};
use strum::VariantArray as _;

use super::rng::SeededRng;

/// Key of a binding: flow id and step.
pub type BindingKey = (String, Step);

/// Id of the bound connector at every step of every flow.
pub type Bindings = BTreeMap<BindingKey, Option<String>>;

/// Model of a tenant, from which sandboxes are started.
#[derive(Debug, Clone)]
pub struct TenantModel {
    pub cloud: Cloud,
    pub connectors: Vec<Connector>,
    /// Ids of the flows: all B2C or all B2X.
    pub flows: Vec<String>,
    pub bindings: Bindings,
}

/// Display names of connectors. Outputs must show each of them without side effects. A file can have each of them: a name
/// with blanks around it, or a word such as `null`, needs a short name or an id.
const CONNECTOR_NAMES: [&str; 18] = [
    "Fraud check",
    "Claims enricher",
    "Invitation check",
    "::error::fraud check",
    "x \t::set-output name=x::y",
    "##[error]fraud check",
    "a ##vso[task.complete result=Failed;]check",
    "one\r::add-mask::two\u{2028}::stop-commands::three",
    "left \u{2067}thgir\u{2069} \u{200f}",
    "a \u{feff}\u{7f}\u{9b}31mred",
    "a name\nof two lines",
    "\u{1b}[31mred\u{1b}[0m",
    "right \u{202e}tfel",
    "quoted \"twice\" and 'once'",
    "| a | cell |",
    "<b>bold</b> & co",
    "🦀 Größe: null # no comment",
    "1e3",
];

const FLOW_NAMES: [&str; 8] =
    ["signup", "signin", "sign-up.v2", "Größe", "a+b&c", "edit_profile", "partner;x", "reset"];

impl TenantModel {
    pub fn generate(rng: &mut SeededRng) -> Self {
        let connectors = Self::connectors(rng);
        let prefix = if rng.chance(75) { "B2C_1_" } else { "B2X_1_" };
        let number = match rng.below(20) {
            0 => 0,
            1 => 25,
            _ => 1 + rng.below(8),
        };
        let name = |at: usize| match FLOW_NAMES.get(at) {
            Some(name) => format!("{prefix}{name}"),
            None => format!("{prefix}flow{at}"),
        };
        let flows: Vec<_> = (0..number).map(name).collect();
        let mut bindings = Bindings::new();
        for flow in &flows {
            for &step in Step::VARIANTS {
                let id = rng.chance(60).then(|| rng.pick(&connectors).id.clone());
                bindings.insert((flow.clone(), step), id);
            }
        }
        let cloud = if rng.chance(85) { Cloud::Global } else { *rng.pick(Cloud::VARIANTS) };
        Self { cloud, connectors, flows, bindings }
    }

    fn connectors(rng: &mut SeededRng) -> Vec<Connector> {
        let mut names = CONNECTOR_NAMES.to_vec();
        rng.shuffle(&mut names);
        let number = 1 + rng.below(6);
        let mut connectors: Vec<_> = names
            .iter()
            .take(number)
            .enumerate()
            .map(|(at, name)| Connector {
                id: rng.guid(),
                display_name: Some((*name).to_owned()),
                target_url: Some(format!("https://api{at}.contoso.com/check").into()),
                certificates: Vec::new(),
            })
            .collect();
        if rng.chance(20) {
            connectors[0].display_name = None;
        }
        // Graph allows duplicate display names.
        if number > 2 && rng.chance(20) {
            connectors[1].display_name = connectors[2].display_name.clone();
        }
        connectors
    }

    pub fn is_b2c(&self) -> bool {
        self.flows.first().is_none_or(|flow| flow.starts_with("B2C_1_"))
    }

    /// Returns whether the connector has a display name that no other connector has.
    pub fn has_unique_name(&self, connector: usize) -> bool {
        let name = &self.connectors[connector].display_name;
        name.is_some() && self.connectors.iter().filter(|other| other.display_name == *name).count() == 1
    }

    /// Returns the snapshot for a sandbox, with these bindings.
    pub fn snapshot(&self, bindings: &Bindings) -> Snapshot {
        let flow = |id: &String| Flow {
            id: id.clone(),
            user_flow_type: "signUpOrSignIn".into(),
            user_flow_type_version: 3.into(),
            bindings: Step::VARIANTS
                .iter()
                .map(|&step| (step, bindings[&(id.clone(), step)].clone()))
                .collect(),
        };
        Snapshot {
            format_version: FormatVersion::default(),
            tenant: "contoso.onmicrosoft.com".into(),
            cloud: self.cloud,
            taken_at: "2026-11-02T08:00:00Z".into(),
            connectors: self.connectors.clone(),
            flows: self.flows.iter().map(flow).collect(),
        }
    }
}

/// Returns the bindings of a snapshot, with `None` for every unbound step.
pub fn bindings(snapshot: &Snapshot) -> Bindings {
    let mut bindings = Bindings::new();
    for flow in &snapshot.flows {
        for &step in Step::VARIANTS {
            bindings.insert((flow.id.clone(), step), flow.bindings.get(&step).cloned().flatten());
        }
    }
    bindings
}
