//! Output formats: rules for the outputs in `tests/formats`, and output files.

use std::fs;
use std::path::PathBuf;

use crate::support::{flowbind, package};

/// Returns name and expected output of each folder, for the format with this extension.
fn expected(ending: &str) -> Vec<(String, String)> {
    let folders = fs::read_dir(package("tests/formats")).unwrap().map(|entry| entry.unwrap().path());
    let expected = |folder: PathBuf| {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        // An empty output has no file.
        (name, fs::read_to_string(folder.join(format!("expected.{ending}"))).unwrap_or_default())
    };
    folders.map(expected).collect()
}

#[test]
fn comment_above_the_size_limit_is_truncated() {
    for (name, comment) in expected("md") {
        assert!(comment.len() <= 60_000, "{name}: {}", comment.len());
        assert_eq!(comment.matches("<details").count(), comment.matches("</details>").count(), "{name}");
        let truncated = comment.contains("… and ");
        assert_eq!(truncated, name == "large", "{name}");
    }
}

/// Parses the comment as CommonMark with GitHub's tables: every row has as many cells as its header, and
/// there are only known elements.
#[test]
fn comment_is_valid_commonmark_with_tables() {
    for (name, comment) in expected("md") {
        let (_, rows) = crate::fuzz_corpus::fuzz::readers::markdown(&comment);
        assert_eq!(rows > 0, comment.contains("| --- |"), "{name}");
    }
}

/// In the diff, `+` is the file and `-` is the tenant.
#[test]
fn diff_has_one_line_per_change() {
    for (name, diff) in expected("diff") {
        let plan = fs::read_to_string(package("tests/formats").join(&name).join("expected.json")).unwrap();
        let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
        if plan["kind"] != "plan" {
            continue;
        }
        let changes: usize = plan["targets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["changes"].as_array().unwrap().len())
            .sum();
        let count = |mark: &str, head: &str| {
            diff.lines().filter(|line| line.starts_with(mark) && !line.starts_with(head)).count()
        };
        assert_eq!((count("+", "+++ "), count("-", "--- ")), (changes, changes), "{name}");
    }
}

/// Outputs are opened before anything is read.
#[test]
fn output_with_unknown_extension_or_missing_folder_fails_before_reading() {
    for (out, why) in [
        ("plan.yaml", "the extension selects the format; use one of .txt .json .md .diff .xml .html .prom"),
        ("plan", "the extension selects the format"),
        ("missing/plan.md", "cannot write `missing/plan.md`"),
    ] {
        let outcome = flowbind(["plan", "missing.yaml", "--out", out]).within(&package("")).run();
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains(why), "{outcome}");
        assert!(!outcome.stderr.contains("missing.yaml"), "nothing was read: {outcome}");
    }
}

/// A limit of the shell on the file size simulates a full disk.
#[cfg(unix)]
#[test]
fn output_on_full_disk_keeps_the_existing_file() {
    let folder = crate::support::folder();
    crate::support::file(folder.path(), "plan.html", "the old one");
    let run = "trap '' XFSZ; ulimit -f 1; exec \"$0\" plan examples/quickstart/flowbind.yaml \
               --sandbox examples/quickstart/tenant.json --out \"$1\"";
    let output = std::process::Command::new("/bin/sh")
        .args(["-ec", run, env!("CARGO_BIN_EXE_flowbind")])
        .arg(folder.path().join("plan.html"))
        .current_dir(package(""))
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot write `") && stderr.contains("plan.html`: File too large"), "{stderr}");
    assert_eq!(fs::read_to_string(folder.path().join("plan.html")).unwrap(), "the old one");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}
