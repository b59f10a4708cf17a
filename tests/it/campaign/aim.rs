//! The kinds of faults, and how a scenario is made to meet one of them: chance alone may never come to
//! a rare one.

use std::time::Duration;

use flowbind::sandbox::{Effect, Fault, Options, Throttle};

use super::dice::Dice;
use super::fault;
use super::file::{Change, Expected, Trouble};
use super::login::SignIn;
use super::oracle::{Verdict, verdicts};
use super::scenario::{Event, Moment, OutputTrouble, Scenario, Tls};
use crate::support::line::Kink;

/// A kind of fault that scenarios are to meet.
pub struct Aim {
    /// What it is called in counts.
    pub kind: &'static str,
    /// Whether a scenario can meet it.
    pub suits: fn(&Scenario) -> bool,
    /// Has a scenario in which nothing goes wrong meet it.
    pub take: fn(&mut Scenario, &mut Dice),
}

const fn aim(kind: &'static str, suits: fn(&Scenario) -> bool, take: fn(&mut Scenario, &mut Dice)) -> Aim {
    Aim { kind, suits, take }
}

/// All kinds: each of them has to strike in as many scenarios as are played by default. A fault that no
/// run ever meets proves nothing.
pub static AIMS: [Aim; 53] = [
    aim("clock: odd SOURCE_DATE_EPOCH", always, |it, dice| {
        it.epoch = dice.pick::<&str>(&["0", "-62135596800", "253402207200", "soon"]);
    }),
    aim(
        "file: no such flow",
        |it| asks(it) && !it.is_export(),
        |it, _| {
            it.files[0].trouble = Some(Trouble::Flow);
        },
    ),
    aim("line: answer torn", asks, |it, dice| it.kinks = first(Kink::TearAnswer(1 + dice.below(100)))),
    aim("line: closed", asks, |it, _| it.kinks = first(Kink::Close)),
    aim("line: dripping", asks, |it, dice| {
        it.kinks = first(Kink::Drip(1 + dice.below(200), 1 + dice.below(25) as u64));
    }),
    aim("line: refused", asks, |it, dice| {
        it.refused = Duration::from_millis(*dice.pick(&[2000, 2500, 60_000, 60_000]));
    }),
    aim("line: request torn", asks, |it, dice| it.kinks = first(Kink::TearRequest(1 + dice.below(100)))),
    aim("line: reset", asks, |it, _| it.kinks = first(Kink::Reset)),
    aim("line: rubbish", asks, |it, dice| it.kinks = first(fault::rubbish(dice))),
    aim("line: silent", asks, |it, _| it.kinks = first(Kink::Silent)),
    aim("none", always, |_, _| {}),
    aim("one that passes", reads, |it, dice| {
        let Fault { effect, .. } = fault::passing(dice, &it.world, &it.token, None);
        it.service.faults = vec![Fault { times: Some(1), ..at_first(it, dice, effect) }];
    }),
    aim("output: Device", writes, |it, _| it.output = OutputTrouble::Device),
    aim("output: DiskFills", |it| writes(it) && changes(it), |it, _| it.output = OutputTrouble::DiskFills),
    aim("output: DiskFull", writes, |it, _| it.output = OutputTrouble::DiskFull),
    aim("output: NoFolder", writes, |it, _| it.output = OutputTrouble::NoFolder),
    aim("output: NoRight", writes, |it, _| it.output = OutputTrouble::NoRight),
    aim("output: StdoutClosed", always, |it, _| it.output = OutputTrouble::StdoutClosed),
    aim("output: StdoutFull", always, |it, _| it.output = OutputTrouble::StdoutFull),
    aim("process: FolderGone", |it| reads(it) && writes(it), |it, dice| happens(it, dice, Event::FolderGone)),
    aim("process: Signal(\"INT\")", reads, |it, dice| happens(it, dice, Event::Signal("INT"))),
    aim("process: Signal(\"KILL\")", reads, |it, dice| happens(it, dice, Event::Signal("KILL"))),
    aim("process: Signal(\"TERM\")", reads, |it, dice| happens(it, dice, Event::Signal("TERM"))),
    aim("service: acceptOnly", reads, |it, dice| strikes(it, dice, Effect::AcceptOnly)),
    aim("service: answer 2xx", reads, |it, dice| answers(it, dice, &[200, 201, 203, 206])),
    aim("service: answer 3xx", reads, |it, dice| answers(it, dice, &[302, 307])),
    aim("service: answer 4xx", reads, |it, dice| {
        answers(it, dice, &[400, 401, 403, 404, 405, 408, 409, 415, 423, 429]);
    }),
    aim("service: answer 5xx", reads, |it, dice| answers(it, dice, &[500, 501, 502, 503, 504, 509])),
    aim("service: answerAfter 2xx", reads, |it, dice| belies(it, dice, &[200, 202, 204])),
    // No other leaves open whether anything was done.
    aim("service: answerAfter 4xx", reads, |it, dice| belies(it, dice, &[408])),
    aim("service: answerAfter 5xx", reads, |it, dice| belies(it, dice, &[500, 502, 503, 504, 509])),
    aim("service: dropAfter", reads, |it, dice| strikes(it, dice, Effect::DropAfter)),
    aim("service: dropBefore", reads, |it, dice| strikes(it, dice, Effect::DropBefore)),
    aim("service: fail", reads, |it, dice| it.service.fail = *dice.pick(&[0.9, 1.0])),
    aim("service: hang", reads, |it, dice| strikes(it, dice, Effect::Hang)),
    aim("service: lag", changes, |it, dice| {
        it.service.lag = Duration::from_millis(1 + dice.below(4000) as u64);
    }),
    aim("service: loseItem", batches, |it, dice| strikes_a_batch(it, dice, Effect::LoseItem)),
    aim("service: repeatItem", batches, |it, dice| strikes_a_batch(it, dice, Effect::RepeatItem)),
    aim("service: throttle", changes, |it, _| {
        it.service.throttle = Some(Throttle { requests: 1, per: Duration::from_secs(1) });
    }),
    aim("service: truncate", reads, |it, dice| strikes(it, dice, Effect::Truncate)),
    aim("sign-in: lost", signs_in, |it, dice| {
        it.sign_in(SignIn::Lost(dice.below(3), *dice.pick(&SignIn::LASTING)));
    }),
    aim("sign-in: odd clock", signs_in, |it, dice| it.sign_in(SignIn::OddClock(*dice.pick(&SignIn::LIVES)))),
    aim("sign-in: refused", signs_in, |it, dice| it.sign_in(SignIn::Refused(*dice.pick(&SignIn::LASTING)))),
    aim("sign-in: revoked", signs_in, |it, dice| it.sign_in(SignIn::Revoked(dice.below(3)))),
    aim("sign-in: short-lived", signs_in, |it, _| {
        it.sign_in(SignIn::ShortLived);
        it.service.latency = Duration::from_millis(900);
    }),
    aim("sign-in: stumbling", signs_in, |it, dice| {
        it.sign_in(SignIn::Stumbling(*dice.pick(&SignIn::PASSING)));
    }),
    aim("tenant: moved after the plan", is_moved, |_, _| {}),
    aim("tls: expired", asks, |it, _| it.tls = Tls::Expired),
    aim("tls: http/2", asks, |it, _| it.tls = Tls::Http2),
    aim("tls: misnamed", asks, |it, _| it.tls = Tls::Misnamed),
    aim("tls: missing", asks, |it, _| it.tls = Tls::Missing),
    aim("tls: trusted", asks, |it, _| it.tls = Tls::Trusted),
    aim("tls: untrusted", asks, |it, _| it.tls = Tls::Untrusted),
];

impl Aim {
    /// What a scenario is to meet: one after the other in every second of them, so that in twice as many
    /// in a row as there are kinds each has its turn. The others are left to chance.
    pub fn of(seed: u64) -> Option<&'static Self> {
        let turn = seed.is_multiple_of(2).then_some(seed / 2)?;
        AIMS.get((turn % AIMS.len() as u64) as usize).filter(|aim| aim.is_possible())
    }

    /// Whether this build can meet it.
    pub fn is_possible(&self) -> bool {
        cfg!(feature = "azure") || !self.kind.starts_with("sign-in")
    }
}

impl Scenario {
    /// Takes back all that was to go wrong beside the files.
    pub fn heal(&mut self) {
        let Options { page_size, latency, .. } = self.service;
        self.service = Options { page_size, latency, ..Options::default() };
        self.kinks.clear();
        (self.refused, self.moment, self.output) = (Duration::ZERO, None, OutputTrouble::None);
        (self.epoch, self.sign_in) = (Self::EPOCH, SignIn::Given);
        if !self.tls.is_good() {
            self.tls = Tls::None;
        }
    }
}

fn always(_: &Scenario) -> bool {
    true
}

/// Whether it asks a tenant that was not planned before, whatever the way there is.
fn asks(it: &Scenario) -> bool {
    it.asks() && !it.plans_before()
}

/// Whether it asks a tenant.
fn reads(it: &Scenario) -> bool {
    asks(it) || changes(it)
}

/// Whether it writes a plan or a report to a file.
fn writes(it: &Scenario) -> bool {
    !it.is_export()
}

/// Whether it makes changes, and nothing that it is about is refused: it reads, changes, and reads again.
fn changes(it: &Scenario) -> bool {
    let (planned, met) = (it.planned(), it.met());
    // Somebody else may have made them.
    let is_left = |change: &Change| met[&change.place] != change.to;
    it.is_apply()
        && planned.iter().flat_map(|expected| &expected.changes).any(is_left)
        && are_open(it, &planned)
        && it.verdicts().values().all(|it| *it == Verdict::Open)
}

/// Whether there are changes, and all may be made.
fn are_open(it: &Scenario, expected: &[Expected]) -> bool {
    let some = expected.iter().any(|expected| !expected.changes.is_empty());
    some && verdicts(&it.files, expected).values().all(|it| *it == Verdict::Open)
}

/// Whether it makes changes of one tenant, and not so many that it takes long.
fn signs_in(it: &Scenario) -> bool {
    changes(it) && it.files.len() == 1 && it.world.flows.len() < 5
}

/// Whether one request that holds several saves a run that may have but one in flight some.
fn batches(it: &Scenario) -> bool {
    asks(it) && !it.is_export() && it.files.len() == 1 && it.files[0].flows.len() > 1
}

/// Whether its tenant is another than that of a plan that was good.
fn is_moved(it: &Scenario) -> bool {
    let before = it.expected(&it.world.bindings, it.lifted);
    it.plans_before() && it.met() != it.world.bindings && are_open(it, &before)
}

fn first(kink: Kink) -> Vec<Option<Kink>> {
    vec![Some(kink)]
}

/// At the first request, or at the first change.
fn at_first(it: &Scenario, dice: &mut Dice, effect: Effect) -> Fault {
    let method = (changes(it) && dice.chance(60)).then(|| "PUT".to_owned());
    Fault { method, path_contains: String::new(), skip: 0, times: Some(1 + dice.below(3) as u32), effect }
}

fn strikes(it: &mut Scenario, dice: &mut Dice, effect: Effect) {
    it.service.faults = vec![at_first(it, dice, effect)];
}

fn answers(it: &mut Scenario, dice: &mut Dice, statuses: &[u16]) {
    let (status, headers, body) = fault::answer(dice, "", statuses, &it.token);
    strikes(it, dice, Effect::Answer { status, headers, body });
}

/// What was asked for is done, and the answer is another.
fn belies(it: &mut Scenario, dice: &mut Dice, statuses: &[u16]) {
    let (status, headers, body) = fault::answer(dice, "", statuses, &it.token);
    strikes(it, dice, Effect::AnswerAfter { status, headers, body });
}

fn strikes_a_batch(it: &mut Scenario, dice: &mut Dice, effect: Effect) {
    it.has_one_in_flight();
    let path_contains = "$batch".to_owned();
    let times = Some(1 + dice.below(3) as u32);
    it.service.faults = vec![Fault { method: None, path_contains, skip: 0, times, effect }];
}

/// While a request is on its way, and takes its time.
fn happens(it: &mut Scenario, dice: &mut Dice, event: Event) {
    let most = if changes(it) { 3 } else { 1 };
    it.service.latency = Duration::from_millis(400);
    it.moment = Some((event, Moment::Requests(1 + dice.below(most))));
}
