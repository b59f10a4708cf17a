//! Releases: documented and used dependencies, one Rust version, locked builds and pinned actions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::{code_blocks, package, path_below};

fn read(path: &str) -> String {
    fs::read_to_string(package(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the text of every file below a folder, by its path in the package.
fn texts(below: &str) -> BTreeMap<String, String> {
    fn walk(path: &Path, texts: &mut BTreeMap<String, String>) {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                walk(&entry.unwrap().path(), texts);
            }
        } else if let Ok(text) = fs::read_to_string(path) {
            let name = path_below(&package(""), path);
            texts.insert(name, text);
        }
    }
    let mut texts = BTreeMap::new();
    walk(&package(below), &mut texts);
    assert!(!texts.is_empty(), "{below}");
    texts
}

/// Returns the names in a table of `Cargo.toml`.
fn dependencies(table: &str) -> BTreeSet<String> {
    let manifest = read("Cargo.toml");
    let (_, rest) = manifest.split_once(&format!("\n[{table}]\n")).unwrap();
    let lines = rest.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = "));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// Returns `rust-version` of `Cargo.toml`.
fn rust() -> String {
    let manifest = read("Cargo.toml");
    let line = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    line.trim_matches('"').to_owned()
}

#[test]
fn contributing_has_a_reason_for_every_dependency() {
    let contributing = read("CONTRIBUTING.md");
    let (_, section) = contributing.split_once("\n## Dependencies\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    // A row documents one or more crates: "| `a`, `b` | … | … |".
    let mut documented = BTreeSet::new();
    for row in rows {
        let cells: Vec<_> = row.split(" | ").collect();
        assert!(cells.len() == 3 && cells.iter().all(|cell| cell.len() > 2), "{row}");
        for name in cells[0].split(", ") {
            assert!(documented.insert(name.trim_matches('`').to_owned()), "twice: {name}");
        }
    }
    let tables = [
        "dependencies",
        "target.'cfg(unix)'.dependencies",
        "target.'cfg(windows)'.dependencies",
        "dev-dependencies",
        "target.'cfg(unix)'.dev-dependencies",
    ];
    let named: BTreeSet<_> = tables.into_iter().flat_map(dependencies).collect();
    assert_eq!(documented, named);
}

#[test]
fn dependencies_are_all_used() {
    // Unit tests in `src` also use dev-dependencies.
    for (table, folders) in [("dependencies", &["src"][..]), ("dev-dependencies", &["src", "tests"])] {
        let texts: Vec<_> = folders.iter().flat_map(|below| texts(below)).collect();
        let names = dependencies(table);
        assert!(names.len() > 5, "{names:?}");
        for name in names {
            let path = format!("{}::", name.replace('-', "_"));
            let used = texts.iter().any(|(file, text)| file.ends_with(".rs") && text.contains(&path));
            assert!(used, "`{name}` is not used in {folders:?}");
        }
    }
}

#[test]
fn rust_version_is_the_same_everywhere() {
    let rust = rust();
    for workflow in [".github/workflows/ci.yml", ".github/workflows/release.yml"] {
        assert!(read(workflow).contains(&format!("\n  RUST: \"{rust}\"\n")), "{workflow}");
    }
    assert!(read("README.md").contains(&format!("Rust {rust}")));
    assert!(read("examples/gitlab/.gitlab-ci.yml").contains(&format!("image: rust:{rust}-slim\n")));
}

#[test]
fn install_commands_name_the_package_version() {
    let version = env!("CARGO_PKG_VERSION");
    let mut commands = 0;
    for (path, text) in ["README.md", "docs", "examples", "action.yml", ".github"].into_iter().flat_map(texts)
    {
        for (_, command) in text.lines().filter_map(|line| line.split_once("cargo install --locked ")) {
            let Some((options, _)) = command.split_once(" flowbind") else { continue };
            let named = [format!("--version {version}"), "--version \"$VERSION\"".into()];
            assert!(named.contains(&options.to_owned()), "{path}: {command}");
            commands += 1;
        }
    }
    assert_eq!(commands, 6);
    assert!(read("action.yml").contains(&format!("\n    default: {version}\n")));
    assert!(read("examples/kubernetes/cronjob.yaml").contains(&format!("/flowbind:{version}\n")));
    assert!(read("examples/kubernetes/fleet.yaml").contains(&format!("/flowbind-with-shell:{version}\n")));
}

/// Only the versions in `Cargo.lock` were tested, so every build must use them.
#[test]
fn build_commands_are_all_locked() {
    let building =
        ["build", "run", "test", "bench", "check", "clippy", "doc", "install", "metadata", "publish"];
    let pages = ["README.md", "CONTRIBUTING.md", "docs"].into_iter().flat_map(texts);
    let pages = pages.filter(|(name, _)| name.ends_with(".md"));
    let commands = pages.flat_map(|(_, page)| code_blocks(&page)).filter(|(language, _)| language == "sh");
    let scripts = [".ci", ".github", "action.yml", "examples"].into_iter().flat_map(texts).chain(commands);
    let mut seen = 0;
    for (place, text) in scripts {
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let Some((_, command)) = line.split_once("cargo ") else { continue };
            if building.contains(&command.split_whitespace().next().unwrap_or_default()) {
                assert!(command.contains(" --locked"), "{place}: {line}");
                seen += 1;
            }
        }
    }
    assert!(seen > 10, "{seen}");
}

/// A tag can be moved, but a commit cannot. Each action has the same commit everywhere.
#[test]
fn actions_are_pinned_by_commit() {
    let mut pins: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in ["examples", "action.yml", ".github"].into_iter().flat_map(texts) {
        for line in text.lines() {
            let Some((_, action)) = line.split_once("uses: ") else { continue };
            // The user replaces the owner, and the tag follows the releases.
            if action.starts_with("OWNER/flowbind@v0 ") {
                continue;
            }
            let (name, pin) = action.split_once('@').unwrap_or_else(|| panic!("{path}: {line}"));
            let (commit, version) = pin.split_once(" # v").unwrap_or_else(|| panic!("{path}: {line}"));
            assert!(
                commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{path}: {line}"
            );
            assert_eq!(version.split('.').count(), 3, "{path}: {line}");
            pins.entry(name.to_owned()).or_default().insert(pin.to_owned());
        }
    }
    assert!(pins.len() >= 4 && pins.values().all(|pins| pins.len() == 1), "{pins:?}");
}
