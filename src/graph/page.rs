//! Collections: every page, wherever the service cuts them
//! (<https://learn.microsoft.com/graph/paging>). A page may be empty; a link is opaque and used whole.

use std::collections::BTreeSet;

use reqwest::Url;
use serde::de::DeserializeOwned;

use super::client::Graph;
use super::error::{GraphError, GraphErrorKind};
use super::wire::Page;
use crate::http::Patience;

/// More pages than any collection of ours can have: a tenant has some 200 flows and 20 connectors.
const MAX_PAGES: usize = 1_000;

/// Reads a collection from its first page on.
pub(super) async fn all<T: DeserializeOwned>(graph: &Graph, first: Url) -> Result<Vec<T>, GraphError> {
    let mut items = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = first;
    loop {
        let (answer, page) = graph.get::<Page<T>>(next.clone(), Patience::Full).await?;
        items.extend(page.value);
        let Some(link) = page.next_link else { return Ok(items) };
        let line = graph.request_line("GET", &next);
        seen.insert(next);
        next = follow(graph, &link, &seen).map_err(|kind| GraphError::of(line, &answer, kind))?;
    }
}

fn follow(graph: &Graph, link: &str, seen: &BTreeSet<Url>) -> Result<Url, GraphErrorKind> {
    let next = graph.root().resolve(link).filter(|url| graph.root().is_origin_of(url));
    let next = next.ok_or_else(|| GraphErrorKind::LinkElsewhere(origin(link)))?;
    if seen.contains(&next) || seen.len() >= MAX_PAGES {
        return Err(GraphErrorKind::Broken("its pages have no end".into()));
    }
    Ok(next)
}

/// Where a link leads, without what it carries along.
fn origin(link: &str) -> String {
    match Url::parse(link) {
        Ok(url) if url.has_host() => url.origin().ascii_serialization(),
        _ => "something that is no URL".into(),
    }
}
