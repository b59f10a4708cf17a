//! The documentation matches the program: the output it shows, the commands, the links, the YAML.
//!
//! `UPDATE_EXPECT=1 cargo test --locked docs::` writes current output into every page.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use expect_test::expect_file;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::support::{
    code_blocks, copy, executable, file, flowbind, folder, kept_variables, package, path_after, path_below,
};

/// The binary that the pages are checked against.
const BINARY: &str = env!("CARGO_BIN_EXE_flowbind");

/// A page that is generated from the registry of problem ids; links to it are not followed.
const TROUBLESHOOTING: &str = "docs/troubleshooting.md";

/// Begins a region of a page that holds the quoted output of a command, up to [`QUOTED_END`].
const QUOTED: &str = "<!-- The output of `";
const QUOTED_END: &str = "<!-- End of the output. -->";

/// Every Markdown file of the package that people read, by its path in the package.
fn pages() -> BTreeMap<String, String> {
    fn collect(path: &Path, pages: &mut BTreeMap<String, String>) {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                collect(&entry.unwrap().path(), pages);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.insert(path_below(&package(""), path), fs::read_to_string(path).unwrap());
        }
    }
    let mut pages = BTreeMap::new();
    for name in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "examples", ".github"]
    {
        collect(&package(name), &mut pages);
    }
    assert!(pages.len() > 10, "{:?}", pages.keys());
    pages
}

/// The fenced blocks of a language in all pages, with the name of their page.
fn all_blocks(language: &str) -> Vec<(String, String)> {
    let pages = pages().into_iter().filter(|(name, _)| name != TROUBLESHOOTING);
    let found = pages.flat_map(|(name, text)| {
        code_blocks(&text).into_iter().map(move |(language, block)| (name.clone(), language, block))
    });
    found.filter(|(_, found, _)| found == language).map(|(name, _, block)| (name, block)).collect()
}

/// A folder with a copy of the examples that pages run commands on.
fn checkout() -> tempfile::TempDir {
    let checkout = folder();
    copy(&package("examples"), &checkout.path().join("examples"));
    checkout
}

/// Runs a line of shell; returns stdout and stderr in the order of writing, and the exit code.
fn shell(line: &str, within: &Path) -> (String, i32) {
    let binaries = Path::new(BINARY).parent().unwrap();
    let output = Command::new("/bin/sh")
        .args(["-c", &format!("exec 2>&1\n{line}")])
        .current_dir(within)
        .env_clear()
        .envs(kept_variables())
        .env("PATH", path_after(binaries))
        .env("SOURCE_DATE_EPOCH", "1793606400")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap_or(-1))
}

/// A `console` block with the current output of its commands. `$ echo $?` prints the last exit code;
/// here-documents are not supported.
fn rerun(block: &[&str], within: &Path) -> String {
    let mut text = String::new();
    let mut last = 0;
    let mut lines = block.iter();
    while let Some(line) = lines.next() {
        let Some(first) = line.strip_prefix("$ ") else { continue };
        text.push_str(&format!("{line}\n"));
        let mut command = first.to_owned();
        while command.ends_with('\\') {
            let line = lines.next().unwrap();
            text.push_str(&format!("{line}\n"));
            command = format!("{command}\n{line}");
        }
        let (output, code) = shell(&format!("(exit {last})\n{command}"), within);
        assert!(!output.contains("Usage: flowbind"), "{command}\n{output}");
        text.push_str(&output);
        last = code;
    }
    text
}

/// A page with the current output in each `console` block and each quoted region.
fn with_current_output(page: &str) -> String {
    let checkout = checkout();
    let mut text = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        text.push_str(&format!("{line}\n"));
        if line == "```console" {
            let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            text.push_str(&rerun(&block, checkout.path()));
            text.push_str("```\n");
        } else if let Some((command, _)) =
            line.strip_prefix(QUOTED).and_then(|command| command.split_once('`'))
        {
            assert!(lines.by_ref().any(|line| line == QUOTED_END), "{line}");
            let (output, _) = shell(command, checkout.path());
            text.push('\n');
            for line in output.lines() {
                text.push_str(format!("> {line}").trim_end());
                text.push('\n');
            }
            text.push_str(&format!("\n{QUOTED_END}\n"));
        }
    }
    text
}

/// Runs shell commands.
#[cfg(unix)]
#[test]
fn every_page_shows_the_current_output() {
    let mut shown = 0;
    for (name, page) in pages() {
        let current = with_current_output(&page);
        shown += current.matches("```console\n").count() + current.matches(QUOTED).count();
        expect_file![package(&name)].assert_eq(&current);
    }
    assert!(shown >= 5, "{shown}");
}

#[test]
fn the_picture_shows_the_plan_of_the_quickstart() {
    let command = ["plan", "--sandbox", "tenant.json"];
    let plan = flowbind(command).args(["--color", "always"]).within(&package("examples/quickstart")).run();
    assert_eq!((plan.code, plan.stderr.as_str()), (0, ""));
    let screen = format!("$ flowbind {}\n{}", command.join(" "), plan.stdout);
    let svg = anstyle_svg::Term::new().palette(anstyle_svg::WIN10_CONSOLE).render_svg(&screen);
    expect_file![package("docs/images/plan.svg")].assert_eq(&svg);
}

#[test]
fn the_readme_is_short_and_has_the_two_commands() {
    let readme = pages().remove("README.md").unwrap();
    let lines = readme.lines().count();
    assert!(lines <= 200, "the README has {lines} lines; move details to docs/");
    let commands: Vec<_> =
        code_blocks(&readme).into_iter().filter(|(language, _)| language == "sh").collect();
    for command in [
        "cargo run --locked -- plan examples/quickstart/flowbind.yaml --sandbox examples/quickstart/tenant.json",
        "cargo test --locked",
    ] {
        let shown = commands.iter().any(|(_, block)| block.lines().any(|line| line == command));
        assert!(shown, "not in a `sh` block: {command}");
    }
}

/// Every shell block runs with stand-ins: each call of flowbind is parsed, and nothing else exists.
#[cfg(unix)]
#[test]
fn every_shell_command_is_accepted_by_the_argument_parser() {
    let stand_ins = folder();
    let calls = stand_ins.path().join("calls");
    // `--help` is parsed last, so all arguments before it are checked, and nothing is run.
    let stand_in = format!(
        "#!/bin/sh\nif why=$({BINARY} \"$@\" --help 2>&1); then why=accepted; fi\n\
         echo \"$*: $why\" >> {}\n",
        calls.display()
    );
    executable(stand_ins.path(), "flowbind", &stand_in);
    executable(
        stand_ins.path(),
        "cargo",
        "#!/bin/sh\n[ \"$1 $2\" = 'run --locked' ] && shift 3 && flowbind \"$@\"\n",
    );
    for (_, block) in all_blocks("sh") {
        Command::new("/bin/sh")
            .args(["-c", &block])
            .current_dir(folder().path())
            .env_clear()
            .env("PATH", stand_ins.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
    }
    let calls = fs::read_to_string(calls).unwrap();
    let (accepted, rejected): (Vec<_>, Vec<_>) = calls.lines().partition(|call| call.ends_with(": accepted"));
    assert!(rejected.is_empty(), "{rejected:#?}");
    assert!(accepted.len() >= 20, "{accepted:#?}");
}

#[test]
fn every_desired_state_file_in_a_page_is_valid() {
    let base = fs::read_to_string(package("examples/stages/base.yaml")).unwrap();
    let mut seen = 0;
    for (page, yaml) in all_blocks("yaml") {
        if !yaml.lines().any(|line| line.starts_with("version:")) {
            continue;
        }
        let folder = folder();
        file(folder.path(), "base.yaml", &base);
        file(folder.path(), "flowbind.yaml", &yaml);
        let outcome = flowbind(["validate"]).within(folder.path()).run();
        assert_eq!(outcome.code, 0, "{page}:\n{yaml}\n{outcome}");
        seen += 1;
    }
    assert!(seen >= 3, "{seen}");
}

/// The links of a page and the anchors of its headings.
fn links_and_anchors(page: &str) -> (Vec<String>, BTreeSet<String>) {
    let mut links = Vec::new();
    let mut anchors = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(page, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let slug = slug(&heading.take().unwrap());
                assert!(anchors.insert(slug.clone()), "two headings have the anchor `{slug}`");
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            _ => {}
        }
    }
    (links, anchors)
}

/// The anchor that GitHub gives a heading.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|char| char.is_alphanumeric() || [' ', '-', '_'].contains(char));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_leads_to_a_file_and_an_anchor() {
    let pages = pages();
    let anchors: BTreeMap<_, _> =
        pages.iter().map(|(name, text)| (PathBuf::from(name), links_and_anchors(text).1)).collect();
    let mut seen = 0;
    for (name, text) in &pages {
        for link in links_and_anchors(text).0 {
            seen += 1;
            if link.contains("://") {
                assert!(link.starts_with("https://"), "{name}: {link}");
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { PathBuf::from(name) } else { resolve(name, path) };
            if target == Path::new(TROUBLESHOOTING) {
                continue;
            }
            assert!(package("").join(&target).exists(), "{name}: no file {}", target.display());
            let known = anchor.is_empty() || anchors.get(&target).is_some_and(|all| all.contains(anchor));
            assert!(known, "{name}: no heading `#{anchor}` in {}", target.display());
        }
    }
    assert!(seen > 50, "{seen}");
}

/// The path in the package that a relative link on a page leads to.
fn resolve(page: &str, link: &str) -> PathBuf {
    let mut target = Path::new(page).parent().unwrap().to_owned();
    for part in link.split('/') {
        match part {
            ".." => assert!(target.pop(), "{page}: {link}"),
            "." | "" => {}
            part => target.push(part),
        }
    }
    target
}

/// The code in each cell of the tables of a page, row by row.
fn table_code(markdown: &str) -> Vec<Vec<Vec<String>>> {
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

#[test]
fn every_attack_of_the_threat_model_names_existing_tests() {
    let page = fs::read_to_string(package("docs/threat-model.md")).unwrap();
    let mut seen = 0;
    for row in table_code(&page) {
        let mut source = None;
        for name in &row[2] {
            if name.ends_with(".rs") {
                source =
                    Some(fs::read_to_string(package(name)).unwrap_or_else(|error| panic!("{name}: {error}")));
            } else {
                let source = source.as_ref().unwrap_or_else(|| panic!("no file before `{name}`"));
                assert!(source.contains(&format!("fn {name}(")), "no test `{name}`");
                seen += 1;
            }
        }
        assert!(source.is_some(), "no test in {row:?}");
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn functions_of_the_architecture_page_all_exist() {
    let page = fs::read_to_string(package("docs/architecture.md")).unwrap();
    let (_, walk) = page.split_once("\n## One binding, from YAML to PUT\n").unwrap();
    let walk = walk.split("\n## ").next().unwrap();
    let mut seen = 0;
    for event in Parser::new(walk) {
        let Event::Code(path) = event else { continue };
        // A path is the modules of a file, the type if any, and the function.
        let Some((scope, function)) = path.rsplit_once("::") else { continue };
        let is_type = |segment: &&str| segment.starts_with(char::is_uppercase);
        let (types, modules): (Vec<_>, Vec<_>) = scope.split("::").partition(is_type);
        let module = modules.join("/");
        let files = [format!("src/{module}.rs"), format!("src/{module}/mod.rs")].map(|file| package(&file));
        let file = files.iter().find(|file| file.exists()).unwrap_or_else(|| panic!("no file of `{path}`"));
        let source = fs::read_to_string(file).unwrap();
        let is_defined = ["(", "<"].iter().any(|next| source.contains(&format!("fn {function}{next}")));
        let has_types = types.iter().all(|name| source.contains(name));
        assert!(is_defined && has_types, "no `{path}` in {}", file.display());
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn a_heading_gets_the_anchor_of_github() {
    assert_eq!(slug("`flowbind plan`: what, and why?"), "flowbind-plan-what-and-why");
}
