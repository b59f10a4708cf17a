//! Inventories: everything in a tenant, as a desired-state file or a snapshot.

use std::collections::BTreeMap;

use jiff::Timestamp;
use strum::VariantArray as _;

use super::connect::connect;
use super::error::CommandError;
use super::session::Run;
use super::tenant_ref::TenantRef;
use crate::apply::UnverifiedTenantPolicy;
use crate::current::{self, Unreadable};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{
    Api, Bound, Certificate, Cloud, FlowId, FlowKind, Inventory, ListedConnector, ListedFlow, ReadError,
    Step, Tenant, TenantCheck, bound_id,
};
use crate::plan::{NeverCalled, UnreadableBinding, Warning, unreadable_causes};
use crate::render;
use crate::snapshot::{self, Snapshot};

/// Form of an exported tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Desired-state file whose plan is empty.
    Desired,
    /// Snapshot for a sandbox.
    Snapshot,
}

/// Tenant to export.
#[derive(Debug, Clone, Copy)]
pub struct ExportRequest<'a> {
    /// Tenant.
    pub tenant: &'a Tenant,
    /// Cloud of the tenant.
    pub cloud: Cloud,
    /// Version of Graph.
    pub api: Api,
    /// Steps to read.
    pub steps: &'a [Step],
    /// Step that is left out if the service rejects it, or if nothing is bound there.
    pub optional_step: Option<Step>,
    /// Form of the result.
    pub format: ExportFormat,
    /// Time in the result.
    pub taken_at: Timestamp,
}

/// Exported tenant.
#[derive(Debug)]
pub struct Exported {
    /// Text of the file.
    pub text: String,
    /// Counts, on one line.
    pub summary: String,
    /// Facts that a reader of the file should know.
    pub warnings: Vec<Diagnostic>,
}

/// Reads all connectors, flows and bindings of a tenant. Flows are sorted by id, connectors by name.
///
/// # Errors
/// Everything that could not be read: an unreadable part is never left out.
pub async fn export(run: &Run, request: &ExportRequest<'_>) -> Result<Exported, CommandError> {
    let ExportRequest { tenant, cloud, api, steps, optional_step, format, taken_at } = *request;
    let tenant_ref = TenantRef { tenant, client_id: None, cloud, api };
    let connection = connect(&tenant_ref, run, UnverifiedTenantPolicy::Warn).await?;
    let kinds = match api {
        Api::Beta => FlowKind::VARIANTS,
        Api::V1 => &[FlowKind::B2x],
    };
    let inventory = current::read_all(&connection.graph, kinds, steps, optional_step);
    let mut inventory = inventory.await.map_err(unreadable_problems)?;
    // Sorted, so that two exports can be compared: Graph documents no order.
    inventory.flows.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
    let name =
        |listed: &ListedConnector| (listed.connector.display_name.clone(), listed.connector.id.clone());
    inventory.connectors.sort_by_cached_key(name);
    let is_bound = |step: &Step| {
        let mut flows = inventory.flows.iter();
        flows.any(|(_, bindings)| bindings.get(step).is_some_and(Option::is_some))
    };
    // The optional step is exported only if anything is bound there.
    let is_exported = |step: &&Step| Some(**step) != optional_step || is_bound(step);
    let steps: Vec<_> = steps.iter().filter(is_exported).copied().collect();
    let text = match format {
        ExportFormat::Desired => render::export(&inventory, tenant, cloud, api, &steps, taken_at),
        ExportFormat::Snapshot => {
            render::escape::json(&snapshot(&inventory, tenant_ref, &steps, taken_at)?.to_json())
        }
    };
    let kind = inventory.kind.name();
    let [one, many] = ["user flow", "user flows"].map(|flows| format!("{kind} {flows}"));
    let flows = render::pluralize(inventory.flows.len(), &one, &many);
    let connectors = render::pluralize(inventory.connectors.len(), "API connector", "API connectors");
    let steps: Vec<_> = steps.iter().map(|step| step.name()).collect();
    let steps = steps.join(", ");
    let summary = format!("{tenant}: {flows}, {connectors} (exported: {steps})\n");
    Ok(Exported { text, summary, warnings: warnings(&inventory, &connection.connected.tenant_check) })
}

/// Returns the warnings of an inventory: an unverified tenant, a step that was not read, and each binding without
/// effect.
fn warnings(inventory: &Inventory, tenant_check: &TenantCheck) -> Vec<Diagnostic> {
    let unverified = match tenant_check {
        TenantCheck::Unverified(why) => Some(Warning::TenantUnverified(why.clone())),
        TenantCheck::Verified(_) | TenantCheck::NotApplicable => None,
    };
    let unsupported = inventory.unsupported_step.map(Warning::UnsupportedStep);
    let mut warnings: Vec<_> = unverified.into_iter().chain(unsupported).collect();
    for (listed, bindings) in &inventory.flows {
        let (Some(user_flow_type), Ok(flow)) = (&listed.user_flow_type, FlowId::parse(&listed.id)) else {
            continue;
        };
        let is_without_effect = |(step, bound): &(&Step, &Bound)| {
            bound.is_some() && step.is_called_by(user_flow_type) == Some(false)
        };
        warnings.extend(bindings.iter().filter(is_without_effect).map(|(step, _)| {
            Warning::NeverCalled(NeverCalled {
                flow: flow.clone(),
                step: *step,
                user_flow_type: user_flow_type.clone(),
            })
        }));
    }
    warnings.iter().map(Warning::diagnostic).collect()
}

/// Converts what could not be read to errors, in the order connectors, flows, invalid ids, bindings. Bindings
/// with one cause are one error, and equal errors are returned once.
fn unreadable_problems(unreadable: Unreadable) -> Vec<Diagnostic> {
    let Unreadable { connectors, flows, invalid_ids, bindings } = unreadable;
    let list = |error: ReadError, code, message| {
        if error.concerns_every_request() {
            error.common_diagnostic()
        } else {
            error.explain(Diagnostic::error(code, message))
        }
    };
    let connectors = connectors
        .map(|error| list(error, Code::ConnectorsUnreadable, "cannot list the tenant's connectors"));
    let flows = flows.map(|error| list(error, Code::FlowsUnreadable, "cannot list the tenant's user flows"));
    let invalid_ids = invalid_ids.iter().map(|error| error.diagnostic("cannot read the tenant's user flows"));
    let bindings: Vec<_> =
        bindings.into_iter().map(|(flow, step, error)| UnreadableBinding { flow, step, error }).collect();
    let mut problems = Vec::new();
    for problem in connectors.into_iter().chain(flows).chain(invalid_ids).chain(unreadable_causes(&bindings))
    {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems
}

/// Converts the inventory to a snapshot. The result goes through the parser of the format, so that it has no
/// secret of an address; content that the format cannot hold is an error.
fn snapshot(
    inventory: &Inventory,
    tenant_ref: TenantRef<'_>,
    steps: &[Step],
    taken_at: Timestamp,
) -> Result<Snapshot, CommandError> {
    let step = |(step, bound): (&Step, &Bound)| {
        let id = bound_id(bound).map(|id| id.as_str().to_owned());
        step.name().parse::<snapshot::Step>().ok().map(|step| (step, id))
    };
    let flow = |(flow, bindings): &(ListedFlow, BTreeMap<Step, Bound>)| snapshot::Flow {
        id: flow.id.clone(),
        user_flow_type: flow.user_flow_type.clone().unwrap_or_else(|| "unknownFutureValue".into()),
        user_flow_type_version: flow.version.clone().unwrap_or_else(|| 1.into()),
        bindings: bindings.iter().filter(|(step, _)| steps.contains(step)).filter_map(step).collect(),
    };
    let certificate = |&Certificate { not_before, not_after, is_active }: &Certificate| {
        snapshot::Certificate { not_before, not_after, is_active }
    };
    let connector = |listed: &ListedConnector| snapshot::Connector {
        id: listed.connector.id.as_str().to_owned(),
        display_name: listed.connector.display_name.clone(),
        target_url: listed.target_url.as_ref().map(|url| url.to_string().into()),
        certificates: listed.certificates.iter().map(certificate).collect(),
    };
    let snapshot = Snapshot {
        format_version: snapshot::FormatVersion::default(),
        tenant: tenant_ref.tenant.to_string(),
        cloud: tenant_ref.cloud.name().parse().unwrap_or_default(),
        taken_at: taken_at.to_string(),
        connectors: inventory.connectors.iter().map(connector).collect(),
        flows: inventory.flows.iter().map(flow).collect(),
    };
    // A tenant may have something that the format cannot hold, such as a connector twice.
    Snapshot::parse(&snapshot.to_json()).map_err(|error| {
        let message = "the tenant cannot be written as a snapshot";
        Diagnostic::error(Code::InvalidSnapshot, message).caused_by(error.to_string()).into()
    })
}
