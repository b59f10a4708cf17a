//! Runs the flowbind binary in a cleared environment.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Write as _;
use std::iter;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::{package, wait_until};

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

/// Prepares a run with an empty environment, except a fixed `SOURCE_DATE_EPOCH` and a certificate authority: a minimal
/// system has none.
pub fn flowbind<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Flowbind {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowbind"));
    command.env_clear().envs(kept_variables()).env("SOURCE_DATE_EPOCH", "1793606400");
    command.env("SSL_CERT_FILE", package("tests/certificates/pkcs8.pem")).args(args);
    Flowbind(command)
}

/// Returns the variables without which a binary cannot run: `SystemRoot`, which Windows needs for sockets, and
/// the path where an instrumented binary writes its coverage profile, set by cargo-llvm-cov.
#[expect(clippy::disallowed_methods, reason = "passed on to the binary")]
pub fn kept_variables() -> impl Iterator<Item = (&'static str, OsString)> {
    let names = ["LLVM_PROFILE_FILE", "SystemRoot"].into_iter();
    names.filter_map(|name| Some((name, env::var_os(name)?)))
}

/// Returns a value of `PATH` with a folder before those of the test, which `.ci/run` limits.
#[expect(clippy::disallowed_methods, reason = "passed on to shell scripts")]
pub fn path_after(folder: &Path) -> String {
    let path = env::var_os("PATH").unwrap();
    let folders = iter::once(folder.to_owned()).chain(env::split_paths(&path));
    env::join_paths(folders).unwrap().into_string().unwrap()
}

/// Process that is killed if the test ends before it.
pub struct Running(Option<Child>);

/// Starts a command like [`Command::spawn`].
pub trait Start {
    fn start(&mut self) -> Running;
}

impl Start for Command {
    fn start(&mut self) -> Running {
        Running(Some(self.spawn().unwrap()))
    }
}

impl Running {
    /// Waits for the process to end.
    pub fn wait_with_output(mut self) -> Output {
        self.0.take().unwrap().wait_with_output().unwrap()
    }
}

impl Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        self.0.as_ref().unwrap()
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // Fails if the process has ended.
            _ = child.kill();
            _ = child.wait();
        }
    }
}

/// Waits for a process to end, and returns its exit code. Fails if that takes a minute.
pub fn exit_code(child: &mut Child) -> Option<i32> {
    wait_until("the process ends", || child.try_wait().unwrap().is_some());
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
