//! Pipelines of other platforms, timers and hooks.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::Repository;
use crate::support::package;

/// Returns the value at a path of keys in a pipeline file.
fn value(path: &str, at: &[&str]) -> Value {
    let text = fs::read_to_string(package(path)).unwrap();
    let mut value: Value = serde_yaml::from_str(&text).unwrap();
    for key in at {
        value = match key.parse::<usize>() {
            Ok(at) => value[at].clone(),
            Err(_) => value[*key].clone(),
        };
    }
    value
}

/// Returns the script at a path of keys in a pipeline file.
fn script(path: &str, at: &[&str]) -> String {
    match value(path, at) {
        Value::Array(lines) => lines.iter().map(|line| format!("{}\n", line.as_str().unwrap())).collect(),
        value => value.as_str().unwrap_or_else(|| panic!("{path} {at:?}")).to_owned(),
    }
}

#[test]
fn gitlab_pipeline_plans_applies_and_detects_drift() {
    let repository = Repository::new();
    let path = "examples/gitlab/.gitlab-ci.yml";
    let token = repository.folder.path().join("token").display().to_string();
    let env = [("AZURE_ID_TOKEN", "t"), ("AZURE_FEDERATED_TOKEN_FILE", &token)];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    // The code 2 of the drift job is a warning: the first drift is new and fails, the second one is known.
    for (job, expected) in [("drift", 1), ("drift", 2), ("plan", 0), ("apply", 0), ("plan", 0)] {
        let before = script(path, &[".flowbind", "before_script"]);
        let (code, log, _) =
            repository.shell_code(&format!("{before}{}", script(path, &[job, "script"])), &env);
        assert_eq!(code, expected, "{job}: {log}");
    }
    assert_eq!(value(path, &["drift", "allow_failure", "exit_codes"]), 2);
    let work = repository.folder.path().join("work");
    for report in ["drift.xml", "plan.xml", "report.xml"] {
        roxmltree::Document::parse(&fs::read_to_string(work.join(report)).unwrap()).unwrap();
    }
}

#[test]
fn azure_pipeline_applies_the_saved_plan() {
    let repository = Repository::new();
    let path = "examples/azure-pipelines/azure-pipelines.yml";
    let check = ["stages", "0", "jobs", "0", "steps", "2", "inputs", "inlineScript"];
    let run = |script: &str, name: &str, value: &str| {
        repository.shell(script, &BTreeMap::from([(name.to_owned(), value.to_owned())]))
    };
    let (succeeded, log, _) = run(&script(path, &check), "IS_SCHEDULE", "False");
    assert!(succeeded, "{log}");
    let (_, log, _) = run(&script(path, &["stages", "0", "jobs", "0", "steps", "3", "bash"]), "X", "");
    assert!(log.starts_with("##vso[task.uploadsummary]/"), "{log}");
    let workspace = repository.folder.path().join("workspace");
    fs::create_dir_all(workspace.join("plan")).unwrap();
    fs::rename(repository.folder.path().join("work/plan.json"), workspace.join("plan/plan.json")).unwrap();
    let apply =
        ["stages", "1", "jobs", "0", "strategy", "runOnce", "deploy", "steps", "2", "inputs", "inlineScript"];
    let (succeeded, log, _) = run(&script(path, &apply), "PIPELINE_WORKSPACE", workspace.to_str().unwrap());
    assert!(succeeded, "{log}");
    assert!(log.contains("Apply: 4 applied."), "{log}");
}

/// The code of an inline script is that of its last command: the task does not stop at a failed one.
#[test]
fn azure_pipeline_fails_only_for_new_drift() {
    let repository = Repository::new();
    let path = "examples/azure-pipelines/azure-pipelines.yml";
    let steps = ["stages", "0", "jobs", "0", "steps"];
    let check = script(path, &[steps.as_slice(), &["2", "inputs", "inlineScript"]].concat());
    let workspace = repository.folder.path().join("workspace");
    let workspace_variable = ("PIPELINE_WORKSPACE".to_owned(), workspace.display().to_string());
    let env = BTreeMap::from([("IS_SCHEDULE".to_owned(), "True".to_owned()), workspace_variable]);
    // Runs a morning and downloads its artifact for the next one.
    let morning = || {
        let (code, log, _) = repository.shell_code(&format!("set +e +o pipefail\n{check}"), &env);
        fs::create_dir_all(workspace.join("last")).unwrap();
        fs::rename(repository.folder.path().join("work/drift.json"), workspace.join("last/drift.json"))
            .unwrap();
        assert!(log.contains("##vso[build.addbuildtag]flowbind-drift\n"), "{log}");
        (code, log.contains("##vso[task.complete result=SucceededWithIssues;]"), log)
    };
    for (expected, is_warning) in [(2, false), (0, true)] {
        let (code, warns, log) = morning();
        assert_eq!((code, warns), (expected, is_warning), "{log}");
    }
    repository.edit("work/flowbind.yaml", "\nflows:", "\nprune: steps\nflows:");
    repository.apply();
    let (code, warns, log) = morning();
    assert_eq!((code, warns), (0, false), "{log}");
    repository.edit("work/flowbind.yaml", "version: 1", "version: 0");
    let (code, warns, log) = morning();
    assert_eq!((code, warns), (1, false), "{log}");
    let download = value(path, &[steps.as_slice(), &["1", "inputs"]].concat());
    assert_eq!(download["targetPath"], "$(Pipeline.Workspace)/last");
    assert_eq!(download["artifactName"], value(path, &[steps.as_slice(), &["6", "artifact"]].concat()));
}

/// Runs the pods of an Indexed Job, each with its index, and the join command from the file's comment.
#[test]
fn indexed_job_pods_plan_a_fleet() {
    let text = fs::read_to_string(package("examples/kubernetes/fleet.yaml")).unwrap();
    let job: Value = serde_yaml::from_str(&text).unwrap();
    let shell = &job["spec"]["template"]["spec"]["containers"][0]["args"][0];
    let repository = Repository::new();
    let work = repository.folder.path().join("work");
    let here = work.display().to_string();
    let local = |script: &str| script.replace("/tenants", &here).replace("/plans", &here);
    for index in 0..job["spec"]["completions"].as_u64().unwrap() {
        let index = [("JOB_COMPLETION_INDEX".to_owned(), index.to_string())].into();
        let (succeeded, log, _) = repository.shell(&local(shell.as_str().unwrap()), &index);
        assert!(succeeded, "{log}");
    }
    let (_, join) = text.split_once("# Afterwards `flowbind show").unwrap();
    let join = format!("flowbind show{}", join.split_once('`').unwrap().0);
    let (succeeded, log, _) = repository.shell(&local(&join), &BTreeMap::new());
    assert!(succeeded && log.contains("Plan: 2 to enable"), "{log}");
}

/// Timers, hooks and cron jobs start flowbind without a shell.
#[test]
fn commands_of_timers_and_hooks_are_valid() {
    let service = fs::read_to_string(package("examples/systemd/flowbind-drift.service")).unwrap();
    let service = service.replace("\\\n", "");
    let timer = service.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let hook = script("examples/pre-commit/.pre-commit-config.yaml", &["repos", "0", "hooks", "0", "entry"]);
    let repository = Repository::new();
    let work = repository.folder.path().join("work");
    let here = work.display().to_string();
    let timer = timer.replace("/etc/flowbind/tenants", &here).replace("/var/lib/flowbind", &here);
    for (command, expected) in [(&timer, 2), (&timer, 2), (&hook, 0)] {
        let (code, log, _) = repository.shell_code(command, &BTreeMap::new());
        assert_eq!(code, expected, "{command}: {log}");
        assert!(!log.contains("error["), "{command}: {log}");
    }
    let counts = fs::read_to_string(work.join("flowbind.prom")).unwrap();
    assert!(
        counts.contains("flowbind_drift_differences{tenant=\"contoso.onmicrosoft.com\",kind=\"missing\"} 2"),
        "{counts}"
    );
    let (code, log, _) = repository.shell_code(&timer, &BTreeMap::new());
    assert!(code == 2 && log.contains("since 2026-11-02)"), "{log}");
}

/// Runs the pod of a cron job twice on the same volume. Its files share a base, and its working directory is not the
/// image's.
#[test]
fn cron_job_reports_what_is_new_since_its_last_pod() {
    let text = fs::read_to_string(package("examples/kubernetes/cronjob.yaml")).unwrap();
    let jobs: Vec<Value> = text.split("---\n").map(|part| serde_yaml::from_str(part).unwrap()).collect();
    let job = jobs.iter().find(|part| part["kind"] == "CronJob").unwrap();
    let claim = jobs.iter().find(|part| part["kind"] == "PersistentVolumeClaim").unwrap();
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"][1]["persistentVolumeClaim"]["claimName"], claim["metadata"]["name"]);
    let container = &pod["containers"][0];
    let repository = Repository::new();
    let tenants = repository.folder.path().join("tenants");
    fs::create_dir(&tenants).unwrap();
    for name in ["base.yaml", "prod.yaml"] {
        fs::copy(package("examples/stages").join(name), tenants.join(name)).unwrap();
    }
    let words = ["command", "args"].into_iter().flat_map(|key| container[key].as_array().unwrap());
    let words: Vec<_> = words.map(|it| it.as_str().unwrap()).collect();
    let script = format!("cd {}\n{}", container["workingDir"].as_str().unwrap(), words.join(" "));
    let script = script
        .replace("/tenants", &tenants.display().to_string())
        .replace("/state", &repository.state("").display().to_string());
    for expected in [" new)", "since 2026-11-02)"] {
        let (code, log, _) = repository.shell_code(&script, &BTreeMap::new());
        assert!(code == 2 && log.contains(expected) && !log.contains("error["), "{log}");
    }
}
