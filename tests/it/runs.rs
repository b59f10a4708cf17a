//! Run folders `tests/runs/<name>/`: files of several tenants, with the expected output of several
//! commands.
//!
//! To add a run, add a folder with a file `commands` and run the tests with `UPDATE_EXPECT=1`. Each line
//! has the arguments of one command, which runs in a copy of the folder.

use std::fs;
use std::path::Path;

use expect_test::expect_file;

use crate::support::{flowbind, folder, mask_request_ids, package};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { _ = fs::copy(&path, &to).unwrap() }
    }
}

#[test]
fn commands_of_each_run_match_its_folder() {
    let mut seen = 0;
    for entry in fs::read_dir(package("tests/runs")).unwrap() {
        let run = entry.unwrap().path();
        let copied = folder();
        copy(&run, copied.path());
        let mut output = String::new();
        for command in fs::read_to_string(run.join("commands")).unwrap().lines() {
            let outcome = flowbind(command.split(' ')).within(copied.path()).run();
            output.push_str(&format!("$ flowbind {command}\n{outcome}\n"));
        }
        let here = fs::canonicalize(copied.path()).unwrap();
        let output = mask_request_ids(&output).replace(here.to_str().unwrap(), "HERE");
        expect_file![run.join("expected.txt")].assert_eq(&output);
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}
