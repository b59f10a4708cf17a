//! Fault campaign: randomly generated runs with injected faults at every layer. An independent oracle
//! checks that the report matches the tenant, that only planned changes were made, and that a rerun
//! converges.
//!
//! ```sh
//! cargo test campaign                                                  # 200 fixed seeds
//! FLOWBIND_CAMPAIGN=10000 cargo test --release campaign -- --nocapture  # 10,000 seeds
//! FLOWBIND_SEED=1234 cargo test campaign -- --nocapture                # one seed
//! ```

mod arguments;
mod desired_file;
mod environment_fault;
mod oracle;
mod process;
mod rng;
mod runner;
mod scenario;
mod service_fault;
mod sign_in;
mod targeted_fault;
mod tenant_model;
mod tls;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};

use runner::{ScenarioResult, run_scenario};
use scenario::Scenario;
use targeted_fault::{TARGETED_FAULTS, TargetedFault};
use tls::TlsAcceptors;

/// Default number of scenarios.
const DEFAULT_SCENARIOS: u64 = 200;

/// Number of concurrent scenarios. A scenario mostly waits, so there are more than processors.
const CONCURRENT_SCENARIOS: u64 = 48;

/// Number of failures that are printed with all details.
const DETAILED_FAILURES: usize = 5;

#[test]
fn campaign_with_faults_reports_actual_state_and_converges() {
    let (first, number) = match (env_number("FLOWBIND_SEED"), env_number("FLOWBIND_CAMPAIGN")) {
        (None, None) => (0, DEFAULT_SCENARIOS),
        (Some(seed), None) => (seed, 1),
        (seed, Some(number)) => (seed.unwrap_or(0), number),
    };
    let tls_acceptors = TlsAcceptors::new();
    let next = AtomicU64::new(first);
    let end = first.saturating_add(number);
    let summary = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for _ in 0..CONCURRENT_SCENARIOS.min(number) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let result = run_isolated(seed, &tls_acceptors);
                    summary.lock().unwrap().add(seed, result);
                }
            });
        }
    });
    let summary = summary.into_inner().unwrap();
    print(&format!("seeds {first} to {}\n{}", end - 1, summary.report()));
    assert!(summary.failures.is_empty(), "{}", summary.failure_details());
    let kinds = TARGETED_FAULTS.iter().filter(|fault| fault.is_possible()).map(|fault| fault.kind);
    let missed: Vec<_> = kinds.filter(|kind| !summary.observed_faults.contains_key(*kind)).collect();
    assert!(number < DEFAULT_SCENARIOS || missed.is_empty(), "faults that no run observed: {missed:?}");
}

/// Runs a scenario in a thread of its own, so that a panic fails only this scenario.
fn run_isolated(seed: u64, tls_acceptors: &TlsAcceptors) -> Result<ScenarioResult, String> {
    let (sender, result) = mpsc::channel();
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            let scenario = Scenario::new(seed);
            _ = sender.send(run_scenario(&scenario, tls_acceptors).map_err(|error| format!("{error:#}")));
        });
        _ = thread.join();
    });
    result.recv().unwrap_or_else(|_| Err("the campaign itself panicked".into()))
}

/// Reads a number from an environment variable.
#[expect(clippy::disallowed_methods, reason = "selects the scenarios, like a flag of the test")]
fn env_number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("`{name}` is not a number")))
}

#[expect(clippy::print_stderr, reason = "shown with `--nocapture`, or when the test fails")]
fn print(text: &str) {
    eprintln!("{text}");
}

/// Counts over all scenarios.
#[derive(Default)]
struct Summary {
    scenarios: usize,
    runs: usize,
    requests: usize,
    /// Number of scenarios by command and exit status.
    exit_statuses: BTreeMap<(&'static str, String), usize>,
    outcomes: BTreeMap<String, usize>,
    /// Number of scenarios in which each fault was observed.
    observed_faults: BTreeMap<String, usize>,
    /// Seeds of scenarios that did not observe their targeted fault.
    missed: Vec<(u64, &'static str)>,
    failures: Vec<(u64, String)>,
}

impl Summary {
    fn add(&mut self, seed: u64, result: Result<ScenarioResult, String>) {
        self.scenarios += 1;
        let ScenarioResult { command, exit_status, outcomes, observed_faults, runs, requests } = match result
        {
            Ok(result) => result,
            Err(why) => {
                print(&format!("seed {seed} failed: {}", why.lines().last().unwrap_or_default()));
                return self.failures.push((seed, why));
            }
        };
        self.runs += runs;
        self.requests += requests;
        *self.exit_statuses.entry((command, exit_status)).or_default() += 1;
        for (outcome, number) in outcomes {
            *self.outcomes.entry(outcome).or_default() += number;
        }
        if let Some(TargetedFault { kind, .. }) = TargetedFault::for_seed(seed)
            && !observed_faults.contains(*kind)
        {
            self.missed.push((seed, kind));
        }
        for fault in observed_faults {
            *self.observed_faults.entry(fault).or_default() += 1;
        }
    }

    fn report(&self) -> String {
        let Self { scenarios, runs, requests, exit_statuses, outcomes, observed_faults, missed, failures } =
            self;
        let mut text = format!("{scenarios} scenarios, {runs} runs, {requests} requests with faults\n");
        _ = writeln!(text, "failed: {}\n\nendings", failures.len());
        for ((command, exit_status), number) in exit_statuses {
            _ = writeln!(text, "{number:7}  {command}: {exit_status}");
        }
        for (title, counts) in [("changes", outcomes), ("scenarios by observed fault", observed_faults)] {
            _ = writeln!(text, "\n{title}");
            for (name, number) in counts {
                _ = writeln!(text, "{number:7}  {name}");
            }
        }
        for (seed, kind) in missed {
            _ = writeln!(text, "\nseed {seed} did not observe its fault `{kind}`");
        }
        text
    }

    fn failure_details(&self) -> String {
        let mut failures: Vec<_> = self.failures.iter().collect();
        failures.sort();
        let seeds: Vec<_> = failures.iter().map(|(seed, _)| seed.to_string()).collect();
        let details = failures.iter().take(DETAILED_FAILURES);
        let details = details.map(|(seed, why)| format!("FLOWBIND_SEED={seed}\n{why}\n"));
        format!("failed seeds: {}\n\n{}", seeds.join(" "), details.collect::<String>())
    }
}
