//! Chooses how a file names the wanted values: short names, new entries of `connectors`, and pins.

use std::collections::BTreeMap;

use super::connectors::Connectors;
use super::edit::{Edit, EditError};
use crate::desired::{Document, ShortName};
use crate::model::{
    Bound, Connector, ConnectorId, ConnectorKey, DesiredFlow, FlowId, FlowKey, NameMistake, Prune, Step,
    TargetUrl, is_guid, trim_blanks,
};
use crate::render::short_name;

/// New values of the steps of a flow: a name or id, or `None` for `null`.
pub(super) type Bindings = Vec<(Step, Option<String>)>;

/// Values to write to a file.
#[derive(Default)]
pub(super) struct Changes {
    /// Flows in the spelling of the file.
    pub(super) flows: Vec<(FlowId, Bindings)>,
    /// All steps of the file, if one is new.
    pub(super) steps: Option<Vec<Step>>,
    /// New short names.
    pub(super) entries: BTreeMap<String, ShortName>,
    /// New addresses of short names that the file or a base has.
    pub(super) pins: BTreeMap<String, TargetUrl>,
}

/// Returns the changes that a file needs. Values that the file has already are not among them.
pub(super) fn plan(
    document: &Document,
    connectors: &Connectors<'_>,
    edits: &[Edit],
) -> Result<Changes, EditError> {
    let flows = document.desired().flows.iter().map(|flow| (FlowKey::from(&flow.id), flow)).collect();
    let mut planner = Planner {
        document,
        connectors,
        flows,
        added: BTreeMap::new(),
        changed: BTreeMap::new(),
        changes: Changes::default(),
    };
    for edit in edits {
        match edit {
            Edit::Binding { flow, step, connector } => planner.bind(flow, *step, connector)?,
            Edit::Pin { connector } => planner.pin(connector)?,
        }
    }
    planner.check_prune()?;
    Ok(planner.changes)
}

struct Planner<'a> {
    document: &'a Document,
    connectors: &'a Connectors<'a>,
    flows: BTreeMap<FlowKey<'a>, &'a DesiredFlow>,
    /// New short names by connector.
    added: BTreeMap<&'a ConnectorId, String>,
    /// Indices of the changed flows.
    changed: BTreeMap<FlowKey<'a>, usize>,
    changes: Changes,
}

impl<'a> Planner<'a> {
    fn bind(&mut self, flow: &'a FlowId, step: Step, connector: &'a Bound) -> Result<(), EditError> {
        let listed = self.flows.get(&FlowKey::from(flow)).copied();
        if let Some(current) = listed.and_then(|flow| flow.bindings.get(step)) {
            if current.hold.is_some() {
                return Err(EditError::Held);
            }
            let current = current.connector.as_ref().map(|current| self.connectors.resolve(&current.key));
            if current == connector.as_ref().map(|connector| Some(&connector.id)) {
                return Ok(());
            }
        }
        if let Some(connector) = connector {
            self.pin(connector)?;
        }
        let name = connector.as_ref().map(|connector| self.name(connector)).transpose()?;
        let steps = self.changes.steps.as_ref().unwrap_or(&self.document.desired().steps);
        if !steps.contains(&step) {
            if self.document.desired().prune.is_some() {
                return Err(EditError::PrunedStep(step));
            }
            let mut steps = steps.clone();
            steps.push(step);
            steps.sort_unstable();
            self.changes.steps = Some(steps);
        }
        let flows = &mut self.changes.flows;
        let at = *self.changed.entry(FlowKey::from(flow)).or_insert(flows.len());
        if at == flows.len() {
            // The spelling of the file stays.
            flows.push((listed.map_or(flow, |flow| &flow.id).clone(), Vec::new()));
        }
        if let Some((_, steps)) = flows.get_mut(at) {
            steps.retain(|(earlier, _)| *earlier != step);
            steps.push((step, name));
        }
        Ok(())
    }

    /// Updates the pins of a connector that do not hold.
    fn pin(&mut self, connector: &Connector) -> Result<(), EditError> {
        let url = self.connectors.target_url(&connector.id);
        let name = self.connectors.display_name(&connector.id).or(connector.display_name.as_deref());
        for (short, entry) in self.document.short_names().into_iter().flatten() {
            let (is_pinned, is_shared) = match &entry.key {
                ConnectorKey::Id(id) | ConnectorKey::IdAndName(id, _) => (*id == connector.id, false),
                ConnectorKey::Name(pinned) => {
                    (Some(pinned.as_str()) == name, !self.connectors.is_unique(pinned))
                }
            };
            let Some(pin) = entry.pin.as_deref().filter(|_| is_pinned) else { continue };
            // Without an address, the pin is not removed: that would accept any address from then on.
            let url = url.ok_or_else(|| EditError::UnreadableAddress(short.clone()))?;
            if pin != url {
                if is_shared {
                    return Err(EditError::SharedPin(short.clone()));
                }
                self.changes.pins.insert(short.clone(), url.clone());
            }
        }
        Ok(())
    }

    /// Returns the name by which a binding refers to a connector, and adds it to `connectors` if necessary.
    fn name(&mut self, connector: &'a Connector) -> Result<String, EditError> {
        let id = &connector.id;
        // A plan of a file that names it would be an error.
        if !self.connectors.contains(id) {
            return Err(EditError::DeletedConnector(id.to_string()));
        }
        let unique = self
            .connectors
            .display_name(id)
            .filter(|name| !name.is_empty() && trim_blanks(name) == *name && self.connectors.is_unique(name));
        let literal_id = || {
            let is_valid = is_guid(id.as_str());
            is_valid.then(|| id.to_string()).ok_or_else(|| EditError::UnnameableConnector(id.to_string()))
        };
        let Some(short_names) = self.document.short_names() else {
            // A GUID would be read as an id, and a word such as `off` is not a connector.
            let name = unique.filter(|name| !is_guid(name) && NameMistake::detect(name).is_none());
            return name.map_or_else(literal_id, |name| Ok(name.to_owned()));
        };
        let is_connector = |entry: &ShortName| self.connectors.resolve(&entry.key) == Some(id);
        if let Some((short, _)) = short_names.iter().find(|(_, entry)| is_connector(entry)) {
            return Ok(short.clone());
        }
        if let Some(short) = self.added.get(id) {
            return Ok(short.clone());
        }
        let key = match unique {
            Some(name) => ConnectorKey::Name(name.to_owned()),
            None => ConnectorKey::Id(literal_id().map(|_| id.clone())?),
        };
        let name = self.connectors.display_name(id).unwrap_or_default();
        let is_used =
            |short: &str| short_names.contains_key(short) || self.changes.entries.contains_key(short);
        let short = short_name::unused(short_name::slug(name), &mut BTreeMap::new(), is_used);
        let pin = self.connectors.target_url(id).map(|url| url.clone().into());
        self.changes.entries.insert(short.clone(), ShortName { key, pin });
        self.added.insert(id, short.clone());
        Ok(short)
    }

    /// Makes sure that `prune: steps` does not disable the other steps of a new flow.
    fn check_prune(&self) -> Result<(), EditError> {
        if !matches!(self.document.desired().prune, Some((Prune::Steps, _))) {
            return Ok(());
        }
        for (flow, steps) in &self.changes.flows {
            let is_given = |step: &Step| steps.iter().any(|(given, _)| given == step);
            let missing = self.document.desired().steps.iter().find(|step| !is_given(step));
            if let Some(step) = missing.filter(|_| !self.flows.contains_key(&FlowKey::from(flow))) {
                return Err(EditError::PrunedFlow(*step));
            }
        }
        Ok(())
    }
}
