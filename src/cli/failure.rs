//! Every domain error as diagnostics, with what to do next.

use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::graph::{InvalidGraphUrl, InvalidToken};
use crate::snapshot::SnapshotError;

/// Why a command could not do its work.
#[derive(Debug)]
pub(super) struct Failure(Vec<Diagnostic>);

impl Failure {
    /// What to tell.
    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.0
    }

    /// A snapshot that is none.
    pub(super) fn snapshot(path: &Path, error: &SnapshotError) -> Self {
        let problem = Diagnostic::error(format!("`{}` is no snapshot", path.display()))
            .caused_by(error.to_string())
            .hint("`flowbind schema snapshot` prints the format");
        problem.into()
    }

    /// No credential serves.
    pub(super) fn no_credential() -> Self {
        Diagnostic::error("no credential: `FLOWBIND_ACCESS_TOKEN` is not set")
            .hint("set it to an access token for Microsoft Graph, such as `az account get-access-token --resource-type ms-graph` gives")
            .hint("or rehearse without a tenant: `--sandbox FILE`")
            .into()
    }
}

impl From<Diagnostic> for Failure {
    fn from(problem: Diagnostic) -> Self {
        Self(vec![problem])
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(problems: Vec<Diagnostic>) -> Self {
        Self(problems)
    }
}

/// What is beyond our words: the context says what was tried, the chain why it failed.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let problem = Diagnostic::error(error.to_string());
        error.chain().skip(1).fold(problem, |problem, cause| problem.caused_by(cause.to_string())).into()
    }
}

impl From<InvalidGraphUrl> for Failure {
    fn from(error: InvalidGraphUrl) -> Self {
        Diagnostic::error(format!("`--graph-url`: {error}"))
            .hint(
                "give the root with its version, such as `https://graph.microsoft.com/beta`, or leave it out",
            )
            .into()
    }
}

impl From<InvalidToken> for Failure {
    fn from(error: InvalidToken) -> Self {
        Diagnostic::error(error.to_string())
            .hint("set `FLOWBIND_ACCESS_TOKEN` to the token alone, without `Bearer` and quotes")
            .into()
    }
}
