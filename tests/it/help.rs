//! Command line: help, usage errors, closed pipes, color.

use std::process::Stdio;

use expect_test::expect_file;

use crate::support::{flowbind, package};

/// All commands, in the order of the help.
const COMMANDS: [&str; 14] = [
    "export",
    "validate",
    "plan",
    "apply",
    "drift",
    "accept",
    "compare",
    "show",
    "whoami",
    "explain",
    "sandbox",
    "schema",
    "completions",
    "man",
];

const QUICKSTART: [&str; 4] =
    ["plan", "examples/quickstart/flowbind.yaml", "--sandbox", "examples/quickstart/tenant.json"];

/// Removes the extension that the name of the binary has on Windows.
fn without_extension(text: &str) -> String {
    text.replace("flowbind.exe", "flowbind")
}

#[test]
fn help_of_each_command_matches_its_file() {
    for command in [""].iter().chain(&COMMANDS) {
        for (option, suffix) in [("-h", "-short"), ("--help", "")] {
            let args: Vec<_> = [command, option].into_iter().filter(|arg| !arg.is_empty()).collect();
            let outcome = flowbind(args).run();
            assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
            let name = if command.is_empty() { "flowbind" } else { command };
            let file = package("tests/help").join(format!("{name}{suffix}.txt"));
            expect_file![file].assert_eq(&without_extension(&outcome.stdout));
        }
    }
}

#[test]
fn help_lists_every_command_with_a_file() {
    let help = flowbind(["-h"]).run().stdout;
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let commands: Vec<_> = commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(commands, [&COMMANDS[..], &["help"]].concat());
}

#[test]
fn offline_commands_have_no_connection_options() {
    for command in COMMANDS {
        let help = flowbind([command, "--help"]).run().stdout;
        let connects = ["export", "plan", "apply", "accept", "drift", "whoami"].contains(&command);
        for option in
            ["--sandbox", "--auth", "--timeout", "--graph-url", "--ca-file", "--parallelism", "--rate"]
        {
            assert_eq!(help.contains(&format!("      {option} <")), connects, "{command} {option}");
        }
    }
    let outcome = flowbind(["validate", "--sandbox", "tenant.json"]).run();
    assert!(outcome.stderr.starts_with("error[usage]: unexpected argument '--sandbox' found\n"), "{outcome}");
}

#[test]
fn offline_commands_do_not_read_the_environment() {
    for args in [&["explain"][..], &["schema", "plan"], &["completions", "bash"]] {
        let outcome = flowbind(args).env("SOURCE_DATE_EPOCH", "soon").within(&package("")).run();
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{args:?}");
    }
}

/// Whether a hold counts depends on the time.
#[test]
fn validate_reads_only_the_time_of_the_environment() {
    let validate = |name: &str, value: &str| {
        let arguments = ["validate", "examples/quickstart/flowbind.yaml"];
        flowbind(arguments).env(name, value).within(&package("")).run()
    };
    let outcome = validate("SOURCE_DATE_EPOCH", "soon");
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("error[invalid-environment]"), "{outcome}");
    let outcome = validate("HTTPS_PROXY", "not a URL");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome}");
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
            "the extension selects the format; use one of .txt .json .md .diff .xml .html .prom",
        ),
        (vec!["plan", "--timeout", "0"], "a duration from 1 s, such as 90s, 10m or 1h"),
        (vec!["plan", "--timeout", "soon"], "a duration from 1 s, such as 90s, 10m or 1h"),
        (vec!["apply", "--verify-timeout", "1.5m"], "a duration from 1 s, such as 90s, 10m or 1h"),
        (vec!["plan", "--parallelism", "0"], "an integer from 1"),
        (vec!["plan", "--rate", "0/60"], "such as 200/60"),
        (vec!["plan", "--rate", "200"], "such as 200/60"),
        (vec!["plan", "--color", "blue"], "[possible values: auto, always, never]"),
        (vec!["plan", "--sandbox", "a", "--graph-url", "b"], "cannot be used with"),
        (vec!["plan", "-q", "-v"], "cannot be used with"),
        (vec!["sandbox"], "<FILE>"),
        (vec!["sandbox", "x", "--fail", "2"], "a share from 0 to 1"),
        (vec!["sandbox", "x", "--latency=-1"], "an integer of milliseconds"),
        (vec!["sandbox", "x", "--listen", "here"], "invalid socket address"),
        (vec!["sandbox", "x", "--page-size", "0"], "an integer from 1"),
        (vec!["schema", "plans"], "[possible values: desired, plan, drift, report, comparison, snapshot]"),
    ] {
        let outcome = flowbind(&args).run();
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{args:?}: {outcome}");
        assert!(outcome.stderr.contains(why), "{args:?}: {outcome}");
        let prefix = if args.is_empty() { "Manage API connector bindings" } else { "error[usage]: " };
        assert!(outcome.stderr.starts_with(prefix), "{args:?}: {outcome}");
    }
}

#[test]
fn unknown_option_is_not_suggested_as_a_value() {
    let outcome = flowbind(["plan", "-y"]).run();
    let usage = "error[usage]: unexpected argument '-y' found\n\n\
                 Usage: flowbind plan [OPTIONS] [FILES]...\n\n\
                 For more information, try '--help'.\n";
    assert_eq!((outcome.code, without_extension(&outcome.stderr).as_str()), (1, usage));
}

/// `-out=FILE` would otherwise be `-o` with the value `ut=FILE`.
#[test]
fn long_option_with_a_single_dash_is_an_error() {
    for (args, hint) in [
        (["plan", "-out=plan.json"], "use `--out`, with two dashes"),
        (["apply", "-auto-approve"], "use `--yes`"),
    ] {
        let outcome = flowbind(args).run();
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{args:?}: {outcome}");
        assert!(outcome.stderr.contains(hint), "{args:?}: {outcome}");
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
        assert!(
            outcome
                .stderr
                .contains("error[invalid-environment]: `SOURCE_DATE_EPOCH` is not a number of seconds"),
            "{outcome}"
        );
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
