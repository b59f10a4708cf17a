//! Escapes text from outside for each format.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::diagnostic::STDIN;
use crate::model::is_guid;

/// Escapes a text for a terminal and a log, as `\n` or `\u{1b}`: control characters, characters that change
/// the direction or the lines of text, and commands of the runners of GitHub Actions and Azure Pipelines.
/// Commands are `::` at the beginning, and `##[` and `##vso[` anywhere.
pub fn text(text: &str) -> Cow<'_, str> {
    let start = text.trim_start();
    let may_have_commands = start.starts_with("::") || text.contains("##");
    if !may_have_commands && !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(replace_chars(text, |char, rest| match char {
        ':' if rest.starts_with("::") && rest.len() == start.len() => Some("\\u{3a}".to_owned()),
        '#' if is_command(rest) => Some("\\u{23}".to_owned()),
        char => is_unsafe(char).then(|| char.escape_default().to_string()),
    }))
}

/// Replaces the characters for which `replacement` returns a text. It is called with each character and the
/// rest of the text, which begins with this character.
fn replace_chars(text: &str, replacement: impl Fn(char, &str) -> Option<String>) -> String {
    let mut replaced = String::with_capacity(text.len());
    for (at, char) in text.char_indices() {
        match replacement(char, text.get(at..).unwrap_or_default()) {
            Some(replacement) => replaced.push_str(&replacement),
            None => replaced.push(char),
        }
    }
    replaced
}

/// Returns whether the text begins with `##[` or `##vso[`, in any case: a command of a pipeline runner.
fn is_command(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("##") else { return false };
    rest.starts_with('[') || rest.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("vso["))
}

/// Escapes a text for a `<code>` element of Markdown, after [`text`]. Every character that has a meaning in
/// Markdown, its dialects or the references of a platform becomes a character reference. The text must be
/// inside a code element, because platforms search for mentions and references outside of code after they
/// resolved character references.
pub fn markdown(text: &str) -> String {
    let text = self::text(text);
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let is_within_word =
            before.is_alphanumeric() && chars.peek().is_some_and(|next| next.is_alphanumeric());
        let is_harmless = match char {
            '-' | '/' | ',' | '(' | ')' => true,
            // Emphasis begins and ends at words; a dot may make a link of `www.`.
            '_' => is_within_word,
            '.' => !before.eq_ignore_ascii_case(&'w'),
            char => !char.is_ascii_punctuation(),
        };
        if is_harmless {
            escaped.push(char);
        } else {
            // Writing to a String cannot fail.
            _ = write!(escaped, "&#{};", u32::from(char));
        }
        before = char;
    }
    escaped
}

/// Escapes unsafe characters, except line ends, and the commands `##[` and `##vso[` of pipeline runners in a
/// JSON document, as `\u0023`. Its values stay the same.
pub fn json(document: &str) -> String {
    replace_chars(document, |char, rest| {
        // Valid JSON has neither outside of strings.
        let must_escape = char != '\n' && is_unsafe(char) || is_command(rest);
        must_escape.then(|| format!("\\u{:04x}", u32::from(char)))
    })
}

/// Escapes a text for XML and HTML, between tags and in quoted attributes, after [`text`].
pub fn xml(text: &str) -> String {
    let text = self::text(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// Escapes a text for the value of a Prometheus label, after [`text`]
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
pub fn label(text: &str) -> String {
    self::text(text).replace('\\', r"\\").replace('"', "\\\"")
}

/// Escapes a text for the message of a workflow command, after [`text`]
/// (<https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>).
pub fn command(text: &str) -> String {
    self::text(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a text for a property of a workflow command: as [`command`], and also colons and commas.
pub fn property(text: &str) -> String {
    command(text).replace(':', "%3A").replace(',', "%2C")
}

/// Returns the first 64 hexadecimal digits of a fingerprint that was read from a file, without any other
/// characters.
pub fn fingerprint(text: &str) -> String {
    text.chars().filter(char::is_ascii_hexdigit).take(64).collect()
}

/// Returns a string as one word of a POSIX shell: unchanged if it is not empty and has only safe characters,
/// otherwise in quotes, after [`text`]. PowerShell 7 reads the word alike, unless it has a quote and also a character
/// with a meaning in double quotes.
pub fn shell(word: &str) -> Cow<'_, str> {
    let plain = |char: char| char.is_ascii_alphanumeric() || "_-./:=@%+".contains(char);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('@') {
        return Cow::Borrowed(word);
    }
    let word = text(word);
    let quotes = ['\'', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}'];
    let special = ['"', '\u{201c}', '\u{201d}', '\u{201e}', '$', '`', '\\', '!'];
    if word.contains(quotes) && !word.contains(special) {
        return Cow::Owned(format!("\"{word}\""));
    }
    Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")))
}

/// Returns the path of a file as one word of a shell, as [`shell`] does. A path that begins with `-`
/// gets the prefix `./`, so that no command reads it as an option. Stdin is `-`.
pub fn path(path: &str) -> Cow<'_, str> {
    if path == STDIN {
        return "-".into();
    }
    if path.starts_with('-') { shell(&format!("./{path}")).into_owned().into() } else { shell(path) }
}

/// Returns a string as a YAML value: plain if it is a simple text that every YAML version reads as this
/// string, otherwise in double quotes. Unsafe characters and commands of pipeline runners are escaped.
pub fn yaml(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let quoted = replace_chars(text, |char, rest| match char {
        '"' | '\\' => Some(format!("\\{char}")),
        '#' if is_command(rest) => Some("\\x23".to_owned()),
        char => is_unsafe(char).then(|| format!("\\u{:04x}", u32::from(char))),
    });
    Cow::Owned(format!("\"{quoted}\""))
}

/// Returns a YAML key with its colon, indented by `indent` spaces. A key in one line has at most 1024
/// characters (<https://yaml.org/spec/1.2.2/#742-flow-mappings>); a longer key needs two lines.
pub fn yaml_key(key: &str, indent: usize) -> String {
    const MAX_KEY: usize = 1024;
    let key = yaml(key);
    let (question, colon) =
        if key.chars().count() > MAX_KEY { ("? ", format!("\n{:indent$}:", "")) } else { ("", ":".into()) };
    format!("{:indent$}{question}{key}{colon}", "")
}

/// Returns whether a string needs no quotes in YAML: it is a GUID, or it begins with a letter, has only ASCII
/// letters, digits and ` _-./():`, and no version of YAML reads it as a boolean, a null or a key.
fn is_plain(text: &str) -> bool {
    const KEYWORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let is_allowed = |char: char| char.is_ascii_alphanumeric() || " _-./():".contains(char);
    // A GUID is not a number, because it has hyphens.
    is_guid(text)
        || text.starts_with(|char: char| char.is_ascii_alphabetic())
            && text.chars().all(is_allowed)
            && !text.ends_with([' ', ':'])
            && !text.contains(": ")
            && !KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(text))
}

/// Returns whether a character controls a terminal or misleads a reader: C0 and C1 controls, the line and
/// paragraph separators, and the bidirectional formatting characters of
/// <https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>. Also the characters that XML or
/// YAML cannot represent, not even in comments, or would drop.
fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
                | '\u{fffe}'
                | '\u{ffff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_unsafe_characters_escapes_them() {
        let hostile = "a\u{1b}[31m\n\r\t\u{0}\u{7f}\u{9b}\u{202e}\u{2066}\u{2028}\u{61c}\u{feff}\u{fffe}é";
        let shown = text(hostile);
        assert_eq!(
            shown,
            "a\\u{1b}[31m\\n\\r\\t\\u{0}\\u{7f}\\u{9b}\\u{202e}\\u{2066}\\u{2028}\\u{61c}\\u{feff}\\u{fffe}é"
        );
        assert!(!shown.chars().any(is_unsafe));
    }

    #[test]
    fn text_with_runner_commands_escapes_them() {
        assert_eq!(text("::error::x"), "\\u{3a}:error::x");
        assert_eq!(text("  ::warning::"), "  \\u{3a}:warning::");
        assert_eq!(
            text("a ##[error]b ##vso[task.x]c ##VSO[y]"),
            "a \\u{23}#[error]b \\u{23}#vso[task.x]c \\u{23}#VSO[y]"
        );
        assert_eq!(text("a::b ## c ##é"), "a::b ## c ##é");
    }

    #[test]
    fn markdown_with_active_characters_escapes_them() {
        let hostile =
            "`a|b` <script> @org/team #1 **x** _y_ [y](z) https://a.b www.c.d &amp; \\ $x$ :tada: ~~z~~";
        let escaped = markdown(hostile);
        let inert = |char: char| char.is_alphanumeric() || "&#; -/,().".contains(char);
        assert!(escaped.chars().all(inert), "{escaped}");
        assert!(!escaped.contains("www.") && !escaped.contains("://"), "{escaped}");
        assert_eq!(markdown("B2C_1_a, Fraud-check (é).x"), "B2C_1_a, Fraud-check (é).x");
    }

    #[test]
    fn xml_with_markup_escapes_it() {
        assert_eq!(xml("<a b='c'>\"&\u{0}\u{ffff}"), "&lt;a b=&#39;c&#39;&gt;&quot;&amp;\\u{0}\\u{ffff}");
    }

    #[test]
    fn property_and_label_with_delimiters_escape_them() {
        assert_eq!(property("100%, a:b\n"), "100%25%2C a%3Ab\\n");
        assert_eq!(label("a\"b\\c\n"), "a\\\"b\\\\c\\\\n");
    }

    #[test]
    fn yaml_of_any_string_reads_back_as_the_same_string() {
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
            assert!(!yaml(text).chars().any(is_unsafe));
        }
    }

    #[test]
    fn shell_with_special_characters_quotes_one_word() {
        assert_eq!(shell("a/b.yaml"), "a/b.yaml");
        assert_eq!(shell("my file.yaml"), "'my file.yaml'");
        assert_eq!(shell("it's; rm -rf $HOME `x`"), r"'it'\''s; rm -rf $HOME `x`'");
        assert_eq!(shell("it's; here"), "\"it's; here\"");
        assert_eq!(shell("it\u{2019}s"), "\"it\u{2019}s\"");
        assert_eq!((shell("a,b"), shell("@a")), ("'a,b'".into(), "'@a'".into()));
        assert_eq!(shell(""), "''");
        assert_eq!(path("--plan=x.yaml"), "./--plan=x.yaml");
        assert_eq!(path("my -f.yaml"), "'my -f.yaml'");
        assert_eq!((path(STDIN), path("-")), ("-".into(), "./-".into()));
    }

    #[test]
    fn text_without_unsafe_characters_is_borrowed() {
        assert!(matches!(text("Fraud check → é 漢"), Cow::Borrowed(_)));
    }
}
