//! What comes from outside, made harmless for the place where it is shown.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::model::is_guid;

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

/// Writes a string as one word of a POSIX shell.
pub fn shell(word: &str) -> Cow<'_, str> {
    let plain = |char: char| char.is_ascii_alphanumeric() || "_-./:=@%+,".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", text(word).replace('\'', "'\\''")))
}

/// Writes a string as YAML: plain where nobody could take it for anything else, else in quotes.
pub fn yaml(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            // Writing to a String cannot fail. YAML has its own ideas of what can be printed.
            char if acts(char) || matches!(char, '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                _ = write!(quoted, "\\u{:04x}", u32::from(char));
            }
            char => quoted.push(char),
        }
    }
    Cow::Owned(quoted + "\"")
}

/// Whether a string can stand in YAML as it is: letters first, and nothing that any version of YAML
/// takes for a boolean, a null, a comment or a key.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let fits = |char: char| char.is_ascii_alphanumeric() || " _-./():".contains(char);
    // With its hyphens a GUID is no number, whatever digits and letters it is of.
    is_guid(text)
        || text.starts_with(|char: char| char.is_ascii_alphabetic())
            && text.chars().all(fits)
            && !text.ends_with([' ', ':'])
            && !text.contains(": ")
            && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
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
    fn a_string_in_yaml_reads_back_as_the_same_string() {
        for text in [
            "Fraud check",
            "https://a.b/c",
            "",
            " a",
            "a ",
            "a: b",
            "a #b",
            "a:",
            "null",
            "NO",
            "yes",
            "~",
            "1",
            "1e3",
            "0x1f",
            "- a",
            "? a",
            "@a",
            "'a'",
            "\"a\"",
            "a\\b",
            "a\nb",
            "a\r\tb",
            "\u{1b}[31m",
            "\u{85}\u{2028}\u{feff}",
            "\u{202e}",
            "é 漢 🎉",
            "00000000-0000-4000-8000-000000000001",
            "1e234567-0000-4000-8000-000000000001",
            "{a}",
            "[a]",
            "a, b",
            "%a",
            "!a",
            "&a",
            "*a",
            "|",
            ">",
            "2026-11-23",
            ".inf",
            "=",
            "<<",
            "\u{7f}\u{0}",
            "\u{ffff}",
        ] {
            let read: String = serde_yaml::from_str(&format!("- {}\n", yaml(text)))
                .map(|read: Vec<String>| read.concat())
                .unwrap();
            assert_eq!(read, text, "{}", yaml(text));
            assert!(!yaml(text).chars().any(acts));
        }
    }

    #[test]
    fn a_word_of_a_shell_stays_one_word() {
        assert_eq!(shell("a/b.yaml"), "a/b.yaml");
        assert_eq!(shell("my file.yaml"), "'my file.yaml'");
        assert_eq!(shell("it's; rm -rf $HOME `x`"), r"'it'\''s; rm -rf $HOME `x`'");
        assert_eq!(shell(""), "''");
    }

    #[test]
    fn a_harmless_text_stays_as_it_is() {
        assert!(matches!(text("Fraud check → é 漢"), Cow::Borrowed(_)));
    }
}
