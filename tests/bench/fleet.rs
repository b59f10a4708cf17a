//! What is measured: folders of files, and the tenant that answers for all of them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use flowbind::snapshot::Snapshot;
use serde_json::json;

/// One flow in so many differs from what the files want.
const DIFFERS: usize = 10;

/// How many changes a file of so many flows asks for.
pub fn changes(flows: usize) -> usize {
    flows.div_ceil(DIFFERS)
}

/// Writes a file of so many flows for each of so many tenants.
pub fn write(folder: &Path, tenants: usize, flows: usize) {
    for tenant in 0..tenants {
        let yaml = file(&format!("contoso{tenant:03}.onmicrosoft.com"), flows);
        fs::write(folder.join(format!("{tenant:03}.yaml")), yaml).unwrap();
    }
}

/// A file that wants a connector at one step of so many flows, and nothing at the other.
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

/// The tenant of such files, with all that they want but [`changes`].
pub fn tenant(flows: usize) -> Snapshot {
    let id = "00000000-0000-4000-8000-000000000001";
    let flows: Vec<_> = (0..flows)
        .map(|flow| {
            json!({
                "id": format!("B2C_1_flow_{flow:05}"),
                "userFlowType": "signUpOrSignIn",
                "userFlowTypeVersion": 3,
                "bindings": {"postFederationSignup": if flow % DIFFERS == 0 { None } else { Some(id) }},
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

/// How many bindings a tenant has.
pub fn bound(tenant: &Snapshot) -> usize {
    tenant.flows.iter().flat_map(|flow| flow.bindings.values()).flatten().count()
}
