//! Proxies: which requests go through one. The variables mean what they mean for curl
//! (<https://curl.se/libcurl/c/CURLOPT_NOPROXY.html>).

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

/// Proxy of a run, and the hosts that are reached without it. Each is from a variable, whose name comes first.
#[derive(Clone)]
pub struct Proxies {
    /// Proxy of the environment; `None` for the one in the settings of the system.
    proxy: Option<(&'static str, Url)>,
    /// Hosts, domains and networks.
    no_proxy: (&'static str, String),
}

/// How a host is reached, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Directly, whatever the proxy is: the host is this machine or link-local.
    Local,
    /// Directly, because no proxy is configured.
    Direct,
    /// Directly, because this variable lists the host.
    NoProxy(&'static str),
    /// Through a proxy.
    Proxy {
        /// Host and port of the proxy.
        address: String,
        /// Variable with the proxy; `None` for the settings of the system.
        variable: Option<&'static str>,
        /// Variable with the hosts that are reached without it.
        no_proxy: &'static str,
    },
}

/// The settings of the system, on macOS and Windows.
static SYSTEM: LazyLock<Matcher> = LazyLock::new(Matcher::from_system);

/// Proxy that is configured, but cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnusableProxy {
    /// The value of a variable, which may contain a password.
    #[error("`{0}` is not the URL of an http or https proxy")]
    Variable(&'static str),
    /// A value in the registry of Windows.
    #[error("`{0}` in the proxy settings of Windows is not supported")]
    Setting(&'static str),
}

impl UnusableProxy {
    /// Returns what to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Variable(_) => "set it to a URL such as `http://proxy.example.com:8080`, or unset it",
            Self::Setting(_) => {
                "set the variable `HTTPS_PROXY` to the URL of the proxy, such as `http://proxy.example.com:8080`, or \
                 `NO_PROXY` to `*` to connect directly"
            }
        }
    }
}

impl fmt::Debug for Proxies {
    /// Writes no URL, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").field("no_proxy", &self.no_proxy).finish_non_exhaustive()
    }
}

impl Default for Proxies {
    fn default() -> Self {
        Self { proxy: None, no_proxy: ("NO_PROXY", String::new()) }
    }
}

impl Proxies {
    /// Creates proxies from variables, each with its name and value. Without a variable for the proxy, the settings of
    /// the system count.
    ///
    /// # Errors
    /// The value is not the URL of an http or https proxy, or the settings are not supported.
    pub fn new(
        proxy: Option<(&'static str, String)>,
        no_proxy: Option<(&'static str, String)>,
    ) -> Result<Self, UnusableProxy> {
        let no_proxy = no_proxy.unwrap_or(Self::default().no_proxy);
        let proxy = match proxy {
            Some((name, text)) => Some((name, parse(&text).ok_or(UnusableProxy::Variable(name))?)),
            None if no_proxy.1 == "*" => None,
            None => unsupported_setting().map_or(Ok(None), |name| Err(UnusableProxy::Setting(name)))?,
        };
        Ok(Self { proxy, no_proxy })
    }

    /// Returns the proxy for a URL; `None` if it is reached directly.
    pub(super) fn proxy_for(&self, url: &Url) -> Option<Url> {
        if is_listed(&self.no_proxy.1, url.host_str()?) {
            return None;
        }
        self.proxy.as_ref().map(|(_, url)| url.clone()).or_else(|| {
            let proxy = SYSTEM.intercept(&url.as_str().parse().ok()?)?;
            proxy.uri().to_string().parse().ok()
        })
    }

    /// Returns how the host of a URL that may need a proxy is reached.
    pub(super) fn route(&self, url: &Url) -> Route {
        let no_proxy = self.no_proxy.0;
        let address = |proxy: Url| {
            let host = proxy.host_str()?;
            Some(proxy.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
        };
        match self.proxy_for(url).and_then(address) {
            Some(address) => {
                let variable = self.proxy.as_ref().map(|(name, _)| *name);
                Route::Proxy { address, variable, no_proxy }
            }
            None if self.proxy.is_some() => Route::NoProxy(no_proxy),
            None => Route::Direct,
        }
    }

    /// Returns the proxies in the form of reqwest.
    pub(super) fn to_reqwest(this: &Arc<Self>) -> reqwest::Proxy {
        let this = Arc::clone(this);
        reqwest::Proxy::custom(move |url| this.proxy_for(url))
    }
}

/// Returns the name of a proxy setting of Windows with which [`Matcher::from_system`] would bypass the proxy: a
/// `ProxyServer` that is not one http or https proxy, or an `AutoConfigURL` without a `ProxyServer`.
#[cfg(windows)]
fn unsupported_setting() -> Option<&'static str> {
    const KEY: &str = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings";
    let settings = windows_registry::CURRENT_USER.open(KEY).ok()?;
    let text = |name| settings.get_string(name).ok().filter(|text| !text.is_empty());
    let is_enabled = settings.get_u32("ProxyEnable").is_ok_and(|flag| flag != 0);
    match text("ProxyServer").filter(|_| is_enabled) {
        Some(server) => (!is_supported_server(&server)).then_some("ProxyServer"),
        None => text("AutoConfigURL").map(|_| "AutoConfigURL"),
    }
}

#[cfg(not(windows))]
fn unsupported_setting() -> Option<&'static str> {
    None
}

/// Returns whether a `ProxyServer` of Windows is one http or https proxy, and not a list such as
/// `http=proxy:80;https=proxy:80`.
#[cfg(any(windows, test))]
fn is_supported_server(text: &str) -> bool {
    parse(text).is_some() && !text.contains(['=', ';'])
}

/// Parses the URL of a proxy, which may have no scheme.
fn parse(text: &str) -> Option<Url> {
    // reqwest passes the URL on in this form.
    let uri =
        text.parse::<hyper::Uri>().ok().filter(|uri| uri.host().is_some_and(|host| !host.is_empty()))?;
    let url = match uri.scheme_str() {
        Some("http" | "https") => Url::parse(text),
        Some(_) => return None,
        None => Url::parse(&format!("http://{text}")),
    };
    url.ok().filter(Url::has_host)
}

/// Returns whether a list has a host: by its name, a domain that it is in, its address or a network. A single `*` has
/// every host.
fn is_listed(no_proxy: &str, host: &str) -> bool {
    if no_proxy == "*" {
        return true;
    }
    let mut entries = no_proxy.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
    match host.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(address) => entries.any(|entry| is_in_network(address, entry)),
        Err(_) => entries.any(|entry| is_in_domain(host.strip_suffix('.').unwrap_or(host), entry)),
    }
}

fn is_in_domain(host: &str, entry: &str) -> bool {
    let domain = entry.strip_suffix('.').unwrap_or(entry);
    let domain = domain.strip_prefix('.').unwrap_or(domain);
    let split = host.len().checked_sub(domain.len()).and_then(|at| host.split_at_checked(at));
    !domain.is_empty()
        && split.is_some_and(|(before, end)| {
            end.eq_ignore_ascii_case(domain) && (before.is_empty() || before.ends_with('.'))
        })
}

/// Returns whether an entry is this address, or a network with it, such as `10.0.0.0/8`.
fn is_in_network(address: IpAddr, entry: &str) -> bool {
    let (network, bits) = match entry.split_once('/') {
        Some((network, bits)) => (network, bits.parse::<u32>().ok()),
        None => (entry, Some(u128::BITS)),
    };
    let Some(bits) = bits else { return false };
    match (address, network.parse()) {
        (IpAddr::V4(address), Ok(IpAddr::V4(network))) => {
            let shift = u32::BITS.saturating_sub(bits);
            address.to_bits().checked_shr(shift) == network.to_bits().checked_shr(shift)
        }
        (IpAddr::V6(address), Ok(IpAddr::V6(network))) => {
            let shift = u128::BITS.saturating_sub(bits);
            address.to_bits().checked_shr(shift) == network.to_bits().checked_shr(shift)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row but one was compared with curl 7.88.1, which does not match the network `fd00::/8`.
    #[test]
    fn no_proxy_lists_hosts_as_in_curl() {
        for (host, list, listed) in [
            ("graph.test.example", "graph.test.example", true),
            ("graph.test.example", "GRAPH.test.EXAMPLE", true),
            ("graph.test.example", "graph.test.example.", true),
            ("graph.test.example.", "graph.test.example", true),
            ("graph.test.example", "test.example", true),
            ("graph.test.example", ".test.example", true),
            ("graph.test.example", ".example.", true),
            ("graph.test.example", "other.example graph.test.example", true),
            ("graph.test.example", "other.example\tgraph.test.example", true),
            ("graph.test.example", "other.example , graph.test.example", true),
            ("graph.test.example", "*", true),
            ("graph.test.example", "other,*", false),
            ("graph.test.example", "*.test.example", false),
            ("graph.test.example", "raph.test.example", false),
            ("graph.test.example", "x.graph.test.example", false),
            ("graph.test.example", ".", false),
            ("graph.test.example", "", false),
            ("é.example", "x.example", false),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "11.0.0.0/8", false),
            ("10.1.2.3", "10.0.0.0/x", false),
            ("10.1.2.3", "2.3", false),
            ("[fd00::1]", "fd00::/8", true),
            ("[fd00::1]", "fd00::1", true),
            ("[fd00::1]", "fe00::/8", false),
        ] {
            assert_eq!(is_listed(list, host), listed, "{host} in {list:?}");
        }
    }

    #[test]
    fn server_of_windows_is_one_http_or_https_proxy() {
        for (text, is_supported) in [
            ("proxy.example:3128", true),
            ("http://proxy.example:3128", true),
            ("https://proxy.example", true),
            ("http=proxy.example:80;https=proxy.example:80", false),
            ("https=proxy.example:80", false),
            ("socks=proxy.example:1080", false),
            ("socks5://proxy.example:1080", false),
            ("proxy.example:3128 ", false),
            ("not a proxy", false),
        ] {
            assert_eq!(is_supported_server(text), is_supported, "{text}");
        }
    }

    #[test]
    fn proxy_is_an_http_or_https_url_with_or_without_scheme() {
        for (text, url) in [
            ("http://proxy.example:3128", Some("http://proxy.example:3128/")),
            ("https://user:pw@proxy.example", Some("https://user:pw@proxy.example/")),
            ("proxy.example:3128", Some("http://proxy.example:3128/")),
            ("ftp://proxy.example", None),
            ("socks5://proxy.example", None),
            ("http://", None),
            ("/proxy", None),
            ("http://proxy example", None),
        ] {
            assert_eq!(parse(text).as_ref().map(Url::as_str), url, "{text}");
        }
    }
}
