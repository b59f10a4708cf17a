//! `tests/fuzz/corpus/<target>/`: what fuzzing found worth keeping, held to the same rules without
//! a fuzzer.

use std::fs;
use std::panic;

#[path = "../fuzz/src/lib.rs"]
pub(crate) mod fuzz;

use crate::support::package;

/// The corpora, all small, so that this takes a few seconds.
const MOST_FILES: usize = 250;
const MOST_BYTES: usize = 500_000;

#[test]
fn every_input_of_every_corpus_holds_to_the_rules() {
    let mut kept: Vec<_> = fs::read_dir(package("tests/fuzz/corpus"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort_unstable();
    assert_eq!(kept, fuzz::TARGETS.map(|(name, _)| name), "a corpus for each target");
    let mut broken = Vec::new();
    for (name, target) in fuzz::TARGETS {
        let mut bytes = 0;
        let paths: Vec<_> = fs::read_dir(package("tests/fuzz/corpus").join(name))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!((1..=MOST_FILES).contains(&paths.len()), "{name}: {} files", paths.len());
        for path in paths {
            let input = fs::read(&path).unwrap();
            bytes += input.len();
            // One that breaks a rule says so itself; the others are to be seen as well.
            if panic::catch_unwind(|| target(&input)).is_err() {
                broken.push(path);
            }
        }
        assert!(bytes <= MOST_BYTES, "{name}: {bytes} bytes");
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A target that nobody could run would be forgotten.
#[test]
fn every_target_can_be_fuzzed() {
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
