//! OData system query options that the emulator supports.
//!
//! Parses queries and builds the query of the next page. It must not depend on a resource. See
//! <https://learn.microsoft.com/graph/query-parameters>.

use serde_json::{Map, Value};

use super::error::ErrorResponse;
use super::percent::percent_decode;

/// Mask that makes `$skiptoken` opaque, because clients must not interpret it.
const TOKEN_MASK: usize = 0x5eed_c0de;

/// Query options of one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// Properties to return; all if absent.
    pub(super) select: Option<Vec<String>>,
    /// Relationships to expand.
    pub(super) expand: Vec<String>,
    /// Maximum page size that the client asks for.
    pub(super) top: Option<usize>,
    /// Number of members on the previous pages.
    pub(super) skip: usize,
}

impl Query {
    /// Options that a collection supports.
    pub(super) const COLLECTION: &[&str] = &["$select", "$top", "$skiptoken"];
    /// Options that a member of a collection supports.
    pub(super) const ENTITY: &[&str] = &["$select"];

    /// Parses a raw query.
    ///
    /// # Errors
    /// 400 if an option is not in `allowed`, is repeated or has an invalid value.
    pub(super) fn parse(raw: &str, allowed: &[&str]) -> Result<Self, ErrorResponse> {
        let mut query = Self::default();
        let mut seen = Vec::new();
        for (name, value) in parse_pairs(raw)? {
            if !allowed.contains(&name.as_str()) {
                let message = format!("query option '{name}' is not supported here");
                return Err(ErrorResponse::bad_request(message));
            }
            let parsed = match name.as_str() {
                "$select" => parse_names(&value).map(|names| query.select = Some(names)),
                "$expand" => parse_names(&value).map(|names| query.expand = names),
                "$top" => value.parse().ok().filter(|top| *top > 0).map(|top| query.top = Some(top)),
                "$skiptoken" => decode_skiptoken(&value).map(|skip| query.skip = skip),
                _ => None,
            };
            if parsed.is_none() || seen.contains(&name) {
                return Err(ErrorResponse::bad_request(format!("invalid query option '{name}={value}'")));
            }
            seen.push(name);
        }
        Ok(query)
    }

    /// Returns 400 if a selected property is not in `known`.
    pub(super) fn require_properties(&self, known: &[&str]) -> Result<(), ErrorResponse> {
        match self.select.iter().flatten().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(ErrorResponse::bad_request(format!("unknown property '{name}' in $select"))),
        }
    }

    /// Removes the properties that are not selected.
    pub(super) fn project(&self, mut entity: Map<String, Value>) -> Map<String, Value> {
        if let Some(select) = &self.select {
            entity.retain(|name, _| select.contains(name));
        }
        entity
    }

    /// Returns the selected properties in parentheses, as in an `@odata.context`; empty if all are returned.
    pub(super) fn select_suffix(&self) -> String {
        self.select.as_ref().map(|names| format!("({})", names.join(","))).unwrap_or_default()
    }

    /// Returns the query of the page that starts after `skip` members, with the same `$select` and `$top`.
    pub(super) fn next_page_query(&self, skip: usize) -> String {
        let select = self.select.as_ref().map(|names| format!("$select={}", names.join(",")));
        let top = self.top.map(|top| format!("$top={top}"));
        let token = format!("$skiptoken={:x}", skip ^ TOKEN_MASK);
        select.into_iter().chain(top).chain([token]).collect::<Vec<_>>().join("&")
    }
}

fn parse_names(list: &str) -> Option<Vec<String>> {
    list.split(',').map(|name| Some(name.trim().to_owned()).filter(|name| !name.is_empty())).collect()
}

fn decode_skiptoken(token: &str) -> Option<usize> {
    usize::from_str_radix(token, 16).ok().map(|masked| masked ^ TOKEN_MASK)
}

fn parse_pairs(raw: &str) -> Result<Vec<(String, String)>, ErrorResponse> {
    let decode = |text: &str| percent_decode(&text.replace('+', " "));
    raw.split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| piece.split_once('=').unwrap_or((piece, "")))
        .map(|(name, value)| Ok((decode(name)?, decode(value)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[&str] = &["$select", "$expand", "$top", "$skiptoken"];

    #[test]
    fn parse_with_encoded_options_decodes_them() {
        let query = Query::parse("%24select=id,+displayName&$expand=a%2Cb&&$top=3", ALL).unwrap();
        let expected = Query {
            select: Some(vec!["id".into(), "displayName".into()]),
            expand: vec!["a".into(), "b".into()],
            top: Some(3),
            skip: 0,
        };
        assert_eq!(query, expected);
    }

    #[test]
    fn parse_with_unsupported_options_fails_with_400() {
        for raw in [
            "$filter=a",
            "x=1",
            "$top=0",
            "$top=-1",
            "$top=",
            "$select=",
            "$select=a,,b",
            "$top=1&$top=1",
            "$skiptoken=zz",
            "$top=%3",
            "$top=%zz",
            "$select=%ff",
        ] {
            assert_eq!(Query::parse(raw, ALL).unwrap_err().status, 400, "{raw}");
        }
        assert!(Query::parse("$top=1", Query::ENTITY).is_err());
    }

    #[test]
    fn next_page_query_keeps_the_options() {
        let query = Query::parse("$top=3&$select=id", ALL).unwrap();
        let next = Query::parse(&query.next_page_query(6), ALL).unwrap();
        assert_eq!(next, Query { skip: 6, ..query });
    }

    #[test]
    fn require_properties_with_an_unknown_property_names_it() {
        let query = Query::parse("$select=id,name", ALL).unwrap();
        assert!(query.require_properties(&["id", "name", "x"]).is_ok());
        assert!(query.require_properties(&["id"]).unwrap_err().message.contains("'name'"));
    }
}
