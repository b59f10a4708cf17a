//! The steps of a flow.

use std::fmt;

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
