//! What flowbind costs: `cargo bench --bench speed`, or `-- WORD…` for the rows whose name has one.
//!
//! Each row stands beside what latency and throttling make necessary (`row` computes it) and beside a
//! script over httpx that a person would write instead, both against the same emulator. It prints
//! Markdown and writes JSON (`-- --json FILE` says where); `-- --docs` puts what it prints into
//! `docs/performance.md`. Machines are noisy: compare what one call has printed.

#![allow(
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]
#![allow(clippy::print_stdout, reason = "its table is what it is for")]

mod child;
mod fleet;
mod measure;
mod offline;
mod row;
mod script;
#[path = "../it/support/served.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod served;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use measure::{ENOUGH, HEADER, RUNS, measure};
use row::{LATENCY, ROWS, Row};
use script::Script;

fn main() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join("bench");
    fs::create_dir_all(&folder).unwrap();
    let asked = Asked::from(std::env::args().skip(1), folder.join("speed.json"));

    let mut told = Told::default();
    let mut json = Map::new();
    let rows: Vec<_> = ROWS.iter().filter(|row| asked.wants(row.name)).collect();
    if !rows.is_empty() {
        let rows = table(&rows, Script::prepare(&folder), &mut told);
        json.insert("rows".to_owned(), rows.into());
    }
    for alone in offline::ALONE.iter().filter(|alone| asked.wants(alone.name)) {
        let measured = (alone.measure)();
        told.line(&format!("- {}", measured.line));
        json.insert(alone.name.to_owned(), measured.json);
    }
    fs::write(&asked.json, format!("{:#}\n", json!(json))).unwrap();
    if asked.docs {
        told.into_docs();
    }
}

/// Measures rows and tells them as they come.
fn table(rows: &[&Row], script: Result<Script, String>, told: &mut Told) -> Vec<Value> {
    let (latency, enough) = (LATENCY.as_millis(), ENOUGH.as_secs());
    told.line(&format!(
        "{latency} ms latency, medians of {RUNS} runs or of those begun within {enough} s, on {}:\n",
        machine()
    ));
    told.line(HEADER);
    let measured = rows.iter().map(|row| {
        let measured = measure(row, script.as_ref());
        told.line(&measured.line);
        measured.json
    });
    let measured = measured.collect();
    told.line("");
    if let Err(why) = &script {
        told.line(&format!("The script over httpx was not run: {why}.\n"));
    }
    measured
}

/// The processors, and how many threads want one: more than there are makes all times longer.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().map(|load| format!(" at a load of {load}"));
    format!("{cores} cores{}", load.unwrap_or_default())
}

/// What was printed.
#[derive(Default)]
struct Told(String);

impl Told {
    fn line(&mut self, line: &str) {
        println!("{line}");
        self.0 += line;
        self.0.push('\n');
    }

    /// Writes it between the two comments of `docs/performance.md`.
    fn into_docs(self) {
        const BEGIN: &str = "<!-- Written by `cargo bench --bench speed -- --docs`. -->\n";
        const END: &str = "<!-- Until here. -->\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");
        let text = fs::read_to_string(path).unwrap();
        let (before, rest) = text.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        fs::write(path, format!("{before}{BEGIN}\n{}\n{END}{after}", self.0.trim_end())).unwrap();
    }
}

/// What the command line asks for.
struct Asked {
    words: Vec<String>,
    json: PathBuf,
    docs: bool,
}

impl Asked {
    /// Cargo adds `--bench` to what is written.
    fn from(arguments: impl Iterator<Item = String>, json: PathBuf) -> Self {
        let mut asked = Self { words: Vec::new(), json, docs: false };
        let mut arguments = arguments.filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--json" => asked.json = arguments.next().expect("`--json` takes a file").into(),
                "--docs" => asked.docs = true,
                option if option.starts_with('-') => {
                    panic!("`{option}`: there are `--json FILE`, `--docs` and words of rows")
                }
                _ => asked.words.push(argument),
            }
        }
        assert!(!asked.docs || asked.words.is_empty(), "`--docs` takes all rows");
        asked
    }

    fn wants(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word.as_str()))
    }
}
