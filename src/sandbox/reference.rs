//! Body of a `$ref` request: a reference to a connector, or `{}`.
//!
//! Validates the syntax of references. It must not look up connectors. See "Update
//! apiConnectorConfiguration" on learn.microsoft.com.

use serde_json::{Map, Value};

use super::error::ErrorResponse;
use super::percent::percent_decode;
use crate::snapshot::Cloud;

/// Returns the root URL of Graph in a cloud. Source:
/// <https://learn.microsoft.com/graph/deployments>.
pub(super) fn graph_root(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Global => "https://graph.microsoft.com",
        Cloud::Usgov => "https://graph.microsoft.us",
        Cloud::UsgovDod => "https://dod-graph.microsoft.us",
        Cloud::China => "https://microsoftgraph.chinacloudapi.cn",
    }
}

/// Parses the id of the referenced connector; `None` for `{}`, which unbinds.
///
/// # Errors
/// 400 if the body is not a reference, or the reference is not to a connector below one of `roots`,
/// which include the version.
pub(super) fn parse(body: &[u8], roots: &[String]) -> Result<Option<String>, ErrorResponse> {
    let object: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|_| ErrorResponse::new(400, "Request_BadRequest", "the body is not a JSON object"))?;
    if object.is_empty() {
        return Ok(None);
    }
    if let Some(other) = object.keys().find(|key| !["@odata.id", "@odata.type"].contains(&key.as_str())) {
        return Err(ErrorResponse::bad_request(format!("unknown property '{other}' in the reference")));
    }
    let Some(Value::String(url)) = object.get("@odata.id") else {
        return Err(ErrorResponse::bad_request("'@odata.id' must be a URL"));
    };
    let id = roots.iter().find_map(|root| connector_id_below(root, url));
    match id {
        Some(id) => percent_decode(id).map(Some),
        None => {
            let message = format!("'{url}' is not the URL of an API connector of this service");
            Err(ErrorResponse::bad_request(message))
        }
    }
}

fn connector_id_below<'a>(root: &str, url: &'a str) -> Option<&'a str> {
    let id = url.strip_prefix(root)?.strip_prefix("/identity/apiConnectors/")?;
    (!id.is_empty() && !id.contains(['/', '?', '#'])).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &str) -> Result<Option<String>, u16> {
        let roots = ["http://127.0.0.1:1/beta".to_owned(), "https://graph.microsoft.com/beta".to_owned()];
        parse(body.as_bytes(), &roots).map_err(|error| error.status)
    }

    #[test]
    fn parse_of_an_empty_object_returns_none() {
        assert_eq!(parsed("{}"), Ok(None));
        assert_eq!(parsed(" { } "), Ok(None));
    }

    #[test]
    fn parse_accepts_only_absolute_urls_below_a_known_root() {
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
    fn parse_of_another_body_fails_with_400() {
        for body in
            ["", "null", "[]", "\"x\"", "{", r#"{"id":"a"}"#, r#"{"@odata.id":1}"#, r#"{"@odata.type":"t"}"#]
        {
            assert_eq!(parsed(body), Err(400), "{body}");
        }
    }
}
