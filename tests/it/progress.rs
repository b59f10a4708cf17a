//! Progress: a status line on a terminal, only log lines in a pipe, and request counts with `-v`.

use std::process::Command;
use std::time::Duration;

use flowbind::sandbox::Options;

use crate::support::{
    SandboxServer, answer_get, file, flowbind, folder, serve, tenant, yaml_binding_connector_1,
};

fn slow(throttled: bool) -> SandboxServer {
    let faults = if throttled {
        vec![answer_get("Configuration", 1, 429, &[("Retry-After", "2")], "")]
    } else {
        Vec::new()
    };
    let latency = Duration::from_millis(400);
    serve(tenant(&[("B2C_1_a", 0, 0)]), Options { latency, faults, ..Options::default() })
}

/// Runs `plan` at a terminal; `None` if the system has no `script` command to provide one.
fn run_at_terminal(served: &SandboxServer, args: &str) -> Option<String> {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let flowbind = env!("CARGO_BIN_EXE_flowbind");
    let command = format!("{flowbind} plan {args} --graph-url {}", served.graph_url());
    let output = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("FLOWBIND_ACCESS_TOKEN", "t")
        .env("TERM", "xterm")
        .current_dir(folder.path())
        .output()
        .ok()?;
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn progress_at_terminal_shows_tenants_done() {
    let Some(shown) = run_at_terminal(&slow(false), "") else { return };
    assert!(shown.contains("0 of 1 tenants done, 1 in flight"), "{shown:?}");
    assert!(shown.contains("nothing → Connector 1"), "{shown:?}");
}

#[test]
fn progress_at_terminal_shows_end_of_retry_after() {
    let Some(shown) = run_at_terminal(&slow(true), "") else { return };
    let until = shown.split("1 throttled until ").nth(1).unwrap_or_default();
    let time = until.get(..9).unwrap_or_default().as_bytes();
    assert!(matches!(time, [_, _, b':', _, _, b':', _, _, b'Z']), "{shown:?}");
}

#[test]
fn progress_with_quiet_is_hidden() {
    let Some(shown) = run_at_terminal(&slow(false), "--quiet") else { return };
    assert!(!shown.contains("in flight"), "{shown:?}");
}

fn run_in_pipe(served: &SandboxServer, args: &[&str]) -> String {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let outcome = flowbind(["plan"]).args(args).connect_to(&served.graph_url()).within(folder.path()).run();
    assert_eq!(outcome.code, 0, "{outcome}");
    outcome.stderr
}

#[test]
fn progress_in_pipe_prints_only_log_lines() {
    assert_eq!(run_in_pipe(&slow(false), &[]), "");
    let throttled = run_in_pipe(&slow(true), &[]);
    assert!(throttled.starts_with(" WARN throttled (429): pausing 2 s, resuming "), "{throttled}");
    assert_eq!(throttled.lines().count(), 1, "{throttled}");
}

#[test]
fn verbose_run_ends_with_request_counts() {
    let stderr = run_in_pipe(&slow(true), &["-v"]);
    let last = stderr.lines().last().unwrap();
    assert!(last.starts_with(" INFO 3 requests in 3 exchanges, 1 retried; waited 2."), "{stderr}");
    assert!(last.ends_with(" bytes"), "{stderr}");
}
