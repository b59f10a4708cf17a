//! Compares the files of one tenant with its current bindings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use strum::VariantArray as _;

use super::binding::{Change, InSync, NeverCalled, Unmanaged, UnreadableBinding, Unresolved, UnresolvedName};
use super::certificate::{BoundCertificate, PlanTime};
use super::guard;
use super::hold::Hold;
use super::managed::{ManagedFlow, managed_flows, ownership};
use super::overrides::Overrides;
use super::resolve_connectors::{ResolveError, Resolved, Resolver};
use super::target::Target;
use super::tenant::TenantPlan;
use crate::diagnostic::{Code, Diagnostic, SourceLocation, Suggester};
use crate::model::{
    Action, Actor, Bound, ConnectorId, ConnectorRef, Current, CurrentFlow, Desired, DesiredBinding, FlowId,
    FlowKey, ListedFlow, Ownership, Prune, ReadError, Reading, Scope, Step, StepMap, Tenant, TenantCheck,
    bound_id,
};

/// What the connection to a tenant adds to its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// Root of Graph, version included, as the plan shows it.
    pub graph_url: String,
    /// Whether the tenant of the access token is that of the files.
    pub tenant_check: TenantCheck,
    /// Who acts with the access token, if it names that.
    pub actor: Option<Actor>,
}

/// Compares what the files of one tenant list with what the tenant has, and evaluates pins and guards. A binding
/// is reported by the file that manages it; one that no file manages by the first file that covers it. Errors are
/// in the order of the files. Bindings that could not be read are in the targets, not in the errors.
pub fn plan_tenant(
    tenant: &Tenant,
    files: &[Desired],
    current: &Current,
    connected: &Connected,
    overrides: &Overrides,
    time: PlanTime,
) -> TenantPlan {
    let listed = current.flow_list.known().into_iter().flatten();
    let typed = |flow: &ListedFlow| Some((FlowId::parse(&flow.id).ok()?, flow.user_flow_type.clone()?));
    let types: Vec<_> = listed.filter_map(typed).collect();
    let mut planner = Planner {
        current,
        time,
        // The only file of a tenant manages everything that it lists or prunes.
        owners: (files.len() > 1).then(|| ownership(files)),
        listed: files.iter().flat_map(|file| &file.flows).map(|flow| FlowKey::from(&flow.id)).collect(),
        reported: BTreeSet::new(),
        suggester: Suggester::default(),
        errors: Vec::new(),
        needs_connectors: false,
        types: types.iter().map(|(id, user_flow_type)| (id.into(), &**user_flow_type)).collect(),
    };
    let targets: Vec<_> = files
        .iter()
        .enumerate()
        .map(|(at, file)| planner.plan_file(at, file, connected, overrides))
        .collect();
    let Planner { mut errors, needs_connectors, .. } = planner;
    errors.extend(unreadable_list_error(files, current));
    if let Some(error) = current.connectors.error() {
        let problem = unreadable_connectors_error(error, needs_connectors, &targets);
        errors.extend(problem.map(|problem| (0, problem)));
    }
    // The file's own errors come before those of its bases.
    errors.sort_by_key(|(at, error)| {
        let file = files.get(*at).map(|file| file.file.as_str());
        error.span().map(|span| {
            let name = span.source().name();
            (*at, Some(name) != file, name.to_owned(), span.range().start)
        })
    });
    // Several bindings can use one short name, and several files one base, whose error is reported once.
    let mut seen = BTreeSet::new();
    errors.retain(|(_, error)| {
        let location = error.span().map(|span| (span.source().name().to_owned(), span.range().start));
        seen.insert((error.code, location, error.summary()))
    });
    let errors = errors.into_iter().map(|(_, error)| error).collect();
    TenantPlan { tenant: tenant.clone(), targets, errors }
}

/// Creates the plan of a tenant that could not be connected, with these errors: no guard is evaluated, and all
/// managed bindings count as not compared.
pub fn create_unplanned_tenant(
    tenant: &Tenant,
    files: &[Desired],
    graph_url: &str,
    overrides: &Overrides,
    errors: Vec<Diagnostic>,
) -> TenantPlan {
    let graph_url = graph_url.to_owned();
    let connected = Connected { graph_url, tenant_check: TenantCheck::NotApplicable, actor: None };
    let target = |file: &Desired| Target {
        not_compared: file.managed_bindings().count(),
        ..new_target(file, &connected, overrides)
    };
    TenantPlan { tenant: tenant.clone(), targets: files.iter().map(target).collect(), errors }
}

/// Creates a target without bindings.
fn new_target(desired: &Desired, connected: &Connected, overrides: &Overrides) -> Target {
    let Connected { graph_url, tenant_check, actor } = connected;
    let (tenant_id, unverified) = match tenant_check {
        TenantCheck::Verified(id) => (Some(id.clone()), None),
        // The GUID of the file was not verified.
        TenantCheck::Unverified(why) => (None, Some(why.clone())),
        TenantCheck::NotApplicable => (desired.tenant.guid().map(str::to_ascii_lowercase), None),
    };
    Target {
        position: 0,
        tenant: desired.tenant.clone(),
        tenant_id,
        unverified,
        client_id: desired.client_id.clone(),
        actor: actor.clone(),
        cloud: desired.cloud,
        api: desired.api,
        graph_url: graph_url.clone(),
        file: desired.file.clone(),
        steps: desired.steps.clone(),
        changes: Vec::new(),
        undo: None,
        in_sync: Vec::new(),
        not_compared: 0,
        unmanaged: Vec::new(),
        dangling: Vec::new(),
        unresolved: Vec::new(),
        never_called: Vec::new(),
        unsupported_step: None,
        unreadable: Vec::new(),
        pins: Vec::new(),
        certificates: Vec::new(),
        blockers: Vec::new(),
        lifted: Vec::new(),
        overrides: overrides.to_vec(),
    }
}

/// Returns the error for a list of flows that was requested and could not be read, with the position of a file that
/// needs it; otherwise `None`.
fn unreadable_list_error(files: &[Desired], current: &Current) -> Option<(usize, Diagnostic)> {
    let error = current.flow_list.error()?;
    let problem = |message| Diagnostic::error(Code::FlowsUnreadable, message);
    let pruning = files.iter().enumerate().find_map(|(at, file)| match &file.prune {
        Some((Prune::Flows, span)) => Some((at, span)),
        _ => None,
    });
    Some(match pruning {
        Some((at, span)) => {
            let problem = problem("cannot list the tenant's user flows, which `prune: flows` needs");
            (at, error.explain(problem.at(span)))
        }
        None => (0, error.explain(problem("cannot list the tenant's user flows"))),
    })
}

/// Returns one error for all names and pins that need the list of connectors, which could not be read. `None`
/// if the host or the sign-in is the cause and the bindings already report it.
fn unreadable_connectors_error(error: &ReadError, is_needed: bool, targets: &[Target]) -> Option<Diagnostic> {
    let is_reported = |binding: &UnreadableBinding| binding.error.cause_key() == error.cause_key();
    let mut unreadable = targets.iter().flat_map(|target| &target.unreadable);
    if error.concerns_every_request() && unreadable.any(is_reported) {
        return None;
    }
    let message = if is_needed {
        "cannot list the tenant's connectors, so names and pins cannot be resolved"
    } else {
        "cannot list the tenant's connectors"
    };
    Some(error.explain(Diagnostic::error(Code::ConnectorsUnreadable, message)))
}

/// State of the comparison of the files of one tenant.
struct Planner<'a> {
    current: &'a Current,
    time: PlanTime,
    /// Position of the file that manages a binding; `None` if the tenant has only one file.
    owners: Option<Ownership<'a, usize>>,
    /// Flows that the files list.
    listed: BTreeSet<FlowKey<'a>>,
    /// Bindings without an owner that a file has reported.
    reported: BTreeSet<(FlowKey<'a>, Step)>,
    suggester: Suggester,
    /// Errors, with the position of their file.
    errors: Vec<(usize, Diagnostic)>,
    /// Whether a name or a pin needs the list of connectors, which could not be read.
    needs_connectors: bool,
    /// Types of the flows, if the list of flows was read.
    types: BTreeMap<FlowKey<'a>, &'a str>,
}

/// Comparison of one file.
struct FilePlanner<'p, 'a> {
    planner: &'p mut Planner<'a>,
    /// Position of the file.
    at: usize,
    desired: &'a Desired,
    resolver: Resolver<'a>,
    /// Connectors whose pins and certificates were checked, which is done once for all their bindings.
    checked_connectors: BTreeSet<ConnectorId>,
    /// Changes that a hold declares, so that `protect` does not block them.
    declared: BTreeSet<(FlowId, Step)>,
    target: Target,
}

impl<'a> Planner<'a> {
    /// Returns whether a file reports a binding: the one that manages it, otherwise the first that lists the flow, or
    /// if no file does, the first that covers it.
    fn is_reported_by(&mut self, at: usize, flow: &ManagedFlow<'a>, step: Step) -> bool {
        let Some(owners) = &self.owners else { return true };
        match owners.owner(flow.id, step) {
            Some(owner) => *owner == at,
            None if flow.span.is_none() && self.listed.contains(&flow.id.into()) => false,
            None => self.reported.insert((flow.id.into(), step)),
        }
    }

    fn plan_file(
        &mut self,
        at: usize,
        desired: &'a Desired,
        connected: &Connected,
        overrides: &Overrides,
    ) -> Target {
        let mut file = FilePlanner {
            at,
            desired,
            resolver: Resolver::new(self.current, &desired.pins),
            checked_connectors: BTreeSet::new(),
            declared: BTreeSet::new(),
            target: new_target(desired, connected, overrides),
            planner: self,
        };
        for flow in managed_flows(desired, file.planner.current) {
            file.plan_flow(&flow);
        }
        let FilePlanner { mut target, declared, .. } = file;
        target.dangling.sort_by(|one, other| (&one.flow, one.step).cmp(&(&other.flow, other.step)));
        target.unsupported_step = self.current.unsupported_step;
        target.pins.sort_unstable();
        target.pins.dedup_by(|one, other| one.is_same(other));
        target.certificates.sort_by(|one, other| one.connector.cmp(&other.connector));
        (target.blockers, target.lifted) = guard::evaluate(&target, desired, &declared, overrides);
        target
    }
}

impl<'a> FilePlanner<'_, 'a> {
    /// Compares the steps of one flow and adds its bindings to the target as changed, in sync, unmanaged or
    /// unreadable. A binding whose connector cannot be resolved is only counted as not compared, with an error.
    /// Adds an error for a flow that the tenant does not have. Skips a flow that was not read, and bindings that
    /// another file manages or has reported.
    fn plan_flow(&mut self, flow: &ManagedFlow<'a>) {
        let found = match self.planner.current.flows.get(flow.id) {
            Some(CurrentFlow::Found(found)) => found,
            Some(CurrentFlow::Missing(answer)) => return self.report_missing_flow(flow, answer),
            None => return,
        };
        // A step that was not requested is unknown, like one whose read failed.
        let not_read =
            Reading::Unknown(ReadError::new(Code::GraphUnexpectedResponse, "the step was not requested"));
        let user_flow_type = self.planner.types.get(&FlowKey::from(flow.id)).copied();
        for step in self.covered_steps(flow, found) {
            let read = found.get(step).unwrap_or(&not_read);
            let binding = flow.bindings.get(step);
            if !self.planner.is_reported_by(self.at, flow, step) {
                continue;
            }
            let is_bound = match (binding, read) {
                (Some(binding), _) => binding.connector_at(self.planner.time.now).is_some(),
                (None, read) => matches!(read, Reading::Known(Some(_))),
            };
            if is_bound
                && let Some(user_flow_type) = user_flow_type
                && step.is_called_by(user_flow_type) == Some(false)
            {
                let (flow, user_flow_type) = (flow.id.clone(), user_flow_type.to_owned());
                self.target.never_called.push(NeverCalled { flow, step, user_flow_type });
            }
            if let Some(binding) = binding {
                self.plan_binding(flow.id, step, binding, read);
            } else if let Reading::Known(current @ Some(_)) = read {
                let unmanaged = Unmanaged { flow: flow.id.clone(), step, current: current.clone() };
                self.target.unmanaged.push(unmanaged);
            }
            match read {
                // Also reported for bindings that no file manages, because `unmanaged` is incomplete without them.
                Reading::Unknown(error) => {
                    let unreadable = UnreadableBinding { flow: flow.id.clone(), step, error: error.clone() };
                    self.target.unreadable.push(unreadable);
                }
                Reading::Known(current)
                    if bound_id(current).is_some_and(|id| self.resolver.is_deleted(id)) =>
                {
                    let dangling = Unmanaged { flow: flow.id.clone(), step, current: current.clone() };
                    self.target.dangling.push(dangling);
                }
                Reading::Known(_) => {}
            }
        }
    }

    /// Returns the steps of a flow that were read for the file: its own, or in a limited run those of its bindings, and
    /// if the run covers everything also the others.
    fn covered_steps(&self, flow: &ManagedFlow<'_>, found: &StepMap<Reading<Bound>>) -> Vec<Step> {
        let is_extra = |step: &Step| self.planner.current.scope == Scope::All && found.contains_key(*step);
        let is_own = |step: &Step| match self.desired.is_limited {
            true => flow.bindings.contains_key(*step),
            false => self.desired.steps.contains(step),
        };
        Step::VARIANTS.iter().copied().filter(|step| is_own(step) || is_extra(step)).collect()
    }

    /// Compares one managed binding and adds it to the changes or to those in sync. Counts it as not compared
    /// if it could not be read or its connector could not be resolved. Also checks the pins and the
    /// certificates of the connector, once. An active hold replaces the value of the binding.
    fn plan_binding(&mut self, flow: &FlowId, step: Step, binding: &DesiredBinding, read: &Reading<Bound>) {
        let now = self.planner.time.now;
        let wanted = binding.connector_at(now);
        let source = SourceLocation::from(binding.active_hold(now).map_or(&binding.span, |hold| &hold.span));
        let regular = || binding.connector.as_ref().map(|regular| self.resolver.label(regular));
        let hold = binding.hold.as_ref().map(|hold| Box::new(Hold::from_file(hold, regular(), now)));
        let desired = wanted.map(|wanted| self.resolver.resolve(wanted)).transpose();
        let desired = match desired {
            Ok(desired) => desired,
            Err(error) => {
                self.target.not_compared = self.target.not_compared.saturating_add(1);
                match error {
                    ResolveError::NotListed => self.planner.needs_connectors = true,
                    // Not a difference: what the tenant has is not known.
                    ResolveError::Unreadable(problem) => self.planner.errors.push((self.at, *problem)),
                    ResolveError::Invalid(problem) => {
                        let wanted = wanted.zip(Some(source));
                        let unresolved = unresolved_connector(flow, step, wanted, read, &problem);
                        self.target.unresolved.extend(unresolved.map(|it| Unresolved { hold, ..it }));
                        self.planner.errors.push((self.at, *problem));
                    }
                }
                return;
            }
        };
        let pins = &self.desired.pins;
        if let Some(desired) = &desired
            && self.checked_connectors.insert(desired.connector.id.clone())
        {
            self.target.pins.extend(guard::find_broken_pins(pins, desired));
            let Resolved { connector, certificates, .. } = desired;
            let certificate = BoundCertificate::from_certificates(connector, certificates, self.planner.time);
            self.target.certificates.extend(certificate);
        }
        let desired = desired.map(|resolved| resolved.connector);
        // If several pins differ, at least one is broken and blocks the plan, so the first is enough.
        let pin = desired.as_ref().and_then(|connector| pins.for_connector(connector).next());
        let Reading::Known(current) = read else {
            self.target.not_compared = self.target.not_compared.saturating_add(1);
            return;
        };
        match Action::from_values(current.as_ref(), desired.as_ref()) {
            None => {
                let (flow, current) = (flow.clone(), current.clone());
                self.target.in_sync.push(InSync { flow, step, current, hold, source });
            }
            Some(action) => {
                if self.is_declared_by_hold(binding, current) {
                    self.declared.insert((flow.clone(), step));
                }
                self.target.changes.push(Change {
                    flow: flow.clone(),
                    step,
                    action,
                    current: current.clone(),
                    desired,
                    protected: binding.protect.is_some(),
                    pin: pin.map(|pin| Arc::clone(&pin.url)),
                    hold,
                    source,
                });
            }
        }
    }

    /// Returns whether the file itself names a change as temporary: to the value of an active hold, or from that of an
    /// expired one.
    fn is_declared_by_hold(&self, binding: &DesiredBinding, current: &Bound) -> bool {
        binding.hold.as_ref().is_some_and(|hold| {
            let held = hold.connector.as_ref().map(|wanted| self.resolver.resolve(wanted)).transpose();
            let is_held = held.is_ok_and(|held| bound_id(current) == held.map(|it| it.connector.id).as_ref());
            !hold.is_expired(self.planner.time.now) || is_held
        })
    }

    /// Adds the error for a flow that the tenant does not have, with a similar name of the tenant's flows.
    /// Counts the managed bindings of the flow as not compared.
    fn report_missing_flow(&mut self, flow: &ManagedFlow<'_>, answer: &ReadError) {
        let not_compared = flow.bindings.iter().count();
        self.target.not_compared = self.target.not_compared.saturating_add(not_compared);
        // The common prefix is not compared, because it would make all ids similar.
        let prefix = flow.id.kind().prefix();
        let name = |id| str::strip_prefix(id, prefix);
        let others = self.planner.current.flow_list.known().into_iter().flatten();
        let others = others.filter_map(|flow| name(&flow.id));
        let wanted = name(flow.id.as_str()).unwrap_or_default();
        let nearest = self.planner.suggester.nearest(wanted, others).into_iter().next();
        let nearest = nearest.map(|name| format!("{prefix}{name}"));
        let problem = Diagnostic::error(Code::FlowNotFound, format!("no such user flow: `{}`", flow.id));
        let problem = flow.span.iter().fold(problem, |problem, span| problem.at(span));
        let problem = answer.explain(problem).did_you_mean(nearest);
        let problem = problem.hint("create the flow first, or remove it from the file");
        self.target.unresolved.push(Unresolved {
            flow: flow.id.clone(),
            missing: UnresolvedName::Flow,
            hold: None,
            source: flow.span.map(SourceLocation::from),
            not_compared,
            problem: problem.clone(),
        });
        self.planner.errors.push((self.at, problem));
    }
}

/// Returns a binding whose connector the tenant does not have; `None` if the binding could not be read.
fn unresolved_connector(
    flow: &FlowId,
    step: Step,
    wanted: Option<(&Arc<ConnectorRef>, SourceLocation)>,
    read: &Reading<Bound>,
    problem: &Diagnostic,
) -> Option<Unresolved> {
    let (Reading::Known(current), Some((wanted, source))) = (read, wanted) else { return None };
    let missing = UnresolvedName::Connector { step, wanted: wanted.key.clone(), current: current.clone() };
    Some(Unresolved {
        flow: flow.clone(),
        missing,
        hold: None,
        source: Some(source),
        not_compared: 1,
        problem: problem.clone(),
    })
}
