//! What several files of one tenant must not say together: each binding has one file that manages
//! it, and the way to the tenant is one.

use std::collections::BTreeMap;

use super::files::TenantFile;
use super::findings::Findings;
use super::schema::{File, Flow};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::model::{Prune, Step};

/// Reports what the files of the same tenant contradict one another in.
pub(super) fn check(files: &[TenantFile], findings: &mut Findings) {
    let mut tenants = BTreeMap::<_, Vec<_>>::new();
    for composed in files {
        if let Some(tenant) = &composed.file.tenant {
            tenants.entry(tenant.value.as_str().to_ascii_lowercase()).or_default().push(composed);
        }
    }
    for files in tenants.values().filter(|files| files.len() > 1) {
        let mut owners = Owners::default();
        for (at, later) in files.iter().enumerate() {
            let ours = ManagedBindings::of(&later.file);
            if let Some(first) = files.first().filter(|_| at > 0) {
                findings.extend(&later.name, conflicting_settings(first, later));
            }
            findings.extend(&later.name, owners.overlaps(later, &ours));
            owners.add(later, ours);
        }
    }
}

/// What two files of one tenant must have in common.
fn conflicting_settings(earlier: &TenantFile, later: &TenantFile) -> Vec<Diagnostic> {
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
    let span = |file| place(file).unwrap_or_else(|| tenant_span(file));
    let other = format!("write the same value in all files of one tenant (other: {})", span(one));
    vec![problem.at(span(two)).hint(other)]
}

/// Where a file says which tenant it is about.
fn tenant_span(file: &File) -> &Span {
    file.tenant.as_ref().map_or(&file.span, |tenant| &tenant.span)
}

/// What the files before manage.
#[derive(Default)]
struct Owners<'f> {
    /// By flow in lower case and step: the first file that does, its flow, and where it says so.
    bindings: BTreeMap<(String, Step), (&'f str, &'f Flow, Option<&'f Span>)>,
    /// The files that prune all flows, and at which steps.
    prune: Vec<(&'f str, Vec<Step>)>,
}

impl<'f> Owners<'f> {
    fn add(&mut self, file: &'f TenantFile, managed: ManagedBindings<'f>) {
        for (flow, step, place) in managed.listed() {
            self.bindings.entry((lower(flow), step)).or_insert((&file.name, flow, place));
        }
        if managed.prunes_flows() {
            self.prune.push((&file.name, managed.steps));
        }
    }

    /// Reports the bindings that an earlier file manages too: one problem for each pair of files, one for
    /// those that come from the same line of a base, and one for those that come from pruning.
    fn overlaps(&self, later: &TenantFile, ours: &ManagedBindings<'_>) -> Vec<Diagnostic> {
        let mut overlaps = BTreeMap::<&str, Vec<Overlap<'_>>>::new();
        let (mut shared, mut pruned) = (None, None);
        for (flow, step, place) in ours.listed() {
            let by_pruning = || self.prune.iter().find(|(_, steps)| steps.contains(&step));
            let owners = self.bindings.get(&(lower(flow), step)).map(|(name, _, place)| (*name, *place));
            let Some((name, theirs)) = owners.or_else(|| by_pruning().map(|(name, _)| (*name, None))) else {
                continue;
            };
            match place {
                Some(place) if theirs == Some(place) => {
                    shared = shared.or_else(|| Some(managed_twice(flow, step, name, &later.name)));
                }
                Some(place) => {
                    overlaps.entry(name).or_default().push(Overlap { flow, step, place, first: theirs });
                }
                None => pruned = pruned.or_else(|| Some(managed_twice(flow, step, name, &later.name))),
            }
        }
        let mut problems: Vec<_> = overlaps
            .iter()
            .filter_map(|(name, overlaps)| overlap_of_files(name, &later.name, overlaps))
            .collect();
        if let Some((_, span)) = ours.prune {
            let others =
                |(flow, step): &(String, Step)| !ours.flows.contains_key(flow) && ours.steps.contains(step);
            if ours.prunes_flows() {
                let owners = self.bindings.iter().find(|(at, _)| others(at));
                pruned = pruned
                    .or(owners
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
                .at(tenant_span(&later.file))
                .caused_by("both files are of one tenant and extend the same file")
                .hint(HINT)
        }));
        problems
    }
}

const HINT: &str = "keep each binding in one file";

/// Binding that two files list.
struct Overlap<'f> {
    flow: &'f Flow,
    step: Step,
    place: &'f Span,
    /// Location in the earlier file, unless it prunes the binding.
    first: Option<&'f Span>,
}

fn managed_twice(flow: &Flow, step: Step, one: &str, other: &str) -> String {
    format!("`{}` `{step}` is set in both `{one}` and `{other}`", flow.id.value)
}

fn overlap_of_files(one: &str, other: &str, overlaps: &[Overlap<'_>]) -> Option<Diagnostic> {
    const LISTED: usize = 5;
    let first = overlaps.first()?;
    let message = match overlaps {
        [only] => managed_twice(only.flow, only.step, one, other),
        several => format!("{} bindings are set in both `{one}` and `{other}`", several.len()),
    };
    let problem = Diagnostic::error(Code::ConflictingBindings, message).at(first.place);
    let problem = if overlaps.len() > 1 {
        let listed = overlaps.iter().take(LISTED);
        let listed: Vec<_> = listed.map(|it| format!("`{}` `{}`", it.flow.id.value, it.step)).collect();
        let more = overlaps.len().saturating_sub(LISTED);
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
struct ManagedBindings<'f> {
    /// By the id in lower case, since two ids that differ in nothing else may be one.
    flows: BTreeMap<String, &'f Flow>,
    steps: Vec<Step>,
    prune: Option<(Prune, &'f Span)>,
}

impl<'f> ManagedBindings<'f> {
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
            let mentioned =
                flow.bindings.iter().map(|(step, binding)| (*flow, step, Some(binding.value_span())));
            let pruned =
                self.steps.iter().filter(|step| self.prune.is_some() && !flow.bindings.contains_key(**step));
            mentioned.chain(pruned.map(|step| (*flow, *step, None)))
        })
    }
}
