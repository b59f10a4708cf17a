//! Measures a row: runs the same command several times, each time against a new emulator.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fleet;
use crate::process::{Run, flowbind, run};
use crate::rows::Row;
use crate::sandbox_server::{SandboxServer, serve};
use crate::script::Script;

/// Number of runs per command.
pub const RUNS: usize = 7;
/// Total time after which a command is not run again.
pub const MAX_TOTAL: Duration = Duration::from_secs(60);

pub const HEADER: &str = "\
| row | requests | waves | limit ms | wall ms | ratio | 429s | CPU ms | emulator CPU ms | peak MB | httpx ms | times faster | runs |
| :-- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |";

/// Result of a row, as a line of the table and as JSON.
pub struct Measured {
    pub line: String,
    pub json: Value,
}

/// Measures a row with flowbind and, if it is available, with the script.
pub fn measure(row: &Row, script: Result<&Script, &String>) -> Measured {
    let folder = tempfile::tempdir().unwrap();
    fleet::write(folder.path(), row.tenants, row.flows);
    let ours = Series::measure(row, |served| {
        let mut command = flowbind();
        command.args(if row.apply { &["apply", "--yes"][..] } else { &["plan"] }).arg(folder.path());
        command.args(["--graph-url", &served.graph_url(), "--rate", &row.rate()]);
        command.env("FLOWBIND_ACCESS_TOKEN", "t");
        command
    });
    let theirs = script.map(|script| {
        Series::measure(row, |served| {
            let mut command = script.command();
            command.args(row.apply.then_some("--apply")).arg(served.graph_url()).arg(folder.path());
            command.env("GRAPH_TOKEN", "t");
            command
        })
    });
    format_row(row, &ours, theirs.as_ref().map_err(|why| why.as_str()))
}

fn format_row(row: &Row, ours: &Series, theirs: Result<&Series, &str>) -> Measured {
    let limit = row.limit();
    let ratio = ours.wall().as_secs_f64() / limit.as_secs_f64();
    let faster = theirs.map(|theirs| theirs.wall().as_secs_f64() / ours.wall().as_secs_f64());
    let cells = [
        row.name.to_owned(),
        ours.median().requests.to_string(),
        row.waves().to_string(),
        limit.as_millis().to_string(),
        ours.wall().as_millis().to_string(),
        format!("{ratio:.2}"),
        ours.median().throttled.to_string(),
        number(ours.cpu()),
        number(ours.emulator_cpu()),
        number(ours.peak_mb()),
        theirs.map_or_else(|_| "not run".to_owned(), |theirs| theirs.wall().as_millis().to_string()),
        faster.map_or_else(|_| "–".to_owned(), |faster| format!("{faster:.1}")),
        format!("{} + {}", ours.0.len(), theirs.map_or(0, |theirs| theirs.0.len())),
    ];
    let json = json!({
        "name": row.name,
        "tenants": row.tenants,
        "flows": row.flows,
        "waves": row.waves(),
        "limitMs": ms(limit),
        "ratio": ratio,
        "flowbind": ours.json(),
        "httpx": theirs.map_or_else(|why| json!({"error": why}), Series::json),
        "timesFaster": faster.ok(),
    });
    Measured { line: format!("| {} |", cells.join(" | ")), json }
}

/// Formats a number, or a dash if the system does not report it.
pub fn number(value: Option<u64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

pub fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Runs of one command, sorted by wall time.
struct Series(Vec<MeasuredRun>);

/// Run with the counts of the emulator.
struct MeasuredRun {
    run: Run,
    /// Number of requests, with each item of a batch counted separately.
    requests: usize,
    /// Number of HTTP requests, with a batch counted once.
    http_requests: usize,
    /// Number of 429 responses.
    throttled: usize,
}

impl Series {
    fn measure(row: &Row, command: impl Fn(&SandboxServer) -> Command) -> Self {
        let mut runs: Vec<MeasuredRun> = Vec::new();
        while runs.len() < RUNS && runs.iter().map(|measured| measured.run.wall).sum::<Duration>() < MAX_TOTAL
        {
            let served = serve(fleet::tenant(row.flows), row.options());
            let run = run(&mut command(&served));
            check(row, &run, &served);
            runs.push(MeasuredRun::new(run, &served.journal()));
        }
        runs.sort_by_key(|measured| measured.run.wall);
        Self(runs)
    }

    fn median(&self) -> &MeasuredRun {
        &self.0[self.0.len() / 2]
    }

    fn wall(&self) -> Duration {
        self.median().run.wall
    }

    /// Returns the mean, because the system counts in ticks of 10 ms.
    fn mean(&self, value: impl Fn(&Run) -> Option<u64>) -> Option<u64> {
        let sum: Option<u64> = self.0.iter().map(|measured| value(&measured.run)).sum();
        Some(sum? / self.0.len() as u64)
    }

    fn cpu(&self) -> Option<u64> {
        self.mean(|run| run.cpu)
    }

    fn emulator_cpu(&self) -> Option<u64> {
        self.mean(|run| run.emulator_cpu)
    }

    fn peak_mb(&self) -> Option<u64> {
        self.0.iter().filter_map(|measured| measured.run.peak).max().map(|peak| peak / 1024)
    }

    fn json(&self) -> Value {
        let MeasuredRun { run: _, requests, http_requests, throttled } = self.median();
        json!({
            "wallMs": ms(self.wall()),
            "wallsMs": self.0.iter().map(|measured| ms(measured.run.wall)).collect::<Vec<_>>(),
            "requests": requests,
            "httpRequests": http_requests,
            "throttled": throttled,
            "cpuMs": self.cpu(),
            "emulatorCpuMs": self.emulator_cpu(),
            "peakMb": self.peak_mb(),
        })
    }
}

impl MeasuredRun {
    fn new(run: Run, journal: &[Value]) -> Self {
        let count = |which: &dyn Fn(&Value) -> bool| journal.iter().filter(|entry| which(entry)).count();
        Self {
            run,
            requests: count(&|entry| !entry["path"].as_str().unwrap().ends_with("/$batch")),
            http_requests: count(&|entry| entry["batch"].is_null()),
            throttled: count(&|entry| entry["status"] == 429),
        }
    }
}

/// Checks that the result is correct: a plan lists every change, an apply has made them.
fn check(row: &Row, run: &Run, served: &SandboxServer) {
    let listed = run.stdout.lines().filter(|line| line.trim_start().starts_with("+ ")).count();
    if row.apply {
        assert_eq!(fleet::count_bindings(&served.actual_state()), row.flows, "{}", row.name);
    } else {
        assert_eq!(listed, row.changes(), "{}: {}", row.name, run.stdout);
    }
}
