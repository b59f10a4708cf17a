//! How far a run is: a line on a terminal, lines alone in a pipe, and figures at the end where they are wanted.

use std::process::Command;
use std::time::Duration;

use flowbind::sandbox::Options;

use crate::support::{Served, answer, file, flowbind, folder, serve, tenant, wants_connector_1};

fn slow(throttled: bool) -> Served {
    let faults = if throttled {
        vec![answer("Configuration", 1, 429, &[("Retry-After", "2")], "")]
    } else {
        Vec::new()
    };
    let latency = Duration::from_millis(400);
    serve(tenant(&[("B2C_1_a", 0, 0)]), Options { latency, faults, ..Options::default() })
}

/// Runs `plan` at a terminal. `None` where the system has no `script` that lends one.
fn at_a_terminal(served: &Served, args: &str) -> Option<String> {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", wants_connector_1(&["B2C_1_a"]));
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
fn a_terminal_shows_how_far_the_run_is() {
    let Some(shown) = at_a_terminal(&slow(false), "") else { return };
    assert!(shown.contains("0 of 1 tenants done, 1 in flight"), "{shown:?}");
    assert!(shown.contains("nothing → Connector 1"), "{shown:?}");
}

#[test]
fn a_terminal_shows_until_when_a_tenant_is_held_back() {
    let Some(shown) = at_a_terminal(&slow(true), "") else { return };
    let held = shown.split("1 held back by `Retry-After` until ").nth(1).unwrap_or_default();
    let time = held.get(..9).unwrap_or_default().as_bytes();
    assert!(matches!(time, [_, _, b':', _, _, b':', _, _, b'Z']), "{shown:?}");
}

#[test]
fn who_wants_quiet_sees_no_progress() {
    let Some(shown) = at_a_terminal(&slow(false), "--quiet") else { return };
    assert!(!shown.contains("in flight"), "{shown:?}");
}

fn in_a_pipe(served: &Served, args: &[&str]) -> String {
    let folder = folder();
    file(folder.path(), "flowbind.yaml", wants_connector_1(&["B2C_1_a"]));
    let outcome = flowbind(["plan", "--graph-url", &served.graph_url()])
        .args(args)
        .env("FLOWBIND_ACCESS_TOKEN", "t")
        .within(folder.path())
        .run();
    assert_eq!(outcome.code, 0, "{outcome}");
    outcome.stderr
}

#[test]
fn a_pipe_gets_lines_alone() {
    assert_eq!(in_a_pipe(&slow(false), &[]), "");
    let throttled = in_a_pipe(&slow(true), &[]);
    let line = throttled.strip_prefix(" WARN throttled (429): pausing 2 s, resuming ").unwrap();
    assert!(line.ends_with("Z\n") && line.len() == "12:34:56Z\n".len(), "{throttled}");
}

#[test]
fn figures_are_the_last_line_where_they_are_wanted() {
    let stderr = in_a_pipe(&slow(true), &["-v"]);
    let last = stderr.lines().last().unwrap();
    assert!(last.starts_with(" INFO 3 requests in 3 exchanges, 1 retries; 2."), "{stderr}");
    assert!(last.ends_with(" bytes"), "{stderr}");
}
