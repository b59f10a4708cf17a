//! Pipelines in `examples/`: runs their shell scripts step by step. `flowbind` uses the quickstart's
//! sandbox, and a fake `gh` stores comments and issues.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::{executable, file, flowbind, folder, kept_variables, package};

/// Checkout with the fake services of its pipelines.
struct Repository {
    folder: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

/// Result of a job.
#[derive(Debug)]
struct Job {
    /// Whether every step succeeded.
    succeeded: bool,
    /// Output of all steps.
    log: String,
    /// Outputs of the steps, by `steps.ID.outputs.NAME`.
    outputs: BTreeMap<String, String>,
}

const GH: &str = r#"#!/bin/bash
echo "$*" >> "$STATE/gh.log"
case "$*" in
  *commits/*/pulls*) cat "$STATE/number" 2>/dev/null ;;
  *pulls/*.head.sha*) cat "$STATE/head" ;;
  "api --paginate "*comments*".id") [ -f "$STATE/comment.md" ] && echo 7 ;;
  "api --paginate "*comments*".body") cat "$STATE/comment.md" 2>/dev/null ;;
  "api --method "*"body=@"*) all="$*"; file="${all##*body=@}"; cp "${file%% *}" "$STATE/comment.md" ;;
  "issue list "*) [ -f "$STATE/issue.md" ] && echo 3 ;;
  "issue view "*) cat "$STATE/issue.md" ;;
  "issue create "*|"issue edit "*) cp drift.md "$STATE/issue.md" ;;
  "issue comment "*) cp drift.md "$STATE/comment.md" ;;
  "issue close "*) rm "$STATE/issue.md" ;;
  "label create "*) ;;
  *) echo "unexpected gh arguments: $*" >&2; exit 9 ;;
esac
exit 0
"#;

impl Repository {
    fn new() -> Self {
        let folder = folder();
        let at = folder.path();
        for name in ["bin", "state", "work"] {
            fs::create_dir(at.join(name)).unwrap();
        }
        for name in ["flowbind.yaml", "tenant.json"] {
            let to = if name == "tenant.json" { "state" } else { "work" };
            fs::copy(package("examples/quickstart").join(name), at.join(to).join(name)).unwrap();
        }
        executable(&at.join("bin"), "gh", GH);
        // Only commands that connect to a tenant have the option.
        let flowbind = format!(
            "#!/bin/bash\ncase $1 in plan | apply | drift | export | whoami) set -- \"$@\" --sandbox \"$STATE/tenant.json\" ;; esac\n\
             exec {} \"$@\"\n",
            env!("CARGO_BIN_EXE_flowbind")
        );
        executable(&at.join("bin"), "flowbind", &flowbind);
        let variables = [
            ("github.event.number", "12"),
            ("github.token", "t"),
            ("github.event.workflow_run.head_sha", "abc"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { folder, variables }
    }

    fn state(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("state").join(name)
    }

    fn gh_log(&self) -> String {
        fs::read_to_string(self.state("gh.log")).unwrap_or_default()
    }

    /// Runs the steps of a workflow's only job.
    fn run(&self, workflow: &str) -> Job {
        self.run_job(workflow, None)
    }

    /// Runs the steps of a workflow's job of that name.
    fn run_job(&self, workflow: &str, name: Option<&str>) -> Job {
        let text = fs::read_to_string(package("examples/github-actions").join(workflow)).unwrap();
        let workflow: Value = serde_yaml::from_str(&text).unwrap();
        let jobs = workflow["jobs"].as_object().unwrap();
        let job = name.map_or_else(|| jobs.values().next().unwrap(), |name| &jobs[name]);
        let steps = job["steps"].as_array().unwrap().clone();
        let mut job = Job { succeeded: true, log: String::new(), outputs: BTreeMap::new() };
        self.steps(&steps, &BTreeMap::new(), &mut job);
        job
    }

    fn steps(&self, steps: &[Value], inputs: &BTreeMap<String, String>, job: &mut Job) {
        for step in steps {
            let id = step["id"].as_str().unwrap_or_default();
            if !job.succeeded && !step["if"].as_str().is_some_and(|it| it.contains("!cancelled()")) {
                continue;
            }
            let resolved = |value: &Value, job: &Job| self.resolve(value, inputs, job);
            if step["uses"] == "$/.github/actions/flowbind" {
                let action = fs::read_to_string(package(".github/actions/flowbind/action.yml")).unwrap();
                let action: Value = serde_yaml::from_str(&action).unwrap();
                let mut given = BTreeMap::new();
                for (name, input) in action["inputs"].as_object().unwrap() {
                    let value = match step["with"].get(name) {
                        Some(value) => resolved(value, job),
                        None => input["default"].as_str().unwrap_or_default().to_owned(),
                    };
                    given.insert(format!("inputs.{name}"), value);
                }
                self.steps(action["runs"]["steps"].as_array().unwrap(), &given, job);
                for (name, output) in action["outputs"].as_object().unwrap() {
                    let inner = self.resolve(&output["value"], &given, job);
                    job.outputs.insert(format!("steps.{id}.outputs.{name}"), inner);
                }
            } else if let Some(script) = step["run"].as_str() {
                let env: BTreeMap<_, _> = step["env"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, value)| (name.clone(), resolved(value, job)))
                    .collect();
                let (succeeded, log, outputs) = self.shell(script, &env);
                job.succeeded &= succeeded;
                job.log.push_str(&log);
                for (name, value) in outputs {
                    job.outputs.insert(format!("steps.{id}.outputs.{name}"), value);
                }
            }
        }
    }

    /// Replaces each `${{ … }}` of a text.
    fn resolve(&self, value: &Value, inputs: &BTreeMap<String, String>, job: &Job) -> String {
        let mut text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        while let Some((before, rest)) = text.clone().split_once("${{") {
            let (name, after) = rest.split_once("}}").unwrap();
            let name = name.trim();
            let found = [inputs, &job.outputs, &self.variables].into_iter().find_map(|known| known.get(name));
            text = format!("{before}{}{after}", found.map(String::as_str).unwrap_or_default());
        }
        text
    }

    /// Runs a script like a runner. Returns whether it succeeded, its log and its outputs.
    fn shell(
        &self,
        script: &str,
        env: &BTreeMap<String, String>,
    ) -> (bool, String, BTreeMap<String, String>) {
        let (code, log, outputs) = self.shell_code(script, env);
        (code == 0, log, outputs)
    }

    /// Runs a script like a runner. Returns its exit code, its log and its outputs.
    fn shell_code(
        &self,
        script: &str,
        env: &BTreeMap<String, String>,
    ) -> (i32, String, BTreeMap<String, String>) {
        let at = self.folder.path();
        let outputs = file(at, "outputs", "");
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .current_dir(at.join("work"))
            .env_clear()
            .envs(kept_variables())
            .env("PATH", format!("{}:/usr/bin:/bin", at.join("bin").display()))
            .env("STATE", at.join("state"))
            .env("GITHUB_OUTPUT", &outputs)
            .env("GITHUB_STEP_SUMMARY", at.join("summary.md"))
            .env("GITHUB_REPOSITORY", "contoso/identity")
            .env("GITHUB_SHA", "abc")
            .env("SOURCE_DATE_EPOCH", "1793606400")
            .envs(env)
            .output()
            .unwrap();
        let log =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let outputs = fs::read_to_string(outputs).unwrap();
        let outputs = outputs.lines().filter_map(|line| line.split_once('='));
        let outputs = outputs.map(|(name, value)| (name.into(), value.into())).collect();
        (output.status.code().unwrap_or(-1), log, outputs)
    }

    /// Applies the file of the checkout to the tenant.
    fn apply(&self) {
        let (succeeded, log, _) = self.shell("flowbind apply --yes", &BTreeMap::new());
        assert!(succeeded, "{log}");
    }

    /// Replaces a text in the checkout's or the tenant's file.
    fn edit(&self, path: &str, from: &str, to: &str) {
        let path = self.folder.path().join(path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }
}

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
