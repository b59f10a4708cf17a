//! Permissions that Graph's requests need. For reading, Microsoft documents the ReadWrite permissions. The service
//! also accepts the Read permissions, as the message of a 403 and Microsoft's own exporters show.

/// Action that needs a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Listing the user flows.
    Flows,
    /// Reading the bindings of user flows.
    Bindings,
    /// Reading the connectors, with their names and addresses.
    Connectors,
    /// Changing bindings.
    Changes,
}

/// How far the permissions of a token meet a need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// They include the documented permission or a higher one.
    Full,
    /// They include only a lower permission, which the service accepts.
    Lower,
    /// They include no suitable permission.
    None,
}

const FLOWS_READ: &str = "IdentityUserFlow.Read.All";
const FLOWS_WRITE: &str = "IdentityUserFlow.ReadWrite.All";
const CONNECTORS_READ: &str = "APIConnectors.Read.All";
const CONNECTORS_WRITE: &str = "APIConnectors.ReadWrite.All";

impl Need {
    /// Returns the least permission that Microsoft documents. For listing flows this is the Read permission.
    /// For reading bindings and connectors, as for changing bindings, it is the ReadWrite permission:
    ///
    /// - <https://learn.microsoft.com/graph/api/identitycontainer-list-b2cuserflows>
    /// - <https://learn.microsoft.com/graph/api/b2cidentityuserflow-get-apiconnectorconfiguration>
    /// - <https://learn.microsoft.com/graph/api/identityapiconnector-list>
    /// - <https://learn.microsoft.com/graph/api/b2cidentityuserflow-put-apiconnectorconfiguration>
    pub fn documented(self) -> &'static str {
        match self {
            Self::Flows => FLOWS_READ,
            Self::Bindings | Self::Changes => FLOWS_WRITE,
            Self::Connectors => CONNECTORS_WRITE,
        }
    }

    /// Returns the permissions that the service accepts, the least privileged first.
    pub fn accepted(self) -> &'static [&'static str] {
        match self {
            Self::Flows | Self::Bindings => &[FLOWS_READ, FLOWS_WRITE],
            Self::Connectors => &[CONNECTORS_READ, CONNECTORS_WRITE],
            Self::Changes => &[FLOWS_WRITE],
        }
    }

    /// Returns how far the permissions of a token meet the need.
    pub fn grant_from(self, permissions: &[&str]) -> Grant {
        let is_held = |wanted: &&str| permissions.iter().any(|held| held.eq_ignore_ascii_case(wanted));
        let mut documented = self.accepted().iter().skip_while(|accepted| **accepted != self.documented());
        if documented.any(is_held) {
            Grant::Full
        } else if self.accepted().iter().any(is_held) {
            Grant::Lower
        } else {
            Grant::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_permission_meets_reading_and_never_changes() {
        let read = [FLOWS_READ, CONNECTORS_READ];
        assert_eq!(Need::Flows.grant_from(&read), Grant::Full);
        assert_eq!(Need::Bindings.grant_from(&read), Grant::Lower);
        assert_eq!(Need::Connectors.grant_from(&read), Grant::Lower);
        assert_eq!(Need::Changes.grant_from(&read), Grant::None);
        for need in [Need::Flows, Need::Bindings, Need::Changes] {
            assert_eq!(need.grant_from(&[FLOWS_WRITE]), Grant::Full);
            assert_eq!(need.grant_from(&["Directory.ReadWrite.All", "IdentityUserFlow.Read"]), Grant::None);
        }
    }
}
