//! A desired-state file by chance, and what has to follow from it: the changes, and whether they are
//! refused. It is worked out here a second time, from what the file means and not from its text.

use std::collections::{BTreeMap, BTreeSet};

use flowbind::snapshot::Step;

use super::dice::Dice;
use super::world::{Bindings, Place, World};

/// A file as it is meant.
#[derive(Debug, Clone)]
pub struct File {
    /// Its path without the ending.
    pub stem: String,
    pub tenant: &'static str,
    pub api: &'static str,
    pub steps: Vec<Step>,
    pub flows: Vec<(String, BTreeMap<Step, Want>)>,
    pub prune: &'static str,
    pub max_changes: Option<usize>,
    pub max_disables: Option<usize>,
    /// How each connector that it binds is named.
    pub naming: BTreeMap<usize, Naming>,
    /// Whether it names its connectors under `connectors`.
    pub short_names: bool,
    /// How many of its flows stand in a file that it extends; none where it extends none.
    pub in_base: Option<usize>,
    pub trouble: Option<Trouble>,
}

/// What one binding is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    pub connector: Option<usize>,
    pub protect: bool,
}

/// How a file names a connector, and whether it pins it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    pub by_id: bool,
    pub by_name: bool,
    /// Whether the connector calls the address that the file pins it to.
    pub pin_holds: Option<bool>,
}

/// What the tenant does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    Flow,
    /// A flow binds a connector of this name.
    Name(String),
}

/// One binding that has to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub place: Place,
    pub from: Option<String>,
    pub to: Option<String>,
    pub protected: bool,
}

/// What has to follow from a file, at a tenant that has certain bindings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub changes: Vec<Change>,
    /// Whether it can be planned as a whole.
    pub wrong: bool,
    pub refused: bool,
    /// Whether a pin of a connector that it binds does not hold.
    pub broken_pin: bool,
}

impl File {
    pub fn roll(dice: &mut Dice, world: &World, at: usize, of: usize, api: &'static str) -> Self {
        let mut steps = vec![Step::PostFederationSignup, Step::PostAttributeCollection];
        if api == "beta" && dice.chance(15) {
            steps.push(Step::PreTokenIssuance);
        }
        let mine = world.flows.iter().skip(at).step_by(of);
        let mut flows = Vec::<(String, BTreeMap<Step, Want>)>::new();
        for flow in mine {
            if dice.chance(80) {
                let wants = steps.iter().filter(|_| dice.chance(75)).copied().collect::<Vec<_>>();
                let wants = wants.into_iter().map(|step| (step, Want::roll(dice, world, flow, step)));
                flows.push((flow.clone(), wants.collect()));
            }
        }
        dice.shuffle(&mut flows);
        let prune = match dice.below(10) {
            0..7 => "none",
            7 | 8 => "steps",
            // What another file is about must not be pruned by this one.
            _ if of == 1 => "flows",
            _ => "none",
        };
        let short_names = dice.chance(60);
        let used = flows.iter().flat_map(|(_, wants)| wants.values().filter_map(|want| want.connector));
        let used: BTreeSet<_> = used.collect();
        let naming = used.into_iter().map(|it| (it, Naming::roll(dice, world, it, short_names))).collect();
        let trouble = match dice.below(50) {
            0 => Some(Trouble::Flow),
            1 => Some(Trouble::Name("Nobody is called so".into())),
            2 => world.twins().map(Trouble::Name),
            _ => None,
        };
        Self {
            stem: format!("desired/{}", ["a", "b", "c"][at]),
            tenant: ["contoso.onmicrosoft.com", "fabrikam.onmicrosoft.com"]
                [if at == 0 { 0 } else { dice.below(2) }],
            api,
            steps,
            in_base: dice.chance(25).then(|| dice.below(flows.len() + 1)),
            flows,
            prune,
            max_changes: dice.chance(25).then(|| dice.below(9)),
            max_disables: dice.chance(60).then(|| dice.below(12)),
            naming,
            short_names,
            trouble,
        }
    }

    /// All that it manages, and what that is to be.
    pub fn managed(&self, world: &World) -> BTreeMap<Place, Want> {
        let nothing = Want { connector: None, protect: false };
        let mut managed = BTreeMap::new();
        let flows = world.flows.iter().filter(|_| self.prune == "flows");
        for flow in flows.chain(self.flows.iter().map(|(flow, _)| flow).filter(|_| self.prune == "steps")) {
            managed.extend(self.steps.iter().map(|step| ((flow.clone(), *step), nothing.clone())));
        }
        for (flow, wants) in &self.flows {
            managed.extend(wants.iter().map(|(step, want)| ((flow.clone(), *step), want.clone())));
        }
        managed
    }

    /// What has to follow; `lifted` where all that can be allowed is.
    pub fn expected(&self, world: &World, has: &Bindings, lifted: bool) -> Expected {
        let mut changes = Vec::new();
        for (place, want) in self.managed(world) {
            let from = has[&place].clone();
            let to = want.connector.map(|at| world.connectors[at].id.clone());
            if from != to {
                changes.push(Change { place, from, to, protected: want.protect });
            }
        }
        let broken = |at: &usize| self.naming[at].pin_holds == Some(false);
        let ids: Vec<_> =
            self.naming.keys().filter(|at| broken(at)).map(|at| &world.connectors[*at].id).collect();
        let binds_broken =
            changes.iter().any(|change| change.to.as_ref().is_some_and(|id| ids.contains(&id)));
        let disables = changes.iter().filter(|change| change.to.is_none()).count();
        let guarded = self.max_changes.is_some_and(|most| changes.len() > most)
            || disables > self.max_disables.unwrap_or(5)
            || changes.iter().any(|change| change.protected && change.from.is_some())
            || (self.prune == "flows" && self.lists_nothing());
        Expected {
            wrong: self.trouble.is_some(),
            refused: binds_broken || (guarded && !lifted),
            broken_pin: !ids.is_empty(),
            changes,
        }
    }

    fn lists_nothing(&self) -> bool {
        self.flows.is_empty() && self.trouble.is_none()
    }

    /// The flags that allow all that can be allowed.
    pub fn allowances(&self) -> Vec<String> {
        let protected = self.flows.iter().flat_map(|(flow, wants)| {
            let protected = wants.iter().filter(|(_, want)| want.protect);
            protected.flat_map(move |(step, _)| {
                ["--allow-protected".to_owned(), format!("{flow}/{}", step.name())]
            })
        });
        protected.collect()
    }

    /// Its text, and that of what it extends, each with its path.
    pub fn texts(&self, world: &World) -> Vec<(String, String)> {
        let head = format!(
            "version: 1\ntenant: {}\ncloud: {}\napi: {}\n",
            self.tenant,
            world.cloud.name(),
            self.api
        );
        let steps: Vec<_> = self.steps.iter().map(|step| step.name()).collect();
        let body = format!(
            "steps: [{}]\nprune: {}\n{}{}",
            steps.join(", "),
            self.prune,
            self.guards(),
            self.connectors(world)
        );
        let path = |stem: &str| format!("{stem}.yaml");
        let Some(in_base) = self.in_base else {
            let text = head + &body + "flows:\n" + &self.flows(world, 0..self.flows.len(), false);
            return vec![(path(&self.stem), text)];
        };
        let base = format!("{}-base", self.stem);
        let name = path(&base).replace("desired/", "");
        let overridden = in_base.saturating_sub(1);
        let below = format!("version: 1\n{body}flows:\n{}", self.flows(world, 0..in_base, true));
        let above = format!(
            "{head}extends: {name}\nflows:\n{}",
            self.flows(world, overridden..self.flows.len(), false)
        );
        vec![(path(&self.stem), above), (path(&base), below)]
    }

    fn guards(&self) -> String {
        let guards = [("maxChanges", self.max_changes), ("maxDisables", self.max_disables)];
        let guards = guards.into_iter().filter_map(|(name, most)| Some(format!("{name}: {}", most?)));
        format!("guards: {{{}}}\n", guards.collect::<Vec<_>>().join(", "))
    }

    fn connectors(&self, world: &World) -> String {
        if !self.short_names {
            return String::new();
        }
        let mut text = "connectors:\n".to_owned();
        for (at, naming) in &self.naming {
            let connector = &world.connectors[*at];
            let id = naming.by_id.then(|| format!("id: {}", connector.id));
            let name = connector.display_name.as_ref().filter(|_| naming.by_name);
            let name = name.map(|name| format!("displayName: {}", quoted(name)));
            let pin = naming.pin_holds.map(|holds| match (holds, &connector.target_url) {
                (true, Some(url)) => format!("targetUrl: {}", url.as_str()),
                _ => "targetUrl: https://elsewhere.contoso.com/check".to_owned(),
            });
            let fields: Vec<_> = [id, name, pin].into_iter().flatten().collect();
            text += &format!("  c{at}: {{{}}}\n", fields.join(", "));
        }
        if let Some(Trouble::Name(name)) = &self.trouble {
            text += &format!("  nobody: {}\n", quoted(name));
        }
        if text.ends_with(":\n") { "connectors: {}\n".to_owned() } else { text }
    }

    /// Some of its flows; in a file that another one extends, with something else at the last step
    /// of the last flow, which that file mentions again.
    fn flows(&self, world: &World, range: std::ops::Range<usize>, is_base: bool) -> String {
        let mut text = String::new();
        let last = range.end.checked_sub(1).filter(|_| is_base);
        for at in range.clone() {
            let (flow, wants) = &self.flows[at];
            text += &format!("  {}:{}\n", quoted(flow), if wants.is_empty() { " {}" } else { "" });
            for (step, want) in wants {
                let overridden = last == Some(at) && wants.keys().last() == Some(step);
                let connector = match want.connector {
                    _ if overridden => "null".to_owned(),
                    Some(connector) => self.name(world, connector),
                    None => "null".to_owned(),
                };
                // What a binding keeps of its base is not said again.
                let is_kept = !is_base && self.in_base.is_some_and(|in_base| in_base == at + 1);
                let value = match want.protect && !is_kept {
                    true => format!("{{connector: {connector}, protect: true}}"),
                    false => connector,
                };
                text += &format!("    {}: {value}\n", step.name());
            }
        }
        match &self.trouble {
            Some(_) if is_base => {}
            Some(Trouble::Flow) => text += &format!("  {}: {{}}\n", self.nowhere(world)),
            Some(Trouble::Name(name)) => {
                let name = if self.short_names { "nobody".to_owned() } else { quoted(name) };
                text += &format!("  {}: {{postFederationSignup: {name}}}\n", self.nowhere(world));
            }
            None => {}
        }
        // A key with nothing after it is an error.
        if text.is_empty() { "  {}\n".to_owned() } else { text }
    }

    /// A flow that the tenant does not have.
    fn nowhere(&self, world: &World) -> String {
        let prefix = if world.is_b2c() { "B2C_1_" } else { "B2X_1_" };
        format!("{prefix}nowhere-{}", self.stem.replace('/', "-"))
    }

    fn name(&self, world: &World, connector: usize) -> String {
        match (&self.naming[&connector], self.short_names) {
            (_, true) => format!("c{connector}"),
            (Naming { by_name: true, .. }, false) => {
                quoted(world.connectors[connector].display_name.as_deref().unwrap_or_default())
            }
            (_, false) => world.connectors[connector].id.clone(),
        }
    }
}

impl Want {
    /// What a binding is to be: often what it is.
    fn roll(dice: &mut Dice, world: &World, flow: &str, step: Step) -> Self {
        let bound = &world.bindings[&(flow.to_owned(), step)];
        let is = bound.as_ref().and_then(|id| world.connectors.iter().position(|known| known.id == *id));
        let connector = match dice.below(10) {
            0..4 => is,
            4..8 => Some(dice.below(world.connectors.len())),
            _ => None,
        };
        Self { connector, protect: dice.chance(8) }
    }
}

impl Naming {
    fn roll(dice: &mut Dice, world: &World, connector: usize, short: bool) -> Self {
        let named = world.is_named(connector) && dice.chance(70);
        // With both, the two have to fit; without a short name there is room for one alone.
        let by_id = !named || (short && dice.chance(30));
        let pin_holds = (short && dice.chance(30)).then(|| dice.chance(85));
        Self { by_id, by_name: named, pin_holds }
    }
}

impl World {
    /// A displayName that several connectors carry.
    fn twins(&self) -> Option<String> {
        let mut names: Vec<_> =
            self.connectors.iter().filter_map(|known| known.display_name.clone()).collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1])?;
        Some(twice[0].clone())
    }
}

/// A text as YAML takes it: as JSON does, and what cannot be seen by its number.
pub fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let written = |char: char| match char {
        '\u{7f}'..='\u{9f}' | '\u{200e}'..='\u{206f}' | '\u{feff}' => format!("\\u{:04x}", char as u32),
        _ => char.to_string(),
    };
    json.chars().map(written).collect()
}
