//! Connections: whom to trust, which proxy to take, how long to wait. Shared by all that a run asks.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Certificate, Url, redirect, retry};

/// How long a connection may take, and how long an answer may be silent.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(30);

/// The connections of a run.
#[derive(Debug, Default)]
pub struct Connections {
    /// Whom to trust besides those that the system trusts (or `SSL_CERT_FILE` in their place).
    authorities: Vec<Certificate>,
    proxied: OnceLock<reqwest::Client>,
    direct: OnceLock<reqwest::Client>,
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
        connections.anew(false)?;
        Ok(connections)
    }

    /// The connections that lead to a URL. What is on this machine is never reached through a proxy.
    pub(super) fn to(&self, url: &Url) -> Result<reqwest::Client, String> {
        let direct = is_here(url);
        let place = if direct { &self.direct } else { &self.proxied };
        if let Some(connections) = place.get() {
            return Ok(connections.clone());
        }
        let connections = self.anew(direct)?;
        Ok(place.get_or_init(|| connections).clone())
    }

    /// The same, but none that is open already.
    pub(super) fn new_to(&self, url: &Url) -> Result<reqwest::Client, String> {
        self.anew(is_here(url))
    }

    fn anew(&self, direct: bool) -> Result<reqwest::Client, String> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("flowbind/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .tls_certs_merge(self.authorities.iter().cloned())
            .retry(retry::never())
            .redirect(redirect::Policy::none());
        let builder = if direct { builder.no_proxy() } else { builder };
        builder.build().map_err(|error| with_causes(&error))
    }
}

/// Whether a URL is on this machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
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
