//! Steps of a flow, and a map with a value per step.

use std::array::{self, IntoIter};
use std::iter::Flatten;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// Step at which a flow can call a connector: a relationship of `apiConnectorConfiguration`.
///
/// Sources: <https://learn.microsoft.com/graph/api/resources/userflowapiconnectorconfiguration>,
/// <https://learn.microsoft.com/azure/active-directory-b2c/api-connectors-overview>;
/// `preTokenIssuance` is in the beta metadata and the portal, not in the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "camelCase")]
pub enum Step {
    /// After federation with an identity provider during sign-up.
    PostFederationSignup,
    /// Before the account is created.
    PostAttributeCollection,
    /// Before a token is issued.
    PreTokenIssuance,
}

impl Step {
    /// Steps that a file manages by default: those that Graph documents.
    pub const DEFAULT: [Self; 2] = [Self::PostFederationSignup, Self::PostAttributeCollection];

    /// Returns the name in URLs and files.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns whether flows of a type call this step; `None` if that is not documented. `resourceOwner` is a
    /// sign-in, but not a user flow with pages.
    ///
    /// Source: <https://learn.microsoft.com/azure/active-directory-b2c/api-connectors-overview>: two steps apply to
    /// sign-ups only, and `preTokenIssuance` to sign-ups and sign-ins.
    pub fn is_called_by(self, user_flow_type: &str) -> Option<bool> {
        match user_flow_type {
            "signUp" | "signUpOrSignIn" => Some(true),
            "signIn" => Some(self == Self::PreTokenIssuance),
            "passwordReset" | "profileUpdate" => Some(false),
            "resourceOwner" if self != Self::PreTokenIssuance => Some(false),
            _ => None,
        }
    }
}

/// Number of steps.
const COUNT: usize = Step::VARIANTS.len();

/// Map with steps as keys, stored as an array. Thousands of flows have one each, and a `BTreeMap` would
/// use several times the memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepMap<T>([Option<T>; COUNT]);

impl<T> StepMap<T> {
    /// Returns the value of a step.
    pub fn get(&self, step: Step) -> Option<&T> {
        self.0.get(step as usize)?.as_ref()
    }

    /// Returns whether a step has a value.
    pub fn contains_key(&self, step: Step) -> bool {
        self.get(step).is_some()
    }

    /// Sets the value of a step and returns the previous value.
    pub fn insert(&mut self, step: Step, value: T) -> Option<T> {
        self.0.get_mut(step as usize)?.replace(value)
    }

    /// Removes and returns the value of a step.
    pub fn remove(&mut self, step: Step) -> Option<T> {
        self.0.get_mut(step as usize)?.take()
    }

    /// Iterates over steps and values, in the order of [`Step`].
    pub fn iter(&self) -> impl Iterator<Item = (Step, &T)> {
        Step::VARIANTS.iter().zip(&self.0).filter_map(|(step, value)| Some((*step, value.as_ref()?)))
    }

    /// Iterates over the values, in the order of [`Step`].
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    /// Iterates over the values mutably, in the order of [`Step`].
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flatten()
    }
}

impl<T> Default for StepMap<T> {
    fn default() -> Self {
        Self(array::from_fn(|_| None))
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
    type IntoIter = Flatten<IntoIter<Option<Self::Item>, COUNT>>;

    fn into_iter(mut self) -> Self::IntoIter {
        let entry = |at| {
            let step = *Step::VARIANTS.get(at)?;
            self.remove(step).map(|value| (step, value))
        };
        array::from_fn(entry).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_map_has_one_value_per_step_in_step_order() {
        use Step::{PostAttributeCollection, PostFederationSignup, PreTokenIssuance};
        let mut map: StepMap<_> =
            [(PreTokenIssuance, 3), (PostFederationSignup, 1), (PreTokenIssuance, 4)].into_iter().collect();
        assert_eq!(map.iter().collect::<Vec<_>>(), [(PostFederationSignup, &1), (PreTokenIssuance, &4)]);
        assert_eq!(
            (map.insert(PostAttributeCollection, 2), map.insert(PreTokenIssuance, 5)),
            (None, Some(4))
        );
        assert_eq!((map.get(PreTokenIssuance), map.values().count()), (Some(&5), 3));
        assert_eq!(map.remove(PostFederationSignup), Some(1));
        assert!(!map.contains_key(PostFederationSignup));
        assert_eq!(
            map.into_iter().collect::<Vec<_>>(),
            [(PostAttributeCollection, 2), (PreTokenIssuance, 5)]
        );
        assert_eq!(StepMap::<u8>::default().iter().count(), 0);
    }
}
