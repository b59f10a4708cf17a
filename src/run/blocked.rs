//! Errors of tenants and runs that may not be applied.

use std::path::Path;

use super::error::{CommandError, ErrorKind};
use crate::apply::{Blocked, StaleBinding, StaleConnector};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Connector, Tenant};
use crate::paths;
use crate::plan::{
    Blocker, BrokenPin, Change, FingerprintPrefix, Member, Plan, TenantPlan, override_hint, unknown_tenant,
};
use crate::render::{self, escape};

/// Where a plan is from.
#[derive(Debug, Clone, Copy)]
pub(super) enum PlanSource<'a> {
    /// Desired-state files.
    Files,
    /// Saved plan.
    Saved(&'a Path),
}

const NOT_APPROVED: &str = "the plan is not the approved one";

/// Creates the error of a tenant that is blocked.
pub(super) fn error(
    blocked: &Blocked<'_>,
    plan: &Plan,
    tenant: &TenantPlan,
    source: PlanSource<'_>,
) -> CommandError {
    match blocked {
        Blocked::Incomplete => {
            // A saved plan is blocked as it is; files can be fixed and planned again.
            let kind = match source {
                PlanSource::Saved(_) => ErrorKind::Blocked,
                PlanSource::Files => ErrorKind::Failed,
            };
            let causes = tenant.unreadable_causes().into_iter();
            CommandError { kind, diagnostics: causes.chain([incomplete(source)]).collect() }
        }
        Blocked::OtherFingerprint => {
            CommandError::blocked(Diagnostic::error(Code::FingerprintMismatch, NOT_APPROVED))
        }
        Blocked::Guards(blockers) => {
            CommandError::blocked(guards(blockers, &to_shell(plan, [tenant]), source))
        }
        Blocked::HoldsExpired(changes) => {
            let message = "plan is stale: a hold ended after the plan was made";
            let problem = Diagnostic::error(Code::StalePlan, message);
            let add = |problem: Diagnostic, change: &&Change| {
                let until = change.active_hold().map(|hold| hold.until.to_string()).unwrap_or_default();
                problem.caused_by(format!("`{}` `{}` was held until {until}", change.flow, change.step))
            };
            let problem = changes.iter().fold(problem, add);
            CommandError::blocked(problem.hint("run `flowbind plan` again, and review the changes"))
        }
        Blocked::TenantUnverified(why) => CommandError::tenant_unverified(&tenant.tenant, why),
        Blocked::Unchecked => {
            let message = "the tenant was not read again before the first PUT";
            CommandError::blocked(
                Diagnostic::error(Code::StalePlan, message).hint("run `flowbind plan` again"),
            )
        }
        Blocked::Stale(stale) => {
            let message = "plan is stale: the tenant changed after the plan was made";
            let problem = Diagnostic::error(Code::StalePlan, message);
            let add = |problem: Diagnostic, stale: &StaleBinding| {
                problem.caused_by(render::stale_text(tenant.changes(), stale))
            };
            let problem = stale.iter().fold(problem, add);
            CommandError::blocked(problem.hint("run `flowbind plan` again, and review the changes"))
        }
        Blocked::StaleConnectors(connectors) => {
            let message =
                "plan is stale: a connector that it binds was deleted or renamed after the plan was made";
            let problem = Diagnostic::error(Code::StalePlan, message);
            let problem = connectors.iter().map(stale_connector).fold(problem, Diagnostic::caused_by);
            CommandError::blocked(problem.hint("run `flowbind plan` again, and review the changes"))
        }
        Blocked::BrokenPins(pins) => {
            let message = "plan is stale: a connector's address changed after the plan was made";
            let problem = Diagnostic::error(Code::StalePlan, message);
            let add = |problem: Diagnostic, pin: &BrokenPin| {
                let actual = pin.actual.as_deref().unwrap_or("no address");
                let name = pin.connector.display_name.as_deref().unwrap_or(pin.connector.id.as_str());
                problem.caused_by(format!("`{name}` is pinned to {}, but calls {actual}", pin.expected))
            };
            let problem = pins.iter().fold(problem, add);
            CommandError::blocked(problem.hint("find out who changed the connector before you plan again"))
        }
        Blocked::Unreadable(error) => {
            let message = "could not read the tenant again before the first PUT";
            error.explain(Diagnostic::error(error.code, message)).into()
        }
    }
}

fn stale_connector(StaleConnector { planned, now }: &StaleConnector) -> String {
    let name = |connector: &Connector| {
        connector.display_name.as_ref().map_or("no displayName".to_owned(), |name| format!("`{name}`"))
    };
    match (now, &planned.display_name) {
        (Some(now), _) => {
            format!("connector `{}` had {} and has {} now", planned.id, name(planned), name(now))
        }
        (None, Some(_)) => format!("{} (`{}`) does not exist any more", name(planned), planned.id),
        (None, None) => format!("the tenant has no connector with the id `{}`", planned.id),
    }
}

/// Creates the error of an incomplete plan.
pub(super) fn incomplete(source: PlanSource<'_>) -> Diagnostic {
    let error = |message| Diagnostic::error(Code::PlanIncomplete, message);
    match source {
        PlanSource::Saved(path) => {
            let path = paths::display(path);
            error("the saved plan is incomplete and cannot be applied").hint(format!(
                "`flowbind show {}` lists its errors; fix them, then plan again",
                escape::path(&path)
            ))
        }
        PlanSource::Files => error("the plan is incomplete and cannot be applied")
            .hint("fix the errors above, then apply again"),
    }
}

/// Creates the error of guards that block a tenant. Its causes are the blockers. The hint names the `flags` that lift
/// them, if flags lift all; with a saved plan, for planning again.
fn guards(blockers: &[&Blocker], flags: &str, source: PlanSource<'_>) -> Diagnostic {
    let count = render::pluralize(blockers.len(), "guard blocks", "guards block");
    let problem = Diagnostic::error(Code::PlanBlocked, format!("{count} the plan"));
    let cause = |blocker: &&Blocker| {
        let Diagnostic { code, message, location, .. } = blocker.diagnostic(None);
        let location = location.map(|location| format!(" ({})", location.position()));
        format!("{code}: {message}{}", location.unwrap_or_default())
    };
    let problem = blockers.iter().map(cause).fold(problem, Diagnostic::caused_by);
    // No flag lifts a broken pin.
    if blockers.iter().any(|blocker| blocker.lifted_by().is_none()) {
        return problem.hint("resolve each blocker that is shown with the plan, then plan again");
    }
    problem.hint(match source {
        // The flags conflict with `--plan`.
        PlanSource::Saved(_) => format!("if this is intended, plan again with `{flags}`"),
        PlanSource::Files => override_hint(&format!("`{flags}`")),
    })
}

/// Returns the flags that lift the blockers of these tenants, for a shell command.
fn to_shell<'a>(plan: &Plan, tenants: impl IntoIterator<Item = &'a TenantPlan>) -> String {
    let several = plan.needs_scoped_flags();
    let flags = |it: &'a TenantPlan| {
        it.lifting_flags().into_iter().map(move |flag| flag.scoped(&it.tenant, several).to_shell())
    };
    tenants.into_iter().flat_map(flags).collect::<Vec<_>>().join(" ")
}

/// Creates the error of the plan of a tenant, or of the run, that does not have the expected fingerprint. Without
/// `expected`, the tenant was left out. If the plan had the fingerprint with its blockers lifted, names the flags that
/// lift them.
pub(super) fn fingerprint_mismatch(
    plan: &Plan,
    tenant: Option<&TenantPlan>,
    expected: Option<&FingerprintPrefix>,
    source: PlanSource<'_>,
) -> Diagnostic {
    let is_meant = |it: &&TenantPlan| tenant.is_none_or(|tenant| tenant.tenant == it.tenant);
    let fingerprint = |plan: &Plan| match tenant {
        None => plan.fingerprint(),
        Some(_) => plan.tenant_fingerprint(plan.tenants.iter().find(is_meant)?),
    };
    let error = |message: String| Diagnostic::error(Code::FingerprintMismatch, message);
    let (planned, reviewed) = (fingerprint(plan), fingerprint(&plan.with_lifted_blockers()));
    let problem = match expected {
        None => error("`--expect` has no fingerprint for this tenant".to_owned()),
        Some(expected) if reviewed.is_some_and(|reviewed| expected.matches(&reviewed)) => {
            let flags = to_shell(plan, plan.tenants.iter().filter(is_meant));
            let problem = error(format!("the plan needs `{flags}`, with which it was reviewed"));
            return problem.hint(match source {
                PlanSource::Saved(_) => format!("plan again with `{flags}`"),
                PlanSource::Files => format!("run again with `{flags}`"),
            });
        }
        Some(expected) => error(NOT_APPROVED.to_owned()).caused_by(format!("approved {expected}")),
    };
    let unplanned = "no fingerprint, because the plan is incomplete";
    let problem = problem.caused_by(format!("planned {}", planned.as_deref().unwrap_or(unplanned)));
    problem.hint(match (planned, tenant) {
        (None, _) => "fix the errors of the plan, then apply again".to_owned(),
        (Some(_), None) => "review the plan above, then pass its fingerprint with `--expect`".to_owned(),
        (Some(_), Some(tenant)) => {
            let option = format!("--expect {}=FINGERPRINT", tenant.tenant);
            format!("review the plan above, then pass its fingerprint with `{option}`")
        }
    })
}

/// Creates the error of an expected fingerprint for a tenant that the run does not have.
pub(super) fn unknown_expected_tenant(tenant: &Tenant, fleet: &[Member]) -> Diagnostic {
    unknown_tenant("--expect", tenant, fleet.iter().map(|member| &member.tenant))
}

/// Creates the error of an answer other than `yes`.
pub(super) fn approval_denied() -> Diagnostic {
    Diagnostic::error(Code::ApprovalDenied, "cancelled: the answer was not `yes`")
}

/// Creates the error of a run that needs approval and cannot ask for it, with the reason.
pub(super) fn approval_required(reason: &str) -> Diagnostic {
    Diagnostic::error(Code::ApprovalRequired, format!("cannot ask for approval: {reason}"))
        .hint("after reviewing the plan, run again with `--expect FINGERPRINT` or `--yes`")
}
