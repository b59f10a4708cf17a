//! Reads all pages of a collection (<https://learn.microsoft.com/graph/paging>). A page may be empty. The link to
//! the next page is opaque and is used unchanged.

use std::collections::BTreeSet;

use reqwest::{Method, Url};

use super::cloud::GraphUrl;
use super::error::{GraphError, GraphErrorKind, RequestLine, origin};
use super::permission::Need;
use super::transport::Transport;
use super::wire::{Item, Page};
use crate::http::RetryBudget;

/// Limit of the number of pages. A tenant has at most about 200 flows and 20 connectors
/// (<https://learn.microsoft.com/azure/active-directory-b2c/service-limits>), which are few pages, and 100 requests are
/// half of what the rate limit allows in a minute.
const MAX_PAGES: usize = 100;

/// Limit of the number of consecutive pages without a new item. Some pages may be empty.
const MAX_PAGES_WITHOUT_NEW_ITEM: usize = 10;

/// Size limit of all pages together, in bytes.
const MAX_BYTES: usize = 8 << 20;

/// Reads all pages of a collection, beginning with the URL of its first page, and returns their items, also those
/// that several pages have. Fails if any page is unreadable, a link is not followed, or the pages have more than
/// 8 MiB or do not end.
pub(super) async fn read_all<T: Item>(
    transport: &Transport,
    need: Need,
    first: Url,
) -> Result<Vec<T>, GraphError> {
    let (mut items, mut ids) = (Vec::new(), BTreeSet::new());
    let mut seen = BTreeSet::new();
    let mut without_new_item: usize = 0;
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
        let known = ids.len();
        ids.extend(page.value.iter().map(|item| item.id().to_owned()));
        without_new_item = if ids.len() > known { 0 } else { without_new_item.saturating_add(1) };
        items.extend(page.value);
        let Some(link) = page.next_link.filter(|link| !link.is_empty()) else { return Ok(items) };
        // Other links may lead to the same items for ever.
        if without_new_item >= MAX_PAGES_WITHOUT_NEW_ITEM {
            return Err(unusable(endless(&format!("{without_new_item} pages in a row have no new item"))));
        }
        seen.insert(next);
        next = follow(&transport.root, &link, &seen).map_err(unusable)?;
    }
}

/// Returns the URL of the next page, to which `link` leads from `root`. An error if it leads to another
/// origin, has user info, is one of the `seen` pages, or comes after 100 pages.
///
/// # Errors
/// The link leads to another host than `root`, which would receive the token; or the pages do not end.
pub fn follow(root: &GraphUrl, link: &str, seen: &BTreeSet<Url>) -> Result<Url, GraphErrorKind> {
    // User info would be sent as a second credential.
    let next = root.resolve(link).filter(|url| url.username().is_empty() && url.password().is_none());
    let next = next.ok_or_else(|| GraphErrorKind::ForeignLink(origin(link)))?;
    if seen.contains(&next) {
        return Err(endless("the link leads to a page that was read before"));
    }
    if seen.len() >= MAX_PAGES {
        return Err(endless(&format!("there are more than {MAX_PAGES}")));
    }
    Ok(next)
}

fn endless(why: &str) -> GraphErrorKind {
    GraphErrorKind::UnexpectedResponse(format!("the pages of the collection do not end: {why}"))
}
