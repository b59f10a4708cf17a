//! The workflow that brings a change through three stages. The fake `gh` needs `jq`; without it, the test is skipped.

use std::fs;

use serde_json::{Value, json};

use super::{Job, Repository};
use crate::support::{copy, executable, package};

const WORKFLOW: &str = "examples/github-actions/stages.yml";
const STAGES: [&str; 3] = ["dev", "test", "prod"];

/// Creates a repository with the files of three stages, and a tenant for each.
fn repository() -> Option<Repository> {
    let mut repository = Repository::with_gh()?;
    let work = repository.folder.path().join("work");
    copy(&package("examples/stages"), &work.join("stages"));
    for stage in STAGES {
        let snapshot = format!("stages/tenants/{stage}.json");
        fs::rename(work.join(snapshot), repository.state(&format!("{stage}.json"))).unwrap();
    }
    // A certificate that ends soon is drift, but does not stop a stage.
    let text = fs::read_to_string(repository.state("dev.json")).unwrap();
    let mut dev: Value = serde_json::from_str(&text).unwrap();
    let certificate =
        json!({"notBefore": "2026-01-01T00:00:00Z", "notAfter": "2026-11-10T00:00:00Z", "isActive": true});
    dev["connectors"][0]["certificates"] = json!([certificate]);
    fs::write(repository.state("dev.json"), dev.to_string()).unwrap();
    let sandboxes = STAGES.map(|stage| format!("--sandbox \"$STATE/{stage}.json\"")).join(" ");
    let flowbind = format!(
        "#!/bin/bash\nif [ \"$1\" != --version ]; then set -- \"$1\" {sandboxes} \"${{@:2}}\"; fi\nexec {} \"$@\"\n",
        env!("CARGO_BIN_EXE_flowbind")
    );
    executable(&repository.folder.path().join("bin"), "flowbind", &flowbind);
    repository.variables.insert("github.run_attempt".into(), "1".into());
    Some(repository)
}

/// Plans every stage, as on a pull request. Returns the fingerprint of each.
fn plan(repository: &mut Repository) -> Vec<String> {
    let plan_stage = |stage: &str| {
        repository.variables.insert("matrix.stage".into(), stage.into());
        let job = repository.run_job(WORKFLOW, Some("plan"));
        assert!(job.succeeded, "{job:?}");
        let comments = repository.bodies("comments-12");
        let marker = format!("<!-- flowbind:plan:{stage} -->\n### flowbind plan ({stage})");
        let mine: Vec<_> = comments.iter().filter(|comment| comment.starts_with(&marker)).collect();
        assert_eq!(mine.len(), 1, "{comments:?}");
        let (_, fingerprint) = mine[0].rsplit_once("\nFingerprint: `").unwrap();
        fingerprint[..64].to_owned()
    };
    STAGES.map(plan_stage).to_vec()
}

/// Runs a job of the workflow. The outputs of the job `reviewed` are known to later jobs.
fn run(repository: &mut Repository, name: &str) -> Job {
    let job = repository.run_job(WORKFLOW, Some(name));
    let reviewed = job.outputs.iter().filter_map(|(name, value)| {
        Some((
            format!("needs.reviewed.outputs.{}", name.strip_prefix("steps.reviewed.outputs.")?),
            value.clone(),
        ))
    });
    repository.variables.extend(reviewed);
    job
}

fn snapshot(repository: &Repository, stage: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(repository.state(&format!("{stage}.json"))).unwrap()).unwrap()
}

#[test]
fn stages_are_applied_in_order_and_only_as_reviewed() {
    let Some(mut repository) = repository() else { return };
    let planned = plan(&mut repository);
    assert_eq!(plan(&mut repository), planned, "a second push edits the comments");
    let merged = json!([{"number": 12, "base": {"ref": "main"}, "merged_at": "2026-11-02T08:00:00Z"}]);
    repository.set_list("pulls", &merged);
    let job = run(&mut repository, "reviewed");
    let found = STAGES.map(|stage| &job.outputs[&format!("steps.reviewed.outputs.{stage}")]);
    assert!(job.succeeded && found.into_iter().eq(&planned), "{job:?}");

    // A stage waits for the one before it, even if its job is started alone.
    for (stage, before) in [("prod", "test"), ("test", "dev")] {
        let tenant = snapshot(&repository, stage);
        let job = run(&mut repository, stage);
        assert!(!job.succeeded && job.log.contains(&format!("title={before} is not in sync::")), "{job:?}");
        assert_eq!(snapshot(&repository, stage), tenant);
    }
    for stage in STAGES {
        let job = run(&mut repository, stage);
        assert!(job.succeeded && job.log.contains(&format!("({stage})::")), "{job:?}");
        let report = fs::read_to_string(repository.folder.path().join("work/report.json")).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["label"], stage);
        // Each stage with a predecessor checks it, then applies its own plan.
        let uploads = job.actions.iter().filter(|name| *name == "actions/upload-artifact").count();
        assert_eq!(uploads, 1, "{job:?}");
    }

    // All jobs of both runs can be run again, as long as nothing else was merged.
    let job = run(&mut repository, "dev");
    assert!(!job.succeeded && job.log.contains("fingerprint-mismatch"), "{job:?}");
    assert_ne!(plan(&mut repository), planned);
    repository.variables.insert("github.run_attempt".into(), "2".into());
    for name in ["reviewed", "dev", "test", "prod"] {
        let job = run(&mut repository, name);
        assert!(job.succeeded, "{job:?}");
    }
    fs::write(repository.state("main"), "def").unwrap();
    let job = run(&mut repository, "reviewed");
    assert!(
        !job.succeeded && job.log.contains("main has a later commit: open a new pull request"),
        "{job:?}"
    );

    // The tenant of a stage is changed in the portal while the next stage waits for its approval.
    let bound = "\"postAttributeCollection\": \"";
    let text = fs::read_to_string(repository.state("test.json")).unwrap();
    let (first, rest) = text.split_once(bound).unwrap();
    let changed = format!("{first}\"postAttributeCollection\": null{}", rest.split_once('"').unwrap().1);
    fs::write(repository.state("test.json"), changed).unwrap();
    let tenant = snapshot(&repository, "prod");
    let job = run(&mut repository, "prod");
    assert!(!job.succeeded && job.log.contains("title=test is not in sync::"), "{job:?}");
    assert_eq!(snapshot(&repository, "prod"), tenant);
}

#[test]
fn stage_without_a_complete_plan_ends_the_run_before_any_stage() {
    let Some(mut repository) = repository() else { return };
    plan(&mut repository);
    let comments = repository.bodies("comments-12");
    let complete = comments.iter().filter(|comment| !comment.starts_with("<!-- flowbind:plan:test -->"));
    let entry = |(at, body): (usize, &String)| json!({"id": at, "user": {"login": "github-actions[bot]"}, "body": body});
    repository.set_list("comments-12", &complete.enumerate().map(entry).collect());
    let merged = json!([{"number": 12, "base": {"ref": "main"}, "merged_at": "2026-11-02T08:00:00Z"}]);
    repository.set_list("pulls", &merged);
    let job = run(&mut repository, "reviewed");
    assert!(!job.succeeded && job.log.contains("no comment with a complete plan of test"), "{job:?}");
}
