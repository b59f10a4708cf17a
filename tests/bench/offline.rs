//! What needs no latency: checking large files, starting, and instructions as valgrind counts them.

use std::process::{Command, Stdio};
use std::time::Instant;

use flowbind::sandbox::Options;
use serde_json::json;

use crate::child::{flowbind, run};
use crate::fleet;
use crate::measure::{Measured, RUNS, ms, number};
use crate::sandbox_server::serve;

/// Something that is measured by itself.
pub struct Alone {
    pub name: &'static str,
    pub measure: fn() -> Measured,
}

/// All of it.
pub const ALONE: [Alone; 4] = [
    Alone { name: "validate", measure: validate },
    Alone { name: "version", measure: version },
    Alone { name: "instructions-validate", measure: instructions_of_validate },
    Alone { name: "instructions-plan", measure: instructions_of_plan },
];

/// How large the file is that is only checked, and the one of which instructions are counted.
const CHECKED: usize = 50_000;
const COUNTED: usize = 25_000;

fn validate() -> Measured {
    let folder = tempfile::tempdir().unwrap();
    fleet::write(folder.path(), 1, CHECKED);
    let mut runs: Vec<_> = (0..RUNS).map(|_| run(flowbind().arg("validate").arg(folder.path()))).collect();
    runs.sort_by_key(|run| run.wall);
    let wall = ms(runs[RUNS / 2].wall);
    let peak = runs.iter().filter_map(|run| run.peak).max().map(|peak| peak / 1024);
    Measured {
        line: format!("`validate` of {CHECKED} flows: {wall} ms, {} MB", number(peak)),
        json: json!({"flows": CHECKED, "wallMs": wall, "peakMb": peak}),
    }
}

fn version() -> Measured {
    const TIMES: u32 = 50;
    let started = Instant::now();
    for _ in 0..TIMES {
        assert!(flowbind().arg("--version").stdout(Stdio::null()).status().unwrap().success());
    }
    let wall = ms(started.elapsed() / TIMES);
    Measured { line: format!("`--version`: {wall} ms"), json: json!({"wallMs": wall}) }
}

fn instructions_of_validate() -> Measured {
    let folder = tempfile::tempdir().unwrap();
    fleet::write(folder.path(), 1, COUNTED);
    let counted = instructions(|command| command.arg("validate").arg(folder.path()));
    told("validate", &counted)
}

fn instructions_of_plan() -> Measured {
    let folder = tempfile::tempdir().unwrap();
    fleet::write(folder.path(), 1, COUNTED);
    let served = serve(fleet::tenant(COUNTED), Options::default());
    let counted = instructions(|command| {
        command.arg("plan").arg(folder.path()).args(["--graph-url", &served.graph_url()]);
        command.args(["--rate", "100000/1", "--timeout", "3600"]).env("FLOWBIND_ACCESS_TOKEN", "t")
    });
    told("plan", &counted)
}

fn told(command: &str, counted: &Result<u64, String>) -> Measured {
    let bindings = COUNTED * 2;
    let said = match counted {
        Ok(count) => format!("{:.1} million instructions", *count as f64 / 1e6),
        Err(why) => format!("instructions not counted: {why}"),
    };
    Measured {
        line: format!("`{command}` of {bindings} bindings: {said}"),
        json: match counted {
            Ok(count) => json!({"bindings": bindings, "instructions": count}),
            Err(why) => json!({"bindings": bindings, "error": why}),
        },
    }
}

/// Counts the instructions of flowbind with some arguments.
///
/// # Errors
/// That they cannot be counted, and why.
fn instructions(arguments: impl FnOnce(&mut Command) -> &mut Command) -> Result<u64, String> {
    let tried = Command::new("valgrind").arg("--version").output();
    tried.map_err(|error| format!("`valgrind`: {error}"))?;
    let flowbind = flowbind();
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(flowbind.get_program());
    let said = run(arguments(&mut command)).stderr;
    // `==1== Collected : 123`, one number for each kind of event, and instructions are the only one.
    let count = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    count.ok_or_else(|| format!("`valgrind` did not tell: {said}"))
}
