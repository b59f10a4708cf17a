//! Address of a connector, without secrets.
//!
//! Defines which parts of an address are removed. It must not validate addresses.

use std::fmt;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Maximum number of passes that remove secrets. An address needs at most two. A text that is crafted
/// to need thousands is discarded.
const MAX_ROUNDS: u8 = 16;

/// Address of a connector, without user info, query and fragment. These may contain keys, so they are
/// removed when the address is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(from = "String")]
pub struct TargetUrl(String);

impl TargetUrl {
    /// Returns the address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for TargetUrl {
    fn from(url: &str) -> Self {
        // URL parsers ignore control characters, which could therefore hide user info.
        let mut url: String = url.chars().filter(|char| !char.is_control()).collect();
        // Removing parts of an invalid URL may result in a valid one, which has secrets of its own.
        for _ in 0..MAX_ROUNDS {
            let stripped = strip_secrets(url.trim());
            if stripped == url {
                return Self(stripped);
            }
            url = stripped;
        }
        Self(String::new())
    }
}

impl From<String> for TargetUrl {
    fn from(url: String) -> Self {
        Self::from(url.as_str())
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns a URL without user info, query and fragment. If the port is not a number, it may be part of a
/// password, so only the scheme is left.
fn strip_secrets(url: &str) -> String {
    let (scheme, rest) = split_scheme(url.split(['?', '#']).next().unwrap_or_default());
    // A backslash equals a slash only in http and https URLs. Elsewhere it may be part of a password.
    let is_http = ["http:", "https:"]
        .iter()
        .any(|http| scheme.trim_end_matches(['/', '\\']).eq_ignore_ascii_case(http));
    let slash = rest.find(|char| char == '/' || is_http && char == '\\').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(slash);
    let host = authority.rsplit('@').next().unwrap_or_default();
    // In `user:pa?ss@host` and `user:pa/ss@host`, the apparent port is part of a password.
    if has_invalid_port(host) {
        return scheme.to_owned();
    }
    format!("{scheme}{host}{path}")
}

/// Splits a URL after the scheme and the slashes that follow it. The first part is empty if there is
/// no slash, because then the URL has no authority.
fn split_scheme(url: &str) -> (&str, &str) {
    let is_scheme = |text: &str| !text.contains(['/', '\\', '@']);
    let after = match url.split_once(':') {
        Some((scheme, after)) if is_scheme(scheme) => after,
        _ => url,
    };
    let rest = after.trim_start_matches(['/', '\\']);
    if rest.len() == after.len() { ("", url) } else { (url.strip_suffix(rest).unwrap_or_default(), rest) }
}

fn has_invalid_port(host: &str) -> bool {
    let after_brackets = host.rsplit(']').next().unwrap_or_default();
    after_brackets.split_once(':').is_some_and(|(_, port)| !port.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_url_from_text_removes_secrets() {
        for (given, kept) in [
            ("https://api.test/a/@me", "https://api.test/a/@me"),
            ("https://api.test:8443", "https://api.test:8443"),
            ("https://[::1]:80/a", "https://[::1]:80/a"),
            ("https://user:pw@api.test/a?code=s#t", "https://api.test/a"),
            ("https://user:p@w@api.test#t?x", "https://api.test"),
            ("https://user@api.test?a=b/c@d", "https://api.test"),
            ("https://user:p?w@api.test/a", "https://"),
            ("https://user:p/w@api.test/a", "https://"),
            (" https://user:pw@api.test ", "https://api.test"),
            ("ht\ntps:/\t/user:pw@api.test/a\r", "https://api.test/a"),
            ("\u{1}https://user:pw@api.test", "https://api.test"),
            ("https://api.test/a ?code=s", "https://api.test/a"),
            ("https://api.test\\a@b", "https://api.test\\a@b"),
            ("x://us\\er:pw@api.test/a", "x://api.test/a"),
            ("h@https://user:pw@api.test/a", "https://api.test/a"),
            ("h>https://user:pw@api.test/a", "h>https://api.test/a"),
            ("//user:pw@api.test/a", "//api.test/a"),
            ("https:/user:pw@api.test/a", "https:/api.test/a"),
            ("https:///user:pw@api.test/a", "https:///api.test/a"),
            ("api.test:80/a@b", "api.test:80/a@b"),
            ("user:pw@api.test/a://b", "api.test/a://b"),
            ("", ""),
            (&format!("http:/{}", "/B@".repeat(50_000)), ""),
        ] {
            assert_eq!(TargetUrl::from(given).as_str(), kept, "{given}");
        }
    }
}
