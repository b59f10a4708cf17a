//! A campaign of runs by chance, with faults at every layer: whatever goes wrong, the report is the
//! truth, nothing is touched that is not of the plan, and a rerun converges.
//!
//! ```sh
//! cargo test campaign                                                  # some runs, always the same
//! FLOWBIND_CAMPAIGN=10000 cargo test --release campaign -- --nocapture  # many
//! FLOWBIND_SEED=1234 cargo test campaign -- --nocapture                # one of them again
//! ```

mod aim;
mod arguments;
mod authority;
mod dice;
mod fault;
mod file;
mod login;
mod oracle;
mod play;
mod process;
mod scenario;
mod trouble;
mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};

use aim::{AIMS, Aim};
use authority::Authority;
use play::{Played, play};
use scenario::Scenario;

/// How many scenarios are played when nobody asks for more.
const SHORT: u64 = 200;

/// How many at once: most of the time each of them waits.
const AT_ONCE: u64 = 48;

/// What is told of failures in full.
const TOLD: usize = 5;

#[test]
fn whatever_goes_wrong_the_report_is_the_truth_and_a_rerun_converges() {
    let (first, number) = match (asked("FLOWBIND_SEED"), asked("FLOWBIND_CAMPAIGN")) {
        (None, None) => (0, SHORT),
        (Some(seed), None) => (seed, 1),
        (seed, Some(number)) => (seed.unwrap_or(0), number),
    };
    let authority = Authority::found();
    let next = AtomicU64::new(first);
    let end = first.saturating_add(number);
    let summary = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(number) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let played = play_apart(seed, &authority);
                    summary.lock().unwrap().add(seed, played);
                }
            });
        }
    });
    let summary = summary.into_inner().unwrap();
    tell(&format!("seeds {first} to {}\n{}", end - 1, summary.text()));
    assert!(summary.failures.is_empty(), "{}", summary.failed());
    let kinds = AIMS.iter().filter(|aim| aim.is_possible()).map(|aim| aim.kind);
    let missed: Vec<_> = kinds.filter(|kind| !summary.struck.contains_key(*kind)).collect();
    assert!(number < SHORT || missed.is_empty(), "no run met {missed:?}");
}

/// Plays a scenario; what panics in it has failed, and is no reason to end the others.
fn play_apart(seed: u64, authority: &Authority) -> Result<Played, String> {
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        let playing = scope.spawn(move || {
            let scenario = Scenario::of(seed);
            _ = tell.send(play(&scenario, authority).map_err(|error| format!("{error:#}")));
        });
        _ = playing.join();
    });
    told.recv().unwrap_or_else(|_| Err("the campaign itself panicked".into()))
}

/// A number in the environment.
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says so by it")]
fn asked(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("`{name}` is no number")))
}

#[expect(clippy::print_stderr, reason = "shown with `--nocapture`, or when the test fails")]
fn tell(text: &str) {
    eprintln!("{text}");
}

/// What was played, counted.
#[derive(Default)]
struct Summary {
    scenarios: usize,
    runs: usize,
    requests: usize,
    /// By command and ending.
    endings: BTreeMap<(&'static str, String), usize>,
    outcomes: BTreeMap<String, usize>,
    /// In how many scenarios each fault struck.
    struck: BTreeMap<String, usize>,
    /// Which scenarios have not met what they were to meet.
    missed: Vec<(u64, &'static str)>,
    failures: Vec<(u64, String)>,
}

impl Summary {
    fn add(&mut self, seed: u64, played: Result<Played, String>) {
        self.scenarios += 1;
        let Played { command, ending, outcomes, struck, runs, requests } = match played {
            Ok(played) => played,
            Err(why) => {
                tell(&format!("seed {seed} failed: {}", why.lines().last().unwrap_or_default()));
                return self.failures.push((seed, why));
            }
        };
        self.runs += runs;
        self.requests += requests;
        *self.endings.entry((command, ending)).or_default() += 1;
        for (outcome, number) in outcomes {
            *self.outcomes.entry(outcome).or_default() += number;
        }
        if let Some(Aim { kind, .. }) = Aim::of(seed)
            && !struck.contains(*kind)
        {
            self.missed.push((seed, kind));
        }
        for fault in struck {
            *self.struck.entry(fault).or_default() += 1;
        }
    }

    fn text(&self) -> String {
        let Self { scenarios, runs, requests, endings, outcomes, struck, missed, failures } = self;
        let mut text =
            format!("{scenarios} scenarios, {runs} runs, {requests} requests while things went wrong\n");
        _ = writeln!(text, "failed: {}\n\nendings", failures.len());
        for ((command, ending), number) in endings {
            _ = writeln!(text, "{number:7}  {command}: {ending}");
        }
        for (title, counts) in [("changes", outcomes), ("scenarios in which it struck", struck)] {
            _ = writeln!(text, "\n{title}");
            for (name, number) in counts {
                _ = writeln!(text, "{number:7}  {name}");
            }
        }
        for (seed, kind) in missed {
            _ = writeln!(text, "\nseed {seed} was to meet `{kind}`, and has not");
        }
        text
    }

    fn failed(&self) -> String {
        let mut failures: Vec<_> = self.failures.iter().collect();
        failures.sort();
        let seeds: Vec<_> = failures.iter().map(|(seed, _)| seed.to_string()).collect();
        let told = failures.iter().take(TOLD).map(|(seed, why)| format!("FLOWBIND_SEED={seed}\n{why}\n"));
        format!("seeds that failed: {}\n\n{}", seeds.join(" "), told.collect::<String>())
    }
}
