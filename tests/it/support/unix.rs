//! Signals, named pipes and terminals, by system calls: a minimal system has no `kill`, and not every one has `script`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::Child;

use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use super::{Flowbind, Outcome, Start as _};

/// Sends a signal, such as `TERM`, to a process that was not waited for.
pub fn signal(child: &Child, name: &str) {
    signal_process(child.id(), name);
}

/// Sends a signal to a process that is not a child of the test.
pub fn signal_process(id: u32, name: &str) {
    let signal: Signal = format!("SIG{name}").parse().unwrap();
    kill(pid(id), signal).unwrap();
}

/// Returns whether a process exists. One that has ended and whose parent does not wait for it also exists.
pub fn exists(id: u32) -> bool {
    kill(pid(id), None).is_ok()
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.try_into().unwrap())
}

/// Creates a named pipe.
pub fn named_pipe(path: &Path) {
    mkfifo(path, Mode::S_IRWXU).unwrap();
}

/// Runs at a terminal until it prints a prompt, calls a function, and answers. Returns the exit code and all that is
/// printed, as stdout.
pub fn run_at_terminal(run: Flowbind, prompt: &str, meanwhile: impl FnOnce(), answer: &str) -> Outcome {
    let OpenptyResult { master, slave } = openpty(None, None).unwrap();
    let (user, mut end) = (File::from(master), File::from(slave.try_clone().unwrap()));
    let stream = || slave.try_clone().unwrap();
    let mut command = run.env("TERM", "xterm").command();
    let mut child = command.stdin(stream()).stdout(stream()).stderr(stream()).start();
    let ended = std::thread::spawn(move || {
        let code = child.wait().unwrap().code();
        // The other side of the terminal gets no end of file while `end` is open.
        end.write_all(b"\0").unwrap();
        code
    });
    let mut user = BufReader::new(user);
    let mut shown = Vec::new();
    while !shown.ends_with(prompt.as_bytes()) {
        let mut byte = [0];
        user.read_exact(&mut byte).unwrap();
        assert_ne!(byte, [0], "no prompt: {}", String::from_utf8_lossy(&shown));
        shown.extend(byte);
    }
    meanwhile();
    user.get_ref().write_all(answer.as_bytes()).unwrap();
    user.read_until(0, &mut shown).unwrap();
    let stdout = String::from_utf8(shown).unwrap().replace(['\r', '\0'], "");
    let code = ended.join().unwrap().unwrap();
    Outcome { code, stdout, stderr: String::new() }
}
