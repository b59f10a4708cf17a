//! `plan`: compares files with their tenants and prints the changes. Writes nothing to the tenants.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::Args;

use super::connect::{Connection, ConnectionArgs, TenantRef, connect, graph_url};
use super::environment::Environment;
use super::failure::Failure;
use super::fleet::{self, FilesArgs, Run, ShardArgs};
use super::outputs::{OutputArgs, Outputs, RenderedRun};
use super::tenant::{TenantCheck, UnverifiedTenantPolicy};
use super::{Exit, Global, signals, values};
use crate::current::Scope;
use crate::diagnostic::{Diagnostic, Location};
use crate::model::{Desired, FlowId, Step};
use crate::plan::{Overrides, Plan, Problem, ShardInfo, Target, shard};
use crate::render::Document;
use crate::{current, desired, plan, render, saved};

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    files: FilesArgs,
    #[command(flatten)]
    outputs: OutputArgs,
    /// Exit with 2 if the plan has changes
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    shard: ShardArgs,
    // Last, because their headings apply to all options after them.
    #[command(flatten)]
    overrides: OverrideArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Flags that override guards.
#[derive(Debug, Args)]
#[command(next_help_heading = "Guards")]
pub(super) struct OverrideArgs {
    /// Override the file's `maxChanges`
    #[arg(long, value_name = "N")]
    max_changes: Option<u32>,
    /// Override the file's `maxDisables`
    #[arg(long, value_name = "N")]
    max_disables: Option<u32>,
    /// Allow disabling or replacing a protected binding. Repeatable
    #[arg(long, value_name = "FLOW/STEP", value_parser = values::parse_binding)]
    allow_protected: Vec<(FlowId, Step)>,
    /// Allow `prune: flows` in a file without flows
    #[arg(long)]
    allow_empty: bool,
}

/// Options of planning.
pub(super) struct Request {
    pub(super) policy: UnverifiedTenantPolicy,
    pub(super) scope: Scope,
    pub(super) overrides: Overrides,
}

impl OverrideArgs {
    pub(super) fn request(&self, policy: UnverifiedTenantPolicy) -> Request {
        let Self { max_changes, max_disables, allow_protected, allow_empty } = self;
        let overrides = Overrides {
            max_changes: *max_changes,
            max_disables: *max_disables,
            allow_protected: allow_protected.clone(),
            allow_empty: *allow_empty,
        };
        Request { policy, scope: Scope::Listed, overrides }
    }
}

/// Plan of one file, and the connection to its tenant.
pub(super) struct Planned {
    pub(super) target: Target,
    /// Errors that make the plan incomplete.
    pub(super) errors: Vec<Diagnostic>,
    /// Connection, or the exit code of the failure to connect.
    pub(super) connection: Result<Rc<Connection>, Exit>,
}

pub(super) async fn run(
    args: &PlanArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, Failure> {
    let mut outputs = Outputs::open(&args.outputs, &inputs(&args.files, &args.connection), environment)?;
    let request = args.overrides.request(UnverifiedTenantPolicy::Warn);
    let run = Run::start(global, &args.connection, environment, signals::no_shutdown());
    let plan = match &run {
        Ok(run) => plan_and_print(&args.files, &args.shard, run, &request, &mut outputs).await,
        Err(failure) => create_error_plan(&failure.diagnostics, &args.shard, global),
    };
    let at = environment.now().to_string();
    let json = &|| saved::plan::to_json(&plan, &at);
    let text = render::plan_text(&plan);
    let written = outputs.emit(&RenderedRun { text, json, document: Document::Plan(&plan), at: &at }).await;
    Outputs::report_errors(args.outputs.format, &plan.incompleteness_errors(), plan.has_several_tenants());
    written?;
    Ok(exit(&plan, args.detailed_exitcode))
}

/// Returns the files that no output may replace: FILES and those of `--sandbox`.
pub(super) fn inputs<'a>(files: &'a FilesArgs, connection: &'a ConnectionArgs) -> Vec<&'a Path> {
    files.files.iter().chain(&connection.sandbox).map(PathBuf::as_path).collect()
}

/// Loads the files and plans those of the shard. Prints each target to `outputs` as soon as it and those
/// before it are planned. Errors are in the plan; invalid files give a plan that has only errors.
pub(super) async fn plan_and_print(
    files: &FilesArgs,
    shard: &ShardArgs,
    run: &Run<'_>,
    request: &Request,
    outputs: &mut Outputs,
) -> Plan {
    let mut plan = Plan::default();
    let desired = match desired::load(&files.files) {
        Ok(desired) => desired,
        Err(problems) => return create_error_plan(&problems, shard, run.global),
    };
    let fleet = fleet::members(&desired);
    plan.shard = shard.info(fleet.clone(), run.global.quiet);
    let desired = filter_by_shard(desired, plan.shard.as_ref());
    plan_tenants(desired, run, request, |tenant, planned| {
        let Planned { target, errors, connection: _ } = planned;
        outputs.print(&render::target_text(&target));
        plan.targets.push(target);
        plan.errors.extend(errors.into_iter().map(|error| Problem::for_tenant(tenant, error)));
    })
    .await;
    add_aliased_tenants(&mut plan);
    shard::sort(&mut plan.errors, &fleet);
    plan
}

/// Returns a plan without targets that has these errors and `--shard`, which is also printed on stderr unless
/// `--quiet`.
pub(super) fn create_error_plan(problems: &[Diagnostic], shard: &ShardArgs, global: &Global) -> Plan {
    Plan {
        errors: problems.iter().cloned().map(Problem::from).collect(),
        shard: shard.info(Vec::new(), global.quiet),
        ..Plan::default()
    }
}

/// Returns the files of a shard; all files if the run is not split.
pub(super) fn filter_by_shard(files: Vec<Desired>, info: Option<&ShardInfo>) -> Vec<Desired> {
    let is_in = |desired: &Desired| info.is_none_or(|info| info.shard.contains(desired.tenant.as_str()));
    files.into_iter().filter(is_in).collect()
}

/// Connects to the tenants of files and plans each file. Passes the tenant and the result of each file to
/// `handle`, in the order of the files. If a connection fails, the first file of the tenant has the errors. A
/// file is dropped as soon as its tenant is planned.
pub(super) async fn plan_tenants(
    files: Vec<Desired>,
    run: &Run<'_>,
    request: &Request,
    mut handle: impl FnMut(&str, Planned),
) {
    let tenants: Vec<_> = files.iter().map(|desired| desired.tenant.to_string()).collect();
    let groups = fleet::group_by_tenant(tenants.iter().map(String::as_str));
    let files: Vec<_> = files.into_iter().map(|desired| Cell::new(Some(desired))).collect();
    let work = async |group: &[usize]| {
        let files: Vec<_> = group.iter().filter_map(|at| files.get(*at)?.take()).collect();
        let mut planned = Vec::new();
        let Some(first) = files.first() else { return planned };
        let tenant_ref = TenantRef {
            tenant: &first.tenant,
            client_id: first.client_id.as_deref(),
            cloud: first.cloud,
            api: first.api,
        };
        match connect(&tenant_ref, run, request.policy).await.map(Rc::new) {
            Ok(connection) => {
                let mut targets = Vec::new();
                for desired in &files {
                    targets.push(target(desired, &connection, request).await);
                }
                dedupe_tenant_findings(&files, &mut targets);
                planned = targets;
            }
            Err(Failure { diagnostics, exit, is_wrong_target: _ }) => {
                let url = graph_url(&tenant_ref, run).map(|url| url.to_string()).unwrap_or_default();
                let unplanned = |desired| Planned {
                    target: plan::create_unplanned_target(desired, &url, &request.overrides),
                    errors: Vec::new(),
                    connection: Err(exit),
                };
                planned.extend(files.iter().map(unplanned));
                // One problem, whatever the number of files.
                if let Some(first) = planned.first_mut() {
                    first.errors = diagnostics;
                }
            }
        }
        planned
    };
    run.for_each_in_order(&groups, work, |at, planned| {
        handle(tenants.get(at).map(String::as_str).unwrap_or_default(), planned);
    })
    .await;
}

/// Removes errors and findings that several files of one tenant would report twice. A finding stays with the
/// file that manages the binding, otherwise with the first.
fn dedupe_tenant_findings(files: &[Desired], planned: &mut [Planned]) {
    if files.len() < 2 {
        return;
    }
    let mut seen = BTreeSet::new();
    for one in planned.iter_mut() {
        one.errors.retain(|error| {
            let location = error.location.as_deref().map(Location::position);
            seen.insert((error.code, location, error.summary()))
        });
    }
    let own: Vec<BTreeSet<_>> = files.iter().map(|file| file.managed_bindings().collect()).collect();
    let managed: BTreeSet<_> = own.iter().flatten().copied().collect();
    let prunes = |file: &&Desired, step| file.prunes_flows() && file.steps.contains(&step);
    let is_pruned = |step| files.iter().any(|file| prunes(&file, step));
    let is_managed = |flow: &FlowId, step| managed.contains(&(flow, step)) || is_pruned(step);
    let manages = |at: usize, flow: &FlowId, step| {
        let is_own = own.get(at).is_some_and(|own| own.contains(&(flow, step)));
        // A file does not prune what another file manages.
        is_own || !managed.contains(&(flow, step)) && files.get(at).is_some_and(|file| prunes(&file, step))
    };
    let mut targets: Vec<_> = planned.iter_mut().map(|one| &mut one.target).collect();
    plan::dedupe_findings(&mut targets, is_managed, manages);
}

/// Reads the tenant and plans the changes of one file to it. What could not be read or resolved is in the
/// result, also the result of the tenant check.
async fn target(desired: &Desired, connection: &Rc<Connection>, request: &Request) -> Planned {
    let current = current::read(&connection.graph, desired, request.scope).await;
    let (mut target, errors) = plan::plan(desired, &current, &connection.shown_url, &request.overrides);
    match &connection.tenant_check {
        TenantCheck::Verified(guid) => target.tenant_id = Some(guid.clone()),
        TenantCheck::Unverified(why) => {
            // The GUID of the file was not verified.
            target.tenant_id = None;
            target.unverified = Some(why.clone());
        }
        TenantCheck::NotApplicable => {}
    }
    Planned { target, errors, connection: Ok(Rc::clone(connection)) }
}

/// Returns the problems with `TENANT: ` before each message if there are `several` tenants, otherwise
/// unchanged.
pub(super) fn prefix_with_tenant(tenant: &str, several: bool, problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    if !several {
        return problems;
    }
    let prefix =
        |problem: Diagnostic| Diagnostic { message: format!("{tenant}: {}", problem.message), ..problem };
    problems.into_iter().map(prefix).collect()
}

/// Adds an error to the plan for each tenant that has two names in it, after their GUIDs were resolved.
/// Errors that the plan already has are not repeated.
pub(super) fn add_aliased_tenants(plan: &mut Plan) {
    let problems = plan::find_aliased_tenants(&plan.targets);
    let new: Vec<_> = problems.into_iter().filter(|problem| !plan.errors.contains(problem)).collect();
    plan.errors.extend(new);
}

/// Returns the exit code of a plan: 1 if it is incomplete, otherwise 3 if it is blocked, otherwise 2 if it
/// has changes and `detailed` is set, otherwise 0.
pub(super) fn exit(plan: &Plan, detailed: bool) -> Exit {
    if !plan.is_complete() {
        Exit::Error
    } else if plan.is_blocked() {
        Exit::Refused
    } else if detailed && plan.has_changes() {
        Exit::Differs
    } else {
        Exit::Done
    }
}
