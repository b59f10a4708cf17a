//! `tests/cases/<name>/`: a desired-state file and a tenant, and all that `plan` makes of them.
//!
//! Anyone adds a case by adding a folder with `desired.yaml` and `tenant.json` and running the
//! tests with `UPDATE_EXPECT=1`; what that writes is then read as a reviewer reads it.

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use flowbind::sandbox::Options;
use flowbind::snapshot::Snapshot;
use serde_json::Value;

use crate::support::{Outcome, SandboxServer, flowbind, mask_request_ids, package, serve};

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<_> =
        fs::read_dir(package("tests/cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

/// The flags of a case, where it has a file `args`.
fn args(case: &Path) -> Vec<String> {
    let args = fs::read_to_string(case.join("args")).unwrap_or_default();
    args.split_whitespace().map(str::to_owned).collect()
}

/// Holds `actual` to the file of that name in the case; a file that is not there means nothing.
fn expect(case: &Path, name: &str, actual: &str) {
    let path = case.join(name);
    if path.exists() || !actual.is_empty() {
        expect_file![path].assert_eq(actual);
    }
}

#[test]
fn case_folders_exist() {
    assert!(cases().len() >= 30);
}

#[test]
fn plan_of_each_case_matches_its_folder() {
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
            .args(args(&case))
            .within(&case)
            .run()
        };
        let text = plan("text");
        expect(&case, "plan.txt", &mask_request_ids(&text.stdout));
        expect(&case, "stderr.txt", &mask_request_ids(&text.stderr));
        expect(&case, "exit", &format!("{}\n", text.code));
        assert_eq!(text, normalize_request_ids(&text, plan("text")), "{}", case.display());
        let json = plan("json");
        expect(&case, "plan.json", &mask_request_ids(&json.stdout));
        assert_eq!(
            (json.code, mask_request_ids(&json.stderr)),
            (text.code, mask_request_ids(&text.stderr)),
            "{}",
            case.display()
        );
    }
}

/// The tags of requests are new each time; all else is the same to the byte.
fn normalize_request_ids(first: &Outcome, mut second: Outcome) -> Outcome {
    assert_eq!(mask_request_ids(&first.stdout), mask_request_ids(&second.stdout));
    assert_eq!(mask_request_ids(&first.stderr), mask_request_ids(&second.stderr));
    second.stdout.clone_from(&first.stdout);
    second.stderr.clone_from(&first.stderr);
    second
}

/// The requests of a run: its reads, its writes with their bodies, and its read-backs, each sorted,
/// since those of one kind travel together.
fn requests(served: &SandboxServer) -> String {
    // What travels in a batch is listed by itself.
    let batches = |entry: &Value| entry["path"].as_str().unwrap().ends_with("/$batch");
    let journal: Vec<_> = served.journal().into_iter().filter(|entry| !batches(entry)).collect();
    let is_write = |entry: &&Value| entry["method"] == "PUT";
    let reads = journal.iter().take_while(|entry| !is_write(entry));
    let read_backs = journal.iter().skip_while(|entry| !is_write(entry)).filter(|entry| !is_write(entry));
    let sections: [Vec<&Value>; 3] =
        [reads.collect(), journal.iter().filter(is_write).collect(), read_backs.collect()];
    let sections = sections.map(|entries| {
        let mut lines: Vec<_> = entries.into_iter().map(line).collect();
        lines.sort();
        lines.concat()
    });
    mask_request_ids(
        &sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n"),
    )
}

fn line(entry: &Value) -> String {
    let (method, path) = (entry["method"].as_str().unwrap(), entry["path"].as_str().unwrap());
    match &entry["body"] {
        Value::Null => format!("{method} {path}\n"),
        body => format!("{method} {path} {} {body}\n", entry["contentType"].as_str().unwrap_or("-")),
    }
}

/// One request for each flow, one for the connectors where a name or a pin needs them, one PUT
/// for each change, one look at each changed flow. The second time nothing is sent but reads.
#[test]
fn apply_of_each_case_sends_expected_requests_and_is_idempotent() {
    for case in cases() {
        let name = case.display();
        let tenant = Snapshot::parse(&fs::read_to_string(case.join("tenant.json")).unwrap()).unwrap();
        let yaml = fs::read_to_string(case.join("desired.yaml")).unwrap();
        let served = serve(tenant, Options::default());
        let version = if yaml.contains("api: v1.0") { "/v1.0" } else { "/beta" };
        let url = served.graph_url().replace("/beta", version);
        let apply = || {
            flowbind(["apply", "desired.yaml", "--yes", "--graph-url", &url])
                .args(args(&case))
                .env("FLOWBIND_ACCESS_TOKEN", "opaque-token")
                .within(&case)
                .run()
        };
        let first = apply();
        expect(&case, "requests.txt", &requests(&served));
        let (_, report) = first.stdout.split_once("Fingerprint: ").unwrap();
        let report = report.split_once('\n').unwrap().1;
        expect(&case, "apply.txt", &mask_request_ids(report));
        // What differs is no error for an apply; what keeps a plan from being whole is.
        let planned: i32 = fs::read_to_string(case.join("exit")).unwrap().trim().parse().unwrap();
        assert_eq!(first.code, if planned == 2 { 0 } else { planned }, "{name}: {first}");

        let sent = served.journal().len();
        let second = apply();
        assert!(served.journal().iter().skip(sent).all(|entry| entry["method"] != "PUT"), "{name}");
        assert_eq!(second.code, first.code, "{name}: {second}");
        assert_eq!(second.stdout.contains("No changes."), second.code == 0, "{name}: {second}");
    }
}
