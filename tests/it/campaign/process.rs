//! Process under test: runs the binary and triggers events while it runs.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::scenario::{OutputFault, ProcessEvent, Trigger};
use crate::support::{SandboxServer, Start as _, flowbind};

/// Time that a run may take beyond its `--timeout`, for slow machines.
const GRACE_PERIOD: Duration = Duration::from_secs(60);

/// Run that has not started yet.
pub struct Process<'a> {
    pub args: Vec<String>,
    pub folder: &'a Path,
    /// Environment variables of the credential.
    pub credential: Vec<(&'static str, String)>,
    pub epoch: &'a str,
    pub output: OutputFault,
    pub process_event: Option<(ProcessEvent, Trigger)>,
    /// Sandbox that counts the requests, for [`Trigger::Requests`].
    pub served: &'a SandboxServer,
}

/// Exit status, output and timing of a run.
#[derive(Debug)]
pub struct ProcessResult {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// Event that was triggered before the process ended.
    pub fired_event: Option<ProcessEvent>,
    /// Time from the event to the end of the process.
    pub time_after_event: Duration,
    pub started: Instant,
    pub stdout: String,
    pub stderr: String,
}

impl Process<'_> {
    /// Runs the process to its end.
    pub fn run(&self) -> Result<ProcessResult> {
        let mut child = self.command()?.start();
        let stdout = match (self.output, child.stdout.take()) {
            // Dropping the reader closes the pipe.
            (OutputFault::StdoutClosed, _) | (_, None) => None,
            (_, Some(stdout)) => Some(read(stdout)),
        };
        let stderr = read(child.stderr.take().context("no stderr")?);
        let started = Instant::now();
        let limit = self.time_limit()? + GRACE_PERIOD;
        let mut fired_event = None::<(ProcessEvent, Instant)>;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if let Some((event, trigger)) = self.process_event
                && fired_event.is_none()
                && self.is_due(trigger, started)
            {
                self.trigger(event, &mut child)?;
                fired_event = Some((event, Instant::now()));
            }
            if started.elapsed() > limit {
                bail!("the process did not end within {limit:?}: {:?}", self.args);
            }
            sleep(Duration::from_millis(3));
        };
        let time_after_event = fired_event.map(|(_, at)| at.elapsed()).unwrap_or_default();
        let fired_event = fired_event.map(|(event, _)| event);
        let signal = end_signal(status, fired_event);
        let text = |reading: JoinHandle<Vec<u8>>| String::from_utf8(reading.join().unwrap());
        Ok(ProcessResult {
            code: status.code().filter(|_| signal.is_none()),
            signal,
            fired_event,
            time_after_event,
            started,
            stdout: stdout.map(text).transpose().context("stdout")?.unwrap_or_default(),
            stderr: text(stderr).context("stderr")?,
        })
    }

    /// Returns the sum of `--timeout` and `--verify-timeout`.
    fn time_limit(&self) -> Result<Duration> {
        let flag = |name: &str| {
            let at = self.args.iter().position(|arg| arg == name);
            at.and_then(|at| self.args.get(at + 1)).map(|value| value.parse().map(Duration::from_secs))
        };
        let timeout = flag("--timeout").context("no `--timeout`")?.context("invalid `--timeout`")?;
        let verify = flag("--verify-timeout").transpose().context("invalid `--verify-timeout`")?;
        Ok(timeout + verify.unwrap_or_default())
    }

    fn command(&self) -> Result<Command> {
        let mut command =
            flowbind(&self.args).env("SOURCE_DATE_EPOCH", self.epoch).within(self.folder).command();
        // A report that cannot be written to its file is kept there.
        let temporary = self.folder.join("temporary");
        fs::create_dir_all(&temporary)?;
        command.env(if cfg!(windows) { "TMP" } else { "TMPDIR" }, temporary);
        command.envs(self.credential.iter().map(|(name, value)| (name, value)));
        let mut command = match self.output.blocks_left() {
            Some(blocks) => with_file_size_limit(blocks, &command),
            None => command,
        };
        let stdout = match self.output {
            OutputFault::StdoutFull => Stdio::from(File::options().write(true).open("/dev/full")?),
            _ => Stdio::piped(),
        };
        command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        Ok(command)
    }

    fn is_due(&self, trigger: Trigger, started: Instant) -> bool {
        match trigger {
            Trigger::Requests(number) => self.served.request_count() >= number,
            Trigger::Milliseconds(wait) => started.elapsed() >= Duration::from_millis(wait),
        }
    }

    fn trigger(&self, event: ProcessEvent, child: &mut Child) -> Result<()> {
        match event {
            ProcessEvent::Signal("KILL") => child.kill()?,
            // The process was not reaped yet, so its id is not reused.
            #[cfg(unix)]
            ProcessEvent::Signal(name) => crate::support::signal(child, name),
            #[cfg(windows)]
            ProcessEvent::Signal(name) => bail!("Windows has no signal {name}"),
            ProcessEvent::OutputFolderRemoved => {
                // The process may create a file meanwhile, or on Windows have one open.
                let started = Instant::now();
                while let Err(error) = fs::remove_dir_all(self.folder.join("out")) {
                    let may_pass = [ErrorKind::DirectoryNotEmpty, ErrorKind::PermissionDenied];
                    let is_late = started.elapsed() > Duration::from_secs(10);
                    ensure!(
                        may_pass.contains(&error.kind()) && !is_late,
                        "cannot remove the folder: {error}"
                    );
                    sleep(Duration::from_millis(3));
                }
            }
        }
        Ok(())
    }
}

/// Returns the signal that ended a process.
#[cfg(unix)]
fn end_signal(status: ExitStatus, _: Option<ProcessEvent>) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// Windows has no signals: a killed process has the exit code 1. Returns the number of `KILL` for it.
#[cfg(windows)]
fn end_signal(status: ExitStatus, fired_event: Option<ProcessEvent>) -> Option<i32> {
    (fired_event == Some(ProcessEvent::Signal("KILL")) && status.code() == Some(1)).then_some(9)
}

/// Wraps a command so that it cannot write more than so many blocks to a file. This resembles a full
/// disk, with another error code.
fn with_file_size_limit(blocks: usize, command: &Command) -> Command {
    let mut limited = Command::new("/bin/sh");
    limited.args(["-ec", &format!(r#"trap "" XFSZ; ulimit -f {blocks}; exec "$@""#), "sh"]);
    limited.arg(command.get_program()).args(command.get_args()).env_clear();
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
    limited
}

fn read(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // An error ends the output of a killed process.
        _ = from.read_to_end(&mut bytes);
        bytes
    })
}
