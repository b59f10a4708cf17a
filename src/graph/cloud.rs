//! Root URLs of Graph in each national cloud, and URLs below them.

use std::fmt;

use reqwest::Url;

use crate::http::{is_loopback, is_safe};
use crate::model::{Api, Cloud, FlowId, Step};

/// Application id of Graph in every cloud
/// (<https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in>).
const GRAPH_APP_ID: &str = "00000003-0000-0000-c000-000000000000";

/// Returns the URL of Graph in a cloud, without a version (<https://learn.microsoft.com/graph/deployments>).
fn root(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Global => "https://graph.microsoft.com",
        Cloud::Usgov => "https://graph.microsoft.us",
        Cloud::UsgovDod => "https://dod-graph.microsoft.us",
        Cloud::China => "https://microsoftgraph.chinacloudapi.cn",
    }
}

/// Returns the URL of the login host of a cloud (<https://learn.microsoft.com/graph/deployments>).
pub fn authority(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Global => "https://login.microsoftonline.com",
        Cloud::Usgov | Cloud::UsgovDod => "https://login.microsoftonline.us",
        Cloud::China => "https://login.chinacloudapi.cn",
    }
}

/// Returns the audience that a federated token must have to be accepted in a cloud
/// (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity>).
pub fn token_exchange_audience(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Global => "api://AzureADTokenExchange",
        Cloud::Usgov | Cloud::UsgovDod => "api://AzureADTokenExchangeUSGov",
        Cloud::China => "api://AzureADTokenExchangeChina",
    }
}

/// Root URL of Graph with its version segment, such as `https://graph.microsoft.com/beta`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphUrl(Url);

/// Why a text is not a root URL of Graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGraphUrl {
    /// Not a URL.
    #[error("`{0}` is not a URL")]
    NotAUrl(String),
    /// Has parts that a root must not have.
    #[error("must consist of a scheme, a host, an optional port and a version, and nothing else")]
    Parts,
    /// Would send the token unencrypted.
    #[error("must be https, because the token is sent there; http is for loopback only")]
    PlainHttp,
    /// Ends in another version than the file's `api`.
    #[error("must end in `/{0}`, the version of the file's `api`")]
    Version(Api),
}

impl GraphUrl {
    /// Creates the root of a cloud.
    ///
    /// # Errors
    /// Cannot occur for the known clouds.
    pub fn for_cloud(cloud: Cloud, api: Api) -> Result<Self, InvalidGraphUrl> {
        Self::parse(&format!("{}/{api}", root(cloud)), api)
    }

    /// Parses a root URL that the user passed: https, or http for loopback, ending in the version `api`.
    /// Removes trailing slashes.
    ///
    /// # Errors
    /// The text is not a URL, is not https (except for loopback), has other parts, or ends in another version.
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

    /// Returns whether the host is `localhost` or a loopback address.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Returns the scope of tokens for this Graph: its origin, because each cloud names its Graph so
    /// (<https://learn.microsoft.com/graph/sdks/national-clouds>). On loopback, the scope of `cloud`, because no
    /// login service knows such a Graph.
    pub fn scope(&self, cloud: Cloud) -> String {
        let root =
            if self.is_loopback() { root(cloud).to_owned() } else { self.0.origin().ascii_serialization() };
        format!("{root}/.default")
    }

    /// Returns whether a token with this `aud` claim can be for this Graph: the claim is the application id of Graph, or
    /// the origin of the root of `cloud`, or of this root, which may be a gateway
    /// (<https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>).
    pub fn is_audience(&self, audience: &str, cloud: Cloud) -> bool {
        let is_origin = |audience: &Url| {
            let known = Url::parse(root(cloud)).is_ok_and(|root| root.origin() == audience.origin());
            known || self.0.origin() == audience.origin()
        };
        audience.eq_ignore_ascii_case(GRAPH_APP_ID) || Url::parse(audience).is_ok_and(|url| is_origin(&url))
    }

    /// Returns a URL below the root. Segments are percent-encoded where necessary; the query is used unchanged.
    pub fn join(&self, segments: &[&str], query: Option<&str>) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(segments);
        }
        url.set_query(query);
        url
    }

    /// Returns the URL of the connector configuration of a flow, with the connectors at the given steps.
    pub(super) fn configuration(&self, flow: &FlowId, steps: &[Step]) -> Url {
        let names: Vec<_> = steps.iter().map(|step| step.name()).collect();
        self.join(&configuration_path(flow), Some(&format!("$expand={}", names.join(","))))
    }

    /// Returns the URL of the reference from a step of a flow to its connector.
    pub(super) fn reference(&self, flow: &FlowId, step: Step) -> Url {
        self.join(&[&configuration_path(flow)[..], &[step.name(), "$ref"]].concat(), None)
    }

    /// Returns a URL relative to this root, which has the API version, as batches need it: with a leading slash and
    /// the query, such as `/identity/apiConnectors?x`. A URL outside the root keeps its complete path.
    pub(super) fn relative(&self, url: &Url) -> String {
        let path = url.path().strip_prefix(self.0.path()).unwrap_or_else(|| url.path());
        match url.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }
    }

    /// Resolves a link of a response, absolute or relative to this root. `None` if it is not valid, or if its
    /// scheme, host or port are not those of the root.
    pub(super) fn resolve(&self, link: &str) -> Option<Url> {
        self.0.join(link).ok().filter(|url| url.origin() == self.0.origin())
    }
}

fn configuration_path(flow: &FlowId) -> [&str; 4] {
    ["identity", flow.kind().collection(), flow.as_str(), "apiConnectorConfiguration"]
}

/// Returns the text after the last `@`, because the part before it may contain a password. Without an `@`,
/// returns the complete text.
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
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn for_cloud_with_every_version_is_valid() {
        for cloud in Cloud::VARIANTS.iter().copied() {
            for api in Api::VARIANTS.iter().copied() {
                let url = GraphUrl::for_cloud(cloud, api).unwrap();
                assert_eq!(url.to_string(), format!("{}/{api}", root(cloud)));
                assert!(!url.is_loopback());
            }
        }
    }

    #[test]
    fn parse_accepts_https_or_loopback_roots_only() {
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
    fn is_audience_accepts_the_app_id_and_the_hosts_of_the_cloud_and_the_gateway() {
        let url = GraphUrl::parse("https://gateway.example/beta", Api::Beta).unwrap();
        for (audience, is_accepted) in [
            ("https://graph.microsoft.us", true),
            ("https://graph.microsoft.us/", true),
            (GRAPH_APP_ID, true),
            (&GRAPH_APP_ID.to_ascii_uppercase(), true),
            ("https://GRAPH.microsoft.us:443/", true),
            ("https://gateway.example", true),
            ("https://graph.microsoft.com", false),
            ("https://management.core.windows.net/", false),
            ("", false),
        ] {
            assert_eq!(url.is_audience(audience, Cloud::Usgov), is_accepted, "{audience}");
        }
    }

    #[test]
    fn scope_follows_the_host_except_for_loopback() {
        for (url, scope) in [
            ("https://graph.microsoft.com/beta", "https://graph.microsoft.com/.default"),
            ("https://graph.new.cloud/v1/beta", "https://graph.new.cloud/.default"),
            ("https://graph.new.cloud:8443/beta", "https://graph.new.cloud:8443/.default"),
            ("http://127.0.0.1:9/beta", "https://graph.microsoft.us/.default"),
            ("https://localhost:9/beta", "https://graph.microsoft.us/.default"),
        ] {
            assert_eq!(GraphUrl::parse(url, Api::Beta).unwrap().scope(Cloud::Usgov), scope);
        }
    }

    #[test]
    fn join_encodes_segments() {
        let root = GraphUrl::for_cloud(Cloud::Global, Api::Beta).unwrap();
        let url = root.join(&["identity", "b2xUserFlows", "B2X_1_é(1)", "$ref"], Some("$expand=a,b"));
        assert_eq!(
            url.as_str(),
            "https://graph.microsoft.com/beta/identity/b2xUserFlows/B2X_1_%C3%A9(1)/$ref?$expand=a,b"
        );
    }
}
