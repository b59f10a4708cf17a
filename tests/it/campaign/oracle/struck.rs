//! What went wrong on purpose and was met by the run: a fault that is there and that nobody runs into
//! shows nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Evidence;
use crate::campaign::file::Trouble;
use crate::campaign::login::SignIn;
use crate::campaign::scenario::{OutputTrouble, Scenario, Tls};

/// Whoever starts so long before the wire takes connections has been refused.
const EARLY: Duration = Duration::from_secs(1);

impl Evidence<'_> {
    /// The names of all that struck.
    pub fn struck(&self) -> BTreeSet<String> {
        let scenario = self.scenario;
        let mut struck = self.struck_by_service();
        struck.extend(self.kinks.iter().map(|kink| kink.name().to_owned()));
        let mut count = |there: bool, name: &str| {
            if there {
                struck.insert(name.to_owned());
            }
        };
        // Whoever was killed may not have come so far.
        let ended = self.ended.signal.is_none();
        let connected = self.connections > 0;
        let moved = scenario.met() != scenario.world.bindings;
        let no_flow = scenario.files.iter().any(|file| file.trouble == Some(Trouble::Flow));
        count(scenario.is_undisturbed(), "none");
        let passed = self.journal.iter().any(|entry| entry["fault"].is_string()) || !self.kinks.is_empty();
        count(scenario.has_one_passing_trouble() && passed, "one that passes");
        count(!scenario.service.lag.is_zero() && self.truth != scenario.met(), "service: lag");
        let tls = match scenario.tls {
            Tls::None | Tls::Http2 => None,
            Tls::Trusted => Some("tls: trusted"),
            Tls::Untrusted => Some("tls: untrusted"),
            Tls::Expired => Some("tls: expired"),
            Tls::Misnamed => Some("tls: misnamed"),
            Tls::Missing => Some("tls: missing"),
        };
        count(connected && tls.is_some(), tls.unwrap_or_default());
        count(self.over_http2 > 0, "tls: http/2");
        let tenants: BTreeSet<_> = scenario.files.iter().map(|file| file.tenant).collect();
        let signed_in = match scenario.sign_in {
            SignIn::Given => false,
            // Each tenant's token is asked for once, and then again.
            SignIn::ShortLived => self.logins > tenants.len(),
            SignIn::Revoked(_) | SignIn::Lost(..) => self.turned_away > 0,
            SignIn::OddClock(_) | SignIn::Stumbling(_) | SignIn::Refused(_) => self.logins > 0,
        };
        count(signed_in, scenario.sign_in.name());
        count(self.was_refused(), "line: refused");
        count(scenario.epoch != Scenario::EPOCH && ended, "clock: odd SOURCE_DATE_EPOCH");
        count(moved && self.requests() > 0, "tenant: moved after the plan");
        count(no_flow && self.requests() > 0, "file: no such flow");
        if let Some(event) = self.ended.fired {
            count(true, &format!("process: {event:?}"));
        }
        let met = match scenario.output {
            OutputTrouble::None => false,
            OutputTrouble::DiskFills => self.finds_no_room(),
            _ => true,
        };
        count(met && ended, &format!("output: {:?}", scenario.output));
        struck
    }

    /// The faults of the service that struck.
    fn struck_by_service(&self) -> BTreeSet<String> {
        let faults =
            self.journal.iter().filter_map(|entry| Some((entry["fault"].as_str()?, &entry["status"])));
        faults
            .map(|(fault, status)| match status.as_u64() {
                Some(status) if fault.starts_with("answer") => format!("service: {fault} {}xx", status / 100),
                _ => format!("service: {fault}"),
            })
            .collect()
    }

    /// Whether it asked for a connection before there was anybody to take it.
    fn was_refused(&self) -> bool {
        if self.scenario.refused.is_zero() || !self.scenario.asks() {
            return false;
        }
        match self.opened {
            Some(opened) => self.connections > 0 && opened > self.ended.started + EARLY,
            None => self.ended.signal.is_none() && self.ended.stderr.contains("refused"),
        }
    }
}
