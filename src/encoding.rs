//! Decodes the text of files that other programs wrote.

/// Reason why bytes are not a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// UTF-16, which `>` of PowerShell 5.1 writes.
    #[error("UTF-16, not UTF-8")]
    Utf16,
    /// Bytes that are not UTF-8 after this number of valid ones.
    #[error("not UTF-8")]
    NotUtf8(usize),
}

impl InvalidText {
    /// Returns what to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Utf16 => {
                "write the file with `--out FILE` in place of `>`, or save it as UTF-8, in PowerShell with \
                 `Set-Content -Encoding utf8`"
            }
            Self::NotUtf8(_) => "save the file as UTF-8",
        }
    }

    /// Returns the number of valid bytes before the first one that is not.
    pub fn valid_bytes(self) -> usize {
        match self {
            Self::Utf16 => 0,
            Self::NotUtf8(valid) => valid,
        }
    }
}

/// Returns bytes without a UTF-8 byte order mark at the beginning.
pub fn strip_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Decodes UTF-8 with or without a byte order mark, which is not part of the text.
///
/// # Errors
/// If the bytes are UTF-16, or any other text that is not UTF-8.
pub fn decode(bytes: &[u8]) -> Result<&str, InvalidText> {
    let bytes = strip_byte_order_mark(bytes);
    // All files begin with an ASCII character, which UTF-16 pads with a zero byte.
    let is_utf16 = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [first, second, ..] => (*first == 0) != (*second == 0),
        _ => false,
    };
    if is_utf16 {
        return Err(InvalidText::Utf16);
    }
    str::from_utf8(bytes).map_err(|invalid| InvalidText::NotUtf8(invalid.valid_up_to()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_of_each_encoding_returns_the_text_or_names_the_encoding() {
        let utf16 = |mark: &str, to_bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            format!("{mark}version: 1\n").encode_utf16().flat_map(to_bytes).collect()
        };
        for (bytes, decoded) in [
            (&b""[..], Ok("")),
            (b"v", Ok("v")),
            (b"\xef\xbb\xbf", Ok("")),
            (b"\xef\xbb\xbfversion: 1", Ok("version: 1")),
            (b"\xef\xbb\xbf\xef\xbb\xbfv", Ok("\u{feff}v")),
            ("é".as_bytes(), Ok("é")),
            (b"ab\xe9c", Err(InvalidText::NotUtf8(2))),
            (b"\xef\xbb\xbfab\xe9c", Err(InvalidText::NotUtf8(2))),
            (&utf16("\u{feff}", u16::to_le_bytes), Err(InvalidText::Utf16)),
            (&utf16("\u{feff}", u16::to_be_bytes), Err(InvalidText::Utf16)),
            (&utf16("", u16::to_le_bytes), Err(InvalidText::Utf16)),
            (&utf16("", u16::to_be_bytes), Err(InvalidText::Utf16)),
            (b"\xff\xfe", Err(InvalidText::Utf16)),
            (b"\0\0", Ok("\0\0")),
        ] {
            assert_eq!(decode(bytes), decoded, "{bytes:?}");
        }
    }
}
