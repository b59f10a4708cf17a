//! Kinds of differences.

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

/// Kind of a difference, the most dangerous first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[derive(IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// The file binds a connector, the tenant calls nothing.
    Missing,
    /// The file binds one connector, the tenant calls another.
    Changed,
    /// The bound connector does not exist any more.
    Dangling,
    /// The file names a connector or a flow that the tenant does not have, or a connector by a name that several have.
    Unresolved,
    /// A pinned connector calls another address.
    Address,
    /// A connector that the file binds has no certificate that is valid for long enough.
    Certificate,
    /// The file has `null` or prunes, the tenant calls a connector.
    Added,
    /// The tenant calls a connector, and the file does not list the binding.
    Unmanaged,
}

impl Kind {
    /// Returns the name in saved files and outputs.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns whether a check of the file may be missing or another one.
    pub fn is_dangerous(self) -> bool {
        self <= Self::Address
    }

    /// Returns whether `accept` can change the file so that the difference disappears.
    pub fn can_be_accepted(self) -> bool {
        match self {
            Self::Missing | Self::Changed | Self::Address | Self::Added | Self::Unmanaged => true,
            Self::Dangling | Self::Unresolved | Self::Certificate => false,
        }
    }
}
