//! What the keys of a file must say together: one named check for each rule.

use std::collections::BTreeMap;

use super::decoder::{Problems, Spanned, missing, truncate};
use super::schema::{Binding, File, Flow};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Api, FlowKind, Step, is_guid};

/// Reports every rule that a file breaks, with all that it extends.
pub(super) fn check(problems: &mut Problems, file: &File) {
    flows_are_given(problems, file);
    names_say_what_they_name(problems, file);
    ids_differ_in_more_than_case(problems, file);
    flows_are_of_one_kind(problems, file);
    bound_steps_are_listed(problems, file);
    api_has_what_the_file_uses(problems, file);
    bindings_name_known_connectors(problems, file);
}

fn bindings(file: &File) -> impl Iterator<Item = (&Flow, Step, &Binding)> {
    flows(file).flat_map(|flow| flow.bindings.iter().map(move |(step, binding)| (flow, step, binding)))
}

fn flows(file: &File) -> impl Iterator<Item = &Flow> {
    file.flows.iter().flatten()
}

fn flows_are_given(problems: &mut Problems, file: &File) {
    if file.flows.is_none() {
        problems.report(missing("flows", &file.span, "{B2C_1_signup: {postFederationSignup: Fraud check}}"));
    }
}

/// A file may give a part alone of what a base gives the rest of; none may leave it at that.
fn names_say_what_they_name(problems: &mut Problems, file: &File) {
    for (name, entry) in file.connectors.iter().flatten() {
        if entry.display_name.is_none() && entry.id.is_none() && !entry.is_invalid {
            let message = format!("`{}` names no connector", truncate(name));
            let problem = Diagnostic::error(Code::UnnamedConnector, message).at(&entry.key);
            problems.report(
                problem.hint("write a displayName, or `{displayName: Fraud check}`, or `{id: <GUID>}`"),
            );
        }
    }
    for (_, step, binding) in bindings(file) {
        if binding.connector.is_none() && !binding.is_invalid {
            let message = format!("`{step}` names no connector");
            let problem = Diagnostic::error(Code::UnnamedConnector, message).at(&binding.step);
            problems.report(problem.hint("add `connector: Fraud check`, or `connector: null` to disable"));
        }
    }
}

/// The service's own rule for the case of ids is not known, so two that differ in nothing else
/// are taken for a slip.
fn ids_differ_in_more_than_case(problems: &mut Problems, file: &File) {
    let mut ids: Vec<_> = flows(file).map(|flow| (flow.id.value.as_str().to_lowercase(), &flow.id)).collect();
    ids.sort_by(|(one, _), (other, _)| one.cmp(other));
    for pair in ids.windows(2) {
        if let [(one, first), (other, id)] = pair
            && one == other
        {
            problems.report(
                Diagnostic::error(
                    Code::FlowIdCase,
                    format!(
                        "`{}` and `{}` differ only in case",
                        truncate(first.value.as_str()),
                        truncate(id.value.as_str())
                    ),
                )
                .at(&id.span)
                .hint(format!("keep the spelling that the tenant has (first: {})", first.span)),
            );
        }
    }
}

fn flows_are_of_one_kind(problems: &mut Problems, file: &File) {
    let Some(first) = flows(file).next() else {
        return;
    };
    let kind = first.id.value.kind();
    if let Some(other) = flows(file).find(|flow| flow.id.value.kind() != kind) {
        problems.report(
            Diagnostic::error(
                Code::MixedFlowKinds,
                "the file lists both B2C and B2X flows, but a tenant has only one kind",
            )
            .at(&other.id.span)
            .hint(format!("move the `{}` flows to the file of their tenant", other.id.value.kind().prefix())),
        );
    }
}

fn bound_steps_are_listed(problems: &mut Problems, file: &File) {
    if file.invalid_keys.contains("steps") {
        return;
    }
    let listed = file.step_list();
    for (_, step, binding) in bindings(file) {
        if !listed.contains(&step) {
            problems.report(
                Diagnostic::error(
                    Code::UnlistedStep,
                    format!("`{step}` is bound, but `steps` does not list it"),
                )
                .at(&binding.step)
                .hint(format!("add `{step}` to the `steps` at the top of the file")),
            );
        }
    }
}

/// Graph v1.0 has B2X flows only, two steps only, and neither in the US Government clouds
/// (<https://learn.microsoft.com/graph/api/b2xidentityuserflow-get-apiconnectorconfiguration>).
fn api_has_what_the_file_uses(problems: &mut Problems, file: &File) {
    let Some(api) = file.api.as_ref().filter(|api| api.value == Api::V1) else {
        return;
    };
    let beta = "write `api: beta`, or leave `api` out";
    let cloud = file.cloud.as_ref().map(|cloud| cloud.value).unwrap_or_default();
    if !api.value.supports_cloud(cloud) {
        problems.report(
            Diagnostic::error(
                Code::UnsupportedByApi,
                format!("`api: v1.0` has no user flows in the cloud `{cloud}`"),
            )
            .at(&api.span)
            .hint(beta),
        );
    }
    if let Some(flow) = flows(file).find(|flow| flow.id.value.kind() == FlowKind::B2c) {
        problems.report(
            Diagnostic::error(
                Code::UnsupportedByApi,
                format!("`api: v1.0` has no B2C flows such as `{}`", truncate(flow.id.value.as_str())),
            )
            .at(&api.span)
            .hint(beta),
        );
    }
    let mut listed = file.steps.iter().flat_map(|steps| &steps.value);
    if let Some(step) = listed.find(|step| !api.value.supports_step(step.value)) {
        problems.report(
            Diagnostic::error(Code::UnsupportedByApi, format!("`api: v1.0` has no step `{}`", step.value))
                .at(&step.span)
                .hint(beta),
        );
    }
}

/// With `connectors`, a name that is none of its keys is a slip that is found offline.
fn bindings_name_known_connectors(problems: &mut Problems, file: &File) {
    let Some(connectors) = &file.connectors else {
        return;
    };
    let by_display_name: BTreeMap<_, _> = connectors
        .iter()
        .filter_map(|(key, entry)| Some((entry.display_name.as_ref()?.value.as_str(), key)))
        .collect();
    for (_, _, binding) in bindings(file) {
        let Some(Spanned { value: Some(name), span }) = &binding.connector else {
            continue;
        };
        if connectors.contains_key(name) || is_guid(name) {
            continue;
        }
        let shown = truncate(name);
        let message = format!("unknown connector `{shown}`: not listed under `connectors`");
        let problem = Diagnostic::error(Code::UnknownShortName, message).at(span);
        let problem = match by_display_name.get(name.as_str()) {
            Some(key) => problem.hint(format!("write the short name `{}`", truncate(key))),
            None => problems
                .suggest(problem, name, connectors.keys().map(String::as_str))
                .hint(format!("add `{shown}` to `connectors`, or write the connector's id")),
        };
        problems.report(problem);
    }
}
