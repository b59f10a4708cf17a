//! HTTP connections of a run: trusted authorities, proxies, timeouts. Shared by all tenants.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::iter::successors;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::dns::Resolve;
use reqwest::{Certificate, ClientBuilder, Url, redirect, retry};
use tokio::sync::{Semaphore, SemaphorePermit};

pub use super::client_error::ClientError;
use super::proxies::{Proxies, Route};
use super::resolve::SystemResolver;
use super::trust_store::{TrustStore, parse_authorities};
use super::warnings::Warnings;

/// Time to establish a connection: short enough for two attempts within the 20 s of
/// [`reachability`](super::reachability).
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(9);

/// Time without any byte of a response (read timeout).
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Interval and timeout of HTTP/2 keep-alive pings. Both end before [`READ_TIMEOUT`], so that a retry uses
/// another connection.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum requests in flight of all tenants. Each may need a connection of its own, and a process may usually
/// open 1024 files.
const MAX_IN_FLIGHT: usize = 512;

/// Maximum bytes of all responses that are being received: a large fleet has about 10 MiB.
const MAX_IN_FLIGHT_BYTES: usize = 32 << 20;

/// HTTP connections of a run.
#[derive(Debug)]
pub struct Connections {
    /// Authorities to trust in addition to those of the system or of `SSL_CERT_FILE`.
    authorities: Vec<Certificate>,
    trust_store: TrustStore,
    proxies: Arc<Proxies>,
    permits: Semaphore,
    /// Bytes of the responses that are being received.
    received: AtomicUsize,
    open: Mutex<BTreeMap<ProxyMode, ClientGeneration>>,
    resolver: Resolver,
    /// Warnings about hosts.
    pub(super) warnings: Warnings,
}

/// The resolver of host names.
struct Resolver(Arc<dyn Resolve>);

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

/// A reqwest client with its connection pool, and the number of clients before it.
#[derive(Debug, Clone)]
pub(super) struct ClientGeneration {
    pub(super) client: reqwest::Client,
    generation: u64,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            authorities: Vec::new(),
            trust_store: TrustStore::default(),
            proxies: Arc::default(),
            permits: Semaphore::new(MAX_IN_FLIGHT),
            received: AtomicUsize::new(0),
            open: Mutex::default(),
            resolver: Resolver(Arc::new(SystemResolver)),
            warnings: Warnings::default(),
        }
    }
}

impl Connections {
    /// Creates connections that trust additional certificate authorities, given as PEM.
    ///
    /// # Errors
    /// The PEM has no certificate, or an invalid one.
    pub fn with_authorities(pem: &[u8]) -> Result<Self, ClientError> {
        Ok(Self { authorities: parse_authorities(pem)?, ..Self::default() })
    }

    /// Sets the proxies, and what the environment names in place of the certificate authorities of the system.
    #[must_use]
    pub fn with_environment(self, proxies: Proxies, trust_store: TrustStore) -> Self {
        Self { proxies: Arc::new(proxies), trust_store, ..self }
    }

    /// Builds the client for other machines before its first use.
    ///
    /// # Errors
    /// No certificate authority can be used.
    pub fn prepare(&self) -> Result<(), ClientError> {
        self.open(ProxyMode::Proxied, |_| true).map(drop)
    }

    /// Sets the maximum number of requests in flight of all tenants together.
    #[must_use]
    pub fn with_max_in_flight(self, requests: usize) -> Self {
        Self { permits: Semaphore::new(requests), ..self }
    }

    /// Replaces the resolver of host names.
    #[must_use]
    pub fn with_resolver(self, resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver: Resolver(resolver), ..self }
    }

    /// Returns the proxy that requests to a URL go through, with its credentials; `None` if they are sent directly.
    pub(super) fn intercept(&self, url: &Url) -> Option<Intercept> {
        let proxied = ProxyMode::for_url(url) == ProxyMode::Proxied;
        let proxy = self.proxies.proxy_for(url).filter(|_| proxied)?;
        Matcher::builder().all(proxy.as_str()).build().intercept(&url.as_str().parse().ok()?)
    }

    /// Returns how the host of a URL is reached.
    pub(super) fn route(&self, url: &Url) -> Route {
        if ProxyMode::for_url(url) == ProxyMode::Proxied { self.proxies.route(url) } else { Route::Local }
    }

    /// Returns the newest client for a URL; builds it on first use. There is one for hosts that may need a
    /// proxy, one for this machine, and one for this machine without TLS.
    pub(super) fn client_for(&self, url: &Url) -> Result<ClientGeneration, ClientError> {
        self.open(ProxyMode::for_url(url), |_| true)
    }

    /// Returns another client than `used`, because the service asked for a new connection. Creates it unless
    /// another request did so before.
    pub(super) fn client_other_than(
        &self,
        used: &ClientGeneration,
        url: &Url,
    ) -> Result<ClientGeneration, ClientError> {
        self.open(ProxyMode::for_url(url), |open| open.generation != used.generation)
    }

    /// Waits until one more request of all tenants may be in flight. It counts until the permit is dropped.
    pub(super) async fn acquire(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.permits.acquire().await.ok()
    }

    /// Creates a counter for the bytes of one response. They count towards the maximum of all responses until
    /// the counter is dropped.
    pub(super) fn count_in_flight(&self) -> InFlightBytes<'_> {
        InFlightBytes { all: &self.received, bytes: 0 }
    }

    fn open(
        &self,
        mode: ProxyMode,
        fits: impl Fn(&ClientGeneration) -> bool,
    ) -> Result<ClientGeneration, ClientError> {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.get(&mode);
        if let Some(open) = before.filter(|open| fits(open)) {
            return Ok(open.clone());
        }
        let generation = before.map_or(0, |open| open.generation.saturating_add(1));
        let open = ClientGeneration { client: self.build(mode)?, generation };
        all.insert(mode, open.clone());
        Ok(open)
    }

    fn build(&self, mode: ProxyMode) -> Result<reqwest::Client, ClientError> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("flowbind/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .dns_resolver(Arc::clone(&self.resolver.0))
            .read_timeout(READ_TIMEOUT)
            .http2_keep_alive_interval(PING_TIMEOUT)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .retry(retry::never())
            .redirect(redirect::Policy::none());
        let builder = match mode {
            ProxyMode::Proxied => self.trust(builder)?.proxy(Proxies::to_reqwest(&self.proxies)),
            ProxyMode::Direct => self.trust(builder)?.no_proxy(),
            // Loading the authorities takes longer than a plan.
            ProxyMode::Plain => builder.tls_certs_only([]).no_proxy(),
        };
        builder.build().map_err(|error| match with_causes(&error) {
            // The message of rustls-platform-verifier, which has no type for it.
            text if text.contains("No CA certificates were loaded") => self.trust_store.empty(),
            text => ClientError::Build(text),
        })
    }

    /// Sets the trusted authorities: those of the environment, otherwise those of the system, and in addition those of
    /// `--ca-file`.
    fn trust(&self, builder: ClientBuilder) -> Result<ClientBuilder, ClientError> {
        let Some(mut trusted) = self.trust_store.load()? else {
            return Ok(builder.tls_certs_merge(self.authorities.iter().cloned()));
        };
        trusted.extend_from_slice(&self.authorities);
        if trusted.is_empty() { Err(self.trust_store.empty()) } else { Ok(builder.tls_certs_only(trusted)) }
    }
}

/// Bytes of one response that is being received.
pub(super) struct InFlightBytes<'a> {
    all: &'a AtomicUsize,
    bytes: usize,
}

impl InFlightBytes<'_> {
    /// Counts more bytes. Returns false if all responses together exceed the maximum.
    pub(super) fn add(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        self.all.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= MAX_IN_FLIGHT_BYTES
    }
}

impl Drop for InFlightBytes<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// How a host is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ProxyMode {
    /// Through the proxy of the environment, if there is one.
    Proxied,
    /// Directly, because the host is this machine.
    Direct,
    /// Directly and without TLS.
    Plain,
}

impl ProxyMode {
    fn for_url(url: &Url) -> Self {
        match url.scheme() {
            _ if !is_loopback(url) && !is_link_local(url) => Self::Proxied,
            "http" => Self::Plain,
            _ => Self::Direct,
        }
    }
}

/// Returns whether the host of a URL is `localhost` or a loopback address.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Returns whether requests to a URL are protected in transit: https, or loopback.
pub fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// Returns whether the host of a URL is link-local (169.254.0.0/16), which no router forwards. The metadata
/// services of clouds have such addresses.
pub fn is_link_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_link_local())
}

/// Returns the messages of an error and its causes, joined by `: `. Omits a message that the text already
/// contains.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let causes = successors(error.source(), |&error| error.source()).map(ToString::to_string);
    causes.fold(
        error.to_string(),
        |text, cause| {
            if text.contains(&cause) { text } else { format!("{text}: {cause}") }
        },
    )
}
