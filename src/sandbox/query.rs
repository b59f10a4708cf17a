//! The OData system query options that the emulator understands, and percent-decoding.
//!
//! Owns the reading of queries and the link to the next page; it must not know any resource. See
//! <https://learn.microsoft.com/graph/query-parameters>.

use serde_json::{Map, Value};

use super::odata::Problem;

/// Clients must not read the token, so it is no plain number.
const TOKEN_MASK: usize = 0x5eed_c0de;

/// The options of one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// The properties to answer with; all when absent.
    pub(super) select: Option<Vec<String>>,
    /// The relationships to follow.
    pub(super) expand: Vec<String>,
    /// The largest page that the client wants.
    pub(super) top: Option<usize>,
    /// How many members the pages before this one had.
    pub(super) skip: usize,
}

impl Query {
    /// The options of a collection.
    pub(super) const COLLECTION: &[&str] = &["$select", "$top", "$skiptoken"];
    /// The options of one member of a collection.
    pub(super) const ENTITY: &[&str] = &["$select"];

    /// Reads a raw query.
    ///
    /// Errors (400) on an option that is not `allowed`, is repeated or has a wrong value.
    pub(super) fn parse(raw: &str, allowed: &[&str]) -> Result<Self, Problem> {
        let mut query = Self::default();
        let mut seen = Vec::new();
        for (name, value) in pairs(raw)? {
            if !allowed.contains(&name.as_str()) {
                return Err(Problem::bad_request(format!("query option '{name}' is not supported here")));
            }
            let understood = match name.as_str() {
                "$select" => names(&value).map(|names| query.select = Some(names)),
                "$expand" => names(&value).map(|names| query.expand = names),
                "$top" => value.parse().ok().filter(|top| *top > 0).map(|top| query.top = Some(top)),
                "$skiptoken" => skip_of(&value).map(|skip| query.skip = skip),
                _ => None,
            };
            if understood.is_none() || seen.contains(&name) {
                return Err(Problem::bad_request(format!("'{name}={value}' is no valid query option")));
            }
            seen.push(name);
        }
        Ok(query)
    }

    /// Demands that every selected property is one of `known`.
    pub(super) fn require_properties(&self, known: &[&str]) -> Result<(), Problem> {
        match self.select.iter().flatten().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Problem::bad_request(format!("there is no property '{name}' to select"))),
        }
    }

    /// Keeps the selected properties of an entity.
    pub(super) fn project(&self, mut entity: Map<String, Value>) -> Map<String, Value> {
        if let Some(select) = &self.select {
            entity.retain(|name, _| select.contains(name));
        }
        entity
    }

    /// Gives the query of the page that begins after `skip` members.
    pub(super) fn next(&self, skip: usize) -> String {
        let select = self.select.as_ref().map(|names| format!("$select={}", names.join(",")));
        let top = self.top.map(|top| format!("$top={top}"));
        let token = format!("$skiptoken={:x}", skip ^ TOKEN_MASK);
        select.into_iter().chain(top).chain([token]).collect::<Vec<_>>().join("&")
    }
}

fn names(list: &str) -> Option<Vec<String>> {
    list.split(',').map(|name| Some(name.trim().to_owned()).filter(|name| !name.is_empty())).collect()
}

fn skip_of(token: &str) -> Option<usize> {
    usize::from_str_radix(token, 16).ok().map(|masked| masked ^ TOKEN_MASK)
}

fn pairs(raw: &str) -> Result<Vec<(String, String)>, Problem> {
    let decode = |text: &str| percent_decode(&text.replace('+', " "));
    raw.split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| piece.split_once('=').unwrap_or((piece, "")))
        .map(|(name, value)| Ok((decode(name)?, decode(value)?)))
        .collect()
}

/// Decodes `%41` to `A`.
///
/// Errors (400) on a broken escape and on bytes that are not UTF-8.
pub(super) fn percent_decode(text: &str) -> Result<String, Problem> {
    let broken = || Problem::bad_request("the URL is not well encoded");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = if byte == b'%' {
            let digits = rest.next().and_then(hex_digit).zip(rest.next().and_then(hex_digit));
            digits.map(|(high, low)| high << 4 | low).ok_or_else(broken)?
        } else {
            byte
        };
        bytes.push(decoded);
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[&str] = &["$select", "$expand", "$top", "$skiptoken"];

    #[test]
    fn options_are_read_decoded() {
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
    fn what_is_not_understood_is_refused() {
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
    fn the_next_page_keeps_the_options() {
        let query = Query::parse("$top=3&$select=id", ALL).unwrap();
        let next = Query::parse(&query.next(6), ALL).unwrap();
        assert_eq!(next, Query { skip: 6, ..query });
    }

    #[test]
    fn a_property_that_is_not_there_cannot_be_selected() {
        let query = Query::parse("$select=id,name", ALL).unwrap();
        assert!(query.require_properties(&["id", "name", "x"]).is_ok());
        assert!(query.require_properties(&["id"]).unwrap_err().message.contains("'name'"));
    }
}
