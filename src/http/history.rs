//! State of one request over all of its attempts.

use reqwest::header::HeaderValue;

use super::message::{Answer, SendError, SendErrorKind};
use super::retry::AttemptResult;

/// Maximum attempts of one request that are repeated without a pause because the service did not process them. A
/// service that closes one connection after the other needs a pause.
const MAX_IMMEDIATE: u32 = 3;

/// Attempts of one request so far.
#[derive(Debug, Default)]
pub(super) struct AttemptHistory {
    /// How often the request was sent.
    pub(super) attempts: u32,
    /// How many attempts the service did not process.
    pub(super) unprocessed: u32,
    /// How many attempts were answered with 429.
    pub(super) throttled: u32,
    /// Whether the service may have processed the request.
    pub(super) may_have_acted: bool,
    /// The `client-request-id` of the last attempt.
    pub(super) last_id: Option<String>,
    /// The last response, which is to be retried.
    pub(super) last: Option<Box<Answer>>,
    /// The `Authorization` header of the last attempt.
    pub(super) authorization: Option<HeaderValue>,
    /// Whether another token was requested after a 401.
    pub(super) renewed: bool,
}

/// Returns whether a response of this status shows that the service did not process the request: 4xx except
/// 408, which may come after it began to.
pub(super) fn is_definite_rejection(status: u16) -> bool {
    matches!(status, 400..=407 | 409..500)
}

impl AttemptHistory {
    /// Counts an attempt that was sent and has no usable response: the service may have processed it.
    pub(super) fn record_unanswered(&mut self, id: String) {
        self.may_have_acted = true;
        self.record_attempt(id);
    }

    /// Counts an attempt that was sent and that the service did not process.
    pub(super) fn record_unprocessed(&mut self, id: String) {
        self.unprocessed = self.unprocessed.saturating_add(1);
        self.record_attempt(id);
    }

    /// Counts an attempt that was answered with this status.
    pub(super) fn record_answer(&mut self, id: String, status: u16) {
        self.throttled = self.throttled.saturating_add(u32::from(status == 429));
        self.may_have_acted |= !is_definite_rejection(status);
        self.record_attempt(id);
    }

    fn record_attempt(&mut self, id: String) {
        self.attempts = self.attempts.saturating_add(1);
        self.last_id = Some(id);
    }

    /// Returns whether the last attempt, which the service did not process, may be repeated without a pause.
    pub(super) fn is_repeated_at_once(&self) -> bool {
        self.unprocessed <= MAX_IMMEDIATE
    }

    /// Returns the number of throttled attempts if this one was throttled, else the number of the others, without
    /// those that were repeated without a pause.
    pub(super) fn count_attempts(&self, result: AttemptResult) -> u32 {
        match result {
            AttemptResult::Answered(429, _) => self.throttled,
            _ => self
                .attempts
                .saturating_sub(self.throttled)
                .saturating_sub(self.unprocessed.min(MAX_IMMEDIATE)),
        }
    }

    /// Creates the error that ends the request, from `kind` and the recorded attempts. Moves the last id and
    /// the last response into it.
    pub(super) fn error(&mut self, kind: SendErrorKind) -> SendError {
        SendError {
            kind,
            client_request_id: self.last_id.take(),
            attempts: self.attempts,
            may_have_acted: self.may_have_acted,
            last: self.last.take(),
        }
    }
}
