//! Plans the files of a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::connect::{Connection, connect, graph_url};
use super::error::{CommandError, ErrorKind};
use super::in_order::group_by_tenant;
use super::only;
use super::saved::{Reader, read_saved, saved_label};
use super::session::Run;
use super::tenant_ref::TenantRef;
use crate::apply::{self, UnverifiedTenantPolicy};
use crate::diagnostic::{Code, Diagnostic, STDIN};
use crate::model::{Desired, Fetched, Label, Only, Purpose, Scope, Tenant};
use crate::plan::{
    Limit, Member, Plan, PlanTime, Problem, RunOverrides, Shard, ShardInfo, Target, TenantPlan, UndoneChange,
    check_undo, create_unplanned_tenant, has_several_tenants, plan_tenant,
};
use crate::saved::Saved;
use crate::{current, desired, paths};

/// What happens while files are planned.
#[derive(Debug)]
pub enum Event<'a> {
    /// The files are known, and this shard of them is processed.
    Sharded(&'a ShardInfo),
    /// A file was planned. Files are planned in their order.
    Planned {
        /// The plan of the file.
        target: &'a Target,
        /// Whether the run, with all its shards, has several tenants.
        several: bool,
    },
}

/// Where the desired state is from.
#[derive(Debug, Clone, Copy)]
pub enum DesiredSource<'a> {
    /// Desired-state files, or folders of them.
    Files(&'a [PathBuf]),
    /// Saved report, whose changes are taken back.
    Undo(&'a Path),
}

/// Options of planning.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// Command that the app of a tenant signs in for.
    pub purpose: Purpose,
    /// What to do if the tenant of a token cannot be verified.
    pub policy: UnverifiedTenantPolicy,
    /// What to read of each tenant.
    pub scope: Scope,
    /// Guards that are overridden.
    pub overrides: RunOverrides,
    /// Shard to process; `None` for all files.
    pub shard: Option<Shard>,
    /// Bindings to process; all if empty.
    pub only: Vec<Only>,
    /// Name of the run, if it has one.
    pub label: Option<Label>,
    /// Start of the run, and how long certificates must be valid.
    pub time: PlanTime,
}

/// Files of a run, and the part of them that this run processes.
pub(super) struct Fleet {
    /// Files of all shards.
    pub(super) members: Vec<Member>,
    pub(super) shard: Option<ShardInfo>,
    /// Bindings that the run is limited to, if it is.
    pub(super) limit: Option<Limit>,
    /// Name of the run: the given one, or that of the report whose changes are taken back.
    pub(super) label: Option<Label>,
    /// Files of this shard.
    pub(super) files: Vec<Desired>,
    /// Changes that the files take back, by tenant, and the report that has them; `None` for desired-state files.
    pub(super) undo: Option<UndoneChanges>,
}

/// Changes that are taken back, by tenant.
pub(super) struct UndoneChanges {
    /// Path of the report, as given.
    report: String,
    changes: BTreeMap<Tenant, Vec<UndoneChange>>,
}

/// Plan of a run, and the connection to each tenant or why there is none.
pub(super) struct PlannedRun {
    pub(super) plan: Plan,
    pub(super) connections: BTreeMap<Tenant, Result<Connection, ErrorKind>>,
}

/// Loads the files and plans those of the shard. Errors are in the plan; invalid files give a plan
/// that has only errors.
pub async fn plan_files(
    run: &Run,
    source: DesiredSource<'_>,
    request: &PlanRequest,
    mut on_event: impl FnMut(Event<'_>),
) -> Plan {
    match load(source, request) {
        Ok(fleet) => {
            fleet.shard.iter().for_each(|shard| on_event(Event::Sharded(shard)));
            let several = has_several_tenants(&fleet.members);
            let on_planned = |target: &_| on_event(Event::Planned { target, several });
            plan_fleet(run, fleet, request, on_planned).await.plan
        }
        Err(error) => create_error_plan(error.diagnostics, request, on_event),
    }
}

/// Creates a plan without targets that has these errors.
pub fn create_error_plan(
    errors: Vec<Diagnostic>,
    request: &PlanRequest,
    mut on_event: impl FnMut(Event<'_>),
) -> Plan {
    let shard = request.shard.map(|shard| ShardInfo { shard, fleet: Vec::new() });
    shard.iter().for_each(|shard| on_event(Event::Sharded(shard)));
    Plan { errors, shard, label: request.label.clone(), ..Plan::default() }
}

/// Loads and checks the files and the flags for them, and keeps the selected bindings of the shard.
///
/// # Errors
/// All problems of all files, or of the flags, or selections that match no binding.
pub(super) fn load(source: DesiredSource<'_>, request: &PlanRequest) -> Result<Fleet, CommandError> {
    let PlanRequest { shard, only, overrides, label, time, .. } = request;
    let (files, undo, report, label) = match source {
        DesiredSource::Files(paths) => (desired::load(paths, time.now)?, None, None, label.clone()),
        DesiredSource::Undo(path) => {
            let (files, undo, saved) = load_undo(path)?;
            (files, Some(undo), Some(path), saved_label(path, label.as_ref(), saved)?)
        }
    };
    let (mut files, limit) = only::limit(files, only, report)?;
    overrides.check(&files)?;
    let member = |file: &Desired| {
        let path = match &*file.file {
            STDIN => STDIN.to_owned(),
            name => paths::path_in_repository(Path::new(name)),
        };
        Member { file: path, tenant: file.tenant.clone() }
    };
    let members: Vec<_> = files.iter().map(member).collect();
    let shard = shard.map(|shard| ShardInfo { shard, fleet: members.clone() });
    if let Some(info) = &shard {
        files.retain(|file| info.shard.contains(&file.tenant));
    }
    Ok(Fleet { members, shard, limit, label, files, undo })
}

/// Reads a saved report, and returns files that take its changes back, with these changes and its label.
///
/// # Errors
/// The file is not a report, or unusable.
fn load_undo(path: &Path) -> Result<(Vec<Desired>, UndoneChanges, Option<Label>), CommandError> {
    let report = match read_saved(path, Reader::Undo)? {
        Saved::Report(report, ..) => report,
        Saved::Plan(..) | Saved::Drift(..) => {
            let message = format!("`{}` is not the report of an apply", paths::display(path));
            let problem = Diagnostic::error(Code::SavedFileKind, message);
            return Err(problem.hint("pass a file written by `flowbind apply --out report.json`").into());
        }
    };
    let name = paths::display(path);
    let (mut files, mut changes) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
    for undo in apply::undo(&report, &name) {
        changes.entry(undo.desired.tenant.clone()).or_default().extend(undo.changes);
        files.push(undo.desired);
    }
    Ok((files, UndoneChanges { report: name, changes }, report.label))
}

/// Plan of one file. The first file of a tenant has its errors and its connection.
struct PlannedFile {
    target: Target,
    errors: Vec<Problem>,
    connection: Option<Result<Connection, ErrorKind>>,
}

/// Connects to the tenants of the files, and plans each tenant. The files of a tenant are dropped as soon as it is
/// planned.
pub(super) async fn plan_fleet(
    run: &Run,
    Fleet { shard, limit, label, files, undo, .. }: Fleet,
    request: &PlanRequest,
    mut on_planned: impl FnMut(&Target),
) -> PlannedRun {
    let (mut targets, mut errors, mut connections) = (Vec::new(), Vec::new(), BTreeMap::new());
    let work = async |group: Vec<(usize, Desired)>| {
        let (positions, files): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let Some((plan, connection)) = plan_files_of_tenant(run, &files, undo.as_ref(), request).await else {
            return Vec::new();
        };
        let TenantPlan { tenant, targets, errors } = plan;
        let errors = errors.into_iter().map(|error| Problem::for_tenant(&tenant, error));
        let (mut errors, mut connection) = (errors.collect(), Some(connection));
        let planned = targets.into_iter().map(|target| PlannedFile {
            target,
            errors: std::mem::take(&mut errors),
            connection: connection.take(),
        });
        positions.into_iter().zip(planned).collect()
    };
    run.for_each_tenant(group_by_tenant(files, |file| &file.tenant), work, |planned| {
        let PlannedFile { target, errors: new, connection } = planned;
        on_planned(&target);
        connections.extend(connection.map(|connection| (target.tenant.clone(), connection)));
        targets.push(target);
        errors.extend(new);
    })
    .await;
    let mut plan = Plan { shard, limit, label, ..Plan::new(targets, errors) };
    plan.add_alias_errors();
    PlannedRun { plan, connections }
}

/// Connects to the tenant of the files, reads it and plans it. A failed connection gives a plan with its errors, in
/// which nothing was compared. `None` without files.
async fn plan_files_of_tenant(
    run: &Run,
    files: &[Desired],
    undo: Option<&UndoneChanges>,
    request: &PlanRequest,
) -> Option<(TenantPlan, Result<Connection, ErrorKind>)> {
    let tenant_ref = TenantRef::from_file(files.first()?, request.purpose);
    let overrides = &request.overrides.for_tenant(tenant_ref.tenant);
    Some(match connect(&tenant_ref, run, request.policy).await {
        Ok(connection) => {
            let current = current::read(&connection.graph, files, request.scope).await;
            let connected = &connection.connected;
            let mut plan =
                plan_tenant(tenant_ref.tenant, files, &current, connected, overrides, request.time);
            if request.purpose == Purpose::Apply && current.connectors == Fetched::NotRequested {
                look_up_ids(&mut plan, &connection).await;
            }
            if let Some(UndoneChanges { report, changes }) = undo {
                check_undo(&mut plan, report, changes.get(tenant_ref.tenant).map_or(&[], Vec::as_slice));
            }
            (plan, Ok(connection))
        }
        Err(CommandError { kind, diagnostics }) => {
            let url = graph_url(&tenant_ref, run).map(|url| url.to_string()).unwrap_or_default();
            (create_unplanned_tenant(tenant_ref.tenant, files, &url, overrides, diagnostics), Err(kind))
        }
    })
}

/// Adds an error for each id that a change would send and the tenant does not have. A plan alone does not need the list
/// of connectors for ids.
async fn look_up_ids(plan: &mut TenantPlan, connection: &Connection) {
    if !plan.binds() {
        return;
    }
    match current::read_connectors(&connection.graph).await {
        Ok(listed) => listed.iter().for_each(|listed| plan.check_connectors(listed)),
        Err(error) => {
            let message = "cannot list the tenant's connectors, so ids cannot be looked up";
            plan.errors.push(error.explain(Diagnostic::error(Code::ConnectorsUnreadable, message)));
        }
    }
}
