//! Randomly generated scenario: a tenant, files, a command and faults. The same seed gives the same
//! scenario.

use std::time::Duration;

use flowbind::sandbox::Options;
use flowbind::snapshot::Step;
use strum::VariantArray as _;

use super::desired_file::DesiredFile;
use super::environment_fault::process_event;
pub use super::environment_fault::{OutputFault, ProcessEvent, Tls, Trigger};
use super::rng::SeededRng;
use super::service_fault;
use super::sign_in::SignIn;
use super::targeted_fault::TargetedFault;
use super::tenant_model::{BindingKey, Bindings, TenantModel};
use crate::support::faulty_proxy::WireFault;

/// Tenant, files, command and faults of a run.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub token: String,
    pub model: TenantModel,
    pub files: Vec<DesiredFile>,
    pub command: Command,
    /// Additional flags of the command.
    pub flags: Vec<String>,
    /// Whether all guards are overridden by flags.
    pub guards_lifted: bool,
    /// Whether the command gets the folder of the files instead of the files.
    pub by_folder: bool,
    pub json: bool,
    /// Bindings that change between an earlier plan and the run that applies it.
    pub out_of_band_changes: Vec<(BindingKey, Option<String>)>,
    pub service: Options,
    pub tls: Tls,
    pub sign_in: SignIn,
    /// Time during which every connection is refused.
    pub refused: Duration,
    pub wire_faults: Vec<Option<WireFault>>,
    pub process_event: Option<(ProcessEvent, Trigger)>,
    pub output: OutputFault,
    pub epoch: &'static str,
}

/// Command of the run under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Plan { detailed: bool },
    Apply(Approval),
    Drift { strict: bool },
    Export { snapshot: bool },
}

/// How the changes of `apply` are approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    Yes,
    /// Not approved: stdin is not a terminal.
    NotGiven,
    /// `--plan` with an earlier plan.
    SavedPlan,
    /// `--expect` with the fingerprint of an earlier plan.
    Fingerprint,
    /// `--expect` with the fingerprint of another plan.
    WrongFingerprint,
}

impl Scenario {
    /// Default value of `SOURCE_DATE_EPOCH`.
    pub const EPOCH: &'static str = "1793606400";

    pub fn new(seed: u64) -> Self {
        let mut rng = SeededRng::new(seed);
        // A second generator, so that additions do not change what the first one generates.
        let mut extra_rng = SeededRng::new(!seed);
        let mut scenario = Self::generate(seed, &mut rng, &mut extra_rng);
        if let Some(fault) = TargetedFault::for_seed(seed) {
            while !(fault.applies_to)(&scenario) {
                scenario = Self::generate(seed, &mut rng, &mut extra_rng);
            }
            scenario.clear_faults();
            (fault.inject)(&mut scenario, &mut extra_rng);
        }
        scenario.resolve_conflicts();
        scenario
    }

    /// Generates a scenario with random faults.
    fn generate(seed: u64, rng: &mut SeededRng, extra_rng: &mut SeededRng) -> Self {
        let token = format!("secret-of-{seed}-{}", rng.guid());
        let model = TenantModel::generate(rng);
        let has_v1 = !model.is_b2c() && ["global", "china"].contains(&model.cloud.name());
        let api = if has_v1 && rng.chance(40) { "v1.0" } else { "beta" };
        let number = if rng.chance(70) { 1 } else { 2 + rng.below(2) };
        let files: Vec<_> =
            (0..number).map(|at| DesiredFile::generate(rng, &model, at, number, api)).collect();
        let command = Command::generate(rng);
        let flags = flags(rng, command);
        let takes_guards = matches!(command, Command::Plan { .. } | Command::Apply(_));
        let guards_lifted = rng.chance(30) && takes_guards;
        let (by_folder, json) = (rng.chance(30), rng.chance(40));
        let out_of_band_changes = out_of_band_changes(rng, &model);
        // Most runs have faults at one layer only; some have none.
        let (has_service_faults, has_wire_faults, has_process_faults) = match rng.below(20) {
            0 => (false, false, false),
            1..10 => (true, false, rng.chance(25)),
            10..14 => (false, true, rng.chance(25)),
            14..17 => (true, true, rng.chance(50)),
            _ => (rng.chance(50), false, true),
        };
        let listed: usize = files.iter().map(|file| file.flows.len()).sum();
        let reads = matches!(command, Command::Apply(_)).then_some(listed + 1);
        let service = service_fault::service(rng, &model, &token, reads);
        let without_faults =
            Options { page_size: service.page_size, latency: service.latency, ..Options::default() };
        let service = if has_service_faults { service } else { without_faults };
        let tls = match rng.below(20) {
            0..2 => Tls::Trusted,
            2 if has_wire_faults => Tls::Untrusted,
            3 if has_wire_faults => Tls::NotSpoken,
            _ => Tls::None,
        };
        let refused = match rng.below(10) {
            0 => Duration::from_millis(rng.below(3000) as u64),
            1 if rng.chance(40) => Duration::from_secs(60),
            _ => Duration::ZERO,
        };
        let wire_faults = service_fault::wire_faults(rng);
        let (process_event, output) = if rng.chance(60) {
            (Some(process_event(rng)), OutputFault::None)
        } else {
            (None, OutputFault::generate(rng))
        };
        let mut scenario = Self {
            token,
            model,
            files,
            command,
            flags,
            guards_lifted,
            by_folder,
            json,
            out_of_band_changes,
            service,
            tls,
            sign_in: SignIn::StaticToken,
            refused: if has_wire_faults { refused } else { Duration::ZERO },
            wire_faults: if has_wire_faults { wire_faults } else { Vec::new() },
            process_event: process_event.filter(|_| has_process_faults),
            output: if has_process_faults { output } else { OutputFault::None },
            epoch: match rng.below(60) {
                0 => "0",
                1 => "-62135596800",
                2 => "253402207200",
                3 => "soon",
                _ => Self::EPOCH,
            },
        };
        if !scenario.needs_earlier_plan() {
            scenario.out_of_band_changes.clear();
        }
        scenario.reduce_to_transient_fault(extra_rng);
        scenario.vary_tls(extra_rng);
        scenario.sign_in(SignIn::generate(extra_rng));
        scenario
    }

    /// Replaces the faults of some runs by one transient fault, which every run must overcome.
    fn reduce_to_transient_fault(&mut self, rng: &mut SeededRng) {
        if !rng.chance(12) {
            return;
        }
        (self.process_event, self.output, self.refused) = (None, OutputFault::None, Duration::ZERO);
        if !self.tls.is_usable() {
            self.tls = Tls::None;
        }
        let Options { page_size, latency, .. } = self.service;
        self.service = Options { page_size, latency, ..Options::default() };
        self.wire_faults.clear();
        if rng.chance(30) {
            self.wire_faults = vec![None; rng.below(3)];
            self.wire_faults.push(Some(service_fault::broken_connection(rng)));
        } else {
            let reads = self.is_apply().then_some(self.listed_flows() + 1);
            self.service.faults = vec![service_fault::transient(rng, &self.model, &self.token, reads)];
        }
    }

    /// Lets some runs use HTTP/2 or get an invalid certificate.
    fn vary_tls(&mut self, rng: &mut SeededRng) {
        self.tls = match (self.tls, rng.below(100)) {
            (Tls::Trusted, 0..50) | (Tls::None, 0..8) => Tls::TrustedHttp2,
            (Tls::None, 8..18) if !self.is_predictable() => *rng.pick(&[Tls::Expired, Tls::WrongHost]),
            (tls, _) => tls,
        };
    }

    pub fn sign_in(&mut self, sign_in: SignIn) {
        self.sign_in = sign_in;
        if sign_in == SignIn::ShortLived {
            // The run must take longer than the lifetime of a token.
            self.service.latency = Duration::from_millis(150);
            self.limit_to_one_in_flight();
        }
    }

    /// Sets `--parallelism 1`.
    pub fn limit_to_one_in_flight(&mut self) {
        match self.flags.iter().position(|flag| flag == "--parallelism") {
            Some(at) => self.flags[at + 1] = "1".to_owned(),
            None => self.flags.extend(["--parallelism", "1"].map(str::to_owned)),
        }
    }

    /// Returns the number of flows in all files.
    fn listed_flows(&self) -> usize {
        self.files.iter().map(|file| file.flows.len()).sum()
    }

    /// Removes faults that cannot be combined, or that this system does not have.
    fn resolve_conflicts(&mut self) {
        self.process_event = self.process_event.filter(|(event, _)| event.is_possible());
        if !self.output.is_possible() {
            self.output = OutputFault::None;
        }
        if self.needs_earlier_plan() {
            // The earlier plan uses the same proxy.
            (self.refused, self.tls) = (Duration::ZERO, Tls::None);
        }
        if self.is_export() {
            // An export prints to stdout and writes no file.
            self.json = false;
            for file in &mut self.files {
                file.unknown_name = None;
            }
            if matches!(self.process_event, Some((ProcessEvent::OutputFolderRemoved, _))) {
                self.process_event = None;
            }
            if !matches!(self.output, OutputFault::StdoutFull | OutputFault::StdoutClosed) {
                self.output = OutputFault::None;
            }
        }
        let loses_file = self.output.blocks_left().is_some()
            || matches!(self.process_event, Some((ProcessEvent::OutputFolderRemoved, _)));
        // The oracle needs the report on stdout if the file is lost.
        self.json |= loses_file && !self.is_export();
        self.json &= !matches!(self.output, OutputFault::StdoutFull | OutputFault::StdoutClosed);
        // Without permanent faults, a slow machine must not cause a timeout.
        if self.is_predictable() {
            for at in 1..self.flags.len() {
                if self.flags[at - 1].ends_with("timeout") {
                    self.flags[at] = "600".to_owned();
                }
            }
        }
    }

    /// Returns whether a plan is made before the run.
    pub fn needs_earlier_plan(&self) -> bool {
        matches!(
            self.command,
            Command::Apply(Approval::SavedPlan | Approval::Fingerprint | Approval::WrongFingerprint)
        )
    }

    pub fn is_export(&self) -> bool {
        matches!(self.command, Command::Export { .. })
    }

    pub fn is_apply(&self) -> bool {
        matches!(self.command, Command::Apply(_))
    }

    /// Returns the bindings at the start of the run under test.
    pub fn initial_bindings(&self) -> Bindings {
        let mut bindings = self.model.bindings.clone();
        bindings.extend(self.out_of_band_changes.iter().cloned());
        bindings
    }

    pub fn api(&self) -> &'static str {
        self.files[0].api
    }

    /// Returns whether the scenario has no faults.
    pub fn has_no_faults(&self) -> bool {
        self.has_only_request_faults() && self.has_no_request_faults() && self.sign_in == SignIn::StaticToken
    }

    /// Returns whether the only fault is one retryable response or one broken connection. A run with
    /// enough time ends as without it.
    pub fn has_one_transient_fault(&self) -> bool {
        let wire_faults: Vec<_> = self.wire_faults.iter().flatten().collect();
        let is_transient = match (self.service.faults.as_slice(), wire_faults.as_slice()) {
            ([fault], []) => service_fault::is_transient(fault),
            ([], [wire_fault]) => service_fault::breaks_connection(wire_fault),
            _ => false,
        };
        is_transient && self.has_only_request_faults()
    }

    /// Returns whether all faults are faults of single requests or connections.
    fn has_only_request_faults(&self) -> bool {
        let Options { throttle, fail, lag, .. } = &self.service;
        throttle.is_none()
            && *fail == 0.0
            && lag.is_zero()
            && self.tls.is_usable()
            && self.sign_in.is_transient()
            && self.refused.is_zero()
            && self.process_event.is_none()
            && self.output == OutputFault::None
            && self.epoch != "soon"
    }

    /// Returns whether no single request or connection has a fault.
    fn has_no_request_faults(&self) -> bool {
        self.service.faults.is_empty() && self.wire_faults.is_empty()
    }

    /// Returns whether the run must end with the exit code of a run without faults.
    pub fn is_predictable(&self) -> bool {
        self.has_only_request_faults() && (self.has_no_request_faults() || self.has_one_transient_fault())
    }
}

impl Command {
    fn generate(rng: &mut SeededRng) -> Self {
        match rng.below(20) {
            0..3 => Self::Plan { detailed: rng.chance(50) },
            3..12 => Self::Apply(Approval::Yes),
            12..15 => Self::Apply(Approval::SavedPlan),
            15 => Self::Apply(Approval::Fingerprint),
            16 => Self::Apply(*rng.pick(&[
                Approval::Fingerprint,
                Approval::WrongFingerprint,
                Approval::NotGiven,
            ])),
            17 => Self::Export { snapshot: rng.chance(50) },
            _ => Self::Drift { strict: rng.chance(50) },
        }
    }
}

/// Generates flags. The timeouts are short, so that each run takes about ten seconds at most.
fn flags(rng: &mut SeededRng, command: Command) -> Vec<String> {
    let mut flags = vec!["--timeout".to_owned(), (4 + rng.below(5)).to_string()];
    let mut flag = |is_set: bool, name: &str, value: Option<usize>| {
        if is_set {
            flags.push(name.to_owned());
            flags.extend(value.map(|value| value.to_string()));
        }
    };
    flag(rng.chance(50), "--parallelism", Some(1 + rng.below(4)));
    flag(rng.chance(20), "--tenants-at-once", Some(1));
    flag(rng.chance(20), ["-v", "-vv"][rng.below(2)], None);
    if matches!(command, Command::Apply(_)) {
        flag(true, "--verify-timeout", Some(1 + rng.below(2)));
        flag(rng.chance(25), "--fail-fast", None);
    }
    flags
}

/// Generates binding changes outside of flowbind.
fn out_of_band_changes(rng: &mut SeededRng, model: &TenantModel) -> Vec<(BindingKey, Option<String>)> {
    if model.flows.is_empty() || rng.chance(60) {
        return Vec::new();
    }
    let random_change = |rng: &mut SeededRng| {
        let key = (rng.pick(&model.flows).clone(), *rng.pick(Step::VARIANTS));
        (key, rng.chance(70).then(|| rng.pick(&model.connectors).id.clone()))
    };
    (0..1 + rng.below(3)).map(|_| random_change(rng)).collect()
}
