//! Outputs that fail during a run.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use flowbind::sandbox::Options;
use serde_json::Value;

use crate::support::{
    Outcome, SandboxServer, Start as _, exit_code, file, flowbind, folder, serve, tenant, unix_messages,
    wait_until, yaml_binding_connector_1,
};

const FLOWS: [&str; 3] = ["B2C_1_a", "B2C_1_b", "B2C_1_c"];

/// Applies with these outputs in a tenant that answers slowly. Removes the folder `removed` after the first PUT.
fn apply_losing_a_folder(folder: &Path, outputs: &[&str]) -> Outcome {
    let latency = Duration::from_millis(200);
    let options = Options { latency, ..Options::default() };
    let served = serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), options);
    file(folder, "flowbind.yaml", yaml_binding_connector_1(&FLOWS));
    for name in ["removed", "temporary"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    let mut command = flowbind(["apply", "--yes", "--parallelism", "1", "--out", "removed/report.json"])
        .args(outputs.iter().flat_map(|output| ["--out", output]))
        .connect_to(&served.graph_url())
        .env(if cfg!(windows) { "TMP" } else { "TMPDIR" }, folder.join("temporary").to_str().unwrap())
        .within(folder)
        .command();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).start();
    wait_until("a PUT arrives", || served.puts() > 0);
    fs::remove_dir(folder.join("removed")).unwrap();
    let output = child.wait_with_output();
    assert_eq!(served.puts(), FLOWS.len());
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Checks that a report has the changes, the exit code and the reason.
fn assert_report(path: &Path) {
    let report = json(path);
    assert_eq!(report["exitCode"], 4, "{report}");
    assert_eq!(report["errors"][0]["id"], "output-not-writable", "{report}");
    let changes = report["targets"][0]["changes"].as_array().unwrap();
    assert!(changes.iter().all(|change| change["outcome"] == "applied"), "{report}");
    let shown = flowbind(["show", path.to_str().unwrap()]).run();
    assert_eq!(shown.code, 4, "{shown}");
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions());
        assert_eq!(mode & 0o077 == 0, !path.ends_with("other.json"), "{}: {mode:o}", path.display());
    }
}

#[test]
fn report_that_cannot_be_written_is_saved_in_the_temporary_folder() {
    let folder = folder();
    let outcome = apply_losing_a_folder(folder.path(), &["metrics.prom"]);
    assert_eq!(outcome.code, 4, "{outcome}");
    let message = "error[output-not-writable]: cannot write `removed/report.json`: No such file or directory";
    let stderr = unix_messages(&outcome.stderr);
    assert!(stderr.contains(message) && !stderr.contains(".tmp/"), "{outcome}");
    let saved: Vec<_> = fs::read_dir(folder.path().join("temporary")).unwrap().collect();
    assert_eq!(saved.len(), 1);
    let saved = saved.into_iter().next().unwrap().unwrap().path();
    let named = format!("The report is in `{}`: print it with `flowbind show`.", saved.display());
    assert_eq!(outcome.stderr.lines().last(), Some(&*named), "{outcome}");
    assert_report(&saved);
    let metrics = fs::read_to_string(folder.path().join("metrics.prom")).unwrap();
    let success = "flowbind_last_run_success{tenant=\"contoso.onmicrosoft.com\",command=\"apply\"} 0";
    assert!(metrics.contains(success), "{metrics}");
}

#[test]
fn other_report_has_the_exit_code_of_the_run() {
    let folder = folder();
    let outcome = apply_losing_a_folder(folder.path(), &["other.json"]);
    assert_eq!(outcome.code, 4, "{outcome}");
    assert_report(&folder.path().join("other.json"));
    assert_eq!(fs::read_dir(folder.path().join("temporary")).unwrap().count(), 0);
}

#[test]
fn apply_whose_reader_ends_completes_with_its_report() {
    let folder = folder();
    let options = Options { latency: Duration::from_millis(50), ..Options::default() };
    let served: SandboxServer = serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), options);
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&FLOWS));
    let mut child = flowbind(["apply", "--yes", "--out", "report.json"])
        .connect_to(&served.graph_url())
        .within(folder.path())
        .command()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .start();
    // Only the first line is read, as by `head -1`.
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!((exit_code(&mut child), served.puts()), (Some(0), FLOWS.len()), "{line}");
    assert_eq!(json(&folder.path().join("report.json"))["exitCode"], 0);
}
