//! Rules between the keys of a composed file, one function for each.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::decoder::{Problems, Spanned};
use super::message::{error, missing, truncate};
use super::schema::{Binding, File, Flow};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Api, FlowKind, NameMistake, Step, invisible_difference, is_guid, names, spell_out};

/// Longest hold: an exception that lasts longer is a new value of the binding.
const MAX_HOLD: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Reports every rule between keys that a composed file breaks to `problems`. Without the time of the run, the length
/// of holds is not checked.
pub(super) fn check(problems: &mut Problems, file: &File, now: Option<Timestamp>) {
    check_flows_present(problems, file);
    check_connectors_named(problems, file);
    check_flow_id_case(problems, file);
    check_flow_kinds(problems, file);
    check_steps_listed(problems, file);
    check_api_support(problems, file);
    check_short_names(problems, file);
    if let Some(now) = now {
        check_holds(problems, file, now);
    }
}

fn bindings(file: &File) -> impl Iterator<Item = (Step, &Binding)> {
    file.flows().flat_map(|flow| flow.bindings.iter())
}

fn check_flows_present(problems: &mut Problems, file: &File) {
    if file.flows.is_none() && !file.invalid_keys.contains("flows") {
        problems.report(missing("flows", &file.span, "{B2C_1_signup: {postFederationSignup: Fraud check}}"));
    }
}

/// Reports entries of `connectors` without `displayName` and `id`, and bindings without `connector`. A file
/// may leave out keys that a base has, so this holds for the composed file only.
fn check_connectors_named(problems: &mut Problems, file: &File) {
    for (name, entry) in file.connectors.iter().flatten() {
        if entry.display_name.is_none() && entry.id.is_none() && !entry.is_invalid {
            let message = format!("`{}` has neither `displayName` nor `id`", truncate(name));
            let hint = "add `displayName: Fraud check` or `id: <GUID>`";
            problems.report(error(Code::UnnamedConnector, message, &entry.key, hint));
        }
    }
    for (step, binding) in bindings(file) {
        if binding.connector.is_none() && !binding.is_invalid {
            let message = format!("`{step}` has no `connector`");
            let hint = "add `connector: Fraud check`, or `connector: null` to disable";
            problems.report(error(Code::UnnamedConnector, message, &binding.step, hint));
        }
    }
}

/// Reports flow ids that differ only in case. Whether the service distinguishes them is not known, so they
/// are treated as a misspelling.
fn check_flow_id_case(problems: &mut Problems, file: &File) {
    let mut flows: Vec<_> = file.flows().collect();
    flows.sort_by_key(|flow| flow.key());
    for (first, other) in flows.iter().zip(flows.iter().skip(1)).filter(|(one, next)| one.key() == next.key())
    {
        let (first, other) = (&first.id, &other.id);
        let [first_id, other_id] = [first, other].map(|id| truncate(id.value.as_str()));
        let message = format!("flow ids `{first_id}` and `{other_id}` differ only in case");
        let span = &first.span;
        let hint = format!("keep the spelling that the tenant has, as in `flowbind export` (first: {span})");
        problems.report(error(Code::FlowIdCase, message, &other.span, hint));
    }
}

fn check_flow_kinds(problems: &mut Problems, file: &File) {
    let kind = |flow: &Flow| flow.id.value.kind();
    let first = file.flows().next().map(kind);
    if let Some(other) = file.flows().find(|flow| first != Some(kind(flow))) {
        let message = "the file lists both B2C and B2X flows, but a tenant has only one kind";
        let hint = format!("move the `{}` flows to the file of their tenant", kind(other).prefix());
        problems.report(error(Code::MixedFlowKinds, message, &other.id.span, hint));
    }
}

fn check_steps_listed(problems: &mut Problems, file: &File) {
    if file.invalid_keys.contains("steps") {
        return;
    }
    let listed = file.step_list();
    for (step, binding) in bindings(file) {
        if !listed.contains(&step) {
            let hint = match &file.steps {
                Some(steps) => format!("add `{step}` to `steps` ({})", steps.span),
                None => {
                    format!("add to the top level of the file: `steps: [{}]`", names::<Step>().join(", "))
                }
            };
            let message = format!("`{step}` is bound, but `steps` does not list it");
            problems.report(error(Code::UnlistedStep, message, &binding.step, hint));
        }
    }
}

/// Reports a cloud, B2C flows and steps that `api: v1.0` does not support; nothing for another API
/// (<https://learn.microsoft.com/graph/api/b2xidentityuserflow-get-apiconnectorconfiguration>).
fn check_api_support(problems: &mut Problems, file: &File) {
    let Some(api) = file.api.as_ref().filter(|api| api.value == Api::V1) else {
        return;
    };
    let mut report = |message: String, span| {
        let hint = "write `api: beta`, or remove `api`";
        problems.report(error(Code::UnsupportedByApi, message, span, hint));
    };
    let cloud = file.cloud.as_ref().map(|cloud| cloud.value).unwrap_or_default();
    if !api.value.supports_cloud(cloud) {
        report(format!("`api: v1.0` has no user flows in the cloud `{cloud}`"), &api.span);
    }
    if let Some(flow) = file.flows().find(|flow| flow.id.value.kind() == FlowKind::B2c) {
        let id = truncate(flow.id.value.as_str());
        report(format!("`api: v1.0` has no B2C flows such as `{id}`"), &api.span);
    }
    let mut listed = file.steps.iter().flat_map(|steps| &steps.value);
    if let Some(step) = listed.find(|step| !api.value.supports_step(step.value)) {
        report(format!("`api: v1.0` has no step `{}`", step.value), &step.span);
    }
}

/// Reports each binding to a word such as `off`, or to a variable. If the file has `connectors`, also reports each
/// binding to a name that is neither listed there nor a GUID: it is a misspelling, which is found offline.
fn check_short_names(problems: &mut Problems, file: &File) {
    let none = BTreeMap::new();
    let connectors = file.connectors.as_ref().unwrap_or(&none);
    let by_display_name: BTreeMap<_, _> = connectors
        .iter()
        .filter_map(|(key, entry)| Some((entry.display_name.as_ref()?.value.as_str(), key)))
        .collect();
    let values = bindings(file).flat_map(|(_, binding)| {
        [binding.connector.as_ref(), binding.hold().and_then(|hold| hold.bind.as_ref())]
    });
    for value in values.flatten() {
        let Spanned { value: Some(name), span } = value else { continue };
        if connectors.contains_key(name) || is_guid(name) {
            continue;
        }
        let (shown, key) = (truncate(name), by_display_name.get(name.as_str()));
        if let Some(mistake) = NameMistake::detect(name).filter(|_| key.is_none()) {
            problems.report(error(Code::InvalidValue, mistake.message(&shown), span, mistake.hint()));
            continue;
        }
        if file.connectors.is_none() {
            continue;
        }
        let message = format!("unknown connector `{shown}`: not listed under `connectors`");
        let problem = Diagnostic::error(Code::UnknownShortName, message).at(span);
        let similar = |name: &str| {
            let keys = connectors.keys().map(String::as_str);
            keys.filter_map(|key| Some((key, invisible_difference(name, key)?))).next()
        };
        problems.report(match (key, similar(name)) {
            (Some(key), _) => problem.hint(format!("write the short name `{}`", truncate(key))),
            (None, Some((key, difference))) => problem
                .note(format!("`{}` has {difference}", truncate(name)))
                .hint(format!("write `{}`", truncate(&spell_out(key)))),
            (None, None) => problems
                .suggester
                .suggest(problem, name, connectors.keys().map(String::as_str))
                .hint(format!("add `{shown}` to `connectors`, or write the connector's id")),
        });
    }
}

/// Reports holds that end too long after the time of the run.
fn check_holds(problems: &mut Problems, file: &File, now: Timestamp) {
    let latest = now.checked_add(MAX_HOLD).unwrap_or(Timestamp::MAX);
    for until in bindings(file).filter_map(|(_, binding)| Some(&binding.hold()?.until)) {
        if until.value > latest {
            let days = MAX_HOLD.as_hours() / 24;
            let message = format!("`until` is {}, more than {days} days ahead", until.value);
            let hint = format!("write a time up to {latest}; for a longer time, change `connector`");
            problems.report(error(Code::HoldTooLong, message, &until.span, hint));
        }
    }
}
