//! What several files of one tenant must not say together: each binding has one file that manages
//! it, and the way to the tenant is one.

use std::collections::BTreeMap;

use super::files::Composed;
use super::findings::Findings;
use super::schema::{File, Flow};
use crate::diagnostic::{Code, Diagnostic, Span};
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
        let mut taken = Taken::default();
        for (at, later) in files.iter().enumerate() {
            let ours = Managed::of(&later.file);
            if let Some(first) = files.first().filter(|_| at > 0) {
                findings.extend(&later.name, differ(first, later));
            }
            findings.extend(&later.name, taken.clash(later, &ours));
            taken.add(later, ours);
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
    let (what, place): (_, fn(&File) -> Option<&Span>) = if theirs.0 != ours.0 {
        ("`cloud`", |file| file.cloud.as_ref().map(|cloud| &cloud.span))
    } else if theirs.1 != ours.1 {
        ("`api`", |file| file.api.as_ref().map(|api| &api.span))
    } else if theirs.2 != ours.2 {
        ("`clientId`", |file| file.client_id.as_ref().map(|id| &id.span))
    } else if both_have_flows && theirs.3 != ours.3 {
        ("the kind of their flows", |file| file.flows.iter().flatten().next().map(|flow| &flow.id.span))
    } else {
        return Vec::new();
    };
    let message = format!("`{}` and `{}` target one tenant, but differ in {what}", earlier.name, later.name);
    let problem = Diagnostic::error(Code::ConflictingSettings, message);
    // Where a file leaves it out, its tenant has what is the default.
    let span = |file| place(file).unwrap_or_else(|| of_the_tenant(file));
    let other = format!("write the same value in all files of one tenant (other: {})", span(one));
    vec![problem.at(span(two)).hint(other)]
}

/// Where a file says which tenant it is about.
fn of_the_tenant(file: &File) -> &Span {
    file.tenant.as_ref().map_or(&file.place, |tenant| &tenant.span)
}

/// What the files before manage.
#[derive(Default)]
struct Taken<'f> {
    /// By flow in lower case and step: the first file that does, its flow, and where it says so.
    bindings: BTreeMap<(String, Step), (&'f str, &'f Flow, Option<&'f Span>)>,
    /// The files that prune all flows, and at which steps.
    prune: Vec<(&'f str, Vec<Step>)>,
}

impl<'f> Taken<'f> {
    fn add(&mut self, file: &'f Composed, managed: Managed<'f>) {
        for (flow, step, place) in managed.listed() {
            self.bindings.entry((lower(flow), step)).or_insert((&file.name, flow, place));
        }
        if managed.prunes_flows() {
            self.prune.push((&file.name, managed.steps));
        }
    }

    /// Reports the bindings that an earlier file manages too: one problem for each pair of files, one for
    /// those that come from the same line of a base, and one for those that come from pruning.
    fn clash(&self, later: &Composed, ours: &Managed<'_>) -> Vec<Diagnostic> {
        let mut clashes = BTreeMap::<&str, Vec<Clash<'_>>>::new();
        let (mut shared, mut pruned) = (None, None);
        for (flow, step, place) in ours.listed() {
            let by_pruning = || self.prune.iter().find(|(_, steps)| steps.contains(&step));
            let taken = self.bindings.get(&(lower(flow), step)).map(|(name, _, place)| (*name, *place));
            let Some((name, theirs)) = taken.or_else(|| by_pruning().map(|(name, _)| (*name, None))) else {
                continue;
            };
            match place {
                Some(place) if theirs == Some(place) => {
                    shared = shared.or_else(|| Some(managed_twice(flow, step, name, &later.name)));
                }
                Some(place) => {
                    clashes.entry(name).or_default().push(Clash { flow, step, place, first: theirs });
                }
                None => pruned = pruned.or_else(|| Some(managed_twice(flow, step, name, &later.name))),
            }
        }
        let mut problems: Vec<_> =
            clashes.iter().filter_map(|(name, clashes)| clash_of_files(name, &later.name, clashes)).collect();
        if let Some((_, span)) = ours.prune {
            let others =
                |(flow, step): &(String, Step)| !ours.flows.contains_key(flow) && ours.steps.contains(step);
            if ours.prunes_flows() {
                let taken = self.bindings.iter().find(|(at, _)| others(at));
                pruned = pruned
                    .or(taken
                        .map(|((_, step), (name, flow, _))| managed_twice(flow, *step, name, &later.name)));
                let all =
                    self.prune.iter().find(|(_, steps)| steps.iter().any(|step| ours.steps.contains(step)));
                pruned = pruned
                    .or(all.map(|(name, _)| format!("both `{name}` and `{}` prune all flows", later.name)));
            }
            problems.extend(pruned.map(|what| {
                let problem = Diagnostic::error(Code::ConflictingBindings, what).at(span);
                problem.caused_by("`prune` manages the bindings that the file does not list").hint(HINT)
            }));
        }
        problems.extend(shared.map(|what| {
            Diagnostic::error(Code::ConflictingBindings, what)
                .at(of_the_tenant(&later.file))
                .caused_by("both files are of one tenant and extend the same file")
                .hint(HINT)
        }));
        problems
    }
}

const HINT: &str = "keep each binding in one file";

/// Binding that two files list.
struct Clash<'f> {
    flow: &'f Flow,
    step: Step,
    place: &'f Span,
    /// Location in the earlier file, unless it prunes the binding.
    first: Option<&'f Span>,
}

fn managed_twice(flow: &Flow, step: Step, one: &str, other: &str) -> String {
    format!("`{}` `{step}` is set in both `{one}` and `{other}`", flow.id.value)
}

fn clash_of_files(one: &str, other: &str, clashes: &[Clash<'_>]) -> Option<Diagnostic> {
    const LISTED: usize = 5;
    let first = clashes.first()?;
    let message = match clashes {
        [only] => managed_twice(only.flow, only.step, one, other),
        several => format!("{} bindings are set in both `{one}` and `{other}`", several.len()),
    };
    let problem = Diagnostic::error(Code::ConflictingBindings, message).at(first.place);
    let problem = if clashes.len() > 1 {
        let listed = clashes.iter().take(LISTED);
        let listed: Vec<_> = listed.map(|it| format!("`{}` `{}`", it.flow.id.value, it.step)).collect();
        let more = clashes.len().saturating_sub(LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        problem.note(format!("bindings: {}{more}", listed.join(", ")))
    } else {
        problem
    };
    Some(match first.first {
        Some(first) => problem.hint(format!("{HINT} (first: {first})")),
        None => problem.hint(HINT),
    })
}

fn lower(flow: &Flow) -> String {
    flow.id.value.as_str().to_lowercase()
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
            flows: flows.map(|flow| (lower(flow), flow)).collect(),
            steps: file.step_list(),
            prune: prune.filter(|(prune, _)| *prune != Prune::None),
        }
    }

    fn prunes_flows(&self) -> bool {
        self.prune.is_some_and(|(prune, _)| prune == Prune::Flows)
    }

    /// The bindings of the flows that it lists, each with its place, or none where it prunes them.
    fn listed(&self) -> impl Iterator<Item = (&'f Flow, Step, Option<&'f Span>)> {
        self.flows.values().flat_map(move |flow| {
            let mentioned = flow.bindings.iter().map(|(step, binding)| (*flow, step, Some(binding.place())));
            let pruned =
                self.steps.iter().filter(|step| self.prune.is_some() && !flow.bindings.contains_key(**step));
            mentioned.chain(pruned.map(|step| (*flow, *step, None)))
        })
    }
}
