//! Dependencies between the modules of the crate. Every `crate::` path counts, not only `use` lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::package;

/// Modules of the crate with the modules that they use. A new entry needs a reason; an unused entry must
/// be removed.
const DEPENDENCIES: [(&str, &[&str]); 15] = [
    ("diagnostic", &[]),
    ("http", &[]),
    ("snapshot", &[]),
    ("terminal", &[]),
    ("model", &["diagnostic"]),
    ("desired", &["model", "diagnostic"]),
    ("auth", &["http"]),
    ("graph", &["model", "auth", "http", "diagnostic"]),
    ("current", &["model", "graph", "diagnostic"]),
    ("plan", &["model", "diagnostic"]),
    ("apply", &["model", "plan", "graph", "diagnostic"]),
    ("saved", &["model", "plan", "apply", "diagnostic"]),
    ("render", &["model", "plan", "apply", "diagnostic"]),
    ("sandbox", &["snapshot"]),
    (
        "cli",
        &[
            "auth",
            "current",
            "desired",
            "diagnostic",
            "saved",
            "graph",
            "http",
            "model",
            "plan",
            "render",
            "sandbox",
            "snapshot",
            "terminal",
            "apply",
        ],
    ),
];

/// Returns the modules of the crate that a source file uses.
fn used_modules(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let name = |text: &str| {
        text.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect::<String>()
    };
    for (at, path) in text.match_indices("crate::") {
        let rest = &text[at + path.len()..];
        // `$crate` and `other_crate::` are not paths of this crate.
        let before = text[..at].chars().next_back();
        if before.is_some_and(|char| char.is_alphanumeric() || char == '_' || char == '$') {
            continue;
        }
        match rest.strip_prefix('{') {
            None => _ = used.insert(name(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut start = true;
                for (at, char) in group.char_indices() {
                    match char {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        char if start && !char.is_whitespace() => {
                            used.insert(name(&group[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    used
}

/// Appends the text of all Rust files below a path.
fn read_sources(path: &Path, text: &mut String) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            read_sources(&entry.unwrap().path(), text);
        }
    } else if path.extension().is_some_and(|ending| ending == "rs") {
        text.push_str(&fs::read_to_string(path).unwrap());
    }
}

#[test]
fn modules_use_exactly_the_listed_dependencies() {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(package("src")).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if module == "lib" || module == "main" {
            continue;
        }
        let mut text = String::new();
        read_sources(&path, &mut text);
        let mut used = used_modules(&text);
        used.remove(&module);
        // A module can be a file and a folder.
        found.entry(module).or_insert_with(BTreeSet::new).extend(used);
    }
    let uses = |(module, uses): (&str, &[&str])| {
        (module.to_owned(), uses.iter().copied().map(str::to_owned).collect::<BTreeSet<_>>())
    };
    assert_eq!(found, BTreeMap::from(DEPENDENCIES.map(uses)));
}

#[test]
fn used_modules_finds_paths_everywhere_in_a_file() {
    let text = "use crate::{a, b::{c, d}, e as f};\nuse crate::g::h; fn x() { crate::i::j() } $crate::k; my_crate::l";
    assert_eq!(used_modules(text).into_iter().collect::<Vec<_>>(), ["a", "b", "e", "g", "i"]);
}
