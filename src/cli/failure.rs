//! Converts domain errors to diagnostics with hints.

use std::io;
use std::path::Path;

use super::Exit;
use crate::auth::{Kind, NoCredential};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{InvalidGraphUrl, UNREACHABLE_HINT};
use crate::model::Tenant;
use crate::paths::PathError;
use crate::saved::OutputError;
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

    /// Creates the error of another tenant or cloud than the expected one, with exit code 1 and
    /// `is_wrong_target`.
    pub(super) fn wrong_target(problem: Diagnostic) -> Self {
        Self { diagnostics: vec![problem], exit: Exit::Error, is_wrong_target: true }
    }

    /// Creates the error of an invalid snapshot.
    pub(super) fn snapshot(path: &Path, error: &SnapshotError) -> Self {
        let problem =
            Diagnostic::error(Code::InvalidSnapshot, format!("`{}` is not a valid snapshot", path.display()))
                .caused_by(error.to_string())
                .hint("compare the file with the format that `flowbind schema snapshot` prints");
        problem.into()
    }

    /// Creates the error of an output that cannot be written.
    pub(super) fn output(error: OutputError) -> Self {
        Diagnostic::error(Code::OutputNotWritable, error.to_string())
            .hint("pass a path in a folder that can be written to")
            .into()
    }

    /// Creates the error of stdout that cannot be written to.
    pub(super) fn stdout(error: io::Error) -> Self {
        Self::not_writable("cannot write to stdout", &error)
    }

    /// Creates the error of a folder that cannot be created.
    pub(super) fn folder(path: &Path, error: &io::Error) -> Self {
        Self::not_writable(format!("cannot create the folder `{}`", path.display()), error)
    }

    /// Creates the error of a failed write. `message` names the output.
    pub(super) fn not_writable(message: impl Into<String>, error: &io::Error) -> Self {
        Diagnostic::error(Code::OutputNotWritable, message).caused_by(error.to_string()).into()
    }

    /// Creates the error of an input that `input::read` could not read. `message` names the input. The code
    /// is `input-not-allowed` for a path that is not allowed, otherwise `input-unreadable`.
    pub(super) fn input(message: String, error: &io::Error) -> Self {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<PathError>());
        let leads_out = cause.is_some_and(|cause| !matches!(cause, PathError::Unreachable(_)));
        if leads_out {
            return Diagnostic::error(Code::InputNotAllowed, message)
                .caused_by(error.to_string())
                .hint("remove the link, or pass the path that it leads to")
                .into();
        }
        let problem = Diagnostic::error(Code::InputUnreadable, message).caused_by(error.to_string());
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        if is_missing { problem.hint("check the path").into() } else { problem.into() }
    }

    /// Creates the error of a token whose tenant cannot be verified, with exit code 3 and `why` as the cause.
    pub(super) fn tenant_unverified(tenant: &Tenant, why: &str) -> Self {
        let message = format!("cannot verify that the access token belongs to `{tenant}`");
        let problem = Diagnostic::error(Code::TenantUnverified, message).caused_by(why);
        Self::blocked(problem.hint("if you are sure, add `--tenant-unchecked`"))
    }

    /// Creates the error of a sign-in without a usable credential. Its causes are the failed credential, then
    /// those that are not configured. If the failed one could not reach its host, the error is
    /// `graph-unreachable` instead.
    pub(super) fn no_credential(tenant: &Tenant, cause: &NoCredential) -> Self {
        let NoCredential { missing, failed, untried } = cause;
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
                "pass the root with its version, such as `https://graph.microsoft.com/beta`, or leave it out: the default \
                 follows `cloud`",
            )
            .into()
    }
}
