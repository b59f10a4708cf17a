//! Texts of other systems, as messages and the log show them: messages of Graph and of the login service, bodies of
//! proxies, and what `az` prints.
//!
//! [`Redactor`](super::Redactor) knows the secrets of a request. A foreign text may have others, so whatever looks
//! like a token or a secret is replaced. Too much is replaced rather than too little.

use std::ops::Range;

use super::truncate::truncate;

/// Minimum bytes of a secret. Shorter ones may be part of any text.
const SHORTEST: usize = 8;

/// Names of values that are secret, in the spellings `client_secret`, `client-secret` and `clientSecret`.
const NAMES: [(&str, &str); 7] = [
    ("access", "token"),
    ("refresh", "token"),
    ("id", "token"),
    ("oidc", "token"),
    ("client", "secret"),
    ("client", "assertion"),
    ("pass", "word"),
];

/// Returns a text of another system with `***` in place of tokens and secrets, truncated to 2,000 characters.
pub fn foreign_text(text: &str) -> String {
    /// More than enough to fill the truncated text.
    const MAX_BYTES: usize = 16 << 10;
    let text = text.get(..text.floor_char_boundary(MAX_BYTES)).unwrap_or_default();
    let mut shown = String::new();
    let mut end = 0;
    for secret in secrets(text) {
        if secret.start >= end {
            shown.push_str(text.get(end..secret.start).unwrap_or_default());
            shown.push_str("***");
        }
        end = end.max(secret.end);
    }
    shown.push_str(text.get(end..).unwrap_or_default());
    truncate(shown)
}

/// Returns where the secrets are, in the order of their starts. They may overlap.
fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut secrets: Vec<_> = text
        .char_indices()
        .filter_map(|(at, _)| {
            let rest = text.get(at..)?;
            let skipped = |value: &str| at.saturating_add(rest.len().saturating_sub(value.len()));
            let (value, length) = json_token(rest).or_else(|| authorization(rest)).or_else(|| named(rest))?;
            Some(skipped(value)..skipped(value).saturating_add(length)).filter(|it| it.len() >= SHORTEST)
        })
        .collect();
    secrets.sort_unstable_by_key(|secret| secret.start);
    secrets
}

/// Returns the text itself and the length of the JWT that it begins with. Each JWT begins with `{"` in base64. A
/// part of one may be without the other parts.
fn json_token(text: &str) -> Option<(&str, usize)> {
    text.starts_with("eyJ").then(|| (text, token_length(text)))
}

/// Returns the text after `Bearer` and the length of the token there; `None` if the text does not begin with it, or
/// if a word follows.
fn authorization(text: &str) -> Option<(&str, usize)> {
    const LONGEST_WORD: usize = 15;
    let value = strip_prefix(text, "bearer")?;
    let value = Some(value.trim_start()).filter(|trimmed| trimmed.len() < value.len())?;
    let length = token_length(value);
    let is_word = length <= LONGEST_WORD && value.bytes().take(length).all(|byte| byte.is_ascii_alphabetic());
    (!is_word).then_some((value, length))
}

/// Returns the value of one of [`NAMES`] that the text begins with, with the text after it, and the length of the
/// value. A value in quotes ends with the quote, and another one with white space, a quote, `&` or `<`.
fn named(text: &str) -> Option<(&str, usize)> {
    let after = NAMES.iter().find_map(|(first, second)| {
        let rest = strip_prefix(text, first)?;
        strip_prefix(rest.strip_prefix(['_', '-']).unwrap_or(rest), second)
    })?;
    let after = after.trim_start_matches(['\\', '"', '\'', '`']).trim_start();
    let value = after.strip_prefix([':', '='])?.trim_start();
    for quote in ["\\\"", "\"", "'", "`"] {
        if let Some(value) = value.strip_prefix(quote) {
            return Some((value, quoted_length(value, quote)));
        }
    }
    let ends = |char: char| char.is_whitespace() || matches!(char, '"' | '\'' | '`' | '&' | '<' | '\\');
    Some((value, value.find(ends).unwrap_or(value.len())))
}

/// Returns the length of a text up to a quote that is not escaped, or of all of it.
fn quoted_length(text: &str, quote: &str) -> usize {
    let is_escaped = |at: usize| text.get(..at).is_some_and(|before| before.ends_with('\\'));
    let mut ends = text.match_indices(quote).map(|(at, _)| at);
    ends.find(|at| !is_escaped(*at)).unwrap_or(text.len())
}

/// Returns the number of bytes at the start of a text that may belong to a token.
fn token_length(text: &str) -> usize {
    let fits = |char: char| char.is_ascii_alphanumeric() || "-._~+/".contains(char);
    text.find(|char| !fits(char)).unwrap_or(text.len())
}

/// Returns the text after a prefix of ASCII letters in any case.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_with_secrets_keeps_the_rest() {
        for (text, expected) in [
            ("got eyJ0eXAi.eyJhdWQi.c2ln, expired", "got ***, expired"),
            ("part of one: eyJ0eXAiOiJK", "part of one: ***"),
            (r#"{"refresh_token": "0.AXoA b\"c", "x": 1}"#, r#"{"refresh_token": "***", "x": 1}"#),
            (r#"{\"access_token\":\"opaque-1\",\"x\":1}"#, r#"{\"access_token\":\"***\",\"x\":1}"#),
            ("{'refreshToken': '0.AXoAb_c'}", "{'refreshToken': '***'}"),
            ("a=b&client_secret=q~8Qabc%2F&c=d", "a=b&client_secret=***&c=d"),
            ("CLIENT-ASSERTION : abcdefgh", "CLIENT-ASSERTION : ***"),
            ("Authorization: bearer 0.AXoA-12", "Authorization: bearer ***"),
            ("password: \"never closed", "password: \"***"),
            ("password: \"a refresh_token=\"0.AXoAb_c\"", "password: \"***\"***\""),
        ] {
            assert_eq!(foreign_text(text), expected);
            assert_eq!(foreign_text(expected), expected);
        }
    }

    #[test]
    fn text_without_secrets_is_unchanged() {
        for text in [
            "",
            "AADSTS7000218: must contain the following parameter: 'client_assertion' or 'client_secret'.",
            "AADSTS7000215: Invalid client secret provided. Ensure the secret is the client secret value",
            "WWW-Authenticate: Bearer authentication is required, Bearer",
            "token_type: Bearer, eyJ, password: short, client_secret",
            "é Bearer é: the access token is missing; keyJ = 1",
        ] {
            assert_eq!(foreign_text(text), text);
        }
    }

    #[test]
    fn long_text_is_truncated() {
        assert_eq!(foreign_text(&"é".repeat(100_000)).chars().count(), 2_001);
        assert_eq!(foreign_text(&"eyJ".repeat(100_000)), "***");
    }

    proptest! {
        #[test]
        fn token_in_any_text_leaves_no_part(
            before in "\\PC{0,40}",
            after in "\\PC{0,40}",
            form in 0_usize..6,
            value in "[A-Za-z0-9_-]{20,120}",
        ) {
            let token = match form {
                0 => format!("eyJ{value}.eyJ{value}.{value}"),
                _ => value,
            };
            let written = match form {
                0 => token.clone(),
                1 => format!("Bearer {token}"),
                2 => format!("refresh_token={token}"),
                3 => format!("\"client_secret\": \"{token}\""),
                4 => format!("client_assertion: '{token}'"),
                _ => format!("\\\"accessToken\\\":\\\"{token}\\\""),
            };
            let shown = foreign_text(&format!("{before}{written}{after}"));
            let around = format!("{before}\n{after}\n***");
            for part in token.as_bytes().windows(8).map(|part| std::str::from_utf8(part).unwrap()) {
                prop_assert!(!shown.contains(part) || around.contains(part), "{part}: {shown}");
            }
        }
    }
}
