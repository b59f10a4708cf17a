//! The README lists all error messages, and names only existing tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::support::package;

/// Code before a message.
const MESSAGE_PREFIXES: [&str; 15] = [
    "Diagnostic::error(",
    "Diagnostic::warning(",
    "warn!(",
    "warnings.push(",
    "#[error(",
    ".context(",
    ".with_context(|| ",
    "Err(",
    "Unknown(",
    "NotSent(",
    "let problem = ",
    "let reason = ",
    "let why = ",
    "problem: ",
    "reason: ",
];

/// Modules whose messages refer to a line of a file or an argument, or are causes of such messages.
const OF_LINES: [&str; 5] = ["src/desired", "src/model", "src/snapshot", "src/sandbox", "src/cli/values"];

/// Returns a section of the README.
fn section(title: &str) -> String {
    let readme = fs::read_to_string(package("README.md")).unwrap();
    let (_, section) = readme.split_once(&format!("\n## {title}\n")).unwrap();
    section.split("\n## ").next().unwrap().to_owned()
}

/// Returns the code spans in each cell of all tables, row by row.
fn rows(markdown: &str) -> Vec<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    let mut row: Option<Vec<Vec<String>>> = None;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match (event, &mut row) {
            (Event::Start(Tag::TableRow), _) => row = Some(Vec::new()),
            (Event::Start(Tag::TableCell), Some(row)) => row.push(Vec::new()),
            (Event::Code(code), Some(row)) => row.last_mut().unwrap().push(code.into_string()),
            (Event::End(TagEnd::TableRow), _) => rows.extend(row.take()),
            _ => {}
        }
    }
    rows
}

/// Returns the code below a path without comments and tests, with each string literal on one line.
fn code(below: &Path, skipped: &[&str]) -> String {
    let name = below.strip_prefix(package("")).unwrap().display().to_string();
    if skipped.iter().any(|skipped| name.trim_end_matches(".rs") == *skipped) || name.ends_with("/tests.rs") {
        return String::new();
    }
    if below.is_dir() {
        let entries = fs::read_dir(below).unwrap();
        return entries.map(|entry| code(&entry.unwrap().path(), skipped)).collect();
    }
    let text = fs::read_to_string(below).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut code = String::new();
    for line in lines {
        match code.strip_suffix('\\') {
            Some(begun) => code = format!("{begun}{}", line.trim_start()),
            None => code = code + "\n" + line,
        }
    }
    code
}

/// Returns the string literal at the start of a text, after optional wrappers.
fn literal(text: &str) -> Option<&str> {
    let mut text = text.trim_start();
    for wrapping in ["Diagnostic::error(", "format!(", "&", "if ", "{"] {
        text = text.strip_prefix(wrapping).unwrap_or(text).trim_start();
    }
    text.strip_prefix('"')?.split('"').next()
}

/// Returns the longest fixed part of a format string.
fn fixed(literal: &str) -> &str {
    let pieces = literal.split('{').enumerate().map(|(at, piece)| match piece.split_once('}') {
        Some((_, rest)) if at > 0 => rest,
        _ => piece,
    });
    pieces.max_by_key(|piece| piece.len()).unwrap_or_default().trim_matches(['`', ' ', ':', ','])
}

#[test]
fn readme_messages_exist_in_the_code() {
    let code = code(&package("src"), &[]);
    let mut seen = 0;
    for row in rows(&section("When something goes wrong")) {
        // Rows about outcomes have the message in the second cell.
        let outcomes = ["failed", "unverified", "not-attempted", "already"];
        let is_outcome = row[0].first().is_some_and(|code| outcomes.contains(&code.as_str()));
        let shown = row[0].iter().chain(if is_outcome { &row[1][..] } else { &[] });
        for message in shown.filter(|code| *code != "AADSTS") {
            for piece in message.split('…').map(str::trim).filter(|piece| piece.len() > 1) {
                assert!(code.contains(piece), "no code says `{piece}`: {message}");
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn error_messages_are_all_in_the_readme() {
    let code = code(&package("src"), &OF_LINES);
    let messages: BTreeSet<_> = MESSAGE_PREFIXES
        .iter()
        .flat_map(|prefix| code.match_indices(prefix).map(|(at, _)| &code[at + prefix.len()..]))
        .filter_map(literal)
        .map(fixed)
        .filter(|words| words.contains(' '))
        .collect();
    assert!(messages.len() > 100, "{messages:?}");
    let page: Vec<_> = rows(&section("When something goes wrong")).concat().concat();
    let missing: Vec<_> =
        messages.iter().filter(|words| !page.iter().any(|code| code.contains(**words))).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn threat_model_names_existing_tests() {
    let mut seen = 0;
    for row in rows(&section("Threat model")) {
        let mut text = None;
        for name in &row[2] {
            if name.ends_with(".rs") {
                text =
                    Some(fs::read_to_string(package(name)).unwrap_or_else(|error| panic!("{name}: {error}")));
            } else {
                let text = text.as_ref().unwrap_or_else(|| panic!("no file before `{name}`"));
                assert!(text.contains(&format!("fn {name}(")), "no test `{name}`");
                seen += 1;
            }
        }
        assert!(text.is_some(), "nothing shows this: {row:?}");
    }
    assert!(seen > 50, "{seen}");
}
