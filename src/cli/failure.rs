//! Converts domain errors to diagnostics with hints.

use std::path::Path;

use super::Exit;
use crate::auth::{Kind, NoCredential};
use crate::diagnostic::{Code, Diagnostic};
use crate::files::OutputError;
use crate::graph::{InvalidGraphUrl, UNREACHABLE_HINT};
use crate::model::Tenant;
use crate::snapshot::SnapshotError;

/// Error of a command.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// Problems to report.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Exit code.
    pub(super) exit: Exit,
    /// Whether the tenant or the cloud is not the expected one.
    pub(super) is_wrong_target: bool,
}

impl Failure {
    /// Creates the error of a blocked command (exit code 3).
    pub(super) fn blocked(problem: Diagnostic) -> Self {
        Self { diagnostics: vec![problem], exit: Exit::Refused, is_wrong_target: false }
    }

    /// Creates the error of another tenant or cloud than the expected one.
    pub(super) fn wrong_target(problem: Diagnostic) -> Self {
        Self { diagnostics: vec![problem], exit: Exit::Error, is_wrong_target: true }
    }

    /// Creates the error of an invalid snapshot.
    pub(super) fn snapshot(path: &Path, error: &SnapshotError) -> Self {
        let problem =
            Diagnostic::error(Code::InvalidSnapshot, format!("`{}` is not a valid snapshot", path.display()))
                .caused_by(error.to_string())
                .hint("`flowbind schema snapshot` prints the format");
        problem.into()
    }

    /// Creates the error of an output that cannot be written.
    pub(super) fn output(error: OutputError) -> Self {
        Diagnostic::error(Code::OutputNotWritable, error.to_string())
            .hint("pass a path in a folder that can be written to")
            .into()
    }

    /// Creates the error of a token whose tenant is unknown.
    pub(super) fn tenant_unverified(tenant: &Tenant, why: &str) -> Self {
        let message = format!("cannot verify that the access token belongs to `{tenant}`");
        let problem = Diagnostic::error(Code::TenantUnverified, message).caused_by(why);
        Self::blocked(problem.hint("if you are sure, add `--tenant-unchecked`"))
    }

    /// Creates the error of a sign-in without a usable credential, the reason first.
    pub(super) fn no_credential(tenant: &Tenant, none: &NoCredential) -> Self {
        let NoCredential { missing, failed, untried } = none;
        if let Some((kind, error)) = failed
            && let Some(unreachable) = error.unreachable()
        {
            // The missing kinds do not matter: the configured one was not rejected.
            let problem = Diagnostic::error(Code::GraphUnreachable, unreachable.to_string());
            let problem = problem.caused_by(format!("needed to sign in to `{tenant}` with {kind}"));
            return problem.hint(UNREACHABLE_HINT).into();
        }
        let add =
            |problem: Diagnostic, (kind, why): &(Kind, String)| problem.caused_by(format!("{kind}: {why}"));
        let message = format!("no usable credential for `{tenant}`");
        let problem = Diagnostic::error(Code::NoCredential, message);
        let failure = failed.as_ref().map(|(kind, error)| (*kind, error.to_string()));
        let problem = failure.iter().chain(missing).fold(problem, add);
        let problem = match failed {
            Some((Kind::AzureCli, _)) => problem
                .hint(format!("on your own machine: `az login --tenant {tenant} --allow-no-subscriptions`")),
            Some((kind, _)) if !untried.is_empty() => {
                let names: Vec<_> = untried.iter().map(|kind| kind.name()).collect();
                let names = names.join(", ");
                problem.caused_by(format!(
                    "{names}: not tried, because {kind} is configured (no fallback); `--auth` selects another kind"
                ))
            }
            _ => problem,
        };
        problem.hint("to try flowbind without a tenant, pass `--sandbox FILE`").into()
    }
}

impl From<Diagnostic> for Failure {
    fn from(problem: Diagnostic) -> Self {
        vec![problem].into()
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(problems: Vec<Diagnostic>) -> Self {
        Self { diagnostics: problems, exit: Exit::Error, is_wrong_target: false }
    }
}

/// Converts an error of the operating system: the outermost context becomes the message, the chain the causes.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let problem = Diagnostic::error(Code::System, error.to_string());
        error.chain().skip(1).fold(problem, |problem, cause| problem.caused_by(cause.to_string())).into()
    }
}

impl From<InvalidGraphUrl> for Failure {
    fn from(error: InvalidGraphUrl) -> Self {
        Diagnostic::error(Code::InvalidGraphUrl, format!("`--graph-url`: {error}"))
            .hint(
                "pass the root with its version, such as `https://graph.microsoft.com/beta`, or leave it out",
            )
            .into()
    }
}
