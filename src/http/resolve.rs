//! Name resolution with an error type of our own, so that a failed lookup is recognized by its type.

use std::io;
use std::net::ToSocketAddrs as _;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::blocking;

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
            let lookup = blocking::call(move || (name.as_str(), 0).to_socket_addrs());
            let found = lookup.await.flatten().map_err(|source| ResolveError { source })?;
            let addresses: Addrs = Box::new(found);
            Ok(addresses)
        })
    }
}
