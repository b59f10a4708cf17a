//! Command line: help, usage errors, closed pipes, color.

use std::process::Stdio;

use expect_test::expect_file;

use crate::support::{flowbind, package};

const QUICKSTART: [&str; 4] =
    ["plan", "examples/quickstart/flowbind.yaml", "--sandbox", "examples/quickstart/tenant.json"];

#[test]
fn help_of_each_command_matches_its_file() {
    for command in [
        "",
        "validate",
        "plan",
        "drift",
        "show",
        "apply",
        "export",
        "whoami",
        "sandbox",
        "schema",
        "completions",
        "man",
    ] {
        let args: Vec<_> = [command, "--help"].into_iter().filter(|arg| !arg.is_empty()).collect();
        let outcome = flowbind(args).run();
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
        let name = if command.is_empty() { "flowbind" } else { command };
        expect_file![package("tests/help").join(format!("{name}.txt"))].assert_eq(&outcome.stdout);
    }
}

/// Exit code 2 means a difference, so a usage error must not end with it.
#[test]
fn usage_error_exits_1_with_a_suggestion() {
    for (args, why) in [
        (vec![], "Usage: flowbind"),
        (vec!["pln"], "a similar subcommand exists: 'plan'"),
        (vec!["plan", "--formt", "json"], "a similar argument exists: '--format'"),
        (vec!["plan", "--format", "yaml"], "[possible values: text, json, markdown,"),
        (
            vec!["plan", "--out", "plan.yaml"],
            "its ending tells the format, one of .txt .json .md .diff .xml .html .prom",
        ),
        (vec!["plan", "--timeout", "0"], "a whole number of seconds from 1"),
        (vec!["plan", "--timeout", "soon"], "a whole number of seconds from 1"),
        (vec!["plan", "--parallelism", "0"], "a whole number from 1"),
        (vec!["plan", "--rate", "0/60"], "such as 200/60"),
        (vec!["plan", "--rate", "200"], "such as 200/60"),
        (vec!["plan", "--color", "blue"], "[possible values: auto, always, never]"),
        (vec!["plan", "--sandbox", "a", "--graph-url", "b"], "cannot be used with"),
        (vec!["plan", "-q", "-v"], "cannot be used with"),
        (vec!["sandbox"], "<FILE>"),
        (vec!["sandbox", "x", "--fail", "2"], "a share from 0 to 1"),
        (vec!["sandbox", "x", "--latency=-1"], "a whole number of milliseconds"),
        (vec!["sandbox", "x", "--listen", "here"], "invalid socket address"),
        (vec!["sandbox", "x", "--page-size", "0"], "a whole number from 1"),
        (vec!["schema", "plans"], "[possible values: desired, plan, report, snapshot]"),
    ] {
        let outcome = flowbind(&args).run();
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{args:?}: {outcome}");
        assert!(outcome.stderr.contains(why), "{args:?}: {outcome}");
    }
}

#[test]
fn version_prints_the_package_version() {
    let outcome = flowbind(["--version"]).run();
    assert_eq!((outcome.code, outcome.stdout), (0, format!("flowbind {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn color_adds_only_escape_codes() {
    let run = |args: &[&str]| flowbind(QUICKSTART).args(args).within(&package("")).run();
    let plain = run(&[]);
    let coloured = run(&["--color", "always"]);
    assert!(!plain.stdout.contains('\u{1b}'));
    assert!(coloured.stdout.contains("\u{1b}[1m\u{1b}[31m- DISABLE"), "{}", coloured.stdout);
    assert_eq!(anstream::adapter::strip_str(&coloured.stdout).to_string(), plain.stdout);
    let with = |name| flowbind(QUICKSTART).env(name, "1").within(&package("")).run().stdout;
    assert_eq!(with("NO_COLOR"), plain.stdout);
    assert_eq!(with("CLICOLOR_FORCE"), coloured.stdout);
}

#[test]
fn closed_stdout_is_not_an_error() {
    for args in [&QUICKSTART[..], &["schema", "desired"], &["--help"]] {
        let mut child = flowbind(args)
            .within(&package(""))
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""), "{args:?}");
    }
}

/// A log line that cannot be written must not end the run.
#[test]
fn closed_stderr_is_not_an_error() {
    let mut child = flowbind(QUICKSTART)
        .args(["-vv"])
        .within(&package(""))
        .command()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("Fingerprint: "));
}

#[test]
fn invalid_environment_variable_is_an_error() {
    for epoch in ["garbage", "99999999999999", "1.5"] {
        let outcome = flowbind(QUICKSTART).env("SOURCE_DATE_EPOCH", epoch).within(&package("")).run();
        assert_eq!(outcome.code, 1);
        assert!(outcome.stderr.contains("`SOURCE_DATE_EPOCH` is no number of seconds"), "{outcome}");
    }
}

#[test]
fn full_stdout_is_an_error() {
    // `/dev/full` fails all writes. Skipped on systems without it.
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { return };
    let output = flowbind(QUICKSTART).within(&package("")).command().stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("cannot write to stdout"), "{stderr}");
}
