//! Address that a connector calls, without parts that may contain keys.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// Scheme, host, port and path of an address. User info, query and fragment may contain keys, so they
/// are removed when the address is parsed. Comparison follows the URL standard: the case of scheme and
/// host and a default port are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetUrl(Url);

/// Error for a text that is not a URL with a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an absolute URL with a host")]
pub struct InvalidTargetUrl;

impl FromStr for TargetUrl {
    type Err = InvalidTargetUrl;

    fn from_str(text: &str) -> Result<Self, InvalidTargetUrl> {
        let mut url = Url::parse(text).map_err(|_| InvalidTargetUrl)?;
        url.set_query(None);
        url.set_fragment(None);
        // Both fail only for URLs without a host, which cannot have user info.
        url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| InvalidTargetUrl)?;
        if url.has_host() { Ok(Self(url)) } else { Err(InvalidTargetUrl) }
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_url_from_text_drops_secrets_and_compares_as_a_url() {
        let url = |text: &str| text.parse::<TargetUrl>();
        let plain = url("https://api.contoso.com/check").unwrap();
        assert_eq!(plain.to_string(), "https://api.contoso.com/check");
        for same in [
            "https://user:pw@API.contoso.com:443/check?code=s3cr3t#s3cr3t",
            "HTTPS://api.contoso.com/check?",
            " https://api.contoso.com/check ",
        ] {
            assert_eq!(url(same).as_ref(), Ok(&plain), "{same}");
        }
        for other in [
            "http://api.contoso.com/check",
            "https://api.contoso.com/Check",
            "https://api.contoso.com:8443/check",
        ] {
            assert_ne!(url(other).unwrap(), plain, "{other}");
        }
        for bad in ["", "check", "mailto:a@b", "https://", "https://a:b:c/"] {
            assert_eq!(url(bad), Err(InvalidTargetUrl), "{bad}");
        }
    }
}
