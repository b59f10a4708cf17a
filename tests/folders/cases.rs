//! Case folders `tests/cases/<name>/`: a desired-state file and a tenant, with the results of `plan` and
//! `apply`.

use std::fs;
use std::path::Path;

use expect_test::expect_file;
use flowbind::sandbox::Options;
use flowbind::snapshot::Snapshot;
use serde_json::Value;

use crate::support::{Outcome, SandboxServer, flowbind, mask_request_ids, serve};

/// The expectations of `apply` build on those of `plan`.
pub fn plan_and_apply_match_the_folder(case: &Path) {
    plan_matches(case);
    apply_sends_expected_requests_and_is_idempotent(case);
}

/// Returns the flags of a case from its optional file `args`.
fn args(case: &Path) -> Vec<String> {
    let args = fs::read_to_string(case.join("args")).unwrap_or_default();
    args.split_whitespace().map(str::to_owned).collect()
}

/// Compares `actual` with a file of the case. A missing file means that no output is expected.
fn expect(case: &Path, name: &str, actual: &str) {
    let path = case.join(name);
    if path.exists() || !actual.is_empty() {
        expect_file![path].assert_eq(actual);
    }
}

fn plan_matches(case: &Path) {
    let plan = |format: &str| {
        flowbind(["plan", "desired.yaml", "--sandbox", "tenant.json", "--detailed-exitcode"])
            .args(["--format", format])
            .args(args(case))
            .within(case)
            .run()
    };
    // Another run differs only in its request ids.
    let masked = |outcome: &Outcome| {
        (outcome.code, mask_request_ids(&outcome.stdout), mask_request_ids(&outcome.stderr))
    };
    let (code, stdout, stderr) = masked(&plan("text"));
    assert_eq!(masked(&plan("text")), (code, stdout.clone(), stderr.clone()));
    expect(case, "plan.txt", &stdout);
    expect(case, "stderr.txt", &stderr);
    expect(case, "exit", &format!("{code}\n"));
    let json = masked(&plan("json"));
    expect(case, "plan.json", &json.1);
    assert_eq!((json.0, json.2), (code, stderr));
}

/// Returns the requests of a run: reads, PUTs with their bodies, and read-backs. Each group is sorted,
/// because its requests run concurrently.
fn requests(served: &SandboxServer) -> String {
    // The journal also lists each item of a batch.
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

/// Expects one request per flow, one for the connectors if a name or a pin needs them, one PUT per change
/// and one read-back per changed flow. The second run sends only reads.
fn apply_sends_expected_requests_and_is_idempotent(case: &Path) {
    let tenant = Snapshot::parse(&fs::read_to_string(case.join("tenant.json")).unwrap()).unwrap();
    let yaml = fs::read_to_string(case.join("desired.yaml")).unwrap();
    let served = serve(tenant, Options::default());
    let version = if yaml.contains("api: v1.0") { "/v1.0" } else { "/beta" };
    let url = served.graph_url().replace("/beta", version);
    let apply =
        || flowbind(["apply", "desired.yaml", "--yes"]).args(args(case)).connect_to(&url).within(case).run();
    let first = apply();
    expect(case, "requests.txt", &requests(&served));
    let stdout = mask_request_ids(&first.stdout);
    let plan = fs::read_to_string(case.join("plan.txt")).unwrap();
    let plan = plan.split_once("Fingerprint: ").map_or(&*plan, |(plan, _)| plan);
    let report = stdout.strip_prefix(plan).unwrap_or_else(|| panic!("{first}"));
    // The fingerprint covers the URL, so it differs from that of the plan.
    let report = match report.strip_prefix("Fingerprint: ") {
        Some(report) => report.split_once('\n').unwrap().1,
        None => report,
    };
    expect(case, "apply.txt", report);
    // Exit code 2 of `plan` means a difference, which `apply` resolves.
    let planned: i32 = fs::read_to_string(case.join("exit")).unwrap().trim().parse().unwrap();
    assert_eq!(first.code, if planned == 2 { 0 } else { planned }, "{first}");

    let sent = served.journal().len();
    let second = apply();
    assert!(served.journal().iter().skip(sent).all(|entry| entry["method"] != "PUT"));
    assert_eq!(second.code, first.code, "{second}");
    assert_eq!(second.stdout.contains("No changes."), second.code == 0, "{second}");
}
