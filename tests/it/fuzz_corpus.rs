//! Fuzz corpus: runs every input in `tests/fuzz/corpus/<target>/` through its fuzz target, without a
//! fuzzer.

use std::fs;
use std::panic;

#[path = "../fuzz/src/lib.rs"]
pub mod fuzz;

use crate::support::package;

/// Limits per corpus, so that the test takes a few seconds.
const MAX_FILES: usize = 250;
const MAX_BYTES: usize = 500_000;

#[test]
fn corpus_inputs_pass_their_fuzz_targets() {
    let mut corpora: Vec<_> = fs::read_dir(package("tests/fuzz/corpus"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    corpora.sort_unstable();
    assert_eq!(corpora, fuzz::TARGETS.map(|(name, _)| name), "each target needs a corpus");
    let mut failed = Vec::new();
    for (name, target) in fuzz::TARGETS {
        let mut bytes = 0;
        let paths: Vec<_> = fs::read_dir(package("tests/fuzz/corpus").join(name))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!((1..=MAX_FILES).contains(&paths.len()), "{name}: {} files", paths.len());
        for path in paths {
            let input = fs::read(&path).unwrap();
            bytes += input.len();
            // A failing input prints its panic. The loop goes on, so that all failures are listed.
            if panic::catch_unwind(|| target(&input)).is_err() {
                failed.push(path);
            }
        }
        assert!(bytes <= MAX_BYTES, "{name}: {bytes} bytes");
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// The weekly workflow and the manifest list the targets by hand, so they could miss one.
#[test]
fn fuzz_targets_are_in_the_workflow_and_the_manifest() {
    let weekly = fs::read_to_string(package(".github/workflows/weekly.yml")).unwrap();
    let all = fuzz::TARGETS.map(|(name, _)| name).join(", ");
    assert!(weekly.contains(&format!("target: [{all}]")), "{all}");
    let manifest = fs::read_to_string(package("tests/fuzz/Cargo.toml")).unwrap();
    for (name, _) in fuzz::TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"targets/{name}.rs\"\n")), "{name}");
        let target =
            fs::read_to_string(package("tests/fuzz/targets").join(name).with_extension("rs")).unwrap();
        assert!(target.contains(&format!("flowbind_fuzz::{name}(data)")), "{name}");
    }
}
