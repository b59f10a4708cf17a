//! Observed faults: the injected faults that took effect in a run. Only these tested anything.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Evidence;
use crate::campaign::desired_file::UnknownName;
use crate::campaign::scenario::{OutputFault, Scenario, Tls};
use crate::campaign::sign_in::SignIn;

/// A run that starts at least this long before the proxy listens has been refused.
const REFUSAL_MARGIN: Duration = Duration::from_secs(1);

impl Evidence<'_> {
    /// Returns the names of all faults that took effect.
    pub fn observed_faults(&self) -> BTreeSet<String> {
        let scenario = self.scenario;
        let mut observed_faults = self.observed_service_faults();
        observed_faults.extend(self.wire_faults.iter().map(|wire_fault| wire_fault.name().to_owned()));
        let mut count = |is_observed: bool, name: &str| {
            if is_observed {
                observed_faults.insert(name.to_owned());
            }
        };
        // A killed process may not have reached the fault.
        let ended = self.result.signal.is_none();
        let connected = self.connections > 0;
        let has_changed = scenario.initial_bindings() != scenario.model.bindings;
        let has_unknown_flow = scenario.files.iter().any(|file| file.unknown_name == Some(UnknownName::Flow));
        count(scenario.has_no_faults(), "none");
        let has_fault =
            self.journal.iter().any(|entry| entry["fault"].is_string()) || !self.wire_faults.is_empty();
        count(scenario.has_one_transient_fault() && has_fault, "one transient fault");
        count(
            !scenario.service.lag.is_zero() && self.actual_state != scenario.initial_bindings(),
            "service: lag",
        );
        let tls = match scenario.tls {
            Tls::None | Tls::TrustedHttp2 => None,
            Tls::Trusted => Some("tls: trusted"),
            Tls::Untrusted => Some("tls: untrusted"),
            Tls::Expired => Some("tls: expired"),
            Tls::WrongHost => Some("tls: wrong host"),
            Tls::NotSpoken => Some("tls: not spoken"),
        };
        count(connected && tls.is_some(), tls.unwrap_or_default());
        count(self.http2_requests > 0, "tls: http/2");
        let tenants: BTreeSet<_> = scenario.files.iter().map(|file| file.tenant).collect();
        let signed_in = match scenario.sign_in {
            SignIn::StaticToken => false,
            // More requests than tenants mean that a token was renewed.
            SignIn::ShortLived => self.token_requests > tenants.len(),
            SignIn::Revoked(_) | SignIn::RevokedWithoutRenewal(..) => self.rejected_requests > 0,
            SignIn::WrongLifetime(_) | SignIn::TransientError(_) | SignIn::Rejected(_) => {
                self.token_requests > 0
            }
        };
        count(signed_in, scenario.sign_in.name());
        count(self.was_refused(), "wire: refused");
        count(scenario.epoch != Scenario::EPOCH && ended, "clock: odd SOURCE_DATE_EPOCH");
        count(has_changed && self.requests() > 0, "tenant: changed after the plan");
        count(has_unknown_flow && self.requests() > 0, "file: unknown flow");
        if let Some(event) = self.result.fired_event {
            count(true, &format!("process: {event:?}"));
        }
        let is_affected = match scenario.output {
            OutputFault::None => false,
            OutputFault::DiskFills => self.has_disk_full_error(),
            _ => true,
        };
        count(is_affected && ended, &format!("output: {:?}", scenario.output));
        observed_faults
    }

    /// Returns the service faults in the journal.
    fn observed_service_faults(&self) -> BTreeSet<String> {
        let faults =
            self.journal.iter().filter_map(|entry| Some((entry["fault"].as_str()?, &entry["status"])));
        faults
            .map(|(fault, status)| match status.as_u64() {
                Some(status) if fault.starts_with("answer") => format!("service: {fault} {}xx", status / 100),
                _ => format!("service: {fault}"),
            })
            .collect()
    }

    /// Returns whether the run tried to connect before the proxy listened.
    fn was_refused(&self) -> bool {
        if self.scenario.refused.is_zero() || !self.scenario.sends_requests() {
            return false;
        }
        match self.listening_since {
            Some(listening_since) => {
                self.connections > 0 && listening_since > self.result.started + REFUSAL_MARGIN
            }
            None => self.result.signal.is_none() && self.result.stderr.contains("refused"),
        }
    }
}
