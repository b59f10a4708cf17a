//! What a plan costs: `cargo bench --bench plan`.
//!
//! Requests first, then waves of requests, then seconds and memory. Each line of the first table
//! stands beside what the service's latency makes necessary: waves × latency, where a wave is as
//! many requests as may be in flight. Machines are noisy: compare the ratios of one run.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "its table is what it is for")]

#[allow(dead_code, reason = "the tests need more of it")]
#[path = "../it/support/served.rs"]
mod served;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flowbind::desired;
use flowbind::sandbox::Options;
use flowbind::snapshot::Snapshot;
use serde_json::json;
use served::serve;

const LATENCY: Duration = Duration::from_millis(50);
const PARALLELISM: usize = 16;
const RUNS: usize = 7;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    println!(
        "plan at {} ms latency, {PARALLELISM} requests in flight, median of {RUNS} runs",
        LATENCY.as_millis()
    );
    println!("| flows | requests | waves | limit ms | wall ms | ratio | peak MB |");
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for flows in [20, 198] {
        plan(folder.path(), flows);
    }
    println!();
    check(50_000);
    version();
}

fn plan(folder: &Path, flows: usize) {
    let yaml = folder.join(format!("{flows}.yaml"));
    fs::write(&yaml, file(flows)).unwrap();
    let served = serve(tenant(flows), Options { latency: LATENCY, ..Options::default() });
    let mut runs: Vec<_> = (0..RUNS)
        .map(|_| {
            let mut command = flowbind();
            command.arg("plan").arg(&yaml).args(["--graph-url", &served.graph_url(), "--rate", "100000/1"]);
            run(command.env("FLOWBIND_ACCESS_TOKEN", "t"))
        })
        .collect();
    runs.sort_unstable();
    let (wall, _) = runs[RUNS / 2];
    let peak = runs.iter().map(|(_, peak)| peak).max().unwrap() / 1024;
    let requests = served.requests().len() / RUNS;
    let waves = requests.div_ceil(PARALLELISM);
    let limit = LATENCY * u32::try_from(waves).unwrap();
    let ratio = wall.as_secs_f64() / limit.as_secs_f64();
    println!(
        "| {flows} | {requests} | {waves} | {} | {} | {ratio:.2} | {peak} |",
        limit.as_millis(),
        wall.as_millis()
    );
}

/// Parsing and checking, in this process and as the command.
fn check(flows: usize) {
    let text = file(flows);
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let started = Instant::now();
            assert_eq!(desired::parse("f", text.as_bytes()).unwrap().flows.len(), flows);
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.yaml");
    fs::write(&path, &text).unwrap();
    let (wall, peak) = (0..RUNS).map(|_| run(flowbind().arg("validate").arg(&path))).min().unwrap();
    println!(
        "{flows} flows ({} MB): parsed and checked in {} ms; `validate` takes {} ms and {} MB",
        text.len() >> 20,
        times[RUNS / 2].as_millis(),
        wall.as_millis(),
        peak / 1024
    );
}

fn version() {
    const TIMES: u32 = 50;
    let started = Instant::now();
    for _ in 0..TIMES {
        assert!(flowbind().arg("--version").stdout(Stdio::null()).status().unwrap().success());
    }
    println!("`--version`: {:.1} ms", (started.elapsed() / TIMES).as_secs_f64() * 1000.0);
}

fn flowbind() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowbind"));
    command.env_clear();
    command
}

/// Runs a command to its end. Gives how long it took and, where the system tells, its peak memory
/// in KB.
fn run(command: &mut Command) -> (Duration, u64) {
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Ok(text) = fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
            peak = peak.max(kilobytes.unwrap_or(0));
        }
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return (started.elapsed(), peak);
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// A file that wants a connector at each of two steps of so many flows.
fn file(flows: usize) -> String {
    let mut yaml =
        "version: 1\ntenant: contoso.onmicrosoft.com\nconnectors:\n  check: Check\nflows:\n".to_owned();
    for flow in 0..flows {
        writeln!(
            yaml,
            "  B2C_1_flow_{flow:05}:\n    postFederationSignup: check\n    postAttributeCollection: null"
        )
        .unwrap();
    }
    yaml
}

/// A tenant of which a tenth differs from that file.
fn tenant(flows: usize) -> Snapshot {
    let id = "00000000-0000-4000-8000-000000000001";
    let flows: Vec<_> = (0..flows)
        .map(|flow| {
            json!({
                "id": format!("B2C_1_flow_{flow:05}"),
                "userFlowType": "signUpOrSignIn",
                "userFlowTypeVersion": 3,
                "bindings": {"postFederationSignup": if flow % 10 == 0 { None } else { Some(id) }},
            })
        })
        .collect();
    let snapshot = json!({
        "formatVersion": "1",
        "tenant": "contoso.onmicrosoft.com",
        "cloud": "global",
        "takenAt": "2026-11-02T08:00:00Z",
        "connectors": [{"id": id, "displayName": "Check", "targetUrl": "https://api.contoso.com/check"}],
        "flows": flows,
    });
    Snapshot::parse(&snapshot.to_string()).unwrap()
}
