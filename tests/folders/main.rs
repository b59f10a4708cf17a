//! Folders and files with expected output. Each is a test of its own with the name of the folder, and a
//! new one needs no Rust and no build, because they are listed at run time.
//!
//! `tests/README.md` describes the files of each kind. `UPDATE_EXPECT=1` writes the expected output.

#![allow(unreachable_pub, reason = "the modules of one test binary")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod accept;
mod bad;
mod cases;
mod formats;
mod runs;
#[allow(dead_code, unused_imports, reason = "the tests in `it` use the rest")]
#[path = "../it/support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use support::package;

/// Checks one folder or file, and panics if the output differs.
type Check = fn(&Path);

/// Kinds of tests: a folder, the extension of the files that are its tests, and the check of one of them.
/// Without an extension, its subfolders are the tests.
const KINDS: [(&str, Option<&str>, Check); 5] = [
    ("accept", None, accept::edits_change_only_the_expected_lines),
    ("bad", Some("yaml"), bad::validate_reports_all_problems),
    ("cases", None, cases::plan_and_apply_match_the_folder),
    ("formats", None, formats::outputs_match_in_every_format),
    ("runs", None, runs::commands_match_the_folder),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Names are spelled like those of other tests, but a filter may also be the name of a folder.
    for filter in arguments.filter.iter_mut().chain(&mut arguments.skip) {
        *filter = filter.replace('-', "_");
    }
    let trials = KINDS.iter().flat_map(|&(kind, extension, check)| {
        paths(kind, extension).into_iter().map(move |path| {
            let name = path.file_stem().unwrap().to_str().unwrap().replace('-', "_");
            let is_ignored = !cfg!(unix) && path.join("unix").exists();
            let check = move || {
                check(&path);
                Ok(())
            };
            Trial::test(format!("{kind}::{name}"), check).with_ignored_flag(is_ignored)
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Returns the folders, or the files with the extension, in `tests/<kind>`.
fn paths(kind: &str, extension: Option<&str>) -> Vec<PathBuf> {
    let entries = fs::read_dir(package("tests").join(kind)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| match extension {
        Some(extension) => path.extension().is_some_and(|found| found == extension),
        None => path.is_dir(),
    });
    assert!(!paths.is_empty(), "no tests in tests/{kind}");
    paths.sort();
    paths
}
