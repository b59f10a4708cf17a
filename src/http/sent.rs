//! What is known of one request over all of its attempts.

use reqwest::header::HeaderValue;

use super::message::{Answer, SendError, SendErrorKind};
use super::retry::Outcome;

/// How often a request was sent, and what came of the last time.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) attempts: u32,
    /// How many attempts were answered 429.
    pub(super) throttled: u32,
    /// Whether the service may have done what was asked.
    pub(super) may_have_acted: bool,
    pub(super) last_id: Option<String>,
    pub(super) last: Option<Box<Answer>>,
    /// What it was authorized by the last time.
    pub(super) authorization: Option<HeaderValue>,
    /// Whether it was tried with another token after a 401.
    pub(super) renewed: bool,
}

/// Whether the service did not even begin to do what was asked. A 408 tells that it lost its patience,
/// perhaps in the middle.
pub(super) fn turned_away(status: u16) -> bool {
    matches!(status, 400..=407 | 409..500)
}

impl Sent {
    /// How many attempts were throttled, where the last one was; else how many were not.
    pub(super) fn of_its_kind(&self, outcome: Outcome) -> u32 {
        match outcome {
            Outcome::Answered(429, _) => self.throttled,
            _ => self.attempts.saturating_sub(self.throttled),
        }
    }

    /// The request ends with this.
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
