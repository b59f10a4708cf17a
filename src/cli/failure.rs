//! Every domain error as diagnostics, with what to do next.

use std::path::Path;

use super::Exit;
use crate::auth::{Kind, NoCredential};
use crate::diagnostic::Diagnostic;
use crate::files::OutputError;
use crate::graph::InvalidGraphUrl;
use crate::model::Tenant;
use crate::snapshot::SnapshotError;

/// Why a command could not do its work.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// What to tell.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// What to end with.
    pub(super) exit: Exit,
    /// Whether it is that the tenant or the cloud is another one.
    pub(super) foreign: bool,
}

impl Failure {
    /// Something that must not be done as things are.
    pub(super) fn refusal(problem: Diagnostic) -> Self {
        Self { diagnostics: vec![problem], exit: Exit::Refused, foreign: false }
    }

    /// The tenant or the cloud is another one.
    pub(super) fn foreign(problem: Diagnostic) -> Self {
        Self { diagnostics: vec![problem], exit: Exit::Error, foreign: true }
    }

    /// A snapshot that is none.
    pub(super) fn snapshot(path: &Path, error: &SnapshotError) -> Self {
        let problem = Diagnostic::error(format!("`{}` is no snapshot", path.display()))
            .caused_by(error.to_string())
            .hint("`flowbind schema snapshot` prints the format");
        problem.into()
    }

    /// An output that cannot be written.
    pub(super) fn output(error: OutputError) -> Self {
        Diagnostic::error(error.to_string()).hint("give a file in a folder that can be written to").into()
    }

    /// It is not known whose tenant would be changed.
    pub(super) fn tenant_unchecked(why: &str) -> Self {
        Self::refusal(
            Diagnostic::error("it cannot be established that the access token is for the file's tenant")
                .caused_by(why)
                .hint("where you know that it is, give `--tenant-unchecked`"),
        )
    }

    /// No credential serves.
    pub(super) fn no_credential(tenant: &Tenant, none: &NoCredential) -> Self {
        let NoCredential { missing, failed, untried } = none;
        let told =
            |problem: Diagnostic, (kind, why): &(Kind, String)| problem.caused_by(format!("{kind}: {why}"));
        let problem = Diagnostic::error(format!("no credential serves to sign in to `{tenant}`"));
        let failure = failed.as_ref().map(|(kind, error)| (*kind, error.to_string()));
        let problem = missing.iter().chain(&failure).fold(problem, told);
        let problem = match failed {
            Some((Kind::AzureCli, _)) => problem.hint(format!(
                "on a machine of your own: `az login --tenant {tenant} --allow-no-subscriptions`"
            )),
            Some((kind, _)) if !untried.is_empty() => {
                let names: Vec<_> = untried.iter().map(|kind| kind.name()).collect();
                let names = names.join(", ");
                problem.caused_by(format!("{names}: not tried, since {kind} is set up and has to serve"))
            }
            _ => problem,
        };
        problem.hint("or rehearse without a tenant: `--sandbox FILE`").into()
    }
}

impl From<Diagnostic> for Failure {
    fn from(problem: Diagnostic) -> Self {
        vec![problem].into()
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(problems: Vec<Diagnostic>) -> Self {
        Self { diagnostics: problems, exit: Exit::Error, foreign: false }
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
