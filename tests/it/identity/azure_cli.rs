//! The Azure CLI is a tree of processes: a shell's script, and what it starts.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{az, run_in, wants_one_change, with_az};
use crate::support::{Flowbind, folder};

/// A run whose `az` waits for somebody for ever, by a process of its own.
fn waits_for_ever(files: &Path, tools: &Path, args: &[&str]) -> Flowbind {
    wants_one_change(files);
    az(tools, &format!("sleep 45 & echo $! > '{}'\nwait", tools.join("pid").display()));
    with_az(run_in(files, args), tools)
}

/// The process that `az` started, once there is one.
fn started(tools: &Path) -> String {
    let pid = until(|| std::fs::read_to_string(tools.join("pid")).ok().filter(|pid| pid.ends_with('\n')));
    pid.trim().to_owned()
}

fn is_over(pid: &str) -> bool {
    let there = Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status().unwrap().success();
    // What nobody asks for its end is there for ever.
    let ended =
        || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    !there || ended()
}

fn until<T>(seen: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = seen() {
            return seen;
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn it_ends_with_the_time_of_the_run() {
    let (files, tools) = (folder(), folder());
    let outcome = waits_for_ever(files.path(), tools.path(), &["plan", "--timeout", "2"]).run();
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(outcome.stderr.contains("before a token was there"), "{outcome}");
    let pid = started(tools.path());
    until(|| is_over(&pid).then_some(()));
}

#[test]
fn it_ends_with_a_run_that_is_killed() {
    let (files, tools) = (folder(), folder());
    let mut running = waits_for_ever(files.path(), tools.path(), &["plan"]).command().spawn().unwrap();
    let pid = started(tools.path());
    assert!(!is_over(&pid));
    running.kill().unwrap();
    running.wait().unwrap();
    until(|| is_over(&pid).then_some(()));
}

#[test]
fn it_ends_with_a_run_that_is_stopped() {
    let (files, tools) = (folder(), folder());
    let mut running =
        waits_for_ever(files.path(), tools.path(), &["apply", "--yes"]).command().spawn().unwrap();
    let pid = started(tools.path());
    let signalled = Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    until(|| is_over(&pid).then_some(()));
    assert_eq!(running.wait().unwrap().code(), Some(130));
}
