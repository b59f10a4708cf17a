//! The binary, run with what is to happen to it while it runs.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::scenario::{Event, Moment, OutputTrouble};
use crate::support::{Served, flowbind};

/// How long a run may take beyond what its flags give it: what a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run that is still to be started.
pub struct Process<'a> {
    pub args: Vec<String>,
    pub folder: &'a Path,
    /// What it signs in by.
    pub credential: Vec<(&'static str, String)>,
    pub epoch: &'a str,
    pub output: OutputTrouble,
    pub moment: Option<(Event, Moment)>,
    /// What tells how many requests have arrived.
    pub served: &'a Served,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// Whether what was to happen has happened, before it ended.
    pub fired: Option<Event>,
    /// How long after that it ended.
    pub outlived: Duration,
    pub started: Instant,
    pub stdout: String,
    pub stderr: String,
}

impl Process<'_> {
    /// Runs it to its end.
    pub fn run(&self) -> Result<Ended> {
        let mut child = self.command()?.spawn().context("cannot start the binary")?;
        let stdout = match (self.output, child.stdout.take()) {
            // Nobody is left to read.
            (OutputTrouble::StdoutClosed, _) | (_, None) => None,
            (_, Some(stdout)) => Some(read(stdout)),
        };
        let stderr = read(child.stderr.take().context("no stderr")?);
        let started = Instant::now();
        let most = self.time()? + PATIENCE;
        let mut fired = None::<(Event, Instant)>;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if let Some((event, moment)) = self.moment
                && fired.is_none()
                && self.has_come(moment, started)
            {
                self.fire(event, &child);
                fired = Some((event, Instant::now()));
            }
            if started.elapsed() > most {
                child.kill()?;
                child.wait()?;
                bail!("it does not end within {most:?}: {:?}", self.args);
            }
            std::thread::sleep(Duration::from_millis(3));
        };
        let outlived = fired.map(|(_, at)| at.elapsed()).unwrap_or_default();
        let text = |reading: JoinHandle<Vec<u8>>| String::from_utf8(reading.join().unwrap());
        Ok(Ended {
            code: status.code(),
            signal: status.signal(),
            fired: fired.map(|(event, _)| event),
            outlived,
            started,
            stdout: stdout.map(text).transpose().context("stdout")?.unwrap_or_default(),
            stderr: text(stderr).context("stderr")?,
        })
    }

    /// How long its flags let it take: to ask and to change, and to read back what it changed.
    fn time(&self) -> Result<Duration> {
        let flag = |name: &str| {
            let at = self.args.iter().position(|arg| arg == name);
            at.and_then(|at| self.args.get(at + 1)).map(|value| value.parse().map(Duration::from_secs))
        };
        let whole = flag("--timeout").context("no limit is given")?.context("its time")?;
        Ok(whole + flag("--verify-timeout").transpose().context("its time")?.unwrap_or_default())
    }

    fn command(&self) -> Result<Command> {
        let mut command =
            flowbind(&self.args).env("SOURCE_DATE_EPOCH", self.epoch).within(self.folder).command();
        command.envs(self.credential.iter().map(|(name, value)| (name, value)));
        let mut command = match self.output.blocks_left() {
            Some(blocks) => on_a_disk_with(blocks, &command),
            None => command,
        };
        let stdout = match self.output {
            OutputTrouble::StdoutFull => Stdio::from(File::create("/dev/full")?),
            _ => Stdio::piped(),
        };
        command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        Ok(command)
    }

    fn has_come(&self, moment: Moment, started: Instant) -> bool {
        match moment {
            Moment::Requests(number) => self.served.arrived() >= number,
            Moment::Milliseconds(wait) => started.elapsed() >= Duration::from_millis(wait),
        }
    }

    fn fire(&self, event: Event, child: &Child) {
        match event {
            // It is not waited for yet, so its id is nobody else's.
            Event::Signal(name) => {
                _ = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status();
            }
            Event::FolderGone => _ = fs::remove_dir_all(self.folder.join("out")),
        }
    }
}

/// The same command, which cannot write more than so many blocks to a file: as on a disk with no more
/// left, but for the name of the error.
fn on_a_disk_with(blocks: usize, command: &Command) -> Command {
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", &format!(r#"trap "" XFSZ; ulimit -f {blocks}; exec "$@""#), "sh"]);
    limited.arg(command.get_program()).args(command.get_args()).env_clear();
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
    limited
}

fn read(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What a killed process has not said is not there.
        _ = from.read_to_end(&mut bytes);
        bytes
    })
}
