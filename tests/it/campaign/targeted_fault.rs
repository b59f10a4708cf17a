//! Targeted faults: every kind of fault is injected into chosen scenarios, because random generation
//! alone may never produce a rare one.

use std::time::Duration;

use flowbind::sandbox::{Effect, Fault, Options, Throttle};

use super::desired_file::{Change, ExpectedPlan, UnknownName};
use super::oracle::{Verdict, tenant_verdicts};
use super::rng::SeededRng;
use super::scenario::{OutputFault, ProcessEvent, Scenario, Tls, Trigger};
use super::service_fault;
use super::sign_in::SignIn;
use crate::support::faulty_proxy::WireFault;

/// Kind of fault that chosen scenarios must observe.
pub struct TargetedFault {
    /// Name under which the campaign counts the fault.
    pub kind: &'static str,
    /// Returns whether the fault can take effect in a scenario.
    pub applies_to: fn(&Scenario) -> bool,
    /// Injects the fault into a scenario without faults.
    pub inject: fn(&mut Scenario, &mut SeededRng),
}

const fn targeted(
    kind: &'static str,
    applies_to: fn(&Scenario) -> bool,
    inject: fn(&mut Scenario, &mut SeededRng),
) -> TargetedFault {
    TargetedFault { kind, applies_to, inject }
}

/// All kinds of faults. Each must be observed within the default number of scenarios, because a fault
/// that never takes effect tests nothing.
pub static TARGETED_FAULTS: [TargetedFault; 53] = [
    targeted("clock: odd SOURCE_DATE_EPOCH", always, |scenario, rng| {
        scenario.epoch = rng.pick::<&str>(&["0", "-62135596800", "253402207200", "soon"]);
    }),
    targeted(
        "file: unknown flow",
        |scenario| sends_requests(scenario) && !scenario.is_export(),
        |scenario, _| {
            scenario.files[0].unknown_name = Some(UnknownName::Flow);
        },
    ),
    targeted("wire: response truncated", sends_requests, |scenario, rng| {
        scenario.wire_faults = first(WireFault::TruncateResponse(1 + rng.below(100)))
    }),
    targeted("wire: closed", sends_requests, |scenario, _| scenario.wire_faults = first(WireFault::Close)),
    targeted("wire: slow response", sends_requests, |scenario, rng| {
        scenario.wire_faults = first(WireFault::SlowResponse(1 + rng.below(200), 1 + rng.below(25) as u64));
    }),
    targeted("wire: refused", sends_requests, |scenario, rng| {
        scenario.refused = Duration::from_millis(*rng.pick(&[2000, 2500, 60_000, 60_000]));
    }),
    targeted("wire: request truncated", sends_requests, |scenario, rng| {
        scenario.wire_faults = first(WireFault::TruncateRequest(1 + rng.below(100)))
    }),
    targeted("wire: reset", sends_requests, |scenario, _| scenario.wire_faults = first(WireFault::Reset)),
    targeted("wire: garbage", sends_requests, |scenario, rng| {
        scenario.wire_faults = first(service_fault::garbage(rng))
    }),
    targeted("wire: silent", sends_requests, |scenario, _| scenario.wire_faults = first(WireFault::Silent)),
    targeted("none", always, |_, _| {}),
    targeted("one transient fault", reads, |scenario, rng| {
        let Fault { effect, .. } = service_fault::transient(rng, &scenario.model, &scenario.token, None);
        scenario.service.faults = vec![Fault { times: Some(1), ..at_first(scenario, rng, effect) }];
    }),
    targeted("output: Device", writes_file, |scenario, _| scenario.output = OutputFault::Device),
    targeted(
        "output: DiskFills",
        |scenario| writes_file(scenario) && makes_changes(scenario),
        |scenario, _| scenario.output = OutputFault::DiskFills,
    ),
    targeted("output: DiskFull", writes_file, |scenario, _| scenario.output = OutputFault::DiskFull),
    targeted("output: NoFolder", writes_file, |scenario, _| scenario.output = OutputFault::NoFolder),
    targeted("output: NotPermitted", writes_file, |scenario, _| scenario.output = OutputFault::NotPermitted),
    targeted("output: StdoutClosed", always, |scenario, _| scenario.output = OutputFault::StdoutClosed),
    targeted("output: StdoutFull", always, |scenario, _| scenario.output = OutputFault::StdoutFull),
    targeted(
        "process: OutputFolderRemoved",
        |scenario| reads(scenario) && writes_file(scenario),
        |scenario, rng| interrupt(scenario, rng, ProcessEvent::OutputFolderRemoved),
    ),
    targeted("process: Signal(\"INT\")", reads, |scenario, rng| {
        interrupt(scenario, rng, ProcessEvent::Signal("INT"))
    }),
    targeted("process: Signal(\"KILL\")", reads, |scenario, rng| {
        interrupt(scenario, rng, ProcessEvent::Signal("KILL"))
    }),
    targeted("process: Signal(\"TERM\")", reads, |scenario, rng| {
        interrupt(scenario, rng, ProcessEvent::Signal("TERM"))
    }),
    targeted("service: acceptOnly", reads, |scenario, rng| {
        inject_service_fault(scenario, rng, Effect::AcceptOnly)
    }),
    targeted("service: answer 2xx", reads, |scenario, rng| {
        answer_instead(scenario, rng, &[200, 201, 203, 206])
    }),
    targeted("service: answer 3xx", reads, |scenario, rng| answer_instead(scenario, rng, &[302, 307])),
    targeted("service: answer 4xx", reads, |scenario, rng| {
        answer_instead(scenario, rng, &[400, 401, 403, 404, 405, 408, 409, 415, 423, 429]);
    }),
    targeted("service: answer 5xx", reads, |scenario, rng| {
        answer_instead(scenario, rng, &[500, 501, 502, 503, 504, 509])
    }),
    targeted("service: answerAfter 2xx", reads, |scenario, rng| {
        answer_falsely(scenario, rng, &[200, 202, 204])
    }),
    // Every other 4xx status proves that nothing was changed.
    targeted("service: answerAfter 4xx", reads, |scenario, rng| answer_falsely(scenario, rng, &[408])),
    targeted("service: answerAfter 5xx", reads, |scenario, rng| {
        answer_falsely(scenario, rng, &[500, 502, 503, 504, 509])
    }),
    targeted("service: dropAfter", reads, |scenario, rng| {
        inject_service_fault(scenario, rng, Effect::DropAfter)
    }),
    targeted("service: dropBefore", reads, |scenario, rng| {
        inject_service_fault(scenario, rng, Effect::DropBefore)
    }),
    targeted("service: fail", reads, |scenario, rng| scenario.service.fail = *rng.pick(&[0.9, 1.0])),
    targeted("service: hang", reads, |scenario, rng| inject_service_fault(scenario, rng, Effect::Hang)),
    targeted("service: lag", makes_changes, |scenario, rng| {
        scenario.service.lag = Duration::from_millis(1 + rng.below(4000) as u64);
    }),
    targeted("service: loseItem", can_batch, |scenario, rng| {
        inject_batch_fault(scenario, rng, Effect::LoseItem)
    }),
    targeted("service: repeatItem", can_batch, |scenario, rng| {
        inject_batch_fault(scenario, rng, Effect::RepeatItem)
    }),
    targeted("service: throttle", makes_changes, |scenario, _| {
        scenario.service.throttle = Some(Throttle { requests: 1, per: Duration::from_secs(1) });
    }),
    targeted("service: truncate", reads, |scenario, rng| {
        inject_service_fault(scenario, rng, Effect::Truncate)
    }),
    targeted("sign-in: revoked without renewal", can_sign_in, |scenario, rng| {
        scenario.sign_in(SignIn::RevokedWithoutRenewal(rng.below(3), *rng.pick(&SignIn::PERMANENT_STATUSES)));
    }),
    targeted("sign-in: wrong lifetime", can_sign_in, |scenario, rng| {
        scenario.sign_in(SignIn::WrongLifetime(*rng.pick(&SignIn::REPORTED_LIFETIMES)))
    }),
    targeted("sign-in: rejected", can_sign_in, |scenario, rng| {
        scenario.sign_in(SignIn::Rejected(*rng.pick(&SignIn::PERMANENT_STATUSES)))
    }),
    targeted("sign-in: revoked", can_sign_in, |scenario, rng| {
        scenario.sign_in(SignIn::Revoked(rng.below(3)))
    }),
    targeted("sign-in: short-lived", can_sign_in, |scenario, _| {
        scenario.sign_in(SignIn::ShortLived);
        scenario.service.latency = Duration::from_millis(900);
    }),
    targeted("sign-in: transient error", can_sign_in, |scenario, rng| {
        scenario.sign_in(SignIn::TransientError(*rng.pick(&SignIn::TRANSIENT_STATUSES)));
    }),
    targeted("tenant: changed after the plan", has_stale_plan, |_, _| {}),
    targeted("tls: expired", sends_requests, |scenario, _| scenario.tls = Tls::Expired),
    targeted("tls: http/2", sends_requests, |scenario, _| scenario.tls = Tls::TrustedHttp2),
    targeted("tls: wrong host", sends_requests, |scenario, _| scenario.tls = Tls::WrongHost),
    targeted("tls: not spoken", sends_requests, |scenario, _| scenario.tls = Tls::NotSpoken),
    targeted("tls: trusted", sends_requests, |scenario, _| scenario.tls = Tls::Trusted),
    targeted("tls: untrusted", sends_requests, |scenario, _| scenario.tls = Tls::Untrusted),
];

impl TargetedFault {
    /// Returns the fault for a seed. Even seeds cycle through all kinds, so that twice as many
    /// consecutive seeds cover each kind once. Odd seeds are fully random.
    pub fn for_seed(seed: u64) -> Option<&'static Self> {
        let turn = seed.is_multiple_of(2).then_some(seed / 2)?;
        TARGETED_FAULTS
            .get((turn % TARGETED_FAULTS.len() as u64) as usize)
            .filter(|fault| fault.is_possible())
    }

    /// Returns whether this build and this system support the fault.
    pub fn is_possible(&self) -> bool {
        let needs_unix = [
            "output: Device",
            "output: DiskFills",
            "output: DiskFull",
            "output: NotPermitted",
            "output: StdoutFull",
            "process: Signal(\"INT\")",
            "process: Signal(\"TERM\")",
        ];
        (cfg!(feature = "azure") || !self.kind.starts_with("sign-in"))
            && (cfg!(unix) || !needs_unix.contains(&self.kind))
    }
}

impl Scenario {
    /// Removes all faults except those in the files.
    pub fn clear_faults(&mut self) {
        let Options { page_size, latency, .. } = self.service;
        self.service = Options { page_size, latency, ..Options::default() };
        self.wire_faults.clear();
        (self.refused, self.process_event, self.output) = (Duration::ZERO, None, OutputFault::None);
        (self.epoch, self.sign_in) = (Self::EPOCH, SignIn::StaticToken);
        if !self.tls.is_usable() {
            self.tls = Tls::None;
        }
    }
}

fn always(_: &Scenario) -> bool {
    true
}

/// Whether the run sends requests, and no earlier plan needs the same connection.
fn sends_requests(scenario: &Scenario) -> bool {
    scenario.sends_requests() && !scenario.needs_earlier_plan()
}

/// Whether the run reads from a tenant.
fn reads(scenario: &Scenario) -> bool {
    sends_requests(scenario) || makes_changes(scenario)
}

/// Whether the run writes a plan or a report to a file.
fn writes_file(scenario: &Scenario) -> bool {
    !scenario.is_export()
}

/// Whether the run makes changes and no tenant is blocked, so that it reads, changes and reads back.
fn makes_changes(scenario: &Scenario) -> bool {
    let (planned, initial) = (scenario.planned(), scenario.initial_bindings());
    // An out-of-band change may already have made the planned one.
    let is_pending = |change: &Change| initial[&change.key] != change.to;
    scenario.is_apply()
        && planned.iter().flat_map(|expected| &expected.changes).any(is_pending)
        && can_apply_all(scenario, &planned)
        && scenario.expected_verdicts().values().all(|verdict| *verdict == Verdict::Applicable)
}

/// Whether there are changes, and none is blocked.
fn can_apply_all(scenario: &Scenario, expected: &[ExpectedPlan]) -> bool {
    let has_changes = expected.iter().any(|expected| !expected.changes.is_empty());
    has_changes
        && tenant_verdicts(&scenario.files, expected).values().all(|verdict| *verdict == Verdict::Applicable)
}

/// Whether the run makes few changes to one tenant, so that slow sign-in faults stay short.
fn can_sign_in(scenario: &Scenario) -> bool {
    makes_changes(scenario) && scenario.files.len() == 1 && scenario.model.flows.len() < 5
}

/// Whether a run with one request in flight uses `$batch`.
fn can_batch(scenario: &Scenario) -> bool {
    sends_requests(scenario)
        && !scenario.is_export()
        && scenario.files.len() == 1
        && scenario.files[0].flows.len() > 1
}

/// Whether the tenant changed out of band after an applicable plan was made.
fn has_stale_plan(scenario: &Scenario) -> bool {
    let before = scenario.expected(&scenario.model.bindings, scenario.guards_lifted);
    scenario.needs_earlier_plan()
        && scenario.initial_bindings() != scenario.model.bindings
        && can_apply_all(scenario, &before)
}

/// The fault at the first connection.
fn first(wire_fault: WireFault) -> Vec<Option<WireFault>> {
    vec![Some(wire_fault)]
}

/// The effect at the first request or at the first PUT.
fn at_first(scenario: &Scenario, rng: &mut SeededRng, effect: Effect) -> Fault {
    let method = (makes_changes(scenario) && rng.chance(60)).then(|| "PUT".to_owned());
    Fault { method, path_contains: String::new(), skip: 0, times: Some(1 + rng.below(3) as u32), effect }
}

fn inject_service_fault(scenario: &mut Scenario, rng: &mut SeededRng, effect: Effect) {
    scenario.service.faults = vec![at_first(scenario, rng, effect)];
}

fn answer_instead(scenario: &mut Scenario, rng: &mut SeededRng, statuses: &[u16]) {
    let (status, headers, body) = service_fault::answer(rng, "", statuses, &scenario.token);
    inject_service_fault(scenario, rng, Effect::Answer { status, headers, body });
}

/// The request takes effect, but its response is replaced.
fn answer_falsely(scenario: &mut Scenario, rng: &mut SeededRng, statuses: &[u16]) {
    let (status, headers, body) = service_fault::answer(rng, "", statuses, &scenario.token);
    inject_service_fault(scenario, rng, Effect::AnswerAfter { status, headers, body });
}

fn inject_batch_fault(scenario: &mut Scenario, rng: &mut SeededRng, effect: Effect) {
    scenario.limit_to_one_in_flight();
    let path_contains = "$batch".to_owned();
    let times = Some(1 + rng.below(3) as u32);
    scenario.service.faults = vec![Fault { method: None, path_contains, skip: 0, times, effect }];
}

/// The event while a slow request is in flight.
fn interrupt(scenario: &mut Scenario, rng: &mut SeededRng, event: ProcessEvent) {
    let max_requests = if makes_changes(scenario) { 3 } else { 1 };
    scenario.service.latency = Duration::from_millis(400);
    scenario.process_event = Some((event, Trigger::Requests(1 + rng.below(max_requests))));
}
