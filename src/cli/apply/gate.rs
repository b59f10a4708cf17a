//! Preconditions of an apply: a complete plan, the expected fingerprint, no blockers, and approval.

use std::path::Path;

use super::Abort;
use super::session::ApplySession;
use crate::cli::approval::{Approval, approval};
use crate::cli::signals::Signals;
use crate::cli::{Exit, fleet};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::Action;
use crate::plan::{self, Blocker, Override, Plan, Problem, Target};
use crate::render::{self, escape};

/// Aborts each tenant whose plan is incomplete, with exit code 3 for a saved plan and 1 otherwise. In a saved
/// plan, a tenant or a run that has errors but no target is also aborted.
pub(super) fn require_complete(session: &mut ApplySession, saved: Option<&Path>) {
    let exit = if saved.is_some() { Exit::Refused } else { Exit::Error };
    let is_complete = session.plan.completeness_check();
    abort_tenants(session, |_, targets| {
        if targets.iter().all(|target| is_complete(target)) {
            return None;
        }
        let reasons = plan::unreadable_causes(targets.iter().flat_map(|it| &it.unreadable))
            .into_iter()
            .chain([incomplete(saved)])
            .collect();
        Some(Abort { reasons, exit })
    });
    // A saved plan whose files could not be read has errors and no target.
    if saved.is_none() {
        return;
    }
    let targets = &session.plan.targets;
    let mut tenants = session.plan.tenants();
    tenants.retain(|tenant| session.plan.targets_of(tenant).next().is_none());
    let mut without_target: Vec<_> = tenants.into_iter().map(Some).collect();
    if targets.is_empty() && session.plan.errors.iter().any(|error| error.tenant.is_none()) {
        without_target.push(None);
    }
    for tenant in without_target {
        record_errors(session, tenant, vec![incomplete(saved)]);
        session.exits.push(Exit::Refused);
    }
}

fn incomplete(saved: Option<&Path>) -> Diagnostic {
    let error = |message| Diagnostic::error(Code::PlanIncomplete, message);
    match saved {
        Some(path) => {
            let path = path.to_string_lossy();
            error("the saved plan is incomplete and cannot be applied").hint(format!(
                "`flowbind show {}` lists its errors; fix them, then plan again",
                escape::path(&path)
            ))
        }
        None => error("the plan is incomplete and cannot be applied")
            .hint("fix the errors above, then apply again"),
    }
}

/// Aborts all tenants with exit code 3 if `expected` is given and is not the fingerprint of the plan,
/// ignoring case. Does nothing if all tenants are aborted already.
pub(super) fn require_fingerprint(session: &mut ApplySession, expected: Option<&str>) {
    let fingerprint = session.plan.fingerprint();
    let matches =
        |expected: &str| fingerprint.as_deref().is_some_and(|it| expected.trim().eq_ignore_ascii_case(it));
    let Some(expected) = expected.filter(|expected| !matches(expected)) else {
        return;
    };
    if session.connections.iter().all(Result::is_err) {
        return;
    }
    let planned = fingerprint.as_deref().unwrap_or("no fingerprint, because the plan is incomplete");
    let hint = match fingerprint {
        Some(_) => "review the plan above, then pass its fingerprint with `--expect`",
        None => "fix the errors of the plan, then apply again",
    };
    let problem = Diagnostic::error(Code::FingerprintMismatch, "the plan is not the approved one")
        .caused_by(format!("approved: {expected}"))
        .caused_by(format!("planned:  {planned}"))
        .hint(hint);
    record_errors(session, None, vec![problem]);
    abort_all(session, Exit::Refused);
}

/// Aborts each tenant that has blockers, with exit code 3 and one error whose causes are the blockers. The
/// hint names the flags that lift them, if flags lift all; with a `saved` plan, for planning again.
pub(super) fn require_no_blockers(session: &mut ApplySession, saved: bool) {
    abort_tenants(session, |_, targets| {
        let blockers: Vec<_> = targets.iter().flat_map(|target| &target.blockers).collect();
        let count = render::pluralize(blockers.len(), "guard blocks", "guards block");
        let problem = Diagnostic::error(Code::PlanBlocked, format!("{count} the plan"));
        let cause = |blocker: &&Blocker| {
            let Diagnostic { code, message, location, .. } = blocker.diagnostic();
            let location = location.map(|location| format!(" ({})", location.position()));
            format!("{code}: {message}{}", location.unwrap_or_default())
        };
        let causes = blockers.iter().map(cause);
        let problem = causes.fold(problem, Diagnostic::caused_by);
        let flags: Option<Vec<_>> = blockers.iter().map(|blocker| blocker.lifted_by()).collect();
        let problem = match flags {
            Some(flags) => {
                let flags = flags.iter().map(Override::to_shell).collect::<Vec<_>>().join(" ");
                problem.hint(if saved {
                    // The flags conflict with `--plan`.
                    format!("if this is intended, plan again with `{flags}`")
                } else {
                    plan::override_hint(&format!("`{flags}`"))
                })
            }
            // No flag lifts a broken pin.
            None => problem.hint("resolve each blocker that is shown with the plan, then plan again"),
        };
        (!blockers.is_empty()).then(|| Abort::blocked(problem))
    });
}

/// Asks for approval of the changes of the tenants that are not aborted, unless it was `given` or there are
/// none. Returns true only if the user typed `yes`, so that the tenants may have changed meanwhile. Without
/// approval, aborts all tenants with exit code 3 and returns false; an interruption is an error.
pub(super) async fn require_approval(
    session: &mut ApplySession,
    given: bool,
    signals: &Signals,
) -> Result<bool, Abort> {
    let targets = session.plan.targets.iter().zip(&session.connections);
    let targets: Vec<_> = targets
        .filter(|(target, connection)| connection.is_ok() && !target.changes.is_empty())
        .map(|(target, _)| target)
        .collect();
    if targets.is_empty() {
        return Ok(false);
    }
    let denied = match approval(given, &question(&targets), signals).await {
        Approval::Given => return Ok(false),
        Approval::Typed => return Ok(true),
        Approval::Interrupted => return Err(Abort::interrupted(signals)),
        Approval::Denied => Diagnostic::error(Code::ApprovalDenied, "cancelled: the answer was not `yes`"),
        Approval::NotInteractive => {
            let message = "cannot ask for approval: stdin is not a terminal";
            Diagnostic::error(Code::ApprovalRequired, message)
                .hint("after reviewing the plan, run again with `--expect FINGERPRINT` or `--yes`")
        }
    };
    record_errors(session, None, vec![denied]);
    abort_all(session, Exit::Refused);
    Ok(false)
}

/// Returns the question of the prompt: `Apply 2 changes (1 disable) to contoso.onmicrosoft.com?` The disables
/// are left out if there are none, and several tenants are only counted.
fn question(targets: &[&Target]) -> String {
    let changes = || targets.iter().flat_map(|target| &target.changes);
    let disables = changes().filter(|change| change.action == Action::Disable).count();
    let disables = match disables {
        0 => String::new(),
        number => format!(" ({})", render::pluralize(number, "disable", "disables")),
    };
    let tenants = plan::unique_tenants(targets.iter().map(|target| target.tenant.as_str()));
    let tenants = match tenants.as_slice() {
        [tenant] => tenant.clone(),
        several => format!("{} tenants", several.len()),
    };
    let changes = render::pluralize(changes().count(), "change", "changes");
    escape::text(&format!("Apply {changes}{disables} to {tenants}?")).into_owned()
}

/// Calls `reason` with the targets of each tenant that is not aborted yet. If it returns an abort, records
/// its reasons in the report and replaces the connections of these targets by its exit code.
fn abort_tenants(session: &mut ApplySession, reason: impl Fn(&Plan, &[&Target]) -> Option<Abort>) {
    let groups = fleet::group_by_tenant(session.plan.targets.iter().map(|target| target.tenant.as_str()));
    for group in groups {
        let is_open = group.iter().all(|at| session.connections.get(*at).is_some_and(Result::is_ok));
        if !is_open {
            continue;
        }
        let targets: Vec<_> = group.iter().filter_map(|at| session.plan.targets.get(*at)).collect();
        let Some(Abort { reasons, exit }) = reason(&session.plan, &targets) else { continue };
        let tenant = targets.first().map(|target| target.tenant.clone());
        record_errors(session, tenant, reasons);
        for at in group {
            if let Some(connection) = session.connections.get_mut(at) {
                *connection = Err(exit);
            }
        }
    }
}

/// Replaces the connections of all tenants that are not aborted yet by `exit`. Records no reason.
fn abort_all(session: &mut ApplySession, exit: Exit) {
    for connection in session.connections.iter_mut().filter(|connection| connection.is_ok()) {
        *connection = Err(exit);
    }
}

/// Adds the reasons of an abort to the errors of the report, with the tenant, or without one if they concern
/// the run. Aborts nothing itself.
fn record_errors(session: &mut ApplySession, tenant: Option<String>, reasons: Vec<Diagnostic>) {
    let problems = reasons.into_iter().map(|diagnostic| Problem { diagnostic, tenant: tenant.clone() });
    session.report.errors.extend(problems);
}
