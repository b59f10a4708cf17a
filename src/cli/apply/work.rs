//! What is to be done, and the way to each tenant of it: planned from files, or saved before.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::Early;
use crate::apply::Report;
use crate::cli::connect::{Connection, Place, connect};
use crate::cli::failure::Failure;
use crate::cli::fleet::{self, Run};
use crate::cli::plan::{Planned, Request, about, make, mixed_names};
use crate::cli::tenant::{Checked, Rule};
use crate::cli::{Exit, report, saved};
use crate::desired;
use crate::diagnostic::Diagnostic;
use crate::files::Saved;
use crate::model::Tenant;
use crate::plan::{Plan, Problem, Target};

/// What a run is about to do, and what became of it.
pub(super) struct Work {
    pub(super) plan: Plan,
    /// For each target the way to its tenant, or what it ends with instead; that was told.
    pub(super) ways: Vec<Result<Rc<Connection>, Exit>>,
    /// What tenants ended with so far.
    pub(super) exits: Vec<Exit>,
    pub(super) report: Report,
}

impl Default for Work {
    fn default() -> Self {
        let plan = Plan::default();
        Self { ways: Vec::new(), exits: Vec::new(), report: Report::not_attempted(&plan), plan }
    }
}

/// Plans the tenants of files, and tells what keeps the plan from being whole.
pub(super) async fn of_files(files: &[PathBuf], run: &Run<'_>, request: &Request) -> Result<Work, Early> {
    let desired = desired::load(files).map_err(Failure::from)?;
    let several = fleet::are_several(desired.iter().map(|desired| desired.tenant.as_str()));
    let mut work = Work::default();
    make(&desired, run, request, |tenant, planned| {
        let errors = match planned {
            Ok(Planned { target, errors, connection, gone: _ }) => {
                work.plan.targets.push(target);
                work.ways.push(Ok(connection));
                errors
            }
            Err(Failure { diagnostics, exit, foreign: _ }) => {
                work.exits.push(exit);
                diagnostics
            }
        };
        work.plan.errors.extend(errors.iter().map(|error| Problem::about(tenant, error)));
        report(&about(tenant, several, errors));
    })
    .await;
    report(&mixed_names(&mut work.plan));
    Ok(work)
}

/// Connects to the tenants of a saved plan.
pub(super) async fn of_saved(path: &Path, run: &Run<'_>, rule: Rule) -> Result<Work, Early> {
    let plan = match saved::read(path)? {
        Saved::Plan(plan, _) => plan,
        Saved::Report(..) => {
            let problem = Diagnostic::error(format!("`{}` is a report, not a plan", path.display()));
            return Err(Early::error(problem.hint("give what `flowbind plan --out plan.json` wrote")));
        }
    };
    let tenants = plan.targets.iter().map(|target| {
        let problem = format!("`{}` is of `{}`, which is no tenant", path.display(), target.tenant);
        target.tenant.parse().map_err(|_| Early::error(Diagnostic::error(problem)))
    });
    let tenants = tenants.collect::<Result<Vec<Tenant>, _>>()?;
    let several = fleet::are_several(tenants.iter().map(Tenant::as_str));
    let groups = fleet::by_tenant(tenants.iter().map(Tenant::as_str));
    let mut work = Work::default();
    let reach = async |group: &[usize]| {
        let targets: Vec<_> = group.iter().filter_map(|at| plan.targets.get(*at)).collect();
        let tenant = group.first().and_then(|at| tenants.get(*at));
        match (targets.first(), tenant) {
            (Some(target), Some(tenant)) => {
                let place = Place {
                    tenant,
                    client_id: target.client_id.as_deref(),
                    cloud: target.cloud,
                    api: target.api,
                };
                let connection = connect(&place, run, rule).await.map(Rc::new);
                targets.iter().map(|target| way(target, connection.clone())).collect()
            }
            _ => Vec::new(),
        }
    };
    fleet::each(&groups, run.global.tenants_at_once, reach, |at, way| {
        let way = way.map_err(|Early { reasons, exit }| {
            let tenant = plan.targets.get(at).map(|target| target.tenant.as_str()).unwrap_or_default();
            work.plan.errors.extend(reasons.iter().map(|reason| Problem::about(tenant, reason)));
            report(&about(tenant, several, reasons));
            exit
        });
        work.ways.push(way);
    })
    .await;
    // What kept the plan from being whole when it was made comes first.
    let Plan { targets, errors } = plan;
    let unreached = std::mem::replace(&mut work.plan, Plan { targets, errors }).errors;
    work.plan.errors.extend(unreached);
    Ok(work)
}

/// The way to a saved target's tenant, which has to be the place that it was planned for.
fn way(target: &Target, connection: Result<Rc<Connection>, Failure>) -> Result<Rc<Connection>, Early> {
    // A plan for another tenant is refused; a file for another tenant is a mistake.
    let connection = connection.map_err(|failure| match failure {
        Failure { foreign: true, diagnostics, .. } => Early { reasons: diagnostics, exit: Exit::Refused },
        failure => Early::from(failure),
    })?;
    let foreign = |what: &str, theirs: &str, ours: &str| {
        let problem =
            Diagnostic::error(format!("the plan is for the {what} `{theirs}`, and this run is for `{ours}`"));
        Err(Early::refused(problem.hint("plan anew, for the place that is meant")))
    };
    if target.graph_url != connection.shown_url {
        return foreign("Graph URL", &target.graph_url, &connection.shown_url);
    }
    match (&target.tenant_id, &connection.checked) {
        (Some(theirs), Checked::Same(ours)) if !theirs.eq_ignore_ascii_case(ours) => {
            foreign("tenant", theirs, ours)
        }
        _ => Ok(connection),
    }
}
