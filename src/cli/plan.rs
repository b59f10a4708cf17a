//! `plan`: reads, compares, prints. Writes nothing to the tenants.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::Args;

use super::connect::{Connection, Place, connect};
use super::environment::Environment;
use super::failure::Failure;
use super::fleet::{self, FilesArgs, Run, ShardArgs};
use super::outputs::{OutputArgs, Outputs, Shown};
use super::signals;
use super::tenant::{Checked, Rule};
use super::{Exit, Global, report, values};
use crate::current::Scope;
use crate::diagnostic::Diagnostic;
use crate::model::{Desired, FlowId, Step};
use crate::plan::{Overrides, Part, Plan, Problem, Target, shard};
use crate::render::Document;
use crate::{current, desired, files, plan, render};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  flowbind plan --out plan.json --out plan.md\n  flowbind plan tenants --detailed-exitcode --format github"
)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    files: FilesArgs,
    #[command(flatten)]
    shard: ShardArgs,
    #[command(flatten)]
    outputs: OutputArgs,
    /// End with 2 when something differs
    #[arg(long)]
    detailed_exitcode: bool,
    // Last, since its heading holds for all that follows.
    #[command(flatten)]
    overrides: OverrideArgs,
}

/// What allows a plan that would be refused, or refuses one that would be allowed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Guards")]
pub(super) struct OverrideArgs {
    /// Most changes, in place of the file's `maxChanges`
    #[arg(long, value_name = "N")]
    max_changes: Option<u32>,
    /// Most disables, in place of the file's `maxDisables`
    #[arg(long, value_name = "N")]
    max_disables: Option<u32>,
    /// Allow to disable or replace a protected binding
    #[arg(long, value_name = "FLOW/STEP", value_parser = values::binding)]
    allow_protected: Vec<(FlowId, Step)>,
    /// Allow `prune: flows` in a file without flows
    #[arg(long)]
    allow_empty: bool,
}

/// How a plan is made.
pub(super) struct Request {
    pub(super) rule: Rule,
    pub(super) scope: Scope,
    pub(super) overrides: Overrides,
}

impl OverrideArgs {
    pub(super) fn request(&self, rule: Rule) -> Request {
        let Self { max_changes, max_disables, allow_protected, allow_empty } = self;
        let overrides = Overrides {
            max_changes: *max_changes,
            max_disables: *max_disables,
            allow_protected: allow_protected.clone(),
            allow_empty: *allow_empty,
        };
        Request { rule, scope: Scope::Listed, overrides }
    }
}

/// What a file's tenant would be changed by, and the way to the tenant.
pub(super) struct Planned {
    pub(super) target: Target,
    /// What keeps the plan from being whole.
    pub(super) errors: Vec<Diagnostic>,
    pub(super) connection: Rc<Connection>,
}

pub(super) async fn run(
    args: &PlanArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, Failure> {
    let mut outputs = Outputs::open(&args.outputs, &inputs(&args.files, global), environment)?;
    let request = args.overrides.request(Rule::Warn);
    let run = Run::start(global, environment, signals::never());
    let plan = match &run {
        Ok(run) => tell(&args.files, &args.shard, run, &request, &mut outputs).await,
        Err(failure) => of_nothing(&failure.diagnostics, &args.shard, global),
    };
    let at = environment.now().to_string();
    let json = &|| files::plan::to_json(&plan, &at);
    let text = render::plan_text(&plan);
    outputs.emit(&Shown { text, json, document: Document::Plan(&plan), at: &at }).await?;
    Ok(exit(&plan, args.detailed_exitcode))
}

/// What no output may replace.
pub(super) fn inputs<'a>(files: &'a FilesArgs, global: &'a Global) -> Vec<&'a Path> {
    files.files.iter().chain(&global.sandbox).map(PathBuf::as_path).collect()
}

/// Plans the tenants of all files. Prints each target as soon as it and those before it are whole,
/// and tells on stderr what keeps the plan from being so. What could not be planned at all is a plan
/// of errors alone, to be told in any format.
pub(super) async fn tell(
    files: &FilesArgs,
    shard: &ShardArgs,
    run: &Run<'_>,
    request: &Request,
    outputs: &mut Outputs,
) -> Plan {
    let mut plan = Plan::default();
    let desired = match desired::load(&files.files) {
        Ok(desired) => desired,
        Err(problems) => return of_nothing(&problems, shard, run.global),
    };
    let fleet = fleet::members(&desired);
    plan.part = shard.part(fleet.clone(), run.global.quiet);
    let desired = of_part(desired, plan.part.as_ref());
    let several = fleet::are_several(desired.iter().map(|desired| desired.tenant.as_str()));
    make(desired, run, request, |tenant, planned| {
        let errors = match planned {
            Ok(Planned { target, errors, connection: _ }) => {
                outputs.print(&render::target_text(&target));
                plan.targets.push(target);
                errors
            }
            Err(failure) => failure.diagnostics,
        };
        plan.errors.extend(errors.iter().map(|error| Problem::about(tenant, error)));
        report(&about(tenant, several, errors));
    })
    .await;
    report(&mixed_names(&mut plan));
    report(unread(&plan.targets).as_slice());
    shard::sort(&mut plan.errors, &fleet);
    plan
}

/// A plan of errors alone, which are told.
pub(super) fn of_nothing(problems: &[Diagnostic], shard: &ShardArgs, global: &Global) -> Plan {
    report(problems);
    Plan {
        errors: problems.iter().map(Problem::from).collect(),
        part: shard.part(Vec::new(), global.quiet),
        ..Plan::default()
    }
}

/// The files of a part of a fleet; all, where there are no parts.
pub(super) fn of_part(files: Vec<Desired>, part: Option<&Part>) -> Vec<Desired> {
    let is_in = |desired: &Desired| part.is_none_or(|part| part.shard.has(desired.tenant.as_str()));
    files.into_iter().filter(is_in).collect()
}

/// Plans the tenants of files, and hands on what came of each in the order of the files. What a file
/// holds is dropped as soon as its tenant is planned.
pub(super) async fn make(
    files: Vec<Desired>,
    run: &Run<'_>,
    request: &Request,
    mut tell: impl FnMut(&str, Result<Planned, Failure>),
) {
    let tenants: Vec<_> = files.iter().map(|desired| desired.tenant.to_string()).collect();
    let groups = fleet::by_tenant(tenants.iter().map(String::as_str));
    let files: Vec<_> = files.into_iter().map(|desired| Cell::new(Some(desired))).collect();
    let work = async |group: &[usize]| {
        let files: Vec<_> = group.iter().filter_map(|at| files.get(*at)?.take()).collect();
        let mut planned = Vec::new();
        let Some(first) = files.first() else { return planned };
        let place = Place {
            tenant: &first.tenant,
            client_id: first.client_id.as_deref(),
            cloud: first.cloud,
            api: first.api,
        };
        match connect(&place, run, request.rule).await.map(Rc::new) {
            Ok(connection) => {
                let mut targets = Vec::new();
                for desired in &files {
                    targets.push(target(desired, &connection, request).await);
                }
                tell_once(&files, &mut targets);
                planned.extend(targets.into_iter().map(Ok));
            }
            Err(failure) => planned.extend(files.iter().map(|_| Err(failure.clone()))),
        }
        planned
    };
    run.each(&groups, work, |at, planned| {
        tell(tenants.get(at).map(String::as_str).unwrap_or_default(), planned);
    })
    .await;
}

/// What several files of a tenant could tell is told once.
fn tell_once(files: &[Desired], planned: &mut [Planned]) {
    if files.len() < 2 {
        return;
    }
    let own: Vec<BTreeSet<_>> = files.iter().map(|file| file.managed_bindings().collect()).collect();
    let managed: BTreeSet<_> = own.iter().flatten().copied().collect();
    let prunes = |file: &&Desired, step| file.prunes_flows() && file.steps.contains(&step);
    let is_pruned = |step| files.iter().any(|file| prunes(&file, step));
    let is_managed = |flow: &FlowId, step| managed.contains(&(flow, step)) || is_pruned(step);
    let manages = |at: usize, flow: &FlowId, step| {
        let is_own = own.get(at).is_some_and(|own| own.contains(&(flow, step)));
        // What others manage a file does not prune.
        is_own || !managed.contains(&(flow, step)) && files.get(at).is_some_and(|file| prunes(&file, step))
    };
    let mut targets: Vec<_> = planned.iter_mut().map(|one| &mut one.target).collect();
    plan::tell_once(&mut targets, is_managed, manages);
}

/// Plans what one file wants of its tenant.
async fn target(desired: &Desired, connection: &Rc<Connection>, request: &Request) -> Planned {
    let current = current::read(&connection.graph, desired, request.scope).await;
    let (mut target, errors) = plan::plan(desired, &current, &connection.shown_url, &request.overrides);
    match &connection.checked {
        Checked::Same(guid) => target.tenant_id = Some(guid.clone()),
        Checked::Unknown(why) => {
            // What the file says is not what was established.
            target.tenant_id = None;
            target.warnings.push(format!("the tenant is not checked: {why}"));
        }
        Checked::Exempt => {}
    }
    Planned { target, errors, connection: Rc::clone(connection) }
}

/// Says in each problem which tenant it is about, where there are several.
pub(super) fn about(tenant: &str, several: bool, problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    if !several {
        return problems;
    }
    let about = |problem: Diagnostic| Diagnostic { what: format!("{tenant}: {}", problem.what), ..problem };
    problems.into_iter().map(about).collect()
}

/// Adds to a plan that one of its tenants has two names, now that these are resolved.
pub(super) fn mixed_names(plan: &mut Plan) -> Vec<Diagnostic> {
    let mut problems = plan::mixed_names(&plan.targets);
    problems.retain(|problem| !plan.errors.contains(problem));
    let mut told: Vec<_> = problems
        .iter()
        .map(|problem| Diagnostic::error(&problem.message).hint("write the tenant in one way in all files"))
        .collect();
    told.dedup();
    plan.errors.extend(problems);
    told
}

/// The plan itself tells why, binding by binding.
pub(super) fn unread<'t>(targets: impl IntoIterator<Item = &'t Target>) -> Option<Diagnostic> {
    let bindings: usize = targets.into_iter().map(|target| target.unknown.len()).sum();
    (bindings > 0).then(|| {
        Diagnostic::error(format!("bindings that could not be read: {bindings}"))
            .hint("what is unknown is never taken for nothing: the plan is not whole until they can be read")
    })
}

/// What a plan stands for.
pub(super) fn exit(plan: &Plan, detailed: bool) -> Exit {
    if !plan.is_whole() {
        Exit::Error
    } else if plan.is_refused() {
        Exit::Refused
    } else if detailed && plan.has_changes() {
        Exit::Differs
    } else {
        Exit::Done
    }
}
