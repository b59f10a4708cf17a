//! A scenario from its beginning to the end: a plan where one is needed before, the run with all that
//! goes wrong, and runs in which nothing does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};
use flowbind::sandbox::Options;

use super::arguments::strings;
use super::authority::Authority;
use super::login::Login;
use super::oracle::{Evidence, Verdict, exit_of, verdicts};
use super::process::{Ended, Process};
use super::scenario::{OutputTrouble, Scenario, Tls};
use super::world::{Bindings, bindings};
use crate::support::line::Line;
use crate::support::{Served, file, folder, serve};

/// What is counted of a scenario that was played.
pub struct Played {
    pub command: &'static str,
    pub ending: String,
    pub outcomes: BTreeMap<String, usize>,
    /// What went wrong on purpose, and was met.
    pub struck: BTreeSet<String>,
    pub runs: usize,
    pub requests: usize,
}

/// A tenant that files are applied to, over a wire.
struct Stage<'a> {
    scenario: &'a Scenario,
    folder: tempfile::TempDir,
    line: Line,
    login: Option<Login>,
    authority: &'a Authority,
}

/// What one run needs besides the stage.
struct Act {
    args: Vec<String>,
    /// Whether the way to the tenant is a good one, whatever the scenario says.
    healthy: bool,
}

/// Plays a scenario.
///
/// # Errors
/// What is not as it has to be, with all that is known of the run.
pub fn play(scenario: &Scenario, authority: &Authority) -> Result<Played> {
    let mut stage = Stage::set(scenario, authority);
    if scenario.plans_before() {
        stage.plan_before().context("the plan before")?;
    }
    let served = stage.serve(&scenario.met(), scenario.service.clone(), true);
    let act = Act { args: scenario.args(stage.folder.path())?, healthy: false };
    let ended = stage.run(&act, &served)?;
    let evidence = stage.evidence(ended, &served);
    let told = evidence.to_string();
    evidence.check().with_context(|| told.clone())?;
    if let Some(login) = &stage.login {
        // It panics, and shows the secret.
        login.entra.assert_no_secret(&evidence.outcome());
    }
    let mut runs = 1 + usize::from(scenario.plans_before());
    if scenario.is_apply() {
        stage.converges(evidence.truth.clone()).with_context(|| told)?;
        runs += 2;
    } else if evidence.has_exported() {
        stage.exported(&evidence).with_context(|| told)?;
        runs += 1;
    }
    Ok(Played {
        command: scenario.command.name(),
        ending: evidence.ending(),
        outcomes: evidence.outcomes(),
        struck: evidence.struck(),
        runs,
        requests: evidence.journal.len(),
    })
}

impl<'a> Stage<'a> {
    fn set(scenario: &'a Scenario, authority: &'a Authority) -> Self {
        let folder = folder();
        for name in ["desired", "out"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        for (path, text) in scenario.files.iter().flat_map(|file| file.texts(&scenario.world)) {
            file(folder.path(), &path, text);
        }
        if scenario.output == OutputTrouble::NoRight {
            fs::set_permissions(folder.path().join("out"), Permissions::from_mode(0o500)).unwrap();
        }
        let tls = authority.acceptor(scenario.tls);
        let (line, login) = (Line::lay(tls, scenario.refused), Login::of(scenario));
        Self { scenario, folder, line, login, authority }
    }

    /// Serves a tenant at the end of the wire.
    fn serve(&self, bindings: &Bindings, service: Options, kinked: bool) -> Served {
        let origin = Some(format!("{}://{}", self.scheme(!kinked), self.line.address()));
        let served = serve(self.scenario.world.snapshot(bindings), Options { origin, ..service });
        self.line.lead(served.address(), if kinked { self.scenario.kinks.clone() } else { Vec::new() });
        self.line.guard(self.login.as_ref().filter(|_| kinked).map(Login::gate));
        served
    }

    fn scheme(&self, healthy: bool) -> &'static str {
        match self.scenario.tls {
            Tls::Missing if !healthy => "https",
            Tls::Missing | Tls::None => "http",
            Tls::Trusted | Tls::Http2 | Tls::Untrusted | Tls::Expired | Tls::Misnamed => "https",
        }
    }

    fn url(&self, healthy: bool) -> String {
        format!("{}://{}/{}", self.scheme(healthy), self.line.address(), self.scenario.api())
    }

    fn plan_before(&mut self) -> Result<()> {
        let scenario = self.scenario;
        let served = self.serve(&scenario.world.bindings, calm(), false);
        let mut args = strings(&["plan", "--out", "saved.json", "--timeout", "600"]);
        args.extend(scenario.allowances(scenario.lifted));
        args.extend(scenario.paths());
        let ended = self.run(&Act { args, healthy: true }, &served)?;
        let expected = scenario.expected(&scenario.world.bindings, scenario.lifted);
        let exit = exit_of(verdicts(&scenario.files, &expected).values().copied());
        ensure!(ended.code == Some(exit), "{exit} was to be expected: {ended:#?}");
        Ok(())
    }

    fn run(&self, Act { args, healthy }: &Act, served: &Served) -> Result<Ended> {
        let scenario = self.scenario;
        let url = self.url(*healthy);
        let mut args = args.clone();
        args.extend(["--graph-url".to_owned(), url.clone()]);
        if url.starts_with("https") && (*healthy || scenario.tls != Tls::Untrusted) {
            args.extend(["--ca-file".to_owned(), self.authority.ca_file().display().to_string()]);
        }
        let process = Process {
            args,
            folder: self.folder.path(),
            credential: match &self.login {
                Some(login) if !*healthy => login.environment(),
                _ => vec![("FLOWBIND_ACCESS_TOKEN", scenario.token.clone())],
            },
            epoch: if *healthy { Scenario::EPOCH } else { scenario.epoch },
            output: if *healthy { OutputTrouble::None } else { scenario.output },
            moment: scenario.moment.filter(|_| !healthy),
            served,
        };
        let ended = process.run()?;
        self.line.settle();
        Ok(ended)
    }

    fn evidence(&self, ended: Ended, served: &Served) -> Evidence<'a> {
        let name = if self.scenario.is_apply() { "out/report.json" } else { "out/plan.json" };
        let written = fs::read_to_string(self.folder.path().join(name)).ok();
        Evidence {
            scenario: self.scenario,
            truth: bindings(&served.truth()),
            journal: served.journal(),
            kinks: self.line.met(),
            connections: self.line.connections(),
            opened: self.line.opened(),
            over_http2: self.line.over_http2(),
            turned_away: self.line.turned_away(),
            logins: self.login.as_ref().map(Login::asked).unwrap_or_default(),
            url: self.url(false),
            written,
            files: self.all_files(),
            ended,
        }
    }

    /// Every file below the folder, with what it holds.
    fn all_files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        for folder in ["", "out", "desired"] {
            let Ok(entries) = fs::read_dir(self.folder.path().join(folder)) else { continue };
            for entry in entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
                let name = entry.strip_prefix(self.folder.path()).unwrap().display().to_string();
                files.insert(name, String::from_utf8_lossy(&fs::read(&entry).unwrap()).into_owned());
            }
        }
        files
    }

    /// Makes the way to the tenant a good one.
    fn heal(&mut self) {
        self.line.open();
        if self.scheme(true) == "https" {
            self.line.speak(self.authority.good());
        }
    }

    /// Applies the files twice with nothing in the way: the first time makes what is missing, the
    /// second sends nothing.
    fn converges(&mut self, truth: Bindings) -> Result<()> {
        let scenario = self.scenario;
        self.heal();
        let mut args = strings(&["apply", "--yes", "--timeout", "600", "--verify-timeout", "300"]);
        args.extend(scenario.allowances(true));
        args.extend(scenario.paths());
        let act = Act { args, healthy: true };

        let expected = scenario.expected(&truth, true);
        let verdicts = verdicts(&scenario.files, &expected);
        let exit = exit_of(verdicts.values().copied());
        let open =
            scenario.files.iter().zip(&expected).filter(|(file, _)| verdicts[file.tenant] == Verdict::Open);
        let changes: Vec<_> = open.flat_map(|(_, expected)| &expected.changes).collect();
        let mut wanted = truth.clone();
        wanted.extend(changes.iter().map(|change| (change.place.clone(), change.to.clone())));

        let served = self.serve(&truth, calm(), false);
        let ended = self.run(&act, &served)?;
        ensure!(ended.code == Some(exit), "the rerun was to end with {exit}: {ended:#?}");
        ensure!(bindings(&served.truth()) == wanted, "the rerun has not made what is wanted: {ended:#?}");
        ensure!(served.puts() == changes.len(), "the rerun sent {} PUTs: {ended:#?}", served.puts());
        let ended = self.run(&act, &served)?;
        ensure!(ended.code == Some(exit), "the second rerun was to end with {exit}: {ended:#?}");
        ensure!(served.puts() == changes.len(), "the second rerun sent a PUT: {ended:#?}");
        Ok(())
    }

    /// The plan of what was exported is empty, and nothing is bound that is not in it.
    fn exported(&mut self, evidence: &Evidence<'_>) -> Result<()> {
        self.heal();
        file(self.folder.path(), "exported.yaml", &evidence.ended.stdout);
        let served = self.serve(&evidence.truth, calm(), false);
        let act =
            Act { args: strings(&["drift", "--strict", "exported.yaml", "--timeout", "600"]), healthy: true };
        let ended = self.run(&act, &served)?;
        ensure!(ended.code == Some(0), "what was exported is not what is there: {ended:#?}");
        Ok(())
    }
}

/// A service that does all that it is asked.
fn calm() -> Options {
    Options { page_size: 3, ..Options::default() }
}
