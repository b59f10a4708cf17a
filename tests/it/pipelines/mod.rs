//! Pipelines in `examples/`: runs their shell scripts step by step, like a runner. `flowbind` uses the quickstart's
//! sandbox, and a fake `gh` stores comments and issues.

mod action;
mod github;
mod platforms;
mod review;
mod stages;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::{executable, file, folder, kept_variables, package, path_after};

/// Checkout with the fake services of its pipelines.
struct Repository {
    folder: tempfile::TempDir,
    variables: BTreeMap<String, String>,
    /// Name of the step during which the job is cancelled.
    cancelled_at: Option<&'static str>,
}

/// Result of a job.
#[derive(Debug)]
struct Job {
    /// Whether every step succeeded.
    succeeded: bool,
    is_cancelled: bool,
    /// Output of all steps.
    log: String,
    /// Outputs of the steps, by `steps.ID.outputs.NAME`.
    outputs: BTreeMap<String, String>,
    /// Actions that were used, without their versions.
    actions: Vec<String>,
}

impl Repository {
    fn new() -> Self {
        let folder = folder();
        let at = folder.path();
        for name in ["bin", "state", "work", "temp"] {
            fs::create_dir(at.join(name)).unwrap();
        }
        for name in ["flowbind.yaml", "tenant.json"] {
            let to = if name == "tenant.json" { "state" } else { "work" };
            fs::copy(package("examples/quickstart").join(name), at.join(to).join(name)).unwrap();
        }
        executable(&at.join("bin"), "gh", include_str!("gh.bash"));
        // Only commands that connect to a tenant have the option.
        let flowbind = format!(
            "#!/bin/bash\ncase $1 in plan | apply | drift | export | whoami) set -- \"$1\" --sandbox \"$STATE/tenant.json\" \"${{@:2}}\" ;; esac\n\
             exec {} \"$@\"\n",
            env!("CARGO_BIN_EXE_flowbind")
        );
        executable(&at.join("bin"), "flowbind", &flowbind);
        // A file of this name is the list of pull requests after a wait of 10 s.
        let sleep = "#!/bin/bash\necho \"$1\" >> \"$STATE/sleep.log\"\n\
             if [ \"$1\" = 10 ] && [ -f \"$STATE/later.json\" ]; then mv \"$STATE/later.json\" \"$STATE/pulls.json\"; fi\n";
        executable(&at.join("bin"), "sleep", sleep);
        let variables = [
            ("github.event.number", "12"),
            ("github.token", "t"),
            ("github.repository", "contoso/identity"),
            ("github.event.workflow_run.head_sha", "abc"),
            ("github.action_repository", "OWNER/flowbind"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { folder, variables, cancelled_at: None }
    }

    /// Returns `None`, so that the test is skipped, if `jq` is not installed, which the fake `gh` needs.
    fn with_gh() -> Option<Self> {
        Command::new("jq").arg("--version").output().is_ok().then(Self::new)
    }

    fn state(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    /// Replaces a list of the fake `gh`.
    fn set_list(&self, name: &str, list: &Value) {
        fs::write(self.state(&format!("{name}.json")), list.to_string()).unwrap();
    }

    /// Returns the texts in a list of the fake `gh`, and of issues only the open ones.
    fn bodies(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.state(&format!("{name}.json"))).unwrap_or_else(|_| "[]".into());
        let list: Vec<Value> = serde_json::from_str(&text).unwrap();
        let open = list.iter().filter(|entry| entry["state"] != "closed");
        open.map(|entry| entry["body"].as_str().unwrap().to_owned()).collect()
    }

    fn gh_log(&self) -> String {
        fs::read_to_string(self.state("gh.log")).unwrap_or_default()
    }

    /// Runs the steps of the only job of an example.
    fn run(&self, workflow: &str) -> Job {
        self.run_job(&format!("examples/github-actions/{workflow}"), None)
    }

    /// Runs the steps of a workflow's job of that name.
    fn run_job(&self, path: &str, name: Option<&str>) -> Job {
        let workflow: Value = serde_yaml::from_str(&fs::read_to_string(package(path)).unwrap()).unwrap();
        let jobs = workflow["jobs"].as_object().unwrap();
        let job = name.map_or_else(|| jobs.values().next().unwrap(), |name| &jobs[name]);
        let steps = job["steps"].as_array().unwrap().clone();
        let mut job = Job {
            succeeded: true,
            is_cancelled: false,
            log: String::new(),
            outputs: BTreeMap::new(),
            actions: Vec::new(),
        };
        fs::remove_file(self.folder.path().join("path")).unwrap_or_default();
        self.steps(&steps, &BTreeMap::new(), &mut job);
        job
    }

    fn steps(&self, steps: &[Value], inputs: &BTreeMap<String, String>, job: &mut Job) {
        for step in steps {
            let id = step["id"].as_str().unwrap_or_default();
            if !self.is_run(step, job) {
                continue;
            }
            let used = step["uses"].as_str().and_then(|it| it.split('@').next());
            if used == Some("OWNER/flowbind") {
                let given = self.inputs(&step["with"], job);
                let action = action::action();
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
                    .map(|(name, value)| (name.clone(), self.resolve(value, inputs, job)))
                    .collect();
                let (succeeded, log, outputs) = self.shell(script, &env);
                job.succeeded &= succeeded;
                job.log.push_str(&log);
                for (name, value) in outputs {
                    job.outputs.insert(format!("steps.{id}.outputs.{name}"), value);
                }
            }
            job.actions.extend(used.map(str::to_owned));
            job.is_cancelled |= self.cancelled_at.is_some_and(|name| step["name"] == name);
        }
    }

    /// Returns the inputs of the action by `inputs.NAME`.
    fn inputs(&self, with: &Value, job: &Job) -> BTreeMap<String, String> {
        let action = action::action();
        let inputs = action["inputs"].as_object().unwrap().iter();
        let value = |name: &str, input: &Value| match with.get(name) {
            Some(value) => self.resolve(value, &BTreeMap::new(), job),
            None => input["default"].as_str().unwrap_or_default().to_owned(),
        };
        inputs.map(|(name, input)| (format!("inputs.{name}"), value(name, input))).collect()
    }

    /// Evaluates the condition of a step: conditions with `&&` of a status, an output or a file.
    fn is_run(&self, step: &Value, job: &Job) -> bool {
        let condition = step["if"].as_str().unwrap_or("success()");
        let condition = condition.trim_start_matches("${{").trim_end_matches("}}");
        let mut has_status = false;
        let mut is_true = |term: &str| {
            let status = match term {
                "always()" => true,
                "success()" => job.succeeded && !job.is_cancelled,
                "failure()" => !job.succeeded && !job.is_cancelled,
                "!cancelled()" => !job.is_cancelled,
                _ => {
                    let (left, operator, right) = match term.split_once(" == ") {
                        Some((left, right)) => (left, true, right),
                        None => term.split_once(" != ").map(|(left, right)| (left, false, right)).unwrap(),
                    };
                    let value = match left.strip_prefix("hashFiles('") {
                        Some(file) => {
                            let file = self.folder.path().join("work").join(file.trim_end_matches("')"));
                            if file.exists() { "hash" } else { "" }
                        }
                        None => job.outputs.get(left).map_or("", String::as_str),
                    };
                    return (value == right.trim_matches('\'')) == operator;
                }
            };
            has_status = true;
            status
        };
        let terms: Vec<_> = condition.split("&&").map(|term| is_true(term.trim())).collect();
        let is_success = job.succeeded && !job.is_cancelled;
        terms.iter().all(|it| *it) && (has_status || is_success)
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
        let output = self.shell_command(script, env).output().unwrap();
        let log =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap_or(-1), log, self.outputs())
    }

    /// Prepares a script as the runner starts it: in a file, with a new file for its outputs, and with the folders
    /// that the steps before added to the path.
    fn shell_command(&self, script: &str, env: &BTreeMap<String, String>) -> Command {
        let at = self.folder.path();
        let added = fs::read_to_string(at.join("path")).unwrap_or_default();
        let added: String = added.lines().rev().map(|folder| format!("{folder}:")).collect();
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc", "-eo", "pipefail"])
            .arg(file(at, "step.sh", script))
            .current_dir(at.join("work"))
            .env_clear()
            .envs(kept_variables())
            .env("PATH", format!("{added}{}", path_after(&at.join("bin"))))
            .env("STATE", at.join("state"))
            .env("GITHUB_OUTPUT", file(at, "outputs", ""))
            .env("GITHUB_PATH", at.join("path"))
            .env("GITHUB_STEP_SUMMARY", at.join("summary.md"))
            .env("GITHUB_SERVER_URL", "https://github.com")
            .env("GITHUB_REPOSITORY", "contoso/identity")
            .env("GITHUB_REF_NAME", "main")
            .env("GITHUB_SHA", "abc")
            .env("RUNNER_OS", "Linux")
            .env("RUNNER_ARCH", "X64")
            .env("RUNNER_TEMP", at.join("temp"))
            .env("SOURCE_DATE_EPOCH", "1793606400")
            .envs(env);
        command
    }

    /// Returns the outputs of the last script.
    fn outputs(&self) -> BTreeMap<String, String> {
        let outputs = fs::read_to_string(self.folder.path().join("outputs")).unwrap();
        let outputs = outputs.lines().filter_map(|line| line.split_once('='));
        outputs.map(|(name, value)| (name.into(), value.into())).collect()
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
