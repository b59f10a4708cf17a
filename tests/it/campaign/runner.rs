//! Runs a scenario: the earlier plan if it needs one, the run with faults, and reruns without faults.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, Result, ensure};
use flowbind::sandbox::Options;

use super::arguments::strings;
use super::oracle::{Evidence, Verdict, expected_exit, tenant_verdicts};
use super::process::{Process, ProcessResult};
use super::scenario::{OutputFault, Scenario, Tls};
use super::sign_in::SignInService;
use super::tenant_model::{Bindings, bindings};
use super::tls::TlsAcceptors;
use crate::support::faulty_proxy::FaultyProxy;
use crate::support::{SandboxServer, file, folder, path_below, serve};

/// Counts of one scenario.
pub struct ScenarioResult {
    pub command: &'static str,
    pub exit_status: String,
    pub outcomes: BTreeMap<String, usize>,
    /// Injected faults that took effect.
    pub observed_faults: BTreeSet<String>,
    pub runs: usize,
    pub requests: usize,
}

/// Files, proxy and sign-in services of a scenario.
struct TestBed<'a> {
    scenario: &'a Scenario,
    folder: tempfile::TempDir,
    proxy: FaultyProxy,
    sign_in_service: Option<SignInService>,
    tls_acceptors: &'a TlsAcceptors,
}

/// Arguments of one run, and whether it has faults.
struct RunSpec {
    args: Vec<String>,
    /// Whether the faults of the scenario are left out.
    is_healthy: bool,
}

/// Runs a scenario and checks it with the oracle.
///
/// # Errors
/// The first violated expectation, with all evidence of the run.
pub fn run_scenario(scenario: &Scenario, tls_acceptors: &TlsAcceptors) -> Result<ScenarioResult> {
    let mut test_bed = TestBed::new(scenario, tls_acceptors);
    if scenario.needs_earlier_plan() {
        test_bed.make_earlier_plan().context("the earlier plan")?;
    }
    let served = test_bed.serve(&scenario.initial_bindings(), scenario.service.clone(), true);
    let spec = RunSpec { args: scenario.args(test_bed.folder.path())?, is_healthy: false };
    let result = test_bed.run(&spec, &served)?;
    let evidence = test_bed.evidence(result, &served);
    let details = evidence.to_string();
    evidence.check().with_context(|| details.clone())?;
    if let Some(sign_in_service) = &test_bed.sign_in_service {
        // Panics if the output contains a secret.
        sign_in_service.entra.assert_no_secret(&evidence.outcome());
    }
    let mut runs = 1 + usize::from(scenario.needs_earlier_plan());
    if scenario.is_apply() {
        test_bed.check_convergence(evidence.actual_state.clone()).with_context(|| details)?;
        runs += 2;
    } else if evidence.has_exported() {
        test_bed.check_exported_file(&evidence).with_context(|| details)?;
        runs += 1;
    }
    Ok(ScenarioResult {
        command: scenario.command.name(),
        exit_status: evidence.exit_status(),
        outcomes: evidence.outcomes(),
        observed_faults: evidence.observed_faults(),
        runs,
        requests: evidence.journal.len(),
    })
}

impl<'a> TestBed<'a> {
    fn new(scenario: &'a Scenario, tls_acceptors: &'a TlsAcceptors) -> Self {
        let folder = folder();
        for name in ["desired", "out"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        for (path, text) in scenario.files.iter().flat_map(|file| file.to_yaml(&scenario.model)) {
            file(folder.path(), &path, text);
        }
        #[cfg(unix)]
        if scenario.output == OutputFault::NotPermitted {
            let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o500);
            fs::set_permissions(folder.path().join("out"), permissions).unwrap();
        }
        let tls = tls_acceptors.acceptor(scenario.tls);
        let (proxy, sign_in_service) =
            (FaultyProxy::bind(tls, scenario.refused), SignInService::for_scenario(scenario));
        Self { scenario, folder, proxy, sign_in_service, tls_acceptors }
    }

    /// Starts a sandbox behind the proxy.
    fn serve(&self, bindings: &Bindings, service: Options, with_faults: bool) -> SandboxServer {
        let origin = Some(format!("{}://{}", self.scheme(!with_faults), self.proxy.address()));
        let served = serve(self.scenario.model.snapshot(bindings), Options { origin, ..service });
        self.proxy.set_upstream(
            served.address(),
            if with_faults { self.scenario.wire_faults.clone() } else { Vec::new() },
        );
        self.proxy.set_token_gate(
            self.sign_in_service.as_ref().filter(|_| with_faults).map(SignInService::token_gate),
        );
        served
    }

    fn scheme(&self, is_healthy: bool) -> &'static str {
        match self.scenario.tls {
            Tls::NotSpoken if !is_healthy => "https",
            Tls::NotSpoken | Tls::None => "http",
            Tls::Trusted | Tls::TrustedHttp2 | Tls::Untrusted | Tls::Expired | Tls::WrongHost => "https",
        }
    }

    fn url(&self, is_healthy: bool) -> String {
        format!("{}://{}/{}", self.scheme(is_healthy), self.proxy.address(), self.scenario.api())
    }

    fn make_earlier_plan(&mut self) -> Result<()> {
        let scenario = self.scenario;
        let served = self.serve(&scenario.model.bindings, healthy_service(), false);
        let mut args = strings(&["plan", "--out", "saved.json", "--timeout", "600"]);
        args.extend(scenario.override_flags(scenario.guards_lifted));
        args.extend(scenario.paths());
        let result = self.run(&RunSpec { args, is_healthy: true }, &served)?;
        let expected = scenario.expected(&scenario.model.bindings, scenario.guards_lifted);
        let exit = expected_exit(tenant_verdicts(&scenario.files, &expected).values().copied());
        ensure!(result.code == Some(exit), "expected exit code {exit}: {result:#?}");
        Ok(())
    }

    fn run(&self, RunSpec { args, is_healthy }: &RunSpec, served: &SandboxServer) -> Result<ProcessResult> {
        let scenario = self.scenario;
        let url = self.url(*is_healthy);
        let mut args = args.clone();
        args.extend(["--graph-url".to_owned(), url.clone()]);
        if url.starts_with("https") && (*is_healthy || scenario.tls != Tls::Untrusted) {
            args.extend(["--ca-file".to_owned(), self.tls_acceptors.ca_file().display().to_string()]);
        }
        let process = Process {
            args,
            folder: self.folder.path(),
            credential: match &self.sign_in_service {
                Some(sign_in_service) if !*is_healthy => sign_in_service.environment(),
                _ => vec![("FLOWBIND_ACCESS_TOKEN", scenario.token.clone())],
            },
            epoch: if *is_healthy { Scenario::EPOCH } else { scenario.epoch },
            output: if *is_healthy { OutputFault::None } else { scenario.output },
            process_event: scenario.process_event.filter(|_| !is_healthy),
            served,
        };
        let mut result = process.run()?;
        // Commands that change nothing end at once, like a process that is killed.
        if let Some(code @ (130 | 143)) = result.code
            && !self.scenario.is_apply()
        {
            (result.code, result.signal) = (None, Some(code - 128));
        }
        self.proxy.wait_until_idle();
        Ok(result)
    }

    fn evidence(&self, result: ProcessResult, served: &SandboxServer) -> Evidence<'a> {
        let name = if self.scenario.is_apply() { "out/report.json" } else { "out/plan.json" };
        let written = fs::read_to_string(self.folder.path().join(name)).ok();
        Evidence {
            scenario: self.scenario,
            actual_state: bindings(&served.actual_state()),
            journal: served.journal(),
            wire_faults: self.proxy.observed_faults(),
            connections: self.proxy.connections(),
            listening_since: self.proxy.listening_since(),
            http2_requests: self.proxy.http2_requests(),
            rejected_requests: self.proxy.rejected_requests(),
            token_requests: self
                .sign_in_service
                .as_ref()
                .map(SignInService::token_requests)
                .unwrap_or_default(),
            url: self.url(false),
            written,
            files: self.all_files(),
            result,
        }
    }

    /// Returns every file below the folder with its text.
    fn all_files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        for folder in ["", "out", "desired"] {
            let Ok(entries) = fs::read_dir(self.folder.path().join(folder)) else { continue };
            for entry in entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
                let name = path_below(self.folder.path(), &entry);
                files.insert(name, String::from_utf8_lossy(&fs::read(&entry).unwrap()).into_owned());
            }
        }
        files
    }

    /// Makes the proxy reachable and trusted.
    fn repair_connection(&mut self) {
        self.proxy.start_listening();
        if self.scheme(true) == "https" {
            self.proxy.set_tls(self.tls_acceptors.trusted());
        }
    }

    /// Applies the files twice without faults. The first run makes the missing changes, the second
    /// sends no PUT.
    fn check_convergence(&mut self, actual_state: Bindings) -> Result<()> {
        let scenario = self.scenario;
        self.repair_connection();
        let mut args = strings(&["apply", "--yes", "--timeout", "600", "--verify-timeout", "300"]);
        args.extend(scenario.override_flags(true));
        args.extend(scenario.paths());
        let spec = RunSpec { args, is_healthy: true };

        let expected = scenario.expected(&actual_state, true);
        let verdicts = tenant_verdicts(&scenario.files, &expected);
        let exit = expected_exit(verdicts.values().copied());
        let applicable = scenario
            .files
            .iter()
            .zip(&expected)
            .filter(|(file, _)| verdicts[file.tenant] == Verdict::Applicable);
        let changes: Vec<_> = applicable.flat_map(|(_, expected)| &expected.changes).collect();
        let mut desired = actual_state.clone();
        desired.extend(changes.iter().map(|change| (change.key.clone(), change.to.clone())));

        let served = self.serve(&actual_state, healthy_service(), false);
        let result = self.run(&spec, &served)?;
        ensure!(result.code == Some(exit), "expected exit code {exit} of the rerun: {result:#?}");
        ensure!(
            bindings(&served.actual_state()) == desired,
            "the rerun did not reach the desired state: {result:#?}"
        );
        ensure!(served.puts() == changes.len(), "the rerun sent {} PUTs: {result:#?}", served.puts());
        let result = self.run(&spec, &served)?;
        ensure!(result.code == Some(exit), "expected exit code {exit} of the second rerun: {result:#?}");
        ensure!(served.puts() == changes.len(), "the second rerun sent a PUT: {result:#?}");
        Ok(())
    }

    /// Checks that `drift --strict` finds no difference between the exported file and the tenant, except at a step
    /// that was not exported.
    fn check_exported_file(&mut self, evidence: &Evidence<'_>) -> Result<()> {
        self.repair_connection();
        file(self.folder.path(), "exported.yaml", &evidence.result.stdout);
        let served = self.serve(&evidence.actual_state, healthy_service(), false);
        let spec = RunSpec {
            args: strings(&["drift", "--strict", "exported.yaml", "--timeout", "600"]),
            is_healthy: true,
        };
        let result = self.run(&spec, &served)?;
        let exit = if evidence.leaves_out_bindings() { 2 } else { 0 };
        ensure!(result.code == Some(exit), "the exported file differs from the tenant: {result:#?}");
        Ok(())
    }
}

/// Options of a service without faults.
fn healthy_service() -> Options {
    Options { page_size: 3, ..Options::default() }
}
