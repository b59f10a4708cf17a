//! Azure CLI: a shell script with child processes, which must all end.

use std::path::Path;
use std::process::Stdio;

use flowbind::sandbox::Options;

use super::{az_script, run_in, with_az, write_file_with_one_change};
use crate::support::{
    Flowbind, Start as _, exists, file, folder, serve, signal, tenant, wait_until, yaml_binding_connector_1,
};

/// Prepares a run whose `az` starts a process that never ends.
fn run_with_blocking_az(files: &Path, tools: &Path, args: &[&str]) -> Flowbind {
    write_file_with_one_change(files);
    az_script(tools, &format!("sleep 45 & echo $! > '{}'\nwait", tools.join("pid").display()));
    with_az(run_in(files, args), tools)
}

/// Returns the id of the process that `az` started, as soon as it exists.
fn started(tools: &Path) -> String {
    let pid = || std::fs::read_to_string(tools.join("pid")).unwrap_or_default();
    wait_until("`az` has started a process", || pid().ends_with('\n'));
    pid().trim().to_owned()
}

fn is_over(pid: &str) -> bool {
    let there = exists(pid.parse().unwrap());
    // Without a parent that reaps it, an ended process stays as a zombie.
    let ended =
        || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    !there || ended()
}

fn wait_until_over(pid: &str) {
    wait_until("the process of `az` ends", || is_over(pid));
}

#[test]
fn az_is_killed_at_the_timeout() {
    let (files, tools) = (folder(), folder());
    let outcome = run_with_blocking_az(files.path(), tools.path(), &["plan", "--timeout", "2"]).run();
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("before a token was issued"), "{outcome}");
    let pid = started(tools.path());
    wait_until_over(&pid);
}

#[test]
fn az_ends_when_the_run_is_killed() {
    let (files, tools) = (folder(), folder());
    let mut running = run_with_blocking_az(files.path(), tools.path(), &["plan"]).command().start();
    let pid = started(tools.path());
    assert!(!is_over(&pid));
    running.kill().unwrap();
    running.wait().unwrap();
    wait_until_over(&pid);
}

#[test]
fn az_ends_when_the_run_is_stopped() {
    let (files, tools) = (folder(), folder());
    let mut running = run_with_blocking_az(files.path(), tools.path(), &["apply", "--yes"]).command();
    let running = running.stdout(Stdio::piped()).start();
    let pid = started(tools.path());
    signal(&running, "INT");
    wait_until_over(&pid);
    let output = running.wait_with_output();
    assert_eq!(output.status.code(), Some(130));
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(report.starts_with("error[interrupted]: "), "{report}");
}

/// The plan of the first tenant waits for the second, even if that fails.
#[test]
fn tenant_is_rechecked_after_another_failed_late() {
    let served = serve(tenant(&[("B2C_1_a", 0, 0)]), Options::default());
    let (files, tools) = (folder(), folder());
    file(files.path(), "a.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let other = yaml_binding_connector_1(&["B2C_1_a"]).replace("contoso", "fabrikam");
    file(files.path(), "b.yaml", other);
    let go = tools.path().join("go");
    let token = r#"{"accessToken": "t", "expires_on": 4000000000, "tokenType": "Bearer"}"#;
    az_script(
        tools.path(),
        &format!(
            "case \"$*\" in *fabrikam*) until [ -e '{}' ]; do sleep 0.05; done; exit 1;; esac\necho '{token}'",
            go.display()
        ),
    );
    let url = served.graph_url();
    let args = ["apply", "a.yaml", "b.yaml", "--yes", "--graph-url", &url];
    let running = with_az(run_in(files.path(), &args), tools.path())
        .command()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .start();
    // The journal has a request as soon as its response is determined.
    wait_until("the first tenant is read", || {
        served.requests().iter().any(|line| line.contains("apiConnectorConfiguration"))
    });
    served.bind_out_of_band("B2C_1_a", "Connector 2");
    std::fs::write(go, "").unwrap();
    let output = running.wait_with_output();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("the tenant changed after the plan was made"), "{stderr}");
    assert_eq!(served.puts(), 1, "the PUT of another client");
}
