//! Where Graph is: the root of each national cloud, and URLs under it.

use std::fmt;

use reqwest::Url;

use crate::http::{is_loopback, is_safe};
use crate::model::{Api, Cloud};

/// The root of each cloud, after <https://learn.microsoft.com/graph/deployments>.
fn root(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Global => "https://graph.microsoft.com",
        Cloud::Usgov => "https://graph.microsoft.us",
        Cloud::UsgovDod => "https://dod-graph.microsoft.us",
        Cloud::China => "https://microsoftgraph.chinacloudapi.cn",
    }
}

/// Where a cloud's tenants sign in, after the same page.
pub fn authority(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Global => "https://login.microsoftonline.com",
        Cloud::Usgov | Cloud::UsgovDod => "https://login.microsoftonline.us",
        Cloud::China => "https://login.chinacloudapi.cn",
    }
}

/// What a token for a cloud's Graph is asked for by, after
/// <https://learn.microsoft.com/graph/sdks/national-clouds>.
pub fn scope(cloud: Cloud) -> String {
    format!("{}/.default", root(cloud))
}

/// What a token of another issuer has to be for, so that a cloud's tenants take it, after
/// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity>.
pub fn token_exchange(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Global => "api://AzureADTokenExchange",
        Cloud::Usgov | Cloud::UsgovDod => "api://AzureADTokenExchangeUSGov",
        Cloud::China => "api://AzureADTokenExchangeChina",
    }
}

/// A root of Graph with its version segment, such as `https://graph.microsoft.com/beta`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphUrl(Url);

/// Why a text is no root of Graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGraphUrl {
    /// It is not a URL.
    #[error("`{0}` is not a URL")]
    NotAUrl(String),
    /// It has parts that a root has not.
    #[error("a Graph URL has a scheme, a host, maybe a port, and a version, and nothing else")]
    Parts,
    /// The token would travel in the clear.
    #[error("plain http is for loopback only: the token would travel in the clear")]
    PlainHttp,
    /// It ends in another version than the file asks for.
    #[error("it must end in the version that the file asks for: `/{0}`")]
    Version(Api),
}

impl GraphUrl {
    /// The root of a cloud.
    ///
    /// # Errors
    /// None that the four clouds could give.
    pub fn of(cloud: Cloud, api: Api) -> Result<Self, InvalidGraphUrl> {
        Self::parse(&format!("{}/{api}", root(cloud)), api)
    }

    /// Takes a root as a person gives it.
    ///
    /// # Errors
    /// Not a URL, not https (but for loopback), with parts that a root has not, or of another version.
    pub fn parse(text: &str, api: Api) -> Result<Self, InvalidGraphUrl> {
        let mut url = Url::parse(text).map_err(|_| InvalidGraphUrl::NotAUrl(without_user_info(text)))?;
        let clean = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !clean || !url.has_host() || !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidGraphUrl::Parts);
        }
        if !is_safe(&url) {
            return Err(InvalidGraphUrl::PlainHttp);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        if path.rsplit('/').next() != Some(api.name()) {
            return Err(InvalidGraphUrl::Version(api));
        }
        url.set_path(&path);
        Ok(Self(url))
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Whether a URL has the same scheme, host and port.
    pub fn is_origin_of(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }

    /// A URL below it. Segments are percent-encoded as they need; the query is taken as it is.
    pub fn join(&self, segments: &[&str], query: Option<&str>) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(segments);
        }
        url.set_query(query);
        url
    }

    /// A URL below it as batches name it: its path from here, with its query.
    pub(super) fn relative(&self, url: &Url) -> String {
        let path = url.path().strip_prefix(self.0.path()).unwrap_or_else(|| url.path());
        match url.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }
    }

    /// Resolves what an answer calls a URL, which is an absolute one.
    pub(super) fn resolve(&self, link: &str) -> Option<Url> {
        self.0.join(link).ok()
    }
}

/// What stands before an `@` may be a password.
fn without_user_info(text: &str) -> String {
    text.rsplit_once('@').map_or(text, |(_, rest)| rest).to_owned()
}

impl fmt::Display for GraphUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cloud_and_version_has_a_root() {
        for cloud in Cloud::ALL {
            for api in Api::ALL {
                let url = GraphUrl::of(cloud, api).unwrap();
                assert_eq!(url.to_string(), format!("{}/{api}", root(cloud)));
                assert!(!url.is_loopback());
            }
        }
    }

    #[test]
    fn plain_http_is_for_loopback_only_and_a_root_has_nothing_but_a_version() {
        use InvalidGraphUrl as Invalid;
        let parse = |text| GraphUrl::parse(text, Api::Beta).map(|url| url.to_string());
        for good in
            ["http://127.0.0.1:80/beta", "http://[::1]:9/beta/", "http://localhost/beta", "https://a/x/beta"]
        {
            assert!(parse(good).is_ok(), "{good}");
        }
        assert_eq!(parse("http://graph.microsoft.com/beta"), Err(Invalid::PlainHttp));
        assert_eq!(parse("http://127.0.0.1.example.com/beta"), Err(Invalid::PlainHttp));
        assert_eq!(parse("https://graph.microsoft.com/v1.0"), Err(Invalid::Version(Api::Beta)));
        assert_eq!(parse("https://graph.microsoft.com"), Err(Invalid::Version(Api::Beta)));
        for bad in
            ["https://u:p@a/beta", "https://a/beta?x", "https://a/beta#x", "ftp://a/beta", "file:///beta"]
        {
            assert_eq!(parse(bad), Err(Invalid::Parts), "{bad}");
        }
        assert_eq!(parse("u:secret@host:x/beta"), Err(Invalid::Parts));
        assert_eq!(parse("https://u:secret@a:port/beta"), Err(Invalid::NotAUrl("a:port/beta".into())));
    }

    #[test]
    fn segments_are_encoded() {
        let root = GraphUrl::of(Cloud::Global, Api::Beta).unwrap();
        let url = root.join(&["identity", "b2xUserFlows", "B2X_1_é(1)", "$ref"], Some("$expand=a,b"));
        assert_eq!(
            url.as_str(),
            "https://graph.microsoft.com/beta/identity/b2xUserFlows/B2X_1_%C3%A9(1)/$ref?$expand=a,b"
        );
    }
}
