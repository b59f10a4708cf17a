//! Staleness check before the first PUT: whether the tenant is still what the plan was made from.

use std::collections::BTreeSet;

use futures_util::future::join;

use super::read::{Steps, read_bindings};
use super::read_back::matches_desired;
use crate::graph::{Graph, GraphError, RetryBudget};
use crate::model::{
    Bound, Connector, FlowId, ListedConnector, ReadError, Reading, Step, bound_id, contradiction,
};
use crate::plan::{BrokenPin, Change, TenantPlan, UnreadableBinding};

/// Result of the staleness check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StalenessCheck {
    /// Bindings that already have the desired value.
    already: BTreeSet<(FlowId, Step)>,
    /// Bindings that have neither the planned current value nor the desired one.
    pub stale: Vec<StaleBinding>,
    /// Connectors to bind that were deleted or renamed after the plan was made.
    pub stale_connectors: BTreeSet<StaleConnector>,
    /// Pins that no longer hold.
    pub broken_pins: Vec<BrokenPin>,
    /// Bindings that could not be read.
    pub unreadable: Vec<UnreadableBinding>,
}

/// Binding that is no longer what the plan was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaleBinding {
    /// Planned change.
    pub change: Change,
    /// Value in the tenant now.
    pub now: Bound,
}

/// Connector that the tenant no longer has, or that has another name now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StaleConnector {
    /// Connector of the plan.
    pub planned: Connector,
    /// Connector of the tenant with the same id; `None` if it was deleted.
    pub now: Option<Connector>,
}

impl StalenessCheck {
    /// Returns whether the tenant already had the desired value of a change when it was checked.
    pub fn is_already(&self, change: &Change) -> bool {
        self.already.contains(&(change.flow.clone(), change.step))
    }
}

/// Reads the bindings of a tenant's changes again, and the list of connectors if any is to be bound; nothing else.
/// Returns which changes are already done or stale, which connectors and pins are not as planned, and what could not be
/// read.
pub async fn check_staleness(graph: &Graph, tenant: &TenantPlan) -> StalenessCheck {
    let mut steps = Steps::new();
    for change in tenant.changes() {
        steps.entry(&change.flow).or_default().push(change.step);
    }
    let binds = tenant.changes().any(|change| change.desired.is_some());
    let connectors = async { if binds { Some(graph.connectors().await) } else { None } };
    let (values, connectors) =
        join(read_bindings(graph, &steps, usize::from(binds), RetryBudget::UntilDeadline), connectors).await;
    let connectors = connectors.map(ConnectorList::new);
    let mut check = StalenessCheck {
        already: BTreeSet::new(),
        stale: Vec::new(),
        stale_connectors: BTreeSet::new(),
        broken_pins: Vec::new(),
        unreadable: Vec::new(),
    };
    for change in tenant.changes() {
        if let (Some(connectors), Some(connector)) = (&connectors, &change.desired) {
            check.compare_connector(change, connector, connectors);
        }
        if let Some(read) = values.get(&(&change.flow, change.step)) {
            check.compare(change, read);
        }
    }
    check
}

/// List of the tenant's connectors, as it was read again.
enum ConnectorList {
    Known(Vec<ListedConnector>),
    /// The token has no permission for the list, which a change needs only if its connector is pinned.
    Denied(ReadError),
    Unreadable(ReadError),
}

impl ConnectorList {
    fn new(read: Result<Vec<ListedConnector>, GraphError>) -> Self {
        match read {
            Ok(listed) => contradiction(&listed).map_or(Self::Known(listed), Self::Unreadable),
            Err(error) if error.is_denied() => Self::Denied((&error).into()),
            Err(error) => Self::Unreadable((&error).into()),
        }
    }
}

impl StalenessCheck {
    fn compare_connector(&mut self, change: &Change, planned: &Connector, connectors: &ConnectorList) {
        let listed = match connectors {
            ConnectorList::Known(listed) => listed.iter().find(|listed| listed.connector.id == planned.id),
            ConnectorList::Denied(_) if change.pin.is_none() => return,
            ConnectorList::Denied(error) | ConnectorList::Unreadable(error) => {
                let (flow, step, error) = (change.flow.clone(), change.step, error.clone());
                return self.unreadable.push(UnreadableBinding { flow, step, error });
            }
        };
        let now = listed.map(|listed| &listed.connector);
        // The plan has no name if the list was not read for it.
        let is_renamed =
            |now: &Connector| planned.display_name.is_some() && now.display_name != planned.display_name;
        if now.is_none_or(is_renamed) {
            let (planned, now) = (planned.clone(), now.cloned());
            self.stale_connectors.insert(StaleConnector { planned, now });
        }
        let actual = listed.and_then(|listed| listed.target_url.as_ref());
        if let Some(pin) = &change.pin
            && listed.is_some()
            && actual != Some(&**pin)
        {
            self.broken_pins.push(BrokenPin {
                connector: planned.clone(),
                expected: pin.to_string(),
                actual: actual.map(ToString::to_string),
                source: None,
            });
        }
    }

    fn compare(&mut self, change: &Change, read: &Reading<Bound>) {
        let (flow, step) = (change.flow.clone(), change.step);
        match read {
            Reading::Unknown(error) => {
                self.unreadable.push(UnreadableBinding { flow, step, error: error.clone() });
            }
            read if matches_desired(change, read) => _ = self.already.insert((flow, step)),
            Reading::Known(now) if bound_id(now) == bound_id(&change.current) => {}
            Reading::Known(now) => self.stale.push(StaleBinding { change: change.clone(), now: now.clone() }),
        }
    }
}
