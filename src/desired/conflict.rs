//! Checks across files of one tenant: each binding is managed by at most one file, and all files agree on
//! cloud, API, client id and kind of flows.

use std::collections::BTreeMap;

use super::files::TenantFile;
use super::findings::Findings;
use super::schema::{File, Flow};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::model::{FlowKey, Prune, Step};

/// Reports to `findings` the bindings that several files of one tenant manage, and settings in which a file
/// differs from the first one of its tenant.
pub(super) fn check(files: &[TenantFile], findings: &mut Findings) {
    let mut tenants = BTreeMap::<_, Vec<_>>::new();
    for file in files {
        if let Some(tenant) = &file.file.tenant {
            tenants.entry(&tenant.value).or_default().push(file);
        }
    }
    for files in tenants.values().filter(|files| files.len() > 1) {
        let mut owners = Owners::default();
        for (at, later) in files.iter().enumerate() {
            let managed = ManagedBindings::new(&later.file);
            if let Some(first) = files.first().filter(|_| at > 0) {
                findings.extend(&later.name, conflicting_settings(first, later));
            }
            findings.extend(&later.name, owners.overlaps(later, &managed));
            owners.add(later, managed);
        }
    }
}

/// Value that all files of one tenant must share, with its location.
struct Setting<'f> {
    name: &'static str,
    /// Value as it is compared; `None` if a file has none.
    value: Option<String>,
    /// Location of the value; that of the tenant if the file leaves the key out.
    span: &'f Span,
}

/// Returns cloud, API, client id and kind of flows of a file, which all files of its tenant must share.
fn settings(file: &File) -> [Setting<'_>; 4] {
    let default = tenant_span(file);
    let flow = file.flows.iter().flatten().next();
    [
        Setting {
            name: "`cloud`",
            value: Some(file.cloud.as_ref().map(|cloud| cloud.value).unwrap_or_default().name().to_owned()),
            span: file.cloud.as_ref().map_or(default, |cloud| &cloud.span),
        },
        Setting {
            name: "`api`",
            value: Some(file.api.as_ref().map(|api| api.value).unwrap_or_default().name().to_owned()),
            span: file.api.as_ref().map_or(default, |api| &api.span),
        },
        Setting {
            name: "`clientId`",
            value: file.client_id.as_ref().map(|id| id.value.to_ascii_lowercase()),
            span: file.client_id.as_ref().map_or(default, |id| &id.span),
        },
        Setting {
            name: "the kind of flows",
            value: flow.map(|flow| flow.id.value.kind().name().to_owned()),
            span: flow.map_or(default, |flow| &flow.id.span),
        },
    ]
}

/// Returns an error for the first setting in which two files of one tenant differ; `None` if they agree. The
/// kind of flows is compared only if both files have flows.
fn conflicting_settings(earlier: &TenantFile, later: &TenantFile) -> Option<Diagnostic> {
    let flows_of_both = |file: &TenantFile| file.file.flows.iter().flatten().next().is_some();
    let have_flows = flows_of_both(earlier) && flows_of_both(later);
    let [cloud, api, client_id, kind] = settings(&earlier.file);
    let [later_cloud, later_api, later_client_id, later_kind] = settings(&later.file);
    let pairs = [(cloud, later_cloud), (api, later_api), (client_id, later_client_id)];
    let kinds = have_flows.then_some((kind, later_kind));
    let (one, other) = pairs.into_iter().chain(kinds).find(|(one, other)| one.value != other.value)?;
    let shown = |value: &Option<String>| {
        value.as_ref().map_or_else(|| "not set".to_owned(), |value| format!("`{value}`"))
    };
    let tenant = later.file.tenant.as_ref().map(|tenant| tenant.value.as_str()).unwrap_or_default();
    let message = format!(
        "for `{tenant}`, {} is {} in `{}` but {} in `{}`",
        one.name,
        shown(&one.value),
        earlier.name,
        shown(&other.value),
        later.name
    );
    let hint = format!("write the same value in all files of one tenant (other: {})", one.span);
    Some(Diagnostic::error(Code::ConflictingSettings, message).at(other.span).hint(hint))
}

/// Returns the location of the tenant in a file, or the start of the file if it has none.
fn tenant_span(file: &File) -> &Span {
    file.tenant.as_ref().map_or(&file.span, |tenant| &tenant.span)
}

/// First file that manages a binding.
struct Owner<'f> {
    file: &'f str,
    flow: &'f Flow,
    /// Location of the binding; `None` if the file prunes it.
    span: Option<&'f Span>,
}

/// Owners of the bindings of the files so far.
#[derive(Default)]
struct Owners<'f> {
    bindings: BTreeMap<(FlowKey<'f>, Step), Owner<'f>>,
    /// Files that prune all flows, with their steps.
    prune: Vec<(&'f str, Vec<Step>)>,
}

impl<'f> Owners<'f> {
    fn add(&mut self, file: &'f TenantFile, managed: ManagedBindings<'f>) {
        for (flow, step, span) in managed.listed() {
            let owner = Owner { file: &file.name, flow, span };
            self.bindings.entry((flow.key(), step)).or_insert(owner);
        }
        if managed.prunes_flows() {
            self.prune.push((&file.name, managed.steps));
        }
    }

    /// Returns errors for the bindings that an earlier file also manages: one for each pair of files, one for
    /// all bindings that come from the same line of a base, and one for all that come from pruning.
    fn overlaps(&self, later: &TenantFile, managed: &ManagedBindings<'_>) -> Vec<Diagnostic> {
        let mut overlaps = BTreeMap::<&str, Vec<Overlap<'_>>>::new();
        let (mut shared, mut pruned) = (None, None);
        for (flow, step, span) in managed.listed() {
            let by_pruning = || self.prune.iter().find(|(_, steps)| steps.contains(&step));
            let owner = self.bindings.get(&(flow.key(), step)).map(|owner| (owner.file, owner.span));
            let Some((name, first)) = owner.or_else(|| by_pruning().map(|(name, _)| (*name, None))) else {
                continue;
            };
            match span {
                Some(span) if first == Some(span) => {
                    shared = shared.or_else(|| Some(managed_twice(flow, step, name, &later.name)));
                }
                Some(span) => {
                    overlaps.entry(name).or_default().push(Overlap { flow, step, span, first });
                }
                None => pruned = pruned.or_else(|| Some(managed_twice(flow, step, name, &later.name))),
            }
        }
        let mut problems: Vec<_> = overlaps
            .iter()
            .filter_map(|(name, overlaps)| overlapping_files(name, &later.name, overlaps))
            .collect();
        if let Some((_, span)) = managed.prune {
            if managed.prunes_flows() {
                let is_pruned = |(flow, step): &(FlowKey<'_>, Step)| {
                    !managed.flows.contains_key(flow) && managed.steps.contains(step)
                };
                let listed = self.bindings.iter().find(|(binding, _)| is_pruned(binding));
                let listed = listed
                    .map(|((_, step), owner)| managed_twice(owner.flow, *step, owner.file, &later.name));
                let shares_step = |steps: &[Step]| steps.iter().any(|step| managed.steps.contains(step));
                let both_prune = self.prune.iter().find(|(_, steps)| shares_step(steps));
                let both_prune =
                    both_prune.map(|(name, _)| format!("both `{name}` and `{}` prune all flows", later.name));
                pruned = pruned.or(listed).or(both_prune);
            }
            problems.extend(pruned.map(|message| {
                Diagnostic::error(Code::ConflictingBindings, message)
                    .at(span)
                    .caused_by("`prune` manages the bindings that the file does not list")
                    .hint(HINT)
            }));
        }
        problems.extend(shared.map(|message| {
            Diagnostic::error(Code::ConflictingBindings, message)
                .at(tenant_span(&later.file))
                .caused_by("both files are for one tenant and have the binding from the same base")
                .hint("let only one of them extend the base, or move the binding from the base into one of them")
        }));
        problems
    }
}

const HINT: &str = "keep each binding in one file";

/// Binding that two files list.
struct Overlap<'f> {
    flow: &'f Flow,
    step: Step,
    span: &'f Span,
    /// Location in the earlier file, unless it prunes the binding.
    first: Option<&'f Span>,
}

fn managed_twice(flow: &Flow, step: Step, one: &str, other: &str) -> String {
    format!("`{}` `{step}` is set in both `{one}` and `{other}`", flow.id.value)
}

fn overlapping_files(one: &str, other: &str, overlaps: &[Overlap<'_>]) -> Option<Diagnostic> {
    const LISTED: usize = 5;
    let first = overlaps.first()?;
    let message = match overlaps {
        [only] => managed_twice(only.flow, only.step, one, other),
        several => format!("{} bindings are set in both `{one}` and `{other}`", several.len()),
    };
    let problem = Diagnostic::error(Code::ConflictingBindings, message).at(first.span);
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

/// Bindings that a file manages.
struct ManagedBindings<'f> {
    flows: BTreeMap<FlowKey<'f>, &'f Flow>,
    steps: Vec<Step>,
    prune: Option<(Prune, &'f Span)>,
}

impl<'f> ManagedBindings<'f> {
    fn new(file: &'f File) -> Self {
        let flows = file.flows.iter().flatten();
        let prune = file.prune.as_ref().map(|prune| (prune.value, &prune.span));
        Self {
            flows: flows.map(|flow| (flow.key(), flow)).collect(),
            steps: file.step_list(),
            prune: prune.filter(|(prune, _)| *prune != Prune::None),
        }
    }

    fn prunes_flows(&self) -> bool {
        self.prune.is_some_and(|(prune, _)| prune == Prune::Flows)
    }

    /// Returns the bindings that a file manages in its listed flows: those that it mentions, and with `None`
    /// as the span those that it prunes.
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
