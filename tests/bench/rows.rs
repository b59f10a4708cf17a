//! Rows of the table: the measured commands and the lower limits of their times.

use std::time::Duration;

use flowbind::sandbox::{Options, Throttle};

use crate::fleet;

/// Latency of every response of the emulator.
pub const LATENCY: Duration = Duration::from_millis(50);
/// Requests in flight per tenant: the default of `--parallelism`.
const PARALLELISM: usize = 16;
/// Requests in one `$batch` (<https://learn.microsoft.com/graph/json-batching>).
const BATCH: usize = 20;
/// Rate limit of the emulator in throttled rows.
const THROTTLE: Throttle = Throttle { requests: 200, per: Duration::from_secs(6) };

/// Command that is measured against the emulator.
pub struct Row {
    pub name: &'static str,
    pub apply: bool,
    pub throttled: bool,
    pub tenants: usize,
    pub flows: usize,
}

/// All rows.
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

    /// Returns the number of changes of all files.
    pub fn changes(&self) -> usize {
        self.tenants * fleet::changes(self.flows)
    }

    /// Returns the options of the emulator.
    pub fn options(&self) -> Options {
        Options { latency: LATENCY, throttle: self.throttled.then_some(THROTTLE), ..Options::default() }
    }

    /// Returns the value for `--rate`.
    pub fn rate(&self) -> String {
        if self.throttled {
            format!("{}/{}", THROTTLE.requests, THROTTLE.per.as_secs())
        } else {
            "100000/1".to_owned()
        }
    }

    /// Returns the minimal number of sequential round trips. Tenants run concurrently. Within a tenant,
    /// the connectors and batches of flows are read concurrently. An apply then sends its PUTs one per
    /// request, and reads back after all of them.
    pub fn waves(&self) -> usize {
        let reads = |flows: usize| flows.div_ceil(BATCH);
        let plan = (1 + reads(self.flows)).div_ceil(PARALLELISM);
        if !self.apply {
            return plan;
        }
        let changes = fleet::changes(self.flows);
        plan + changes.div_ceil(PARALLELISM) + reads(changes).div_ceil(PARALLELISM)
    }

    /// Returns the minimal time: waves × latency. With throttling to n requests per window, the last of r
    /// requests is accepted after ⌊(r − 1) / n⌋ complete windows and answered one latency later.
    pub fn limit(&self) -> Duration {
        let waves = LATENCY * u32::try_from(self.waves()).unwrap();
        if !self.throttled {
            return waves;
        }
        let requests = u32::try_from(1 + self.flows).unwrap();
        waves.max(THROTTLE.per * ((requests - 1) / THROTTLE.requests) + LATENCY)
    }
}
