//! `export`: what a tenant has, as a file to begin with.

use std::collections::BTreeMap;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::connect::{Place, connect};
use super::environment::Environment;
use super::failure::Failure;
use super::tenant::{Checked, Rule};
use super::{Exit, Global, report, signals, values};
use crate::diagnostic::Diagnostic;
use crate::model::{
    Api, Bound, Cloud, FlowKind, Inventory, ListedConnector, ListedFlow, Step, Tenant, bound_id,
};
use crate::snapshot::{self, Snapshot};
use crate::{current, render, terminal};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Tenant, as a domain or a GUID
    #[arg(long)]
    tenant: Tenant,
    /// National cloud: global, usgov, usgov-dod or china
    #[arg(long, default_value = "global", value_parser = values::cloud)]
    cloud: Cloud,
    /// Version of Microsoft Graph: beta, or v1.0, which has B2X flows only
    #[arg(long, default_value = "beta", value_parser = values::api)]
    api: Api,
    /// Steps to export, with commas between [default: postFederationSignup,postAttributeCollection]
    #[arg(long, value_name = "STEPS", value_delimiter = ',', value_parser = values::step)]
    steps: Vec<Step>,
    /// What stdout gets
    #[arg(long, default_value = "desired")]
    format: ExportFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// A desired-state file whose plan is empty
    Desired,
    /// A snapshot, for `--sandbox`
    Snapshot,
}

pub(super) async fn run(
    args: &ExportArgs,
    global: &Global,
    environment: &Environment,
) -> Result<Exit, Failure> {
    let ExportArgs { tenant, cloud, api, steps, format } = args;
    let steps = if steps.is_empty() { Step::DEFAULT.to_vec() } else { sorted(steps) };
    let place = Place { tenant, cloud: *cloud, api: *api };
    let connection = connect(&place, global, environment, &signals::never(), Rule::Warn).await?;
    if let Checked::Unknown(why) = &connection.checked {
        report(&[Diagnostic::warning(format!("the tenant is not checked: {why}"))]);
    }
    let kinds = match api {
        Api::Beta => &FlowKind::ALL[..],
        Api::V1 => &[FlowKind::B2x],
    };
    let inventory = current::read_all(&connection.graph, kinds, &steps).await.map_err(|errors| {
        let problems: Vec<_> = errors.into_iter().map(Diagnostic::error).collect();
        Failure::from(problems)
    })?;
    let taken_at = environment.now().to_string();
    let text = match format {
        ExportFormat::Desired => render::export(&inventory, tenant, *cloud, *api, &steps, &taken_at),
        ExportFormat::Snapshot => snapshot(&inventory, place, taken_at)?.to_json(),
    };
    terminal::print(&text).context("cannot write to stdout")?;
    if !global.quiet {
        let flows = render::counted(inventory.flows.len(), "user flow", "user flows");
        let kind = inventory.kind.name();
        let connectors = render::counted(inventory.connectors.len(), "API connector", "API connectors");
        terminal::message(&format!("{tenant} has {flows} of the kind {kind} and {connectors}\n"));
    }
    Ok(Exit::Done)
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
