//! The environment, read once and in one place.

use std::env::VarError;

use jiff::Timestamp;

use crate::auth::Secret;
use crate::diagnostic::Diagnostic;

/// What the environment says.
#[derive(Debug)]
pub(super) struct Environment {
    /// `FLOWBIND_ACCESS_TOKEN`: a ready token for Graph.
    pub(super) access_token: Option<Secret>,
    /// `SOURCE_DATE_EPOCH`: the time that goes into outputs, in seconds since 1970, so that the
    /// same run gives the same bytes (<https://reproducible-builds.org/specs/source-date-epoch/>).
    source_date_epoch: Option<Timestamp>,
    /// `AZURE_AUTHORITY_HOST`: where tenants sign in, in place of the cloud's own host.
    pub(super) authority_host: Option<String>,
}

impl Environment {
    /// # Errors
    /// A variable whose value cannot be what it is for.
    pub(super) fn read() -> Result<Self, Diagnostic> {
        let access_token = variable("FLOWBIND_ACCESS_TOKEN")?.map(Secret::new);
        let source_date_epoch = match variable("SOURCE_DATE_EPOCH")? {
            None => None,
            Some(text) => Some(seconds(&text).ok_or_else(|| {
                Diagnostic::error("`SOURCE_DATE_EPOCH` is no number of seconds since 1970")
                    .hint("set it as in `SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)`, or unset it")
            })?),
        };
        Ok(Self { access_token, source_date_epoch, authority_host: variable("AZURE_AUTHORITY_HOST")? })
    }

    /// The time that goes into outputs, in whole seconds.
    pub(super) fn now(&self) -> Timestamp {
        let now = || Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
        self.source_date_epoch.unwrap_or_else(now)
    }
}

fn seconds(text: &str) -> Option<Timestamp> {
    Timestamp::from_second(text.parse().ok()?).ok()
}

/// A variable's value without white space around it; an empty one counts as none.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn variable(name: &str) -> Result<Option<String>, Diagnostic> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(Diagnostic::error(format!("`{name}` is not UTF-8")).hint("set it anew, or unset it"))
        }
    }
}
