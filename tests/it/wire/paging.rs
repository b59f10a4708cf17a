//! Paging of lists.

use flowbind::sandbox::Options;
use flowbind::snapshot::Snapshot;
use serde_json::{Value, json};

use crate::support::{answer_get, connector_id, serve, tenant, yaml_binding_connector_1};

fn yaml_binding_connector_5() -> String {
    yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", "Connector 5")
}

/// A page without connectors and with a link to the next one.
const EMPTY: &str = r#"{"value": [], "@odata.nextLink": "/beta/identity/apiConnectors?x"}"#;

#[test]
fn all_pages_are_read_with_empty_last_page() {
    // Five connectors: three pages of two, or five of one with an empty sixth page.
    for (page_size, pages) in [(2, 3), (1, 6), (5, 2), (100, 1)] {
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { page_size, ..Options::default() });
        let outcome = served.plan(&yaml_binding_connector_5(), &[]);
        assert!(outcome.stdout.contains("nothing → Connector 5"), "{outcome}");
        assert_eq!(served.requests().len(), 1 + pages, "pages of {page_size}");
    }
}

#[test]
fn empty_page_in_the_middle_does_not_end_the_list() {
    let last = r#"{"value": [{"id": "00000000-0000-4000-8000-000000000009", "displayName": "Connector 5"}]}"#;
    let faults = vec![
        answer_get("apiConnectors?x", 0, 200, &[], last),
        answer_get("apiConnectors", 0, 200, &[], EMPTY),
    ];
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() });
    let outcome = served.plan(&yaml_binding_connector_5(), &[]);
    assert!(outcome.stdout.contains("nothing → Connector 5"), "{outcome}");
}

#[test]
fn next_link_to_another_origin_is_an_error_and_gets_no_token() {
    let elsewhere = serve(tenant(&[]), Options::default());
    for link in [
        format!("{}/identity/apiConnectors", elsewhere.graph_url()),
        "https://graph.microsoft.com.example/beta/identity/apiConnectors".into(),
        "//example.com/beta".into(),
        "javascript:alert(1)".into(),
        "https://user:pw@127.0.0.1/".into(),
        elsewhere.graph_url().replace("http://", "http://user:pw@"),
    ] {
        let page = serde_json::json!({"value": [], "@odata.nextLink": link}).to_string();
        let faults = vec![answer_get("apiConnectors", 0, 200, &[], &page)];
        let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() });
        let outcome = served.plan(&yaml_binding_connector_5(), &[]);
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains("not followed, so that the token is not sent there"), "{outcome}");
        assert!(!outcome.stderr.contains("pw"), "{outcome}");
    }
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

#[test]
fn next_link_cycle_is_an_error() {
    let faults = vec![answer_get("apiConnectors", 0, 200, &[], EMPTY)];
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() });
    let outcome = served.plan(&yaml_binding_connector_5(), &[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("the pages of the collection do not end"), "{outcome}");
    assert_eq!(served.requests().len(), 3);
}

#[test]
fn endless_pages_are_an_error() {
    let mut snapshot: Value = serde_json::from_str(&tenant(&[("B2C_1_a", 0, 0)]).to_json()).unwrap();
    let connector =
        |number| json!({"id": connector_id(number), "displayName": format!("Connector {number}")});
    let connectors: Vec<_> = (1..=1_500).map(connector).collect();
    snapshot["connectors"] = connectors.into();
    let snapshot = Snapshot::parse(&snapshot.to_string()).unwrap();
    let served = serve(snapshot, Options { page_size: 1, ..Options::default() });
    let outcome = served.plan(&yaml_binding_connector_1(&["B2C_1_a"]), &["--rate", "100000/1"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("the pages of the collection do not end"), "{outcome}");
    assert_eq!(served.requests().len(), 1 + 1_000);
}
