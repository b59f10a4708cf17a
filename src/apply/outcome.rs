//! Outcome of a change: pure, from the result of its PUT and the last value of its binding.
//!
//! The service may accept a PUT and bind nothing, and may bind without a response. So a change is applied
//! only if the read-back showed it.

use super::put::{NotSent, PutResult};
use super::read_back::matches_desired;
use super::report::{Outcome, Reason, SentPut};
use crate::graph::{AcceptedPut, GraphError};
use crate::model::{Bound, ReadError, Reading, bound_id};
use crate::plan::Change;

const UNVERIFIED_HINT: &str =
    "run `flowbind plan` in a few minutes; if the change is still listed, apply again";

/// Returns the outcome of a change. A PUT that was accepted or has an unknown result is applied if the last
/// reading has the desired value, otherwise unverified. A rejected PUT is failed, one that was not sent is
/// not attempted, and a skipped one is already done.
pub(super) fn classify_outcome(change: &Change, put: PutResult, seen: Option<Reading<Bound>>) -> Outcome {
    let is_confirmed = seen.as_ref().is_some_and(|seen| matches_desired(change, seen));
    match put {
        PutResult::Skipped => Outcome::Already,
        PutResult::NotSent(why) => {
            let (error, hint) = match why {
                NotSent::Interrupted => ("interrupted before it was sent".to_owned(), None),
                NotSent::FailFast => ("another change failed before (`--fail-fast`)".to_owned(), None),
                NotSent::Error(error) => (error.kind.to_string(), error.hint()),
            };
            Outcome::NotAttempted(Some(Reason { error, hint }))
        }
        PutResult::Accepted(AcceptedPut { attempts, request_id }) => {
            let put = SentPut { attempts, request_id };
            if is_confirmed {
                Outcome::Applied(put)
            } else {
                let error = unconfirmed(change, seen.as_ref());
                Outcome::Unverified(put, Reason { error, hint: Some(UNVERIFIED_HINT.to_owned()) })
            }
        }
        PutResult::Rejected(error) => Outcome::Failed(sent_put(&error), reason(&error)),
        PutResult::Indeterminate(error) if is_confirmed => Outcome::Applied(sent_put(&error)),
        // A PUT without a response may still take effect. A rejection of the retry does not prove that the
        // first attempt failed.
        PutResult::Indeterminate(error) => {
            let Reason { error: text, hint } = reason(&error);
            let hint = hint.or(Some(UNVERIFIED_HINT.to_owned()));
            Outcome::Unverified(sent_put(&error), Reason { error: text, hint })
        }
    }
}

fn sent_put(error: &GraphError) -> SentPut {
    SentPut { attempts: error.attempts, request_id: error.request_id.clone() }
}

fn reason(error: &GraphError) -> Reason {
    let text = match error.meaning() {
        Some(meaning) => format!("{error}: {meaning}"),
        None => error.to_string(),
    };
    Reason { error: text, hint: error.hint() }
}

/// Returns the error of an accepted PUT without confirmation: what its read-back returned, if there was one.
fn unconfirmed(change: &Change, seen: Option<&Reading<Bound>>) -> String {
    match seen {
        Some(Reading::Known(bound)) if bound_id(bound) == bound_id(&change.current) => {
            "Graph accepted the PUT, but still returns the old value".to_owned()
        }
        Some(Reading::Known(bound)) => {
            let other = bound.as_ref().map(|it| it.display_name.as_deref().unwrap_or(it.id.as_str()));
            let other = other.map_or("nothing".to_owned(), |name| format!("`{name}`"));
            format!("Graph accepted the PUT, but now returns {other}")
        }
        Some(Reading::Unknown(ReadError { cause, .. })) => {
            format!("Graph accepted the PUT, but the binding could not be read back: {cause}")
        }
        None => "Graph accepted the PUT, but the binding was not read back".to_owned(),
    }
}
