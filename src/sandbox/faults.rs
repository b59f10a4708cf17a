//! Fault injection: faults for selected requests, and random failures.
//!
//! Selects the fault of a request. It must not apply an effect or access the tenant.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use strum::IntoStaticStr;

use super::error::ErrorResponse;
use super::message::Request;

/// Fault for matching requests. A request gets the first matching fault that is not used up; later
/// faults do not count that request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Method of the requests; any if absent.
    pub method: Option<String>,
    /// Text that the path must contain, including the query as received.
    pub path_contains: String,
    /// Number of matching requests that pass first.
    pub skip: u32,
    /// Number of requests that get the fault after these; unlimited if absent.
    pub times: Option<u32>,
    /// Effect on these requests.
    pub effect: Effect,
}

/// Effect of a fault on a request. An item of a batch has no connection of its own: an effect that
/// sends no response, or only a part of it, results in a 504 for the item.
#[derive(Debug, Clone, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum Effect {
    /// Sends this response without executing the request.
    Answer {
        /// Status code.
        status: u16,
        /// Headers, in addition to those of every response.
        headers: Vec<(String, String)>,
        /// Body.
        body: String,
    },
    /// Executes the request, then sends this response instead of the real one.
    AnswerAfter {
        /// Status code.
        status: u16,
        /// Headers, in addition to those of every response.
        headers: Vec<(String, String)>,
        /// Body.
        body: String,
    },
    /// Closes the connection without executing the request.
    DropBefore,
    /// Executes the request, then closes the connection without a response.
    DropAfter,
    /// Sends a 204 without executing the request.
    AcceptOnly,
    /// Never responds, and does not execute the request.
    Hang,
    /// Executes the request, announces a longer body than it sends, and closes the connection.
    Truncate,
    /// Omits the last item response of a batch. Has no effect on other requests.
    LoseItem,
    /// Replaces the first item response of a batch with a copy of the last, including its id. Has no
    /// effect on other requests.
    RepeatItem,
}

impl Effect {
    /// Returns the name of the effect in the journal.
    pub(super) fn name(&self) -> &'static str {
        self.into()
    }
}

/// Configured faults with their remaining counts.
#[derive(Debug)]
pub(super) struct Faults(pub(super) Vec<Fault>);

impl Faults {
    /// Returns the effect of the first fault that matches the request and is not used up; `None` without one.
    /// Decrements `skip` of the matching faults before it, and `times` of this fault.
    pub(super) fn next_fault(&mut self, request: &Request) -> Option<Effect> {
        let target = request.target();
        for fault in self.0.iter_mut().filter(|fault| fault.matches(&request.method, &target)) {
            match (fault.skip, &mut fault.times) {
                (0, Some(0)) => {}
                (0, times) => {
                    *times = times.map(|left| left.saturating_sub(1));
                    return Some(fault.effect.clone());
                }
                _ => fault.skip = fault.skip.saturating_sub(1),
            }
        }
        None
    }
}

impl Fault {
    fn matches(&self, method: &str, target: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && target.contains(&self.path_contains)
    }
}

/// Random failures. Seed, method, path with query, and the number of equal requests so far determine
/// each one. The order of other requests therefore has no influence.
#[derive(Debug)]
pub(super) struct RandomFaults {
    seed: u64,
    rate: f64,
    request_counts: BTreeMap<String, u64>,
}

impl RandomFaults {
    /// Creates random failures for a share `rate` of requests, from 0 to 1.
    pub(super) fn new(seed: u64, rate: f64) -> Self {
        Self { seed, rate, request_counts: BTreeMap::new() }
    }

    /// Counts the request, and returns its random failure, if any: 429, 500, 502, 503 or 504.
    pub(super) fn sample(&mut self, request: &Request) -> Option<ErrorResponse> {
        // Also avoids counting requests that cannot fail.
        if self.rate <= 0.0 {
            return None;
        }
        let key = format!("{} {}", request.method, request.target());
        let count = self.request_counts.entry(key.clone()).or_default();
        *count = count.saturating_add(1);
        let mut rng = fastrand::Rng::with_seed(hash(&format!("{} {count} {key}", self.seed)));
        (rng.f64() < self.rate).then(|| random_error(&mut rng))
    }
}

fn random_error(rng: &mut fastrand::Rng) -> ErrorResponse {
    let (status, code) = match rng.u8(..5) {
        0 => (500, "InternalServerError"),
        1 => (502, "BadGateway"),
        2 => (503, "ServiceUnavailable"),
        3 => (504, "GatewayTimeout"),
        _ => (429, "TooManyRequests"),
    };
    let error = ErrorResponse::new(status, code, "injected random failure");
    match status {
        429 | 503 => error.with_header("Retry-After", rng.u8(..=1).to_string()),
        _ => error,
    }
}

/// Returns the first eight bytes of the SHA-256 of a text, so that a seed has the same result with every
/// build.
fn hash(text: &str) -> u64 {
    Sha256::digest(text.as_bytes()).iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(method: Option<&str>, path: &str, skip: u32, times: Option<u32>, effect: Effect) -> Fault {
        Fault { method: method.map(str::to_owned), path_contains: path.to_owned(), skip, times, effect }
    }

    #[test]
    fn next_fault_skips_then_returns_the_fault_the_given_times() {
        let mut faults = Faults(vec![
            fault(Some("put"), "/a?x", 1, Some(2), Effect::Hang),
            fault(None, "/a", 0, Some(1), Effect::DropBefore),
        ]);
        let put = Request::new("PUT", "/a?x=1");
        let expected = [Some(Effect::DropBefore), Some(Effect::Hang), Some(Effect::Hang), None];
        assert_eq!([(); 4].map(|()| faults.next_fault(&put)), expected);
    }

    #[test]
    fn next_fault_requires_matching_method_and_path() {
        let mut faults = Faults(vec![fault(Some("PUT"), "/a", 0, None, Effect::Hang)]);
        for (method, target, hit) in
            [("PUT", "/a/b", true), ("GET", "/a", false), ("PUT", "/b", false), ("PUT", "/a", true)]
        {
            assert_eq!(faults.next_fault(&Request::new(method, target)).is_some(), hit, "{method} {target}");
        }
    }

    /// Returns the failure of each request, sorted by target.
    fn samples(seed: u64, rate: f64, targets: &[&str]) -> Vec<(String, Option<ErrorResponse>)> {
        let mut faults = RandomFaults::new(seed, rate);
        let mut samples: Vec<_> = targets
            .iter()
            .map(|target| ((*target).to_owned(), faults.sample(&Request::new("GET", target))))
            .collect();
        samples.sort_by(|(a, _), (b, _)| a.cmp(b));
        samples
    }

    #[test]
    fn sample_does_not_depend_on_the_order_of_requests() {
        let one = samples(7, 0.5, &["/a", "/a", "/a", "/b", "/b", "/b"]);
        assert_eq!(one, samples(7, 0.5, &["/b", "/a", "/b", "/a", "/b", "/a"]));
        assert_ne!(one, samples(8, 0.5, &["/a", "/a", "/a", "/b", "/b", "/b"]));
    }

    #[test]
    fn sample_fails_about_the_given_share() {
        let targets: Vec<_> = (0..1000).map(|n| format!("/{n}")).collect();
        let targets: Vec<_> = targets.iter().map(String::as_str).collect();
        let failed =
            |rate| samples(1, rate, &targets).iter().filter(|(_, failure)| failure.is_some()).count();
        assert_eq!([failed(0.0), failed(1.0), failed(f64::NAN)], [0, 1000, 0]);
        assert!((250..350).contains(&failed(0.3)), "{}", failed(0.3));
    }

    #[test]
    fn sample_of_a_429_or_503_has_retry_after() {
        for (_, failure) in samples(1, 1.0, &["/"; 50]) {
            let failure = failure.unwrap();
            let has_retry_after = failure
                .headers
                .iter()
                .any(|(name, wait)| *name == "Retry-After" && ["0", "1"].contains(&wait.as_str()));
            assert_eq!(has_retry_after, [429, 503].contains(&failure.status), "{failure:?}");
        }
    }
}
