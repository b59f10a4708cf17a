//! Oracle of the campaign: checks output, requests and effects of a run against the tenant, without
//! code of the planner under test.

mod drift;
mod export;
mod invariants;
mod observed_faults;
mod plan;
mod plan_target;
mod report;
mod stdout;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

pub use verdict::{Verdict, expected_exit, tenant_verdicts};

use super::desired_file::Change;
use super::process::ProcessResult;
use super::scenario::{Command, ProcessEvent, Scenario};
use super::service_fault::segment;
use super::sign_in::SignIn;
use super::tenant_model::{BindingKey, Bindings};
use crate::support::Outcome;
use crate::support::faulty_proxy::WireFault;

/// Everything recorded about a run.
pub struct Evidence<'a> {
    pub scenario: &'a Scenario,
    pub result: ProcessResult,
    /// Bindings of the tenant after the run.
    pub actual_state: Bindings,
    /// Journal of the sandbox.
    pub journal: Vec<Value>,
    /// Graph URL of the run.
    pub url: String,
    /// Wire faults that took effect.
    pub wire_faults: Vec<WireFault>,
    /// Number of connections to the proxy.
    pub connections: usize,
    /// Time at which the proxy began to listen, if it did.
    pub listening_since: Option<Instant>,
    /// Number of requests over HTTP/2.
    pub http2_requests: usize,
    /// Number of requests rejected because of their token.
    pub rejected_requests: usize,
    /// Number of requests to token endpoints.
    pub token_requests: usize,
    /// Plan or report that was written to a file.
    pub written: Option<String>,
    /// All files after the run, by path.
    pub files: BTreeMap<String, String>,
}

impl Evidence<'_> {
    /// Checks all expectations.
    pub fn check(&self) -> Result<()> {
        self.check_invariants().context("invariants")?;
        self.check_stop().context("the stop")?;
        if matches!(self.scenario.sign_in, SignIn::Rejected(_)) {
            ensure!(self.requests() + self.rejected_requests == 0, "Graph requests without a sign-in");
        }
        let allowed = self.allowed_changes();
        self.check_requests(&allowed).context("requests")?;
        self.check_tenant(&allowed).context("the tenant")?;
        if self.scenario.must_fail() && !self.was_signalled() {
            ensure!(self.result.code == Some(1), "expected exit code 1 of a run that cannot start");
        }
        match self.scenario.command {
            Command::Apply(_) => self.check_report().context("the report"),
            Command::Plan { .. } | Command::Drift { .. } => self.check_plan().context("the plan"),
            Command::Export { snapshot } => self.check_export(snapshot).context("the export"),
        }
    }

    /// Returns the changes that the run may make.
    fn allowed_changes(&self) -> BTreeMap<BindingKey, Change> {
        let scenario = self.scenario;
        if !scenario.is_apply() || scenario.must_fail() {
            return BTreeMap::new();
        }
        let verdicts = scenario.expected_verdicts();
        let planned = scenario.planned();
        let open = scenario
            .files
            .iter()
            .zip(&planned)
            .filter(|(file, _)| verdicts[file.tenant] == Verdict::Applicable);
        let changes = open.flat_map(|(_, expected)| expected.changes.iter().cloned());
        changes.map(|change| (change.key.clone(), change)).collect()
    }

    /// Checks that the run sent only reads and the PUT requests of allowed changes, each as documented.
    fn check_requests(&self, allowed: &BTreeMap<BindingKey, Change>) -> Result<()> {
        let mut tags = BTreeSet::new();
        for entry in &self.journal {
            let text = |key: &str| entry[key].as_str().unwrap_or_default();
            let path = text("path");
            ensure!(text("authorization") == "Bearer ***", "no token: {entry}");
            let in_batch = !entry["batch"].is_null();
            ensure!(
                in_batch || tags.insert(text("clientRequestId")),
                "client-request-id of another request: {entry}"
            );
            match text("method") {
                "GET" => {}
                "POST" => {
                    ensure!(path.ends_with("/$batch") && !in_batch, "unexpected request: {entry}")
                }
                "PUT" => {
                    ensure!(!in_batch, "PUT in a batch: {entry}");
                    let key =
                        self.binding_of(path).with_context(|| format!("not the path of a step: {entry}"))?;
                    let change =
                        allowed.get(&key).with_context(|| format!("change is not allowed: {entry}"))?;
                    ensure!(text("contentType") == "application/json", "{entry}");
                    ensure!(entry["body"] == self.body_of(change), "body differs from the plan: {entry}");
                }
                _ => anyhow::bail!("unexpected request: {entry}"),
            }
        }
        Ok(())
    }

    /// Returns the binding that a PUT path addresses.
    fn binding_of(&self, path: &str) -> Option<BindingKey> {
        let scenario = self.scenario;
        let collection = if scenario.model.is_b2c() { "b2cUserFlows" } else { "b2xUserFlows" };
        let rest = path.strip_prefix(&format!("/{}/identity/{collection}/", scenario.api()))?;
        let (flow, step) = rest.strip_suffix("/$ref")?.split_once("/apiConnectorConfiguration/")?;
        let flow = scenario.model.flows.iter().find(|known| segment(known) == flow)?;
        Some((flow.clone(), step.parse().ok()?))
    }

    fn body_of(&self, change: &Change) -> Value {
        match &change.to {
            Some(id) => json!({"@odata.id": format!("{}/identity/apiConnectors/{id}", self.url)}),
            None => json!({}),
        }
    }

    /// Checks that every changed binding has its planned value.
    fn check_tenant(&self, allowed: &BTreeMap<BindingKey, Change>) -> Result<()> {
        for (key, was) in &self.scenario.initial_bindings() {
            let is = &self.actual_state[key];
            if is != was {
                let change = allowed.get(key).with_context(|| format!("change of {key:?} is not allowed"))?;
                ensure!(*is == change.to, "{key:?} is now {is:?}: {change:?}");
            }
        }
        Ok(())
    }

    /// Returns whether the exit code is predictable. On a slow machine a short-lived token may expire
    /// before its first use.
    fn is_predictable(&self) -> bool {
        let has_expired_tokens = self.scenario.sign_in == SignIn::ShortLived && self.rejected_requests > 0;
        self.scenario.is_predictable() && !has_expired_tokens
    }

    /// Returns all output, with the files appended to stdout.
    pub fn outcome(&self) -> Outcome {
        let mut stdout = self.result.stdout.clone();
        stdout.extend(self.written_files().map(|(_, text)| text.as_str()));
        Outcome { code: self.result.code.unwrap_or(-1), stdout, stderr: self.result.stderr.clone() }
    }

    fn requests(&self) -> usize {
        self.journal.len()
    }

    fn was_signalled(&self) -> bool {
        matches!(self.result.fired_event, Some(ProcessEvent::Signal(_)))
    }

    pub fn exit_status(&self) -> String {
        match (self.result.code, self.result.signal) {
            (Some(code), _) => format!("exit {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        }
    }

    /// Returns the plan or report from its file or from stdout, `None` if there is neither.
    fn document(&self) -> Result<Option<Value>> {
        let text = match &self.written {
            Some(written) => written,
            None if self.scenario.json && !self.result.stdout.is_empty() => &self.result.stdout,
            None => return Ok(None),
        };
        Ok(Some(serde_json::from_str(text).context("incomplete document")?))
    }
}

/// Returns the key of a binding in a document.
fn binding_key(change: &Value) -> Result<BindingKey> {
    let step = change["step"].as_str().context("no step")?.parse()?;
    Ok((change["flow"].as_str().context("no flow")?.to_owned(), step))
}

/// Returns the id of a connector in a document.
fn id(connector: &Value) -> Option<String> {
    connector["id"].as_str().map(str::to_owned)
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

impl fmt::Display for Evidence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, result, journal, wire_faults, written, files, actual_state, .. } = self;
        writeln!(f, "{scenario:#?}")?;
        for (name, text) in files.iter().filter(|(name, _)| name.starts_with("desired/")) {
            writeln!(f, "--- {name}\n{text}")?;
        }
        writeln!(
            f,
            "--- code {:?}, signal {:?}, fired_event {:?}",
            result.code, result.signal, result.fired_event
        )?;
        writeln!(f, "--- stdout\n{}--- stderr\n{}", result.stdout, result.stderr)?;
        writeln!(f, "--- output file\n{}", written.as_deref().unwrap_or("none"))?;
        writeln!(f, "--- observed wire faults {wire_faults:?}\n--- requests")?;
        for entry in journal {
            let field = |key: &str| entry[key].as_str().unwrap_or("-").to_owned();
            let line = [field("method"), field("path"), entry["status"].to_string(), field("fault")];
            writeln!(f, "{} {}", line.join(" "), entry["body"])?;
        }
        writeln!(f, "--- changed bindings")?;
        for (key, was) in scenario.initial_bindings() {
            if actual_state[&key] != was {
                writeln!(f, "{key:?}: {was:?} → {:?}", actual_state[&key])?;
            }
        }
        Ok(())
    }
}
