//! The steps of a flow, and what there is for each.

use std::array::IntoIter;
use std::fmt;
use std::iter::Flatten;

use serde::{Deserialize, Serialize};

/// A step at which a flow can call a connector: a relationship of `apiConnectorConfiguration`.
///
/// Source: <https://learn.microsoft.com/graph/api/resources/userflowapiconnectorconfiguration>;
/// `preTokenIssuance` is in the beta metadata and the portal, not in the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// After federation with an identity provider during sign-up.
    PostFederationSignup,
    /// Before the account is created.
    PostAttributeCollection,
    /// Before a token is issued.
    PreTokenIssuance,
}

impl Step {
    /// Every step, in the order in which they are shown.
    pub const ALL: [Self; 3] =
        [Self::PostFederationSignup, Self::PostAttributeCollection, Self::PreTokenIssuance];

    /// The steps that a file speaks of unless it says otherwise: those that Graph documents.
    pub const DEFAULT: [Self; 2] = [Self::PostFederationSignup, Self::PostAttributeCollection];

    /// Its name in URLs and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::PostFederationSignup => "postFederationSignup",
            Self::PostAttributeCollection => "postAttributeCollection",
            Self::PreTokenIssuance => "preTokenIssuance",
        }
    }

    /// The step of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What there is for each step: a map with a place for every key. Thousands of flows have as many of
/// these, and the nodes of a tree would take several times the memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepMap<T>([Option<T>; Step::ALL.len()]);

impl<T> StepMap<T> {
    /// What there is for a step.
    pub fn get(&self, step: Step) -> Option<&T> {
        self.0.get(step as usize)?.as_ref()
    }

    /// Whether there is anything for a step.
    pub fn contains_key(&self, step: Step) -> bool {
        self.get(step).is_some()
    }

    /// Takes what there is for a step. Gives what there was before.
    pub fn insert(&mut self, step: Step, value: T) -> Option<T> {
        self.0.get_mut(step as usize)?.replace(value)
    }

    /// Gives up what there is for a step.
    pub fn remove(&mut self, step: Step) -> Option<T> {
        self.0.get_mut(step as usize)?.take()
    }

    /// For how many steps there is anything.
    pub fn len(&self) -> usize {
        self.values().count()
    }

    /// Whether there is nothing for any step.
    pub fn is_empty(&self) -> bool {
        self.values().next().is_none()
    }

    /// The steps and what there is for them, in the order of [`Step::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Step, &T)> {
        Step::ALL.into_iter().zip(&self.0).filter_map(|(step, value)| Some((step, value.as_ref()?)))
    }

    /// What there is, in the order of the steps.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    /// What there is, to be changed, in the order of the steps.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flatten()
    }
}

impl<T> Default for StepMap<T> {
    fn default() -> Self {
        Self(Step::ALL.map(|_| None))
    }
}

impl<T> Extend<(Step, T)> for StepMap<T> {
    fn extend<I: IntoIterator<Item = (Step, T)>>(&mut self, entries: I) {
        for (step, value) in entries {
            self.insert(step, value);
        }
    }
}

impl<T> FromIterator<(Step, T)> for StepMap<T> {
    fn from_iter<I: IntoIterator<Item = (Step, T)>>(entries: I) -> Self {
        let mut map = Self::default();
        map.extend(entries);
        map
    }
}

impl<T> IntoIterator for StepMap<T> {
    type Item = (Step, T);
    type IntoIter = Flatten<IntoIter<Option<Self::Item>, { Step::ALL.len() }>>;

    fn into_iter(mut self) -> Self::IntoIter {
        Step::ALL.map(|step| self.remove(step).map(|value| (step, value))).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_map_keeps_one_value_for_each_step_in_the_order_of_the_steps() {
        use Step::{PostAttributeCollection, PostFederationSignup, PreTokenIssuance};
        let mut map: StepMap<_> =
            [(PreTokenIssuance, 3), (PostFederationSignup, 1), (PreTokenIssuance, 4)].into_iter().collect();
        assert_eq!(map.iter().collect::<Vec<_>>(), [(PostFederationSignup, &1), (PreTokenIssuance, &4)]);
        assert_eq!(
            (map.insert(PostAttributeCollection, 2), map.insert(PreTokenIssuance, 5)),
            (None, Some(4))
        );
        assert_eq!((map.get(PreTokenIssuance), map.len()), (Some(&5), 3));
        assert_eq!(map.remove(PostFederationSignup), Some(1));
        assert!(!map.contains_key(PostFederationSignup));
        assert_eq!(
            map.into_iter().collect::<Vec<_>>(),
            [(PostAttributeCollection, 2), (PreTokenIssuance, 5)]
        );
        assert!(StepMap::<u8>::default().is_empty());
    }
}
