//! Pipelines of other platforms, timers and hooks.

mod machine;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use self::machine::Machine;
use super::Repository;
use crate::support::{
    Start as _, executable, exit_code, kept_variables, package, path_after, signal, wait_until,
};

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

/// Returns the steps of the Azure pipeline's stage.
fn azure_steps(stage: usize) -> Vec<Value> {
    let stage = value(AZURE, &["stages", &stage.to_string(), "jobs", "0"]);
    let deployment = &stage["strategy"]["runOnce"]["deploy"]["steps"];
    stage["steps"].as_array().or(deployment.as_array()).unwrap().clone()
}

/// Returns the script of the step with this name.
fn azure_script(steps: &[Value], name: &str) -> String {
    let step = steps.iter().find(|step| step["displayName"] == name).unwrap_or_else(|| panic!("{name}"));
    let script = step["bash"].as_str().or(step["inputs"]["inlineScript"].as_str()).unwrap();
    // Azure replaces `$(name)` by text that the script would then run.
    assert!(!script.contains("$(") && !script.contains("${{"), "{script}");
    script.to_owned()
}

const AZURE: &str = "examples/azure-pipelines/azure-pipelines.yml";
const GITLAB: &str = "examples/gitlab/.gitlab-ci.yml";

/// Runs each job with the beginnings that the runner writes for bash and for other shells.
#[test]
fn gitlab_pipeline_plans_applies_and_detects_drift() {
    let bash = ("bash", "set -eo pipefail\nset +o noclobber\n");
    for (shell, beginning) in [bash, ("sh", "set -o errexit\nset +o noclobber\n")] {
        let repository = Repository::new();
        let token = repository.folder.path().join("token").display().to_string();
        let env = [("AZURE_ID_TOKEN", "t"), ("AZURE_FEDERATED_TOKEN_FILE", &token)];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        // The code 2 of the drift job is a warning: the first drift is new and fails, the second one is known.
        for (job, expected) in [("drift", 1), ("drift", 2), ("plan", 0), ("apply", 0), ("plan", 0)] {
            let before = script(GITLAB, &[".flowbind", "before_script"]);
            let text = format!("{beginning}{before}{}", script(GITLAB, &[job, "script"]));
            let run = format!("exec {shell} -c '{}'", text.replace('\'', r"'\''"));
            let (code, log, _) = repository.shell_code(&run, &env);
            assert_eq!(code, expected, "{shell} {job}: {log}");
        }
        let work = repository.folder.path().join("work");
        for job in ["drift", "plan", "apply"] {
            let artifacts = value(GITLAB, &[job, "artifacts"]);
            assert_eq!(artifacts["when"], "always");
            let report = work.join(artifacts["reports"]["junit"].as_str().unwrap());
            roxmltree::Document::parse(&fs::read_to_string(report).unwrap()).unwrap();
            for path in artifacts["paths"].as_array().into_iter().flatten() {
                assert!(work.join(path.as_str().unwrap()).is_file(), "{path}");
            }
        }
    }
    assert_eq!(value(GITLAB, &["drift", "allow_failure", "exit_codes"]), 2);
}

#[test]
fn azure_pipeline_applies_the_saved_plan() {
    let repository = Repository::new();
    let workspace = repository.folder.path().join("workspace");
    fs::create_dir_all(workspace.join("plan")).unwrap();
    let run = |steps: &[Value], name: &str| {
        let env = [("IS_SCHEDULE", "False"), ("PIPELINE_WORKSPACE", workspace.to_str().unwrap())];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        // The task of a script sets no options of the shell.
        let script = format!("set +e +o pipefail\n{}", azure_script(steps, name));
        let (code, log, _) = repository.shell_code(&script, &env);
        assert_eq!(code, 0, "{name}: {log}");
        log
    };
    let [check, apply] = [0, 1].map(azure_steps);
    run(&check, "Plan or drift");
    assert!(run(&check, "Show the summary").starts_with("##vso[task.uploadsummary]/"));
    // The artifact of a file contains the file, and `download` puts it in a folder with the name of the artifact.
    let publish = check.iter().find(|step| step["artifact"] == "plan").unwrap();
    assert!(apply.iter().any(|step| step["download"] == "current" && step["artifact"] == "plan"));
    let plan = publish["publish"].as_str().unwrap();
    let (from, to) = (repository.folder.path().join("work").join(plan), workspace.join("plan").join(plan));
    fs::rename(from, to).unwrap();
    let log = run(&apply, "Apply");
    assert!(log.contains("Apply: 4 applied."), "{log}");
    assert!(run(&apply, "Show the summary").contains("##vso[task.uploadsummary]/"));
    let results = apply.iter().find(|step| step["task"] == "PublishTestResults@2").unwrap();
    assert_eq!(results["inputs"]["searchFolder"], "$(Pipeline.Workspace)/report");
    assert_eq!(apply.last().unwrap()["publish"], "$(Pipeline.Workspace)/report");
    for file in ["report.json", results["inputs"]["testResultsFiles"].as_str().unwrap()] {
        assert!(workspace.join("report").join(file).is_file(), "{file}");
    }
    let after_apply = apply.iter().skip_while(|step| step["displayName"] != "Apply").skip(1);
    assert!(after_apply.map(|step| &step["condition"]).all(|condition| condition == "always()"));
}

/// The task with the service connection sets variables for its own script only.
#[test]
fn azure_pipeline_passes_the_service_connection_to_the_next_step() {
    let repository = Repository::new();
    for (stage, connection) in ["flowbind-plan", "flowbind-apply"].into_iter().enumerate() {
        let steps = azure_steps(stage);
        let task = steps.iter().find(|step| step["task"] == "AzureCLI@2").unwrap();
        assert_eq!(task["inputs"]["azureSubscription"], connection);
        assert_eq!(task["inputs"]["allowNoSubscriptions"], true);
        let variables = [
            ("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "6f4d0be2-16a5-4e7a-a5f0-1d3bbf2c3f10"),
            ("AZURESUBSCRIPTION_CLIENT_ID", "0b1f6471-1bf0-4dda-aec3-cb9272f09590"),
        ];
        let env = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let (code, log, _) = repository.shell_code(&azure_script(&steps, "Select the identity"), &env);
        let expected =
            variables.map(|(name, value)| format!("##vso[task.setvariable variable={name}]{value}\n"));
        assert_eq!((code, log), (0, expected.concat()));
    }
}

/// The task signals the process of the script, and no other.
#[test]
fn azure_apply_step_when_cancelled_stops_flowbind() {
    let steps = azure_steps(1);
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let repository = Repository::new();
        let at = repository.folder.path();
        let flowbind = format!(
            "#!/bin/bash\ntrap 'touch report.json; exit {code}' {name}\ntouch \"$STATE/started\"\n\
             while :; do sleep 0.1; done\n"
        );
        executable(&at.join("bin"), "flowbind", &flowbind);
        let mut child = Command::new("bash")
            .args(["-c", &azure_script(&steps, "Apply")])
            .env_clear()
            .envs(kept_variables())
            .env("PATH", path_after(&at.join("bin")))
            .env("STATE", at.join("state"))
            .env("PIPELINE_WORKSPACE", at.join("workspace"))
            .start();
        wait_until("flowbind has started", || repository.state("started").exists());
        signal(&child, name);
        assert_eq!(exit_code(&mut child), Some(code));
        assert!(at.join("workspace/report/report.json").exists());
    }
}

/// The code of a script is that of its last command: the task does not stop at a failed one.
#[test]
fn azure_pipeline_fails_only_for_new_drift() {
    let repository = Repository::new();
    let steps = azure_steps(0);
    let check = azure_script(&steps, "Plan or drift");
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
    let download = steps.iter().find(|step| step["task"] == "DownloadPipelineArtifact@2").unwrap();
    assert_eq!(download["inputs"]["targetPath"], "$(Pipeline.Workspace)/last");
    let publish = steps.iter().find(|step| step["publish"] == "drift.json").unwrap();
    assert_eq!(download["inputs"]["artifactName"], publish["artifact"]);
}

/// Returns the resources of a file of Kubernetes by kind.
fn resources(path: &str) -> BTreeMap<String, Value> {
    let text = fs::read_to_string(package(path)).unwrap();
    let parts = text.split("---\n").map(|part| serde_yaml::from_str::<Value>(part).unwrap());
    parts.map(|part| (part["kind"].as_str().unwrap().to_owned(), part)).collect()
}

/// Returns the desired-state files of the stages, and the snapshots of their tenants.
fn stages() -> (Vec<PathBuf>, Vec<PathBuf>) {
    let names = |folder: &str, names: &[&str]| names.iter().map(|name| package(folder).join(name)).collect();
    (
        names("examples/stages", &["base.yaml", "dev.yaml", "prod.yaml", "test.yaml"]),
        names("examples/stages/tenants", &["dev.json", "prod.json", "test.json"]),
    )
}

/// Creates the machine of a pod: its user, ConfigMap and volume.
fn pod(pod: &Value, claim: &Value, volume: &'static str, files: &[PathBuf], tenants: &[PathBuf]) -> Machine {
    let security = &pod["securityContext"];
    assert_eq!(pod["volumes"][1]["persistentVolumeClaim"]["claimName"], claim["metadata"]["name"]);
    let mounts = &pod["containers"][0]["volumeMounts"];
    assert_eq!((&mounts[0]["mountPath"], &mounts[1]["mountPath"]), (&"/tenants".into(), &volume.into()));
    let [user, group] =
        ["runAsUser", "fsGroup"].map(|key| security[key].as_u64().unwrap().try_into().unwrap());
    let mut machine = Machine::new(user, group, tenants);
    machine.mount_for_group("volume", volume);
    machine.mount_config_map("/tenants", files);
    machine
}

/// Runs the command of a pod's container. Returns its exit code and output.
fn run_container(machine: &Machine, pod: &Value, env: &BTreeMap<&str, String>) -> (i32, String) {
    let container = &pod["containers"][0];
    let words = ["command", "args"].into_iter().flat_map(|key| container[key].as_array().unwrap());
    let words: Vec<_> = words.map(|word| word.as_str().unwrap()).collect();
    machine.run(container["workingDir"].as_str().unwrap(), &words, env)
}

/// Runs the pods of an Indexed Job like its controller, and the join command from the file's comment. A guard blocks
/// the plan of one tenant.
#[test]
fn indexed_job_with_a_blocked_shard_plans_the_other_shards() {
    let resources = resources("examples/kubernetes/fleet.yaml");
    let text = |path: &str| fs::read_to_string(package(path)).unwrap();
    let dockerfile = text(".github/release/Dockerfile");
    let (_, program) = dockerfile.split_once("/flowbind /").expect("the image has the program");
    let program = format!("/{}flowbind", program.lines().next().unwrap());
    let copied =
        text("examples/kubernetes/fleet.yaml").contains(&format!("{} {program} ", env!("CARGO_PKG_VERSION")));
    assert!(copied, "the comment does not copy {program}");
    let job = &resources["Job"]["spec"];
    let policy = &job["podFailurePolicy"]["rules"][0];
    assert_eq!((&policy["action"], &policy["onExitCodes"]["operator"]), (&"FailIndex".into(), &"In".into()));
    assert_eq!(policy["onExitCodes"]["containerName"], job["template"]["spec"]["containers"][0]["name"]);
    assert!(job["backoffLimit"].is_null(), "the first failures would end the job");
    let retries = job["backoffLimitPerIndex"].as_u64().unwrap();
    let repository = Repository::new();
    let (mut files, tenants) = stages();
    let blocked = repository.folder.path().join("test.yaml");
    fs::write(&blocked, fs::read_to_string(&files[3]).unwrap() + "  maxChanges: 0\n").unwrap();
    files[3] = blocked;
    let claim = &resources["PersistentVolumeClaim"];
    let machine = pod(&job["template"]["spec"], claim, "/plans", &files, &tenants);
    let mut failed = Vec::new();
    for index in 0..job["completions"].as_u64().unwrap() {
        let env = BTreeMap::from([("JOB_COMPLETION_INDEX", index.to_string())]);
        for attempt in 0..=retries {
            let (code, log) = run_container(&machine, &job["template"]["spec"], &env);
            let is_final = policy["onExitCodes"]["values"].as_array().unwrap().contains(&code.into());
            if code != 0 && (is_final || attempt == retries) {
                assert!(is_final && log.contains("blocked[guard-max-changes]"), "{log}");
                failed.push(attempt);
            }
            if code == 0 || is_final {
                break;
            }
        }
    }
    assert_eq!(failed, [0], "one index fails, without a second attempt");
    let text = fs::read_to_string(package("examples/kubernetes/fleet.yaml")).unwrap();
    let (_, join) = text.split_once("`flowbind show").unwrap();
    let join = format!("flowbind show{}", join.split_once('`').unwrap().0);
    let plans = machine.path("volume").display().to_string();
    let (_, log, _) = repository.shell_code(&join.replace("/plans", &plans), &BTreeMap::new());
    assert!(log.contains("Plan: 3 to enable, 1 to disable. Blocked by 1 guard."), "{log}");
}

/// Runs the pod of a cron job twice on the same volume. Its files share a base.
#[test]
fn cron_job_reports_what_is_new_since_its_last_pod() {
    let resources = resources("examples/kubernetes/cronjob.yaml");
    let spec = &resources["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(spec["serviceAccountName"], resources["ServiceAccount"]["metadata"]["name"]);
    let (files, tenants) = stages();
    let machine = pod(spec, &resources["PersistentVolumeClaim"], "/state", &files, &tenants);
    for expected in [" new)", "since 2026-11-02)"] {
        let (code, log) = run_container(&machine, spec, &BTreeMap::new());
        assert!(code == 2 && log.contains(expected) && !log.contains("error["), "{log}");
    }
}

/// Runs the unit twice as its user, in folders as systemd creates them. Its files share a base.
#[test]
fn systemd_unit_writes_counts_for_the_node_exporter() {
    let unit = fs::read_to_string(package("examples/systemd/flowbind-drift.service")).unwrap();
    let unit = unit.replace("\\\n", "");
    let setting =
        |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap();
    assert_eq!((setting("User"), setting("StateDirectory")), ("flowbind", "flowbind"));
    let (files, tenants) = stages();
    let mut machine = Machine::new(65534, 65534, &tenants);
    let state = machine.mount_owned("state", "/var/lib/flowbind");
    let exporter = machine.mount("exporter", "/var/lib/node_exporter", 0o755);
    let etc = machine.mount("etc", "/etc/flowbind", 0o755);
    fs::create_dir(etc.join("tenants")).unwrap();
    for path in files {
        fs::copy(&path, etc.join("tenants").join(path.file_name().unwrap())).unwrap();
    }
    let (_, link) = unit.split_once("\n#   ln --symbolic ").unwrap();
    let (target, link) = link.split_once('\n').unwrap().0.split_once(' ').unwrap();
    assert_eq!(link, "/var/lib/node_exporter/flowbind.prom");
    symlink(target, exporter.join("flowbind.prom")).unwrap();
    let words: Vec<_> = setting("ExecStart").split_whitespace().collect();
    for expected in [" new)", "since 2026-11-02)"] {
        let (code, log) = machine.run(setting("WorkingDirectory"), &words, &BTreeMap::new());
        assert!(code == 2 && log.contains(expected) && !log.contains("error["), "{log}");
    }
    assert!(unit.contains("\nSuccessExitStatus=2\n"));
    assert_eq!(target, "/var/lib/flowbind/flowbind.prom");
    let counts = fs::read_to_string(state.join("flowbind.prom")).unwrap();
    let count =
        "flowbind_drift_differences{tenant=\"contoso.onmicrosoft.com\",kind=\"missing\",command=\"drift\"} 1";
    assert!(counts.contains(count), "{counts}");
    let mode = fs::metadata(state.join("flowbind.prom")).unwrap().permissions().mode();
    assert_eq!(mode & 0o444, 0o444, "the node exporter cannot read the file");
}

/// The hook gets no file names, so it validates the bases and finds what two files contradict.
#[test]
fn commit_hook_validates_all_files_of_the_folder() {
    let hook = value("examples/pre-commit/.pre-commit-config.yaml", &["repos", "0", "hooks", "0"]);
    assert_eq!(hook["pass_filenames"], false);
    let entry = hook["entry"].as_str().unwrap();
    let folder = entry.rsplit(' ').next().unwrap();
    assert_eq!(hook["files"], format!(r"^{folder}/[^/]+\.ya?ml$"));
    let repository = Repository::new();
    let tenants = repository.folder.path().join("work").join(folder);
    fs::create_dir(&tenants).unwrap();
    for path in stages().0 {
        fs::copy(&path, tenants.join(path.file_name().unwrap())).unwrap();
    }
    let (code, log, _) = repository.shell_code(entry, &BTreeMap::new());
    assert_eq!(code, 0, "{log}");
    fs::write(tenants.join("other.yaml"), fs::read_to_string(tenants.join("test.yaml")).unwrap()).unwrap();
    let (code, log, _) = repository.shell_code(entry, &BTreeMap::new());
    assert!(code == 1 && log.contains("error[") && log.contains("other.yaml"), "{log}");
}
