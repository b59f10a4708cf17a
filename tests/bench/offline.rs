//! Offline measurements: validation of large files, startup time, and instruction counts from valgrind.

use std::process::{Command, Stdio};
use std::time::Instant;

use flowbind::sandbox::Options;
use serde_json::json;

use crate::fleet;
use crate::measure::{Measured, RUNS, ms, number};
use crate::process::{flowbind, run};
use crate::sandbox_server::serve;

/// Measurement without a table row.
pub struct OfflineMeasurement {
    pub name: &'static str,
    pub measure: fn() -> Measured,
}

/// All offline measurements.
pub const OFFLINE: [OfflineMeasurement; 4] = [
    OfflineMeasurement { name: "validate", measure: validate },
    OfflineMeasurement { name: "version", measure: version },
    OfflineMeasurement { name: "instructions-validate", measure: instructions_of_validate },
    OfflineMeasurement { name: "instructions-plan", measure: instructions_of_plan },
];

/// Number of flows in the file that `validate` is timed with.
const VALIDATED_FLOWS: usize = 50_000;
/// Number of flows in the file for instruction counts.
const COUNTED_FLOWS: usize = 25_000;

fn validate() -> Measured {
    let folder = tempfile::tempdir().unwrap();
    fleet::write(folder.path(), 1, VALIDATED_FLOWS);
    let mut runs: Vec<_> = (0..RUNS).map(|_| run(flowbind().arg("validate").arg(folder.path()))).collect();
    runs.sort_by_key(|run| run.wall);
    let wall = ms(runs[RUNS / 2].wall);
    let peak = runs.iter().filter_map(|run| run.peak).max().map(|peak| peak / 1024);
    Measured {
        line: format!("`validate` of {VALIDATED_FLOWS} flows: {wall} ms, {} MB", number(peak)),
        json: json!({"flows": VALIDATED_FLOWS, "wallMs": wall, "peakMb": peak}),
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
    fleet::write(folder.path(), 1, COUNTED_FLOWS);
    let counted = instructions(|command| command.arg("validate").arg(folder.path()));
    format_instructions("validate", &counted)
}

fn instructions_of_plan() -> Measured {
    let folder = tempfile::tempdir().unwrap();
    fleet::write(folder.path(), 1, COUNTED_FLOWS);
    let served = serve(fleet::tenant(COUNTED_FLOWS), Options::default());
    let counted = instructions(|command| {
        command.arg("plan").arg(folder.path()).args(["--graph-url", &served.graph_url()]);
        command.args(["--rate", "100000/1", "--timeout", "3600"]).env("FLOWBIND_ACCESS_TOKEN", "t")
    });
    format_instructions("plan", &counted)
}

fn format_instructions(command: &str, counted: &Result<u64, String>) -> Measured {
    let bindings = COUNTED_FLOWS * 2;
    let result = match counted {
        Ok(count) => format!("{:.1} million instructions", *count as f64 / 1e6),
        Err(why) => format!("instructions not counted: {why}"),
    };
    Measured {
        line: format!("`{command}` of {bindings} bindings: {result}"),
        json: match counted {
            Ok(count) => json!({"bindings": bindings, "instructions": count}),
            Err(why) => json!({"bindings": bindings, "error": why}),
        },
    }
}

/// Counts the instructions of flowbind with some arguments.
///
/// # Errors
/// Why they cannot be counted.
fn instructions(arguments: impl FnOnce(&mut Command) -> &mut Command) -> Result<u64, String> {
    let version = Command::new("valgrind").arg("--version").output();
    version.map_err(|error| format!("`valgrind`: {error}"))?;
    let flowbind = flowbind();
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(flowbind.get_program());
    let stderr = run(arguments(&mut command)).stderr;
    // `==1== Collected : 123`, with one number per kind of event. Instructions are the only kind.
    let count = stderr.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    count.ok_or_else(|| format!("no count in the output of `valgrind`: {stderr}"))
}
