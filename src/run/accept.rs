//! Changes desired-state files so that they have the values of their tenants.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::connect::connect;
use super::error::CommandError;
use super::in_order::group_by_tenant;
use super::only::unmatched as unmatched_error;
use super::session::Run;
use super::tenant_ref::TenantRef;
use crate::accept::{Accepted, Edit, accept, replace_text};
use crate::apply::UnverifiedTenantPolicy;
use crate::desired::Document;
use crate::diagnostic::{Code, Diagnostic};
use crate::drift::{self, Difference, Drift, Subject, TargetDrift, Value};
use crate::model::{
    Bound, Desired, FlowId, FlowKey, ListedConnector, Only, Prune, Purpose, Scope, Step, Tenant, bound_id,
};
use crate::plan::{Overrides, Plan, PlanTime, Problem, alias_errors, plan_tenant};
use crate::{atomic_file, current, desired};

/// Options of accepting.
#[derive(Debug, Clone)]
pub struct AcceptRequest {
    /// Whether bindings that the files do not list are added to them.
    pub strict: bool,
    /// Bindings to accept; all if empty.
    pub only: Vec<Only>,
    /// Time of the run.
    pub time: PlanTime,
}

/// Files with the values of their tenants.
#[derive(Debug, Default)]
pub struct AcceptedRun {
    /// Files that change, in order.
    pub files: Vec<AcceptedFile>,
    /// What could not be read, and differences that a file cannot take.
    pub problems: Vec<Problem>,
    /// Number of selected differences that no edit of a file removes.
    pub unacceptable: usize,
}

/// New text of a file.
#[derive(Debug)]
pub struct AcceptedFile {
    /// Name of the file, as given.
    pub name: String,
    /// Text before.
    pub old: String,
    /// Text with the values of the tenant.
    pub new: String,
    /// Number of accepted differences.
    pub count: usize,
    tenant: Tenant,
    path: PathBuf,
}

impl AcceptedFile {
    /// Replaces the text of the file, and keeps a byte order mark.
    ///
    /// # Errors
    /// The file was changed since it was read, or cannot be written.
    pub fn write(&self) -> Result<(), Diagnostic> {
        let error = |cause: String| {
            let problem = Diagnostic::error(Code::OutputNotWritable, format!("cannot write `{}`", self.name));
            problem.caused_by(cause)
        };
        let bytes = std::fs::read(&self.path).map_err(|failed| error(failed.to_string()))?;
        let bytes = replace_text(&bytes, &self.old, &self.new).ok_or_else(|| {
            error("the file was changed while the tenant was read".to_owned()).hint("run again")
        })?;
        let text = String::from_utf8(bytes).map_err(|failed| error(failed.to_string()))?;
        atomic_file::write(&self.path, &text).map_err(|failed| error(failed.to_string()))
    }
}

/// Reads the tenants of the files at these paths, and computes texts with their values. Writes nothing. A file of a
/// tenant that could not be read completely does not change.
pub async fn accept_drift(run: &Run, paths: &[PathBuf], request: &AcceptRequest) -> AcceptedRun {
    let documents = match desired::load_documents(paths, request.time.now) {
        Ok(documents) => documents,
        Err(problems) => {
            let problems = problems.into_iter().map(Problem::from).collect();
            return AcceptedRun { problems, ..AcceptedRun::default() };
        }
    };
    let flows = documents.iter().flat_map(|document| &document.desired().flows);
    let names = flows.map(|flow| flow.id.to_string()).collect();
    let (mut accepted, mut tenants) = (AcceptedRun::default(), Vec::new());
    let work = async |(at, group): (usize, Vec<(usize, Document)>)| {
        let documents: Vec<_> = group.into_iter().map(|(_, document)| document).collect();
        vec![(at, accept_tenant(run, &documents, request).await)]
    };
    let groups = group_by_tenant(documents, |document| &document.desired().tenant);
    run.for_each_tenant(groups.into_iter().enumerate().collect(), work, |mut tenant: TenantAccepted| {
        accepted.files.append(&mut tenant.files);
        accepted.problems.append(&mut tenant.problems);
        accepted.unacceptable = accepted.unacceptable.saturating_add(tenant.unacceptable);
        tenants.push(tenant);
    })
    .await;
    let ids = tenants.iter().filter_map(|it| it.id.as_ref().map(|(tenant, id)| (tenant, id.as_str())));
    let aliases = alias_errors(ids);
    // Files that name one tenant differently were not compared, so the edits of one could contradict another.
    accepted.files.retain(|file| !aliases.contains_key(&file.tenant));
    accepted.problems.extend(aliases.into_iter().map(|(tenant, error)| Problem::for_tenant(&tenant, error)));
    // In a tenant that could not be read, a selection may match.
    if tenants.iter().all(|tenant| tenant.is_complete) {
        let matched: BTreeSet<_> = tenants.iter().flat_map(|tenant| &tenant.matched).collect();
        let unmatched = request.only.iter().enumerate().filter(|(at, _)| !matched.contains(at));
        accepted
            .problems
            .extend(unmatched.map(|(_, only)| Problem::from(unmatched_error(only, &names, None))));
    }
    accepted
}

/// Files of one tenant with its values.
#[derive(Default)]
struct TenantAccepted {
    /// Tenant with its GUID, if it is known.
    id: Option<(Tenant, String)>,
    /// Whether everything could be read.
    is_complete: bool,
    files: Vec<AcceptedFile>,
    problems: Vec<Problem>,
    /// Number of selected differences that no edit of a file removes.
    unacceptable: usize,
    /// Positions of the selections that match a binding.
    matched: BTreeSet<usize>,
}

async fn accept_tenant(run: &Run, documents: &[Document], request: &AcceptRequest) -> TenantAccepted {
    let Some(first) = documents.first() else { return TenantAccepted::default() };
    let tenant = &first.desired().tenant;
    let connected =
        connect(&TenantRef::from_file(first.desired(), Purpose::Plan), run, UnverifiedTenantPolicy::Warn)
            .await;
    let connection = match connected {
        Ok(connection) => connection,
        Err(CommandError { diagnostics, .. }) => {
            let problems = diagnostics.into_iter().map(|problem| Problem::for_tenant(tenant, problem));
            return TenantAccepted { problems: problems.collect(), ..TenantAccepted::default() };
        }
    };
    let files: Vec<_> = documents.iter().map(|document| document.desired().clone()).collect();
    let scope = if request.strict { Scope::All } else { Scope::Listed };
    // The names of newly bound connectors are in the list.
    let current = current::read_with_connectors(&connection.graph, &files, scope).await;
    let (overrides, time) = (Overrides::default(), request.time);
    let plan = plan_tenant(tenant, &files, &current, &connection.connected, &overrides, time);
    let plan = Plan { tenants: vec![plan], ..Plan::default() };
    let options =
        drift::Options { strict: request.strict, now: time.now, graph_url: None, sandbox: &|_| None };
    let drift = drift::find_drift(plan, &options);
    let id = drift.targets.iter().find_map(|target| Some((tenant.clone(), target.tenant_id.clone()?)));
    let mut accepted = TenantAccepted {
        id,
        is_complete: drift.is_complete(),
        problems: drift.problems(),
        matched: matched(&drift, &request.only),
        ..TenantAccepted::default()
    };
    if accepted.is_complete {
        let connectors = current.connectors.known().map(Vec::as_slice).unwrap_or_default();
        for (document, target) in documents.iter().zip(&drift.targets) {
            accept_file(&mut accepted, document, target, connectors, &request.only);
        }
    }
    accepted
}

/// Returns the positions of the selections that match a binding which a file manages or which differs, or a flow that
/// the tenant does not have.
fn matched(drift: &Drift, only: &[Only]) -> BTreeSet<usize> {
    let managed: Vec<_> = drift.targets.iter().flat_map(TargetDrift::managed).collect();
    let is_matched = |(_, only): &(usize, &Only)| {
        managed.iter().any(|(flow, step)| only.contains(flow, *step))
            || drift.differences().any(|it| is_subject(&it.subject, only))
    };
    only.iter().enumerate().filter(is_matched).map(|(at, _)| at).collect()
}

/// Returns whether a difference of a binding or a flow is about a selection.
fn is_subject(subject: &Subject, only: &Only) -> bool {
    match subject {
        Subject::Binding(flow, step) => only.contains(flow, *step),
        Subject::Flow(flow) => FlowKey::from(flow) == FlowKey::from(&only.flow),
        Subject::Connector(_) => false,
    }
}

/// Adds the file of a target with the selected values of the tenant, and an error for each that it cannot take.
fn accept_file(
    accepted: &mut TenantAccepted,
    document: &Document,
    target: &TargetDrift,
    connectors: &[ListedConnector],
    only: &[Only],
) {
    let selected = target.differences.iter().filter(|it| is_selected(it, target, only));
    let (selected, others): (Vec<_>, Vec<_>) = selected.partition(|it| it.kind.can_be_accepted());
    accepted.unacceptable = accepted.unacceptable.saturating_add(others.len());
    let edits: Vec<_> = selected.iter().filter_map(|it| edit(it)).collect();
    if edits.is_empty() {
        return;
    }
    let unbound = unbound_steps(document.desired(), target, &edits);
    let mut all: Vec<_> = edits.iter().chain(&unbound).cloned().collect();
    // The edits of one flow are adjacent, because they may depend on one another.
    all.sort_by(|one, other| subject_key(one).cmp(&subject_key(other)));
    let Accepted { text, mut rejected } = accept(document, connectors, &all);
    let unbound: BTreeSet<_> = unbound.iter().map(subject_key).collect();
    rejected.retain(|(edit, _)| !unbound.contains(&subject_key(edit)));
    accepted.problems.extend(rejected.iter().map(|(edit, reason)| {
        let message = format!("cannot accept {} in `{}`", describe(edit), target.file);
        let problem = Diagnostic::error(Code::EditRejected, message).caused_by(reason.to_string());
        Problem::for_tenant(&target.tenant, problem.hint("edit the file by hand"))
    }));
    if text != document.text() {
        accepted.files.push(AcceptedFile {
            name: target.file.clone(),
            old: document.text().to_owned(),
            new: text,
            count: edits.len().saturating_sub(rejected.len()),
            tenant: target.tenant.clone(),
            path: document.path().to_owned(),
        });
    }
}

/// Returns whether a difference is selected. That of a connector is selected with a binding of it.
fn is_selected(difference: &Difference, target: &TargetDrift, only: &[Only]) -> bool {
    let is_chosen = |flow: &FlowId, step: Step| only.iter().any(|only| only.contains(flow, step));
    only.is_empty()
        || only.iter().any(|only| is_subject(&difference.subject, only))
        || difference.subject.connector().is_some_and(|connector| {
            let mut bindings = target.in_sync.iter();
            bindings.any(|it| bound_id(&it.current) == Some(&connector.id) && is_chosen(&it.flow, it.step))
        })
}

/// Returns the edit that accepts a difference; `None` for that of a flow.
fn edit(difference: &Difference) -> Option<Edit> {
    match &difference.subject {
        Subject::Binding(flow, step) => {
            Some(Edit::Binding { flow: flow.clone(), step: *step, connector: tenant_value(difference) })
        }
        Subject::Connector(connector) => Some(Edit::Pin { connector: connector.clone() }),
        Subject::Flow(_) => None,
    }
}

/// Returns `null` for the other steps of a flow that is added to a file with `prune: steps`, if nothing is bound there.
/// Without them, the edits of the flow are rejected, because the file would disable what might be bound.
fn unbound_steps(desired: &Desired, target: &TargetDrift, edits: &[Edit]) -> Vec<Edit> {
    if !matches!(desired.prune, Some((Prune::Steps, _))) {
        return Vec::new();
    }
    let listed: BTreeSet<_> = desired.flows.iter().map(|flow| FlowKey::from(&flow.id)).collect();
    // An edit of a step that the file does not have in `steps` is rejected.
    let added: BTreeSet<_> = edits
        .iter()
        .filter_map(|edit| match edit {
            Edit::Binding { flow, step, .. } => desired.steps.contains(step).then_some(flow),
            Edit::Pin { .. } => None,
        })
        .filter(|flow| !listed.contains(&FlowKey::from(*flow)))
        .collect();
    let bound =
        target.differences.iter().filter_map(|it| Some((it.subject.flow()?.into(), it.subject.step()?)));
    let bound: BTreeSet<(FlowKey<'_>, Step)> = bound.collect();
    let steps = added.into_iter().flat_map(|flow| desired.steps.iter().map(move |step| (flow, *step)));
    steps
        .filter(|(flow, step)| !bound.contains(&((*flow).into(), *step)))
        .map(|(flow, step)| Edit::Binding { flow: flow.clone(), step, connector: None })
        .collect()
}

/// Returns the flow and the step of an edit, for its order; `None` for that of a pin.
fn subject_key(edit: &Edit) -> Option<(&FlowId, Step)> {
    match edit {
        Edit::Binding { flow, step, .. } => Some((flow, *step)),
        Edit::Pin { .. } => None,
    }
}

fn tenant_value(difference: &Difference) -> Bound {
    match &difference.tenant {
        Some(Value::Connector(connector)) => Some(connector.clone()),
        Some(Value::Name(_) | Value::Text(_)) | None => None,
    }
}

fn describe(edit: &Edit) -> String {
    match edit {
        Edit::Binding { flow, step, .. } => format!("`{flow}` `{step}`"),
        Edit::Pin { connector } => {
            format!("the address of `{}`", connector.display_name.as_deref().unwrap_or(connector.id.as_str()))
        }
    }
}
