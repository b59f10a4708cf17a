//! `tests/formats/<name>/`: a command, and what it shows in every format. Whatever is shown, the
//! formats' own parsers read it, and no name acts in it.
//!
//! Anyone adds one by adding a folder with a file `command`, the arguments of a run in this package,
//! and running the tests with `UPDATE_EXPECT=1`.

use std::fs;
use std::path::PathBuf;

use expect_test::expect_file;

use crate::support::{Outcome, flowbind, masked, package};

const FORMATS: [(&str, &str); 8] = [
    ("text", "txt"),
    ("json", "json"),
    ("markdown", "md"),
    ("diff", "diff"),
    ("github", "github"),
    ("junit", "xml"),
    ("html", "html"),
    ("prom", "prom"),
];

fn shown() -> Vec<PathBuf> {
    let mut shown: Vec<_> =
        fs::read_dir(package("tests/formats")).unwrap().map(|entry| entry.unwrap().path()).collect();
    shown.sort();
    shown
}

fn show(folder: &std::path::Path, format: &str) -> Outcome {
    let command = fs::read_to_string(folder.join("command")).unwrap();
    flowbind(command.trim().split(' ')).args(["--format", format]).within(&package("")).run()
}

#[test]
fn every_format_shows_what_its_folder_says() {
    assert!(shown().len() >= 8);
    for folder in shown() {
        let codes: Vec<_> = FORMATS
            .iter()
            .map(|(format, ending)| {
                let outcome = show(&folder, format);
                expect_file![folder.join(format!("expected.{ending}"))].assert_eq(&masked(&outcome.stdout));
                outcome.code
            })
            .collect();
        assert!(codes.iter().all(|code| *code == codes[0]), "{}: {codes:?}", folder.display());
    }
}
