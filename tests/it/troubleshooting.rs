//! Registry of problem ids: `docs/troubleshooting.md`, and a test for each id.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use expect_test::expect_file;
use flowbind::diagnostic::Code;
use flowbind::diagnostic::code::{Area, Explanation};

use crate::support::package;

#[test]
fn troubleshooting_page_matches_the_registry() {
    expect_file![package("docs/troubleshooting.md")].assert_eq(&page());
}

/// Returns the page: a heading for each area and each id. The id is the anchor of its heading.
fn page() -> String {
    let mut page = String::from(
        "<!-- Generated from src/diagnostic/code.rs by `UPDATE_EXPECT=1 cargo test --locked troubleshooting`. -->\n\n\
         # Troubleshooting\n\n\
         Every error, warning and blocker has a stable id, such as `stale-plan` in `error[stale-plan]`. It is `id` in\n\
         JSON, `type` in JUnit, and part of the title of an annotation in GitHub Actions. `flowbind explain ID`\n\
         prints the text of this page.\n",
    );
    for area in Area::ALL {
        let codes = || Code::ALL.iter().filter(move |code| code.area() == area);
        let links: Vec<_> = codes().map(|code| format!("[`{code}`](#{code})")).collect();
        _ = write!(page, "\n## {}\n\n{}\n", area.title(), links.join(" ·\n"));
        for code in codes() {
            let Explanation { title, meaning, changed, action } = code.explanation();
            _ = write!(page, "\n### {code}\n\n**{title}**\n\n{meaning}\n");
            _ = write!(page, "\n*What was changed:* {changed}\n\n*What to do:* {action}\n");
        }
    }
    page
}

#[test]
fn explanation_of_every_id_has_four_parts() {
    for code in Code::ALL {
        let Explanation { title, meaning, changed, action } = code.explanation();
        assert!(!title.is_empty() && !title.ends_with('.') && title.len() <= 70, "{code}: {title}");
        for part in [meaning, changed, action] {
            assert!(part.len() > 10 && part.ends_with('.') && !part.contains("  "), "{code}: {part}");
        }
        assert!(!meaning.contains(title), "{code}: the meaning repeats the title");
    }
}

/// An id that no test produces may be one that the program cannot produce.
#[test]
fn every_id_is_produced_by_a_test() {
    let mut texts = Vec::new();
    for folder in ["cases", "runs", "formats", "bad", "it"] {
        collect(&package("tests").join(folder), &mut texts);
    }
    let is_produced = |code: &&Code| {
        let forms = ["error", "warning", "blocked"].map(|severity| format!("{severity}[{code}]"));
        let forms = [&forms[..], &[format!("\"id\": \"{code}\"")]].concat();
        texts.iter().any(|text| forms.iter().any(|form| text.contains(form)))
    };
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !is_produced(code)).map(|code| code.id()).collect();
    assert!(missing.is_empty(), "no test produces {missing:?}");
}

/// Adds the text of every file of a folder.
fn collect(path: &Path, texts: &mut Vec<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), texts);
        }
    } else {
        texts.extend(fs::read_to_string(path));
    }
}
