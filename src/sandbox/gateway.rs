//! What stands between the wire and the tenant: journal, throttling, faults and batches.
//!
//! Owns the order in which these see a request, and that a change that cannot be kept is undone.
//! It must not read a clock or touch a connection: it gives a [`Reply`] to carry out.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::batch::{self, Item};
use super::faults::{Dice, Effect, Faults};
use super::journal::{Entry, Journal};
use super::mangle;
use super::message::{Request, Response};
use super::odata::Problem;
use super::route;
use super::tenant::Tenant;
use super::throttle::Window;
use super::{OnChange, Options};
use crate::snapshot::Snapshot;

/// What to do on the connection that a request came from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Send the response.
    Send(Response),
    /// Announce more body than the response has, send what it has, and close.
    Truncate(Response),
    /// Close without a response.
    Close,
    /// Send nothing and keep the connection open.
    Hang,
}

impl Reply {
    fn status(&self) -> Option<u16> {
        match self {
            Self::Send(response) | Self::Truncate(response) => Some(response.status),
            Self::Close | Self::Hang => None,
        }
    }
}

/// The emulator without its wire.
pub(super) struct Gateway {
    tenant: Tenant,
    on_change: Option<OnChange>,
    journal: Journal,
    window: Window,
    faults: Faults,
    dice: Dice,
    seed: u64,
    /// Where request ids come from.
    rng: fastrand::Rng,
}

/// What became of a request, and the name of what went wrong on purpose.
type Outcome = (Reply, Option<&'static str>);

impl Gateway {
    pub(super) fn new(
        tenant: Tenant,
        options: Options,
        journal: Journal,
        on_change: Option<OnChange>,
    ) -> Self {
        Self {
            tenant,
            on_change,
            journal,
            window: Window::new(options.throttle),
            faults: Faults::new(options.faults),
            dice: Dice::new(options.seed, options.fail),
            seed: options.seed,
            rng: fastrand::Rng::with_seed(options.seed),
        }
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        self.tenant.snapshot()
    }

    /// Answers a request that arrived at the time `now`.
    pub(super) fn answer(&mut self, request: &Request, now: Timestamp) -> Reply {
        self.journaled(request, None, |gateway, n| {
            if route::is_batch(&request.path) {
                gateway.serve_batch(request, n, now)
            } else {
                gateway.serve(request, now)
            }
        })
    }

    /// Refuses a request whose body was too large to be read.
    pub(super) fn refuse_body(&mut self, request: &Request, now: Timestamp) -> Reply {
        self.journaled(request, None, |gateway, _| {
            let problem = Problem::new(413, "RequestEntityTooLarge", "the body is larger than 4 MB");
            (Reply::Send(gateway.finish(request, now, Err(problem))), None)
        })
    }

    fn journaled(
        &mut self,
        request: &Request,
        batch: Option<u64>,
        serve: impl FnOnce(&mut Self, u64) -> Outcome,
    ) -> Reply {
        let n = self.journal.number();
        let entry = Entry::new(n, request, batch);
        let (reply, fault) = serve(self, n);
        self.journal.record(entry.ended(reply.status(), fault));
        reply
    }

    /// Serves one request. Throttling comes first: what is turned away uses up no fault.
    fn serve(&mut self, request: &Request, now: Timestamp) -> Outcome {
        if let Err(seconds) = self.window.admit(now) {
            let problem = Problem::new(429, "TooManyRequests", "the budget of requests is used up")
                .header("Retry-After", seconds.to_string());
            return (Reply::Send(self.finish(request, now, Err(problem))), Some("throttle"));
        }
        if let Some(effect) = self.faults.strike(request) {
            let name = effect.name();
            return (self.afflict(effect, request, now, |gateway| gateway.handle(request, now)), Some(name));
        }
        if let Some(problem) = self.dice.roll(request) {
            return (Reply::Send(self.finish(request, now, Err(problem))), Some("fail"));
        }
        let result = self.handle(request, now);
        (Reply::Send(self.finish(request, now, result)), None)
    }

    /// Serves a batch. It is neither throttled nor fails at random itself: its items are and do.
    fn serve_batch(&mut self, batch: &Request, n: u64, now: Timestamp) -> Outcome {
        if let Some(effect) = self.faults.strike(batch) {
            let name = effect.name();
            return (
                self.afflict(effect, batch, now, |gateway| gateway.run_batch(batch, n, now)),
                Some(name),
            );
        }
        let result = self.run_batch(batch, n, now);
        (Reply::Send(self.finish(batch, now, result)), None)
    }

    fn run_batch(&mut self, batch: &Request, n: u64, now: Timestamp) -> Result<Response, Problem> {
        let mut succeeded = BTreeSet::new();
        let mut answers = Vec::new();
        for Item { id, depends_on, request } in batch::items(batch)? {
            let ready = depends_on.iter().all(|id| succeeded.contains(&id.to_lowercase()));
            let reply = self.journaled(&request, Some(n), |gateway, _| {
                if ready { gateway.serve(&request, now) } else { gateway.refuse_dependent(&request, now) }
            });
            let response = match reply {
                Reply::Send(response) => response,
                Reply::Truncate(_) | Reply::Close | Reply::Hang => {
                    let problem = Problem::new(504, "GatewayTimeout", "no answer came from the service");
                    self.finish(&request, now, Err(problem))
                }
            };
            if response.status < 400 {
                succeeded.insert(id.to_lowercase());
            }
            answers.push((id, response));
        }
        Ok(batch::answer(answers, self.seed))
    }

    fn refuse_dependent(&mut self, request: &Request, now: Timestamp) -> Outcome {
        let problem =
            Problem::new(424, "FailedDependency", "a request that this one depends on has not succeeded");
        (Reply::Send(self.finish(request, now, Err(problem))), None)
    }

    /// Carries out an effect on a request that `run` would serve.
    fn afflict(
        &mut self,
        effect: Effect,
        request: &Request,
        now: Timestamp,
        run: impl FnOnce(&mut Self) -> Result<Response, Problem>,
    ) -> Reply {
        match effect {
            Effect::DropBefore => Reply::Close,
            Effect::Hang => Reply::Hang,
            Effect::DropAfter => {
                // The client will not learn the result; only its effect matters.
                let _ = run(self);
                Reply::Close
            }
            Effect::Truncate => {
                let mut response = run(self);
                // A 204 has no body to be cut off.
                if let Ok(response @ Response { status: 204, .. }) = &mut response {
                    response.status = 200;
                }
                Reply::Truncate(self.finish(request, now, response))
            }
            Effect::AcceptOnly => Reply::Send(self.finish(request, now, Ok(Response::no_content()))),
            Effect::Answer { status, headers, body } => {
                let canned = Response { status, headers, body: body.into_bytes() };
                Reply::Send(self.finish(request, now, Ok(canned)))
            }
            Effect::AnswerAfter { status, headers, body } => {
                // The client is told something else; only its effect matters.
                let _ = run(self);
                let canned = Response { status, headers, body: body.into_bytes() };
                Reply::Send(self.finish(request, now, Ok(canned)))
            }
            Effect::LoseItem => {
                let result = run(self).map(mangle::without_last);
                Reply::Send(self.finish(request, now, result))
            }
            Effect::RepeatItem => {
                let result = run(self).map(mangle::with_last_twice);
                Reply::Send(self.finish(request, now, result))
            }
        }
    }

    /// Lets the tenant answer, and keeps what that changed; what cannot be kept is undone.
    fn handle(&mut self, request: &Request, now: Timestamp) -> Result<Response, Problem> {
        let before = (request.method == "PUT").then(|| self.tenant.clone());
        let response = self.tenant.handle(request, now)?;
        if let (Some(before), Some(keep)) = (before, &self.on_change)
            && before.snapshot() != self.tenant.snapshot()
            && let Err(error) = keep(self.tenant.snapshot())
        {
            tracing::error!(%error, "the changed snapshot cannot be kept");
            self.tenant = before;
            return Err(Problem::new(500, "InternalServerError", "the change cannot be kept"));
        }
        Ok(response)
    }

    /// Renders a problem, and adds the headers that every response has.
    fn finish(&mut self, request: &Request, now: Timestamp, result: Result<Response, Problem>) -> Response {
        let random = self.rng.u128(..).to_be_bytes();
        let id = uuid::Builder::from_random_bytes(random).into_uuid().to_string();
        let response = result
            .unwrap_or_else(|problem| problem.respond(request, &id, now))
            .with_header("request-id", &id);
        match request.client_request_id() {
            Some(client_id) => response.with_header("client-request-id", client_id),
            None => response,
        }
    }
}

#[cfg(test)]
mod tests;
