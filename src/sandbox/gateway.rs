//! Gateway between HTTP and the tenant: journal, throttling, faults and batches.
//!
//! Defines the order in which these handle a request, and undoes a write that cannot be saved. It
//! must not read a clock or use a connection: it returns a [`Reply`] for `server` to execute.

use std::collections::BTreeSet;
use std::mem;

use jiff::Timestamp;

use super::batch::{self, BatchItem};
use super::corrupt_batch;
use super::error::ErrorResponse;
use super::faults::{Effect, Faults, RandomFaults};
use super::journal::{Journal, JournalEntry};
use super::message::{Request, Response};
use super::odata;
use super::options::{OnChange, Options};
use super::route;
use super::tenant::Tenant;
use super::throttle::SlidingWindow;
use crate::snapshot::Snapshot;

/// Action on the connection of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Send the response.
    Send(Response),
    /// Announce a longer body than the response has, send the response, and close.
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

/// Emulator without its HTTP server.
pub(super) struct Gateway {
    tenant: Tenant,
    on_change: Option<OnChange>,
    /// Whether the last change could not be saved.
    is_save_broken: bool,
    journal: Journal,
    window: SlidingWindow,
    faults: Faults,
    random_faults: RandomFaults,
    seed: u64,
    /// Source of request ids.
    rng: fastrand::Rng,
}

/// Reply to a request, and the journal name of the fault that was applied to it.
type ReplyWithFault = (Reply, Option<&'static str>);

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
            is_save_broken: false,
            journal,
            window: SlidingWindow::new(options.throttle),
            faults: Faults(options.faults),
            random_faults: RandomFaults::new(options.seed, options.fail),
            seed: options.seed,
            rng: fastrand::Rng::with_seed(options.seed),
        }
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        self.tenant.snapshot()
    }

    /// Serves a request that arrived at `now`, or each item of a batch: applies throttling and faults,
    /// changes and saves the tenant, and writes the journal. Returns what to do on the connection.
    pub(super) fn respond(&mut self, request: &Request, now: Timestamp) -> Reply {
        self.with_journal(request, None, |gateway, n| {
            if route::is_batch(&request.path) {
                gateway.serve_batch(request, n, now)
            } else {
                gateway.serve(request, now)
            }
        })
    }

    /// Returns a 413 for a request whose body exceeds the limit, and writes the request to the journal.
    pub(super) fn reject_body(&mut self, request: &Request, now: Timestamp) -> Reply {
        let error = ErrorResponse::new(413, "RequestEntityTooLarge", "the body is larger than 4 MiB");
        self.with_journal(request, None, |gateway, _| (gateway.send(request, now, Err(error)), None))
    }

    fn with_journal(
        &mut self,
        request: &Request,
        batch: Option<u64>,
        serve: impl FnOnce(&mut Self, u64) -> ReplyWithFault,
    ) -> Reply {
        let n = self.journal.take_number();
        let entry = JournalEntry::new(n, request, batch);
        let (reply, fault) = serve(self, n);
        self.journal.record(entry.with_result(reply.status(), fault));
        reply
    }

    /// Serves one request: with a 429 if it is throttled, else with a configured fault, else with a random
    /// failure, else with the response of the tenant. Also returns the name of the fault. A throttled request
    /// does not consume a fault.
    fn serve(&mut self, request: &Request, now: Timestamp) -> ReplyWithFault {
        if let Err(seconds) = self.window.admit(now) {
            let error = ErrorResponse::new(429, "TooManyRequests", "the rate limit is exceeded")
                .with_header("Retry-After", seconds.to_string());
            return (self.send(request, now, Err(error)), Some("throttle"));
        }
        let effect = self.faults.next_fault(request);
        if effect.is_none()
            && let Some(error) = self.random_faults.sample(request)
        {
            return (self.send(request, now, Err(error)), Some("fail"));
        }
        self.run_with_fault(effect, request, now, |gateway| gateway.handle_and_save(request, now))
    }

    /// Serves a batch, and also returns the name of a configured fault that the batch itself gets. Throttling
    /// and random failures apply to its items, not to the batch.
    fn serve_batch(&mut self, batch: &Request, n: u64, now: Timestamp) -> ReplyWithFault {
        let effect = self.faults.next_fault(batch);
        self.run_with_fault(effect, batch, now, |gateway| gateway.run_batch(batch, n, now))
    }

    fn run_batch(&mut self, batch: &Request, n: u64, now: Timestamp) -> Result<Response, ErrorResponse> {
        let mut succeeded = BTreeSet::new();
        let mut responses = Vec::new();
        for BatchItem { id, depends_on, request } in batch::parse_items(batch)? {
            let ready = depends_on.iter().all(|id| succeeded.contains(&id.to_lowercase()));
            let reply = self.with_journal(&request, Some(n), |gateway, _| {
                if ready {
                    return gateway.serve(&request, now);
                }
                let message = "a request in dependsOn did not succeed";
                let error = ErrorResponse::new(424, "FailedDependency", message);
                (gateway.send(&request, now, Err(error)), None)
            });
            let response = match reply {
                Reply::Send(response) => response,
                Reply::Truncate(_) | Reply::Close | Reply::Hang => {
                    let error = ErrorResponse::new(504, "GatewayTimeout", "the service did not respond");
                    self.finish_response(&request, now, Err(error))
                }
            };
            if response.status < 400 {
                succeeded.insert(id.to_lowercase());
            }
            responses.push((id, response));
        }
        Ok(batch::render_response(responses, self.seed))
    }

    /// Returns the reply to a request, with the effect of a fault and its name. `run` executes the request; it
    /// is called only if the effect executes the request.
    fn run_with_fault(
        &mut self,
        effect: Option<Effect>,
        request: &Request,
        now: Timestamp,
        run: impl FnOnce(&mut Self) -> Result<Response, ErrorResponse>,
    ) -> ReplyWithFault {
        let name = effect.as_ref().map(Effect::name);
        let result = match effect {
            None => run(self),
            Some(Effect::DropBefore) => return (Reply::Close, name),
            Some(Effect::Hang) => return (Reply::Hang, name),
            Some(Effect::DropAfter) => {
                // Executed only for its effect: no response is sent.
                let _ = run(self);
                return (Reply::Close, name);
            }
            Some(Effect::Truncate) => {
                let mut result = run(self);
                // A 204 has no body that could be truncated.
                if let Ok(response @ Response { status: 204, .. }) = &mut result {
                    response.status = 200;
                }
                return (Reply::Truncate(self.finish_response(request, now, result)), name);
            }
            Some(Effect::AcceptOnly) => Ok(Response::no_content()),
            Some(Effect::Answer { status, headers, body }) => {
                Ok(Response { status, headers, body: body.into_bytes() })
            }
            Some(Effect::AnswerAfter { status, headers, body }) => {
                // Executed only for its effect: the client receives the configured response.
                let _ = run(self);
                Ok(Response { status, headers, body: body.into_bytes() })
            }
            Some(Effect::LoseItem) => run(self).map(corrupt_batch::drop_last_item),
            Some(Effect::RepeatItem) => run(self).map(corrupt_batch::duplicate_last_item),
        };
        (self.send(request, now, result), name)
    }

    /// Handles a request and, if it changed the tenant, passes the new snapshot to `on_change`. If that
    /// fails, undoes the write and returns a 423, which clients do not retry. Of failures in a row, only the first is
    /// logged.
    fn handle_and_save(&mut self, request: &Request, now: Timestamp) -> Result<Response, ErrorResponse> {
        let before = (request.method == "PUT").then(|| self.tenant.clone());
        let response = self.tenant.handle(request, now)?;
        let Some(before) = before.filter(|before| before.snapshot() != self.tenant.snapshot()) else {
            return Ok(response);
        };
        let saved = self.on_change.as_ref().map_or(Ok(()), |save| save(self.tenant.snapshot()));
        let was_broken = mem::replace(&mut self.is_save_broken, saved.is_err());
        saved.map(|()| response).map_err(|error| {
            if !was_broken {
                tracing::error!("{error}");
            }
            self.tenant = before;
            ErrorResponse::new(423, "Locked", "the change could not be saved")
        })
    }

    fn send(&mut self, request: &Request, now: Timestamp, result: Result<Response, ErrorResponse>) -> Reply {
        Reply::Send(self.finish_response(request, now, result))
    }

    /// Returns the response, or the rendered error, with the headers of every response: a new `request-id`,
    /// and the `client-request-id` of the request.
    fn finish_response(
        &mut self,
        request: &Request,
        now: Timestamp,
        result: Result<Response, ErrorResponse>,
    ) -> Response {
        let random = self.rng.u128(..).to_be_bytes();
        let id = uuid::Builder::from_random_bytes(random).into_uuid().to_string();
        let response = result
            .unwrap_or_else(|error| odata::render_error(&error, request, &id, now))
            .with_header("request-id", &id);
        match request.client_request_id() {
            Some(client_id) => response.with_header("client-request-id", client_id),
            None => response,
        }
    }
}

#[cfg(test)]
mod tests;
