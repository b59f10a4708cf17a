//! Compares desired with current bindings.

use std::collections::BTreeSet;

use super::prune::ManagedFlow;
use super::resolve::{ResolveError, Resolver};
use super::{Change, InSync, Overrides, Target, Unmanaged, UnreadableBinding, guard, prune};
use crate::diagnostic::{Code, Diagnostic, SourceLocation, Span, Suggester};
use crate::model::{
    Action, Bound, ConnectorId, Current, CurrentFlow, Desired, DesiredBinding, FlowId, Pins, ReadError,
    Reading, Step, bound_id,
};

/// Compares what a file lists with what its tenant has, and evaluates pins and guards. Returns the target's
/// plan, and the errors that make it incomplete, in the file's order. Bindings that could not be read are in
/// the plan, not in the errors.
pub fn plan(
    desired: &Desired,
    current: &Current,
    graph_url: &str,
    overrides: &Overrides,
) -> (Target, Vec<Diagnostic>) {
    let mut planner = Planner {
        resolver: Resolver::new(current, &desired.pins),
        pins: &desired.pins,
        checked_pins: BTreeSet::new(),
        current,
        suggester: Suggester::default(),
        errors: Vec::new(),
        needs_connectors: false,
        target: Target {
            tenant: desired.tenant.to_string(),
            tenant_id: desired.tenant.guid().map(str::to_ascii_lowercase),
            unverified: None,
            client_id: desired.client_id.clone(),
            cloud: desired.cloud,
            api: desired.api,
            graph_url: graph_url.to_owned(),
            file: desired.file.clone(),
            changes: Vec::new(),
            in_sync: Vec::new(),
            not_compared: 0,
            unmanaged: Vec::new(),
            dangling: find_dangling(current),
            unreadable: Vec::new(),
            pins: Vec::new(),
            blockers: Vec::new(),
            lifted: Vec::new(),
            overrides: overrides.to_vec(),
        },
    };
    for flow in prune::flows(desired, current) {
        planner.plan_flow(&flow, &desired.steps);
    }
    planner.errors.extend(prune::unreadable_list_error(desired, current));
    if let Some(error) = current.connectors.error() {
        planner.errors.extend(unreadable_connectors_error(error, &planner));
    }
    let Planner { mut target, mut errors, .. } = planner;
    target.pins.sort_unstable();
    target.pins.dedup();
    (target.blockers, target.lifted) = guard::evaluate(&target, desired, overrides);
    // Several bindings can use one short name, whose error has one location and is reported once.
    errors.sort_by_key(|error| error.span().map(|span| location_key(&desired.file, span)));
    errors.dedup();
    (target, errors)
}

/// Creates the target of a file whose tenant could not be connected: no guard is evaluated, and all managed
/// bindings count as not compared.
pub fn create_unplanned_target(desired: &Desired, graph_url: &str, overrides: &Overrides) -> Target {
    let (target, _) = plan(desired, &Current::default(), graph_url, overrides);
    let not_compared = desired.managed_bindings().count();
    Target { not_compared, blockers: Vec::new(), lifted: Vec::new(), ..target }
}

/// Returns one error for all names and pins that need the list of connectors, which could not be read. `None`
/// if the host cannot be reached and the bindings already report it.
fn unreadable_connectors_error(error: &ReadError, planner: &Planner<'_>) -> Option<Diagnostic> {
    let is_reported = |binding: &UnreadableBinding| binding.error.cause_key() == error.cause_key();
    if error.code == Code::GraphUnreachable && planner.target.unreadable.iter().any(is_reported) {
        return None;
    }
    let message = if planner.needs_connectors {
        "cannot list the tenant's connectors, so names and pins cannot be resolved"
    } else {
        "cannot list the tenant's connectors"
    };
    Some(error.explain(Diagnostic::error(Code::ConnectorsUnreadable, message)))
}

/// Sort key of a problem: those of the file itself first, then those of its bases.
fn location_key(file: &str, span: &Span) -> (bool, String, usize) {
    let name = span.source().name();
    (name != file, name.to_owned(), span.range().start)
}

/// Returns the bindings to connectors that the tenant does not list. Empty if the list could not be read.
fn find_dangling(current: &Current) -> Vec<Unmanaged> {
    let Some(listed) = current.connectors.known() else { return Vec::new() };
    let listed: BTreeSet<_> = listed.iter().map(|listed| &listed.connector.id).collect();
    let mut dangling = Vec::new();
    for (flow, found) in &current.flows {
        let CurrentFlow::Found(steps) = found else { continue };
        for (step, read) in steps.iter() {
            let Reading::Known(bound) = read else { continue };
            if bound_id(bound).is_some_and(|id| !listed.contains(id)) {
                dangling.push(Unmanaged { flow: flow.clone(), step, current: bound.clone() });
            }
        }
    }
    dangling
}

/// State of the comparison of one file with its tenant.
struct Planner<'a> {
    resolver: Resolver<'a>,
    pins: &'a Pins,
    /// Connectors whose pins were compared, which is done once for all their bindings.
    checked_pins: BTreeSet<ConnectorId>,
    current: &'a Current,
    suggester: Suggester,
    target: Target,
    errors: Vec<Diagnostic>,
    /// Whether a name or a pin needs the list of connectors, which could not be read.
    needs_connectors: bool,
}

impl Planner<'_> {
    /// Compares the steps of one flow and adds its bindings to the target as changed, in sync, unmanaged or
    /// unreadable. A binding whose connector cannot be resolved is only counted as not compared, with an error.
    /// Adds an error for a flow that the tenant does not have. Skips a flow that was not read.
    fn plan_flow(&mut self, flow: &ManagedFlow<'_>, steps: &[Step]) {
        let found = match self.current.flows.get(flow.id) {
            Some(CurrentFlow::Found(found)) => found,
            Some(CurrentFlow::Missing(answer)) => return self.report_missing_flow(flow, answer),
            None => return,
        };
        // A step that was not requested is unknown, like one whose read failed.
        let not_read =
            Reading::Unknown(ReadError::new(Code::GraphUnexpectedResponse, "the step was not requested"));
        for step in steps.iter().copied() {
            let read = found.get(step).unwrap_or(&not_read);
            if let Some(binding) = flow.bindings.get(step) {
                self.plan_binding(flow.id, step, binding, read);
            } else if let Reading::Known(current @ Some(_)) = read {
                let unmanaged = Unmanaged { flow: flow.id.clone(), step, current: current.clone() };
                self.target.unmanaged.push(unmanaged);
            }
            // Also reported for bindings that the file does not manage, because `unmanaged` is incomplete without them.
            if let Reading::Unknown(error) = read {
                let unreadable = UnreadableBinding { flow: flow.id.clone(), step, error: error.clone() };
                self.target.unreadable.push(unreadable);
            }
        }
    }

    /// Compares one managed binding and adds it to the changes or to those in sync. Counts it as not compared
    /// if it could not be read or its connector could not be resolved. Also checks the pins of the connector,
    /// once.
    fn plan_binding(&mut self, flow: &FlowId, step: Step, binding: &DesiredBinding, read: &Reading<Bound>) {
        let desired = binding.connector.as_ref().map(|wanted| self.resolver.resolve(wanted)).transpose();
        let desired = match desired {
            Ok(desired) => desired,
            Err(error) => {
                self.target.not_compared = self.target.not_compared.saturating_add(1);
                match error {
                    ResolveError::NotListed => self.needs_connectors = true,
                    ResolveError::Invalid(problem) => self.errors.push(*problem),
                }
                return;
            }
        };
        if let Some(desired) = &desired
            && self.checked_pins.insert(desired.connector.id.clone())
        {
            self.target.pins.extend(guard::find_broken_pins(self.pins, desired));
        }
        let desired = desired.map(|resolved| resolved.connector);
        // If several pins differ, at least one is broken and blocks the plan, so the first is enough.
        let pin = desired.as_ref().and_then(|connector| self.pins.for_connector(connector).next());
        let Reading::Known(current) = read else {
            self.target.not_compared = self.target.not_compared.saturating_add(1);
            return;
        };
        let source = SourceLocation::from(&binding.span);
        match Action::from_values(current.as_ref(), desired.as_ref()) {
            None => {
                let (flow, current) = (flow.clone(), current.clone());
                self.target.in_sync.push(InSync { flow, step, current, source });
            }
            Some(action) => self.target.changes.push(Change {
                flow: flow.clone(),
                step,
                action,
                current: current.clone(),
                desired,
                protected: binding.protect,
                pin: pin.cloned(),
                source,
            }),
        }
    }

    /// Adds the error for a flow that the tenant does not have, with a similar name of the tenant's flows.
    /// Counts the managed bindings of the flow as not compared.
    fn report_missing_flow(&mut self, flow: &ManagedFlow<'_>, answer: &ReadError) {
        let bindings = flow.bindings.iter().count();
        self.target.not_compared = self.target.not_compared.saturating_add(bindings);
        // The common prefix is not compared, because it would make all ids similar.
        let prefix = flow.id.kind().prefix();
        let name = |id| str::strip_prefix(id, prefix);
        let others = self.current.flow_list.known().into_iter().flatten().filter_map(|id| name(id));
        let wanted = name(flow.id.as_str()).unwrap_or_default();
        let nearest = self.suggester.nearest(wanted, others).into_iter().next();
        let nearest = nearest.map(|name| format!("{prefix}{name}"));
        let problem = Diagnostic::error(Code::FlowNotFound, format!("no such user flow: `{}`", flow.id));
        let problem = flow.span.iter().fold(problem, |problem, span| problem.at(span));
        let problem = answer.explain(problem).did_you_mean(nearest);
        self.errors.push(problem.hint("create the flow first, or remove it from the file"));
    }
}
