//! Preconditions of an apply: a complete plan, the expected fingerprint, no blockers, and approval.

use super::Abort;
use super::session::ApplySession;
use crate::cli::approval::{Approval, approval};
use crate::cli::signals::Signals;
use crate::cli::{Exit, fleet};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::Action;
use crate::plan::{self, Override, Plan, Problem, Target};
use crate::render::{self, escape};

/// Aborts the tenants whose plan is incomplete.
pub(super) fn require_complete(session: &mut ApplySession, saved: bool) {
    let exit = if saved { Exit::Refused } else { Exit::Error };
    let is_complete = session.plan.complete_targets();
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
    // A tenant that could not be planned has no target. A plan that was saved without it is incomplete.
    if !saved {
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
        record_abort(session, tenant, vec![incomplete(saved)]);
        session.exits.push(Exit::Refused);
    }
}

fn incomplete(saved: bool) -> Diagnostic {
    let message = if saved {
        "the saved plan is incomplete and cannot be applied"
    } else {
        "the plan is incomplete and cannot be applied"
    };
    let problem = Diagnostic::error(Code::PlanIncomplete, message);
    problem.hint("fix the errors of the plan, then plan again")
}

/// Aborts all tenants if the plan is not the approved one.
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
    let problem = Diagnostic::error(Code::FingerprintMismatch, "the plan is not the approved one")
        .caused_by(format!("approved: {expected}"))
        .caused_by(format!("planned:  {planned}"))
        .hint("the file, the tenant or the flags changed since the approval; review the plan above");
    record_abort(session, None, vec![problem]);
    abort_all(session, Exit::Refused);
}

/// Aborts the tenants whose changes are blocked.
pub(super) fn require_no_blockers(session: &mut ApplySession) {
    abort_tenants(session, |_, targets| {
        let blockers: Vec<_> = targets.iter().flat_map(|target| &target.blockers).collect();
        let count = render::pluralize(blockers.len(), "guard blocks", "guards block");
        let problem = Diagnostic::error(Code::PlanBlocked, format!("{count} the plan"));
        let causes = blockers.iter().map(|blocker| format!("{}: {blocker}", blocker.code()));
        let problem = causes.fold(problem, Diagnostic::caused_by);
        let flags: Option<Vec<_>> = blockers.iter().map(|blocker| blocker.lifted_by()).collect();
        let problem = match flags {
            Some(flags) => {
                let flags = flags.iter().map(Override::to_shell).collect::<Vec<_>>().join(" ");
                problem.hint(format!("if this is intended: `{flags}`"))
            }
            // No flag lifts a broken pin.
            None => problem.hint("resolve each blocker of the plan, then plan again"),
        };
        (!blockers.is_empty()).then(|| Abort::blocked(problem))
    });
}

/// Asks for approval if there are changes and it was not given. Returns whether the prompt was answered, so that
/// the tenants may have changed meanwhile.
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
    record_abort(session, None, vec![denied]);
    abort_all(session, Exit::Refused);
    Ok(false)
}

/// Returns the question of the prompt: `Apply 2 changes (1 disable) to contoso.onmicrosoft.com?`
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

/// Aborts each tenant for which `reason` returns a reason.
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
        record_abort(session, tenant, reasons);
        for at in group {
            if let Some(connection) = session.connections.get_mut(at) {
                *connection = Err(exit);
            }
        }
    }
}

/// Aborts every tenant that is not aborted yet.
fn abort_all(session: &mut ApplySession, exit: Exit) {
    for connection in session.connections.iter_mut().filter(|connection| connection.is_ok()) {
        *connection = Err(exit);
    }
}

/// Records why a tenant, or all, are aborted.
fn record_abort(session: &mut ApplySession, tenant: Option<String>, reasons: Vec<Diagnostic>) {
    let problems = reasons.into_iter().map(|diagnostic| Problem { diagnostic, tenant: tenant.clone() });
    session.report.errors.extend(problems);
}
