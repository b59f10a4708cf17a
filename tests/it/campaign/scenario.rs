//! One run by chance: a tenant, files, a command, and all that goes wrong. The same seed gives the
//! same one.

use std::time::Duration;

use flowbind::sandbox::Options;
use flowbind::snapshot::Step;

use super::aim::Aim;
use super::dice::Dice;
use super::fault;
use super::file::File;
use super::login::SignIn;
use super::trouble::moment;
pub use super::trouble::{Event, Moment, OutputTrouble, Tls};
use super::world::{Bindings, Place, World};
use crate::support::line::Kink;

/// All that makes a run.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub token: String,
    pub world: World,
    pub files: Vec<File>,
    pub command: Command,
    /// What the command is given besides.
    pub flags: Vec<String>,
    /// Whether all that can be allowed is.
    pub lifted: bool,
    /// Whether the folder of the files is named, and not the files.
    pub folder: bool,
    pub json: bool,
    /// What somebody else binds between a plan and the run that applies it.
    pub meddled: Vec<(Place, Option<String>)>,
    pub service: Options,
    pub tls: Tls,
    pub sign_in: SignIn,
    /// For how long every connection is refused.
    pub refused: Duration,
    pub kinks: Vec<Option<Kink>>,
    pub moment: Option<(Event, Moment)>,
    pub output: OutputTrouble,
    pub epoch: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Plan { detailed: bool },
    Apply(Approval),
    Drift { strict: bool },
    Export { snapshot: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    Yes,
    /// Nobody approves.
    None,
    /// A plan that was saved before.
    Saved,
    /// The fingerprint of a plan that was made before.
    Expected,
    /// The fingerprint of another plan.
    Wrong,
}

impl Scenario {
    /// A moment that is nothing special, as `SOURCE_DATE_EPOCH` gives it.
    pub const EPOCH: &'static str = "1793606400";

    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed);
        // Chance of its own, so that all else stays what it was.
        let mut more = Dice::of(!seed);
        let mut scenario = Self::roll(seed, &mut dice, &mut more);
        if let Some(aim) = Aim::of(seed) {
            while !(aim.suits)(&scenario) {
                scenario = Self::roll(seed, &mut dice, &mut more);
            }
            scenario.heal();
            (aim.take)(&mut scenario, &mut more);
        }
        scenario.make_possible();
        scenario
    }

    /// A scenario that is left to chance.
    fn roll(seed: u64, dice: &mut Dice, more: &mut Dice) -> Self {
        let token = format!("secret-of-{seed}-{}", dice.guid());
        let world = World::roll(dice);
        let has_v1 = !world.is_b2c() && ["global", "china"].contains(&world.cloud.name());
        let api = if has_v1 && dice.chance(40) { "v1.0" } else { "beta" };
        let number = if dice.chance(70) { 1 } else { 2 + dice.below(2) };
        let files: Vec<_> = (0..number).map(|at| File::roll(dice, &world, at, number, api)).collect();
        let command = Command::roll(dice);
        let flags = flags(dice, command);
        let takes_guards = matches!(command, Command::Plan { .. } | Command::Apply(_));
        let lifted = dice.chance(30) && takes_guards;
        let (folder, json) = (dice.chance(30), dice.chance(40));
        let meddled = meddled(dice, &world);
        // Some runs have nothing but bad connections, some nothing but a bad service, some nothing.
        let (bad_service, bad_line, bad_process) = match dice.below(20) {
            0 => (false, false, false),
            1..10 => (true, false, dice.chance(25)),
            10..14 => (false, true, dice.chance(25)),
            14..17 => (true, true, dice.chance(50)),
            _ => (dice.chance(50), false, true),
        };
        let listed: usize = files.iter().map(|file| file.flows.len()).sum();
        let reads = matches!(command, Command::Apply(_)).then_some(listed + 1);
        let service = fault::service(dice, &world, &token, reads);
        let healthy =
            Options { page_size: service.page_size, latency: service.latency, ..Options::default() };
        let service = if bad_service { service } else { healthy };
        let tls = match dice.below(20) {
            0..2 => Tls::Trusted,
            2 if bad_line => Tls::Untrusted,
            3 if bad_line => Tls::Missing,
            _ => Tls::None,
        };
        let refused = match dice.below(10) {
            0 => Duration::from_millis(dice.below(3000) as u64),
            1 if dice.chance(40) => Duration::from_secs(60),
            _ => Duration::ZERO,
        };
        let kinks = fault::kinks(dice);
        let (moment, output) = if dice.chance(60) {
            (Some(moment(dice)), OutputTrouble::None)
        } else {
            (None, OutputTrouble::roll(dice))
        };
        let process = (moment, output);
        let mut scenario = Self {
            token,
            world,
            files,
            command,
            flags,
            lifted,
            folder,
            json,
            meddled,
            service,
            tls,
            sign_in: SignIn::Given,
            refused: if bad_line { refused } else { Duration::ZERO },
            kinks: if bad_line { kinks } else { Vec::new() },
            moment: process.0.filter(|_| bad_process),
            output: if bad_process { process.1 } else { OutputTrouble::None },
            epoch: match dice.below(60) {
                0 => "0",
                1 => "-62135596800",
                2 => "253402207200",
                3 => "soon",
                _ => Self::EPOCH,
            },
        };
        if !scenario.plans_before() {
            scenario.meddled.clear();
        }
        scenario.soften(more);
        scenario.secure(more);
        scenario.sign_in(SignIn::roll(more));
        scenario
    }

    /// Leaves of some runs' troubles one that passes by itself, and that every run has to get over.
    fn soften(&mut self, dice: &mut Dice) {
        if !dice.chance(12) {
            return;
        }
        (self.moment, self.output, self.refused) = (None, OutputTrouble::None, Duration::ZERO);
        if !self.tls.is_good() {
            self.tls = Tls::None;
        }
        let Options { page_size, latency, .. } = self.service;
        self.service = Options { page_size, latency, ..Options::default() };
        self.kinks.clear();
        if dice.chance(30) {
            self.kinks = vec![None; dice.below(3)];
            self.kinks.push(Some(fault::broken_connection(dice)));
        } else {
            let reads = self.is_apply().then_some(self.listed() + 1);
            self.service.faults = vec![fault::passing(dice, &self.world, &self.token, reads)];
        }
    }

    /// Has some runs use HTTP/2, or meet a certificate that is none to trust.
    fn secure(&mut self, dice: &mut Dice) {
        self.tls = match (self.tls, dice.below(100)) {
            (Tls::Trusted, 0..50) | (Tls::None, 0..8) => Tls::Http2,
            (Tls::None, 8..18) if !self.is_certain() => *dice.pick(&[Tls::Expired, Tls::Misnamed]),
            (tls, _) => tls,
        };
    }

    pub fn sign_in(&mut self, sign_in: SignIn) {
        self.sign_in = sign_in;
        if sign_in == SignIn::ShortLived {
            // The run has to be longer than the life of a token.
            self.service.latency = Duration::from_millis(150);
            self.has_one_in_flight();
        }
    }

    /// Lets it have but one request in flight.
    pub fn has_one_in_flight(&mut self) {
        match self.flags.iter().position(|flag| flag == "--parallelism") {
            Some(at) => self.flags[at + 1] = "1".to_owned(),
            None => self.flags.extend(["--parallelism", "1"].map(str::to_owned)),
        }
    }

    /// How many flows its files list.
    fn listed(&self) -> usize {
        self.files.iter().map(|file| file.flows.len()).sum()
    }

    /// Takes back what does not go together.
    fn make_possible(&mut self) {
        if self.plans_before() {
            // The way to the plan has to be good.
            (self.refused, self.tls) = (Duration::ZERO, Tls::None);
        }
        if self.is_export() {
            // It prints a file, and writes none.
            self.json = false;
            for file in &mut self.files {
                file.trouble = None;
            }
            if matches!(self.moment, Some((Event::FolderGone, _))) {
                self.moment = None;
            }
            if !matches!(self.output, OutputTrouble::StdoutFull | OutputTrouble::StdoutClosed) {
                self.output = OutputTrouble::None;
            }
        }
        let lost = self.output.blocks_left().is_some() || matches!(self.moment, Some((Event::FolderGone, _)));
        // The report has to be somewhere.
        self.json |= lost && !self.is_export();
        self.json &= !matches!(self.output, OutputTrouble::StdoutFull | OutputTrouble::StdoutClosed);
        // Where nothing goes wrong that lasts a slow machine must not look as if something did.
        if self.is_certain() {
            for at in 1..self.flags.len() {
                if self.flags[at - 1].ends_with("timeout") {
                    self.flags[at] = "600".to_owned();
                }
            }
        }
    }

    /// Whether a plan is made before the run.
    pub fn plans_before(&self) -> bool {
        matches!(self.command, Command::Apply(Approval::Saved | Approval::Expected | Approval::Wrong))
    }

    pub fn is_export(&self) -> bool {
        matches!(self.command, Command::Export { .. })
    }

    pub fn is_apply(&self) -> bool {
        matches!(self.command, Command::Apply(_))
    }

    /// What the tenant has when the run begins.
    pub fn met(&self) -> Bindings {
        let mut bindings = self.world.bindings.clone();
        bindings.extend(self.meddled.iter().cloned());
        bindings
    }

    pub fn api(&self) -> &'static str {
        self.files[0].api
    }

    /// Whether nothing at all is to go wrong.
    pub fn is_undisturbed(&self) -> bool {
        self.is_quiet() && self.is_spared() && self.sign_in == SignIn::Given
    }

    /// Whether one answer says once to come again, or one connection breaks, and nothing else is to go
    /// wrong: a run that has time ends as if nothing had.
    pub fn has_one_passing_trouble(&self) -> bool {
        let kinks: Vec<_> = self.kinks.iter().flatten().collect();
        let passes = match (self.service.faults.as_slice(), kinks.as_slice()) {
            ([fault], []) => fault::passes(fault),
            ([], [kink]) => fault::breaks(kink),
            _ => false,
        };
        passes && self.is_quiet()
    }

    /// Whether nothing is to go wrong beside faults of chosen requests and kinks of the wire.
    fn is_quiet(&self) -> bool {
        let Options { throttle, fail, lag, .. } = &self.service;
        throttle.is_none()
            && *fail == 0.0
            && lag.is_zero()
            && self.tls.is_good()
            && self.sign_in.passes()
            && self.refused.is_zero()
            && self.moment.is_none()
            && self.output == OutputTrouble::None
            && self.epoch != "soon"
    }

    /// Whether no request is chosen to fail, nor any connection.
    fn is_spared(&self) -> bool {
        self.service.faults.is_empty() && self.kinks.is_empty()
    }

    /// Whether it has to end with what is foreseen.
    pub fn is_certain(&self) -> bool {
        self.is_quiet() && (self.is_spared() || self.has_one_passing_trouble())
    }
}

impl Command {
    fn roll(dice: &mut Dice) -> Self {
        match dice.below(20) {
            0..3 => Self::Plan { detailed: dice.chance(50) },
            3..12 => Self::Apply(Approval::Yes),
            12..15 => Self::Apply(Approval::Saved),
            15 => Self::Apply(Approval::Expected),
            16 => Self::Apply(*dice.pick(&[Approval::Expected, Approval::Wrong, Approval::None])),
            17 => Self::Export { snapshot: dice.chance(50) },
            _ => Self::Drift { strict: dice.chance(50) },
        }
    }
}

/// The times are so short that each run is over in some ten seconds.
fn flags(dice: &mut Dice, command: Command) -> Vec<String> {
    let mut flags = vec!["--timeout".to_owned(), (4 + dice.below(5)).to_string()];
    let mut flag = |there: bool, name: &str, value: Option<usize>| {
        if there {
            flags.push(name.to_owned());
            flags.extend(value.map(|value| value.to_string()));
        }
    };
    flag(dice.chance(50), "--parallelism", Some(1 + dice.below(4)));
    flag(dice.chance(20), "--tenants-at-once", Some(1));
    flag(dice.chance(20), ["-v", "-vv"][dice.below(2)], None);
    if matches!(command, Command::Apply(_)) {
        flag(true, "--verify-timeout", Some(1 + dice.below(2)));
        flag(dice.chance(25), "--fail-fast", None);
    }
    flags
}

fn meddled(dice: &mut Dice, world: &World) -> Vec<(Place, Option<String>)> {
    if world.flows.is_empty() || dice.chance(60) {
        return Vec::new();
    }
    let meddle = |dice: &mut Dice| {
        let place = (dice.pick(&world.flows).clone(), *dice.pick(&Step::ALL));
        (place, dice.chance(70).then(|| dice.pick(&world.connectors).id.clone()))
    };
    (0..1 + dice.below(3)).map(|_| meddle(dice)).collect()
}
