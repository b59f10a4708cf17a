//! What differs between desired and current.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::prune::Managed;
use super::resolve::Resolver;
use super::{Change, InSync, Overrides, Place, Target, Unknown, Unmanaged, guard, prune};
use crate::diagnostic::{Diagnostic, Span, Suggester};
use crate::model::{
    Action, Advice, Bound, ConnectorId, Current, CurrentFlow, Desired, DesiredBinding, FlowId, Pins, Reading,
    Step, Unread, bound_id,
};

/// Compares what a file wants with what its tenant has. Gives the target's plan, and what keeps it
/// from being whole, in the file's order.
pub fn plan(
    desired: &Desired,
    current: &Current,
    graph_url: &str,
    overrides: &Overrides,
) -> (Target, Vec<Diagnostic>) {
    let mut planner = Planner {
        resolver: Resolver::new(current, &desired.pins),
        pins: &desired.pins,
        wanted: BTreeSet::new(),
        current,
        suggester: Suggester::default(),
        errors: Vec::new(),
        advice: BTreeMap::new(),
        target: Target {
            tenant: desired.tenant.to_string(),
            tenant_id: desired.tenant.guid().map(str::to_ascii_lowercase),
            client_id: desired.client_id.clone(),
            cloud: desired.cloud,
            api: desired.api,
            graph_url: graph_url.to_owned(),
            file: desired.file.clone(),
            changes: Vec::new(),
            unchanged: 0,
            in_sync: Vec::new(),
            unmanaged: Vec::new(),
            gone: gone(current),
            unknown: Vec::new(),
            pins: Vec::new(),
            refusals: Vec::new(),
            overrides: overrides.flags(),
            warnings: Vec::new(),
        },
    };
    let unread = Reading::Unknown(Unread::new("it was not read"));
    for flow in prune::flows(desired, current) {
        planner.flow(&flow, &desired.steps, &unread);
    }
    planner.errors.extend(prune::unreadable_list(desired, current));
    if let Some(Reading::Unknown(unread)) = &current.connectors {
        // A name that could not be resolved tells it already, at its place.
        let is_told = |error: &Diagnostic| error.causes.iter().any(|cause| **cause == *unread.why);
        if !planner.errors.iter().any(is_told) {
            let problem = Diagnostic::error("the tenant's connectors could not be read");
            let problem = problem.caused_by(&*unread.why);
            planner.errors.push(match unread.advice {
                Some(advice) => problem.caused_by(advice.problem).hint(advice.hint),
                None => problem,
            });
        }
    }
    let Planner { mut target, mut errors, advice, .. } = planner;
    let explained = advice
        .into_iter()
        .map(|(Advice { problem, hint }, words)| Diagnostic::error(problem).caused_by(&*words).hint(hint));
    errors.extend(explained);
    target.warnings = warnings(&target);
    target.pins.sort_unstable();
    target.pins.dedup();
    target.refusals = guard::refusals(&target, desired, overrides);
    // A short name that is used twice has one place, and so one error.
    errors.sort_by_key(|error| error.span.as_ref().map(|span| place_in(&desired.file, span)));
    errors.dedup();
    // One answer that keeps many names from being resolved is one error.
    errors.dedup_by(|next, one| {
        !one.causes.is_empty() && (&next.what, &next.causes) == (&one.what, &one.causes)
    });
    (target, errors)
}

/// What problems are sorted by: those of the file itself first, then those of what it extends.
fn place_in(file: &str, span: &Span) -> (bool, String, usize) {
    let name = span.source().name();
    (name != file, name.to_owned(), span.range().start)
}

fn warnings(target: &Target) -> Vec<String> {
    let mut warnings = Vec::new();
    if target.changes.iter().any(|change| change.step == Step::PreTokenIssuance) {
        let warning = "`preTokenIssuance` is not in Graph's documentation: this plan relies on a PUT that may stop working";
        warnings.push(warning.to_owned());
    }
    warnings.extend(target.gone.iter().map(gone_warning));
    warnings
}

/// What a reviewer should know of a binding to a connector that is gone.
pub(super) fn gone_warning(Unmanaged { flow, step, current }: &Unmanaged) -> String {
    let id = bound_id(current).map(ConnectorId::as_str).unwrap_or_default();
    format!("`{flow}` calls at `{step}` the connector `{id}`, which is gone")
}

/// The bindings to connectors that the tenant does not have any more, as far as both were read.
fn gone(current: &Current) -> Vec<Unmanaged> {
    let Some(Reading::Known(listed)) = &current.connectors else { return Vec::new() };
    let listed: BTreeSet<_> = listed.iter().map(|listed| &listed.connector.id).collect();
    let mut gone = Vec::new();
    for (flow, found) in &current.flows {
        let CurrentFlow::Found(steps) = found else { continue };
        for (step, read) in steps.iter() {
            let Reading::Known(bound) = read else { continue };
            if bound_id(bound).is_some_and(|id| !listed.contains(id)) {
                gone.push(Unmanaged { flow: flow.clone(), step, current: bound.clone() });
            }
        }
    }
    gone
}

struct Planner<'a> {
    resolver: Resolver<'a>,
    pins: &'a Pins,
    /// The connectors whose pins were looked at, which is done once for all their bindings.
    wanted: BTreeSet<ConnectorId>,
    current: &'a Current,
    suggester: Suggester,
    target: Target,
    errors: Vec<Diagnostic>,
    /// What is behind bindings that could not be read, with the service's words the first time.
    advice: BTreeMap<Advice, Arc<str>>,
}

impl Planner<'_> {
    /// `unread` is what is known of a step that was not even asked for: as little as of one that was
    /// denied.
    fn flow(&mut self, flow: &Managed<'_>, steps: &[Step], unread: &Reading<Bound>) {
        let found = match self.current.flows.get(flow.id) {
            Some(CurrentFlow::Found(found)) => found,
            Some(CurrentFlow::Missing(answer)) => return self.missing(flow, answer),
            None => return,
        };
        for step in steps.iter().copied() {
            let read = found.get(step).unwrap_or(unread);
            if let Some(binding) = flow.bindings.get(step) {
                self.managed(flow.id, step, binding, read);
            } else if let Reading::Known(current @ Some(_)) = read {
                let unmanaged = Unmanaged { flow: flow.id.clone(), step, current: current.clone() };
                self.target.unmanaged.push(unmanaged);
            }
            // What nobody manages is told all the same: a flow that is listed is looked at.
            if let Reading::Unknown(Unread { why, advice }) = read {
                if let Some(advice) = advice {
                    self.advice.entry(*advice).or_insert_with(|| Arc::clone(why));
                }
                let unknown = Unknown { flow: flow.id.clone(), step, error: Arc::clone(why) };
                self.target.unknown.push(unknown);
            }
        }
    }

    fn managed(&mut self, flow: &FlowId, step: Step, binding: &DesiredBinding, read: &Reading<Bound>) {
        let desired = binding.connector.as_ref().map(|wanted| self.resolver.resolve(wanted)).transpose();
        let desired = match desired {
            Ok(desired) => desired,
            Err(error) => return self.errors.push(error),
        };
        if let Some(desired) = &desired
            && self.wanted.insert(desired.connector.id.clone())
        {
            self.target.pins.extend(guard::broken_pins(self.pins, desired));
        }
        let desired = desired.map(|resolved| resolved.connector);
        // Of several that differ, some do not hold, and refuse the plan.
        let pin = desired.as_ref().and_then(|connector| self.pins.for_connector(connector).next());
        let Reading::Known(current) = read else { return };
        match Action::from_values(current.as_ref(), desired.as_ref()) {
            None => {
                let (flow, current, source) = (flow.clone(), current.clone(), Place::from(&binding.span));
                self.target.in_sync.push(InSync { flow, step, current, source });
                self.target.unchanged = self.target.in_sync.len();
            }
            Some(action) => self.target.changes.push(Change {
                flow: flow.clone(),
                step,
                action,
                current: current.clone(),
                desired,
                protected: binding.protect,
                pin: pin.cloned(),
                source: Place::from(&binding.span),
            }),
        }
    }

    fn missing(&mut self, flow: &Managed<'_>, answer: &str) {
        // All ids begin alike, which would make all of them near.
        let prefix = flow.id.kind().prefix();
        let name = |id| str::strip_prefix(id, prefix);
        let others = match &self.current.flow_list {
            Some(Reading::Known(list)) => list.as_slice(),
            _ => &[],
        };
        let others = others.iter().filter_map(|id| name(id));
        let wanted = name(flow.id.as_str()).unwrap_or_default();
        let near = self.suggester.nearest(wanted, others).into_iter();
        let near = near.map(|name| format!("{prefix}{name}"));
        let problem = Diagnostic::error(format!("the tenant has no user flow `{}`", flow.id));
        self.errors.push(
            match flow.span {
                Some(span) => problem.at(span),
                None => problem,
            }
            .caused_by(answer)
            .did_you_mean(near)
            .hint("create the flow first, or take it out of the file"),
        );
    }
}
