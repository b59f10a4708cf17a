//! `export`: writes the current bindings of tenants as desired-state files or snapshots.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use strum::VariantArray as _;

use super::connect::{ConnectionArgs, TenantRef, connect};
use super::environment::Environment;
use super::failure::Failure;
use super::fleet::{self, Run};
use super::plan::prefix_with_tenant;
use super::tenant::{TenantCheck, UnverifiedTenantPolicy};
use super::{Exit, Global, outputs, print_diagnostics, signals, values};
use crate::current::Unreadable;
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{
    Api, Bound, Cloud, FlowKind, Inventory, ListedConnector, ListedFlow, ReadError, Step, Tenant, bound_id,
};
use crate::plan::UnreadableBinding;
use crate::saved;
use crate::snapshot::{self, Snapshot};
use crate::{current, plan, render, terminal};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Tenant domain or GUID; repeatable with --out-dir
    #[arg(long, required = true)]
    tenant: Vec<Tenant>,
    /// Output format
    #[arg(long, default_value = "desired")]
    format: ExportFormat,
    /// Write one file per tenant to DIR: TENANT.yaml, or TENANT.json for a snapshot
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// Steps to export, separated by commas [default: postFederationSignup,postAttributeCollection]
    #[arg(long, value_name = "STEPS", value_delimiter = ',', value_parser = values::step_parser())]
    steps: Vec<Step>,
    /// National cloud
    #[arg(long, default_value = "global", value_parser = values::cloud_parser())]
    cloud: Cloud,
    /// Version of Microsoft Graph: beta, or v1.0, which has B2X flows only
    #[arg(long, default_value = "beta", value_parser = values::api_parser())]
    api: Api,
    // Last, because its heading applies to all options after it.
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// Desired-state file whose plan is empty
    Desired,
    /// Snapshot for `--sandbox`
    Snapshot,
}

/// Exported tenant.
struct Exported {
    text: String,
    /// Counts, for stderr.
    summary: String,
    /// Why the tenant of the token could not be verified, if it could not.
    unverified: Option<String>,
}

pub(super) async fn run(
    args: &ExportArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, Failure> {
    let tenants: Vec<_> = args.tenant.iter().map(Tenant::as_str).collect();
    let groups = fleet::group_by_tenant(tenants.iter().copied());
    if let Some(twice) = groups.iter().find_map(|group| group.get(1)).and_then(|at| tenants.get(*at)) {
        let problem = Diagnostic::error(Code::Usage, format!("`--tenant {twice}` is given twice"));
        return Err(problem.hint("name each tenant once").into());
    }
    args.check()?;
    let several = tenants.len() > 1;
    match &args.out_dir {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(|error| Failure::folder(folder, &error))?;
            for tenant in &tenants {
                outputs::open(&args.path(folder, tenant))?;
            }
        }
        None if several => {
            let problem = Diagnostic::error(Code::Usage, "several tenants cannot be exported to stdout");
            return Err(problem.hint("add `--out-dir DIR`, or pass one `--tenant`").into());
        }
        None => {}
    }
    let run = Run::start(global, &args.connection, environment, signals::no_shutdown())?;
    let work = async |group: &[usize]| {
        let mut exported = Vec::new();
        for tenant in group.iter().filter_map(|at| args.tenant.get(*at)) {
            exported.push(args.export(tenant, &run).await);
        }
        exported
    };
    let mut exits = vec![Exit::Done];
    run.for_each_in_order(&groups, work, |at, exported| {
        let tenant = tenants.get(at).copied().unwrap_or_default();
        let written = exported.and_then(|exported| args.write(tenant, exported, global));
        if let Err(Failure { diagnostics, exit, is_wrong_target: _ }) = written {
            print_diagnostics(&prefix_with_tenant(tenant, several, diagnostics));
            exits.push(exit);
        }
    })
    .await;
    Ok(Exit::worst(exits.iter().map(|exit| *exit as u8)))
}

impl ExportArgs {
    /// Returns an error if the API version does not support the cloud or one of the steps. A desired-state
    /// file would be rejected for the same reason.
    fn check(&self) -> Result<(), Failure> {
        let Self { cloud, api, steps, .. } = self;
        let problem = if !api.supports_cloud(*cloud) {
            format!("`--api {api}` has no user flows in the cloud `{cloud}`")
        } else if let Some(step) = steps.iter().find(|step| !api.supports_step(**step)) {
            format!("`--api {api}` has no step `{step}`")
        } else {
            return Ok(());
        };
        let problem = Diagnostic::error(Code::UnsupportedByApi, problem);
        Err(problem.hint("use `--api beta`, or leave `--api` out").into())
    }

    /// Returns the output path of a tenant: its name in lower case with `.yaml` or `.json`, in `folder`. A
    /// domain or a GUID is a valid file name.
    fn path(&self, folder: &Path, tenant: &str) -> PathBuf {
        let extension = match self.format {
            ExportFormat::Desired => "yaml",
            ExportFormat::Snapshot => "json",
        };
        folder.join(format!("{}.{extension}", tenant.to_ascii_lowercase()))
    }

    async fn export(&self, tenant: &Tenant, run: &Run<'_>) -> Result<Exported, Failure> {
        let Self { tenant: _, cloud, api, steps, format, out_dir: _, connection: _ } = self;
        let steps = if steps.is_empty() { Step::DEFAULT.to_vec() } else { sorted(steps) };
        let tenant_ref = TenantRef { tenant, client_id: None, cloud: *cloud, api: *api };
        let connection = connect(&tenant_ref, run, UnverifiedTenantPolicy::Warn).await?;
        let kinds = match api {
            Api::Beta => FlowKind::VARIANTS,
            Api::V1 => &[FlowKind::B2x],
        };
        let inventory =
            current::read_all(&connection.graph, kinds, &steps).await.map_err(unreadable_problems)?;
        let taken_at = run.environment.now().to_string();
        let text = match format {
            ExportFormat::Desired => render::export(&inventory, tenant, *cloud, *api, &steps, &taken_at),
            ExportFormat::Snapshot => {
                render::escape::json(&snapshot(&inventory, tenant_ref, taken_at)?.to_json())
            }
        };
        let kind = inventory.kind.name();
        let [one, many] = ["user flow", "user flows"].map(|flows| format!("{kind} {flows}"));
        let flows = render::pluralize(inventory.flows.len(), &one, &many);
        let connectors = render::pluralize(inventory.connectors.len(), "API connector", "API connectors");
        let unverified = match &connection.tenant_check {
            TenantCheck::Unverified(why) => Some(why.clone()),
            TenantCheck::Verified(_) | TenantCheck::NotApplicable => None,
        };
        let steps: Vec<_> = steps.iter().map(|step| step.name()).collect();
        let steps = steps.join(", ");
        let summary = format!("{tenant}: {flows}, {connectors} (exported: {steps})\n");
        Ok(Exported { text, summary, unverified })
    }

    fn write(&self, tenant: &str, exported: Exported, global: &Global) -> Result<(), Failure> {
        let Exported { text, summary, unverified } = exported;
        if let Some(why) = unverified {
            let message = format!("the tenant of the access token is not verified: {why}");
            let warning = Diagnostic::warning(Code::TenantUnverified, message);
            print_diagnostics(&prefix_with_tenant(tenant, self.tenant.len() > 1, vec![warning]));
        }
        match &self.out_dir {
            None => terminal::print(&text).map_err(Failure::stdout)?,
            Some(folder) => {
                let path = self.path(folder, tenant);
                saved::write(&path, &text).map_err(|error| {
                    Failure::not_writable(format!("cannot write `{}`", path.display()), &error)
                })?;
            }
        }
        if !global.quiet {
            terminal::eprint(&summary);
        }
        Ok(())
    }
}

/// Converts what could not be read to errors, in the order connectors, flows, invalid ids, bindings. Bindings
/// with one cause are one error, and equal errors are returned once.
fn unreadable_problems(unreadable: Unreadable) -> Vec<Diagnostic> {
    let Unreadable { connectors, flows, invalid_ids, bindings } = unreadable;
    let list = |error: ReadError, code, message| match error.code {
        // The host is the cause, whatever was to be read from it.
        Code::GraphUnreachable => {
            let problem = Diagnostic::error(error.code, &*error.cause);
            error.hint.iter().fold(problem, |problem, hint| problem.hint(&**hint))
        }
        _ => error.explain(Diagnostic::error(code, message)),
    };
    let connectors = connectors
        .map(|error| list(error, Code::ConnectorsUnreadable, "cannot list the tenant's connectors"));
    let flows = flows.map(|error| list(error, Code::FlowsUnreadable, "cannot list the tenant's user flows"));
    let invalid_ids = invalid_ids.iter().map(|error| error.diagnostic("cannot read the tenant's user flows"));
    let bindings: Vec<_> =
        bindings.into_iter().map(|(flow, step, error)| UnreadableBinding { flow, step, error }).collect();
    let mut problems = Vec::new();
    for problem in
        connectors.into_iter().chain(flows).chain(invalid_ids).chain(plan::unreadable_causes(&bindings))
    {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems
}

fn sorted(steps: &[Step]) -> Vec<Step> {
    let mut steps = steps.to_vec();
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// Converts the inventory to a snapshot. The result goes through the parser of the format, so that it has no
/// secret of an address; content that the format cannot hold is an error.
fn snapshot(inventory: &Inventory, tenant_ref: TenantRef<'_>, taken_at: String) -> Result<Snapshot, Failure> {
    let step = |(step, bound): (&Step, &Bound)| {
        let id = bound_id(bound).map(|id| id.as_str().to_owned());
        step.name().parse().ok().map(|step| (step, id))
    };
    let flow = |(flow, bindings): &(ListedFlow, BTreeMap<Step, Bound>)| snapshot::Flow {
        id: flow.id.clone(),
        user_flow_type: flow.user_flow_type.clone().unwrap_or_else(|| "unknownFutureValue".into()),
        user_flow_type_version: flow.version.clone().unwrap_or_else(|| 1.into()),
        bindings: bindings.iter().filter_map(step).collect(),
    };
    let connector = |ListedConnector { connector, target_url }: &ListedConnector| snapshot::Connector {
        id: connector.id.as_str().to_owned(),
        display_name: connector.display_name.clone(),
        target_url: target_url.as_ref().map(|url| url.to_string().into()),
    };
    let snapshot = Snapshot {
        format_version: snapshot::FormatVersion::default(),
        tenant: tenant_ref.tenant.to_string(),
        cloud: tenant_ref.cloud.name().parse().unwrap_or_default(),
        taken_at,
        connectors: inventory.connectors.iter().map(connector).collect(),
        flows: inventory.flows.iter().map(flow).collect(),
    };
    // A tenant may have something that the format cannot hold, such as a connector twice.
    Snapshot::parse(&snapshot.to_json()).map_err(|error| {
        let message = "the tenant cannot be written as a snapshot";
        Diagnostic::error(Code::InvalidSnapshot, message).caused_by(error.to_string()).into()
    })
}
