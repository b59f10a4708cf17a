//! Name resolution with an error type of our own, so that a failed lookup is recognized by its type.

use std::io;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Error of a lookup that found no address.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct ResolveError {
    /// The error of the system's resolver.
    pub source: io::Error,
}

/// The system's resolver (`getaddrinfo`).
#[derive(Debug, Clone, Copy)]
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is replaced by the one of the URL.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<_> = found.map_err(|source| ResolveError { source })?.collect();
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}
