//! What comes from outside, made harmless for the place where it is shown.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Makes a text safe for a terminal and a log: control characters and whatever changes the
/// direction or the lines of text are shown as escapes.
pub fn text(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            // Writing to a String cannot fail.
            char if acts(char) => _ = write!(escaped, "\\u{{{:x}}}", u32::from(char)),
            char => escaped.push(char),
        }
    }
    Cow::Owned(escaped)
}

/// Whether a terminal or a reader's eye would take a character for more than itself: C0 and C1
/// controls, the line and paragraph separators, and the bidirectional formatting characters of
/// <https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>.
fn acts(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_is_left() {
        let hostile = "a\u{1b}[31m\n\r\t\u{0}\u{7f}\u{9b}\u{202e}\u{2066}\u{2028}\u{61c}é";
        let shown = text(hostile);
        assert_eq!(shown, "a\\u{1b}[31m\\n\\r\\t\\u{0}\\u{7f}\\u{9b}\\u{202e}\\u{2066}\\u{2028}\\u{61c}é");
        assert!(!shown.chars().any(acts));
    }

    #[test]
    fn a_harmless_text_stays_as_it_is() {
        assert!(matches!(text("Fraud check → é 漢"), Cow::Borrowed(_)));
    }
}
