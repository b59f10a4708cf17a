//! Escaping: the parser of each format reads the original text back.

use flowbind::render::escape;
use pulldown_cmark::{Event, Options, Parser};
use scraper::{Html, Selector};
use serde_json::{Value, json};

use super::inert::{assert_inert, is_unsafe};

/// Checks one text in every format.
pub fn escape(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    // All other formats escape the result of `escape::text`.
    let shown = escape::text(text);
    assert_inert(&shown);
    assert!(!shown.contains('\n'));
    if !text.contains('\\') {
        assert_eq!(unescape_text(&shown), text);
    }
    check_markdown(text, &shown);
    check_xml(text, &shown);
    assert_eq!(parse_label(&escape::label(text)), *shown);
    check_command(text, &shown);
    check_yaml(text);
    check_json(text);
    let word = parse_shell_word(&escape::shell(text));
    // A word that needs no quotes stays unchanged, because it never begins a line.
    assert!(word == text || word == *shown, "{word:?}");
    let clipped = flowbind::diagnostic::clipped(text, 10);
    assert!(clipped.chars().count() <= 11, "{clipped:?}");
    let (beginning, end): (String, Vec<_>) = (clipped.chars().take(6).collect(), clipped.chars().collect());
    let end: String = end[end.len().saturating_sub(4)..].iter().collect();
    assert!(text.starts_with(&beginning) && text.ends_with(&end), "{clipped:?}");
    assert!(escape::fingerprint(text).bytes().all(|byte| byte.is_ascii_hexdigit()));
}

/// Decodes the escapes of `escape::text`.
fn unescape_text(shown: &str) -> String {
    let mut text = String::new();
    let mut parts = shown.split('\\');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (char, rest) = match part.strip_prefix("u{").and_then(|rest| rest.split_once('}')) {
            Some((hex, rest)) => {
                let char = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32);
                (char.expect("an escape is a character"), rest)
            }
            None if part.starts_with('n') => ('\n', &part[1..]),
            None if part.starts_with('r') => ('\r', &part[1..]),
            None if part.starts_with('t') => ('\t', &part[1..]),
            None => panic!("{part:?} is not an escape"),
        };
        text.push(char);
        text.push_str(rest);
    }
    text
}

/// Checks Markdown: in a code element of a paragraph, a list and a table.
fn check_markdown(text: &str, shown: &str) {
    if text.trim().is_empty() {
        return;
    }
    let escaped = escape::markdown(text);
    let lower = escaped.to_lowercase().replace("&#", "");
    for mark in ["@", "#", "$", "`", "|", "<", "://", "www."] {
        assert!(!lower.contains(mark), "{mark} in {escaped:?}");
    }
    for (before, after) in [("", ""), ("- ", ""), ("| a |\n| --- |\n| ", " |")] {
        let page = format!("{before}<code>{escaped}</code>{after}\n");
        let mut options = Options::all();
        // It replaces characters, and no platform enables it.
        options.remove(Options::ENABLE_SMART_PUNCTUATION);
        let mut code = None;
        for event in Parser::new_ext(&page, options) {
            match (event, &mut code) {
                (Event::InlineHtml(tag), None) if &*tag == "<code>" => code = Some(String::new()),
                (Event::InlineHtml(tag), Some(code)) if &*tag == "</code>" => {
                    assert_eq!(code, shown, "{page:?}");
                }
                (Event::Text(text), Some(code)) => code.push_str(&text),
                (Event::Text(text), None) => assert_eq!(&*text, "a"),
                (Event::Start(_) | Event::End(_), _) => {}
                (event, _) => panic!("{event:?} in {page:?}"),
            }
        }
        assert!(code.is_some(), "{page:?}");
    }
}

/// Checks XML and HTML: in attributes and between tags.
fn check_xml(text: &str, shown: &str) {
    let escaped = escape::xml(text);
    let page = format!("<p a=\"{escaped}\" b='{escaped}'>{escaped}</p>");
    let document = roxmltree::Document::parse(&page).expect("XML");
    let element = document.root_element();
    assert_eq!(element.children().count(), usize::from(!shown.is_empty()), "{page:?}");
    let read = [element.attribute("a"), element.attribute("b"), element.text().or(Some(""))];
    assert_eq!(read, [Some(shown); 3], "{page:?}");

    let document = Html::parse_fragment(&page);
    let element = document.select(&Selector::parse("p").expect("a selector")).next().expect("the element");
    assert_eq!(element.text().collect::<String>(), shown, "{page:?}");
    assert_eq!([element.attr("a"), element.attr("b")], [Some(shown); 2], "{page:?}");
    assert_eq!(element.descendants().filter(|node| node.value().is_element()).count(), 1, "{page:?}");
}

/// Parses the value of a Prometheus label
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
pub(crate) fn parse_label(escaped: &str) -> String {
    let mut chars = escaped.chars();
    let mut text = String::new();
    while let Some(char) = chars.next() {
        match char {
            '\\' => text.push(match chars.next() {
                Some('n') => '\n',
                Some(char @ ('\\' | '"')) => char,
                other => panic!("{other:?} after a backslash in {escaped:?}"),
            }),
            '"' | '\n' => panic!("{escaped:?} ends too early"),
            char => text.push(char),
        }
    }
    text
}

/// Checks workflow commands: in a property and in the message.
fn check_command(text: &str, shown: &str) {
    let line = format!("::error file={0},title={0}::{1}", escape::property(text), escape::command(text));
    let (name, properties, message) = parse_workflow_command(&line).expect("a command");
    assert_eq!(name, "error");
    assert_eq!(properties, [("file", shown.to_owned()), ("title", shown.to_owned())]);
    assert_eq!(message, shown);
}

/// Name, properties and message of a workflow command.
type Command<'a> = (&'a str, Vec<(&'a str, String)>, String);

/// Parses a workflow command like the runner
/// (<https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs>).
pub(crate) fn parse_workflow_command(line: &str) -> Option<Command<'_>> {
    let (head, message) = line.strip_prefix("::")?.split_once("::")?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    let unescaped = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n");
    let properties = properties.split(',').filter_map(|property| {
        let (name, value) = property.split_once('=')?;
        let value = unescaped(value).replace("%3A", ":").replace("%2C", ",").replace("%25", "%");
        Some((name, value))
    });
    Some((name, properties.collect(), unescaped(message).replace("%25", "%")))
}

/// Checks YAML: as a key, as a value before a comment and as an item, always as a string.
fn check_yaml(text: &str) {
    let escaped = escape::yaml(text);
    assert!(!escaped.chars().any(is_unsafe), "{escaped:?}");
    // A key in one line has at most 1,024 characters: https://yaml.org/spec/1.2.2/#742-flow-mappings
    if escaped.chars().count() > 1_000 {
        return;
    }
    let document = format!("key:\n  {escaped}: {escaped}  # comment\nlist:\n  - {escaped}\n");
    let read: Value = match serde_yaml::from_str(&document) {
        Ok(read) => read,
        Err(error) => panic!("{document:?}: {error}"),
    };
    assert_eq!(read, json!({"key": {text: text}, "list": [text]}), "{document:?}");
}

/// Checks JSON documents in a log.
fn check_json(text: &str) {
    let document = json!({text: [text]});
    let shown = escape::json(&serde_json::to_string_pretty(&document).expect("JSON"));
    assert_inert(&shown);
    assert_eq!(serde_json::from_str::<Value>(&shown).ok(), Some(document), "{shown}");
}

/// Parses one word of a POSIX shell.
fn parse_shell_word(escaped: &str) -> String {
    let mut chars = escaped.chars();
    let mut word = String::new();
    let mut quote = None;
    while let Some(char) = chars.next() {
        match (quote, char) {
            (Some(quoted), char) if quoted == char => quote = None,
            (Some(quoted), char) => {
                assert!(quoted == '\'' || !"$`\\!".contains(char), "{escaped:?}");
                word.push(char);
            }
            (None, '\'' | '"') => quote = Some(char),
            (None, '\\') => word.extend(chars.next()),
            (None, char) => {
                assert!(char.is_ascii_alphanumeric() || "_-./:=@%+".contains(char), "{escaped:?}");
                word.push(char);
            }
        }
    }
    assert_eq!(quote, None, "{escaped:?}");
    word
}
