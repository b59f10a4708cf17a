//! Whether what a run said is what the tenant had, and whether it did what it may and no more.

mod export;
mod manners;
mod plan;
mod printed;
mod report;
mod struck;
mod target;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use flowbind::snapshot::Step;
use serde_json::{Value, json};

pub use verdict::{Verdict, exit_of, verdicts};

use super::fault::segment;
use super::file::Change;
use super::login::SignIn;
use super::process::Ended;
use super::scenario::{Command, Event, Scenario};
use super::world::{Bindings, Place};
use crate::support::Outcome;
use crate::support::line::Kink;

/// All that is known of a run.
pub struct Evidence<'a> {
    pub scenario: &'a Scenario,
    pub ended: Ended,
    /// What the tenant truly has after it.
    pub truth: Bindings,
    /// What the service was asked.
    pub journal: Vec<Value>,
    /// The root that it was asked by.
    pub url: String,
    /// What connections ran into.
    pub kinks: Vec<Kink>,
    /// How many connections there were.
    pub connections: usize,
    /// When the wire began to take connections, if it did.
    pub opened: Option<Instant>,
    /// How many requests came over HTTP/2.
    pub over_http2: usize,
    /// How many requests were turned away for their token.
    pub turned_away: usize,
    /// How often a token was asked for.
    pub logins: usize,
    /// The plan or the report that was written to a file.
    pub written: Option<String>,
    /// Every file that is there after it.
    pub files: BTreeMap<String, String>,
}

impl Evidence<'_> {
    /// Checks all that has to hold.
    pub fn check(&self) -> Result<()> {
        self.check_manners().context("manners")?;
        self.check_stop().context("the stop")?;
        if matches!(self.scenario.sign_in, SignIn::Refused(_)) {
            ensure!(self.requests() + self.turned_away == 0, "nobody signed in, and Graph was asked");
        }
        let may_write = self.allowed();
        self.check_requests(&may_write).context("requests")?;
        self.check_tenant(&may_write).context("the tenant")?;
        if self.scenario.is_hopeless() && !self.was_signalled() {
            ensure!(self.ended.code == Some(1), "a run that cannot begin ends with 1");
        }
        match self.scenario.command {
            Command::Apply(_) => self.check_report().context("the report"),
            Command::Plan { .. } | Command::Drift { .. } => self.check_plan().context("the plan"),
            Command::Export { snapshot } => self.check_export(snapshot).context("the export"),
        }
    }

    /// The changes that the run may make, by their places: none where it must not write.
    fn allowed(&self) -> BTreeMap<Place, Change> {
        let scenario = self.scenario;
        if !scenario.is_apply() || scenario.is_hopeless() {
            return BTreeMap::new();
        }
        let verdicts = scenario.verdicts();
        let planned = scenario.planned();
        let open =
            scenario.files.iter().zip(&planned).filter(|(file, _)| verdicts[file.tenant] == Verdict::Open);
        let changes = open.flat_map(|(_, expected)| expected.changes.iter().cloned());
        changes.map(|change| (change.place.clone(), change)).collect()
    }

    /// Only reads, and the PUTs of changes that may be made, each as the documentation says.
    fn check_requests(&self, allowed: &BTreeMap<Place, Change>) -> Result<()> {
        let mut tags = BTreeSet::new();
        for entry in &self.journal {
            let text = |key: &str| entry[key].as_str().unwrap_or_default();
            let path = text("path");
            ensure!(text("authorization") == "Bearer ***", "without a token: {entry}");
            let in_batch = !entry["batch"].is_null();
            ensure!(in_batch || tags.insert(text("clientRequestId")), "the tag of another request: {entry}");
            match text("method") {
                "GET" => {}
                "POST" => {
                    ensure!(path.ends_with("/$batch") && !in_batch, "no such request is known: {entry}")
                }
                "PUT" => {
                    ensure!(!in_batch, "a change in a batch: {entry}");
                    let place =
                        self.place_of(path).with_context(|| format!("not the path of a step: {entry}"))?;
                    let change =
                        allowed.get(&place).with_context(|| format!("not to be changed: {entry}"))?;
                    ensure!(text("contentType") == "application/json", "{entry}");
                    ensure!(entry["body"] == self.body_of(change), "not as planned: {entry}");
                }
                _ => anyhow::bail!("no such request is known: {entry}"),
            }
        }
        Ok(())
    }

    /// The step that a PUT is about.
    fn place_of(&self, path: &str) -> Option<Place> {
        let scenario = self.scenario;
        let collection = if scenario.world.is_b2c() { "b2cUserFlows" } else { "b2xUserFlows" };
        let rest = path.strip_prefix(&format!("/{}/identity/{collection}/", scenario.api()))?;
        let (flow, step) = rest.strip_suffix("/$ref")?.split_once("/apiConnectorConfiguration/")?;
        let flow = scenario.world.flows.iter().find(|known| segment(known) == flow)?;
        Some((flow.clone(), Step::from_name(step)?))
    }

    fn body_of(&self, change: &Change) -> Value {
        match &change.to {
            Some(id) => json!({"@odata.id": format!("{}/identity/apiConnectors/{id}", self.url)}),
            None => json!({}),
        }
    }

    /// What changed has become what it was to become.
    fn check_tenant(&self, allowed: &BTreeMap<Place, Change>) -> Result<()> {
        for (place, was) in &self.scenario.met() {
            let is = &self.truth[place];
            if is != was {
                let change =
                    allowed.get(place).with_context(|| format!("{place:?} was not to be changed"))?;
                ensure!(*is == change.to, "{place:?} has become {is:?}: {change:?}");
            }
        }
        Ok(())
    }

    /// Whether it has to end with what is foreseen. A token that lives for seconds may be too old twice
    /// where the machine stands still.
    fn is_certain(&self) -> bool {
        let late = self.scenario.sign_in == SignIn::ShortLived && self.turned_away > 0;
        self.scenario.is_certain() && !late
    }

    /// All that it told, in files too.
    pub fn outcome(&self) -> Outcome {
        let mut stdout = self.ended.stdout.clone();
        stdout.extend(self.written_files().map(|(_, text)| text.as_str()));
        Outcome { code: self.ended.code.unwrap_or(-1), stdout, stderr: self.ended.stderr.clone() }
    }

    fn requests(&self) -> usize {
        self.journal.len()
    }

    fn was_signalled(&self) -> bool {
        matches!(self.ended.fired, Some(Event::Signal(_)))
    }

    pub fn ending(&self) -> String {
        match (self.ended.code, self.ended.signal) {
            (Some(code), _) => format!("exit {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        }
    }

    /// The plan or the report, from wherever it went. `None` where there is none.
    fn document(&self) -> Result<Option<Value>> {
        let text = match &self.written {
            Some(written) => written,
            None if self.scenario.json && !self.ended.stdout.is_empty() => &self.ended.stdout,
            None => return Ok(None),
        };
        Ok(Some(serde_json::from_str(text).context("half a document")?))
    }
}

/// A place that a document names.
fn place(change: &Value) -> Result<Place> {
    let step = change["step"].as_str().and_then(Step::from_name).context("a step")?;
    Ok((change["flow"].as_str().context("a flow")?.to_owned(), step))
}

/// The id of a connector that a document names.
fn id(connector: &Value) -> Option<String> {
    connector["id"].as_str().map(str::to_owned)
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

impl fmt::Display for Evidence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, ended, journal, kinks, written, files, truth, .. } = self;
        writeln!(f, "{scenario:#?}")?;
        for (name, text) in files.iter().filter(|(name, _)| name.starts_with("desired/")) {
            writeln!(f, "--- {name}\n{text}")?;
        }
        writeln!(f, "--- code {:?}, signal {:?}, fired {:?}", ended.code, ended.signal, ended.fired)?;
        writeln!(f, "--- stdout\n{}--- stderr\n{}", ended.stdout, ended.stderr)?;
        writeln!(f, "--- written\n{}", written.as_deref().unwrap_or("nothing"))?;
        writeln!(f, "--- connections met {kinks:?}\n--- the service was asked")?;
        for entry in journal {
            let word = |key: &str| entry[key].as_str().unwrap_or("-").to_owned();
            let line = [word("method"), word("path"), entry["status"].to_string(), word("fault")];
            writeln!(f, "{} {}", line.join(" "), entry["body"])?;
        }
        writeln!(f, "--- what is not as it was")?;
        for (place, was) in scenario.met() {
            if truth[&place] != was {
                writeln!(f, "{place:?}: {was:?} → {:?}", truth[&place])?;
            }
        }
        Ok(())
    }
}
