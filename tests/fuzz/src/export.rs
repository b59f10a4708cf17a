//! Export: whatever a tenant has, the file that says so is read, and its plan is empty.

use std::collections::BTreeMap;

use flowbind::model::{
    Api, Bound, Cloud, Connector, ConnectorId, Current, CurrentFlow, FlowId, FlowKind, Inventory,
    ListedConnector, ListedFlow, Reading, Step,
};
use flowbind::plan::{Overrides, plan};
use flowbind::{desired, render};

use super::inert::assert_inert;
use super::pieces::Pieces;

/// A tenant of some connectors and flows that are called what the texts of the input say.
pub fn export(data: &[u8]) {
    let Some(mut pieces) = Pieces::of(data) else { return };
    let count = pieces.count().min(12);
    let mut connectors = BTreeMap::new();
    for listed in (0..count).map(|at| connector(&mut pieces, at)) {
        connectors.entry(listed.connector.id.clone()).or_insert(listed);
    }
    let connectors: Vec<_> = connectors.into_values().collect();
    let mut flows = BTreeMap::<String, (FlowId, BTreeMap<Step, Bound>)>::new();
    for _ in 0..count {
        let bound = |step: Step, at: usize| {
            let connector = connectors.get(at % (connectors.len() + 2));
            (step, connector.map(|listed| listed.connector.clone()))
        };
        let steps = Step::DEFAULT.into_iter().map(|step| bound(step, pieces.number())).collect();
        let flow = pieces.flow();
        // Ids that differ in case are the same.
        flows.entry(flow.as_str().to_lowercase()).or_insert((flow, steps));
    }
    let inventory = Inventory {
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
    assert_plan_is_empty(&inventory, flows.into_values());
}

fn assert_plan_is_empty(inventory: &Inventory, flows: impl Iterator<Item = (FlowId, BTreeMap<Step, Bound>)>) {
    let tenant = "contoso.onmicrosoft.com".parse().expect("a tenant");
    let steps = Step::DEFAULT;
    let file = render::export(inventory, &tenant, Cloud::Global, Api::Beta, &steps, "2026-11-02T08:00:00Z");
    assert_inert(&file);
    let desired = match desired::parse("export.yaml", file.as_bytes()) {
        Ok(desired) => desired,
        Err(problems) => panic!("{file}\n{problems:?}"),
    };
    let known = |(step, bound)| (step, Reading::Known(bound));
    let found = |(id, steps): (FlowId, BTreeMap<Step, Bound>)| {
        (id, CurrentFlow::Found(steps.into_iter().map(known).collect()))
    };
    let current = Current {
        connectors: Some(Reading::Known(inventory.connectors.clone())),
        flows: flows.map(found).collect(),
        flow_list: None,
    };
    let (target, problems) =
        plan(&desired, &current, "https://graph.microsoft.com/beta", &Overrides::default());
    assert!(problems.is_empty(), "{file}\n{problems:?}");
    assert!(target.changes.is_empty() && target.refusals.is_empty(), "{file}\n{target:?}");
}

/// Ids are GUIDs as a rule; every third one is whatever a text says.
fn connector(pieces: &mut Pieces<'_>, at: usize) -> ListedConnector {
    let guid = || ConnectorId::parse(&format!("00000000-0000-4000-8000-{at:012}")).expect("a GUID");
    let id = if at % 3 == 2 { pieces.connector().id } else { guid() };
    let connector = Connector { id, display_name: pieces.option() };
    ListedConnector { connector, target_url: pieces.text().parse().ok() }
}
