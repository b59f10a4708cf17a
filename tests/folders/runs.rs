//! Run folders `tests/runs/<name>/`: files of several tenants, with the output of several commands.

use std::fs;
use std::path::Path;

use expect_test::expect_file;

use crate::support::{copy, flowbind, folder, mask_request_ids};

pub fn commands_match_the_folder(run: &Path) {
    let copied = folder();
    copy(run, copied.path());
    let mut output = String::new();
    for command in fs::read_to_string(run.join("commands")).unwrap().lines() {
        let outcome = flowbind(command.split(' ')).within(copied.path()).run();
        output.push_str(&format!("$ flowbind {command}\n{outcome}\n"));
    }
    let here = fs::canonicalize(copied.path()).unwrap();
    let output = mask_request_ids(&output).replace(here.to_str().unwrap(), "HERE");
    expect_file![run.join("expected.txt")].assert_eq(&output);
}
