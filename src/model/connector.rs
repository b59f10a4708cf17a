//! Connectors, and the keys by which files refer to them.

use std::collections::BTreeMap;
use std::fmt;

use super::certificate::Certificate;
use super::id::ConnectorId;
use super::read_error::ReadError;
use super::target_url::TargetUrl;
use crate::diagnostic::{Code, Span};

/// Id and name of a connector.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connector {
    /// Id, by which a binding refers to the connector.
    pub id: ConnectorId,
    /// Display name, if the connector has one and it was read.
    pub display_name: Option<String>,
}

/// Connector in the list of the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedConnector {
    /// Id and name.
    pub connector: Connector,
    /// Address that the connector calls, if it is a valid URL.
    pub target_url: Option<TargetUrl>,
    /// Client certificates; empty if the connector has none or they are not known.
    pub certificates: Vec<Certificate>,
}

/// Returns the connectors that a list has with different content, by id. Neither content may be used.
pub fn contradictions(listed: &[ListedConnector]) -> BTreeMap<&ConnectorId, Vec<&ListedConnector>> {
    let mut by_id = BTreeMap::<_, Vec<_>>::new();
    for item in listed {
        by_id.entry(&item.connector.id).or_default().push(item);
    }
    by_id.retain(|_, items| items.len() > 1);
    by_id
}

/// Returns the error of a list that has a connector with different content; `None` if it has none.
pub fn contradiction(listed: &[ListedConnector]) -> Option<ReadError> {
    let (id, _) = contradictions(listed).pop_first()?;
    let cause = format!("the list has the connector `{id}` twice, with different content");
    Some(ReadError::new(Code::ConnectorUnreadable, cause))
}

/// Value of a binding: a connector, or `None` if nothing is bound.
pub type Bound = Option<Connector>;

/// Returns the id by which binding values are compared; `None` if nothing is bound. Names may not have been
/// read.
pub fn bound_id(bound: &Bound) -> Option<&ConnectorId> {
    bound.as_ref().map(|connector| &connector.id)
}

/// Reference to a connector in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorRef {
    /// Key to look up.
    pub key: ConnectorKey,
    /// Location of the name or id, for diagnostics.
    pub span: Span,
}

/// Key by which a connector is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectorKey {
    /// Id only. The list of connectors is not needed, unless the connector may be pinned.
    Id(ConnectorId),
    /// Display name only.
    Name(String),
    /// Id and display name, which must match the same connector.
    IdAndName(ConnectorId, String),
}

impl fmt::Display for ConnectorKey {
    /// Writes the display name, or the id without one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.write_str(id.as_str()),
            Self::Name(name) | Self::IdAndName(_, name) => f.write_str(name),
        }
    }
}
