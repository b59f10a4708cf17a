//! Finds the differences in a plan.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::difference::{Difference, Subject, Value};
use super::kind::Kind;
use super::run::Drift;
use super::target::{Revert, TargetDrift, dedupe_certificates};
use crate::diagnostic::{Diagnostic, SourceLocation};
use crate::model::{Action, Bound, Connector, ConnectorId, ConnectorKey, FlowId, Step, Tenant, bound_id};
use crate::plan::{
    BoundCertificate, BrokenPin, Change, Hold, Plan, Target, TenantPlan, Unmanaged, Unresolved,
    UnresolvedName,
};

/// What a run adds to the differences.
pub struct Options<'a> {
    /// Whether bindings that the files do not list are differences.
    pub strict: bool,
    /// Time of the run.
    pub now: Timestamp,
    /// Root of Graph that the run was given, if it was.
    pub graph_url: Option<&'a str>,
    /// Returns the snapshot that was read in place of a tenant, if one was.
    pub sandbox: &'a dyn Fn(&Tenant) -> Option<String>,
}

/// Returns what is different in the tenants of a plan. Flows and connectors that a file names and the tenant does not
/// have are differences, not errors.
pub fn find_drift(mut plan: Plan, options: &Options<'_>) -> Drift {
    let mut reverts = BTreeSet::new();
    for tenant in &mut plan.tenants {
        if plan.errors.is_empty() && tenant.is_complete() {
            reverts.insert(tenant.tenant.clone());
        }
        remove_unresolved_errors(tenant);
    }
    let (errors, shard, limit, label) =
        (plan.errors(), plan.shard.take(), plan.limit.take(), plan.label.take());
    let targets = plan.into_targets().into_iter().map(|target| {
        let can_apply = reverts.contains(&target.tenant);
        target_drift(target, can_apply, options)
    });
    let mut targets: Vec<_> = targets.collect();
    dedupe_certificates(&mut targets);
    Drift {
        targets,
        errors,
        shard,
        limit,
        label,
        strict: options.strict,
        is_compared: false,
        remembered: Vec::new(),
    }
}

/// Removes the errors that become differences. A plan has each error once, whatever number of bindings has it.
fn remove_unresolved_errors(tenant: &mut TenantPlan) {
    let key = |problem: &Diagnostic| {
        let location = problem.span().map(|span| (span.source().name().to_owned(), span.range().start));
        (problem.code, location, problem.summary())
    };
    let unresolved = tenant.targets.iter().flat_map(|target| &target.unresolved);
    let unresolved: BTreeSet<_> = unresolved.map(|it| key(&it.problem)).collect();
    tenant.errors.retain(|error| !unresolved.contains(&key(error)));
}

fn target_drift(target: Target, can_apply: bool, options: &Options<'_>) -> TargetDrift {
    let revert = can_apply.then(|| revert(&target)).flatten();
    let dangling: BTreeSet<_> = target.dangling.iter().map(|it| (&it.flow, it.step)).collect();
    let is_dangling = |flow: &FlowId, step| dangling.contains(&(flow, step));
    let new = |kind, subject| Difference {
        kind,
        subject,
        file: None,
        tenant: None,
        source: None,
        note: None,
        hold: None,
        first_seen: options.now,
        is_new: None,
    };
    let mut differences = Vec::new();
    for Change { flow, step, action, current, desired, hold, source, .. } in &target.changes {
        let kind = match action {
            Action::Enable => Kind::Missing,
            Action::Replace => Kind::Changed,
            Action::Disable if is_dangling(flow, *step) => Kind::Dangling,
            Action::Disable => Kind::Added,
        };
        differences.push(Difference {
            file: Value::from_bound(desired.clone()),
            tenant: Value::from_bound(current.clone()),
            source: Some(source.clone()),
            note: hold.as_ref().and_then(|hold| expiry_note(flow, *step, hold)),
            hold: hold.clone(),
            ..new(kind, Subject::Binding(flow.clone(), *step))
        });
    }
    let mut unresolved_count = 0_usize;
    for Unresolved { flow, missing, hold, source, not_compared, problem } in &target.unresolved {
        unresolved_count = unresolved_count.saturating_add(*not_compared);
        let difference = match missing {
            UnresolvedName::Flow => new(Kind::Unresolved, Subject::Flow(flow.clone())),
            UnresolvedName::Connector { step, wanted, current } => Difference {
                file: Some(wanted_value(wanted)),
                tenant: Value::from_bound(current.clone()),
                ..new(
                    unresolved_kind(wanted, current, is_dangling(flow, *step)),
                    Subject::Binding(flow.clone(), *step),
                )
            },
        };
        let (source, hold, note) = (source.clone(), hold.clone(), Some(note(problem)));
        differences.push(Difference { source, note, hold, ..difference });
    }
    let mut pinned = BTreeSet::new();
    for BrokenPin { connector, expected, actual, source } in &target.pins {
        if pinned.insert(&connector.id) {
            differences.push(Difference {
                file: Some(Value::Text(expected.clone())),
                tenant: actual.clone().map(Value::Text),
                source: source.clone(),
                ..new(Kind::Address, Subject::Connector(connector.clone()))
            });
        }
    }
    for BoundCertificate { connector, not_after, .. } in
        target.certificates.iter().filter(|it| it.is_expiring)
    {
        differences.push(Difference {
            tenant: not_after.map(|time| Value::Text(time.to_string())),
            source: binding_location(&target, connector),
            ..new(Kind::Certificate, Subject::Connector(connector.clone()))
        });
    }
    let (unlisted, unmanaged): (Vec<_>, Vec<_>) =
        target.unmanaged.iter().cloned().partition(|it| options.strict || is_dangling(&it.flow, it.step));
    for Unmanaged { flow, step, current } in unlisted {
        let kind = if is_dangling(&flow, step) { Kind::Dangling } else { Kind::Unmanaged };
        let tenant = Value::from_bound(current);
        differences.push(Difference { tenant, ..new(kind, Subject::Binding(flow, step)) });
    }
    let mut drift = TargetDrift {
        sandbox: (options.sandbox)(&target.tenant),
        graph_url_option: options.graph_url.map(str::to_owned),
        not_compared: target.not_compared.saturating_sub(unresolved_count),
        differences,
        resolved: Vec::new(),
        unmanaged,
        revert,
        tenant: target.tenant,
        tenant_id: target.tenant_id,
        unverified: target.unverified,
        cloud: target.cloud,
        api: target.api,
        graph_url: target.graph_url,
        file: target.file,
        in_sync: target.in_sync,
        unreadable: target.unreadable,
        never_called: target.never_called,
        unsupported_step: target.unsupported_step,
        certificates: target.certificates,
    };
    drift.sort();
    drift
}

/// Returns the location of the first binding of a connector in the file.
fn binding_location(target: &Target, connector: &Connector) -> Option<SourceLocation> {
    let changes = target.changes.iter().map(|it| (&it.desired, &it.source));
    let bindings = changes.chain(target.in_sync.iter().map(|it| (&it.current, &it.source)));
    let locations =
        bindings.filter(|(bound, _)| bound_id(bound) == Some(&connector.id)).map(|(_, source)| source);
    locations.min_by_key(|source| (source.file != target.file, source.line)).cloned()
}

/// Returns how `apply` would revert the changes of a complete plan; `None` if there are none, or if no flag lifts one
/// of the blockers.
fn revert(target: &Target) -> Option<Revert> {
    let can_be_lifted = target.blockers.iter().all(|blocker| blocker.lifted_by().is_some());
    (!target.changes.is_empty() && can_be_lifted).then_some(match target.blockers.as_slice() {
        [] => Revert::Possible,
        _ => Revert::Blocked,
    })
}

/// Returns the kind of a binding whose connector the file names and the tenant does not have. A name may be that of
/// a renamed connector, so only an id shows that the tenant calls another one.
fn unresolved_kind(wanted: &ConnectorKey, current: &Bound, is_dangling: bool) -> Kind {
    let id = match wanted {
        ConnectorKey::Id(id) | ConnectorKey::IdAndName(id, _) => Some(id),
        ConnectorKey::Name(_) => None,
    };
    match bound_id(current) {
        None => Kind::Missing,
        Some(current) if id.is_some_and(|id| id != current) => Kind::Changed,
        Some(_) if is_dangling => Kind::Dangling,
        Some(_) => Kind::Unresolved,
    }
}

/// Returns that a hold expired; `None` for an active one.
fn expiry_note(flow: &FlowId, step: Step, Hold { until, reason, is_expired, .. }: &Hold) -> Option<String> {
    is_expired.then(|| format!("`{flow}` `{step}`: the hold expired at {until}: {reason}"))
}

/// Returns why a name was not found and what to do, in one line.
fn note(problem: &Diagnostic) -> String {
    let parts = std::iter::once(problem.summary()).chain(problem.hints.iter().cloned());
    parts.collect::<Vec<_>>().join("; ")
}

fn wanted_value(wanted: &ConnectorKey) -> Value {
    let connector = |id: &ConnectorId, name: Option<&String>| {
        Value::Connector(Connector { id: id.clone(), display_name: name.cloned() })
    };
    match wanted {
        ConnectorKey::Id(id) => connector(id, None),
        ConnectorKey::IdAndName(id, name) => connector(id, Some(name)),
        ConnectorKey::Name(name) => Value::Name(name.clone()),
    }
}
