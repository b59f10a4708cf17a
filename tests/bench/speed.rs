//! Speed benchmark: `cargo bench --bench speed`, or `-- WORD…` for the rows whose name contains a word.
//!
//! Each row is compared with the minimum that latency and throttling allow (see `rows`), and with a
//! simple script over httpx, both against the same emulator. It prints Markdown and writes JSON (to FILE
//! with `-- --json FILE`). `-- --docs` inserts the Markdown into `docs/performance.md`. Machines are noisy, so
//! compare only numbers of one call.

#![allow(
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]
#![allow(clippy::print_stdout, reason = "the table is the result")]

#[path = "../it/support/background.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod background;
mod fleet;
mod measure;
mod offline;
mod process;
mod rows;
#[path = "../it/support/sandbox_server.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod sandbox_server;
mod script;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use measure::{HEADER, MAX_TOTAL, RUNS, measure};
use rows::{LATENCY, ROWS, Row};
use script::Script;

fn main() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join("bench");
    fs::create_dir_all(&folder).unwrap();
    let arguments = Arguments::parse(std::env::args().skip(1), folder.join("speed.json"));

    let mut output = Output::default();
    let mut json = Map::new();
    let rows: Vec<_> = ROWS.iter().filter(|row| arguments.selects(row.name)).collect();
    if !rows.is_empty() {
        let rows = table(&rows, Script::prepare(&folder), &mut output);
        json.insert("rows".to_owned(), rows.into());
    }
    for measurement in offline::OFFLINE.iter().filter(|measurement| arguments.selects(measurement.name)) {
        let measured = (measurement.measure)();
        output.print(&format!("- {}", measured.line));
        json.insert(measurement.name.to_owned(), measured.json);
    }
    fs::write(&arguments.json, format!("{:#}\n", json!(json))).unwrap();
    if arguments.docs {
        output.insert_into_docs();
    }
}

/// Measures rows and prints each when it is done.
fn table(rows: &[&Row], script: Result<Script, String>, output: &mut Output) -> Vec<Value> {
    let (latency, max_total) = (LATENCY.as_millis(), MAX_TOTAL.as_secs());
    output.print(&format!(
        "{latency} ms latency, medians of {RUNS} runs or of those begun within {max_total} s, on {}:\n",
        machine()
    ));
    output.print(HEADER);
    let measured = rows.iter().map(|row| {
        let measured = measure(row, script.as_ref());
        output.print(&measured.line);
        measured.json
    });
    let measured = measured.collect();
    output.print("");
    if let Err(why) = &script {
        output.print(&format!("The script over httpx was not run: {why}.\n"));
    }
    measured
}

/// Returns the number of processors and the load, because a busy machine makes all times longer.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().map(|load| format!(" at a load of {load}"));
    format!("{cores} cores{}", load.unwrap_or_default())
}

/// Printed Markdown.
#[derive(Default)]
struct Output(String);

impl Output {
    fn print(&mut self, line: &str) {
        println!("{line}");
        self.0 += line;
        self.0.push('\n');
    }

    /// Replaces the text between two comments of `docs/performance.md`.
    fn insert_into_docs(self) {
        const BEGIN: &str = "<!-- Written by `cargo bench --bench speed -- --docs`. -->\n";
        const END: &str = "<!-- Until here. -->\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");
        let text = fs::read_to_string(path).unwrap();
        let (before, rest) = text.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        fs::write(path, format!("{before}{BEGIN}\n{}\n{END}{after}", self.0.trim_end())).unwrap();
    }
}

/// Command line of the benchmark.
struct Arguments {
    words: Vec<String>,
    json: PathBuf,
    docs: bool,
}

impl Arguments {
    /// Parses the command line, to which cargo adds `--bench`.
    fn parse(arguments: impl Iterator<Item = String>, json: PathBuf) -> Self {
        let mut parsed = Self { words: Vec::new(), json, docs: false };
        let mut arguments = arguments.filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--json" => parsed.json = arguments.next().expect("`--json` takes a file").into(),
                "--docs" => parsed.docs = true,
                option if option.starts_with('-') => {
                    panic!("unknown option `{option}`: use `--json FILE`, `--docs` and words of row names")
                }
                _ => parsed.words.push(argument),
            }
        }
        assert!(!parsed.docs || parsed.words.is_empty(), "`--docs` needs all rows");
        parsed
    }

    fn selects(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word.as_str()))
    }
}
