//! Ownership: which file of a tenant manages which binding.

use std::collections::BTreeMap;

use super::id::{FlowId, FlowKey};
use super::step::{Step, StepMap};

/// Owners of the bindings of one tenant. A binding belongs to the first file that lists its flow and manages the
/// step, otherwise to the first file that prunes all flows at this step.
#[derive(Debug, Clone)]
pub struct Ownership<'a, O> {
    listed: BTreeMap<FlowKey<'a>, StepMap<O>>,
    prunes: Vec<(Vec<Step>, O)>,
}

impl<O> Default for Ownership<'_, O> {
    fn default() -> Self {
        Self { listed: BTreeMap::new(), prunes: Vec::new() }
    }
}

impl<'a, O> Ownership<'a, O> {
    /// Adds a binding that a file manages in a flow that it lists, unless an earlier file does.
    pub fn add(&mut self, flow: &'a FlowId, step: Step, owner: O) {
        let owners = self.listed.entry(flow.into()).or_default();
        if !owners.contains_key(step) {
            owners.insert(step, owner);
        }
    }

    /// Adds a file that prunes all flows at these steps.
    pub fn add_pruning(&mut self, steps: Vec<Step>, owner: O) {
        self.prunes.push((steps, owner));
    }

    /// Returns the bindings that files manage in flows that they list, sorted, each with its first owner.
    pub fn listed(&self) -> impl Iterator<Item = (&'a FlowId, Step, &O)> {
        self.listed.iter().flat_map(|(flow, owners)| owners.iter().map(|(step, owner)| (flow.0, step, owner)))
    }

    /// Returns the files that prune all flows, in order, each with its steps.
    pub fn pruning(&self) -> impl Iterator<Item = (&[Step], &O)> {
        self.prunes.iter().map(|(steps, owner)| (&**steps, owner))
    }

    /// Returns the owner of a binding, ignoring the case of the flow's id; `None` if no file manages it.
    pub fn owner<'s>(&'s self, flow: &'s FlowId, step: Step) -> Option<&'s O> {
        let by_pruning = || self.pruning().find(|(steps, _)| steps.contains(&step)).map(|(_, owner)| owner);
        self.listed.get(&FlowKey::from(flow)).and_then(|owners| owners.get(step)).or_else(by_pruning)
    }
}
