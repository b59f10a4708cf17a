//! `tests/cases/<name>/`: a desired-state file and a tenant, and all that `plan` makes of them.
//!
//! Anyone adds a case by adding a folder with `desired.yaml` and `tenant.json` and running the
//! tests with `UPDATE_EXPECT=1`; what that writes is then read as a reviewer reads it.

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use flowbind::sandbox::Options;
use flowbind::snapshot::Snapshot;

use crate::support::{flowbind, masked, package, serve};

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<_> =
        fs::read_dir(package("tests/cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

/// Holds `actual` to the file of that name in the case; a file that is not there means nothing.
fn expect(case: &Path, name: &str, actual: &str) {
    let path = case.join(name);
    if path.exists() || !actual.is_empty() {
        expect_file![path].assert_eq(actual);
    }
}

#[test]
fn there_are_cases() {
    assert!(cases().len() >= 30);
}

#[test]
fn every_case_plans_as_its_folder_says() {
    for case in cases() {
        let plan = |format: &str| {
            flowbind([
                "plan",
                "desired.yaml",
                "--sandbox",
                "tenant.json",
                "--detailed-exitcode",
                "--format",
                format,
            ])
            .within(&case)
            .run()
        };
        let text = plan("text");
        expect(&case, "plan.txt", &masked(&text.stdout));
        expect(&case, "stderr.txt", &masked(&text.stderr));
        expect(&case, "exit", &format!("{}\n", text.code));
        assert_eq!(text, plan_again(&text, plan("text")), "{}", case.display());
        let json = plan("json");
        expect(&case, "plan.json", &masked(&json.stdout));
        assert_eq!(
            (json.code, masked(&json.stderr)),
            (text.code, masked(&text.stderr)),
            "{}",
            case.display()
        );
    }
}

/// The tags of requests are new each time; all else is the same to the byte.
fn plan_again(
    first: &crate::support::Outcome,
    mut second: crate::support::Outcome,
) -> crate::support::Outcome {
    assert_eq!(masked(&first.stdout), masked(&second.stdout));
    assert_eq!(masked(&first.stderr), masked(&second.stderr));
    second.stdout.clone_from(&first.stdout);
    second.stderr.clone_from(&first.stderr);
    second
}

/// One request for each flow, one for the connectors where a name needs them, and no other but
/// where a flow is not there.
#[test]
fn every_case_asks_what_its_folder_says() {
    for case in cases() {
        let tenant = Snapshot::parse(&fs::read_to_string(case.join("tenant.json")).unwrap()).unwrap();
        let yaml = fs::read_to_string(case.join("desired.yaml")).unwrap();
        let served = serve(tenant, Options::default());
        let url = if yaml.contains("api: v1.0") {
            served.graph_url().replace("/beta", "/v1.0")
        } else {
            served.graph_url()
        };
        let outcome = flowbind(["plan", "desired.yaml", "--detailed-exitcode", "--graph-url", &url])
            .env("FLOWBIND_ACCESS_TOKEN", "opaque-token")
            .within(&case)
            .run();
        assert!(!outcome.panicked(), "{outcome}");
        let mut reads = served.requests();
        reads.sort();
        expect(&case, "requests.txt", &reads.iter().map(|line| format!("{line}\n")).collect::<String>());
    }
}
