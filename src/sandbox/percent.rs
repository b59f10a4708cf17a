//! Percent-decoding of URL components.

use super::error::ErrorResponse;

/// Decodes escapes such as `%41`, which becomes `A`.
///
/// # Errors
/// 400 if an escape is malformed or the decoded bytes are not UTF-8.
pub(super) fn percent_decode(text: &str) -> Result<String, ErrorResponse> {
    let malformed = || ErrorResponse::bad_request("the URL has an invalid percent-encoding");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = if byte == b'%' {
            let digits = rest.next().and_then(hex_digit).zip(rest.next().and_then(hex_digit));
            digits.map(|(high, low)| high << 4 | low).ok_or_else(malformed)?
        } else {
            byte
        };
        bytes.push(decoded);
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_decode_with_valid_escapes_returns_the_text() {
        assert_eq!(percent_decode("a%20b%2F%c3%a9").unwrap(), "a b/é");
    }

    #[test]
    fn percent_decode_with_malformed_escapes_fails_with_400() {
        for text in ["%", "%3", "%zz", "%ff"] {
            assert_eq!(percent_decode(text).unwrap_err().status, 400, "{text}");
        }
    }
}
