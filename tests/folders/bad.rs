//! Invalid files `tests/bad/<name>.yaml`, each with all diagnostics of `validate`.

use std::path::Path;

use expect_test::expect_file;

use crate::support::{flowbind, package, unix_messages};

pub fn validate_reports_all_problems(path: &Path) {
    let name = path.file_name().unwrap();
    let outcome = flowbind([Path::new("validate"), Path::new(name)]).within(&package("tests/bad")).run();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{outcome}");
    assert!(!outcome.stderr.contains("s3cr3t"), "{outcome}");
    expect_file![path.with_extension("txt")].assert_eq(&unix_messages(&outcome.stderr));
}
