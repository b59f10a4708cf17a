//! Progress: a status line on a terminal, only log lines in a pipe, and request counts with `-v`.

use std::time::Duration;

use flowbind::sandbox::Options;

#[cfg(unix)]
use crate::support::run_at_terminal;
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

/// Runs `plan` at a terminal.
#[cfg(unix)]
fn plan_at_terminal(served: &SandboxServer, args: &[&str]) -> String {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&["B2C_1_a"]));
    let run = flowbind(["plan"]).args(args).connect_to(&served.graph_url()).within(folder.path());
    let outcome = run_at_terminal(run, "", || {}, "");
    assert_eq!(outcome.code, 0, "{outcome}");
    outcome.stdout
}

#[cfg(unix)]
#[test]
fn progress_at_terminal_shows_tenants_done() {
    let shown = plan_at_terminal(&slow(false), &[]);
    assert!(shown.contains("0 of 1 tenants done, 1 in flight"), "{shown:?}");
    assert!(shown.contains("nothing → Connector 1"), "{shown:?}");
}

#[cfg(unix)]
#[test]
fn progress_at_terminal_shows_end_of_retry_after() {
    let shown = plan_at_terminal(&slow(true), &[]);
    let until = shown.split("1 throttled until ").nth(1).unwrap_or_default();
    let time = until.get(..9).unwrap_or_default().as_bytes();
    assert!(matches!(time, [_, _, b':', _, _, b':', _, _, b'Z']), "{shown:?}");
}

#[cfg(unix)]
#[test]
fn progress_with_quiet_is_hidden() {
    let shown = plan_at_terminal(&slow(false), &["--quiet"]);
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
