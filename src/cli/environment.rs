//! The environment, read once and in one place.

use crate::auth::Secret;

/// What the environment says.
#[derive(Debug)]
pub(super) struct Environment {
    /// `FLOWBIND_ACCESS_TOKEN`: a ready token for Graph.
    pub(super) access_token: Option<Secret>,
    /// `SOURCE_DATE_EPOCH`: the time that goes into outputs, in seconds since 1970, so that the
    /// same run gives the same bytes (<https://reproducible-builds.org/specs/source-date-epoch/>).
    source_date_epoch: Option<i64>,
    /// `AZURE_AUTHORITY_HOST`: where tenants sign in, in place of the cloud's own host.
    pub(super) authority_host: Option<String>,
}

impl Environment {
    pub(super) fn read() -> Self {
        Self {
            access_token: variable("FLOWBIND_ACCESS_TOKEN").map(Secret::new),
            source_date_epoch: variable("SOURCE_DATE_EPOCH").and_then(|seconds| seconds.parse().ok()),
            authority_host: variable("AZURE_AUTHORITY_HOST"),
        }
    }

    /// The time that goes into outputs, in whole seconds.
    pub(super) fn now(&self) -> jiff::Timestamp {
        let seconds = self.source_date_epoch.unwrap_or_else(|| jiff::Timestamp::now().as_second());
        jiff::Timestamp::from_second(seconds).unwrap_or_default()
    }
}

/// A variable's value without white space around it; an empty one counts as none.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok()?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}
