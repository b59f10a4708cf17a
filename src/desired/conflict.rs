//! Checks across files of one tenant: each binding is managed by at most one file, and all files agree on
//! cloud, API, client id and kind of flows.

use std::collections::BTreeMap;

use super::decoder::Spanned;
use super::files::NamedFile;
use super::findings::Findings;
use super::message::error;
use super::schema::{File, Flow};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::model::{FlowId, FlowKey, Ownership, Prune, Step};

/// Reports to `findings` the bindings that several files of one tenant manage, and settings in which a file
/// differs from the first one of its tenant.
pub(super) fn check(files: &[NamedFile], findings: &mut Findings) {
    let mut tenants = BTreeMap::<_, Vec<_>>::new();
    for file in files {
        if let Some(tenant) = &file.file.tenant {
            tenants.entry(&tenant.value).or_default().push(file);
        }
    }
    for files in tenants.values().filter(|files| files.len() > 1) {
        let mut owners = Ownership::default();
        for (at, later) in files.iter().enumerate() {
            let managed = ManagedBindings::new(&later.file);
            if let Some(first) = files.first().filter(|_| at > 0) {
                findings.extend(&later.name, conflicting_settings(first, later));
            }
            findings.extend(&later.name, overlaps(&owners, later, &managed));
            let owner = |span| Owner { file: &later.name, span };
            managed.listed().for_each(|(flow, step, span)| owners.add(flow, step, owner(span)));
            if managed.prunes_flows() {
                owners.add_pruning(managed.steps, owner(None));
            }
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

/// Returns cloud, API and client id of a file, which all files of its tenant must share, and the kind of flows if
/// the file has flows.
fn settings(file: &File) -> impl Iterator<Item = Setting<'_>> {
    let setting =
        |name, value, span: Option<_>| Setting { name, value, span: span.unwrap_or(file.tenant_span()) };
    let File { cloud, api, client_id, .. } = file;
    let cloud_name = cloud.as_ref().map(|cloud| cloud.value).unwrap_or_default().name();
    let api_name = api.as_ref().map(|api| api.value).unwrap_or_default().name();
    let client = client_id.as_ref().map(|id| id.value.to_ids().to_string().to_ascii_lowercase());
    let flow = file.flows().next().map(|flow| &flow.id);
    let kind =
        flow.map(|id| setting("the kind of flows", Some(id.value.kind().name().to_owned()), Some(&id.span)));
    let keys = [
        setting("`cloud`", Some(cloud_name.to_owned()), cloud.as_ref().map(|cloud| &cloud.span)),
        setting("`api`", Some(api_name.to_owned()), api.as_ref().map(|api| &api.span)),
        setting("`clientId`", client, client_id.as_ref().map(|id| &id.span)),
    ];
    keys.into_iter().chain(kind)
}

/// Returns an error for the first setting in which two files of one tenant differ; `None` if they agree. The
/// kind of flows is compared only if both files have flows.
fn conflicting_settings(earlier: &NamedFile, later: &NamedFile) -> Option<Diagnostic> {
    let mut pairs = settings(&earlier.file).zip(settings(&later.file));
    let (one, other) = pairs.find(|(one, other)| one.value != other.value)?;
    let shown = |value: Option<String>| value.map_or("not set".to_owned(), |value| format!("`{value}`"));
    let tenant = later.file.tenant.as_ref().map(|tenant| tenant.value.as_str()).unwrap_or_default();
    let message = format!(
        "for `{tenant}`, {} is {} in `{}` but {} in `{}`",
        one.name,
        shown(one.value),
        earlier.name,
        shown(other.value),
        later.name
    );
    let hint = format!("write the same value in all files of one tenant (other: {})", one.span);
    Some(error(Code::ConflictingSettings, message, other.span, hint))
}

/// First file that manages a binding.
struct Owner<'f> {
    file: &'f str,
    /// Location of the binding; `None` if the file prunes it.
    span: Option<&'f Span>,
}

const HINT: &str = "keep each binding in one file";

/// Returns errors for the bindings that an earlier file also manages: one for each pair of files, one for all
/// bindings that come from the same line of a base, and one for all that come from pruning.
fn overlaps(
    owners: &Ownership<'_, Owner<'_>>,
    later: &NamedFile,
    managed: &ManagedBindings<'_>,
) -> Vec<Diagnostic> {
    let mut overlaps = BTreeMap::<_, Vec<_>>::new();
    let (mut shared, mut pruned) = (None, None);
    for (flow, step, span) in managed.listed() {
        let Some(Owner { file, span: first }) = owners.owner(flow, step) else { continue };
        let message = || managed_twice(flow, step, file, &later.name);
        match span {
            Some(span) if *first == Some(span) => shared = shared.or_else(|| Some(message())),
            Some(span) => {
                overlaps.entry(*file).or_default().push(Overlap { flow, step, span, first: *first })
            }
            None => pruned = pruned.or_else(|| Some(message())),
        }
    }
    let overlaps = overlaps.iter();
    let mut problems: Vec<_> =
        overlaps.filter_map(|(name, it)| overlapping_files(name, &later.name, it)).collect();
    if let Some(prune) = managed.prune {
        if managed.prunes_flows() {
            let is_pruned = |flow: &FlowId, step| {
                !managed.flows.contains_key(&FlowKey::from(flow)) && managed.steps.contains(&step)
            };
            let listed = owners.listed().find(|(flow, step, _)| is_pruned(flow, *step));
            let listed = listed.map(|(flow, step, owner)| managed_twice(flow, step, owner.file, &later.name));
            let both_prune =
                owners.pruning().find(|(steps, _)| steps.iter().any(|it| managed.steps.contains(it)));
            let both_prune = both_prune
                .map(|(_, owner)| format!("both `{}` and `{}` prune all flows", owner.file, later.name));
            pruned = pruned.or(listed).or(both_prune);
        }
        problems.extend(pruned.map(|message| {
            error(Code::ConflictingBindings, message, &prune.span, HINT)
                .caused_by("`prune` manages the bindings that the file does not list")
        }));
    }
    problems.extend(shared.map(|message| {
        let hint = "let only one of them extend the base, or move the binding from the base into one of them";
        error(Code::ConflictingBindings, message, later.file.tenant_span(), hint)
            .caused_by("both files are for one tenant and have the binding from the same base")
    }));
    problems
}

/// Binding that two files list.
struct Overlap<'f> {
    flow: &'f FlowId,
    step: Step,
    span: &'f Span,
    /// Location in the earlier file, unless it prunes the binding.
    first: Option<&'f Span>,
}

fn managed_twice(flow: &FlowId, step: Step, one: &str, other: &str) -> String {
    format!("`{flow}` `{step}` is set in both `{one}` and `{other}`")
}

fn overlapping_files(one: &str, other: &str, overlaps: &[Overlap<'_>]) -> Option<Diagnostic> {
    const LISTED: usize = 5;
    let first = overlaps.first()?;
    let message = match overlaps {
        [only] => managed_twice(only.flow, only.step, one, other),
        several => format!("{} bindings are set in both `{one}` and `{other}`", several.len()),
    };
    let earlier = first.first.map(|first| format!(" (first: {first})")).unwrap_or_default();
    let problem = error(Code::ConflictingBindings, message, first.span, format!("{HINT}{earlier}"));
    if overlaps.len() == 1 {
        return Some(problem);
    }
    let listed = overlaps.iter().take(LISTED).map(|it| format!("`{}` `{}`", it.flow, it.step));
    let more = overlaps.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(problem.note(format!("bindings: {}{more}", listed.collect::<Vec<_>>().join(", "))))
}

/// Bindings that a file manages.
struct ManagedBindings<'f> {
    flows: BTreeMap<FlowKey<'f>, &'f Flow>,
    steps: Vec<Step>,
    prune: Option<&'f Spanned<Prune>>,
}

impl<'f> ManagedBindings<'f> {
    fn new(file: &'f File) -> Self {
        Self {
            flows: file.flows().map(|flow| (flow.key(), flow)).collect(),
            steps: file.step_list(),
            prune: file.prune.as_ref().filter(|prune| prune.value != Prune::None),
        }
    }

    fn prunes_flows(&self) -> bool {
        self.prune.is_some_and(|prune| prune.value == Prune::Flows)
    }

    /// Returns the bindings that a file manages in its listed flows: those that it mentions, and with `None`
    /// as the span those that it prunes.
    fn listed(&self) -> impl Iterator<Item = (&'f FlowId, Step, Option<&'f Span>)> {
        self.flows.values().flat_map(move |flow| {
            let mentioned = flow.bindings.iter().map(|(step, binding)| (step, Some(binding.value_span())));
            let is_pruned = |step: &Step| self.prune.is_some() && !flow.bindings.contains_key(*step);
            let pruned = self.steps.iter().copied().filter(is_pruned).map(|step| (step, None));
            mentioned.chain(pruned).map(|(step, span)| (&flow.id.value, step, span))
        })
    }
}
