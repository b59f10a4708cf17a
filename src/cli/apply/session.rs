//! State of an apply: the plan, from files or saved, and the connection to each tenant.

use std::path::Path;
use std::rc::Rc;

use super::Abort;
use crate::apply::Report;
use crate::cli::connect::{Connection, TenantRef, connect};
use crate::cli::failure::Failure;
use crate::cli::fleet::{self, FilesArgs, Run, ShardArgs};
use crate::cli::plan::{Planned, Request, add_aliased_tenants, filter_by_shard, plan_tenants};
use crate::cli::tenant::{TenantCheck, UnverifiedTenantPolicy};
use crate::cli::{Exit, saved};
use crate::desired;
use crate::diagnostic::{Code, Diagnostic};
use crate::model::Tenant;
use crate::plan::{Member, Plan, Problem, ShardInfo, Target};
use crate::saved::Saved;

/// State of an apply.
pub(super) struct ApplySession {
    pub(super) plan: Plan,
    /// For each target the connection to its tenant, or the exit code of its abort.
    pub(super) connections: Vec<Result<Rc<Connection>, Exit>>,
    /// Whether the plan was printed.
    pub(super) is_printed: bool,
    /// Whether the plan or its errors were printed on stderr.
    pub(super) is_on_stderr: bool,
    /// Why tenants of a saved plan cannot be changed by this run. The plan itself is still complete.
    pub(super) connection_errors: Vec<Problem>,
    /// Exit codes so far.
    pub(super) exits: Vec<Exit>,
    pub(super) report: Report,
    /// Files of the run and their tenants, of all shards.
    pub(super) fleet: Vec<Member>,
}

impl Default for ApplySession {
    fn default() -> Self {
        let plan = Plan::default();
        Self {
            connections: Vec::new(),
            is_printed: false,
            is_on_stderr: false,
            connection_errors: Vec::new(),
            exits: Vec::new(),
            report: Report::not_attempted(&plan),
            fleet: Vec::new(),
            plan,
        }
    }
}

/// Loads the files of the shard, connects to their tenants and plans them. Plan, connections and files of all
/// shards go to `session`. Invalid files are an error; failures of single tenants are in the plan.
pub(super) async fn plan_files(
    files: &FilesArgs,
    shard: &ShardArgs,
    run: &Run<'_>,
    request: &Request,
    session: &mut ApplySession,
) -> Result<(), Abort> {
    let desired = desired::load(&files.files).map_err(Failure::from)?;
    session.fleet = fleet::members(&desired);
    session.plan.shard = shard.info(session.fleet.clone(), run.global.quiet);
    let desired = filter_by_shard(desired, session.plan.shard.as_ref());
    let mut plan = session.plan.clone();
    plan_tenants(desired, run, request, |tenant, planned| {
        let Planned { target, errors, connection } = planned;
        plan.targets.push(target);
        session.connections.push(connection);
        plan.errors.extend(errors.into_iter().map(|error| Problem::for_tenant(tenant, error)));
    })
    .await;
    // An interrupted run has planned nothing.
    session.plan = plan;
    add_aliased_tenants(&mut session.plan);
    Ok(())
}

/// Reads a saved plan, keeps the targets of `--shard`, and connects to their tenants. Plan, connections and
/// their errors go to `session`. An unusable file is an error; a failed connection is not.
pub(super) async fn load_saved_plan(
    path: &Path,
    shard: &ShardArgs,
    run: &Run<'_>,
    policy: UnverifiedTenantPolicy,
    session: &mut ApplySession,
) -> Result<(), Abort> {
    let plan = match saved::read(path, saved::Reader::Apply)? {
        Saved::Plan(plan, _) => plan,
        Saved::Report(..) => {
            let message = format!("`{}` is an apply report, not a plan", path.display());
            let problem = Diagnostic::error(Code::SavedFileKind, message);
            return Err(Abort::error(problem.hint("pass a file written by `flowbind plan --out plan.json`")));
        }
    };
    (session.plan, session.fleet) = select_shard(path, plan, shard, run.global.quiet)?;
    let plan = &session.plan;
    let tenants = plan.targets.iter().map(|target| {
        let message = format!("`{}` names an invalid tenant `{}`", path.display(), target.tenant);
        let invalid = |_| Abort::error(Diagnostic::error(Code::SavedFileInvalid, message));
        target.tenant.parse().map_err(invalid)
    });
    let tenants = tenants.collect::<Result<Vec<Tenant>, _>>()?;
    let groups = fleet::group_by_tenant(tenants.iter().map(Tenant::as_str));
    let connect_group = async |group: &[usize]| {
        let targets: Vec<_> = group.iter().filter_map(|at| plan.targets.get(*at)).collect();
        let tenant = group.first().and_then(|at| tenants.get(*at));
        match (targets.first(), tenant) {
            (Some(target), Some(tenant)) => {
                let tenant_ref = TenantRef {
                    tenant,
                    client_id: target.client_id.as_deref(),
                    cloud: target.cloud,
                    api: target.api,
                };
                let connection = connect(&tenant_ref, run, policy).await.map(Rc::new);
                targets.iter().map(|other| check_saved_target(other, target, connection.clone())).collect()
            }
            _ => Vec::new(),
        }
    };
    let (mut connections, mut connection_errors) = (Vec::new(), Vec::new());
    run.for_each_in_order(&groups, connect_group, |at, connection| {
        let connection = connection.map_err(|Abort { reasons, exit }| {
            let tenant = plan.targets.get(at).map(|target| target.tenant.as_str()).unwrap_or_default();
            connection_errors.extend(reasons.into_iter().map(|reason| Problem::for_tenant(tenant, reason)));
            exit
        });
        connections.push(connection);
    })
    .await;
    abort_together(&mut connections, &groups);
    for (target, connection) in session.plan.targets.iter_mut().zip(&connections) {
        if let Ok(TenantCheck::Verified(guid)) = connection.as_ref().map(|it| &it.tenant_check) {
            target.tenant_id = Some(guid.clone());
        }
    }
    session.connections = connections;
    session.connection_errors = connection_errors;
    // A GUID that was unknown when the plan was made may be known now.
    add_aliased_tenants(&mut session.plan);
    Ok(())
}

/// Replaces all connections of a group by the exit code of its first aborted target, if there is one.
fn abort_together(connections: &mut [Result<Rc<Connection>, Exit>], groups: &[Vec<usize>]) {
    for group in groups {
        let exit = group.iter().find_map(|at| connections.get(*at)?.as_ref().err().copied());
        for at in group {
            if let (Some(exit), Some(connection)) = (exit, connections.get_mut(*at)) {
                *connection = Err(exit);
            }
        }
    }
}

/// Returns the part of a saved plan that is in `--shard`, and the files of all shards; without `--shard` the
/// complete plan. Prints the shard on stderr unless `quiet`. `--shard` is an error if the plan itself is of a
/// shard.
fn select_shard(
    path: &Path,
    mut plan: Plan,
    shard: &ShardArgs,
    quiet: bool,
) -> Result<(Plan, Vec<Member>), Abort> {
    if let Some(info) = &plan.shard {
        if shard.shard.is_some() {
            let is_only_shard = info.shard.count() == 1;
            let covers = if is_only_shard { "covers" } else { "covers only" };
            let message = format!("the saved plan `{}` {covers} shard {}", path.display(), info.shard);
            let problem = Diagnostic::error(Code::ShardConflict, message);
            return Err(Abort::error(problem.hint(if is_only_shard {
                "run `flowbind apply` without `--shard`"
            } else {
                "run `flowbind apply` without `--shard`, or join the shards first: \
                 `flowbind show SHARD.json… --out plan.json`"
            })));
        }
        let fleet = info.fleet.clone();
        return Ok((plan, fleet));
    }
    let member = |target: &Target| Member { file: target.file.clone(), tenant: target.tenant.clone() };
    let fleet: Vec<_> = plan.targets.iter().map(member).collect();
    plan.shard = shard.info(fleet.clone(), quiet);
    if let Some(ShardInfo { shard, .. }) = plan.shard {
        plan.targets.retain(|target| shard.contains(&target.tenant));
        plan.errors.retain(|error| error.tenant.as_ref().is_none_or(|tenant| shard.contains(tenant)));
    }
    Ok((plan, fleet))
}

/// Returns the connection if the saved target has its Graph URL and tenant GUID, and the cloud and app of
/// `first`, for which the connection was made. Any other target aborts with exit code 3; a failed connection
/// aborts with its own code, or with 3 for a wrong tenant.
fn check_saved_target(
    target: &Target,
    first: &Target,
    connection: Result<Rc<Connection>, Failure>,
) -> Result<Rc<Connection>, Abort> {
    // A plan for another tenant is blocked; a file for another tenant is an error.
    let connection = connection.map_err(|failure| match failure {
        Failure { is_wrong_target: true, diagnostics, .. } => {
            Abort { reasons: diagnostics, exit: Exit::Refused }
        }
        failure => Abort::from(failure),
    })?;
    let wrong_target = |what: &str, theirs: &str, ours: &str| {
        let message = format!("the plan is for the {what} `{theirs}`, but this run targets `{ours}`");
        let problem = Diagnostic::error(Code::WrongTarget, message);
        Err(Abort::blocked(problem.hint("plan again for this target, or apply the plan where it was made")))
    };
    if target.graph_url != connection.shown_url {
        return wrong_target("Graph URL", &target.graph_url, &connection.shown_url);
    }
    let app = |target: &Target| target.client_id.as_ref().map(|id| id.to_ascii_lowercase());
    let cloud = |target: &Target| Some(target.cloud.to_string());
    let settings = [("cloud", cloud(first), cloud(target)), ("clientId", app(first), app(target))];
    if let Some((name, one, other)) = settings.into_iter().find(|(_, one, other)| one != other) {
        let shown = |value: Option<String>| value.map_or("not set".to_owned(), |value| format!("`{value}`"));
        let message = format!(
            "for `{}`, `{name}` is {} in `{}` but {} in `{}`",
            target.tenant,
            shown(one),
            first.file,
            shown(other),
            target.file
        );
        let problem = Diagnostic::error(Code::WrongTarget, message);
        return Err(Abort::blocked(problem.hint("write the same value in both files, and plan again")));
    }
    match (&target.tenant_id, &connection.tenant_check) {
        (Some(theirs), TenantCheck::Verified(ours)) if !theirs.eq_ignore_ascii_case(ours) => {
            wrong_target("tenant", theirs, ours)
        }
        _ => Ok(connection),
    }
}
