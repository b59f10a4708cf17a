//! Paging of lists.

use flowbind::sandbox::Options;
use flowbind::snapshot::Snapshot;
use serde_json::{Value, json};

use crate::support::{SandboxServer, answer_get, connector_id, serve, tenant, yaml_binding_connector_1};

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
fn more_pages_than_a_tenant_has_are_an_error() {
    let mut snapshot: Value = serde_json::from_str(&tenant(&[("B2C_1_a", 0, 0)]).to_json()).unwrap();
    let connector =
        |number| json!({"id": connector_id(number), "displayName": format!("Connector {number}")});
    let connectors: Vec<_> = (1..=150).map(connector).collect();
    snapshot["connectors"] = connectors.into();
    let snapshot = Snapshot::parse(&snapshot.to_string()).unwrap();
    let served = serve(snapshot, Options { page_size: 1, ..Options::default() });
    let outcome = served.plan(&yaml_binding_connector_1(&["B2C_1_a"]), &["--rate", "100000/1"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    let error = "the pages of the collection do not end: there are more than 100";
    assert!(outcome.stderr.contains(error), "{outcome}");
    assert_eq!(served.requests().len(), 1 + 100);
}

/// Serves pages of connectors, each with a link to the next one.
fn serve_pages(pages: impl Iterator<Item = Value>) -> SandboxServer {
    let link = |page: usize| format!("/beta/identity/apiConnectors?$skiptoken={page:03}");
    let pages: Vec<_> = pages.collect();
    let faults = pages.iter().enumerate().rev().map(|(at, items)| {
        let next = (at + 1 < pages.len()).then(|| link(at + 1));
        let page = json!({"value": items, "@odata.nextLink": next}).to_string();
        let path = if at == 0 { "apiConnectors".to_owned() } else { link(at) };
        // The path of the first page is a part of the others.
        answer_get(&path, u32::from(at == 0), 200, &[], &page)
    });
    let faults = faults.collect();
    serve(tenant(&[("B2C_1_a", 0, 0)]), Options { faults, ..Options::default() })
}

#[test]
fn pages_without_a_new_item_are_an_error() {
    let page = json!([{"id": connector_id(1), "displayName": "Connector 1"}]);
    let served = serve_pages(std::iter::repeat_n(page, 50));
    let outcome = served.plan(&yaml_binding_connector_1(&["B2C_1_a"]), &[]);
    assert_eq!(outcome.code, 1, "{outcome}");
    let error = "the pages of the collection do not end: 10 pages in a row have no new item";
    assert!(outcome.stderr.contains(error), "{outcome}");
    assert_eq!(served.requests().len(), 1 + 1 + 10);
}

/// The list changed while its pages were read, or the service is wrong.
fn serve_contradiction() -> SandboxServer {
    let other = |name, url| json!({"id": connector_id(2), "displayName": name, "targetUrl": url});
    let first = json!([
        {"id": connector_id(1), "displayName": "Connector 1", "targetUrl": "https://a.example/1"},
        other("Connector 2", "https://a.example/2"),
    ]);
    let pages = [first.clone(), first, json!([other("Other", "https://evil.example/")])];
    serve_pages(pages.into_iter())
}

#[test]
fn connector_listed_with_different_content_is_unreadable() {
    let (by_id, pinned) = (connector_id(2), "{displayName: Connector 2, targetUrl: 'https://a.example/2'}");
    for (connectors, name) in [
        (String::new(), "Connector 2"),
        (String::new(), "Other"),
        (format!("connectors:\n  x: {pinned}\n"), "x"),
        (format!("connectors:\n  x: {{id: {by_id}, targetUrl: 'https://a.example/2'}}\n"), "x"),
    ] {
        let flows = format!("{connectors}flows:");
        let yaml =
            yaml_binding_connector_1(&["B2C_1_a"]).replace("Connector 1", name).replace("flows:", &flows);
        for command in ["plan", "drift"] {
            let outcome = serve_contradiction().run(command, &yaml, &[]);
            assert_eq!(outcome.code, 1, "{outcome}");
            let error = format!("error[connector-unreadable]: connector `{by_id}` is unreadable");
            assert!(outcome.stderr.contains(&error), "{outcome}");
        }
    }
    let outcome = serve_contradiction().plan(&yaml_binding_connector_1(&["B2C_1_a"]), &[]);
    assert_eq!(outcome.code, 0, "the other connector can be used: {outcome}");
    let outcome = serve_contradiction().run("export", "", &["--tenant", "contoso.onmicrosoft.com"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    let cause = format!("the list has the connector `{by_id}` twice, with different content");
    assert!(outcome.stderr.contains(&cause), "{outcome}");
}

#[test]
fn flow_listed_with_different_content_is_an_error() {
    let flow = |kind| json!({"id": "B2C_1_a", "userFlowType": kind, "userFlowTypeVersion": 3});
    let export = |second: Value| {
        let page = json!({"value": [flow("signUp"), second]}).to_string();
        let faults = vec![
            answer_get("b2cUserFlows?", 0, 200, &[], &page),
            answer_get("b2cUserFlows", 1, 200, &[], &page),
        ];
        let served = serve(tenant(&[("B2C_1_a", 1, 0)]), Options { faults, ..Options::default() });
        served.run("export", "", &["--tenant", "contoso.onmicrosoft.com"])
    };
    let outcome = export(flow("signUp"));
    assert_eq!(outcome.code, 0, "{outcome}");
    let outcome = export(flow("passwordReset"));
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("the list has `B2C_1_a` twice, with different content"), "{outcome}");
}
