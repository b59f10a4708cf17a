//! Randomly generated desired-state file and the plan expected from it. The expectation is computed
//! from the model of the file, independently of the parser and planner under test.

use std::collections::{BTreeMap, BTreeSet};

use flowbind::snapshot::Step;

use super::rng::SeededRng;
use super::tenant_model::{BindingKey, Bindings, TenantModel};

/// Model of a desired-state file.
#[derive(Debug, Clone)]
pub struct DesiredFile {
    /// Path without the extension.
    pub stem: String,
    pub tenant: &'static str,
    pub api: &'static str,
    pub steps: Vec<Step>,
    pub flows: Vec<(String, BTreeMap<Step, DesiredBinding>)>,
    pub prune: &'static str,
    pub max_changes: Option<usize>,
    pub max_disables: Option<usize>,
    /// How the file names each connector that it binds, by index in the tenant model.
    pub naming: BTreeMap<usize, Naming>,
    /// Whether the file uses short names, defined under `connectors`.
    pub short_names: bool,
    /// Number of flows that are defined in the base file; `None` if the file extends nothing.
    pub in_base: Option<usize>,
    /// Name in the file that the tenant does not have.
    pub unknown_name: Option<UnknownName>,
}

/// Desired value of one binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredBinding {
    pub connector: Option<usize>,
    pub protect: bool,
}

/// How a file names a connector, and whether the file pins it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    pub by_id: bool,
    pub by_name: bool,
    /// Whether the pin matches the address of the connector; `None` without a pin.
    pub pin_holds: Option<bool>,
}

/// Name in a file that the tenant does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnknownName {
    Flow,
    /// A flow binds a connector of this name.
    Connector(String),
}

/// Expected change of one binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub key: BindingKey,
    pub from: Option<String>,
    pub to: Option<String>,
    pub protected: bool,
}

/// Plan expected for one file and the current bindings of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedPlan {
    pub changes: Vec<Change>,
    /// Whether the plan has errors and is therefore incomplete.
    pub invalid: bool,
    /// Whether a guard or a pin blocks the plan.
    pub blocked: bool,
    /// Whether the file has a pin that does not match.
    pub broken_pin: bool,
}

impl DesiredFile {
    pub fn generate(
        rng: &mut SeededRng,
        model: &TenantModel,
        at: usize,
        of: usize,
        api: &'static str,
    ) -> Self {
        let mut steps = vec![Step::PostFederationSignup, Step::PostAttributeCollection];
        if api == "beta" && rng.chance(15) {
            steps.push(Step::PreTokenIssuance);
        }
        let own_flows = model.flows.iter().skip(at).step_by(of);
        let mut flows = Vec::<(String, BTreeMap<Step, DesiredBinding>)>::new();
        for flow in own_flows {
            if rng.chance(80) {
                let bindings = steps.iter().filter(|_| rng.chance(75)).copied().collect::<Vec<_>>();
                let bindings =
                    bindings.into_iter().map(|step| (step, DesiredBinding::generate(rng, model, flow, step)));
                flows.push((flow.clone(), bindings.collect()));
            }
        }
        rng.shuffle(&mut flows);
        let prune = match rng.below(10) {
            0..7 => "none",
            7 | 8 => "steps",
            // With several files, `prune: flows` would also prune the flows of the others.
            _ if of == 1 => "flows",
            _ => "none",
        };
        let short_names = rng.chance(60);
        let used =
            flows.iter().flat_map(|(_, bindings)| bindings.values().filter_map(|desired| desired.connector));
        let used: BTreeSet<_> = used.collect();
        let naming = used.into_iter().map(|it| (it, Naming::generate(rng, model, it, short_names))).collect();
        let unknown_name = match rng.below(50) {
            0 => Some(UnknownName::Flow),
            1 => Some(UnknownName::Connector("Unknown connector".into())),
            2 => model.duplicate_name().map(UnknownName::Connector),
            _ => None,
        };
        Self {
            stem: format!("desired/{}", ["a", "b", "c"][at]),
            tenant: ["contoso.onmicrosoft.com", "fabrikam.onmicrosoft.com"]
                [if at == 0 { 0 } else { rng.below(2) }],
            api,
            steps,
            in_base: rng.chance(25).then(|| rng.below(flows.len() + 1)),
            flows,
            prune,
            max_changes: rng.chance(25).then(|| rng.below(9)),
            max_disables: rng.chance(60).then(|| rng.below(12)),
            naming,
            short_names,
            unknown_name,
        }
    }

    /// Returns all managed bindings with their desired values.
    pub fn managed(&self, model: &TenantModel) -> BTreeMap<BindingKey, DesiredBinding> {
        let unbound = DesiredBinding { connector: None, protect: false };
        let mut managed = BTreeMap::new();
        let flows = model.flows.iter().filter(|_| self.prune == "flows");
        for flow in flows.chain(self.flows.iter().map(|(flow, _)| flow).filter(|_| self.prune == "steps")) {
            managed.extend(self.steps.iter().map(|step| ((flow.clone(), *step), unbound.clone())));
        }
        for (flow, bindings) in &self.flows {
            managed.extend(bindings.iter().map(|(step, desired)| ((flow.clone(), *step), desired.clone())));
        }
        managed
    }

    /// Returns the expected plan. `guards_lifted` means that all override flags are given.
    pub fn expected(&self, model: &TenantModel, current: &Bindings, guards_lifted: bool) -> ExpectedPlan {
        let mut changes = Vec::new();
        for (key, desired) in self.managed(model) {
            let from = current[&key].clone();
            let to = desired.connector.map(|at| model.connectors[at].id.clone());
            if from != to {
                changes.push(Change { key, from, to, protected: desired.protect });
            }
        }
        let broken = |at: &usize| self.naming[at].pin_holds == Some(false);
        let ids: Vec<_> =
            self.naming.keys().filter(|at| broken(at)).map(|at| &model.connectors[*at].id).collect();
        let binds_broken =
            changes.iter().any(|change| change.to.as_ref().is_some_and(|id| ids.contains(&id)));
        let disables = changes.iter().filter(|change| change.to.is_none()).count();
        let exceeds_guard = self.max_changes.is_some_and(|limit| changes.len() > limit)
            || disables > self.max_disables.unwrap_or(5)
            || changes.iter().any(|change| change.protected && change.from.is_some())
            || (self.prune == "flows" && self.lists_nothing());
        ExpectedPlan {
            invalid: self.unknown_name.is_some(),
            blocked: binds_broken || (exceeds_guard && !guards_lifted),
            broken_pin: !ids.is_empty(),
            changes,
        }
    }

    fn lists_nothing(&self) -> bool {
        self.flows.is_empty() && self.unknown_name.is_none()
    }

    /// Returns the protected bindings, as `FLOW/STEP`.
    pub fn protected_bindings(&self) -> impl Iterator<Item = String> {
        self.flows.iter().flat_map(|(flow, bindings)| {
            let protected = bindings.iter().filter(|(_, desired)| desired.protect);
            protected.map(move |(step, _)| format!("{flow}/{}", step.name()))
        })
    }

    /// Returns path and text of the file and of its base.
    pub fn to_yaml(&self, model: &TenantModel) -> Vec<(String, String)> {
        let head = format!(
            "version: 1\ntenant: {}\ncloud: {}\napi: {}\n",
            self.tenant,
            model.cloud.name(),
            self.api
        );
        let steps: Vec<_> = self.steps.iter().map(|step| step.name()).collect();
        let body = format!(
            "steps: [{}]\nprune: {}\n{}{}",
            steps.join(", "),
            self.prune,
            self.guards(),
            self.connectors(model)
        );
        let path = |stem: &str| format!("{stem}.yaml");
        let Some(in_base) = self.in_base else {
            let text = head + &body + "flows:\n" + &self.flows(model, 0..self.flows.len(), false);
            return vec![(path(&self.stem), text)];
        };
        let base = format!("{}-base", self.stem);
        let name = path(&base).replace("desired/", "");
        let overridden = in_base.saturating_sub(1);
        let base_text = format!("version: 1\n{body}flows:\n{}", self.flows(model, 0..in_base, true));
        let text = format!(
            "{head}extends: {name}\nflows:\n{}",
            self.flows(model, overridden..self.flows.len(), false)
        );
        vec![(path(&self.stem), text), (path(&base), base_text)]
    }

    fn guards(&self) -> String {
        let guards = [("maxChanges", self.max_changes), ("maxDisables", self.max_disables)];
        let guards = guards.into_iter().filter_map(|(name, limit)| Some(format!("{name}: {}", limit?)));
        format!("guards: {{{}}}\n", guards.collect::<Vec<_>>().join(", "))
    }

    fn connectors(&self, model: &TenantModel) -> String {
        if !self.short_names {
            return String::new();
        }
        let mut text = "connectors:\n".to_owned();
        for (at, naming) in &self.naming {
            let connector = &model.connectors[*at];
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
        if let Some(UnknownName::Connector(name)) = &self.unknown_name {
            text += &format!("  unknown: {}\n", quoted(name));
        }
        if text.ends_with(":\n") { "connectors: {}\n".to_owned() } else { text }
    }

    /// Returns some of the flows as YAML. In a base, the last step of the last flow gets another value,
    /// which the extending file overrides.
    fn flows(&self, model: &TenantModel, range: std::ops::Range<usize>, is_base: bool) -> String {
        let mut text = String::new();
        let last = range.end.checked_sub(1).filter(|_| is_base);
        for at in range.clone() {
            let (flow, bindings) = &self.flows[at];
            text += &format!("  {}:{}\n", quoted(flow), if bindings.is_empty() { " {}" } else { "" });
            for (step, desired) in bindings {
                let overridden = last == Some(at) && bindings.keys().last() == Some(step);
                let connector = match desired.connector {
                    _ if overridden => "null".to_owned(),
                    Some(connector) => self.name(model, connector),
                    None => "null".to_owned(),
                };
                // The extending file inherits `protect` and does not repeat it.
                let inherits_protect = !is_base && self.in_base.is_some_and(|in_base| in_base == at + 1);
                let value = match desired.protect && !inherits_protect {
                    true => format!("{{connector: {connector}, protect: true}}"),
                    false => connector,
                };
                text += &format!("    {}: {value}\n", step.name());
            }
        }
        match &self.unknown_name {
            Some(_) if is_base => {}
            Some(UnknownName::Flow) => text += &format!("  {}: {{}}\n", self.unknown_flow(model)),
            Some(UnknownName::Connector(name)) => {
                let name = if self.short_names { "unknown".to_owned() } else { quoted(name) };
                text += &format!("  {}: {{postFederationSignup: {name}}}\n", self.unknown_flow(model));
            }
            None => {}
        }
        // A key without a value is an error.
        if text.is_empty() { "  {}\n".to_owned() } else { text }
    }

    /// Returns the id of a flow that the tenant does not have.
    fn unknown_flow(&self, model: &TenantModel) -> String {
        let prefix = if model.is_b2c() { "B2C_1_" } else { "B2X_1_" };
        format!("{prefix}unknown-{}", self.stem.replace('/', "-"))
    }

    fn name(&self, model: &TenantModel, connector: usize) -> String {
        match (&self.naming[&connector], self.short_names) {
            (_, true) => format!("c{connector}"),
            (Naming { by_name: true, .. }, false) => {
                quoted(model.connectors[connector].display_name.as_deref().unwrap_or_default())
            }
            (_, false) => model.connectors[connector].id.clone(),
        }
    }
}

impl DesiredBinding {
    /// Generates a desired value, often the current one.
    fn generate(rng: &mut SeededRng, model: &TenantModel, flow: &str, step: Step) -> Self {
        let bound = &model.bindings[&(flow.to_owned(), step)];
        let current = bound.as_ref().and_then(|id| model.connectors.iter().position(|known| known.id == *id));
        let connector = match rng.below(10) {
            0..4 => current,
            4..8 => Some(rng.below(model.connectors.len())),
            _ => None,
        };
        Self { connector, protect: rng.chance(8) }
    }
}

impl Naming {
    fn generate(rng: &mut SeededRng, model: &TenantModel, connector: usize, short_names: bool) -> Self {
        let by_name = model.has_unique_name(connector) && rng.chance(70);
        // Only a short name can combine id and display name.
        let by_id = !by_name || (short_names && rng.chance(30));
        let pin_holds = (short_names && rng.chance(30)).then(|| rng.chance(85));
        Self { by_id, by_name, pin_holds }
    }
}

impl TenantModel {
    /// Returns a display name that several connectors have.
    fn duplicate_name(&self) -> Option<String> {
        let mut names: Vec<_> =
            self.connectors.iter().filter_map(|known| known.display_name.clone()).collect();
        names.sort_unstable();
        let pair = names.windows(2).find(|pair| pair[0] == pair[1])?;
        Some(pair[0].clone())
    }
}

/// Quotes a text for YAML: as a JSON string, with invisible characters escaped.
pub fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let written = |char: char| match char {
        '\u{7f}'..='\u{9f}' | '\u{200e}'..='\u{206f}' | '\u{feff}' => format!("\\u{:04x}", char as u32),
        _ => char.to_string(),
    };
    json.chars().map(written).collect()
}
