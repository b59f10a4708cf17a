//! One tenant's changes: looked at again where somebody was waited for, then made and read back.

use std::rc::Rc;

use super::{ApplyArgs, Early};
use crate::apply::{self, Moved, Options, Recheck, TargetReport};
use crate::cli::Exit;
use crate::cli::connect::Connection;
use crate::cli::fleet::Run;
use crate::cli::signals::Signals;
use crate::diagnostic::Diagnostic;
use crate::plan::{BrokenPin, Plan, Target};
use crate::render;

/// How the changes of a run are made.
pub(super) struct Todo<'a> {
    pub(super) args: &'a ApplyArgs,
    pub(super) run: &'a Run<'a>,
    pub(super) signals: &'a Signals,
    /// Whether the bindings are read again before the first is changed.
    pub(super) recheck: bool,
}

/// What became of one target.
pub(super) struct Done {
    pub(super) target: TargetReport,
    /// Why nothing was changed, where something kept it from being.
    pub(super) reasons: Vec<Diagnostic>,
    pub(super) exit: Exit,
}

/// A target that has changes, and the way to its tenant.
struct Open<'a> {
    target: &'a Target,
    connection: &'a Rc<Connection>,
    recheck: Option<Recheck>,
}

impl Todo<'_> {
    /// Makes the changes to one tenant: all of its targets, or none where one may not be changed.
    pub(super) async fn change(
        &self,
        plan: &Plan,
        ways: &[Result<Rc<Connection>, Exit>],
        group: &[usize],
    ) -> Vec<Done> {
        let targets: Vec<_> =
            group.iter().filter_map(|at| Some((plan.targets.get(*at)?, ways.get(*at)?))).collect();
        let mut open = Vec::new();
        for (target, way) in &targets {
            let Ok(connection) = way else { continue };
            if target.changes.is_empty() {
                continue;
            }
            let recheck = match self.look_again(target, connection).await {
                Ok(recheck) => recheck,
                Err(Early { reasons, exit }) => {
                    let mut reasons = Some(reasons);
                    let untouched = |(target, _): &(&Target, _)| Done {
                        target: TargetReport::not_attempted(target),
                        reasons: reasons.take().unwrap_or_default(),
                        exit,
                    };
                    return targets.iter().map(untouched).collect();
                }
            };
            open.push(Open { target, connection, recheck });
        }
        let mut done = Vec::new();
        for (target, way) in targets {
            let exit = way.as_ref().err().copied().unwrap_or(Exit::Done);
            let mut one = Done { target: TargetReport::not_attempted(target), reasons: Vec::new(), exit };
            if let Some(Open { connection, recheck, .. }) =
                open.iter().find(|open| std::ptr::eq(open.target, target))
            {
                let halted = self.args.fail_fast && done.iter().any(|done: &Done| done.exit != Exit::Done);
                let options = self.options(halted);
                one.target = apply::apply(&connection.graph, target, recheck.as_ref(), &options).await;
                one.exit = exit_of(&one.target);
            }
            done.push(one);
        }
        // Files of one tenant are begun together.
        if done.iter().any(|done| done.target.has_sent()) {
            for open in done.iter_mut().filter(|done| !done.target.is_done()) {
                open.exit = Exit::Incomplete;
            }
        }
        done
    }

    fn options(&self, halted: bool) -> Options {
        Options {
            halted,
            fail_fast: self.args.fail_fast,
            verify_timeout: self.args.verify_timeout,
            deadline: self.run.deadline,
            stop: self.signals.stop.clone(),
        }
    }

    /// Looks whether the tenant is still what was approved.
    async fn look_again(&self, target: &Target, connection: &Connection) -> Result<Option<Recheck>, Early> {
        if !self.recheck {
            return Ok(None);
        }
        let recheck = apply::recheck(&connection.graph, target).await;
        if !recheck.moved.is_empty() {
            let stale = Diagnostic::error("the tenant changed since the plan was made: nothing was changed");
            let told = |stale: Diagnostic, moved: &Moved| stale.caused_by(render::moved_text(target, moved));
            let stale = recheck.moved.iter().fold(stale, told);
            return Err(Early::refused(stale.hint("plan again, and review what is there now")));
        }
        if !recheck.broken.is_empty() {
            let problem =
                Diagnostic::error("a connector changed since the plan was made: nothing was changed");
            let told = |problem: Diagnostic, pin: &BrokenPin| {
                let actual = pin.actual.as_deref().unwrap_or("no address");
                let name = pin.connector.display_name.as_deref().unwrap_or(pin.connector.id.as_str());
                problem.caused_by(format!("`{name}` is pinned to {}, but calls {actual}", pin.expected))
            };
            return Err(Early::refused(
                recheck.broken.iter().fold(problem, told).hint("mend the connector, or plan again"),
            ));
        }
        match recheck.unknown.first() {
            None => Ok(Some(recheck)),
            Some(_) if self.signals.exit().is_some() => Err(Early::stopped(self.signals)),
            Some(unknown) => {
                let problem = Diagnostic::error("the tenant could not be read again: nothing was changed");
                Err(Early::error(problem.caused_by(&*unknown.error)))
            }
        }
    }
}

/// What a file ends with whose changes were to be begun.
fn exit_of(target: &TargetReport) -> Exit {
    if target.is_done() {
        Exit::Done
    } else if target.has_sent() {
        Exit::Incomplete
    } else {
        Exit::Error
    }
}
