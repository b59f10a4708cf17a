//! Running a row: the same command again and again, each time against an emulator of its own.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::child::{Run, flowbind, run};
use crate::fleet;
use crate::row::Row;
use crate::sandbox_server::{SandboxServer, serve};
use crate::script::Script;

/// How often a command is run, and after how long it is not run again.
pub const RUNS: usize = 7;
pub const ENOUGH: Duration = Duration::from_secs(60);

pub const HEADER: &str = "\
| row | requests | waves | limit ms | wall ms | ratio | 429s | CPU ms | emulator CPU ms | peak MB | httpx ms | times faster | runs |
| :-- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |";

/// What a row came to, in the table and in the file.
pub struct Measured {
    pub line: String,
    pub json: Value,
}

/// Measures a row and, where there is one, the script beside it.
pub fn measure(row: &Row, script: Result<&Script, &String>) -> Measured {
    let folder = tempfile::tempdir().unwrap();
    fleet::write(folder.path(), row.tenants, row.flows);
    let ours = Series::of(row, |served| {
        let mut command = flowbind();
        command.args(if row.apply { &["apply", "--yes"][..] } else { &["plan"] }).arg(folder.path());
        command.args(["--graph-url", &served.graph_url(), "--rate", &row.rate()]);
        command.env("FLOWBIND_ACCESS_TOKEN", "t");
        command
    });
    let theirs = script.map(|script| {
        Series::of(row, |served| {
            let mut command = script.command();
            command.args(row.apply.then_some("--apply")).arg(served.graph_url()).arg(folder.path());
            command.env("GRAPH_TOKEN", "t");
            command
        })
    });
    tell(row, &ours, theirs.as_ref().map_err(|why| why.as_str()))
}

fn tell(row: &Row, ours: &Series, theirs: Result<&Series, &str>) -> Measured {
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

/// A number, or a dash where the system does not tell it.
pub fn number(value: Option<u64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

pub fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

/// The runs of one command, the fastest first.
struct Series(Vec<Answered>);

/// A run, and what the emulator saw of it.
struct Answered {
    run: Run,
    /// The items of a batch one by one.
    requests: usize,
    /// A batch is one of them.
    http_requests: usize,
    /// How many were answered 429.
    throttled: usize,
}

impl Series {
    fn of(row: &Row, command: impl Fn(&SandboxServer) -> Command) -> Self {
        let mut runs: Vec<Answered> = Vec::new();
        while runs.len() < RUNS && runs.iter().map(|answered| answered.run.wall).sum::<Duration>() < ENOUGH {
            let served = serve(fleet::tenant(row.flows), row.options());
            let run = run(&mut command(&served));
            check(row, &run, &served);
            runs.push(Answered::new(run, &served.journal()));
        }
        runs.sort_by_key(|answered| answered.run.wall);
        Self(runs)
    }

    fn median(&self) -> &Answered {
        &self.0[self.0.len() / 2]
    }

    fn wall(&self) -> Duration {
        self.median().run.wall
    }

    /// The mean, since the system counts in ticks of 10 ms.
    fn mean(&self, of: impl Fn(&Run) -> Option<u64>) -> Option<u64> {
        let sum: Option<u64> = self.0.iter().map(|answered| of(&answered.run)).sum();
        Some(sum? / self.0.len() as u64)
    }

    fn cpu(&self) -> Option<u64> {
        self.mean(|run| run.cpu)
    }

    fn emulator_cpu(&self) -> Option<u64> {
        self.mean(|run| run.emulator_cpu)
    }

    fn peak_mb(&self) -> Option<u64> {
        self.0.iter().filter_map(|answered| answered.run.peak).max().map(|peak| peak / 1024)
    }

    fn json(&self) -> Value {
        let Answered { run: _, requests, http_requests, throttled } = self.median();
        json!({
            "wallMs": ms(self.wall()),
            "wallsMs": self.0.iter().map(|answered| ms(answered.run.wall)).collect::<Vec<_>>(),
            "requests": requests,
            "httpRequests": http_requests,
            "throttled": throttled,
            "cpuMs": self.cpu(),
            "emulatorCpuMs": self.emulator_cpu(),
            "peakMb": self.peak_mb(),
        })
    }
}

impl Answered {
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

/// What is fast and wrong is not measured: a plan names every change, an apply has made them.
fn check(row: &Row, run: &Run, served: &SandboxServer) {
    let named = run.stdout.lines().filter(|line| line.trim_start().starts_with("+ ")).count();
    if row.apply {
        assert_eq!(fleet::bound(&served.actual_state()), row.flows, "{}", row.name);
    } else {
        assert_eq!(named, row.changes(), "{}: {}", row.name, run.stdout);
    }
}
