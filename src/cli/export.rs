//! `export`: what tenants have, as files to begin with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::connect::{Place, connect};
use super::environment::Environment;
use super::failure::Failure;
use super::fleet::{self, Run};
use super::plan::about;
use super::tenant::{Checked, Rule};
use super::{Exit, Global, outputs, report, signals, values};
use crate::diagnostic::Diagnostic;
use crate::files;
use crate::model::{
    Advice, Api, Bound, Cloud, FlowKind, Inventory, ListedConnector, ListedFlow, Step, Tenant, Unread,
    bound_id,
};
use crate::snapshot::{self, Snapshot};
use crate::{current, render, terminal};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  flowbind export --tenant contoso.onmicrosoft.com\n  flowbind export --tenant contoso.onmicrosoft.com --format snapshot"
)]
pub(super) struct ExportArgs {
    /// Tenant, as a domain or a GUID; several take --out-dir
    #[arg(long, required = true)]
    tenant: Vec<Tenant>,
    /// National cloud
    #[arg(long, default_value = "global", value_parser = values::cloud())]
    cloud: Cloud,
    /// Version of Microsoft Graph: beta, or v1.0, which has B2X flows only
    #[arg(long, default_value = "beta", value_parser = values::api())]
    api: Api,
    /// Steps to export, with commas between [default: postFederationSignup,postAttributeCollection]
    #[arg(long, value_name = "STEPS", value_delimiter = ',', value_parser = values::step())]
    steps: Vec<Step>,
    /// What is written
    #[arg(long, default_value = "desired")]
    format: ExportFormat,
    /// Write a file for each tenant into this folder: TENANT.yaml, or TENANT.json for a snapshot
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// A desired-state file whose plan is empty
    Desired,
    /// A snapshot, for `--sandbox`
    Snapshot,
}

/// What a tenant has.
struct Exported {
    text: String,
    /// The counts of it.
    told: String,
    /// Why it is not certain that it is of this tenant.
    unchecked: Option<String>,
}

pub(super) async fn run(
    args: &ExportArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, Failure> {
    let tenants: Vec<_> = args.tenant.iter().map(Tenant::as_str).collect();
    let groups = fleet::by_tenant(tenants.iter().copied());
    if let Some(twice) = groups.iter().find_map(|group| group.get(1)).and_then(|at| tenants.get(*at)) {
        let problem = Diagnostic::error(format!("the tenant `{twice}` is given twice"));
        return Err(problem.hint("give each `--tenant` once").into());
    }
    args.check()?;
    let several = tenants.len() > 1;
    match &args.out_dir {
        Some(folder) => {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
            for tenant in &tenants {
                outputs::open(&args.path(folder, tenant))?;
            }
        }
        None if several => {
            let problem = Diagnostic::error("the files of several tenants do not fit on stdout");
            return Err(problem.hint("give `--out-dir DIR`, or one `--tenant`").into());
        }
        None => {}
    }
    let run = Run::start(global, environment, signals::never())?;
    let work = async |group: &[usize]| {
        let mut exported = Vec::new();
        for tenant in group.iter().filter_map(|at| args.tenant.get(*at)) {
            exported.push(args.export(tenant, &run).await);
        }
        exported
    };
    let mut exits = vec![Exit::Done];
    run.each(&groups, work, |at, exported| {
        let tenant = tenants.get(at).copied().unwrap_or_default();
        let written = exported.and_then(|exported| args.write(tenant, exported, global));
        if let Err(Failure { diagnostics, exit, foreign: _ }) = written {
            report(&about(tenant, several, diagnostics));
            exits.push(exit);
        }
    })
    .await;
    Ok(Exit::worst(exits.iter().map(|exit| *exit as u8)))
}

impl ExportArgs {
    /// What a file could not say either.
    fn check(&self) -> Result<(), Failure> {
        let Self { cloud, api, steps, .. } = self;
        let problem = if !api.supports_cloud(*cloud) {
            format!("`--api {api}` has no user flows in the cloud `{cloud}`")
        } else if let Some(step) = steps.iter().find(|step| !api.supports_step(**step)) {
            format!("`--api {api}` has no step `{step}`")
        } else {
            return Ok(());
        };
        Err(Diagnostic::error(problem).hint("give `--api beta`, or leave it out").into())
    }

    /// Where the file of a tenant goes. A domain or a GUID is a plain name.
    fn path(&self, folder: &Path, tenant: &str) -> PathBuf {
        let ending = match self.format {
            ExportFormat::Desired => "yaml",
            ExportFormat::Snapshot => "json",
        };
        folder.join(format!("{}.{ending}", tenant.to_ascii_lowercase()))
    }

    async fn export(&self, tenant: &Tenant, run: &Run<'_>) -> Result<Exported, Failure> {
        let Self { tenant: _, cloud, api, steps, format, out_dir: _ } = self;
        let steps = if steps.is_empty() { Step::DEFAULT.to_vec() } else { sorted(steps) };
        let place = Place { tenant, client_id: None, cloud: *cloud, api: *api };
        let connection = connect(&place, run, Rule::Warn).await?;
        let kinds = match api {
            Api::Beta => &FlowKind::ALL[..],
            Api::V1 => &[FlowKind::B2x],
        };
        let inventory = current::read_all(&connection.graph, kinds, &steps)
            .await
            .map_err(|errors| Failure::from(errors.into_iter().map(unread).collect::<Vec<_>>()))?;
        let taken_at = run.environment.now().to_string();
        let text = match format {
            ExportFormat::Desired => render::export(&inventory, tenant, *cloud, *api, &steps, &taken_at),
            ExportFormat::Snapshot => render::escape::json(&snapshot(&inventory, place, taken_at)?.to_json()),
        };
        let flows = render::counted(inventory.flows.len(), "user flow", "user flows");
        let kind = inventory.kind.name();
        let connectors = render::counted(inventory.connectors.len(), "API connector", "API connectors");
        let unchecked = match &connection.checked {
            Checked::Unknown(why) => Some(why.clone()),
            Checked::Same(_) | Checked::Exempt => None,
        };
        let told = format!("{tenant} has {flows} of the kind {kind} and {connectors}\n");
        Ok(Exported { text, told, unchecked })
    }

    fn write(&self, tenant: &str, exported: Exported, global: &Global) -> Result<(), Failure> {
        let Exported { text, told, unchecked } = exported;
        if let Some(why) = unchecked {
            let warning = Diagnostic::warning(format!("the tenant is not checked: {why}"));
            report(&about(tenant, self.tenant.len() > 1, vec![warning]));
        }
        match &self.out_dir {
            None => terminal::print(&text).context("cannot write to stdout")?,
            Some(folder) => {
                let path = self.path(folder, tenant);
                files::write(&path, &text).with_context(|| format!("cannot write `{}`", path.display()))?;
            }
        }
        if !global.quiet {
            terminal::eprint(&told);
        }
        Ok(())
    }
}

fn unread(Unread { why, advice }: Unread) -> Diagnostic {
    let problem = Diagnostic::error(&*why);
    match advice {
        Some(Advice { problem: cause, hint }) => problem.caused_by(cause).hint(hint),
        None => problem,
    }
}

fn sorted(steps: &[Step]) -> Vec<Step> {
    let mut steps = steps.to_vec();
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// The inventory in the format of the sandbox. What came of the wire goes through the format's own
/// parser, so that no secret of an address and no odd value gets into it.
fn snapshot(inventory: &Inventory, place: Place<'_>, taken_at: String) -> Result<Snapshot, Failure> {
    let step = |(step, bound): (&Step, &Bound)| {
        let id = bound_id(bound).map(|id| id.as_str().to_owned());
        snapshot::Step::from_name(step.name()).map(|step| (step, id))
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
        tenant: place.tenant.to_string(),
        cloud: snapshot::Cloud::from_name(place.cloud.name()).unwrap_or_default(),
        taken_at,
        connectors: inventory.connectors.iter().map(connector).collect(),
        flows: inventory.flows.iter().map(flow).collect(),
    };
    // A tenant may have what the format has no place for, such as a connector twice.
    let checked = Snapshot::parse(&snapshot.to_json());
    Ok(checked.context("what the tenant has makes no snapshot")?)
}
