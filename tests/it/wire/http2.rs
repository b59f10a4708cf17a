//! HTTP/2 is spoken where it is offered.

use std::sync::{Arc, Mutex};

use crate::support::https::{Asked, Https, Reply};
use crate::support::{file, flowbind, folder, wants_connector_1};

#[test]
fn reads_share_a_connection_where_http_2_is_offered() {
    let asked = Arc::<Mutex<Vec<Asked>>>::default();
    let heard = Arc::clone(&asked);
    let https = Https::serve(Arc::new(move |asked| {
        let body = if asked.url.contains("/apiConnectors") {
            r#"{"value": [{"id": "00000000-0000-4000-8000-000000000001", "displayName": "Connector 1"}]}"#
        } else {
            "{}"
        };
        let status = if asked.url.contains("$batch") { 404 } else { 200 };
        heard.lock().unwrap().push(asked);
        Box::pin(async move { Reply { status, headers: Vec::new(), body: body.into() } })
    }));
    let folder = folder();
    let flows: Vec<_> = (0..40).map(|flow| format!("B2C_1_{flow}")).collect();
    file(
        folder.path(),
        "flowbind.yaml",
        wants_connector_1(&flows.iter().map(String::as_str).collect::<Vec<_>>()),
    );
    let outcome = flowbind(["plan", "--graph-url", &format!("https://{}/beta", https.address)])
        .args(["--ca-file", https.ca_file().to_str().unwrap()])
        .env("FLOWBIND_ACCESS_TOKEN", "opaque-token")
        .within(folder.path())
        .run();
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.stdout.contains("Plan: 40 to enable"), "{outcome}");
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 1 + 2 + 40);
    assert!(asked.iter().all(|asked| asked.version == hyper::Version::HTTP_2));
}
