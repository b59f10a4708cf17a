//! What several files of one tenant must not say together: each binding has one file that manages
//! it, and the way to the tenant is one.

use std::collections::BTreeMap;

use super::files::Composed;
use super::findings::Findings;
use super::schema::{File, Flow};
use crate::diagnostic::{Diagnostic, Span};
use crate::model::{Prune, Step};

/// Reports what the files of the same tenant contradict one another in.
pub(super) fn check(files: &[Composed], findings: &mut Findings) {
    let mut tenants = BTreeMap::<_, Vec<_>>::new();
    for composed in files {
        if let Some(tenant) = &composed.file.tenant {
            tenants.entry(tenant.value.as_str().to_ascii_lowercase()).or_default().push(composed);
        }
    }
    for files in tenants.values().filter(|files| files.len() > 1) {
        let managed: Vec<_> = files.iter().map(|composed| Managed::of(&composed.file)).collect();
        for (at, (later, ours)) in files.iter().zip(&managed).enumerate() {
            for (earlier, theirs) in files.iter().zip(&managed).take(at) {
                findings.extend(&later.name, differ(earlier, later));
                findings.extend(&later.name, clash(earlier, theirs, later, ours));
            }
        }
    }
}

/// What two files of one tenant must have in common.
fn differ(earlier: &Composed, later: &Composed) -> Vec<Diagnostic> {
    let (one, two) = (&earlier.file, &later.file);
    let value = |file: &File| {
        let cloud = file.cloud.as_ref().map(|cloud| cloud.value).unwrap_or_default();
        let api = file.api.as_ref().map(|api| api.value).unwrap_or_default();
        let client_id = file.client_id.as_ref().map(|id| id.value.to_ascii_lowercase());
        let kind = file.flows.iter().flatten().next().map(|flow| flow.id.value.kind());
        (cloud, api, client_id, kind)
    };
    let (theirs, ours) = (value(one), value(two));
    let both_have_flows = theirs.3.is_some() && ours.3.is_some();
    let key = if theirs.0 != ours.0 {
        ("`cloud`", two.cloud.as_ref().map(|cloud| &cloud.span))
    } else if theirs.1 != ours.1 {
        ("`api`", two.api.as_ref().map(|api| &api.span))
    } else if theirs.2 != ours.2 {
        ("`clientId`", two.client_id.as_ref().map(|id| &id.span))
    } else if both_have_flows && theirs.3 != ours.3 {
        ("the kind of their flows", two.flows.iter().flatten().next().map(|flow| &flow.id.span))
    } else {
        return Vec::new();
    };
    let (what, span) = key;
    let problem = Diagnostic::error(format!(
        "`{}` and `{}` are of one tenant, and differ in {what}",
        earlier.name, later.name
    ));
    let span = span.or(two.tenant.as_ref().map(|tenant| &tenant.span)).unwrap_or(&two.place);
    vec![problem.at(span).hint("let the files of one tenant say the same of it")]
}

/// Reports each binding that both files manage; those that come of pruning once.
fn clash(earlier: &Composed, theirs: &Managed<'_>, later: &Composed, ours: &Managed<'_>) -> Vec<Diagnostic> {
    let both = format!("`{}` and `{}`", earlier.name, later.name);
    let hint = "let one file alone manage a binding";
    let mut problems = Vec::new();
    let mut pruned = None;
    for (flow, step, place) in ours.listed() {
        if !theirs.manages(flow, step) {
            continue;
        }
        let id = &flow.id.value;
        match place {
            Some(place) => problems.push(
                Diagnostic::error(format!("`{step}` of `{id}` is managed by {both}")).at(place).hint(hint),
            ),
            None => pruned = pruned.or(Some(format!("`{step}` of `{id}`"))),
        }
    }
    if let Some((_, span)) = ours.prune.filter(|(prune, _)| *prune == Prune::Flows) {
        let taken = theirs.listed().find(|(flow, step, _)| !ours.lists(flow) && ours.steps.contains(step));
        pruned = pruned.or(taken.map(|(flow, step, _)| format!("`{step}` of `{}`", flow.id.value)));
        if theirs.prunes_flows() && theirs.steps.iter().any(|step| ours.steps.contains(step)) {
            let problem = Diagnostic::error(format!("{both} are of one tenant, and prune all its flows"));
            problems.push(problem.at(span).hint(hint));
        }
    }
    if let (Some(binding), Some((_, span))) = (pruned, ours.prune) {
        let problem = Diagnostic::error(format!("{binding} is managed by {both}: this prunes it"));
        problems.push(problem.at(span).hint(hint));
    }
    problems
}

/// What a file manages.
struct Managed<'f> {
    /// By the id in lower case, since two ids that differ in nothing else may be one.
    flows: BTreeMap<String, &'f Flow>,
    steps: Vec<Step>,
    prune: Option<(Prune, &'f Span)>,
}

impl<'f> Managed<'f> {
    fn of(file: &'f File) -> Self {
        let flows = file.flows.iter().flatten();
        let prune = file.prune.as_ref().map(|prune| (prune.value, &prune.span));
        Self {
            flows: flows.map(|flow| (flow.id.value.as_str().to_lowercase(), flow)).collect(),
            steps: file.step_list(),
            prune: prune.filter(|(prune, _)| *prune != Prune::None),
        }
    }

    fn find(&self, flow: &Flow) -> Option<&'f Flow> {
        self.flows.get(&flow.id.value.as_str().to_lowercase()).copied()
    }

    fn lists(&self, flow: &Flow) -> bool {
        self.find(flow).is_some()
    }

    fn prunes_flows(&self) -> bool {
        self.prune.is_some_and(|(prune, _)| prune == Prune::Flows)
    }

    fn manages(&self, flow: &Flow, step: Step) -> bool {
        match self.find(flow) {
            Some(flow) if flow.bindings.contains_key(&step) => true,
            Some(_) => self.prune.is_some() && self.steps.contains(&step),
            None => self.prunes_flows() && self.steps.contains(&step),
        }
    }

    /// The bindings of the flows that it lists, each with its place, or none where it prunes them.
    fn listed(&self) -> impl Iterator<Item = (&'f Flow, Step, Option<&'f Span>)> {
        self.flows.values().flat_map(move |flow| {
            let mentioned = flow.bindings.iter().map(|(step, binding)| (*flow, *step, Some(binding.place())));
            let pruned =
                self.steps.iter().filter(|step| self.prune.is_some() && !flow.bindings.contains_key(step));
            mentioned.chain(pruned.map(|step| (*flow, *step, None)))
        })
    }
}
