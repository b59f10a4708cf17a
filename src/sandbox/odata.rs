//! OData response bodies: errors, entities and pages of collections.
//!
//! Holds the format that all resources of Graph share; see
//! <https://learn.microsoft.com/graph/errors> and <https://learn.microsoft.com/graph/paging>.
//! It must not depend on a resource or keep state.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::error::ErrorResponse;
use super::message::{Request, Response};
use super::query::Query;

/// Renders an error body, with the date and the ids of the request.
pub(super) fn render_error(
    error: &ErrorResponse,
    request: &Request,
    request_id: &str,
    now: Timestamp,
) -> Response {
    let body = json!({ "error": {
        "code": error.code,
        "message": error.message,
        "innerError": {
            "date": now.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            "request-id": request_id,
            "client-request-id": request.client_request_id().unwrap_or(request_id),
        },
    }});
    let response = Response::json(error.status, &body);
    error.headers.iter().fold(response, |response, (name, value)| response.with_header(name, value))
}

/// URL of a resource, from which its OData annotations are built.
pub(super) struct ResourceUrl<'a> {
    /// Service root with its version, such as `http://127.0.0.1:1/beta`.
    pub(super) root: &'a str,
    /// Path of the resource below the root.
    pub(super) path: &'a str,
}

impl ResourceUrl<'_> {
    /// Returns the `@odata.context` of the resource, with `suffix` appended.
    pub(super) fn context(&self, suffix: &str) -> Value {
        format!("{}/$metadata#{}{suffix}", self.root, self.path).into()
    }

    /// Renders the page of a collection that starts after the skipped members of `query`, with at most `size`
    /// members, or `$top` if that is smaller. A full page links to the next page.
    ///
    /// That next page may be empty, because Graph also permits an empty last page.
    pub(super) fn render_page(
        &self,
        entities: impl Iterator<Item = Map<String, Value>>,
        query: &Query,
        size: usize,
    ) -> Value {
        let size = query.top.unwrap_or(size).min(size).max(1);
        let page: Vec<_> = entities.skip(query.skip).take(size).map(|entity| query.project(entity)).collect();
        let full = page.len() == size;
        let next = full.then(|| {
            let next = query.next_page_query(query.skip.saturating_add(size));
            ("@odata.nextLink", format!("{}/{}?{next}", self.root, self.path).into())
        });
        let body = [("@odata.context", self.context(&query.select_suffix())), ("value", page.into())];
        body.into_iter().chain(next).collect()
    }

    /// Renders one member of a collection: its selected properties and its `@odata.context`.
    pub(super) fn render_entity(&self, entity: Map<String, Value>, query: &Query) -> Value {
        let mut body = query.project(entity);
        let context = self.context(&format!("{}/$entity", query.select_suffix()));
        body.insert("@odata.context".to_owned(), context);
        body.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entities(count: usize) -> impl Iterator<Item = Map<String, Value>> {
        (0..count).map(|n| Map::from_iter([("id".to_owned(), json!(n))]))
    }

    /// Returns the sizes of the pages that a client receives by following the links.
    fn pages(count: usize, query: &str, size: usize) -> Vec<usize> {
        let resource = ResourceUrl { root: "http://h/beta", path: "things" };
        let mut query = query.to_owned();
        let mut sizes = Vec::new();
        loop {
            let options = Query::parse(&query, Query::COLLECTION).unwrap();
            let page = resource.render_page(entities(count), &options, size);
            sizes.push(page["value"].as_array().unwrap().len());
            let Some(link) = page["@odata.nextLink"].as_str() else {
                return sizes;
            };
            query = link.strip_prefix("http://h/beta/things?").unwrap().to_owned();
        }
    }

    #[test]
    fn render_page_of_a_full_page_links_to_the_next() {
        assert_eq!(pages(5, "", 2), [2, 2, 1]);
        assert_eq!(pages(4, "", 2), [2, 2, 0], "the last page may be empty");
        assert_eq!(pages(0, "", 2), [0]);
        assert_eq!(pages(3, "$top=1", 2), [1, 1, 1, 0]);
        assert_eq!(pages(3, "$top=9", 2), [2, 1], "$top cannot raise the page size");
        assert_eq!(pages(1, "", 0), [1, 0], "a page holds at least one member");
    }

    #[test]
    fn render_entity_with_select_names_the_properties_in_the_context() {
        let resource = ResourceUrl { root: "http://h/beta", path: "things" };
        let query = Query::parse("$select=id", Query::ENTITY).unwrap();
        let entity = Map::from_iter([("id".to_owned(), json!("a")), ("x".to_owned(), json!(1))]);
        let expected = json!({ "@odata.context": "http://h/beta/$metadata#things(id)/$entity", "id": "a" });
        assert_eq!(resource.render_entity(entity, &query), expected);
    }

    #[test]
    fn render_error_returns_date_and_ids() {
        let request = Request::new("GET", "/").with_header("client-request-id", "c1");
        let now = "2026-01-02T03:04:05.6Z".parse().unwrap();
        let error = ErrorResponse::not_found("no such thing").with_header("X", "y");
        let response = render_error(&error, &request, "r1", now);
        let expected = json!({ "error": { "code": "AADB2C", "message": "no such thing", "innerError": {
            "date": "2026-01-02T03:04:05", "request-id": "r1", "client-request-id": "c1" } } });
        assert_eq!((response.status, response.json_body()), (404, expected));
        assert!(response.headers.contains(&("X".into(), "y".into())));
    }
}
