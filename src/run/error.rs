//! Errors of a run, with their problems.

use std::io;
use std::path::Path;

use crate::auth::{Kind, NoCredential, SignInError};
use crate::diagnostic::{Code, Diagnostic};
use crate::encoding::InvalidText;
use crate::graph::{InvalidGraphUrl, LOGIN_OVER_HINT, unreachable_hint};
use crate::model::Tenant;
use crate::paths::{self, PathError};

/// How a run, or its part for one tenant, did not succeed; the later, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// A guard, a stale plan or a missing approval blocked it; nothing was written.
    Blocked,
    /// Invalid input, or something could not be read; nothing was written.
    Failed,
    /// At least one PUT was sent, and not every change is done.
    Incomplete,
    /// A signal stopped it, after the requests in flight.
    Interrupted,
}

/// Error of a command: its kind, and the problems to report.
#[derive(Debug, Clone)]
pub struct CommandError {
    /// Kind, which determines the exit code.
    pub kind: ErrorKind,
    /// Problems to report.
    pub diagnostics: Vec<Diagnostic>,
}

impl CommandError {
    /// Creates the error of a blocked run.
    pub fn blocked(problem: Diagnostic) -> Self {
        Self { kind: ErrorKind::Blocked, diagnostics: vec![problem] }
    }

    /// Creates the error of a run that a signal stopped before any change.
    pub fn interrupted() -> Self {
        let problem = Diagnostic::error(Code::Interrupted, "the run was interrupted");
        Self { kind: ErrorKind::Interrupted, diagnostics: vec![problem] }
    }

    /// Returns whether the tenant or the cloud is not the expected one.
    pub(super) fn is_wrong_target(&self) -> bool {
        let codes = [Code::TenantMismatch, Code::SandboxMismatch];
        self.diagnostics.iter().any(|problem| codes.contains(&problem.code))
    }

    /// Creates the error of a failed call to the operating system.
    pub fn system(message: &str, error: &io::Error) -> Self {
        Diagnostic::error(Code::System, message).caused_by(error.to_string()).into()
    }

    /// Creates the error of an invalid snapshot.
    pub(super) fn snapshot(name: &str, error: &dyn std::error::Error) -> Self {
        let message = format!("`{name}` is not a valid snapshot");
        Diagnostic::error(Code::InvalidSnapshot, message)
            .caused_by(error.to_string())
            .hint("compare the file with the format that `flowbind schema snapshot` prints")
            .into()
    }

    /// Creates the error of an input that [`paths::read`] could not read. `what` is in front of
    /// its path. The code is `input-not-allowed` for a path that is not allowed, otherwise `input-unreadable`.
    pub(super) fn input(what: &str, path: &Path, error: &io::Error) -> Self {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<PathError>());
        let leads_out = cause.is_some_and(|cause| !matches!(cause, PathError::Unreachable(_)));
        let code = if leads_out { Code::InputNotAllowed } else { Code::InputUnreadable };
        let message = format!("cannot read {what}`{}`", paths::display(path));
        let problem = Diagnostic::error(code, message).caused_by(error.to_string());
        let invalid = error.get_ref().and_then(|cause| cause.downcast_ref::<InvalidText>());
        if let Some(invalid) = invalid {
            return problem.hint(invalid.hint()).into();
        }
        match error.kind() {
            _ if leads_out => problem.hint("remove the link, or pass the path that it leads to").into(),
            _ if paths::is_unmatched_pattern(path, error) => problem
                .hint("no file matches the pattern, or the shell does not expand patterns: name the files")
                .into(),
            io::ErrorKind::NotFound => problem.hint("check the path").into(),
            _ => problem.into(),
        }
    }

    /// Creates the error of a token whose tenant cannot be verified, with `why` as the cause.
    pub(super) fn tenant_unverified(tenant: &Tenant, why: &str) -> Self {
        let message = format!("cannot verify that the access token belongs to `{tenant}`");
        let problem = Diagnostic::error(Code::TenantUnverified, message).caused_by(why);
        Self::blocked(problem.hint("if you are sure, add `--tenant-unchecked`"))
    }

    /// Creates the error of a sign-in without a usable credential. If the HTTP client is why the credential
    /// failed, such as an invalid proxy variable or a host that cannot be reached, that is the error. Otherwise
    /// its causes are the failed credential, then those that are not configured.
    pub(super) fn no_credential(tenant: &Tenant, cause: &NoCredential) -> Self {
        let NoCredential { missing, failed, untried } = cause;
        if let Some((kind, error)) = failed {
            // The missing kinds do not matter: the configured one was not rejected.
            let needed = format!("needed to sign in with {kind}");
            if let SignInError::Client(error) = error {
                let problem = Diagnostic::error(error.into(), error.to_string()).caused_by(needed);
                return error.hint().into_iter().fold(problem, Diagnostic::hint).into();
            }
            if let Some(unreachable) = error.unreachable() {
                let problem = Diagnostic::error(Code::GraphUnreachable, unreachable.to_string());
                return problem.caused_by(needed).hint(unreachable_hint(unreachable)).into();
            }
        }
        let add =
            |problem: Diagnostic, (kind, why): &(Kind, String)| problem.caused_by(format!("{kind}: {why}"));
        let problem = Diagnostic::error(Code::NoCredential, "no usable credential");
        let failure = failed.as_ref().map(|(kind, error)| (*kind, error.to_string()));
        let problem = failure.iter().chain(missing).fold(problem, add);
        let problem = match failed {
            Some((_, error)) if error.is_login_over() => problem.hint(LOGIN_OVER_HINT),
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

impl From<Diagnostic> for CommandError {
    fn from(problem: Diagnostic) -> Self {
        vec![problem].into()
    }
}

impl From<Vec<Diagnostic>> for CommandError {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self { kind: ErrorKind::Failed, diagnostics }
    }
}

impl From<InvalidGraphUrl> for CommandError {
    fn from(error: InvalidGraphUrl) -> Self {
        Diagnostic::error(Code::InvalidGraphUrl, format!("`--graph-url`: {error}"))
            .hint(
                "pass the root with its version, such as `https://graph.microsoft.com/beta`, or leave it out: the default \
                 follows `cloud`",
            )
            .into()
    }
}
