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
use crate::model::{Bound, Desired, FlowId, FlowKey, ListedConnector, Only, Prune, Scope, Step, bound_id};
use crate::plan::{Overrides, Plan, PlanTime, Problem, plan_tenant};
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
    let documents = match desired::load_documents(paths) {
        Ok(documents) => documents,
        Err(problems) => {
            let problems = problems.into_iter().map(Problem::from).collect();
            return AcceptedRun { files: Vec::new(), problems };
        }
    };
    let flows = documents.iter().flat_map(|document| &document.desired().flows);
    let names = flows.map(|flow| flow.id.to_string()).collect();
    let (mut accepted, mut matched) = (AcceptedRun::default(), BTreeSet::new());
    let work = async |(at, group): (usize, Vec<(usize, Document)>)| {
        let documents: Vec<_> = group.into_iter().map(|(_, document)| document).collect();
        vec![(at, accept_tenant(run, &documents, request).await)]
    };
    let groups = group_by_tenant(documents, |document| &document.desired().tenant);
    run.for_each_tenant(groups.into_iter().enumerate().collect(), work, |tenant| {
        accepted.files.extend(tenant.files);
        accepted.problems.extend(tenant.problems);
        matched.extend(tenant.matched);
    })
    .await;
    let unmatched = request.only.iter().enumerate().filter(|(at, _)| !matched.contains(at));
    accepted.problems.extend(unmatched.map(|(_, only)| Problem::from(unmatched_error(only, &names))));
    accepted
}

/// Files of one tenant with its values.
#[derive(Default)]
struct TenantAccepted {
    files: Vec<AcceptedFile>,
    problems: Vec<Problem>,
    /// Positions of the selections that match a binding.
    matched: BTreeSet<usize>,
}

async fn accept_tenant(run: &Run, documents: &[Document], request: &AcceptRequest) -> TenantAccepted {
    let Some(first) = documents.first() else { return TenantAccepted::default() };
    let tenant = &first.desired().tenant;
    let connected = connect(&TenantRef::from(first.desired()), run, UnverifiedTenantPolicy::Warn).await;
    let connection = match connected {
        Ok(connection) => connection,
        Err(CommandError { diagnostics, .. }) => {
            let problems = diagnostics.into_iter().map(|problem| Problem::for_tenant(tenant, problem));
            return TenantAccepted { problems: problems.collect(), ..TenantAccepted::default() };
        }
    };
    let files: Vec<_> = documents.iter().map(|document| document.desired().clone()).collect();
    let scope = if request.strict { Scope::All } else { Scope::Listed };
    let current = current::read(&connection.graph, &files, scope).await;
    let (overrides, time) = (Overrides::default(), request.time);
    let plan = plan_tenant(tenant, &files, &current, &connection.connected, &overrides, time);
    let plan = Plan { tenants: vec![plan], ..Plan::default() };
    let options =
        drift::Options { strict: request.strict, now: time.now, graph_url: None, sandbox: &|_| None };
    let drift = drift::find_drift(plan, &options);
    let mut accepted = TenantAccepted {
        problems: drift.problems(),
        matched: matched(&drift, &request.only),
        ..Default::default()
    };
    if drift.is_complete() {
        let connectors = current.connectors.known().map(Vec::as_slice).unwrap_or_default();
        for (document, target) in documents.iter().zip(&drift.targets) {
            accept_file(&mut accepted, document, target, connectors, &request.only);
        }
    }
    accepted
}

/// Returns the positions of the selections that match a binding which a file manages or which differs.
fn matched(drift: &Drift, only: &[Only]) -> BTreeSet<usize> {
    let managed = drift.targets.iter().flat_map(TargetDrift::managed);
    let differing = drift.differences().filter_map(|it| Some((it.subject.flow()?, it.subject.step()?)));
    let bindings: Vec<_> = managed.chain(differing).collect();
    let is_matched =
        |(_, only): &(usize, &Only)| bindings.iter().any(|(flow, step)| only.contains(flow, *step));
    only.iter().enumerate().filter(is_matched).map(|(at, _)| at).collect()
}

/// Adds the file of a target with the selected values of the tenant, and an error for each that it cannot take.
fn accept_file(
    accepted: &mut TenantAccepted,
    document: &Document,
    target: &TargetDrift,
    connectors: &[ListedConnector],
    only: &[Only],
) {
    let selected: Vec<_> = target.differences.iter().filter(|it| is_selected(it, target, only)).collect();
    let edits = edits(document.desired(), &selected);
    if edits.is_empty() {
        return;
    }
    let Accepted { text, rejected } = accept(document, connectors, &edits);
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
            count: selected.len().saturating_sub(rejected.len()),
            path: document.path().to_owned(),
        });
    }
}

/// Returns whether a difference can be accepted and is selected. The address of a connector is selected with a binding
/// of it.
fn is_selected(difference: &Difference, target: &TargetDrift, only: &[Only]) -> bool {
    let is_chosen = |flow: &FlowId, step: Step| only.iter().any(|only| only.contains(flow, step));
    difference.kind.can_be_accepted()
        && (only.is_empty()
            || match &difference.subject {
                Subject::Binding(flow, step) => is_chosen(flow, *step),
                Subject::Flow(_) => false,
                Subject::Connector(connector) => target
                    .in_sync
                    .iter()
                    .any(|it| bound_id(&it.current) == Some(&connector.id) && is_chosen(&it.flow, it.step)),
            })
}

/// Returns the edits of a file that accept these differences. With `prune: steps`, the other steps of a flow that is
/// added become `null`, as they are.
fn edits(desired: &Desired, differences: &[&Difference]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for difference in differences {
        match &difference.subject {
            Subject::Binding(flow, step) => {
                let connector = tenant_value(difference);
                edits.push(Edit::Binding { flow: flow.clone(), step: *step, connector });
            }
            Subject::Connector(connector) => edits.push(Edit::Pin { connector: connector.clone() }),
            Subject::Flow(_) => {}
        }
    }
    if matches!(desired.prune, Some((Prune::Steps, _))) {
        let listed: BTreeSet<_> = desired.flows.iter().map(|flow| FlowKey::from(&flow.id)).collect();
        let added = differences.iter().filter_map(|it| it.subject.flow());
        let added: BTreeSet<_> = added.filter(|flow| !listed.contains(&FlowKey::from(*flow))).collect();
        let bound: BTreeSet<_> =
            differences.iter().filter_map(|it| Some((it.subject.flow()?, it.subject.step()?))).collect();
        for flow in added {
            let unbound = desired.steps.iter().filter(|step| !bound.contains(&(flow, **step)));
            let flow = flow.clone();
            edits.extend(unbound.map(|step| Edit::Binding {
                flow: flow.clone(),
                step: *step,
                connector: None,
            }));
        }
    }
    // The edits of one flow are adjacent, because they may depend on one another.
    edits.sort_by_key(|edit| match edit {
        Edit::Binding { flow, .. } => Some(flow.clone()),
        Edit::Pin { .. } => None,
    });
    edits
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
