//! Secrets taken out of what is answered, since all that an answer says may be shown.
//!
//! Done where an answer comes in, before anybody reads it, so that nobody who shows a part of it can
//! forget to: in whatever way JSON, a form or a URL may write a character.

use std::borrow::Cow;

use reqwest::header::{HeaderMap, HeaderValue};

/// The secrets that a request carries.
pub struct Secrets<'a>(Vec<Cow<'a, str>>);

impl<'a> Secrets<'a> {
    /// Takes note of secrets. One of fewer than eight bytes may be part of any word, or of the JSON itself,
    /// so that taking it out would make another answer; no service issues one.
    pub fn new<T: Into<Cow<'a, str>>>(secrets: impl IntoIterator<Item = T>) -> Self {
        const SHORTEST: usize = 8;
        Self(secrets.into_iter().map(Into::into).filter(|secret| secret.len() >= SHORTEST).collect())
    }

    /// Takes note of what headers carry that are marked sensitive.
    pub fn of(headers: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let secret = |header: &'a HeaderValue| {
            let text = str::from_utf8(header.as_bytes()).ok().filter(|_| header.is_sensitive())?;
            Some(text.strip_prefix("Bearer ").unwrap_or(text))
        };
        Self::new(headers.into_iter().filter_map(secret))
    }

    /// Takes them out of an answer that repeats them.
    pub fn conceal(&self, headers: &mut HeaderMap, body: &mut Vec<u8>) {
        if let Some(concealed) = self.concealed(body) {
            *body = concealed;
        }
        for value in headers.values_mut() {
            let concealed = self.concealed(value.as_bytes());
            if let Some(concealed) = concealed.and_then(|bytes| HeaderValue::from_bytes(&bytes).ok()) {
                *value = concealed;
            }
        }
    }

    /// The bytes without the secrets, where they hold any.
    fn concealed(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut concealed: Option<Vec<u8>> = None;
        for secret in &self.0 {
            let without = without(concealed.as_deref().unwrap_or(bytes), secret);
            concealed = without.or(concealed);
        }
        concealed
    }
}

/// The bytes without a secret, where they hold it.
fn without(bytes: &[u8], secret: &str) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let mut rest = bytes;
    let mut from = 0;
    while let Some(tail) = rest.get(from..).filter(|tail| !tail.is_empty()) {
        match end_of(tail, secret) {
            None => from = from.saturating_add(1),
            Some(after) => {
                kept.extend_from_slice(rest.get(..from).unwrap_or_default());
                kept.extend_from_slice(b"***");
                (rest, from) = (after, 0);
            }
        }
    }
    (!kept.is_empty()).then(|| [kept.as_slice(), rest].concat())
}

/// What stands behind a secret that the bytes begin with, at the longest. A character may be written in
/// several ways, so that there is more than one way on.
fn end_of<'a>(bytes: &'a [u8], secret: &str) -> Option<&'a [u8]> {
    let mut chars = secret.chars();
    let mut ways: Vec<_> = after(bytes, chars.next()?).collect();
    for char in chars {
        if ways.is_empty() {
            return None;
        }
        ways = ways.into_iter().flat_map(|bytes| after(bytes, char)).collect();
        ways.sort_unstable_by_key(|rest| rest.len());
        ways.dedup_by_key(|rest| rest.len());
    }
    ways.first().copied()
}

/// What stands behind a character that the bytes begin with, however it is written.
fn after(bytes: &[u8], char: char) -> impl Iterator<Item = &[u8]> {
    let plus = Some('+').filter(|_| char == ' ').and_then(|plus| in_json(bytes, plus));
    [plain(bytes, char), escaped(bytes, char), in_a_form(bytes, char), plus].into_iter().flatten()
}

fn plain(bytes: &[u8], char: char) -> Option<&[u8]> {
    bytes.strip_prefix(char.encode_utf8(&mut [0; 4]).as_bytes())
}

/// As an escape of JSON.
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

/// As a form or a URL writes it, which JSON may hold in its own ways.
fn in_a_form(bytes: &[u8], char: char) -> Option<&[u8]> {
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

    fn concealed(secret: &str, body: impl AsRef<[u8]>) -> String {
        let mut body = body.as_ref().to_vec();
        Secrets::new([secret]).conceal(&mut HeaderMap::new(), &mut body);
        String::from_utf8_lossy(&body).into_owned()
    }

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let secret = "s3/cr+t~\"é🎉\\n %2F\n";
        let json = serde_json::to_string(secret).unwrap();
        let units: String = secret.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let all: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for written in [secret, json.trim_matches('"'), &json.replace('/', "\\/"), &units, &form, &all] {
            let written = written.trim_matches('"');
            assert_eq!(concealed(secret, format!("a{written}b{written}")), "a***b***", "{written}");
        }
        let nested: String = all.chars().map(|char| format!("\\u{:04x}", u32::from(char))).collect();
        assert_eq!(concealed(secret, nested), "***");
        let mixed = "s\\u0033%2fcr+t~\\\"%C3%a9\\ud83c\\uDF89\\\\n+%252F\\n";
        assert_eq!(concealed(secret, mixed), "***");
    }

    #[test]
    fn what_stands_around_it_stays_as_it_is() {
        let secret = "s3cr3t-t0ken";
        assert_eq!(concealed(secret, b"\xff\xfes3cr3t-t0ken\x80"), "\u{fffd}\u{fffd}***\u{fffd}");
        for other in [
            "",
            "s3cr3t-t0ke",
            "s3cr3t\\u002dt0ke",
            "s3cr3t\\u-02dt0ken",
            "s3cr3t\\u+02dt0ken",
            "%7",
            "\\u00",
        ] {
            assert_eq!(concealed(secret, other), other);
        }
        assert_eq!(concealed("aaaaaaaa", "aaaaaaaaaaaaaaaaa"), "******a");
        assert_eq!(concealed("seven-b", "has seven-b"), "has seven-b");
        assert_eq!(concealed("eight-by", "has eight-by"), "has ***");
    }

    #[test]
    fn what_headers_carry_is_a_secret_where_they_say_so() {
        let headers = ["Bearer s3cr3t-t0ken", "s3cr3t-hé", "application/json"].map(|text| {
            let mut header = HeaderValue::from_str(text).unwrap();
            header.set_sensitive(text.contains("s3cr3t"));
            header
        });
        let mut body = "Bearer s3cr3t-t0ken, s3cr3t-hé, application/json".into();
        Secrets::of(&headers).conceal(&mut HeaderMap::new(), &mut body);
        assert_eq!(String::from_utf8(body).unwrap(), "Bearer ***, ***, application/json");
    }

    #[test]
    fn headers_are_answers_too() {
        let mut headers = HeaderMap::new();
        headers.insert("request-id", HeaderValue::from_static("s3cr3t-t0ken"));
        headers.append("request-id", HeaderValue::from_bytes(b"\xff%733cr3t-t0ken").unwrap());
        Secrets::new(["s3cr3t-t0ken"]).conceal(&mut headers, &mut Vec::new());
        let shown: Vec<_> = headers.values().map(HeaderValue::as_bytes).collect();
        assert_eq!(shown, [b"***".as_slice(), b"\xff***"]);
    }
}
