//! How connectors and flows look in answers.
//!
//! Owns the JSON of entities, after the beta reference of `identityApiConnector` and
//! `b2cIdentityUserFlow` on learn.microsoft.com; it must not look anything up.

use serde_json::{Map, Value, json};

use crate::snapshot::{Connector, Flow, Kind, TargetUrl};

/// What is the same for all members of a collection.
pub(super) struct Collection {
    /// The path below the version.
    pub(super) path: &'static str,
    /// The properties that can be selected.
    pub(super) properties: &'static [&'static str],
}

/// The connectors.
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

/// The flows of a kind.
pub(super) fn flows(kind: Kind) -> &'static Collection {
    match kind {
        Kind::B2c => &B2C_FLOWS,
        Kind::B2x => &B2X_FLOWS,
    }
}

/// Renders a connector. Its credentials are not in a snapshot; Graph masks passwords anyway.
pub(super) fn connector(connector: &Connector) -> Map<String, Value> {
    let Connector { id, display_name, target_url } = connector;
    object([
        ("id", json!(id)),
        ("displayName", json!(display_name)),
        ("targetUrl", json!(target_url.as_ref().map(TargetUrl::as_str))),
        (
            "authenticationConfiguration",
            json!({
                "@odata.type": "#microsoft.graph.basicAuthentication",
                "username": "sandbox",
                "password": "******",
            }),
        ),
    ])
}

/// Renders what is left of a connector that was deleted while a step was bound to it.
pub(super) fn deleted_connector(id: &str) -> Map<String, Value> {
    object([("id", json!(id)), ("displayName", Value::Null), ("targetUrl", Value::Null)])
}

/// Renders a flow. Its connectors never show here, only under its own configuration.
pub(super) fn flow(flow: &Flow, kind: Kind) -> Map<String, Value> {
    let Flow { id, user_flow_type, user_flow_type_version, bindings: _ } = flow;
    let mut entity = object([
        ("id", json!(id)),
        ("userFlowType", json!(user_flow_type)),
        ("userFlowTypeVersion", json!(user_flow_type_version)),
        ("apiConnectorConfiguration", json!({})),
    ]);
    if kind == Kind::B2c {
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
    fn every_rendered_property_can_be_selected() {
        let flow = Flow {
            id: "B2C_1_a".into(),
            user_flow_type: "signUp".into(),
            user_flow_type_version: 1.into(),
            bindings: [].into(),
        };
        for kind in [Kind::B2c, Kind::B2x] {
            let mut known = flows(kind).properties.to_vec();
            known.sort_unstable();
            assert_eq!(super::flow(&flow, kind).keys().collect::<Vec<_>>(), known);
        }
    }
}
