//! The README tells the truth: what it shows is what comes out.

use std::fs;

use expect_test::expect_file;

use crate::support::{file, flowbind, folder, package};

/// The fenced blocks of the README, as (language, text).
fn blocks() -> Vec<(String, String)> {
    let readme = fs::read_to_string(package("README.md")).unwrap();
    let mut blocks = Vec::new();
    let mut rest = readme.as_str();
    while let Some((_, fence)) = rest.split_once("\n```") {
        let (language, body) = fence.split_once('\n').unwrap();
        let (text, after) = body.split_once("```").unwrap();
        blocks.push((language.to_owned(), text.to_owned()));
        rest = after;
    }
    blocks
}

/// The arguments of the README's first command.
fn first_command() -> Vec<String> {
    let (_, command) = blocks().into_iter().find(|(language, _)| language == "sh").unwrap();
    let arguments = command.trim().strip_prefix("cargo run -- ").unwrap();
    arguments.split(' ').map(str::to_owned).collect()
}

#[test]
fn the_first_command_prints_what_the_readme_shows() {
    let outcome = flowbind(first_command()).within(&package("")).run();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    let readme = fs::read_to_string(package("README.md")).unwrap();
    let (_, shown) = blocks().into_iter().find(|(language, _)| language == "text").unwrap();
    let fenced = |text: &str| format!("```text\n{text}```");
    let told = readme.replacen(&fenced(&shown), &fenced(&outcome.stdout), 1);
    expect_file![package("README.md")].assert_eq(&told);
}

#[test]
fn the_quickstart_shows_every_kind_of_binding() {
    let plan = flowbind(first_command()).args(["--format", "json"]).within(&package("")).run();
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let target = &plan["targets"][0];
    for kind in ["enable", "replace", "disable", "unchanged"] {
        assert!(target["summary"][kind].as_u64().unwrap() > 0, "{kind}");
    }
    assert!(!target["unmanaged"].as_array().unwrap().is_empty());
}

#[test]
fn the_second_command_is_the_tests() {
    let commands: Vec<_> = blocks().into_iter().filter(|(language, _)| language == "sh").collect();
    assert_eq!(commands[1].1, "cargo test\n");
}

#[test]
fn the_readmes_file_is_valid() {
    let (_, yaml) = blocks().into_iter().find(|(language, _)| language == "yaml").unwrap();
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml);
    let outcome = flowbind(["validate"]).within(folder.path()).run();
    assert_eq!(outcome.code, 0, "{outcome}");
}
