//! Applies the changes of one tenant: staleness check if time has passed, PUTs, read-back.

use std::rc::Rc;

use super::{Abort, ApplyArgs};
use crate::apply::{self, Options, StaleBinding, StalenessCheck, TargetReport};
use crate::cli::Exit;
use crate::cli::connect::Connection;
use crate::cli::fleet::Run;
use crate::cli::signals::Signals;
use crate::diagnostic::{Code, Diagnostic};
use crate::plan::{BrokenPin, Plan, Target};
use crate::render;

/// Apply of the tenants of a run.
pub(super) struct TenantApply<'a> {
    pub(super) args: &'a ApplyArgs,
    pub(super) run: &'a Run<'a>,
    pub(super) signals: &'a Signals,
    /// Whether the bindings are read again before the first PUT.
    pub(super) check_staleness: bool,
}

/// Result of one target.
pub(super) struct TargetResult {
    pub(super) target: TargetReport,
    /// Why nothing was changed; empty if a change was started.
    pub(super) reasons: Vec<Diagnostic>,
    pub(super) exit: Exit,
}

/// Target with changes, and the connection to its tenant.
struct OpenTarget<'a> {
    target: &'a Target,
    connection: &'a Rc<Connection>,
    staleness: Option<StalenessCheck>,
}

impl TenantApply<'_> {
    /// Applies the changes of the targets at the indices in `group`, which are all of one tenant. Checks
    /// first that none is stale, if required: otherwise sends nothing for any of them. Returns one result for
    /// each target, also for those without changes or already aborted.
    pub(super) async fn apply(
        &self,
        plan: &Plan,
        connections: &[Result<Rc<Connection>, Exit>],
        group: &[usize],
    ) -> Vec<TargetResult> {
        let fingerprints = plan.target_fingerprints();
        let target = |at: &usize| {
            let fingerprint = fingerprints.get(*at).cloned().flatten();
            Some((plan.targets.get(*at)?, connections.get(*at)?, fingerprint))
        };
        let targets: Vec<_> = group.iter().filter_map(target).collect();
        let mut open = Vec::new();
        for (target, connection, _) in &targets {
            let Ok(connection) = connection else { continue };
            if target.changes.is_empty() {
                continue;
            }
            let staleness = match self.require_fresh(target, connection).await {
                Ok(staleness) => staleness,
                Err(Abort { reasons, exit }) => {
                    let mut reasons = Some(reasons);
                    let untouched = |(target, _, fingerprint): &(&Target, _, Option<String>)| TargetResult {
                        target: TargetReport::not_attempted(target, fingerprint.clone()),
                        reasons: reasons.take().unwrap_or_default(),
                        exit,
                    };
                    return targets.iter().map(untouched).collect();
                }
            };
            open.push(OpenTarget { target, connection, staleness });
        }
        let mut done = Vec::new();
        for (target, connection, fingerprint) in targets {
            let exit = connection.as_ref().err().copied().unwrap_or(Exit::Done);
            let report = TargetReport::not_attempted(target, fingerprint.clone());
            let mut one = TargetResult { target: report, reasons: Vec::new(), exit };
            if let Some(OpenTarget { connection, staleness, .. }) =
                open.iter().find(|open| std::ptr::eq(open.target, target))
            {
                let aborted =
                    self.args.fail_fast && done.iter().any(|done: &TargetResult| done.exit != Exit::Done);
                let options = self.options(aborted);
                let staleness = staleness.as_ref();
                one.target = apply::apply(&connection.graph, target, fingerprint, staleness, &options).await;
                one.exit = exit_code(&one.target);
            }
            done.push(one);
        }
        // The files of one tenant are one unit: if any PUT was sent, the others are incomplete as well.
        if done.iter().any(|done| done.target.has_sent()) {
            for open in done.iter_mut().filter(|done| !done.target.is_done()) {
                open.exit = Exit::Incomplete;
            }
        }
        done
    }

    fn options(&self, aborted_by_fail_fast: bool) -> Options {
        Options {
            aborted_by_fail_fast,
            fail_fast: self.args.fail_fast,
            verify_timeout: self.args.verify_timeout,
            deadline: self.run.deadline,
            stop: self.signals.stop.clone(),
        }
    }

    /// Reads the bindings and pins of the target again, and returns what was found; `None`, without reading,
    /// if no check is required. A change in the tenant aborts with exit code 3, an unreadable value with 1 or
    /// the code of the signal.
    async fn require_fresh(
        &self,
        target: &Target,
        connection: &Connection,
    ) -> Result<Option<StalenessCheck>, Abort> {
        if !self.check_staleness {
            return Ok(None);
        }
        let check = apply::check_staleness(&connection.graph, target).await;
        if !check.stale.is_empty() {
            let message = "plan is stale: the tenant changed after the plan was made";
            let problem = Diagnostic::error(Code::StalePlan, message);
            let add = |problem: Diagnostic, stale: &StaleBinding| {
                problem.caused_by(render::stale_text(target, stale))
            };
            let problem = check.stale.iter().fold(problem, add);
            return Err(Abort::blocked(problem.hint("run `flowbind plan` again, and review the changes")));
        }
        if !check.broken_pins.is_empty() {
            let message = "plan is stale: a connector's address changed after the plan was made";
            let problem = Diagnostic::error(Code::StalePlan, message);
            let add = |problem: Diagnostic, pin: &BrokenPin| {
                let actual = pin.actual.as_deref().unwrap_or("no address");
                let name = pin.connector.display_name.as_deref().unwrap_or(pin.connector.id.as_str());
                problem.caused_by(format!("`{name}` is pinned to {}, but calls {actual}", pin.expected))
            };
            let problem = check.broken_pins.iter().fold(problem, add);
            return Err(Abort::blocked(
                problem.hint("find out who changed the connector before you plan again"),
            ));
        }
        match check.unreadable.first() {
            None => Ok(Some(check)),
            Some(_) if self.signals.exit().is_some() => Err(Abort::interrupted(self.signals)),
            Some(unreadable) => {
                let problem = Diagnostic::error(
                    unreadable.error.code,
                    "could not read the tenant again before the first PUT",
                );
                Err(Abort::error(unreadable.error.explain(problem)))
            }
        }
    }
}

/// Returns the exit code of a target whose changes were started: 0 if all are done, 4 if any PUT was sent,
/// otherwise 1.
fn exit_code(target: &TargetReport) -> Exit {
    if target.is_done() {
        Exit::Done
    } else if target.has_sent() {
        Exit::Incomplete
    } else {
        Exit::Error
    }
}
