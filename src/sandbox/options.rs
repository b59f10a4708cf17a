//! Options of a sandbox.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::faults::Fault;
use super::throttle::Throttle;
use crate::snapshot::Snapshot;

/// Callback that saves a changed snapshot.
pub type OnChange = Box<dyn Fn(&Snapshot) -> io::Result<()> + Send + Sync>;

/// Options of a sandbox.
#[derive(Debug, Clone)]
pub struct Options {
    /// Loopback address to listen on. Port 0 selects a free port.
    pub listen: SocketAddr,
    /// Base URL in links, such as `http://127.0.0.1:8080`, if clients connect through a proxy. The
    /// default is the address of the listener.
    pub origin: Option<String>,
    /// Delay of every response.
    pub latency: Duration,
    /// Rate limit; none if absent.
    pub throttle: Option<Throttle>,
    /// Share of requests, from 0 to 1, that fail with 429, 500, 502, 503 or 504.
    pub fail: f64,
    /// Maximum number of members on a page of a collection.
    pub page_size: usize,
    /// Time for which reads return the previous value after a write.
    pub lag: Duration,
    /// Whether the ids of flows in requests match regardless of letter case. Responses keep the spelling of
    /// the snapshot. Graph's documentation does not state whether the service distinguishes letter case.
    pub ignore_case: bool,
    /// Seed for random failures, request ids and the order of batch responses.
    pub seed: u64,
    /// Faults for selected requests.
    pub faults: Vec<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            origin: None,
            latency: Duration::ZERO,
            throttle: None,
            fail: 0.0,
            page_size: 100,
            lag: Duration::ZERO,
            ignore_case: false,
            seed: 0,
            faults: Vec::new(),
        }
    }
}
