//! The permissions that Graph's requests need: the one that its documentation names, and a lower one
//! that the service takes as well, by its own words (the message of a 403) or by what Microsoft's own
//! exporters declare.

/// What a run needs permission for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// To list the user flows.
    Flows,
    /// To read what is bound to them.
    Bindings,
    /// To read the connectors, with their names and addresses.
    Connectors,
    /// To bind.
    Changes,
}

/// How far a token's permissions meet a need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// They hold what the documentation names, or more.
    Full,
    /// They hold what may do.
    MayDo,
    /// They hold neither.
    None,
}

const FLOWS_READ: &str = "IdentityUserFlow.Read.All";
const FLOWS_WRITE: &str = "IdentityUserFlow.ReadWrite.All";
const CONNECTORS_READ: &str = "APIConnectors.Read.All";
const CONNECTORS_WRITE: &str = "APIConnectors.ReadWrite.All";

impl Need {
    /// What the documentation names:
    /// <https://learn.microsoft.com/graph/api/identitycontainer-list-b2cuserflows>,
    /// <https://learn.microsoft.com/graph/api/b2cidentityuserflow-get-apiconnectorconfiguration>,
    /// <https://learn.microsoft.com/graph/api/identityapiconnector-list>,
    /// <https://learn.microsoft.com/graph/api/b2cidentityuserflow-put-apiconnectorconfiguration>.
    pub fn documented(self) -> &'static str {
        match self {
            Self::Flows => FLOWS_READ,
            Self::Bindings | Self::Changes => FLOWS_WRITE,
            Self::Connectors => CONNECTORS_WRITE,
        }
    }

    /// What may do as well.
    pub fn lower(self) -> Option<&'static str> {
        match self {
            Self::Bindings => Some(FLOWS_READ),
            Self::Connectors => Some(CONNECTORS_READ),
            Self::Flows | Self::Changes => None,
        }
    }

    /// How far permissions meet it.
    pub fn met_by(self, permissions: &[&str]) -> Grant {
        let has = |wanted: &str| permissions.iter().any(|held| held.eq_ignore_ascii_case(wanted));
        let higher = self == Self::Flows && has(FLOWS_WRITE);
        if has(self.documented()) || higher {
            Grant::Full
        } else if self.lower().is_some_and(has) {
            Grant::MayDo
        } else {
            Grant::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_permission_may_do_for_reading_and_never_for_changes() {
        let read = [FLOWS_READ, CONNECTORS_READ];
        assert_eq!(Need::Flows.met_by(&read), Grant::Full);
        assert_eq!(Need::Bindings.met_by(&read), Grant::MayDo);
        assert_eq!(Need::Connectors.met_by(&read), Grant::MayDo);
        assert_eq!(Need::Changes.met_by(&read), Grant::None);
        for need in [Need::Flows, Need::Bindings, Need::Changes] {
            assert_eq!(need.met_by(&[FLOWS_WRITE]), Grant::Full);
            assert_eq!(need.met_by(&["Directory.ReadWrite.All", "IdentityUserFlow.Read"]), Grant::None);
        }
    }
}
