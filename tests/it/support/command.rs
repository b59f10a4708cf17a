//! Runs the flowbind binary in a cleared environment.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::is_true_in_time;

/// Command line of a run that has not started yet.
pub struct Flowbind(Command);

/// Exit code and output of a run. `Display` shows all parts, so that one assertion covers them.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Prepares a run with an empty environment and a fixed `SOURCE_DATE_EPOCH`.
pub fn flowbind<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Flowbind {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowbind"));
    command.env_clear().envs(kept_variables()).env("SOURCE_DATE_EPOCH", "1793606400").args(args);
    Flowbind(command)
}

/// Returns the variables without which a binary cannot run: `SystemRoot`, which Windows needs for sockets, and
/// the path where an instrumented binary writes its coverage profile, set by cargo-llvm-cov.
#[expect(clippy::disallowed_methods, reason = "passed on to the binary")]
pub fn kept_variables() -> impl Iterator<Item = (&'static str, OsString)> {
    let names = ["LLVM_PROFILE_FILE", "SystemRoot"].into_iter();
    names.filter_map(|name| Some((name, env::var_os(name)?)))
}

/// Sends a signal, such as `TERM`, to a process.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Waits for a process to end, and returns its exit code. Kills it and fails if that takes a minute.
pub fn exit_code(child: &mut Child) -> Option<i32> {
    if !is_true_in_time(|| child.try_wait().unwrap().is_some()) {
        child.kill().unwrap();
        panic!("the process does not end");
    }
    child.wait().unwrap().code()
}

impl Flowbind {
    pub fn within(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Selects a Graph URL, and gives a token for it that is not a JWT.
    pub fn connect_to(self, graph_url: &str) -> Self {
        self.args(["--graph-url", graph_url]).env("FLOWBIND_ACCESS_TOKEN", "opaque-token")
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.0.args(args);
        self
    }

    pub fn run(mut self) -> Outcome {
        self.0.output().unwrap().into()
    }

    /// Runs with an input on stdin, and closes it.
    pub fn run_with_stdin(mut self, input: impl AsRef<[u8]>) -> Outcome {
        self.0.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.0.spawn().unwrap();
        // A run that ends with an error does not read it.
        _ = child.stdin.take().unwrap().write_all(input.as_ref());
        child.wait_with_output().unwrap().into()
    }

    pub fn command(self) -> Command {
        self.0
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Outcome {
    /// Returns whether the run panicked, which no input may cause.
    pub fn panicked(&self) -> bool {
        self.code == 101 || self.stderr.contains("panicked at")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}
