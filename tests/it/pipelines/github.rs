//! Workflows of GitHub Actions.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::Repository;
use crate::support::{file, flowbind, package};

#[test]
fn plan_workflow_run_twice_edits_its_comment() {
    let repository = Repository::new();
    let job = repository.run("plan.yml");
    assert!(job.succeeded, "{job:?}");
    assert!(job.log.contains("::warning file=flowbind.yaml,line=23,"), "{job:?}");
    let comment = fs::read_to_string(repository.state("comment.md")).unwrap();
    assert!(comment.starts_with("<!-- flowbind:plan -->\n### flowbind plan: 2 to enable"), "{comment}");
    let summary = fs::read_to_string(repository.folder.path().join("summary.md")).unwrap();
    assert_eq!(summary, comment);
    let job = repository.run("plan.yml");
    assert!(job.succeeded, "{job:?}");
    let log = repository.gh_log();
    assert_eq!(log.matches("--method POST repos/contoso/identity/issues/12/comments").count(), 1, "{log}");
    assert_eq!(log.matches("--method PATCH repos/contoso/identity/issues/comments/7").count(), 1, "{log}");
}

#[test]
fn plan_workflow_with_blocked_plan_fails_and_comments() {
    let repository = Repository::new();
    let yaml = fs::read_to_string(package("examples/quickstart/flowbind.yaml")).unwrap();
    file(&repository.folder.path().join("work"), "flowbind.yaml", yaml + "\nguards: {maxChanges: 1}\n");
    let job = repository.run("plan.yml");
    assert!(!job.succeeded, "{job:?}");
    let comment = fs::read_to_string(repository.state("comment.md")).unwrap();
    assert!(comment.contains("### flowbind plan, blocked: "), "{comment}");
}

#[test]
fn apply_workflow_applies_only_the_reviewed_plan() {
    let repository = Repository::new();
    assert!(repository.run("plan.yml").succeeded);
    // The commit does not belong to a pull request.
    let job = repository.run("apply.yml");
    assert!(
        !job.succeeded && job.log.contains("has no pull request, so no plan of it was reviewed"),
        "{job:?}"
    );
    file(&repository.folder.path().join("state"), "number", "12\n");
    let job = repository.run("apply.yml");
    assert!(job.succeeded, "{job:?}");
    assert!(
        job.log.contains("::notice title=applied B2C_1_signup_signin") || job.log.contains("title=applied"),
        "{job:?}"
    );
    assert!(repository.folder.path().join("work/report.json").exists());
    // The comment is unchanged, but the tenant has changed.
    let job = repository.run("apply.yml");
    assert!(
        !job.succeeded && job.log.contains("error[fingerprint-mismatch]: the plan is not the approved one"),
        "{job:?}"
    );
    fs::remove_file(repository.state("comment.md")).unwrap();
    let job = repository.run("apply.yml");
    assert!(!job.succeeded && job.log.contains("has no comment with a complete plan"), "{job:?}");
}

/// A comment over several tenants has more fingerprints than the one that the workflow approves.
#[test]
fn apply_workflow_finds_the_fingerprint_of_all_tenants() {
    let repository = Repository::new();
    let stages = ["dev", "test", "prod"]
        .map(|stage| format!("--sandbox examples/stages/tenants/{stage}.json"))
        .join(" ");
    let plan = flowbind(format!("plan examples/stages {stages} --format json").split(' '))
        .args(["--out", repository.state("comment.md").to_str().unwrap()])
        .within(&package(""))
        .run();
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let comment = fs::read_to_string(repository.state("comment.md")).unwrap();
    let tenants = plan["tenants"].as_array().unwrap();
    assert_eq!(tenants.len(), 3);
    for tenant in tenants {
        assert!(comment.contains(tenant["fingerprint"].as_str().unwrap()), "{comment}");
    }
    file(&repository.folder.path().join("state"), "number", "12\n");
    let job = repository.run("apply.yml");
    assert_eq!(job.outputs["steps.reviewed.outputs.fingerprint"], plan["fingerprint"], "{comment}");
    let (_, log, outputs) = repository.shell("flowbind plan --format github", &BTreeMap::new());
    let fingerprints: Value = serde_json::from_str(&outputs["fingerprints"]).unwrap();
    assert_eq!(fingerprints, serde_json::json!({"contoso.onmicrosoft.com": outputs["fingerprint"]}), "{log}");
}

/// Runs the drift workflow. Returns what it did to the issue, and the log of the job.
fn drift_actions(repository: &Repository) -> (Vec<String>, String) {
    let before = repository.gh_log();
    let job = repository.run("drift.yml");
    assert!(job.succeeded, "{job:?}");
    let log = repository.gh_log();
    let calls = log.strip_prefix(&before).unwrap().lines();
    let others = ["issue list", "issue view", "label create"];
    let calls = calls.filter(|call| !others.iter().any(|it| call.starts_with(it)));
    (calls.map(|call| call.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect(), job.log)
}

/// One run each morning: new drift, the same, worse, the same without the cache, less, none, still none.
#[test]
fn drift_workflow_comments_only_if_the_differences_changed() {
    let repository = Repository::new();
    let read = |name: &str| fs::read_to_string(repository.state(name)).unwrap();
    let title = |text: &str| text.lines().nth(1).unwrap_or_default().to_owned();

    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue create"]);
    assert!(log.contains("warning[earlier-drift-missing]: `drift.json` does not exist"), "{log}");
    let opened = read("issue.md");
    assert!(opened.starts_with("<!-- flowbind:drift -->\n"), "{opened}");
    assert_eq!(title(&opened), "### flowbind drift: 2 missing, 1 changed, 1 added, 1 unmanaged (5 new)");

    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue edit"], "{log}");
    let issue = read("issue.md");
    assert_eq!(title(&issue), "### flowbind drift: 2 missing, 1 changed, 1 added, 1 unmanaged");
    assert!(issue.contains("⛔ **missing** (since 2026-11-02)"), "{issue}");

    // The tenant does not call the fraud check any more.
    let bindings = |first: &str| {
        format!("\"postFederationSignup\": {first},\n        \"postAttributeCollection\": \"f0947ab2")
    };
    let fraud_check = "\"3b1f7c9e-52a4-4a0e-9a53-0c8f2a6d1e01\"";
    repository.edit("state/tenant.json", &bindings(fraud_check), &bindings("null"));
    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue comment", "issue edit"], "{log}");
    let comment = read("comment.md");
    assert_eq!(title(&comment), "### flowbind drift: 3 missing, 1 changed, 1 added, 1 unmanaged (1 new)");
    assert_eq!(comment, read("issue.md"));

    fs::remove_file(repository.folder.path().join("work/drift.json")).unwrap();
    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue edit"], "{log}");

    // With `--strict`, unmanaged bindings are drift, too.
    repository.apply();
    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue comment", "issue edit"], "{log}");
    let comment = read("comment.md");
    assert_eq!(title(&comment), "### flowbind drift: 1 unmanaged");
    assert!(
        comment.contains("**Resolved since the last run**\n\n- missing <code>B2C_1_signup_signin"),
        "{comment}"
    );

    repository.edit("work/flowbind.yaml", "\nflows:", "\nprune: steps\nflows:");
    repository.apply();
    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue close"], "{log}");
    assert!(!repository.state("issue.md").exists());
    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, [] as [&str; 0], "{log}");
}

#[test]
fn drift_workflow_with_renamed_connector_opens_the_issue() {
    let repository = Repository::new();
    repository.apply();
    repository.edit("state/tenant.json", "Fraud check", "Fraud check 2027");
    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue create"], "{log}");
    let issue = fs::read_to_string(repository.state("issue.md")).unwrap();
    assert!(issue.contains("⛔ **unresolved** (new)"), "{issue}");
}

#[test]
fn drift_workflow_with_invalid_file_leaves_the_issue_unchanged() {
    let repository = Repository::new();
    assert_eq!(drift_actions(&repository).0, ["issue create"]);
    let before = repository.gh_log();
    file(&repository.folder.path().join("work"), "flowbind.yaml", "nonsense: 1\n");
    let job = repository.run("drift.yml");
    assert!(!job.succeeded, "{job:?}");
    assert_eq!(repository.gh_log(), before);
}

#[test]
fn fork_plan_workflow_accepts_only_valid_requests() {
    let repository = Repository::new();
    let job = repository.run("fork-request.yml");
    assert!(job.succeeded, "{job:?}");
    let state = repository.folder.path().join("state");
    file(&state, "head", "another\n");
    let job = repository.run("fork-plan.yml");
    assert!(
        !job.succeeded && job.log.contains("for another commit than the head of the pull request"),
        "{job:?}"
    );
    file(&state, "head", "abc\n");
    let job = repository.run("fork-plan.yml");
    assert!(job.succeeded, "{job:?}");
    assert!(repository.state("comment.md").exists());
    let request = repository.folder.path().join("work/request");
    for hostile in ["", "12; touch hacked", "$(touch hacked)", "../12", "12\n13"] {
        file(&request, "number", hostile);
        let job = repository.run("fork-plan.yml");
        assert!(!job.succeeded, "{hostile:?}: {job:?}");
    }
    assert!(!repository.folder.path().join("work/hacked").exists());
}

/// Four jobs plan one shard each, and the last job joins them.
#[test]
fn fleet_workflow_joins_shards_into_one_comment() {
    let mut repository = Repository::new();
    let work = repository.folder.path().join("work");
    fs::create_dir(work.join("tenants")).unwrap();
    fs::rename(work.join("flowbind.yaml"), work.join("tenants/contoso.yaml")).unwrap();
    repository.variables.insert("strategy.job-total".into(), "4".into());
    for shard in 1..=4 {
        repository.variables.insert("matrix.shard".into(), shard.to_string());
        let job = repository.run_job("fleet.yml", Some("shard"));
        assert!(job.succeeded, "{job:?}");
    }
    let job = repository.run_job("fleet.yml", Some("join"));
    assert!(job.succeeded, "{job:?}");
    let comment = fs::read_to_string(repository.state("comment.md")).unwrap();
    assert!(comment.starts_with("<!-- flowbind:plan -->\n### flowbind plan: 2 to enable"), "{comment}");
    // A missing shard fails the job.
    fs::remove_file(work.join("shard-2.json")).unwrap();
    assert!(!repository.run_job("fleet.yml", Some("join")).succeeded);
}
