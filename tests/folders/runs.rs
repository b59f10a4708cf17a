//! Run folders `tests/runs/<name>/`: files of several tenants, with the output of several commands.

use std::fs;
use std::path::Path;

use expect_test::expect_file;

use crate::support::{copy, flowbind, folder, mask_request_ids, unix_messages};

pub fn commands_match_the_folder(run: &Path) {
    let copied = folder();
    copy(run, copied.path());
    let mut output = String::new();
    for command in fs::read_to_string(run.join("commands")).unwrap().lines() {
        let (time, arguments) = match command.strip_prefix("SOURCE_DATE_EPOCH=") {
            Some(rest) => rest.split_once(' ').map(|(time, arguments)| (Some(time), arguments)).unwrap(),
            None => (None, command),
        };
        let run = flowbind(arguments.split(' ')).within(copied.path());
        let outcome = time.into_iter().fold(run, |run, time| run.env("SOURCE_DATE_EPOCH", time)).run();
        let time = time.map(|time| format!("SOURCE_DATE_EPOCH={time} ")).unwrap_or_default();
        output.push_str(&format!("$ {time}flowbind {arguments}\n{outcome}\n"));
    }
    let here = fs::canonicalize(copied.path()).unwrap();
    let output = unix_messages(&mask_request_ids(&output)).replace(here.to_str().unwrap(), "HERE");
    expect_file![run.join("expected.txt")].assert_eq(&output);
}
