//! What keeps a tenant from being changed: a plan that is not whole, not the expected one, refused,
//! or not approved. Each tells why.

use std::collections::BTreeSet;

use super::Early;
use super::work::Work;
use crate::cli::approval::{Approval, approval};
use crate::cli::plan::{about, unread};
use crate::cli::signals::Signals;
use crate::cli::{Exit, fleet, report};
use crate::diagnostic::Diagnostic;
use crate::plan::{Plan, Problem, Target};
use crate::render::escape;

/// Stops the tenants of which not all is known.
pub(super) fn whole(work: &mut Work, saved: bool) {
    let is_whole = work.plan.whole_targets();
    stop(work, |plan, targets| {
        if targets.iter().all(|target| is_whole(target)) {
            return None;
        }
        let unread = unread(targets.iter().copied()).map(|unread| unread.hint("nothing was changed"));
        // What was planned just now was told.
        let incomplete = saved.then(|| {
            let mine = |error: &&Problem| {
                let tenant = error.tenant.as_ref();
                tenant.is_none_or(|tenant| {
                    targets.iter().any(|target| target.tenant.eq_ignore_ascii_case(tenant))
                })
            };
            let problem = Diagnostic::error("the saved plan is not whole: nothing was changed");
            let messages = plan.errors.iter().filter(mine).map(|error| error.message.as_str());
            messages.fold(problem, Diagnostic::caused_by)
        });
        let reasons = unread.into_iter().chain(incomplete).collect();
        // Whoever saved such a plan was told; to apply it is another matter.
        Some(Early { reasons, exit: if saved { Exit::Refused } else { Exit::Error } })
    });
    // Of what could not be planned there is no target: a plan saved of it stays incomplete.
    let targets: BTreeSet<_> =
        work.plan.targets.iter().map(|target| target.tenant.to_ascii_lowercase()).collect();
    let orphans = work.plan.errors.iter().filter(|error| match &error.tenant {
        Some(tenant) => !targets.contains(&tenant.to_ascii_lowercase()),
        None => targets.is_empty(),
    });
    let orphans: Vec<_> = orphans.map(|error| error.message.clone()).collect();
    if saved && !orphans.is_empty() {
        let problem = Diagnostic::error("the saved plan is not whole");
        let problem = orphans.into_iter().fold(problem, Diagnostic::caused_by);
        tell(work, None, vec![problem]);
        work.exits.push(Exit::Refused);
    }
}

/// Stops all tenants where the plan is another one than was approved.
pub(super) fn expected(work: &mut Work, expected: Option<&str>) {
    let fingerprint = work.plan.fingerprint();
    let Some(expected) = expected.filter(|expected| !expected.trim().eq_ignore_ascii_case(&fingerprint))
    else {
        return;
    };
    if work.ways.iter().all(Result::is_err) {
        return;
    }
    let problem = Diagnostic::error("this is not the plan that was approved: nothing was changed")
        .caused_by(format!("expected {expected}"))
        .caused_by(format!("planned {fingerprint}"));
    tell(work, None, vec![problem.hint("review this plan, and give its fingerprint")]);
    stop_all(work, Exit::Refused);
}

/// Stops the tenants whose changes are refused.
pub(super) fn allowed(work: &mut Work) {
    stop(work, |_, targets| {
        let refusals = targets.iter().flat_map(|target| &target.refusals);
        refusals.clone().next()?;
        let problem = Diagnostic::error("the plan is refused: nothing was changed");
        let problem = refusals.clone().fold(problem, |problem, refusal| problem.caused_by(&refusal.reason));
        let flags = refusals.filter_map(|refusal| refusal.allow.as_ref());
        Some(Early::refused(
            flags
                .fold(problem, |problem, flag| problem.hint(format!("allow it with {}", escape::flag(flag)))),
        ))
    });
}

/// Asks for the word where there is something to change and it was not given. Gives whether
/// somebody was waited for.
pub(super) async fn approved(work: &mut Work, given: bool, signals: &Signals) -> Result<bool, Early> {
    let targets = work.plan.targets.iter().zip(&work.ways);
    let todo =
        targets.filter(|(target, way)| way.is_ok() && !target.changes.is_empty()).map(|(target, _)| target);
    let changes: usize = todo.clone().map(|target| target.changes.len()).sum();
    if changes == 0 {
        return Ok(false);
    }
    let tenants = fleet::by_tenant(todo.map(|target| target.tenant.as_str())).len();
    let denied = match approval(given, changes, tenants, signals).await {
        Approval::Given => return Ok(false),
        Approval::Waited => return Ok(true),
        Approval::Stopped => return Err(Early::stopped(signals)),
        Approval::Denied => Diagnostic::error("not approved: nothing was changed"),
        Approval::Nobody => Diagnostic::error("nobody to approve the changes: this is no terminal")
            .hint("review the plan, then give `--yes` or `--expect`"),
    };
    tell(work, None, vec![denied]);
    stop_all(work, Exit::Refused);
    Ok(false)
}

/// Stops each tenant that `why` gives a reason for, which is told.
fn stop(work: &mut Work, why: impl Fn(&Plan, &[&Target]) -> Option<Early>) {
    let groups = fleet::by_tenant(work.plan.targets.iter().map(|target| target.tenant.as_str()));
    for group in groups {
        let open = group.iter().all(|at| work.ways.get(*at).is_some_and(Result::is_ok));
        let targets: Vec<_> = group.iter().filter_map(|at| work.plan.targets.get(*at)).collect();
        let Some(Early { reasons, exit }) =
            Some(()).filter(|()| open).and_then(|()| why(&work.plan, &targets))
        else {
            continue;
        };
        let tenant = targets.first().map(|target| target.tenant.clone());
        tell(work, tenant, reasons);
        for at in group {
            if let Some(way) = work.ways.get_mut(at) {
                *way = Err(exit);
            }
        }
    }
}

/// Stops every tenant that was not stopped yet.
fn stop_all(work: &mut Work, exit: Exit) {
    for way in work.ways.iter_mut().filter(|way| way.is_ok()) {
        *way = Err(exit);
    }
}

/// Tells why nothing was changed, in a tenant or in all.
fn tell(work: &mut Work, tenant: Option<String>, reasons: Vec<Diagnostic>) {
    let several = fleet::by_tenant(work.plan.targets.iter().map(|target| target.tenant.as_str())).len() > 1;
    let problems = reasons.iter().map(|reason| match &tenant {
        Some(tenant) => Problem::about(tenant, reason),
        None => Problem::from(reason),
    });
    work.report.errors.extend(problems);
    report(&match &tenant {
        Some(tenant) => about(tenant, several, reasons),
        None => reasons,
    });
}
