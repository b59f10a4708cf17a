//! Connections: whom to trust, which proxy to take, how long to wait. Shared by all that a run asks.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::dns::Resolve;
use reqwest::{Certificate, Url, redirect, retry};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::message::SendErrorKind;
use super::resolve::SystemResolver;

/// Time to establish a connection: short enough for two attempts within the 20 s of
/// [`reachability`](super::reachability).
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(9);

/// How long an answer may be silent.
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// How long a connection that many requests share may be silent before it is asked for a sign of life,
/// and how long that may take: before [`SILENCE`] is over, so that what is sent again goes elsewhere.
const PING: Duration = Duration::from_secs(10);

/// How many requests a run has in flight at most, however many tenants: each may need a connection of
/// its own, and a process may usually open 1024 files.
const MOST_AT_ONCE: usize = 512;

/// The most bytes of answers that are being received at once: a fleet's have some 10 MiB.
const MOST_RECEIVED: usize = 32 << 20;

/// The connections of a run.
#[derive(Debug)]
pub struct Connections {
    /// Whom to trust besides those that the system trusts (or `SSL_CERT_FILE` in their place).
    authorities: Vec<Certificate>,
    /// The variable that is to name a proxy, and does not.
    misspelt_proxy: Option<&'static str>,
    places: Semaphore,
    /// The bytes of the answers that are being received.
    received: AtomicUsize,
    open: Mutex<BTreeMap<Way, Open>>,
    resolver: Resolver,
    /// The proxies of the environment, read as reqwest reads them.
    proxies: LazyLock<Matcher>,
}

/// The resolver of host names.
struct Resolver(Arc<dyn Resolve>);

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// Connections that are open, and which of several such sets they are.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) client: reqwest::Client,
    generation: u64,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            authorities: Vec::new(),
            misspelt_proxy: None,
            places: Semaphore::new(MOST_AT_ONCE),
            received: AtomicUsize::new(0),
            open: Mutex::default(),
            resolver: Resolver(Arc::new(SystemResolver)),
            proxies: LazyLock::new(Matcher::from_system),
        }
    }
}

impl Connections {
    /// Connections that trust certificate authorities besides the system's, given as PEM.
    ///
    /// # Errors
    /// What is wrong with the PEM.
    pub fn trusting(pem: &[u8]) -> Result<Self, String> {
        let authorities = Certificate::from_pem_bundle(pem).map_err(|error| with_causes(&error))?;
        if authorities.is_empty() {
            return Err("it holds no certificate".into());
        }
        let connections = Self { authorities, ..Self::default() };
        // A certificate that is none is found out here.
        connections.build(Way::Proxied)?;
        Ok(connections)
    }

    /// The same, with so many requests in flight at most.
    #[must_use]
    pub fn at_most(self, requests: usize) -> Self {
        Self { places: Semaphore::new(requests), ..self }
    }

    /// The same, but that nothing leaves this machine where this variable misspells the proxy: it would go
    /// without one.
    #[must_use]
    pub fn unless_misspelt(self, proxy: Option<&'static str>) -> Self {
        Self { misspelt_proxy: proxy, ..self }
    }

    /// Replaces the resolver of host names.
    #[must_use]
    pub fn with_resolver(self, resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver: Resolver(resolver), ..self }
    }

    /// Returns host and port of the proxy that requests to a URL go through.
    pub(super) fn proxy(&self, url: &Url) -> Option<String> {
        if Way::to(url) != Way::Proxied {
            return None;
        }
        let proxy = self.proxies.intercept(&url.as_str().parse().ok()?)?;
        let uri = proxy.uri();
        let host = uri.host()?;
        Some(uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    }

    /// The connections that lead to a URL.
    pub(super) fn to(&self, url: &Url) -> Result<Open, SendErrorKind> {
        self.open(url, |_| true).map_err(SendErrorKind::Invalid)
    }

    /// Others than these, which the service does not want any more: new ones, unless somebody asked for
    /// such before.
    pub(super) fn other_than(&self, used: &Open, url: &Url) -> Result<Open, String> {
        self.open(url, |open| open.generation != used.generation)
    }

    /// Waits until one more request may be in flight.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.places.acquire().await.ok()
    }

    /// Counts the bytes of one answer while it is received.
    pub(super) fn hold(&self) -> Held<'_> {
        Held { all: &self.received, bytes: 0 }
    }

    fn open(&self, url: &Url, fits: impl Fn(&Open) -> bool) -> Result<Open, String> {
        let way = Way::to(url);
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.get(&way);
        if let Some(open) = before.filter(|open| fits(open)) {
            return Ok(open.clone());
        }
        let generation = before.map_or(0, |open| open.generation.saturating_add(1));
        let open = Open { client: self.build(way)?, generation };
        all.insert(way, open.clone());
        Ok(open)
    }

    fn build(&self, way: Way) -> Result<reqwest::Client, String> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("flowbind/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .dns_resolver(Arc::clone(&self.resolver.0))
            .read_timeout(SILENCE)
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PING)
            .retry(retry::never())
            .redirect(redirect::Policy::none());
        let authorities = self.authorities.iter().cloned();
        let builder = match way {
            Way::Proxied => match self.misspelt_proxy {
                Some(name) => return Err(format!("`{name}` is no http or https address of a proxy")),
                None => builder.tls_certs_merge(authorities),
            },
            Way::Direct => builder.tls_certs_merge(authorities).no_proxy(),
            // To load those that the system trusts takes longer than a plan.
            Way::Plain => builder.tls_certs_only([]).no_proxy(),
        };
        builder.build().map_err(|error| with_causes(&error))
    }
}

/// The bytes of an answer that is being received.
pub(super) struct Held<'a> {
    all: &'a AtomicUsize,
    bytes: usize,
}

impl Held<'_> {
    /// Counts more of them. Gives whether there may be so many at once.
    pub(super) fn more(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        self.all.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= MOST_RECEIVED
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// How a place is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// Through the proxy of the environment, where there is one.
    Proxied,
    /// By itself: what is on this machine is never reached through a proxy.
    Direct,
    /// The same, in the clear.
    Plain,
}

impl Way {
    fn to(url: &Url) -> Self {
        match url.scheme() {
            _ if !is_here(url) => Self::Proxied,
            "http" => Self::Plain,
            _ => Self::Direct,
        }
    }
}

/// Whether a proxy that we can speak to can have this address. Where the environment gives one that makes
/// no sense, reqwest goes without:
/// <https://docs.rs/hyper-util/0.1/hyper_util/client/proxy/matcher/struct.Matcher.html>.
pub fn is_address_of_a_proxy(text: &str) -> bool {
    text.parse::<hyper::Uri>().is_ok_and(|uri| {
        uri.host().is_some_and(|host| !host.is_empty())
            && uri.scheme_str().is_none_or(|scheme| ["http", "https"].contains(&scheme))
    })
}

/// Whether a URL is on this machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
}

/// Whether nobody can listen, or change what is said, on the way to a URL.
pub fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// Whether a URL is of the host that this machine runs on: 169.254.0.0/16, which no router forwards.
/// The metadata services of clouds are there.
pub fn is_link_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_link_local())
}

fn is_here(url: &Url) -> bool {
    is_loopback(url) || is_link_local(url)
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// An error and what led to it, in one line.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}
