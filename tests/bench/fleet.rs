//! Generated input: folders of desired-state files, and a tenant that serves all of them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use flowbind::snapshot::Snapshot;
use serde_json::json;

/// One flow in so many differs from the files.
const CHANGE_INTERVAL: usize = 10;

/// Returns the number of changes for a file of so many flows.
pub fn changes(flows: usize) -> usize {
    flows.div_ceil(CHANGE_INTERVAL)
}

/// Writes one file of so many flows per tenant.
pub fn write(folder: &Path, tenants: usize, flows: usize) {
    for tenant in 0..tenants {
        let yaml = file(&format!("contoso{tenant:03}.onmicrosoft.com"), flows);
        fs::write(folder.join(format!("{tenant:03}.yaml")), yaml).unwrap();
    }
}

/// Returns a file that binds a connector at one step of each flow and nothing at the other.
pub fn file(tenant: &str, flows: usize) -> String {
    let mut yaml = format!("version: 1\ntenant: {tenant}\nconnectors:\n  check: Check\nflows:\n");
    for flow in 0..flows {
        writeln!(
            yaml,
            "  B2C_1_flow_{flow:05}:\n    postFederationSignup: check\n    postAttributeCollection: null"
        )
        .unwrap();
    }
    yaml
}

/// Returns a tenant that has all bindings of such a file except [`changes`].
pub fn tenant(flows: usize) -> Snapshot {
    let id = "00000000-0000-4000-8000-000000000001";
    let flows: Vec<_> = (0..flows)
        .map(|flow| {
            json!({
                "id": format!("B2C_1_flow_{flow:05}"),
                "userFlowType": "signUpOrSignIn",
                "userFlowTypeVersion": 3,
                "bindings": {"postFederationSignup": if flow % CHANGE_INTERVAL == 0 { None } else { Some(id) }},
            })
        })
        .collect();
    let snapshot = json!({
        "formatVersion": "1",
        "tenant": "contoso.onmicrosoft.com",
        "cloud": "global",
        "takenAt": "2026-11-02T08:00:00Z",
        "connectors": [{"id": id, "displayName": "Check", "targetUrl": "https://api.contoso.com/check"}],
        "flows": flows,
    });
    Snapshot::parse(&snapshot.to_string()).unwrap()
}

/// Returns the number of bindings of a tenant.
pub fn count_bindings(tenant: &Snapshot) -> usize {
    tenant.flows.iter().flat_map(|flow| flow.bindings.values()).flatten().count()
}
