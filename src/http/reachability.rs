//! Reachability of the hosts that one client sends requests to.
//!
//! Without shared state, each of 200 requests to a host that is down would use up its own retries. Here
//! the first failure starts an [`Outage`] of the host, which all requests to it share:
//!
//! - One request at a time probes the host, with the pauses of the retry policy. The others wait.
//! - Any response ends the outage, whatever its status.
//! - When the time for retries is used up, the host is given up: every waiting request fails with one and
//!   the same error, and so does every later one. A certificate that is not trusted is given up at once.
//! - A host that was given up is probed again by a later request, one at a time and not at once, so that a
//!   host that comes back can still be read.
//!
//! A failure to connect always starts an outage. A request that was sent and not answered does so as long as the
//! host has never answered. Later it fails only that request, unless a second one is silent too and the host has
//! answered nothing since both were sent.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};
use tracing::info;

use super::failure::{AttemptFailure, FailureReason, Unreachable};
use super::proxies::Route;
use super::rate_limiter::saturating_add;
use super::retry::{AttemptResult, Decision, Policy};
use super::warnings::Warnings;

/// Time for the retries of a host that cannot be connected to, of all requests together.
const CONNECT_BUDGET: Duration = Duration::from_secs(20);

/// The same for a host that accepts connections and never answers. An attempt that would end later is not
/// started, so with a read timeout of 30 s there are two attempts, which take 60 s.
const SILENCE_BUDGET: Duration = Duration::from_secs(65);

/// Time between the last failure of a host that was given up and the next probe.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// Reachability of one host.
#[derive(Debug)]
pub(super) struct Host {
    name: String,
    route: Route,
    state: watch::Sender<State>,
    warnings: Warnings,
    /// Held by the request that probes the host during an outage.
    probing: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    last_answer: Option<Instant>,
    /// Since when the host is silent; `None` if no request was unanswered since its last answer.
    silent_since: Option<Instant>,
    /// Requests that were sent since the last answer and whose first attempt was not answered.
    unanswered: u32,
    outage: Option<Outage>,
}

/// Time in which a host does not answer.
#[derive(Debug, Clone)]
struct Outage {
    error: Arc<Unreachable>,
    /// When the attempt began that failed first.
    since: Instant,
    /// Failed attempts, counting only those that were made one after the other.
    failures: u32,
    /// When the last attempt failed, or the host was given up.
    last_failure: Instant,
    next_probe: Instant,
    is_given_up: bool,
}

/// Probe that a request may send, but not before `at`.
struct PendingProbe {
    at: Instant,
    /// When the host is given up; `None` if it was given up already.
    gives_up_at: Option<Instant>,
    error: Arc<Unreachable>,
}

/// Permission to probe a host. At most one exists for each host.
#[derive(Debug)]
pub(super) struct Probe<'a> {
    _permit: Option<SemaphorePermit<'a>>,
    /// Whether the host was given up before, so that the probe does not end when it is given up.
    is_late: bool,
}

impl Outage {
    fn gives_up_at(&self) -> Instant {
        let is_silent = matches!(self.error.reason, FailureReason::NoAnswer(_));
        saturating_add(self.since, if is_silent { SILENCE_BUDGET } else { CONNECT_BUDGET })
    }
}

impl State {
    /// Returns the probe that a request may send during an outage; `None` if it may be sent without a probe.
    /// `failures_before` is the number of failures when the request began to wait.
    ///
    /// # Errors
    /// The host was given up or is to be given up now.
    fn admission(
        &self,
        failures_before: Option<u32>,
        is_final_attempt: bool,
    ) -> Result<Option<PendingProbe>, Arc<Unreachable>> {
        let Some(outage) = &self.outage else { return Ok(None) };
        let (now, error) = (Instant::now(), Arc::clone(&outage.error));
        let gives_up_at = outage.gives_up_at();
        let was_probed_meanwhile = failures_before != Some(outage.failures);
        let is_due = saturating_add(outage.last_failure, PROBE_INTERVAL) <= now;
        if !outage.is_given_up && now < gives_up_at {
            Ok(Some(PendingProbe { at: outage.next_probe, gives_up_at: Some(gives_up_at), error }))
        } else if outage.is_given_up && (is_due || is_final_attempt && !was_probed_meanwhile) {
            Ok(Some(PendingProbe { at: now, gives_up_at: None, error }))
        } else {
            Err(error)
        }
    }
}

impl Host {
    pub(super) fn new(url: &Url, route: Route, warnings: Warnings) -> Self {
        let name = url.host_str().unwrap_or_default();
        let name = match url.port() {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        };
        Self { name, route, state: watch::Sender::default(), warnings, probing: Semaphore::new(1) }
    }

    /// Waits until a request may be sent: at once if there is no outage. Returns a [`Probe`] if this request is to
    /// probe the host, `None` for an ordinary request. `is_final_attempt` allows a probe before the next probe is
    /// due.
    ///
    /// # Errors
    /// The host was given up, or the outage lasts until `deadline`.
    pub(super) async fn admit(
        &self,
        deadline: Instant,
        is_final_attempt: bool,
    ) -> Result<Option<Probe<'_>>, Arc<Unreachable>> {
        let mut changes = self.state.subscribe();
        let failures_before = changes.borrow_and_update().outage.as_ref().map(|outage| outage.failures);
        let admission = |changes: &mut watch::Receiver<State>| {
            let admission = changes.borrow_and_update().admission(failures_before, is_final_attempt);
            admission.map_err(|error| self.give_up(error))
        };
        loop {
            let Some(probe) = admission(&mut changes)? else { return Ok(None) };
            let wake_at = probe.gives_up_at.map_or(deadline, |at| at.min(deadline));
            let permit = tokio::select! {
                biased;
                permit = self.probing.acquire() => permit.ok(),
                _ = changes.changed() => continue,
                () = sleep_until(wake_at) => match self.error() {
                    Some(error) if deadline <= Instant::now() => return Err(error),
                    _ => continue,
                },
            };
            let Some(probe) = admission(&mut changes)? else { return Ok(None) };
            if probe.at > deadline {
                return Err(probe.error);
            }
            tokio::select! {
                biased;
                _ = changes.changed() => {}
                () = sleep_until(probe.at) => {
                    return Ok(Some(Probe { _permit: permit, is_late: probe.gives_up_at.is_none() }));
                }
            }
        }
    }

    /// Returns the result of `waiting`, or an error as soon as the host is given up. Waits without this limit
    /// for the probe of a host that was given up before.
    ///
    /// # Errors
    /// The host was given up.
    pub(super) async fn unless_given_up<T>(
        &self,
        probe: Option<&Probe<'_>>,
        waiting: impl Future<Output = T>,
    ) -> Result<T, Arc<Unreachable>> {
        if probe.is_some_and(|probe| probe.is_late) {
            return Ok(waiting.await);
        }
        tokio::select! {
            biased;
            done = waiting => Ok(done),
            error = self.given_up() => Err(error),
        }
    }

    async fn given_up(&self) -> Arc<Unreachable> {
        let mut changes = self.state.subscribe();
        loop {
            let outage = changes.borrow_and_update().outage.clone();
            let Some(outage) = outage else {
                // The sender lives as long as `self`.
                _ = changes.changed().await;
                continue;
            };
            if outage.is_given_up || outage.gives_up_at() <= Instant::now() {
                return self.give_up(outage.error);
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = sleep_until(outage.gives_up_at()) => {}
            }
        }
    }

    /// Returns whether requests to the host go through a proxy.
    pub(super) fn is_proxied(&self) -> bool {
        matches!(self.route, Route::Proxy { .. })
    }

    /// Returns whether the host failed and has not answered since.
    pub(super) fn is_failing(&self) -> bool {
        self.state.borrow().outage.is_some()
    }

    /// Returns the error of the current outage; `None` without an outage.
    pub(super) fn error(&self) -> Option<Arc<Unreachable>> {
        self.state.borrow().outage.as_ref().map(|outage| Arc::clone(&outage.error))
    }

    /// Records an attempt that began at `began` and was not answered. Returns whether the host is silent, not only
    /// this request: the host has never answered, or another request had no answer either, and none came since
    /// both were sent. One request that hangs must not make the others wait.
    pub(super) fn is_silent(&self, reason: &FailureReason, began: Instant, is_first_attempt: bool) -> bool {
        let mut is_silent = true;
        self.state.send_if_modified(|state| {
            if let Some(last_answer) = state.last_answer {
                let is_timeout = matches!(reason, FailureReason::NoAnswer(_));
                if is_timeout {
                    state.silent_since.get_or_insert(began.max(last_answer));
                }
                let is_counted = is_timeout && is_first_attempt && last_answer <= began;
                state.unanswered = state.unanswered.saturating_add(is_counted.into());
                is_silent = is_timeout && state.unanswered > 1;
            }
            false
        });
        is_silent
    }

    /// Creates an error with the name and the route of this host, and the given reason. Changes no state.
    pub(super) fn unreachable(&self, reason: FailureReason) -> Unreachable {
        Unreachable { host: self.name.clone(), route: self.route.clone(), reason }
    }

    /// Records that the host answered, with any status. Ends an outage and logs its end.
    pub(super) fn record_answer(&self) {
        self.state.send_if_modified(|state| {
            (state.last_answer, state.silent_since, state.unanswered) = (Some(Instant::now()), None, 0);
            let Some(outage) = state.outage.take() else { return false };
            info!("{} answers again after {:.1} s", self.name, outage.since.elapsed().as_secs_f64());
            true
        });
    }

    /// Records the failure of an attempt that began at `began`: starts an outage, or counts as its next
    /// failure. Then schedules the next probe, or gives the host up if no retry is left or if the failure is
    /// permanent and the host never answered. During an outage, ignores transient failures of attempts without
    /// a probe, which were in flight already.
    pub(super) fn record_failure(
        &self,
        AttemptFailure { reason, is_permanent }: AttemptFailure,
        began: Instant,
        probe: Option<Probe<'_>>,
        policy: &Policy,
    ) {
        let now = Instant::now();
        let is_silence = matches!(reason, FailureReason::NoAnswer(_));
        self.state.send_if_modified(|state| {
            let outage = match &mut state.outage {
                Some(_) if probe.is_none() && !is_permanent => return false,
                Some(outage) => {
                    outage.failures = outage.failures.saturating_add(1);
                    outage
                }
                none => none.insert(Outage {
                    error: Arc::new(self.unreachable(reason.clone())),
                    since: state.silent_since.filter(|_| is_silence).unwrap_or(began),
                    failures: 1,
                    last_failure: now,
                    next_probe: now,
                    is_given_up: false,
                }),
            };
            outage.last_failure = now;
            // The requests that waited failed with this error already.
            let keeps_error = outage.is_given_up && !probe.as_ref().is_some_and(|probe| probe.is_late);
            if !keeps_error && outage.error.reason != reason {
                outage.error = Arc::new(self.unreachable(reason.clone()));
            }
            let took = now.saturating_duration_since(began);
            // A stale connection is replaced at once, but not twice.
            let is_stale =
                outage.failures == 1 && matches!(reason, FailureReason::Refused | FailureReason::Reset);
            let pause = match policy.next(outage.failures, AttemptResult::Broken, fastrand::f64()) {
                // A host that was silent for so long needs no further pause.
                Decision::Retry(_) if is_silence || is_stale => Some(Duration::ZERO),
                Decision::Retry(pause) | Decision::PauseAll(pause) => Some(pause),
                Decision::Stop => None,
            };
            let has_time = |pause| saturating_add(saturating_add(now, pause), took) <= outage.gives_up_at();
            match pause.filter(|pause| has_time(*pause)) {
                Some(pause) if !is_permanent || state.last_answer.is_some() => {
                    outage.next_probe = saturating_add(now, pause)
                }
                _ => outage.is_given_up = true,
            }
            if !outage.is_given_up && !is_stale {
                self.warnings.log(&outage.error.to_string(), &format!("{}; retrying", outage.error));
            }
            true
        });
        drop(probe);
    }

    /// Marks the host as given up during an outage, so that all waiting requests fail, and returns `error`
    /// unchanged.
    fn give_up(&self, error: Arc<Unreachable>) -> Arc<Unreachable> {
        self.state.send_if_modified(|state| match &mut state.outage {
            Some(outage) if !outage.is_given_up => {
                outage.is_given_up = true;
                // The requests that wait now fail: none of them is a later one that may probe the host.
                outage.last_failure = Instant::now();
                true
            }
            _ => false,
        });
        error
    }
}
