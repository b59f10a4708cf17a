//! What became of a change: pure, from what came of its PUT and what its binding showed last.
//!
//! The service may say yes and bind nothing, and may bind without an answer. So a change is applied
//! when it was seen, and not otherwise.

use super::put::Put;
use super::verify::shows;
use super::{ChangeReport, Outcome};
use crate::model::{Bound, Reading};
use crate::plan::Change;

/// Tells what became of a change.
pub(super) fn settle(change: Change, put: Put, seen: Option<Reading<Bound>>) -> ChangeReport {
    let shown = seen.as_ref().is_some_and(|seen| shows(&change, seen));
    let (attempts, request_id, error) = match &put {
        Put::Needless => (0, None, None),
        Put::NotSent(why) => (0, None, Some(why.clone())),
        Put::Taken(taken) => (taken.attempts, taken.request_id.clone(), None),
        Put::Refused(error) | Put::Unclear(error) => {
            (error.attempts, error.request_id.clone(), Some(error.with_advice()))
        }
    };
    let (outcome, error) = match (put, seen) {
        (Put::Needless, _) => (Outcome::Already, None),
        (Put::NotSent(_), _) => (Outcome::NotAttempted, error),
        (Put::Refused(_), _) => (Outcome::Failed, error),
        _ if shown => (Outcome::Applied, None),
        (Put::Taken(_), Some(Reading::Known(_))) => {
            let why = "the service took it, but does not show it";
            (Outcome::Unverified, Some(why.to_owned()))
        }
        (Put::Taken(_), Some(Reading::Unknown(unread))) => {
            let why = format!("the service took it, but it could not be read back: {}", unread.why);
            (Outcome::Unverified, Some(why))
        }
        // Without an answer it may still be on its way through the service; and after a lost one a no
        // does not tell what became of what was asked before.
        (Put::Taken(_) | Put::Unclear(_), _) => (Outcome::Unverified, error),
    };
    ChangeReport { change, outcome, attempts, request_id, error }
}
