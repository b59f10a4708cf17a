//! What is to be done, and the way to each tenant of it: planned from files, or saved before.

use std::path::Path;
use std::rc::Rc;

use super::Early;
use crate::apply::Report;
use crate::cli::connect::{Connection, Place, connect};
use crate::cli::failure::Failure;
use crate::cli::fleet::{self, FilesArgs, Run, ShardArgs};
use crate::cli::plan::{Planned, Request, about, make, mixed_names, of_part};
use crate::cli::tenant::{Checked, Rule};
use crate::cli::{Exit, report, saved};
use crate::desired;
use crate::diagnostic::Diagnostic;
use crate::files::Saved;
use crate::model::Tenant;
use crate::plan::{Member, Part, Plan, Problem, Target};

/// What a run is about to do, and what became of it.
pub(super) struct Work {
    pub(super) plan: Plan,
    /// For each target the way to its tenant, or what it ends with instead; that was told.
    pub(super) ways: Vec<Result<Rc<Connection>, Exit>>,
    /// What tenants ended with so far.
    pub(super) exits: Vec<Exit>,
    pub(super) report: Report,
    /// The files of the run and their tenants, of other parts too.
    pub(super) fleet: Vec<Member>,
}

impl Default for Work {
    fn default() -> Self {
        let plan = Plan::default();
        Self {
            ways: Vec::new(),
            exits: Vec::new(),
            report: Report::not_attempted(&plan),
            fleet: Vec::new(),
            plan,
        }
    }
}

/// Plans the tenants of files, and tells what keeps the plan from being whole.
pub(super) async fn of_files(
    files: &FilesArgs,
    shard: &ShardArgs,
    run: &Run<'_>,
    request: &Request,
    work: &mut Work,
) -> Result<(), Early> {
    let desired = desired::load(&files.files).map_err(Failure::from)?;
    work.fleet = fleet::members(&desired);
    work.plan.part = shard.part(work.fleet.clone(), run.global.quiet);
    let desired = of_part(desired, work.plan.part.as_ref());
    let several = fleet::are_several(desired.iter().map(|desired| desired.tenant.as_str()));
    let mut plan = work.plan.clone();
    make(desired, run, request, |tenant, planned| {
        let errors = match planned {
            Ok(Planned { target, errors, connection }) => {
                plan.targets.push(target);
                work.ways.push(Ok(connection));
                errors
            }
            Err(Failure { diagnostics, exit, foreign: _ }) => {
                work.exits.push(exit);
                diagnostics
            }
        };
        plan.errors.extend(errors.iter().map(|error| Problem::about(tenant, error)));
        report(&about(tenant, several, errors));
    })
    .await;
    // Where the run is stopped before, nothing was planned.
    work.plan = plan;
    report(&mixed_names(&mut work.plan));
    Ok(())
}

/// Connects to the tenants of a saved plan, or of a part of it.
pub(super) async fn of_saved(
    path: &Path,
    shard: &ShardArgs,
    run: &Run<'_>,
    rule: Rule,
    work: &mut Work,
) -> Result<(), Early> {
    let plan = match saved::read(path)? {
        Saved::Plan(plan, _) => plan,
        Saved::Report(..) => {
            let problem = Diagnostic::error(format!("`{}` is a report, not a plan", path.display()));
            return Err(Early::error(problem.hint("give what `flowbind plan --out plan.json` wrote")));
        }
    };
    (work.plan, work.fleet) = part_of(plan, shard, run.global.quiet)?;
    let plan = &work.plan;
    let tenants = plan.targets.iter().map(|target| {
        let problem = format!("`{}` is of `{}`, which is no tenant", path.display(), target.tenant);
        target.tenant.parse().map_err(|_| Early::error(Diagnostic::error(problem)))
    });
    let tenants = tenants.collect::<Result<Vec<Tenant>, _>>()?;
    let several = fleet::are_several(tenants.iter().map(Tenant::as_str));
    let groups = fleet::by_tenant(tenants.iter().map(Tenant::as_str));
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
                targets.iter().map(|other| way(other, target, connection.clone())).collect()
            }
            _ => Vec::new(),
        }
    };
    let (mut ways, mut unreached) = (Vec::new(), Vec::new());
    run.each(&groups, reach, |at, way| {
        let way = way.map_err(|Early { reasons, exit }| {
            let tenant = plan.targets.get(at).map(|target| target.tenant.as_str()).unwrap_or_default();
            unreached.extend(reasons.iter().map(|reason| Problem::about(tenant, reason)));
            report(&about(tenant, several, reasons));
            exit
        });
        ways.push(way);
    })
    .await;
    stop_together(&mut ways, &groups);
    for (target, way) in work.plan.targets.iter_mut().zip(&ways) {
        if let Ok(Checked::Same(guid)) = way.as_ref().map(|connection| &connection.checked) {
            target.tenant_id = Some(guid.clone());
        }
    }
    work.ways = ways;
    work.plan.errors.extend(unreached);
    // What could not be established when the plan was made may be known now.
    report(&mixed_names(&mut work.plan));
    Ok(())
}

/// The targets of one tenant go together: where there is no way to one of them, there is none to any.
fn stop_together(ways: &mut [Result<Rc<Connection>, Exit>], groups: &[Vec<usize>]) {
    for group in groups {
        let exit = group.iter().find_map(|at| ways.get(*at)?.as_ref().err().copied());
        for at in group {
            if let (Some(exit), Some(way)) = (exit, ways.get_mut(*at)) {
                *way = Err(exit);
            }
        }
    }
}

/// The part of a saved plan that a run is about, and the files of the whole.
fn part_of(mut plan: Plan, shard: &ShardArgs, quiet: bool) -> Result<(Plan, Vec<Member>), Early> {
    if let Some(part) = &plan.part {
        if shard.shard.is_some() {
            let problem = Diagnostic::error(format!("the saved plan is of shard {} alone", part.shard));
            return Err(Early::error(
                problem.hint("leave out `--shard`, or join the shards with `show` first"),
            ));
        }
        let fleet = part.fleet.clone();
        return Ok((plan, fleet));
    }
    let member = |target: &Target| Member { file: target.file.clone(), tenant: target.tenant.clone() };
    let fleet: Vec<_> = plan.targets.iter().map(member).collect();
    plan.part = shard.part(fleet.clone(), quiet);
    if let Some(Part { shard, .. }) = plan.part {
        plan.targets.retain(|target| shard.has(&target.tenant));
        plan.errors.retain(|error| error.tenant.as_ref().is_none_or(|tenant| shard.has(tenant)));
    }
    Ok((plan, fleet))
}

/// The way to a saved target's tenant, which has to be the place that it was planned for. `first` is the
/// target that the connection was made for.
fn way(
    target: &Target,
    first: &Target,
    connection: Result<Rc<Connection>, Failure>,
) -> Result<Rc<Connection>, Early> {
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
    let app = |target: &Target| target.client_id.as_ref().map(|id| id.to_ascii_lowercase());
    let what = [("`cloud`", target.cloud != first.cloud), ("`clientId`", app(target) != app(first))];
    if let Some((what, _)) = what.into_iter().find(|(_, differs)| *differs) {
        let problem =
            format!("`{}` and `{}` are of one tenant, and differ in {what}", first.file, target.file);
        let problem = Diagnostic::error(problem);
        return Err(Early::refused(
            problem.hint("let the files say the same of their tenant, and plan anew"),
        ));
    }
    match (&target.tenant_id, &connection.checked) {
        (Some(theirs), Checked::Same(ours)) if !theirs.eq_ignore_ascii_case(ours) => {
            foreign("tenant", theirs, ours)
        }
        _ => Ok(connection),
    }
}
