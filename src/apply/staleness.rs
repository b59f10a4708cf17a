//! Staleness check before the first PUT: whether the tenant is still what the plan was made from.

use std::collections::BTreeSet;

use futures_util::future::join;

use super::read::{Steps, read_bindings};
use super::read_back::matches_desired;
use crate::graph::{Graph, GraphError, RetryBudget};
use crate::model::{Bound, FlowId, ListedConnector, Reading, Step, bound_id};
use crate::plan::{BrokenPin, Change, TenantPlan, UnreadableBinding};

/// Result of the staleness check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StalenessCheck {
    /// Bindings that already have the desired value.
    already: BTreeSet<(FlowId, Step)>,
    /// Bindings that have neither the planned current value nor the desired one.
    pub stale: Vec<StaleBinding>,
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

impl StalenessCheck {
    /// Returns whether the tenant already had the desired value of a change when it was checked.
    pub fn is_already(&self, change: &Change) -> bool {
        self.already.contains(&(change.flow.clone(), change.step))
    }
}

/// Reads the bindings of a tenant's changes again, and the connectors if any is pinned; nothing else. Returns which
/// changes are already done or stale, which pins no longer hold, and what could not be read.
pub async fn check_staleness(graph: &Graph, tenant: &TenantPlan) -> StalenessCheck {
    let mut steps = Steps::new();
    for change in tenant.changes() {
        steps.entry(&change.flow).or_default().push(change.step);
    }
    let pinned = tenant.changes().any(|change| change.pin.is_some());
    let connectors = async { if pinned { Some(graph.connectors().await) } else { None } };
    let (values, connectors) =
        join(read_bindings(graph, &steps, usize::from(pinned), RetryBudget::UntilDeadline), connectors).await;
    let mut check = StalenessCheck {
        already: BTreeSet::new(),
        stale: Vec::new(),
        broken_pins: Vec::new(),
        unreadable: Vec::new(),
    };
    for change in tenant.changes() {
        if let Some(connectors) = &connectors {
            check.compare_pin(change, connectors);
        }
        if let Some(read) = values.get(&(&change.flow, change.step)) {
            check.compare(change, read);
        }
    }
    check
}

impl StalenessCheck {
    fn compare_pin(&mut self, change: &Change, connectors: &Result<Vec<ListedConnector>, GraphError>) {
        let (Some(pin), Some(connector)) = (&change.pin, &change.desired) else { return };
        let listed = match connectors {
            Ok(listed) => listed.iter().find(|listed| listed.connector.id == connector.id),
            Err(error) => {
                let (flow, step) = (change.flow.clone(), change.step);
                return self.unreadable.push(UnreadableBinding { flow, step, error: error.into() });
            }
        };
        let actual = listed.and_then(|listed| listed.target_url.as_ref());
        if actual != Some(&**pin) {
            self.broken_pins.push(BrokenPin {
                connector: connector.clone(),
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
