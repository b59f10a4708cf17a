//! What comes from outside, made harmless for the place where it is shown.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::model::is_guid;

/// Makes a text safe for a terminal and a log: control characters and whatever changes the
/// direction or the lines of text are shown as escapes, and so is what the runners of GitHub Actions
/// and Azure Pipelines would take for a command: `::` at its beginning, `##[` and `##vso[` anywhere.
pub fn text(text: &str) -> Cow<'_, str> {
    let commands = text.trim_start().starts_with("::") || text.contains("##");
    if !commands && !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    let mut begun = false;
    for (at, char) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        match char {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            ':' if !begun && rest.starts_with("::") => escaped.push_str("\\u{3a}"),
            '#' if is_command(rest) => escaped.push_str("\\u{23}"),
            // Writing to a String cannot fail.
            char if acts(char) => _ = write!(escaped, "\\u{{{:x}}}", u32::from(char)),
            char => escaped.push(char),
        }
        begun |= !char.is_whitespace();
    }
    Cow::Owned(escaped)
}

/// Whether a command of a pipeline's runner begins here.
fn is_command(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("##") else { return false };
    rest.starts_with('[') || rest.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("vso["))
}

/// Makes a text safe within a `<code>` element of Markdown: every mark that Markdown, its dialects
/// or a platform's references know becomes a character reference. Platforms look for mentions and
/// references outside of code only, so it has to stand in one.
pub fn markdown(text: &str) -> String {
    let text = self::text(text);
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let within = before.is_alphanumeric() && chars.peek().is_some_and(|next| next.is_alphanumeric());
        let harmless = match char {
            '-' | '/' | ',' | '(' | ')' => true,
            // Emphasis begins and ends at words; a dot may make a link of `www.`.
            '_' => within,
            '.' => !before.eq_ignore_ascii_case(&'w'),
            char => !char.is_ascii_punctuation(),
        };
        if harmless {
            escaped.push(char);
        } else {
            // Writing to a String cannot fail.
            _ = write!(escaped, "&#{};", u32::from(char));
        }
        before = char;
    }
    escaped
}

/// Makes a JSON document safe for a log: what acts stands as an escape, and the same values are read.
pub fn json(document: &str) -> String {
    let mut escaped = String::with_capacity(document.len());
    for (at, char) in document.char_indices() {
        // Outside of strings JSON has neither.
        if char != '\n' && acts(char) || is_command(document.get(at..).unwrap_or_default()) {
            _ = write!(escaped, "\\u{:04x}", u32::from(char));
        } else {
            escaped.push(char);
        }
    }
    escaped
}

/// Makes a text safe for XML and HTML, between tags and in quoted attributes.
pub fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in self::text(text).chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    escaped
}

/// Makes a text safe for the value of a Prometheus label
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
pub fn label(text: &str) -> String {
    self::text(text).replace('\\', r"\\").replace('"', "\\\"")
}

/// Makes a text safe for the message of a workflow command
/// (<https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>).
pub fn command(text: &str) -> String {
    self::text(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Makes a text safe for a property of a workflow command.
pub fn property(text: &str) -> String {
    command(text).replace(':', "%3A").replace(',', "%2C")
}

/// Makes a fingerprint that was read from a file safe for any place: it is of hexadecimal digits.
pub fn fingerprint(text: &str) -> String {
    text.chars().filter(char::is_ascii_hexdigit).take(64).collect()
}

/// Writes a string as one word of a POSIX shell.
pub fn shell(word: &str) -> Cow<'_, str> {
    let plain = |char: char| char.is_ascii_alphanumeric() || "_-./:=@%+,".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", text(word).replace('\'', "'\\''")))
}

/// Writes the path of a file as one word of a POSIX shell, which no command takes for an option.
pub fn path(path: &str) -> Cow<'_, str> {
    if path.starts_with('-') { shell(&format!("./{path}")).into_owned().into() } else { shell(path) }
}

/// Writes a flag, with its value behind a space where it has one, as words of a POSIX shell.
pub fn flag(flag: &str) -> String {
    let words = flag.split_once(' ').map_or(vec![flag], |(name, value)| vec![name, value]);
    words.into_iter().map(shell).collect::<Vec<_>>().join(" ")
}

/// Writes a string as YAML: plain where nobody could take it for anything else, else in quotes.
pub fn yaml(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let mut quoted = String::from("\"");
    for (at, char) in text.char_indices() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            '#' if is_command(text.get(at..).unwrap_or_default()) => quoted.push_str("\\x23"),
            // Writing to a String cannot fail.
            char if acts(char) => _ = write!(quoted, "\\u{:04x}", u32::from(char)),
            char => quoted.push(char),
        }
    }
    Cow::Owned(quoted + "\"")
}

/// Writes a key of YAML that stands `indent` spaces from the left, up to its colon. A line takes keys of
/// up to 1024 characters (<https://yaml.org/spec/1.2.2/#742-flow-mappings>); a longer one takes two.
pub fn yaml_key(key: &str, indent: usize) -> String {
    const LONGEST: usize = 1024;
    let key = yaml(key);
    let (question, colon) =
        if key.chars().count() > LONGEST { ("? ", format!("\n{:indent$}:", "")) } else { ("", ":".into()) };
    format!("{:indent$}{question}{key}{colon}", "")
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
/// <https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>. And what neither XML nor
/// YAML has a way to write, not even in comments, or would leave out.
fn acts(char: char) -> bool {
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
    fn nothing_that_acts_is_left() {
        let hostile = "a\u{1b}[31m\n\r\t\u{0}\u{7f}\u{9b}\u{202e}\u{2066}\u{2028}\u{61c}\u{feff}\u{fffe}é";
        let shown = text(hostile);
        assert_eq!(
            shown,
            "a\\u{1b}[31m\\n\\r\\t\\u{0}\\u{7f}\\u{9b}\\u{202e}\\u{2066}\\u{2028}\\u{61c}\\u{feff}\\u{fffe}é"
        );
        assert!(!shown.chars().any(acts));
    }

    #[test]
    fn no_runner_of_a_pipeline_takes_a_text_for_a_command() {
        assert_eq!(text("::error::x"), "\\u{3a}:error::x");
        assert_eq!(text("  ::warning::"), "  \\u{3a}:warning::");
        assert_eq!(
            text("a ##[error]b ##vso[task.x]c ##VSO[y]"),
            "a \\u{23}#[error]b \\u{23}#vso[task.x]c \\u{23}#VSO[y]"
        );
        assert_eq!(text("a::b ## c ##é"), "a::b ## c ##é");
    }

    #[test]
    fn nothing_in_markdown_means_anything() {
        let hostile =
            "`a|b` <script> @org/team #1 **x** _y_ [y](z) https://a.b www.c.d &amp; \\ $x$ :tada: ~~z~~";
        let escaped = markdown(hostile);
        let inert = |char: char| char.is_alphanumeric() || "&#; -/,().".contains(char);
        assert!(escaped.chars().all(inert), "{escaped}");
        assert!(!escaped.contains("www.") && !escaped.contains("://"), "{escaped}");
        assert_eq!(markdown("B2C_1_a, Fraud-check (é).x"), "B2C_1_a, Fraud-check (é).x");
    }

    #[test]
    fn nothing_in_xml_ends_what_it_stands_in() {
        assert_eq!(xml("<a b='c'>\"&\u{0}\u{ffff}"), "&lt;a b=&#39;c&#39;&gt;&quot;&amp;\\u{0}\\u{ffff}");
    }

    #[test]
    fn nothing_in_a_command_or_a_label_ends_it() {
        assert_eq!(property("100%, a:b\n"), "100%25%2C a%3Ab\\n");
        assert_eq!(label("a\"b\\c\n"), "a\\\"b\\\\c\\\\n");
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
        assert_eq!(path("--plan=x.yaml"), "./--plan=x.yaml");
        assert_eq!(path("my -f.yaml"), "'my -f.yaml'");
        assert_eq!(flag("--allow-empty"), "--allow-empty");
        assert_eq!(flag("--max-changes 2"), "--max-changes 2");
        let value = "--allow-protected B2C_1_$(id)`id`/postFederationSignup";
        assert_eq!(flag(value), "--allow-protected 'B2C_1_$(id)`id`/postFederationSignup'");
    }

    #[test]
    fn a_harmless_text_stays_as_it_is() {
        assert!(matches!(text("Fraud check → é 漢"), Cow::Borrowed(_)));
    }
}
