//! Format folders `tests/formats/<name>/`: a command with its output in every format. The parsers of the
//! formats check the outputs in `tests/it/formats.rs`.

use std::fs;
use std::path::Path;

use expect_test::expect_file;

use crate::support::{FORMATS, flowbind, mask_request_ids, package};

pub fn outputs_match_in_every_format(folder: &Path) {
    let command = fs::read_to_string(folder.join("command")).unwrap();
    let codes = FORMATS.map(|(format, ending)| {
        let run = flowbind(command.trim().split(' ')).args(["--format", format]).within(&package(""));
        let outcome = run.run();
        expect_file![folder.join(format!("expected.{ending}"))].assert_eq(&mask_request_ids(&outcome.stdout));
        outcome.code
    });
    assert!(codes.iter().all(|code| *code == codes[0]), "{codes:?}");
}
