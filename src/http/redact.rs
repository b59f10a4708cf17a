//! Redacts our own secrets from responses, because any part of a response may be printed.
//!
//! Responses are redacted when they are received, so that no later code can forget it. A secret is found in
//! any encoding of its characters in JSON, forms and URLs.

use std::borrow::Cow;

use reqwest::header::{HeaderMap, HeaderValue};

/// Replaces the secrets of a request by `***`.
pub struct Redactor<'a>(Vec<Cow<'a, str>>);

impl<'a> Redactor<'a> {
    /// Creates a redactor of these secrets. Secrets of fewer than eight bytes are ignored: they may be part of
    /// any word or of the JSON syntax, and no service issues them.
    pub fn new<T: Into<Cow<'a, str>>>(secrets: impl IntoIterator<Item = T>) -> Self {
        const SHORTEST: usize = 8;
        Self(secrets.into_iter().map(Into::into).filter(|secret| secret.len() >= SHORTEST).collect())
    }

    /// Creates a redactor of the values of the headers that are marked as sensitive, without a leading
    /// `Bearer `. Ignores values that are not UTF-8 or have fewer than eight bytes.
    pub fn from_headers(headers: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let secret = |header: &'a HeaderValue| {
            let text = str::from_utf8(header.as_bytes()).ok().filter(|_| header.is_sensitive())?;
            Some(text.strip_prefix("Bearer ").unwrap_or(text))
        };
        Self::new(headers.into_iter().filter_map(secret))
    }

    /// Replaces each secret by `***` in the header values and in the body of a response. Finds it as plain
    /// text, as JSON escapes, and percent-encoded or form-encoded. The body does not have to be valid JSON or
    /// UTF-8.
    pub fn redact(&self, headers: &mut HeaderMap, body: &mut Vec<u8>) {
        if let Some(redacted) = self.redacted(body) {
            *body = redacted;
        }
        for value in headers.values_mut() {
            let redacted = self.redacted(value.as_bytes());
            if let Some(redacted) = redacted.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok()) {
                *value = redacted;
            }
        }
    }

    /// Returns the bytes with each of the secrets replaced by `***`; `None` if they contain none of them.
    fn redacted(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut redacted: Option<Vec<u8>> = None;
        for secret in &self.0 {
            let without = without(redacted.as_deref().unwrap_or(bytes), secret);
            redacted = without.or(redacted);
        }
        redacted
    }
}

/// Returns the bytes with each occurrence of the secret, in any encoding, replaced by `***`; `None` if there
/// is none.
fn without(bytes: &[u8], secret: &str) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let mut rest = bytes;
    let mut from = 0;
    // Most positions are skipped, because a response may have millions of them.
    let first = secret.bytes().next();
    let may_begin = |byte: &u8| Some(*byte) == first || b"\\%+".contains(byte);
    while let Some(tail) = rest.get(from..)
        && let Some(skipped) = tail.iter().position(may_begin)
    {
        from = from.saturating_add(skipped);
        match match_secret(rest.get(from..).unwrap_or_default(), secret) {
            None => from = from.saturating_add(1),
            Some(after) => {
                kept.extend_from_slice(rest.get(..from).unwrap_or_default());
                kept.extend_from_slice(b"***");
                (rest, from) = (after, 0);
            }
        }
    }
    (!kept.is_empty()).then(|| {
        kept.extend_from_slice(rest);
        kept
    })
}

/// Returns the bytes that follow the secret if the given bytes begin with it in any encoding, otherwise
/// `None`. A character has several encodings, so there may be several matches: the longest counts.
fn match_secret<'a>(bytes: &'a [u8], secret: &str) -> Option<&'a [u8]> {
    let mut chars = secret.chars();
    let mut matches: Vec<_> = match_char(bytes, chars.next()?).collect();
    for char in chars {
        if matches.is_empty() {
            return None;
        }
        matches = matches.into_iter().flat_map(|bytes| match_char(bytes, char)).collect();
        matches.sort_unstable_by_key(|rest| rest.len());
        matches.dedup_by_key(|rest| rest.len());
    }
    matches.first().copied()
}

/// Returns the bytes after a character that they begin with, one item for each encoding that matches.
fn match_char(bytes: &[u8], char: char) -> impl Iterator<Item = &[u8]> {
    let plus = Some('+').filter(|_| char == ' ').and_then(|plus| in_json(bytes, plus));
    [plain(bytes, char), escaped(bytes, char), percent_encoded(bytes, char), plus].into_iter().flatten()
}

fn plain(bytes: &[u8], char: char) -> Option<&[u8]> {
    bytes.strip_prefix(char.encode_utf8(&mut [0; 4]).as_bytes())
}

/// Returns the bytes after the JSON escape sequence of a character; `None` if they do not begin with it.
fn escaped(bytes: &[u8], char: char) -> Option<&[u8]> {
    let escape = bytes.strip_prefix(b"\\")?;
    let short = match char {
        '"' | '\\' | '/' => Some(char),
        '\u{8}' => Some('b'),
        '\u{c}' => Some('f'),
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        _ => None,
    };
    if let Some(rest) = short.and_then(|short| plain(escape, short)) {
        return Some(rest);
    }
    char.encode_utf16(&mut [0; 2]).iter().try_fold(bytes, |rest, unit| {
        let (digits, rest) = rest.strip_prefix(b"\\u")?.split_at_checked(4)?;
        digits.eq_ignore_ascii_case(format!("{unit:04x}").as_bytes()).then_some(rest)
    })
}

fn in_json(bytes: &[u8], char: char) -> Option<&[u8]> {
    plain(bytes, char).or_else(|| escaped(bytes, char))
}

/// Returns the bytes after the percent-encoding of a character; `None` if they do not begin with it. The
/// characters of the encoding may be JSON escapes in turn.
fn percent_encoded(bytes: &[u8], char: char) -> Option<&[u8]> {
    char.encode_utf8(&mut [0; 4]).bytes().try_fold(bytes, |rest, byte| {
        let rest = in_json(rest, '%')?;
        format!("{byte:02x}").chars().try_fold(rest, |rest, digit| {
            in_json(rest, digit).or_else(|| in_json(rest, digit.to_ascii_uppercase()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(secret: &str, body: impl AsRef<[u8]>) -> String {
        let mut body = body.as_ref().to_vec();
        Redactor::new([secret]).redact(&mut HeaderMap::new(), &mut body);
        String::from_utf8_lossy(&body).into_owned()
    }

    #[test]
    fn secret_is_redacted_in_every_encoding() {
        let secret = "s3/cr+t~\"é🎉\\n %2F\n";
        let json = serde_json::to_string(secret).unwrap();
        let units: String = secret.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let all: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for written in [secret, json.trim_matches('"'), &json.replace('/', "\\/"), &units, &form, &all] {
            let written = written.trim_matches('"');
            assert_eq!(redacted(secret, format!("a{written}b{written}")), "a***b***", "{written}");
        }
        let nested: String = all.chars().map(|char| format!("\\u{:04x}", u32::from(char))).collect();
        assert_eq!(redacted(secret, nested), "***");
        let mixed = "s\\u0033%2fcr+t~\\\"%C3%a9\\ud83c\\uDF89\\\\n+%252F\\n";
        assert_eq!(redacted(secret, mixed), "***");
    }

    #[test]
    fn text_around_a_secret_is_unchanged() {
        let secret = "s3cr3t-t0ken";
        assert_eq!(redacted(secret, b"\xff\xfes3cr3t-t0ken\x80"), "\u{fffd}\u{fffd}***\u{fffd}");
        for other in [
            "",
            "s3cr3t-t0ke",
            "s3cr3t\\u002dt0ke",
            "s3cr3t\\u-02dt0ken",
            "s3cr3t\\u+02dt0ken",
            "%7",
            "\\u00",
        ] {
            assert_eq!(redacted(secret, other), other);
        }
        assert_eq!(redacted("aaaaaaaa", "aaaaaaaaaaaaaaaaa"), "******a");
        assert_eq!(redacted("seven-b", "has seven-b"), "has seven-b");
        assert_eq!(redacted("eight-by", "has eight-by"), "has ***");
    }

    #[test]
    fn sensitive_headers_are_secrets() {
        let headers = ["Bearer s3cr3t-t0ken", "s3cr3t-hé", "application/json"].map(|text| {
            let mut header = HeaderValue::from_str(text).unwrap();
            header.set_sensitive(text.contains("s3cr3t"));
            header
        });
        let mut body = "Bearer s3cr3t-t0ken, s3cr3t-hé, application/json".into();
        Redactor::from_headers(&headers).redact(&mut HeaderMap::new(), &mut body);
        assert_eq!(String::from_utf8(body).unwrap(), "Bearer ***, ***, application/json");
    }

    #[test]
    fn response_headers_are_redacted() {
        let mut headers = HeaderMap::new();
        headers.insert("request-id", HeaderValue::from_static("s3cr3t-t0ken"));
        headers.append("request-id", HeaderValue::from_bytes(b"\xff%733cr3t-t0ken").unwrap());
        Redactor::new(["s3cr3t-t0ken"]).redact(&mut headers, &mut Vec::new());
        let shown: Vec<_> = headers.values().map(HeaderValue::as_bytes).collect();
        assert_eq!(shown, [b"***".as_slice(), b"\xff***"]);
    }
}
