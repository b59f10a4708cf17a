//! State of one request over all of its attempts.

use reqwest::header::HeaderValue;

use super::message::{Answer, SendError, SendErrorKind};
use super::retry::AttemptResult;

/// Attempts of one request so far.
#[derive(Debug, Default)]
pub(super) struct AttemptHistory {
    /// How often the request was sent.
    pub(super) attempts: u32,
    /// How many attempts were answered with 429.
    pub(super) throttled: u32,
    /// Whether the service may have processed the request.
    pub(super) may_have_acted: bool,
    /// The `client-request-id` of the last attempt.
    pub(super) last_id: Option<String>,
    pub(super) last: Option<Box<Answer>>,
    /// The `Authorization` header of the last attempt.
    pub(super) authorization: Option<HeaderValue>,
    /// Whether another token was requested after a 401.
    pub(super) renewed: bool,
}

/// Returns whether the service surely did not process the request. A 408 may come after it began to.
pub(super) fn is_definite_rejection(status: u16) -> bool {
    matches!(status, 400..=407 | 409..500)
}

impl AttemptHistory {
    /// Returns the number of throttled attempts if this one was throttled, else the number of the others.
    pub(super) fn count_of(&self, result: AttemptResult) -> u32 {
        match result {
            AttemptResult::Answered(429, _) => self.throttled,
            _ => self.attempts.saturating_sub(self.throttled),
        }
    }

    /// Returns the error that ends the request.
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
