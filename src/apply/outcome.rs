//! Outcome of a change: pure, from the result of its PUT and the last value of its binding.
//!
//! The service may accept a PUT and bind nothing, and may bind without a response. So a change is applied
//! only if the read-back showed it.

use super::put::{NotSent, PutResult};
use super::verify::matches_desired;
use super::{ChangeReport, Outcome};
use crate::graph::GraphError;
use crate::model::{Bound, ReadError, Reading, bound_id};
use crate::plan::Change;

/// Returns the report of a change. A PUT that was accepted or has an unknown result is applied if the last
/// reading has the desired value, otherwise unverified. A rejected PUT is failed, one that was not sent is
/// not attempted, and a skipped one is already done.
pub(super) fn classify_outcome(change: Change, put: PutResult, seen: Option<Reading<Bound>>) -> ChangeReport {
    let is_confirmed = seen.as_ref().is_some_and(|seen| matches_desired(&change, seen));
    let report = |change, outcome| ChangeReport {
        change,
        outcome,
        attempts: 0,
        request_id: None,
        error: None,
        hint: None,
    };
    match put {
        PutResult::Skipped => report(change, Outcome::Already),
        PutResult::NotSent(why) => {
            let (error, hint) = match why {
                NotSent::Interrupted => ("interrupted before it was sent".to_owned(), None),
                NotSent::FailFast => ("another change failed before (`--fail-fast`)".to_owned(), None),
                NotSent::Error(error) => (error.kind.to_string(), error.hint()),
            };
            ChangeReport { error: Some(error), hint, ..report(change, Outcome::NotAttempted) }
        }
        PutResult::Accepted(accepted) => {
            let (outcome, error) = match &seen {
                _ if is_confirmed => (Outcome::Applied, None),
                seen => (Outcome::Unverified, Some(unconfirmed(&change, seen.as_ref()))),
            };
            let hint = error.as_ref().map(|_| UNVERIFIED_HINT.to_owned());
            let (attempts, request_id) = (accepted.attempts, accepted.request_id);
            ChangeReport { attempts, request_id, error, hint, ..report(change, outcome) }
        }
        PutResult::Rejected(error) => with_error(report(change, Outcome::Failed), error),
        PutResult::Indeterminate(error) if is_confirmed => {
            let report = with_error(report(change, Outcome::Applied), error);
            ChangeReport { error: None, hint: None, ..report }
        }
        // A PUT without a response may still take effect. A rejection of the retry does not prove that the
        // first attempt failed.
        PutResult::Indeterminate(error) => {
            let report = with_error(report(change, Outcome::Unverified), error);
            ChangeReport { hint: report.hint.or(Some(UNVERIFIED_HINT.into())), ..report }
        }
    }
}

const UNVERIFIED_HINT: &str =
    "run `flowbind plan` in a few minutes; if the change is still listed, apply again";

fn with_error(report: ChangeReport, error: GraphError) -> ChangeReport {
    let text = match error.meaning() {
        Some(meaning) => format!("{error}: {meaning}"),
        None => error.to_string(),
    };
    let hint = error.hint();
    let (attempts, request_id) = (error.attempts, error.request_id);
    ChangeReport { attempts, request_id, error: Some(text), hint, ..report }
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
