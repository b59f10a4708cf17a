//! Messages as inline Markdown: prose as text, values in code elements.
//!
//! Text from outside must be inside a code element: platforms search all other text for mentions, references
//! and links. A word may be outside of code only if no platform can find any of these in it.

use super::escape;
use crate::diagnostic::clipped;
use crate::plan::ScopedOverride;

/// Limit of one name or message in characters. The other formats have the complete text.
const MAX_TEXT: usize = 300;

/// Renders a text from outside as a code element, escaped and shortened to [`MAX_TEXT`] characters.
pub(super) fn code(text: &str) -> String {
    element(&clipped(&escape::text(text), MAX_TEXT))
}

/// Renders a flag as a code element, quoted for a shell. It is complete, because readers copy it.
pub(super) fn flag(flag: &ScopedOverride) -> String {
    element(&escape::text(&flag.to_shell()))
}

/// Renders a message, escaped and shortened to [`MAX_TEXT`] characters. Values in backticks and words that
/// are not plain become code elements.
pub(super) fn message(text: &str) -> String {
    let text = escape::text(text);
    let text = clipped(&text, MAX_TEXT);
    let mut rendered = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some((words, value, after)) = split_value(rest) {
        push_words(&mut rendered, words);
        rendered.push_str(&element(value));
        rest = after;
    }
    push_words(&mut rendered, rest);
    rendered
}

/// Returns the text before the first value in backticks, the value, and the text after it. `None` without a
/// pair of backticks.
fn split_value(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('`')?;
    let (value, after) = rest.split_once('`')?;
    Some((before, value, after))
}

/// Appends words. A word that is not plain becomes a code element, without the punctuation around it.
fn push_words(rendered: &mut String, words: &str) {
    let words = words.split(' ').map(|word| {
        if is_plain(word) {
            return word.to_owned();
        }
        let value = word.trim_start_matches('(').trim_end_matches([',', '.', ':', ';', ')']);
        // What is left of a word such as `:tada:` or `::` is not a value.
        match word.split_once(value).filter(|_| value.starts_with(|char: char| char.is_ascii_alphanumeric()))
        {
            Some((before, after)) => format!("{before}{}{after}", element(value)),
            None => element(word),
        }
    });
    rendered.push_str(&words.collect::<Vec<_>>().join(" "));
}

/// Returns whether a word has no meaning in Markdown, and no platform takes it or a part of it for a mention,
/// a reference, an emoji or a link.
fn is_plain(word: &str) -> bool {
    const MIN_COMMIT_ID: usize = 7;
    let may_be_commit =
        |part: &str| part.len() >= MIN_COMMIT_ID && part.bytes().all(|it| it.is_ascii_hexdigit());
    let chars: Vec<_> = word.chars().collect();
    let is_alphanumeric = |at: Option<&char>| at.is_some_and(char::is_ascii_alphanumeric);
    let has_no_meaning = |(at, char): (usize, &char)| {
        let (before, next) =
            (at.checked_sub(1).and_then(|at| chars.get(at)), chars.get(at.saturating_add(1)));
        match char {
            ',' | '.' | ';' | '(' | ')' | '\'' | '?' => true,
            // References have a number after a hyphen: `GH-1`.
            '-' => !next.is_some_and(char::is_ascii_digit),
            // Emphasis begins and ends at words; a command of a platform begins with a slash.
            '_' | '/' => is_alphanumeric(before) && is_alphanumeric(next),
            // A scheme and an emoji have text after a colon.
            ':' => next.is_none(),
            char => char.is_ascii_alphanumeric(),
        }
    };
    chars.iter().enumerate().all(has_no_meaning)
        && !word.to_ascii_lowercase().contains("www.")
        && !word.split(|char: char| !char.is_ascii_alphanumeric()).any(may_be_commit)
}

fn element(text: &str) -> String {
    // Platforms do not render an empty code element.
    if text.trim().is_empty() {
        return "<code>&nbsp;</code>".into();
    }
    format!("<code>{}</code>", escape::markdown(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_with_values_renders_values_as_code() {
        assert_eq!(
            message("`Fraud check` does not call its pinned address (flowbind.yaml, step 2): see `a`"),
            "<code>Fraud check</code> does not call its pinned address (flowbind.yaml, step 2): see <code>a</code>"
        );
        assert_eq!(
            message("403 Forbidden: Authorization_RequestDenied"),
            "403 Forbidden: Authorization_RequestDenied"
        );
        assert_eq!(message(""), "");
    }

    #[test]
    fn message_with_references_renders_them_as_code() {
        for word in [
            "@team",
            "a@b.c",
            "#1",
            "owner/repo#1",
            "GH-1",
            "!1",
            "&1",
            "~label",
            "$x$",
            ":tada:",
            "https://a.b",
            "www.a.b",
            "WWW.a.b",
            "/close",
            "deadbeef",
            "0123456789abcdef0123456789abcdef01234567",
            "_a_",
            "*a*",
            "~~a~~",
            "<b>",
            "[a](b)",
            "a|b",
            "\\a",
            "é",
            "\u{3164}",
        ] {
            let rendered = message(&format!("see {word} now"));
            assert_eq!(rendered, format!("see <code>{}</code> now", escape::markdown(word)), "{word}");
        }
    }

    #[test]
    fn message_with_punctuation_around_a_url_keeps_it_out_of_the_code() {
        let code = |text| format!("<code>{}</code>", escape::markdown(text));
        assert_eq!(message("GET https://a.b/c: 403"), format!("GET {}: 403", code("https://a.b/c")));
        assert_eq!(message("(f.yaml:7:39), b"), format!("({}), b", code("f.yaml:7:39")));
        assert_eq!(message("a :tada: b"), format!("a {} b", code(":tada:")));
        assert_eq!(message("a :: b"), format!("a {} b", code("::")));
    }

    #[test]
    fn message_with_unpaired_backtick_renders_it_as_code() {
        assert_eq!(message("a `b` c` d"), "a <code>b</code> <code>c&#96;</code> d");
    }

    #[test]
    fn long_message_is_truncated() {
        let rendered = message(&"word ".repeat(1_000));
        assert!(rendered.len() < 400, "{rendered}");
    }
}
