//! Conversion between the errors of `azure_identity` and [`SignInError`].

use std::error::Error as _;
use std::io;

use azure_core::error::ErrorKind;

use crate::auth::error::SignInError;
use crate::http::foreign_text;

/// Converts to the crate's error type. Its credentials pass it on without retries.
impl From<SignInError> for azure_core::Error {
    fn from(error: SignInError) -> Self {
        Self::new(ErrorKind::Credential, error)
    }
}

/// Returns the innermost error that is ours or the service's, in one line, without the names and links of
/// `azure_identity`. An unreachable host or an unusable client stays an error of this kind. The text that a
/// JSON error quotes is replaced by `***`.
pub(super) fn sign_in_error(error: &azure_core::Error) -> SignInError {
    let mut message = error.to_string();
    let mut status = error.http_status();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(theirs) = inner.downcast_ref::<azure_core::Error>() {
            (message, status) = (theirs.to_string(), theirs.http_status());
        } else if let Some(error) = inner.downcast_ref::<SignInError>() {
            if !matches!(error, SignInError::Other(_)) {
                return error.clone();
            }
            (message, status) = (error.to_string(), None);
        } else if let Some(error) = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && error.is::<SignInError>()
        {
            message = error.to_string();
        } else if inner.is::<serde_json::Error>() {
            message = without_quoted_text(&message);
        }
        cause = inner.source();
    }
    SignInError::from_service(match status {
        Some(status) if message.trim().is_empty() => format!("answered {}", u16::from(status)),
        _ => single_line(&message),
    })
}

/// Returns the message of a JSON error with `***` between its first and last quote, because the unexpected
/// text that it quotes may be the token.
fn without_quoted_text(message: &str) -> String {
    match (message.split_once('"'), message.rsplit_once('"')) {
        (Some((before, _)), Some((_, after))) => format!("{before}\"***\"{after}"),
        _ => message.to_owned(),
    }
}

/// Joins the lines of a text of another system with spaces, redacts tokens, and truncates it to 2,000 characters.
pub(super) fn single_line(text: &str) -> String {
    foreign_text(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}
