//! `plan`: reads, compares, prints. Writes nothing to the tenant.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::connect::{Connection, Place, connect};
use super::environment::Environment;
use super::failure::Failure;
use super::format::Format;
use super::outputs::{OutPath, Outputs};
use super::signals;
use super::tenant::{Checked, Rule};
use super::{Exit, Global, report, values};
use crate::current::Scope;
use crate::diagnostic::Diagnostic;
use crate::http::Stop;
use crate::model::{FlowId, Step};
use crate::plan::{Overrides, Plan, Problem, Target, Unmanaged};
use crate::{current, desired, files, plan, render};

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// Desired-state file
    #[arg(default_value = "flowbind.yaml")]
    file: PathBuf,
    /// What stdout gets
    #[arg(long, default_value = "text")]
    format: Format,
    /// Write to this file as well, in the format of its ending: .json (what `apply --plan` takes) or .txt
    #[arg(long, value_name = "FILE")]
    out: Vec<OutPath>,
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

/// A tenant's plan, and the way to the tenant.
pub(super) struct Planned {
    pub(super) target: Target,
    /// What keeps the plan from being whole.
    pub(super) errors: Vec<Diagnostic>,
    pub(super) connection: Connection,
    /// The bindings to connectors that are gone.
    pub(super) gone: Vec<Unmanaged>,
}

pub(super) async fn run(
    args: &PlanArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, Failure> {
    let inputs = [Some(args.file.as_path()), global.sandbox.as_deref()];
    let outputs = Outputs::open(&args.out, &inputs.into_iter().flatten().collect::<Vec<_>>())?;
    let Told { plan, gone: _ } =
        tell(&args.file, global, environment, &args.overrides.request(Rule::Warn)).await;
    let json = files::plan::to_json(&plan, &environment.now().to_string())
        .context("cannot write the plan as JSON")?;
    let text = |format| match format {
        Format::Text if plan.targets.is_empty() => String::new(),
        Format::Text => render::plan_text(&plan),
        Format::Json => json.clone(),
    };
    outputs.emit(args.format, text)?;
    Ok(exit(&plan, args.detailed_exitcode))
}

/// A plan whose errors were told.
pub(super) struct Told {
    pub(super) plan: Plan,
    /// The bindings to connectors that are gone.
    pub(super) gone: Vec<Unmanaged>,
}

/// Plans a file's tenant and tells on stderr what keeps the plan from being whole. What could not be
/// planned at all is a plan of errors alone, to be told in any format.
pub(super) async fn tell(file: &Path, global: &Global, environment: &Environment, request: &Request) -> Told {
    let made = make(file, global, environment, &signals::never(), request).await;
    let (targets, errors, gone) = match made {
        Ok(Planned { target, errors, connection: _, gone }) => (vec![target], errors, gone),
        Err(failure) => (Vec::new(), failure.diagnostics, Vec::new()),
    };
    report(&errors);
    let plan = Plan { targets, errors: errors.iter().map(Problem::from).collect() };
    report(unread(&plan).as_slice());
    Told { plan, gone }
}

/// Plans a file's tenant.
pub(super) async fn make(
    file: &Path,
    global: &Global,
    environment: &Environment,
    stop: &Stop,
    request: &Request,
) -> Result<Planned, Failure> {
    let desired = desired::load(file)?;
    let place = Place { tenant: &desired.tenant, cloud: desired.cloud, api: desired.api };
    let connection = connect(&place, global, environment, stop, request.rule).await?;
    let current = current::read(&connection.graph, &desired, request.scope).await;
    let (mut target, errors) = plan::plan(&desired, &current, &connection.shown_url, &request.overrides);
    match &connection.checked {
        Checked::Same(guid) => target.tenant_id = Some(guid.clone()),
        Checked::Unknown(why) => {
            // What the file says is not what was established.
            target.tenant_id = None;
            target.warnings.push(format!("the tenant is not checked: {why}"));
        }
        Checked::Exempt => {}
    }
    Ok(Planned { target, errors, connection, gone: plan::gone(&current) })
}

/// The plan itself tells why, binding by binding.
pub(super) fn unread(plan: &Plan) -> Option<Diagnostic> {
    let bindings: usize = plan.targets.iter().map(|target| target.unknown.len()).sum();
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
