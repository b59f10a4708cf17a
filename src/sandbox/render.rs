//! JSON of connectors and flows in responses.
//!
//! Follows the beta reference of `identityApiConnector` and `b2cIdentityUserFlow` on
//! learn.microsoft.com. It must not look up entities.

use serde_json::{Map, Value, json};

use crate::snapshot::{Certificate, Connector, Flow, FlowKind, TargetUrl};

/// Path and properties of a collection.
pub(super) struct Collection {
    /// Path below the version.
    pub(super) path: &'static str,
    /// Properties that can be selected.
    pub(super) properties: &'static [&'static str],
}

/// Collection of the connectors.
pub(super) const CONNECTORS: Collection = Collection {
    path: "identity/apiConnectors",
    properties: &["id", "displayName", "targetUrl", "authenticationConfiguration"],
};

const B2C_FLOWS: Collection = Collection {
    path: "identity/b2cUserFlows",
    properties: &[
        "id",
        "userFlowType",
        "userFlowTypeVersion",
        "apiConnectorConfiguration",
        "isLanguageCustomizationEnabled",
        "defaultLanguageTag",
    ],
};

const B2X_FLOWS: Collection = Collection {
    path: "identity/b2xUserFlows",
    properties: &["id", "userFlowType", "userFlowTypeVersion", "apiConnectorConfiguration"],
};

/// Returns the collection of the flows of a kind.
pub(super) fn flow_collection(kind: FlowKind) -> &'static Collection {
    match kind {
        FlowKind::B2c => &B2C_FLOWS,
        FlowKind::B2x => &B2X_FLOWS,
    }
}

/// Renders a connector.
pub(super) fn connector(connector: &Connector) -> Map<String, Value> {
    let Connector { id, display_name, target_url, certificates } = connector;
    object([
        ("id", json!(id)),
        ("displayName", json!(display_name)),
        ("targetUrl", json!(target_url.as_ref().map(TargetUrl::as_str))),
        ("authenticationConfiguration", authentication(certificates)),
    ])
}

/// Renders an authentication with these certificates, with their times as seconds since 1970. Without any, renders basic
/// authentication with placeholders, because a snapshot has no credentials and Graph masks the password.
fn authentication(certificates: &[Certificate]) -> Value {
    if certificates.is_empty() {
        return json!({
            "@odata.type": "#microsoft.graph.basicAuthentication",
            "username": "sandbox",
            "password": "******",
        });
    }
    let list: Vec<_> = certificates
        .iter()
        .map(|Certificate { not_before, not_after, is_active }| {
            json!({
                "thumbprint": null,
                "notBefore": not_before.as_second(),
                "notAfter": not_after.as_second(),
                "isActive": is_active,
            })
        })
        .collect();
    json!({ "@odata.type": "#microsoft.graph.clientCertificateAuthentication", "certificateList": list })
}

/// Renders a deleted connector to which a step is still bound: its id, and null as name and address.
pub(super) fn deleted_connector(id: &str) -> Map<String, Value> {
    object([("id", json!(id)), ("displayName", Value::Null), ("targetUrl", Value::Null)])
}

/// Renders a flow without its bindings: they are only part of its `apiConnectorConfiguration` resource, which
/// is empty here. A B2C flow also has its two language properties.
pub(super) fn flow(flow: &Flow, kind: FlowKind) -> Map<String, Value> {
    let Flow { id, user_flow_type, user_flow_type_version, bindings: _ } = flow;
    let mut entity = object([
        ("id", json!(id)),
        ("userFlowType", json!(user_flow_type)),
        ("userFlowTypeVersion", json!(user_flow_type_version)),
        ("apiConnectorConfiguration", json!({})),
    ]);
    if kind == FlowKind::B2c {
        entity.insert("isLanguageCustomizationEnabled".to_owned(), json!(false));
        entity.insert("defaultLanguageTag".to_owned(), Value::Null);
    }
    entity
}

fn object<const N: usize>(properties: [(&str, Value); N]) -> Map<String, Value> {
    properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flow_renders_exactly_the_selectable_properties() {
        let flow = Flow {
            id: "B2C_1_a".into(),
            user_flow_type: "signUp".into(),
            user_flow_type_version: 1.into(),
            bindings: [].into(),
        };
        for kind in [FlowKind::B2c, FlowKind::B2x] {
            let mut expected = flow_collection(kind).properties.to_vec();
            expected.sort_unstable();
            assert_eq!(super::flow(&flow, kind).keys().collect::<Vec<_>>(), expected);
        }
    }
}
