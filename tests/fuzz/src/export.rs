//! Export: for any tenant, the exported file is valid and its plan is empty.

use std::collections::BTreeMap;

use flowbind::model::{
    Api, Bound, Cloud, Connector, ConnectorId, Current, CurrentFlow, Fetched, FlowId, FlowKind, Inventory,
    ListedConnector, ListedFlow, Reading, Scope, Step, is_guid, trim_blanks,
};
use flowbind::plan::TenantPlan;
use flowbind::{desired, render};

use super::inert::assert_inert;
use super::input_texts::InputTexts;

/// Checks the export of a tenant whose connectors and flows are named by the input.
pub fn export(data: &[u8]) {
    let Some(mut texts) = InputTexts::from_bytes(data) else { return };
    let count = texts.count().min(12);
    let mut connectors = BTreeMap::new();
    for listed in (0..count).map(|at| connector(&mut texts, at)) {
        connectors.entry(listed.connector.id.clone()).or_insert(listed);
    }
    let connectors: Vec<_> = connectors.into_values().collect();
    let mut flows = BTreeMap::<String, (FlowId, BTreeMap<Step, Bound>)>::new();
    for _ in 0..count {
        let bound = |step: Step, at: usize| {
            let connector = connectors.get(at % (connectors.len() + 2));
            (step, connector.map(|listed| listed.connector.clone()))
        };
        let steps = Step::DEFAULT.into_iter().map(|step| bound(step, texts.next_number())).collect();
        let flow = texts.next_flow();
        // Flow ids are case-insensitive.
        flows.entry(flow.as_str().to_lowercase()).or_insert((flow, steps));
    }
    let inventory = Inventory {
        unsupported_step: None,
        kind: FlowKind::B2c,
        connectors,
        flows: flows
            .values()
            .map(|(id, steps)| {
                let listed = ListedFlow { id: id.to_string(), user_flow_type: None, version: None };
                (listed, steps.clone())
            })
            .collect(),
    };
    assert_plan_is_empty(&inventory);
}

/// Checks that the exported file has every binding, except those to connectors that no file can name.
pub(crate) fn assert_plan_is_empty(inventory: &Inventory) {
    let tenant = "contoso.onmicrosoft.com".parse().expect("a tenant");
    let steps = Step::DEFAULT;
    let taken_at = "2026-11-02T08:00:00Z".parse().expect("a time");
    let file = render::export(inventory, &tenant, Cloud::Global, Api::Beta, &steps, taken_at);
    assert_inert(&file);
    let desired = match desired::parse("export.yaml", file.as_bytes()) {
        Ok(desired) => desired,
        Err(problems) => panic!("{file}\n{problems:?}"),
    };
    let known = |(step, bound): (&Step, &Bound)| (*step, Reading::Known(bound.clone()));
    let found = |(flow, steps): &(ListedFlow, BTreeMap<Step, Bound>)| {
        let id = FlowId::parse(&flow.id).expect("the id of a flow");
        (id, CurrentFlow::Found(steps.iter().map(known).collect()))
    };
    let current = Current {
        scope: Scope::All,
        unsupported_step: None,
        connectors: Fetched::Known(inventory.connectors.clone()),
        flows: inventory.flows.iter().map(found).collect(),
        flow_list: Fetched::NotRequested,
    };
    let TenantPlan { targets, errors, .. } = super::plan_file(&desired, &current);
    let target = &targets[0];
    assert!(errors.is_empty(), "{file}\n{errors:?}");
    assert!(target.changes.is_empty() && target.blockers.is_empty(), "{file}\n{target:?}");
    assert!(target.pins.is_empty() && target.unreadable.is_empty(), "{file}\n{target:?}");
    let bindings: Vec<_> = inventory
        .flows
        .iter()
        .flat_map(|(flow, steps)| steps.iter().map(|(step, bound)| (flow.id.as_str(), *step, bound)))
        .collect();
    let unnamed: Vec<_> = bindings
        .iter()
        .filter(|(_, _, bound)| {
            bound.as_ref().is_some_and(|connector| !can_be_named(&connector.id, inventory))
        })
        .copied()
        .collect();
    let unmanaged: Vec<_> =
        target.unmanaged.iter().map(|it| (it.flow.as_str(), it.step, &it.current)).collect();
    assert_eq!(unmanaged, unnamed, "{file}");
    assert_eq!(target.in_sync.len(), bindings.len() - unnamed.len(), "{file}");
}

/// Returns whether a file can name an existing connector: by a unique display name without blanks around it, or by a
/// GUID.
fn can_be_named(id: &ConnectorId, inventory: &Inventory) -> bool {
    let same = |listed: &&ListedConnector| listed.connector.id == *id;
    let Some(listed) = inventory.connectors.iter().find(same) else { return false };
    let name = &listed.connector.display_name;
    let has_name = |other: &&ListedConnector| other.connector.display_name == *name;
    let has_unique_name = name.as_ref().is_some_and(|name| !name.is_empty() && trim_blanks(name) == name)
        && inventory.connectors.iter().filter(has_name).count() == 1;
    has_unique_name || is_guid(id.as_str())
}

/// Creates a connector. Every third one has an id from the input instead of a GUID.
fn connector(texts: &mut InputTexts<'_>, at: usize) -> ListedConnector {
    let guid = || ConnectorId::parse(&format!("00000000-0000-4000-8000-{at:012}")).expect("a GUID");
    let id = if at.is_multiple_of(3) { texts.next_connector().id } else { guid() };
    let connector = Connector { id, display_name: texts.next_option() };
    let target_url = texts.next_text().parse().ok();
    ListedConnector { connector, target_url, certificates: Vec::new() }
}
