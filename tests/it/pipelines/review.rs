//! Workflows of GitHub Actions that plan and apply. The fake `gh` needs `jq`; without it, these tests are skipped.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::Repository;
use crate::support::{file, flowbind, package};

const PLAN: &str = "<!-- flowbind:plan -->\n";

/// Returns a comment of the workflows, or of a user, about a plan with this fingerprint.
fn comment(id: u32, login: &str, first: &str, fingerprint: &str) -> Value {
    json!({"id": id, "user": {"login": login}, "body": format!("{first}Plan\n\nFingerprint: `{fingerprint}`.\n")})
}

fn pull_request(number: u32, base: &str, is_merged: bool) -> Value {
    let merged_at = is_merged.then_some("2026-11-02T08:00:00Z");
    json!({"number": number, "base": {"ref": base}, "merged_at": merged_at})
}

#[test]
fn plan_workflow_run_twice_edits_its_comment() {
    let Some(repository) = Repository::with_gh() else { return };
    // Neither is the comment of the workflow.
    let others = [
        comment(1, "mallory", PLAN, "0"),
        comment(2, "github-actions[bot]", "<!-- flowbind:plan:test -->\n", "0"),
        comment(3, "github-actions[bot]", "<!-- flowbind:plan --> is quoted\n", "0"),
    ];
    repository.set_list("comments-12", &json!(others));
    let job = repository.run("plan.yml");
    assert!(job.succeeded, "{job:?}");
    assert!(job.log.contains("::warning file=flowbind.yaml,line=23,"), "{job:?}");
    let comments = repository.bodies("comments-12");
    assert!(
        comments[3].starts_with("<!-- flowbind:plan -->\n### flowbind plan: 2 to enable"),
        "{comments:?}"
    );
    let summary = fs::read_to_string(repository.folder.path().join("summary.md")).unwrap();
    assert_eq!(summary, comments[3]);
    repository.edit("work/flowbind.yaml", "\nflows:", "\nprune: steps\nflows:");
    let job = repository.run("plan.yml");
    assert!(job.succeeded, "{job:?}");
    let edited = repository.bodies("comments-12");
    assert_eq!((edited.len(), &edited[..3]), (4, &comments[..3]));
    assert_ne!(edited[3], comments[3]);
}

#[test]
fn plan_workflow_with_blocked_plan_fails_and_comments() {
    let Some(repository) = Repository::with_gh() else { return };
    let yaml = fs::read_to_string(package("examples/quickstart/flowbind.yaml")).unwrap();
    file(&repository.folder.path().join("work"), "flowbind.yaml", yaml + "\nguards: {maxChanges: 1}\n");
    let job = repository.run("plan.yml");
    assert!(!job.succeeded, "{job:?}");
    let comments = repository.bodies("comments-12");
    assert!(comments[0].contains("### flowbind plan, blocked: "), "{comments:?}");
}

#[test]
fn apply_workflow_applies_only_the_reviewed_plan() {
    let Some(repository) = Repository::with_gh() else { return };
    assert!(repository.run("plan.yml").succeeded);
    repository.set_list("pulls", &json!([pull_request(12, "main", true)]));
    let job = repository.run("apply.yml");
    assert!(job.succeeded, "{job:?}");
    assert!(job.log.contains("title=applied"), "{job:?}");
    assert!(repository.folder.path().join("work/report.json").exists());
    // The comment is unchanged, but the tenant has changed.
    let job = repository.run("apply.yml");
    assert!(
        !job.succeeded && job.log.contains("error[fingerprint-mismatch]: the plan is not the approved one"),
        "{job:?}"
    );
    assert!(job.log.contains("run it again, the oldest first, and then this one"), "{job:?}");
}

/// The report of an apply that failed or was cancelled is needed most.
#[test]
fn apply_workflow_keeps_the_report_of_every_apply() {
    for cancelled_at in [None, Some("Apply")] {
        let Some(mut repository) = Repository::with_gh() else { return };
        repository.cancelled_at = cancelled_at;
        repository.set_list("pulls", &json!([pull_request(12, "main", true)]));
        repository
            .set_list("comments-12", &json!([comment(1, "github-actions[bot]", PLAN, &"0".repeat(64))]));
        let job = repository.run("apply.yml");
        assert!(!job.succeeded, "{job:?}");
        assert_eq!(job.actions.last().unwrap(), "actions/upload-artifact", "{job:?}");
        // The way out is only for a plan that was blocked.
        assert_eq!(job.log.contains("run it again"), cancelled_at.is_none(), "{job:?}");
    }
}

/// A wait of 10 s is the third one.
#[test]
fn apply_workflow_finds_the_merged_pull_request() {
    let (first, second) = ("a".repeat(64), "b".repeat(64));
    let bot = "github-actions[bot]";
    let reviewed = |number: u32, fingerprint: &str| {
        (format!("comments-{number}"), json!([comment(number, bot, PLAN, fingerprint)]))
    };
    let merged = |number| pull_request(number, "main", true);
    let none = "no merged pull request, so no plan of it was reviewed";
    let waits = "0\n5\n10\n15\n30\n";
    let edited_twice = json!([
        comment(1, "mallory", PLAN, &second),
        comment(2, bot, "<!-- flowbind:plan:test -->\n", &second),
        comment(3, bot, PLAN, &first),
        comment(4, bot, PLAN, &second),
    ]);
    let incomplete = json!([{"id": 1, "user": {"login": bot}, "body": format!("{PLAN}Plan incomplete\n")}]);
    // Pull requests of the commit at first and after a while, comments, the expected fingerprint or error, and waits.
    let cases = [
        (json!([merged(12)]), None, vec![reviewed(12, &first)], Ok(&first), "0\n"),
        (json!([]), Some(json!([merged(12)])), vec![reviewed(12, &first)], Ok(&first), "0\n5\n10\n"),
        // A stacked pull request, and one into another branch.
        (
            json!([pull_request(13, "main", false), pull_request(14, "release", true), merged(12)]),
            None,
            vec![reviewed(12, &first), reviewed(13, &second), reviewed(14, &second)],
            Ok(&first),
            "0\n",
        ),
        (
            json!([pull_request(13, "main", false)]),
            Some(json!([pull_request(13, "main", false), merged(12)])),
            vec![reviewed(12, &first), reviewed(13, &second)],
            Ok(&first),
            "0\n5\n10\n",
        ),
        // A merge queue.
        (
            json!([merged(12), merged(11)]),
            None,
            vec![reviewed(12, &first), reviewed(11, &first)],
            Ok(&first),
            "0\n",
        ),
        (
            json!([merged(12), merged(11)]),
            None,
            vec![reviewed(12, &first), reviewed(11, &second)],
            Err("the pull requests 12, 11 were merged together, but their plans differ"),
            "0\n",
        ),
        (
            json!([merged(12), merged(11)]),
            None,
            vec![reviewed(12, &first)],
            Err("pull request 11 has no comment"),
            "0\n",
        ),
        // The comment that the plan workflow edits: the oldest one with exactly its first line.
        (json!([merged(12)]), None, vec![("comments-12".into(), edited_twice)], Ok(&first), "0\n"),
        (
            json!([merged(12)]),
            None,
            vec![("comments-12".into(), incomplete)],
            Err("pull request 12 has no comment with a complete plan"),
            "0\n",
        ),
        // A push without a pull request.
        (json!([]), None, vec![], Err(none), waits),
        (json!([pull_request(14, "release", true)]), None, vec![reviewed(14, &first)], Err(none), waits),
    ];
    for (pulls, later, comments, expected, waits) in cases {
        let Some(repository) = Repository::with_gh() else { return };
        repository.set_list("pulls", &pulls);
        if let Some(later) = later {
            repository.set_list("later", &later);
        }
        for (name, list) in comments {
            repository.set_list(&name, &list);
        }
        let job = repository.run("apply.yml");
        // No such plan exists, so nothing is applied.
        assert!(!job.succeeded, "{job:?}");
        let found = job.outputs.get("steps.reviewed.outputs.fingerprint");
        match expected {
            Ok(fingerprint) => assert_eq!(found, Some(fingerprint), "{pulls}: {job:?}"),
            Err(message) => assert!(found.is_none() && job.log.contains(message), "{pulls}: {job:?}"),
        }
        assert_eq!(fs::read_to_string(repository.state("sleep.log")).unwrap(), waits, "{pulls}");
    }
}

/// A comment over several tenants has more fingerprints than the one that the workflow approves.
#[test]
fn apply_workflow_finds_the_fingerprint_of_all_tenants() {
    let Some(repository) = Repository::with_gh() else { return };
    let stages = ["dev", "test", "prod"]
        .map(|stage| format!("--sandbox examples/stages/tenants/{stage}.json"))
        .join(" ");
    let written = repository.state("comment.md");
    let plan = flowbind(format!("plan examples/stages {stages} --format json").split(' '))
        .args(["--out", written.to_str().unwrap()])
        .within(&package(""))
        .run();
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let body = fs::read_to_string(written).unwrap();
    let tenants = plan["tenants"].as_array().unwrap();
    assert_eq!(tenants.len(), 3);
    for tenant in tenants {
        assert!(body.contains(tenant["fingerprint"].as_str().unwrap()), "{body}");
    }
    repository.set_list("pulls", &json!([pull_request(12, "main", true)]));
    repository
        .set_list("comments-12", &json!([{"id": 7, "user": {"login": "github-actions[bot]"}, "body": body}]));
    let job = repository.run("apply.yml");
    assert_eq!(job.outputs["steps.reviewed.outputs.fingerprint"], plan["fingerprint"], "{body}");
    let (_, log, outputs) = repository.shell("flowbind plan --format github", &BTreeMap::new());
    let fingerprints: Value = serde_json::from_str(&outputs["fingerprints"]).unwrap();
    assert_eq!(fingerprints, serde_json::json!({"contoso.onmicrosoft.com": outputs["fingerprint"]}), "{log}");
}
