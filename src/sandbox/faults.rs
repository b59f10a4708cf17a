//! What goes wrong on purpose: faults for chosen requests, and failures at random.
//!
//! Owns the choice of who is hit by what; it must not carry an effect out or touch the tenant.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::message::Request;
use super::odata::Problem;

/// Something that goes wrong for the requests that match. The first fault that matches and is
/// not used up hits a request; those after it do not see that request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The method of the requests; any when absent.
    pub method: Option<String>,
    /// What the path (with its query, as sent) must contain.
    pub path_contains: String,
    /// How many matching requests pass unharmed at first.
    pub skip: u32,
    /// How many are hit after these; no end when absent.
    pub times: Option<u32>,
    /// What happens to them.
    pub effect: Effect,
}

/// What happens to a request that a fault hits. In a batch, where one item has no connection of
/// its own, an item that cannot be answered is answered 504.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Answers this, without effect on the tenant.
    Answer {
        /// The status code.
        status: u16,
        /// The headers, besides those that every answer has.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// Takes effect, then answers this in place of the truth.
    AnswerAfter {
        /// The status code.
        status: u16,
        /// The headers, besides those that every answer has.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// Closes the connection, without effect on the tenant.
    DropBefore,
    /// Takes effect, then closes the connection without an answer.
    DropAfter,
    /// Answers 204, without effect on the tenant.
    AcceptOnly,
    /// Never answers, without effect on the tenant.
    Hang,
    /// Takes effect, then announces a longer body than it sends, and closes the connection.
    Truncate,
    /// Answers a batch without the last of its answers. Any other request is answered as ever.
    LoseItem,
    /// Answers a batch with the last of its answers in the place of the first as well, under its own
    /// id. Any other request is answered as ever.
    RepeatItem,
}

impl Effect {
    /// Gives the name by which the journal calls the effect.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Answer { .. } => "answer",
            Self::AnswerAfter { .. } => "answerAfter",
            Self::DropBefore => "dropBefore",
            Self::DropAfter => "dropAfter",
            Self::AcceptOnly => "acceptOnly",
            Self::Hang => "hang",
            Self::Truncate => "truncate",
            Self::LoseItem => "loseItem",
            Self::RepeatItem => "repeatItem",
        }
    }
}

/// The faults and how often each has been used.
#[derive(Debug)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self(faults)
    }

    /// Uses up one turn of each fault that the request reaches; gives the effect that hits it.
    pub(super) fn strike(&mut self, request: &Request) -> Option<Effect> {
        let Self(faults) = self;
        let target = request.target();
        for fault in faults {
            if !fault.matches(&request.method, &target) {
                continue;
            }
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

/// Failures at random. Each is decided by seed, method, path with query, and how often that was
/// asked for, so that the order in which other requests arrive changes nothing.
#[derive(Debug)]
pub(super) struct Dice {
    seed: u64,
    rate: f64,
    asked: BTreeMap<String, u64>,
}

impl Dice {
    /// `rate` is the share of requests that fail, from 0 to 1.
    pub(super) fn new(seed: u64, rate: f64) -> Self {
        Self { seed, rate, asked: BTreeMap::new() }
    }

    /// Gives the failure of the request, if it is to fail.
    pub(super) fn roll(&mut self, request: &Request) -> Option<Problem> {
        // Not only for speed: without failures nothing needs to be counted.
        if self.rate <= 0.0 {
            return None;
        }
        let question = format!("{} {}", request.method, request.target());
        let count = self.asked.entry(question.clone()).or_default();
        *count = count.saturating_add(1);
        let mut rng = fastrand::Rng::with_seed(hash(&format!("{} {count} {question}", self.seed)));
        (rng.f64() < self.rate).then(|| failure(&mut rng))
    }
}

fn failure(rng: &mut fastrand::Rng) -> Problem {
    let (status, code) = match rng.u8(..5) {
        0 => (500, "InternalServerError"),
        1 => (502, "BadGateway"),
        2 => (503, "ServiceUnavailable"),
        3 => (504, "GatewayTimeout"),
        _ => (429, "TooManyRequests"),
    };
    let problem = Problem::new(status, code, "this request was chosen to fail");
    if matches!(status, 429 | 503) {
        problem.header("Retry-After", rng.u8(..=1).to_string())
    } else {
        problem
    }
}

/// Hashes with a published function, so that a seed means the same with every build.
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
    fn a_fault_skips_then_strikes_so_often() {
        let mut faults = Faults::new(vec![
            fault(Some("put"), "/a?x", 1, Some(2), Effect::Hang),
            fault(None, "/a", 0, Some(1), Effect::DropBefore),
        ]);
        let put = Request::new("PUT", "/a?x=1");
        let expected = [Some(Effect::DropBefore), Some(Effect::Hang), Some(Effect::Hang), None];
        assert_eq!([(); 4].map(|()| faults.strike(&put)), expected);
    }

    #[test]
    fn method_and_path_must_both_match() {
        let mut faults = Faults::new(vec![fault(Some("PUT"), "/a", 0, None, Effect::Hang)]);
        for (method, target, hit) in
            [("PUT", "/a/b", true), ("GET", "/a", false), ("PUT", "/b", false), ("PUT", "/a", true)]
        {
            assert_eq!(faults.strike(&Request::new(method, target)).is_some(), hit, "{method} {target}");
        }
    }

    /// The failures of the n-th time that each target is asked for.
    fn rolls(seed: u64, rate: f64, targets: &[&str]) -> Vec<(String, Option<Problem>)> {
        let mut dice = Dice::new(seed, rate);
        let mut rolls: Vec<_> = targets
            .iter()
            .map(|target| ((*target).to_owned(), dice.roll(&Request::new("GET", target))))
            .collect();
        rolls.sort_by(|(a, _), (b, _)| a.cmp(b));
        rolls
    }

    #[test]
    fn failures_do_not_depend_on_the_order_of_requests() {
        let one = rolls(7, 0.5, &["/a", "/a", "/a", "/b", "/b", "/b"]);
        assert_eq!(one, rolls(7, 0.5, &["/b", "/a", "/b", "/a", "/b", "/a"]));
        assert_ne!(one, rolls(8, 0.5, &["/a", "/a", "/a", "/b", "/b", "/b"]));
    }

    #[test]
    fn about_the_given_share_fails() {
        let targets: Vec<_> = (0..1000).map(|n| format!("/{n}")).collect();
        let targets: Vec<_> = targets.iter().map(String::as_str).collect();
        let failed = |rate| rolls(1, rate, &targets).iter().filter(|(_, failure)| failure.is_some()).count();
        assert_eq!([failed(0.0), failed(1.0), failed(f64::NAN)], [0, 1000, 0]);
        assert!((250..350).contains(&failed(0.3)), "{}", failed(0.3));
    }

    #[test]
    fn retryable_failures_say_when() {
        for (_, failure) in rolls(1, 1.0, &["/"; 50]) {
            let failure = failure.unwrap();
            let waits = failure
                .headers
                .iter()
                .any(|(name, wait)| *name == "Retry-After" && ["0", "1"].contains(&wait.as_str()));
            assert_eq!(waits, [429, 503].contains(&failure.status), "{failure:?}");
        }
    }
}
