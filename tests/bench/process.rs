//! Runs a command and measures time, processor time and memory.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Measurements and output of one run.
pub struct Run {
    pub wall: Duration,
    /// User and system time, in ms. `None` without `/proc`, like the fields below.
    pub cpu: Option<u64>,
    /// Processor time of the other threads of this process, in ms: that of the emulator, if it runs.
    pub emulator_cpu: Option<u64>,
    /// Peak memory, in KB.
    pub peak: Option<u64>,
    pub stdout: String,
    pub stderr: String,
}

/// Returns the flowbind command in an empty environment.
pub fn flowbind() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowbind"));
    command.env_clear();
    command
}

/// Runs a command.
///
/// # Panics
/// If it fails.
pub fn run(command: &mut Command) -> Run {
    // Files instead of pipes, because no thread reads the output during the run.
    let (stdout, stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    command.stdin(Stdio::null()).stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
    let before = Cpu::now();
    let started = Instant::now();
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = None;
    let exit = loop {
        peak = peak.max(high_water(&status));
        if let Some(exit) = child.try_wait().unwrap() {
            break exit;
        }
        std::thread::sleep(Duration::from_micros(500));
    };
    let wall = started.elapsed();
    let used = Cpu::now().zip(before).map(|(after, before)| after.since(&before));
    let (stdout, stderr) = (text(stdout), text(stderr));
    assert!(exit.success(), "{command:?}: {exit}\n{stderr}");
    Run {
        wall,
        cpu: used.as_ref().map(|used| used.children),
        emulator_cpu: used.as_ref().map(|used| used.others),
        peak,
        stdout,
        stderr,
    }
}

fn text(mut file: File) -> String {
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

/// Reads the peak memory of a process so far, in KB.
fn high_water(status: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Processor time, in ms.
struct Cpu {
    /// Processor time of children that have ended.
    children: u64,
    /// Processor time of all other threads, including those that have ended.
    others: u64,
}

impl Cpu {
    fn now() -> Option<Self> {
        let [user, system, children_user, children_system] = times("/proc/self/stat")?;
        let [own_user, own_system, ..] = times("/proc/thread-self/stat")?;
        let others = (user + system).saturating_sub(own_user + own_system);
        Some(Self { children: children_user + children_system, others })
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            children: self.children.saturating_sub(before.children),
            others: self.others.saturating_sub(before.others),
        }
    }
}

/// Reads the fields `utime`, `stime`, `cutime` and `cstime` of `proc_pid_stat(5)`, in ms.
fn times(path: &str) -> Option<[u64; 4]> {
    /// Milliseconds per tick: Linux reports 100 ticks per second, whatever the kernel uses internally.
    const TICK: u64 = 10;
    let text = fs::read_to_string(path).ok()?;
    // The process name before it can contain any text. The remaining fields start with the third.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let times: Option<Vec<_>> =
        fields.get(11..15)?.iter().map(|field| Some(field.parse::<u64>().ok()? * TICK)).collect();
    times?.try_into().ok()
}
