//! Expiry of access tokens.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::auth::{Credential, Kind, Token};
use crate::diagnostic::{Code, Diagnostic};

/// Returns the error of a token that has expired; `None` if it has not, or if its expiry is unknown.
pub(super) fn expired_error(credential: &Credential) -> Option<Diagnostic> {
    let (is_expired, at) = expiry(&credential.token());
    let error = || Diagnostic::error(Code::TokenExpired, format!("the access token expired {at}"));
    is_expired.then(error).map(|error| match credential.kind() {
        Kind::AccessToken => error.hint("get a new token, and set `FLOWBIND_ACCESS_TOKEN` to it"),
        _ => error.hint("check the clock of this machine, then sign in again"),
    })
}

/// Returns whether a token has expired, and the time as text, with its age if it is over. Without a time, the text is
/// `not in the token`.
pub(super) fn expiry(token: &Token) -> (bool, String) {
    let Some(expires) = token.expires() else { return (false, "not in the token".into()) };
    let at = Timestamp::try_from(expires).map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let at = at.unwrap_or_else(|_| "never".into());
    match SystemTime::now().duration_since(expires) {
        Ok(ago) => (true, format!("{at} ({} ago)", rough_duration(ago))),
        Err(_) => (false, at),
    }
}

/// Returns a duration rounded down: in minutes below 2 h, in hours below 2 days, otherwise in days.
fn rough_duration(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match minutes {
        0 => "less than 1 min".into(),
        1..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}
