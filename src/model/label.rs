//! Name of a run.

use std::fmt;
use std::str::FromStr;

/// Name of a run, such as its stage: 1 to 64 ASCII letters, digits, `.`, `_` and `-`, so that no format gives a
/// character of it a meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(String);

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Label {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let is_valid = (1..=64).contains(&text.len()) && text.bytes().all(is_allowed);
        let label = is_valid.then(|| Self(text.to_owned()));
        label.ok_or("expected 1 to 64 letters, digits, `.`, `_` or `-`, such as `prod`")
    }
}
