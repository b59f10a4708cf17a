//! Standard streams that a shell closes or redirects, and pipes.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flowbind::sandbox::Options;
use serde_json::Value;

use crate::support::{
    Outcome, Start as _, exit_code, file, flowbind, folder, named_pipe, package, serve, signal, tenant,
    yaml_binding_connector_1,
};

const FLOWS: [&str; 3] = ["B2C_1_a", "B2C_1_b", "B2C_1_c"];

/// Runs a command line after a shell has opened or closed streams, as in `>&-`.
fn run(redirection: &str, folder: &Path, args: &[&str]) -> Outcome {
    let output = Command::new("/bin/sh")
        .args(["-c", &format!("exec \"$@\" {redirection}"), "sh", env!("CARGO_BIN_EXE_flowbind")])
        .args(args)
        .env("FLOWBIND_ACCESS_TOKEN", "t")
        .current_dir(folder)
        .output()
        .unwrap();
    Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Redirections after which no output can be read.
fn unwritable() -> Vec<&'static str> {
    let full = Path::new("/dev/full").exists().then_some("> /dev/full");
    [">&-", "<&- >&-", ">&- 2>&-"].into_iter().chain(full).collect()
}

#[test]
fn closed_or_full_stdout_ends_every_command_before_anything_is_read() {
    let (served, folder) = (serve(tenant(&FLOWS.map(|flow| (flow, 0, 0))), Options::default()), folder());
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&FLOWS));
    let url = served.graph_url();
    let snapshot = package("examples/quickstart/tenant.json");
    let commands: &[&[&str]] = &[
        &["apply", "--yes", "--graph-url", &url],
        &["apply", "--yes", "--format", "json", "--out", "report.json", "--graph-url", &url],
        &["plan", "--graph-url", &url],
        &["drift", "--graph-url", &url],
        &["accept", "--write", "--graph-url", &url],
        &["export", "--tenant", "contoso.onmicrosoft.com", "--graph-url", &url],
        &["whoami", "--graph-url", &url],
        &["sandbox", snapshot.to_str().unwrap()],
        &["show", "missing.json"],
        &["validate"],
        &["explain"],
        &["schema", "plan"],
        &["completions", "bash"],
        &["man"],
        &["--version"],
        &["-h"],
        &["help", "plan"],
        &["plan", "--help"],
    ];
    for redirection in unwritable() {
        for args in commands {
            let outcome = run(redirection, folder.path(), args);
            assert_eq!((outcome.code, &*outcome.stdout), (1, ""), "{redirection} {args:?}: {outcome}");
            let is_reported =
                outcome.stderr.starts_with("error[output-not-writable]: cannot write to stdout\n");
            assert!(is_reported || redirection.contains("2>&-"), "{redirection} {args:?}: {outcome}");
        }
    }
    assert_eq!(served.request_count(), 0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Parent processes pass /dev/null for writing, or for reading and writing.
#[test]
fn stdout_to_dev_null_is_not_an_error() {
    for redirection in ["> /dev/null", "1<> /dev/null", "<&- 1<> /dev/null"] {
        let outcome = run(redirection, &package(""), &["--version"]);
        assert_eq!((outcome.code, &*outcome.stderr), (0, ""), "{redirection}: {outcome}");
    }
}

#[test]
fn closed_or_full_stderr_and_closed_stdin_do_not_change_a_run() {
    let args = ["validate", "examples/quickstart/flowbind.yaml"];
    let expected = run("", &package(""), &args);
    assert_eq!(expected.code, 0, "{expected}");
    let full = Path::new("/dev/full").exists().then_some("2> /dev/full");
    for redirection in ["2>&-", "<&-", "<&- 2>&-"].into_iter().chain(full) {
        assert_eq!(run(redirection, &package(""), &args), expected, "{redirection}");
        let failed = run(redirection, &package(""), &["validate", "missing.yaml"]);
        assert_eq!(failed.code, 1, "{redirection}: {failed}");
    }
}

/// Nothing is in flight, so nothing delays the end. In stages, it would take 9 s.
#[test]
fn signal_during_a_read_of_a_pipe_ends_the_run_at_once() {
    for args in [&["apply", "--yes", "pipe"][..], &["apply", "--plan", "pipe"], &["sandbox", "pipe"]] {
        let folder = folder();
        named_pipe(&folder.path().join("pipe"));
        let mut child = flowbind(args)
            .within(folder.path())
            .command()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .start();
        // Opened as soon as the run reads it.
        let _writer = fs::File::options().write(true).open(folder.path().join("pipe")).unwrap();
        let began = Instant::now();
        signal(&child, "TERM");
        assert_eq!(exit_code(&mut child), Some(143), "{args:?}");
        assert!(began.elapsed() < Duration::from_secs(6), "{args:?}: {:?}", began.elapsed());
    }
}

/// The limit is above what is written to find a full disk before the run, and below the size of the report.
#[test]
fn report_above_the_limit_of_the_file_size_is_printed() {
    let flows: Vec<_> = (0..500).map(|flow| format!("B2C_1_{flow:03}")).collect();
    let unbound: Vec<_> = flows.iter().map(|flow| (flow.as_str(), 0, 0)).collect();
    let (served, folder) = (serve(tenant(&unbound), Options::default()), folder());
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&flows));
    // In blocks of 512 bytes.
    let script =
        "ulimit -f 200; exec \"$0\" apply --yes --max-changes 500 --rate 100000/1 --out report.json \"$@\"";
    let output = Command::new("/bin/sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_flowbind"), "--graph-url", &served.graph_url()])
        .env("FLOWBIND_ACCESS_TOKEN", "t")
        .env("TMPDIR", folder.path())
        .current_dir(folder.path())
        .output();
    let outcome = Outcome::from(output.unwrap());
    assert_eq!((outcome.code, served.puts()), (4, flows.len()), "{outcome}");
    let message = "error[output-not-writable]: cannot write `report.json`: File too large";
    assert!(outcome.stderr.contains(message), "{outcome}");
    let (_, report) = outcome.stderr.split_once("\nThe report:\n\n").unwrap();
    let report: Value = serde_json::from_str(report).unwrap();
    assert_eq!(report["targets"][0]["changes"].as_array().unwrap().len(), flows.len());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Node.js makes the pipes non-blocking that it shares with its children.
#[test]
fn output_to_a_slow_reader_of_a_non_blocking_pipe_is_complete() {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let folder = folder();
    let flows: Vec<_> = (0..500).map(|flow| format!("B2C_1_{flow:03}")).collect();
    let unbound: Vec<_> = flows.iter().map(|flow| (flow.as_str(), 0, 0)).collect();
    file(folder.path(), "flowbind.yaml", yaml_binding_connector_1(&flows));
    file(folder.path(), "tenant.json", tenant(&unbound).to_json());
    let (mut reader, writer) = std::io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_flowbind"))
        .args(["plan", "--sandbox", "tenant.json", "--format", "json", "--rate", "100000/1"])
        .current_dir(folder.path())
        .stdout(writer)
        .stderr(Stdio::null())
        .start();
    // Without a buffer, this is slow enough to fill the pipe.
    let plan: Value = serde_json::from_reader(&mut reader).unwrap();
    assert_eq!(plan["targets"][0]["changes"].as_array().unwrap().len(), flows.len());
    assert_eq!(exit_code(&mut child), Some(0));
}
