//! Other workflows of GitHub Actions: drift, forks, fleets and releases. The fake `gh` needs `jq`; without it, these
//! tests are skipped.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::Repository;
use crate::support::{file, package};

/// Runs the drift workflow. Returns what it did to the issue, and the log of the job.
fn drift_actions(repository: &Repository) -> (Vec<String>, String) {
    let before = repository.gh_log();
    let job = repository.run("drift.yml");
    assert!(job.succeeded, "{job:?}");
    let log = repository.gh_log();
    let calls = log.strip_prefix(&before).unwrap().lines();
    let others = ["api", "issue view", "label create"];
    let calls = calls.filter(|call| !others.iter().any(|it| call.starts_with(it)));
    (calls.map(|call| call.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect(), job.log)
}

/// One run each morning: new drift, the same, worse, the same without the cache, less, none, still none.
#[test]
fn drift_workflow_comments_only_if_the_differences_changed() {
    let Some(repository) = Repository::with_gh() else { return };
    let issue = || repository.bodies("issues").pop().unwrap();
    let comment = || repository.bodies("comments-3").pop().unwrap();
    let title = |text: &str| text.lines().nth(1).unwrap_or_default().to_owned();

    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue create"]);
    assert!(log.contains("warning[earlier-drift-missing]: `drift.json` does not exist"), "{log}");
    let opened = issue();
    assert!(opened.starts_with("<!-- flowbind:drift -->\n"), "{opened}");
    assert_eq!(title(&opened), "### flowbind drift: 2 missing, 1 changed, 1 added, 1 unmanaged (5 new)");

    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue edit"], "{log}");
    let edited = issue();
    assert_eq!(title(&edited), "### flowbind drift: 2 missing, 1 changed, 1 added, 1 unmanaged");
    assert!(edited.contains("⛔ **missing** (since 2026-11-02)"), "{edited}");

    // The tenant does not call the fraud check any more.
    let bindings = |first: &str| {
        format!("\"postFederationSignup\": {first},\n        \"postAttributeCollection\": \"f0947ab2")
    };
    let fraud_check = "\"3b1f7c9e-52a4-4a0e-9a53-0c8f2a6d1e01\"";
    repository.edit("state/tenant.json", &bindings(fraud_check), &bindings("null"));
    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue comment", "issue edit"], "{log}");
    let commented = comment();
    assert_eq!(title(&commented), "### flowbind drift: 3 missing, 1 changed, 1 added, 1 unmanaged (1 new)");
    assert_eq!(commented, issue());

    fs::remove_file(repository.folder.path().join("work/drift.json")).unwrap();
    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue edit"], "{log}");

    // With `--strict`, unmanaged bindings are drift, too.
    repository.apply();
    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue comment", "issue edit"], "{log}");
    let commented = comment();
    assert_eq!(title(&commented), "### flowbind drift: 1 unmanaged");
    assert!(
        commented.contains("**Resolved since the last run**\n\n- missing <code>B2C_1_signup_signin"),
        "{commented}"
    );

    repository.edit("work/flowbind.yaml", "\nflows:", "\nprune: steps\nflows:");
    repository.apply();
    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue close"], "{log}");
    assert!(repository.bodies("issues").is_empty());
    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, [] as [&str; 0], "{log}");
}

#[test]
fn drift_workflow_with_renamed_connector_opens_the_issue() {
    let Some(repository) = Repository::with_gh() else { return };
    repository.apply();
    repository.edit("state/tenant.json", "Fraud check", "Fraud check 2027");
    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue create"], "{log}");
    let issues = repository.bodies("issues");
    assert!(issues[0].contains("⛔ **unresolved** (new)"), "{issues:?}");
}

/// Only issues of the workflow count. A user can edit one, and open an older one again.
#[test]
fn drift_workflow_with_several_issues_edits_the_oldest_and_closes_all() {
    let Some(repository) = Repository::with_gh() else { return };
    let bot = "github-actions[bot]";
    let issues = [
        (bot, None),
        ("mallory", Some("<!-- flowbind:drift -->\n")),
        (bot, Some("<!-- flowbind:drift:test -->\n")),
        (bot, Some("<!-- flowbind:drift -->\r\nedited by a user")),
        (bot, Some("<!-- flowbind:drift -->\n")),
    ];
    let issues = issues.iter().zip(1..).map(|((login, body), number)| {
        json!({"number": number, "state": "open", "user": {"login": login}, "body": body})
    });
    repository.set_list("issues", &json!(issues.collect::<Vec<_>>()));
    let before = repository.gh_log();
    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue comment", "issue edit"], "{log}");
    assert!(repository.gh_log().strip_prefix(&before).unwrap().contains("issue edit 4 "), "{log}");
    repository.edit("work/flowbind.yaml", "\nflows:", "\nprune: steps\nflows:");
    repository.apply();
    let (actions, log) = drift_actions(&repository);
    assert_eq!(actions, ["issue close", "issue close"], "{log}");
}

#[test]
fn drift_workflow_with_invalid_file_leaves_the_issue_unchanged() {
    let Some(repository) = Repository::with_gh() else { return };
    assert_eq!(drift_actions(&repository).0, ["issue create"]);
    let before = repository.gh_log();
    file(&repository.folder.path().join("work"), "flowbind.yaml", "nonsense: 1\n");
    let job = repository.run("drift.yml");
    assert!(!job.succeeded, "{job:?}");
    assert_eq!(repository.gh_log(), before);
}

/// The fork's job collects its files, and the one with an identity plans from them.
#[test]
fn fork_workflows_plan_files_that_extend_others() {
    let Some(repository) = Repository::with_gh() else { return };
    let work = repository.folder.path().join("work");
    let tenant = "tenant: contoso.onmicrosoft.com\n";
    repository.edit("work/flowbind.yaml", tenant, "");
    for folder in ["shared", ".github", ".git"] {
        fs::create_dir(work.join(folder)).unwrap();
        fs::copy(work.join("flowbind.yaml"), work.join(folder).join("base file.yaml")).unwrap();
    }
    file(&work, "flowbind.yaml", format!("version: 1\n{tenant}extends: shared/base file.yaml\n"));
    file(&work, "secret.txt", "");
    std::os::unix::fs::symlink("secret.txt", work.join("link.yaml")).unwrap();
    let job = repository.run("fork-request.yml");
    assert!(job.succeeded, "{job:?}");
    let (_, collected, _) = repository.shell("cd request && find . -type f | sort", &BTreeMap::new());
    assert_eq!(collected, "./files/flowbind.yaml\n./files/shared/base file.yaml\n./number\n");
    repository.set_list("pull-12", &json!({"head": {"sha": "abc"}}));
    // What the job downloads is all that it has.
    for name in ["shared", "flowbind.yaml", "link.yaml", "secret.txt", ".git", ".github"] {
        fs::rename(work.join(name), repository.state(name)).unwrap();
    }
    let job = repository.run("fork-plan.yml");
    assert!(job.succeeded, "{job:?}");
    let comments = repository.bodies("comments-12");
    assert!(
        comments[0].starts_with("<!-- flowbind:plan -->\n### flowbind plan: 2 to enable"),
        "{comments:?}"
    );
}

#[test]
fn fork_plan_workflow_accepts_only_valid_requests() {
    let Some(repository) = Repository::with_gh() else { return };
    let job = repository.run("fork-request.yml");
    assert!(job.succeeded, "{job:?}");
    let work = repository.folder.path().join("work");
    let request = work.join("request");
    // A file of the fork cannot be the comment.
    file(&request.join("files"), "plan.md", "<!-- flowbind:plan -->\nforged\n");
    repository.set_list("pull-12", &json!({"head": {"sha": "another"}}));
    let rejected = |message: &str| {
        let job = repository.run("fork-plan.yml");
        assert!(!job.succeeded && job.log.contains(message), "{message}: {job:?}");
        assert!(!repository.state("comments-12.json").exists(), "{job:?}");
    };
    rejected("for another commit than the head of the pull request");
    repository.set_list("pull-12", &json!({"head": {"sha": "abc"}}));
    for hostile in ["", "12; touch hacked", "$(touch hacked)", "../12", "12\n13", "1234567890123456789012"] {
        file(&request, "number", hostile);
        let message = if hostile.len() > 20 { "" } else { "the request has no number" };
        rejected(message);
    }
    assert!(!work.join("hacked").exists());
    file(&request, "number", "12\n");
    std::os::unix::fs::symlink("/etc/passwd", request.join("files/base.yaml")).unwrap();
    rejected("the request has a link or a special file");
    fs::remove_file(request.join("files/base.yaml")).unwrap();
    file(&request.join("files"), "flowbind.yaml", "nonsense: 1\n");
    assert!(!repository.run("fork-plan.yml").succeeded);
    let comments = repository.bodies("comments-12");
    assert!(!comments.concat().contains("forged"), "{comments:?}");
}

/// Four jobs plan one shard each, and the last job joins them.
#[test]
fn fleet_workflow_joins_shards_into_one_comment() {
    let path = "examples/github-actions/fleet.yml";
    let Some(mut repository) = Repository::with_gh() else { return };
    let work = repository.folder.path().join("work");
    fs::create_dir(work.join("tenants")).unwrap();
    fs::rename(work.join("flowbind.yaml"), work.join("tenants/contoso.yaml")).unwrap();
    repository.variables.insert("strategy.job-total".into(), "4".into());
    for shard in 1..=4 {
        repository.variables.insert("matrix.shard".into(), shard.to_string());
        let job = repository.run_job(path, Some("shard"));
        assert!(job.succeeded, "{job:?}");
    }
    let job = repository.run_job(path, Some("join"));
    assert!(job.succeeded, "{job:?}");
    let comments = repository.bodies("comments-12");
    assert!(
        comments[0].starts_with("<!-- flowbind:plan -->\n### flowbind plan: 2 to enable"),
        "{comments:?}"
    );
    // A missing shard fails the job.
    fs::remove_file(work.join("shard-2.json")).unwrap();
    assert!(!repository.run_job(path, Some("join")).succeeded);
}

/// The tag of the action follows the newest release of its major version.
#[test]
fn release_workflow_moves_the_major_tag_only_forward() {
    let tags = |names: &[&str]| {
        json!(names.iter().map(|name| json!({"ref": format!("refs/tags/{name}")})).collect::<Vec<_>>())
    };
    for (known, released, request) in [
        (
            &["v0.1.0"][..],
            "v0.1.0",
            Some("--method POST repos/contoso/identity/git/refs --raw-field ref=refs/tags/v0 "),
        ),
        (
            &["v0", "v0.9.0", "v0.10.0", "v0.11.0-rc.1", "v1.0.0"],
            "v0.10.0",
            Some(
                "--method PATCH repos/contoso/identity/git/refs/tags/v0 --raw-field sha=abc --field force=true ",
            ),
        ),
        (&["v0", "v0.9.1", "v0.10.0"], "v0.9.1", None),
    ] {
        let Some(repository) = Repository::with_gh() else { return };
        repository.set_list("tags", &tags(known));
        let path = ".github/workflows/release.yml";
        let workflow: Value = serde_yaml::from_str(&fs::read_to_string(package(path)).unwrap()).unwrap();
        let step = &workflow["jobs"]["major"]["steps"][0]["run"];
        let name = [("GITHUB_REF_NAME".to_owned(), released.to_owned())].into();
        let (succeeded, log, _) = repository.shell(step.as_str().unwrap(), &name);
        assert!(succeeded, "{log}");
        let log = repository.gh_log();
        let sent = log.lines().filter(|line| line.contains("--method")).map(|line| format!("{line} "));
        let sent: Vec<_> = sent.collect();
        assert_eq!(sent.len(), request.iter().count(), "{released}: {sent:?}");
        assert!(request.is_none_or(|request| sent[0].contains(request)), "{released}: {sent:?}");
    }
}
