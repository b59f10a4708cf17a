//! A tenant by chance: connectors with all kinds of names, flows, and what is bound to what.

use std::collections::BTreeMap;

use flowbind::snapshot::{Cloud, Connector, Flow, FormatVersion, Snapshot, Step};

use super::dice::Dice;

/// A step of a flow.
pub type Place = (String, Step);

/// What is bound to every step of every flow, as a connector's id.
pub type Bindings = BTreeMap<Place, Option<String>>;

/// A tenant.
#[derive(Debug, Clone)]
pub struct World {
    pub cloud: Cloud,
    pub connectors: Vec<Connector>,
    /// The ids of the flows: all B2C or all B2X.
    pub flows: Vec<String>,
    pub bindings: Bindings,
}

/// What somebody may have called a connector; each has to be shown and must not act.
const NAMES: [&str; 18] = [
    "Fraud check",
    "Claims enricher",
    "Invitation check",
    "::error::fraud check",
    " \t::set-output name=x::y",
    "##[error]fraud check",
    "a ##vso[task.complete result=Failed;]check",
    "one\r::add-mask::two\u{2028}::stop-commands::three",
    "left \u{2067}thgir\u{2069} \u{200f}",
    "\u{feff}\u{7f}\u{9b}31mred",
    "a name\nof two lines",
    "\u{1b}[31mred\u{1b}[0m",
    "right \u{202e}tfel",
    "quoted \"twice\" and 'once'",
    "| a | cell |",
    "<b>bold</b> & co",
    "🦀 Größe: null # no comment",
    "null",
];

const FLOWS: [&str; 8] =
    ["signup", "signin", "sign-up.v2", "Größe", "a+b&c", "edit_profile", "partner;x", "reset"];

impl World {
    pub fn roll(dice: &mut Dice) -> Self {
        let connectors = Self::connectors(dice);
        let prefix = if dice.chance(75) { "B2C_1_" } else { "B2X_1_" };
        let number = match dice.below(20) {
            0 => 0,
            1 => 25,
            _ => 1 + dice.below(8),
        };
        let name = |at: usize| match FLOWS.get(at) {
            Some(name) => format!("{prefix}{name}"),
            None => format!("{prefix}flow{at}"),
        };
        let flows: Vec<_> = (0..number).map(name).collect();
        let mut bindings = Bindings::new();
        for flow in &flows {
            for step in Step::ALL {
                let id = dice.chance(60).then(|| dice.pick(&connectors).id.clone());
                bindings.insert((flow.clone(), step), id);
            }
        }
        let cloud = if dice.chance(85) { Cloud::Global } else { *dice.pick(&Cloud::ALL) };
        Self { cloud, connectors, flows, bindings }
    }

    fn connectors(dice: &mut Dice) -> Vec<Connector> {
        let mut names = NAMES.to_vec();
        dice.shuffle(&mut names);
        let number = 1 + dice.below(6);
        let mut connectors: Vec<_> = names
            .iter()
            .take(number)
            .enumerate()
            .map(|(at, name)| Connector {
                id: dice.guid(),
                display_name: Some((*name).to_owned()),
                target_url: Some(format!("https://api{at}.contoso.com/check").into()),
            })
            .collect();
        if dice.chance(20) {
            connectors[0].display_name = None;
        }
        // Names need not be unique.
        if number > 2 && dice.chance(20) {
            connectors[1].display_name = connectors[2].display_name.clone();
        }
        connectors
    }

    pub fn is_b2c(&self) -> bool {
        self.flows.first().is_none_or(|flow| flow.starts_with("B2C_1_"))
    }

    /// Whether a displayName stands for this connector and no other.
    pub fn is_named(&self, connector: usize) -> bool {
        let name = &self.connectors[connector].display_name;
        name.is_some() && self.connectors.iter().filter(|other| other.display_name == *name).count() == 1
    }

    /// The tenant as the sandbox takes it, with these bindings.
    pub fn snapshot(&self, bindings: &Bindings) -> Snapshot {
        let flow = |id: &String| Flow {
            id: id.clone(),
            user_flow_type: "signUpOrSignIn".into(),
            user_flow_type_version: 3.into(),
            bindings: Step::ALL.map(|step| (step, bindings[&(id.clone(), step)].clone())).into(),
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

/// What a snapshot binds to every step of every flow.
pub fn bindings(snapshot: &Snapshot) -> Bindings {
    let mut bindings = Bindings::new();
    for flow in &snapshot.flows {
        for step in Step::ALL {
            bindings.insert((flow.id.clone(), step), flow.bindings.get(&step).cloned().flatten());
        }
    }
    bindings
}
