//! Shards: the joined results of all shards equal the results of one unsharded run.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{
    FORMATS, Outcome, connector_id, file, flowbind, folder, mask_request_ids, remove_guids,
};

fn domain(tenant: usize) -> String {
    format!("tenant{tenant}.onmicrosoft.com")
}

/// Creates a tenant with one connector and one flow with these bindings.
fn snapshot(tenant: usize, bindings: Value) -> Value {
    json!({
        "formatVersion": "1",
        "tenant": domain(tenant),
        "cloud": "global",
        "takenAt": "2026-11-02T08:00:00Z",
        "connectors": [{"id": connector_id(1), "displayName": "Check", "targetUrl": "https://a.example/x"}],
        "flows": [{
            "id": "B2C_1_a",
            "userFlowType": "signUpOrSignIn",
            "userFlowTypeVersion": 3,
            "bindings": bindings,
        }],
    })
}

/// Creates a fleet. The second tenant has two files that are not adjacent, the third lacks a flow, the
/// fourth has a blocked change, the fifth is in sync, and the sixth cannot be reached.
fn fleet(folder: &Path, tenants: usize) {
    fs::create_dir(folder.join("f")).unwrap();
    for tenant in 0..tenants {
        let bound = if tenant == 4 { Value::Null } else { connector_id(1).into() };
        let snapshot =
            snapshot(tenant, json!({"postFederationSignup": bound, "postAttributeCollection": null}));
        if tenant != 5 {
            file(folder, &format!("{tenant}.json"), snapshot.to_string());
        }
        let flow = if tenant == 2 { "B2C_1_b" } else { "B2C_1_a" };
        let guard = if tenant == 3 { "guards: {maxDisables: 0}\n" } else { "" };
        let head = format!("version: 1\ntenant: {}\n", domain(tenant));
        let yaml = format!("{head}{guard}flows:\n  {flow}:\n    postFederationSignup: null\n");
        file(folder, &format!("f/{tenant:02}.yaml"), yaml);
        if tenant == 1 {
            let yaml = format!("{head}flows:\n  B2C_1_a:\n    postAttributeCollection: Check\n");
            file(folder, "f/99.yaml", yaml);
        }
    }
}

fn run(folder: &Path, args: &[&str]) -> Outcome {
    let snapshots = (0..20).map(|tenant| format!("{tenant}.json")).filter(|name| folder.join(name).exists());
    let sandboxes = snapshots.flat_map(|name| ["--sandbox".to_owned(), name]);
    flowbind(args).args(sandboxes).within(folder).run()
}

fn show(folder: &Path, files: &[String], format: &str) -> Outcome {
    let args = ["show", "--format", format, "--detailed-exitcode"];
    flowbind(args).args(files).within(folder).run()
}

/// Runs all shards of a command. Returns the written files, in another order than they were written.
fn shards(folder: &Path, args: &[&str], of: usize) -> (Vec<String>, Vec<i32>) {
    let run = |number: usize| {
        let (shard, out) = (format!("{number}/{of}"), format!("shard-{number}.json"));
        let outcome = run(folder, &[args, &["--shard", &shard, "--out", &out]].concat());
        (out, outcome.code)
    };
    (1..=of).rev().map(run).unzip()
}

/// Removes the marked source lines, which saved files do not have.
fn without_excerpts(text: &str) -> String {
    let is_excerpt = |line: &&str| {
        let rest = line.trim_start().trim_start_matches(|char: char| char.is_ascii_digit());
        rest == "|" || rest.trim_start().starts_with("| ")
    };
    text.lines().filter(|line| !is_excerpt(line)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn joined_shard_plans_equal_the_unsharded_plan() {
    for (tenants, of) in [(1, 3), (2, 2), (7, 1), (7, 3), (12, 5)] {
        let folder = folder();
        fleet(folder.path(), tenants);
        let unsharded = run(folder.path(), &["plan", "f", "--detailed-exitcode", "--out", "unsharded.json"]);
        let (files, codes) = shards(folder.path(), &["plan", "f", "--detailed-exitcode"], of);
        assert!(codes.contains(&unsharded.code), "{codes:?} {unsharded}");
        for (format, _) in FORMATS {
            let joined = show(folder.path(), &files, format);
            let shown = show(folder.path(), &["unsharded.json".into()], format);
            assert_eq!(
                remove_guids(&joined.stdout),
                remove_guids(&shown.stdout),
                "{tenants} in {of}, {format}"
            );
            assert_eq!(
                (joined.code, shown.code),
                (unsharded.code, unsharded.code),
                "{tenants} in {of}: {joined}"
            );
        }
        let text = show(folder.path(), &files, "text");
        assert_eq!(
            mask_request_ids(&text.stdout),
            without_excerpts(&mask_request_ids(&unsharded.stdout)),
            "{tenants} in {of}"
        );
    }
}

#[test]
fn joined_shard_reports_equal_the_unsharded_report() {
    for saved in [false, true] {
        let (one, other) = (folder(), folder());
        let args: &[&str] = if saved { &["apply", "--plan", "plan.json"] } else { &["apply", "f", "--yes"] };
        for folder in [&one, &other] {
            fleet(folder.path(), 9);
            // Errors of the service contain a request id, which differs in every run.
            fs::remove_file(folder.path().join("f/02.yaml")).unwrap();
            if saved {
                // A plan with errors that belong to no tenant is blocked completely.
                fs::remove_file(folder.path().join("f/05.yaml")).unwrap();
                _ = run(folder.path(), &["plan", "f", "--out", "plan.json"]);
            }
        }
        let unsharded = run(one.path(), &[args, &["--out", "report.json"]].concat());
        let (files, codes) = shards(other.path(), args, 4);
        assert!(codes.contains(&unsharded.code), "{codes:?} {unsharded}");
        for (format, _) in FORMATS {
            let joined = show(other.path(), &files, format);
            let shown = show(one.path(), &["report.json".into()], format);
            let normalized = |outcome: &Outcome| remove_guids(&outcome.stdout);
            assert_eq!(normalized(&joined), normalized(&shown), "{format}");
            assert_eq!((joined.code, shown.code), (unsharded.code, unsharded.code), "{joined}");
        }
        for tenant in 0..9 {
            let name = format!("{tenant}.json");
            let read = |folder: &Path| fs::read_to_string(folder.join(&name)).unwrap_or_default();
            assert_eq!(read(one.path()), read(other.path()), "{name}");
        }
    }
}

/// A shard that could not start writes the reason, which the join shows.
#[test]
fn joined_shards_show_why_one_could_not_start() {
    let folder = folder();
    fleet(folder.path(), 2);
    let (mut files, _) = shards(folder.path(), &["plan", "f"], 2);
    let broken =
        run(folder.path(), &["plan", "f", "--ca-file", "none.pem", "--shard", "2/2", "--out", &files[0]]);
    assert_eq!(broken.code, 1, "{broken}");
    for _ in 0..2 {
        files.reverse();
        let joined = show(folder.path(), &files, "text");
        assert!(joined.code == 1 && joined.stderr.contains("cannot use `none.pem`"), "{joined}");
        assert!(!joined.stderr.contains("different runs"), "{joined}");
    }
}

/// Differences of one shard count for the joined result.
#[test]
fn joined_shard_drift_equals_the_unsharded_drift() {
    let folder = folder();
    // One tenant has a broken pin, another an unmanaged binding, and the rest is in sync.
    for (tenant, pin) in [(0, "https://b.example/x"), (1, "https://a.example/x"), (2, "https://a.example/x")]
    {
        let unmanaged = (tenant == 1).then(|| connector_id(1));
        let bindings = json!({"postFederationSignup": connector_id(1), "postAttributeCollection": unmanaged});
        let snapshot = snapshot(tenant, bindings);
        file(folder.path(), &format!("{tenant}.json"), snapshot.to_string());
        let connectors = format!("connectors: {{check: {{displayName: Check, targetUrl: '{pin}'}}}}");
        let flows = "flows: {B2C_1_a: {postFederationSignup: check}}";
        let yaml = format!("version: 1\ntenant: {}\n{connectors}\n{flows}\n", domain(tenant));
        file(folder.path(), &format!("{tenant}.yaml"), yaml);
    }
    for strict in [&[][..], &["--strict"]] {
        let args = [&["drift", "0.yaml", "1.yaml", "2.yaml"], strict].concat();
        let (files, _) = shards(folder.path(), &args, 3);
        for (format, _) in FORMATS.into_iter().filter(|(format, _)| *format != "text") {
            let unsharded = run(folder.path(), &[&args[..], &["--format", format]].concat());
            let joined = show(folder.path(), &files, format);
            assert_eq!((joined.code, joined.stdout), (2, unsharded.stdout), "{format} {strict:?}");
        }
        let joined = show(folder.path(), &files, "text");
        assert!(joined.code == 2 && joined.stdout.contains("file says:  https://b.example/x"), "{joined}");
        assert_eq!(run(folder.path(), &["plan", "0.yaml", "--out", "plan.json"]).code, 0);
        let mixed = show(folder.path(), &[files[0].clone(), "plan.json".into()], "text");
        assert!(mixed.code == 1 && mixed.stderr.contains("cannot join files of different kinds"), "{mixed}");
    }
}

#[test]
fn saved_shard_plan_is_applied_separately() {
    let (one, other) = (folder(), folder());
    for folder in [&one, &other] {
        fleet(folder.path(), 8);
        // Errors of a missing flow and of a tenant without a sandbox.
        for file in ["f/02.yaml", "f/05.yaml"] {
            fs::remove_file(folder.path().join(file)).unwrap();
        }
    }
    _ = run(one.path(), &["apply", "f", "--yes", "--out", "report.json"]);
    let (plans, _) = shards(other.path(), &["plan", "f"], 3);
    let reports: Vec<_> = plans.iter().map(|plan| plan.replace("shard", "report")).collect();
    for (plan, report) in plans.iter().zip(&reports) {
        _ = run(other.path(), &["apply", "--plan", plan, "--out", report]);
    }
    // The flag conflicts with `--plan`, so the hint of a saved plan differs.
    let flag_hint =
        |text: &str| text.replace("if this is intended, plan again with `", "if this is intended: `");
    let normalized = |shown: Outcome| (shown.code, flag_hint(&remove_guids(&shown.stdout)));
    let joined = normalized(show(other.path(), &reports, "text"));
    assert_eq!(joined, normalized(show(one.path(), &["report.json".into()], "text")));
    let lost = show(other.path(), &reports[1..], "text");
    assert_eq!(lost.code, 1, "{lost}");
    assert!(lost.stderr.contains("error[missing-shard]: shard 3/3 is missing"), "{lost}");
}

#[test]
fn shard_of_a_tenant_does_not_depend_on_other_tenants() {
    let (small, large) = (folder(), folder());
    fleet(small.path(), 3);
    fleet(large.path(), 20);
    let tenants = |folder: &Path, shard: &str| -> Vec<String> {
        let plan = run(folder, &["plan", "f", "--shard", shard, "--format", "json"]).stdout;
        let plan: Value = serde_json::from_str(&plan).unwrap();
        let targets = plan["targets"].as_array().unwrap().iter();
        targets.map(|target| target["tenant"].as_str().unwrap().to_owned()).collect()
    };
    for shard in ["1/3", "2/3", "3/3"] {
        let (few, many) = (tenants(small.path(), shard), tenants(large.path(), shard));
        assert!(few.iter().all(|tenant| many.contains(tenant)), "{few:?} {many:?}");
    }
}

#[test]
fn shard_without_tenants_is_empty() {
    let folder = folder();
    fleet(folder.path(), 1);
    _ = run(folder.path(), &["plan", "f", "--out", "unsharded.json"]);
    for args in [&["plan", "f"][..], &["apply", "--plan", "unsharded.json"], &["apply", "f", "--yes"]] {
        let outcomes = ["1/2", "2/2"].map(|shard| run(folder.path(), &[args, &["--shard", shard]].concat()));
        assert!(outcomes.iter().all(|outcome| outcome.code == 0), "{outcomes:?}");
        let empty = outcomes.iter().find(|outcome| outcome.stderr.contains(": 0 of 1 tenants")).unwrap();
        let lines: Vec<_> = empty.stdout.lines().collect();
        assert!(matches!(lines[..], ["No changes.", end] if end.starts_with("Fingerprint: ")), "{empty}");
    }
}

#[test]
fn joined_shards_of_incomplete_fleet_are_an_error() {
    let (one, other) = (folder(), folder());
    fleet(one.path(), 4);
    fleet(other.path(), 3);
    let (files, _) = shards(one.path(), &["plan", "f"], 3);
    _ = run(one.path(), &["plan", "f", "--out", "unsharded.json"]);
    _ = run(one.path(), &["plan", "f", "--shard", "1/2", "--out", "half.json"]);
    _ = run(other.path(), &["plan", "f", "--shard", "2/3", "--out", "foreign.json"]);
    _ = run(
        one.path(),
        &[
            "plan",
            "f/03.yaml",
            "f/02.yaml",
            "f/01.yaml",
            "f/99.yaml",
            "f/00.yaml",
            "--shard",
            "2/3",
            "--out",
            "order.json",
        ],
    );
    let foreign = other.path().join("foreign.json").to_str().unwrap().to_owned();
    let [third, second, first] = <[String; 3]>::try_from(files).unwrap();
    for (files, error) in [
        (vec![first.clone(), third.clone()], "shard 2/3 is missing"),
        (vec![second.clone()], "shard 1/3 is missing"),
        (vec![first.clone(), second.clone(), first.clone()], "shard 1/3 is given twice"),
        (vec![first.clone(), "unsharded.json".into()], "cannot join sharded and unsharded files"),
        (
            vec![first.clone(), "order.json".into(), third.clone()],
            "shard 1/3 and shard 2/3 list their files in a different order",
        ),
        (vec!["half.json".into(), second.clone()], "shard counts differ: 1/2 and 2/3"),
        (
            vec![first, foreign, third],
            "shard 1/3 and shard 2/3 are from different runs: only one of them has `f/03.yaml`",
        ),
    ] {
        let shown = show(one.path(), &files, "text");
        assert_eq!(shown.code, 1, "{files:?}: {shown}");
        assert!(shown.stderr.contains(error), "{files:?}: {shown}");
    }
    let again = run(one.path(), &["apply", "--plan", &second, "--shard", "1/3"]);
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains(&format!("the saved plan `{second}` covers only shard 2/3")), "{again}");
}

/// The folder of the run, the spelling of the paths and the checkout do not matter, but the place in the repository does.
#[test]
fn shards_of_the_same_files_from_other_folders_are_joined() {
    let (one, other) = (folder(), folder());
    for checkout in [one.path(), other.path()] {
        fleet(checkout, 3);
        fs::create_dir_all(checkout.join(".git")).unwrap();
        fs::create_dir(checkout.join("sub")).unwrap();
        fs::create_dir(checkout.join("copy")).unwrap();
        for file in fs::read_dir(checkout.join("f")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), checkout.join("copy").join(file.file_name())).unwrap();
        }
    }
    let plan = |checkout: &Path, within: &str, files: &str, shard: &str| {
        let out = checkout.join(format!("shard-{}.json", shard.replace('/', "-")));
        let snapshots = (0..3).flat_map(|tenant| {
            ["--sandbox".to_owned(), checkout.join(format!("{tenant}.json")).to_str().unwrap().to_owned()]
        });
        let within = checkout.join(within);
        let outcome = flowbind(["plan", files, "--shard", shard, "--out"])
            .args([&out])
            .args(snapshots)
            .within(&within)
            .run();
        assert!(out.exists(), "{outcome}");
        out.to_str().unwrap().to_owned()
    };
    let first = plan(one.path(), "", "f", "1/2");
    let absolute = one.path().join("f");
    for (checkout, within, files, is_joined) in [
        (one.path(), "", "./f", true),
        (one.path(), "sub", "../f", true),
        (one.path(), "f", ".", true),
        (one.path(), "sub", absolute.to_str().unwrap(), true),
        (other.path(), "sub", "../f", true),
        (one.path(), "", "copy", false),
        (other.path(), "copy", ".", false),
    ] {
        let second = plan(checkout, within, files, "2/2");
        let joined = show(one.path(), &[first.clone(), second], "text");
        let rejected = "error[cannot-join]: shard 1/2 and shard 2/2 are from different runs: only one of them has `f/00.yaml`";
        assert_eq!(joined.stdout.is_empty(), !is_joined, "{files}: {joined}");
        assert_eq!(joined.stderr.starts_with(rejected), !is_joined, "{files}: {joined}");
    }
}

#[test]
fn shard_with_invalid_numbers_is_an_error() {
    for shard in ["0/3", "4/3", "1/0", "1", "a/b", "1/3/5", ""] {
        let outcome = flowbind(["plan", "--shard", shard]).run();
        assert_eq!(outcome.code, 1, "{outcome}");
        assert!(outcome.stderr.contains("expected K/N, shard K of N"), "{outcome}");
    }
}

#[test]
fn file_errors_of_all_shards_are_joined_into_one() {
    let folder = folder();
    fleet(folder.path(), 3);
    file(folder.path(), "f/broken.yaml", "version: 1\ntenant: x\n");
    let unsharded = run(folder.path(), &["plan", "f", "--out", "unsharded.json"]);
    assert_eq!(unsharded.code, 1);
    let (files, codes) = shards(folder.path(), &["plan", "f"], 2);
    assert_eq!(codes, [1, 1]);
    let (joined, shown) =
        (show(folder.path(), &files, "json"), show(folder.path(), &["unsharded.json".into()], "json"));
    assert_eq!((joined.code, &joined.stdout), (1, &shown.stdout));
    // The same for reports.
    let (files, codes) = shards(folder.path(), &["apply", "f", "--yes"], 2);
    assert_eq!(codes, [1, 1]);
    assert_eq!(show(folder.path(), &files, "text").code, 1);
}
