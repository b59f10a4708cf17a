//! The body of a `$ref` request: a reference to a connector, or nothing.
//!
//! Owns which references are valid; it must not know which connectors exist. See "Update
//! apiConnectorConfiguration" on learn.microsoft.com.

use serde_json::{Map, Value};

use super::odata::Problem;
use super::query::percent_decode;
use crate::snapshot::Cloud;

/// Gives the root of Graph in a cloud, after
/// <https://learn.microsoft.com/graph/deployments>.
pub(super) fn graph_root(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Global => "https://graph.microsoft.com",
        Cloud::Usgov => "https://graph.microsoft.us",
        Cloud::UsgovDod => "https://dod-graph.microsoft.us",
        Cloud::China => "https://microsoftgraph.chinacloudapi.cn",
    }
}

/// Reads the id of the connector that a body refers to; `None` for `{}`, which unbinds.
///
/// Errors (400) when the body is no such object, or refers to something that is no connector
/// below one of `roots` (each with its version).
pub(super) fn parse(body: &[u8], roots: &[String]) -> Result<Option<String>, Problem> {
    let object: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|_| Problem::new(400, "Request_BadRequest", "the body is not a JSON object"))?;
    if object.is_empty() {
        return Ok(None);
    }
    if let Some(other) = object.keys().find(|key| !["@odata.id", "@odata.type"].contains(&key.as_str())) {
        return Err(Problem::bad_request(format!("a reference has no property '{other}'")));
    }
    let Some(Value::String(url)) = object.get("@odata.id") else {
        return Err(Problem::bad_request("a reference needs '@odata.id', a URL"));
    };
    let id = roots.iter().find_map(|root| connector_below(root, url));
    match id {
        Some(id) => percent_decode(id).map(Some),
        None => Err(Problem::bad_request(format!("'{url}' is no API connector of this service"))),
    }
}

fn connector_below<'a>(root: &str, url: &'a str) -> Option<&'a str> {
    let id = url.strip_prefix(root)?.strip_prefix("/identity/apiConnectors/")?;
    (!id.is_empty() && !id.contains(['/', '?', '#'])).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &str) -> Result<Option<String>, u16> {
        let roots = ["http://127.0.0.1:1/beta".to_owned(), "https://graph.microsoft.com/beta".to_owned()];
        parse(body.as_bytes(), &roots).map_err(|problem| problem.status)
    }

    #[test]
    fn an_empty_object_refers_to_nothing() {
        assert_eq!(parsed("{}"), Ok(None));
        assert_eq!(parsed(" { } "), Ok(None));
    }

    #[test]
    fn a_reference_is_an_absolute_url_below_a_known_root() {
        for (url, id) in [
            ("http://127.0.0.1:1/beta/identity/apiConnectors/a", Some("a")),
            ("https://graph.microsoft.com/beta/identity/apiConnectors/a%20b", Some("a b")),
            ("https://graph.microsoft.com/v1.0/identity/apiConnectors/a", None),
            ("https://graph.microsoft.us/beta/identity/apiConnectors/a", None),
            ("http://127.0.0.1:1/beta/identity/apiConnectors/", None),
            ("http://127.0.0.1:1/beta/identity/apiConnectors/a/b", None),
            ("http://127.0.0.1:1/beta/identity/apiConnectors/a?b", None),
            ("/beta/identity/apiConnectors/a", None),
            ("a", None),
        ] {
            let expected = id.map(|id| Some(id.to_owned())).ok_or(400);
            assert_eq!(parsed(&format!(r#"{{"@odata.id":"{url}"}}"#)), expected, "{url}");
        }
    }

    #[test]
    fn other_bodies_are_refused() {
        for body in
            ["", "null", "[]", "\"x\"", "{", r#"{"id":"a"}"#, r#"{"@odata.id":1}"#, r#"{"@odata.type":"t"}"#]
        {
            assert_eq!(parsed(body), Err(400), "{body}");
        }
    }
}
