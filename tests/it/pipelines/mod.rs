//! Pipelines in `examples/`: runs their shell scripts step by step. `flowbind` uses the quickstart's
//! sandbox, and a fake `gh` stores comments and issues.

mod github;
mod platforms;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::{executable, file, folder, kept_variables, package};

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
