//! Addresses, ids and tokens: parts that may be secrets are neither kept nor printed.

use flowbind::auth::Token;
use flowbind::graph::GraphUrl;
use flowbind::model::{Api, ConnectorId, FlowId, TargetUrl, Tenant};
use flowbind::snapshot;
use url::Url;

/// Checks one text as an address, an id, a tenant and a token.
pub fn urls(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    check_target_url(text);
    check_snapshot_url(text);
    if let Ok(url) = GraphUrl::parse(text, Api::Beta) {
        let again = GraphUrl::parse(&url.to_string(), Api::Beta);
        assert_eq!(again.as_ref(), Ok(&url));
        assert_is_plain(&url.to_string());
    }
    if let Ok(flow) = FlowId::parse(text) {
        assert_stays_a_segment(flow.as_str());
    }
    if let Ok(connector) = ConnectorId::parse(text) {
        assert_eq!(ConnectorId::parse(connector.as_str()).as_ref(), Ok(&connector));
        assert_stays_a_segment(connector.as_str());
    }
    if let Ok(tenant) = text.parse::<Tenant>() {
        assert_stays_a_segment(tenant.as_str());
    }
    if let Ok(token) = Token::new(text, None) {
        assert_eq!(token.header().as_bytes().strip_prefix(b"Bearer "), Some(data));
        assert!(token.header().is_sensitive());
    }
}

/// Checks the address of a pin.
fn check_target_url(text: &str) {
    let Ok(url) = text.parse::<TargetUrl>() else { return };
    assert_eq!(url.to_string().parse().as_ref(), Ok(&url), "{url}");
    assert_is_plain(&url.to_string());
}

/// Checks an address in a snapshot, which need not be a URL.
fn check_snapshot_url(text: &str) {
    let kept = snapshot::TargetUrl::from(text);
    assert_eq!(snapshot::TargetUrl::from(kept.as_str()), kept, "{kept}");
    assert!(!kept.as_str().contains(['?', '#']), "{kept}");
    let Ok(url) = Url::parse(text) else { return };
    if url.has_host() {
        assert_is_plain(kept.as_str());
    }
}

/// Checks that a URL has no user, password, query or fragment.
fn assert_is_plain(text: &str) {
    let Ok(url) = Url::parse(text) else { return };
    assert_eq!(
        (url.username(), url.password(), url.query(), url.fragment()),
        ("", None, None, None),
        "{text}"
    );
}

/// Checks that an id stays one segment of a path.
fn assert_stays_a_segment(id: &str) {
    let root = GraphUrl::for_cloud(flowbind::model::Cloud::Global, Api::Beta).expect("the root of a cloud");
    let url = root.join(&["identity", id, "after"], None);
    let segments: Vec<_> = url.path_segments().expect("a path").collect();
    assert_eq!(segments.len(), 4, "{url}");
    assert_eq!([segments[0], segments[1], segments[3]], ["beta", "identity", "after"], "{url}");
    assert_eq!((url.query(), url.fragment()), (None, None), "{url}");
}
