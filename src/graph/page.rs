//! Reads all pages of a collection (<https://learn.microsoft.com/graph/paging>). A page may be empty. The link to
//! the next page is opaque and is used unchanged.

use std::collections::BTreeSet;

use reqwest::{Method, Url};
use serde::de::DeserializeOwned;

use super::cloud::GraphUrl;
use super::error::{GraphError, GraphErrorKind, RequestLine, origin};
use super::permission::Need;
use super::transport::Transport;
use super::wire::Page;
use crate::http::RetryBudget;

/// Limit of the number of pages: a tenant has at most about 200 flows and 20 connectors.
const MAX_PAGES: usize = 1_000;

/// Size limit of all pages together, in bytes.
const MAX_BYTES: usize = 8 << 20;

/// Reads all pages of a collection, beginning with the URL of its first page, and returns their items. Fails
/// if any page is unreadable, a link is not followed, or the pages have more than 8 MiB or do not end.
pub(super) async fn read_all<T: DeserializeOwned>(
    transport: &Transport,
    need: Need,
    first: Url,
) -> Result<Vec<T>, GraphError> {
    let mut items = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = first;
    let mut bytes: usize = 0;
    loop {
        let line = RequestLine::new(need, &Method::GET, &next);
        let budget = RetryBudget::UntilDeadline;
        let (answer, page) = transport.get(need, next.clone(), budget, Page::<T>::is_error).await?;
        let unusable = |kind| GraphError::from_answer(line, &answer, kind);
        bytes = bytes.saturating_add(answer.body.len());
        if bytes > MAX_BYTES {
            let message = "the pages of the collection exceed 8 MiB";
            return Err(unusable(GraphErrorKind::UnexpectedResponse(message.into())));
        }
        items.extend(page.value);
        let Some(link) = page.next_link.filter(|link| !link.is_empty()) else { return Ok(items) };
        seen.insert(next);
        next = follow(&transport.root, &link, &seen).map_err(unusable)?;
    }
}

/// Returns the URL of the next page, to which `link` leads from `root`. An error if it leads to another
/// origin, has user info, is one of the `seen` pages, or comes after 1,000 pages.
///
/// # Errors
/// The link leads to another host than `root`, which would receive the token; or the pages do not end.
pub fn follow(root: &GraphUrl, link: &str, seen: &BTreeSet<Url>) -> Result<Url, GraphErrorKind> {
    // User info would be sent as a second credential.
    let next = root.resolve(link).filter(|url| url.username().is_empty() && url.password().is_none());
    let next = next.ok_or_else(|| GraphErrorKind::ForeignLink(origin(link)))?;
    if seen.contains(&next) || seen.len() >= MAX_PAGES {
        return Err(GraphErrorKind::UnexpectedResponse("the pages of the collection do not end".into()));
    }
    Ok(next)
}
