//! The shapes of OData answers: errors, entities and collections in pages.
//!
//! Owns what is the same for every resource of Graph; see
//! <https://learn.microsoft.com/graph/errors> and <https://learn.microsoft.com/graph/paging>.
//! It must not know any resource or keep state.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::message::{Request, Response};
use super::query::Query;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Problem {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    /// A request that Graph's front end cannot make sense of.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// A flow or connector that the tenant does not have. The service behind user flows uses one
    /// code for nearly everything.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "AADB2C", message)
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Renders the error body, with the ids of the request that met the problem.
    pub(super) fn respond(&self, request: &Request, request_id: &str, now: Timestamp) -> Response {
        let body = json!({ "error": {
            "code": self.code,
            "message": self.message,
            "innerError": {
                "date": now.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
                "request-id": request_id,
                "client-request-id": request.client_request_id().unwrap_or(request_id),
            },
        }});
        let response = Response::json(self.status, &body);
        self.headers.iter().fold(response, |response, (name, value)| response.with_header(name, value))
    }
}

/// The place of a resource: what its annotations are built from.
pub(super) struct Place<'a> {
    /// The service root with its version, such as `http://127.0.0.1:1/beta`.
    pub(super) root: &'a str,
    /// The path of the resource below the root.
    pub(super) path: &'a str,
}

impl Place<'_> {
    /// Gives the `@odata.context` of the resource, `suffix` appended.
    pub(super) fn context(&self, suffix: &str) -> Value {
        format!("{}/$metadata#{}{suffix}", self.root, self.path).into()
    }

    /// Renders one page of a collection, with a link to the next page if there may be one.
    ///
    /// A full page always links to a next one, which may then be empty: Graph reserves that too.
    pub(super) fn page(
        &self,
        entities: impl Iterator<Item = Map<String, Value>>,
        query: &Query,
        size: usize,
    ) -> Value {
        let size = query.top.unwrap_or(size).min(size).max(1);
        let page: Vec<_> = entities.skip(query.skip).take(size).map(|entity| query.project(entity)).collect();
        let full = page.len() == size;
        let suffix = query.select.as_ref().map(|names| format!("({})", names.join(",")));
        let next = full.then(|| {
            let next = query.next(query.skip.saturating_add(size));
            ("@odata.nextLink", format!("{}/{}?{next}", self.root, self.path).into())
        });
        let body = [("@odata.context", self.context(&suffix.unwrap_or_default())), ("value", page.into())];
        body.into_iter().chain(next).collect()
    }

    /// Renders one member of a collection.
    pub(super) fn entity(&self, entity: Map<String, Value>, query: &Query) -> Value {
        let mut body = query.project(entity);
        let names = query.select.as_ref().map(|names| format!("({})", names.join(",")));
        let suffix = format!("{}/$entity", names.unwrap_or_default());
        body.insert("@odata.context".to_owned(), self.context(&suffix));
        body.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entities(count: usize) -> impl Iterator<Item = Map<String, Value>> {
        (0..count).map(|n| Map::from_iter([("id".to_owned(), json!(n))]))
    }

    /// The sizes of the pages that a client sees who follows the links.
    fn pages(count: usize, query: &str, size: usize) -> Vec<usize> {
        let place = Place { root: "http://h/beta", path: "things" };
        let mut query = query.to_owned();
        let mut sizes = Vec::new();
        loop {
            let options = Query::parse(&query, Query::COLLECTION).unwrap();
            let page = place.page(entities(count), &options, size);
            sizes.push(page["value"].as_array().unwrap().len());
            let Some(link) = page["@odata.nextLink"].as_str() else {
                return sizes;
            };
            query = link.strip_prefix("http://h/beta/things?").unwrap().to_owned();
        }
    }

    #[test]
    fn pages_follow_until_one_is_not_full() {
        assert_eq!(pages(5, "", 2), [2, 2, 1]);
        assert_eq!(pages(4, "", 2), [2, 2, 0], "Graph may end with an empty page");
        assert_eq!(pages(0, "", 2), [0]);
        assert_eq!(pages(3, "$top=1", 2), [1, 1, 1, 0]);
        assert_eq!(pages(3, "$top=9", 2), [2, 1], "$top cannot raise the page size");
        assert_eq!(pages(1, "", 0), [1, 0], "a page has room for one at least");
    }

    #[test]
    fn selected_properties_are_named_in_the_context() {
        let place = Place { root: "http://h/beta", path: "things" };
        let query = Query::parse("$select=id", Query::ENTITY).unwrap();
        let entity = Map::from_iter([("id".to_owned(), json!("a")), ("x".to_owned(), json!(1))]);
        let expected = json!({ "@odata.context": "http://h/beta/$metadata#things(id)/$entity", "id": "a" });
        assert_eq!(place.entity(entity, &query), expected);
    }

    #[test]
    fn an_error_body_carries_date_and_ids() {
        let request = Request::new("GET", "/").with_header("client-request-id", "c1");
        let now = "2026-01-02T03:04:05.6Z".parse().unwrap();
        let response = Problem::not_found("no such thing").header("X", "y").respond(&request, "r1", now);
        let expected = json!({ "error": { "code": "AADB2C", "message": "no such thing", "innerError": {
            "date": "2026-01-02T03:04:05", "request-id": "r1", "client-request-id": "c1" } } });
        assert_eq!((response.status, response.value()), (404, expected));
        assert!(response.headers.contains(&("X".into(), "y".into())));
    }
}
