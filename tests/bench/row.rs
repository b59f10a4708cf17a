//! The rows: what is run, and how fast it can be at best.

use std::time::Duration;

use flowbind::sandbox::{Options, Throttle};

use crate::fleet;

/// How long the emulator takes for every answer.
pub const LATENCY: Duration = Duration::from_millis(50);
/// Requests in flight per tenant, as `--parallelism` has it when nobody gives it.
const PARALLELISM: usize = 16;
/// Requests in one `$batch` (<https://learn.microsoft.com/graph/json-batching>).
const BATCH: usize = 20;
/// What the emulator of a throttled row lets in.
const THROTTLE: Throttle = Throttle { requests: 200, per: Duration::from_secs(6) };

/// Something that is measured against the emulator.
pub struct Row {
    pub name: &'static str,
    pub apply: bool,
    pub throttled: bool,
    pub tenants: usize,
    pub flows: usize,
}

/// Every row.
pub const ROWS: [Row; 7] = [
    Row::plan("plan-1x20", 1, 20),
    Row::plan("plan-1x198", 1, 198),
    Row::plan("plan-50x40", 50, 40),
    Row::plan("plan-200x100", 200, 100),
    Row { apply: true, ..Row::plan("apply-1x198", 1, 198) },
    Row { throttled: true, ..Row::plan("throttled-1x198", 1, 198) },
    Row { throttled: true, ..Row::plan("throttled-1x1000", 1, 1000) },
];

impl Row {
    const fn plan(name: &'static str, tenants: usize, flows: usize) -> Self {
        Self { name, apply: false, throttled: false, tenants, flows }
    }

    /// The changes of all its files.
    pub fn changes(&self) -> usize {
        self.tenants * fleet::changes(self.flows)
    }

    /// The emulator of one run.
    pub fn options(&self) -> Options {
        Options { latency: LATENCY, throttle: self.throttled.then_some(THROTTLE), ..Options::default() }
    }

    /// The budget to give as `--rate`.
    pub fn rate(&self) -> String {
        if self.throttled {
            format!("{}/{}", THROTTLE.requests, THROTTLE.per.as_secs())
        } else {
            "100000/1".to_owned()
        }
    }

    /// How many times something has to wait for an answer at least. Tenants do not wait for each
    /// other. In a tenant, all reads go out together, the connectors' beside batches of flows; an
    /// apply then sends its PUTs singly, and reads back when it has their answers.
    pub fn waves(&self) -> usize {
        let reads = |flows: usize| flows.div_ceil(BATCH);
        let plan = (1 + reads(self.flows)).div_ceil(PARALLELISM);
        if !self.apply {
            return plan;
        }
        let changes = fleet::changes(self.flows);
        plan + changes.div_ceil(PARALLELISM) + reads(changes).div_ceil(PARALLELISM)
    }

    /// How long it takes at best: waves × latency. Where the emulator throttles, of the r requests
    /// that are needed the last is let in after ⌊(r − 1) / n⌋ whole windows of n, and is answered a
    /// latency later.
    pub fn limit(&self) -> Duration {
        let waves = LATENCY * u32::try_from(self.waves()).unwrap();
        if !self.throttled {
            return waves;
        }
        let requests = u32::try_from(1 + self.flows).unwrap();
        waves.max(THROTTLE.per * ((requests - 1) / THROTTLE.requests) + LATENCY)
    }
}
