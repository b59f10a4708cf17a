//! The address of a connector.
//!
//! Owns which parts of it are kept. It must not judge whether an address is a good one.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often what is left is looked at again. No address needs more than two; a text made to need
/// thousands is not worth the time, and nothing of it is kept.
const MAX_ROUNDS: u8 = 16;

/// The address of a connector, without user info, query and fragment: these may hold keys, so
/// they are dropped on the way in and no value of this type can leak them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String")]
pub struct TargetUrl(String);

impl TargetUrl {
    /// Gives the address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for TargetUrl {
    fn from(url: &str) -> Self {
        // Readers of URLs leave these out, wherever they stand, and so find a user where none seems to be.
        let mut url: String = url.chars().filter(|char| !char.is_control()).collect();
        // What is dropped of a text that is no URL may leave one that is.
        for _ in 0..MAX_ROUNDS {
            let kept = without_secrets(url.trim());
            if kept == url {
                return Self(kept);
            }
            url = kept;
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

/// Drops user info, query and fragment. Where a text is not quite a URL, it rather drops too much.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = split_scheme(url.split(['?', '#']).next().unwrap_or_default());
    // Only on the web is a backslash a slash; elsewhere it may be part of a password.
    let web =
        ["http:", "https:"].iter().any(|web| scheme.trim_end_matches(['/', '\\']).eq_ignore_ascii_case(web));
    let slash = rest.find(|char| char == '/' || web && char == '\\').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(slash);
    let host = authority.rsplit('@').next().unwrap_or_default();
    // `user:pa?ss@host` and `user:pa/ss@host` end up here: what looks like a port is a password.
    if has_odd_port(host) {
        return scheme.to_owned();
    }
    format!("{scheme}{host}{path}")
}

/// Splits the scheme and all slashes after it from what follows; the first is empty when no slash
/// says that an authority comes.
fn split_scheme(url: &str) -> (&str, &str) {
    let is_scheme = |text: &str| !text.contains(['/', '\\', '@']);
    let after = match url.split_once(':') {
        Some((scheme, after)) if is_scheme(scheme) => after,
        _ => url,
    };
    let rest = after.trim_start_matches(['/', '\\']);
    if rest.len() == after.len() { ("", url) } else { (url.strip_suffix(rest).unwrap_or_default(), rest) }
}

fn has_odd_port(host: &str) -> bool {
    let after_brackets = host.rsplit(']').next().unwrap_or_default();
    after_brackets.split_once(':').is_some_and(|(_, port)| !port.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_url_loses_what_may_be_secret() {
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
