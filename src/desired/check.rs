//! What the keys of a file must say together: one named check for each rule.

use std::collections::BTreeMap;

use super::schema::{Binding, File, Flow};
use super::walk::Walker;
use crate::diagnostic::Diagnostic;
use crate::model::{Api, Cloud, FlowKind, Step, is_guid};

/// Reports every rule that a file breaks.
pub(super) fn check(walker: &mut Walker<'_>, file: &File) {
    ids_differ_in_more_than_case(walker, file);
    flows_are_of_one_kind(walker, file);
    bound_steps_are_listed(walker, file);
    api_has_what_the_file_uses(walker, file);
    bindings_name_known_connectors(walker, file);
}

fn bindings(file: &File) -> impl Iterator<Item = (&Flow, Step, &Binding)> {
    file.flows.iter().flat_map(|flow| flow.bindings.iter().map(move |(step, binding)| (flow, *step, binding)))
}

/// The service's own rule for the case of ids is not known, so two that differ in nothing else
/// are taken for a slip.
fn ids_differ_in_more_than_case(walker: &mut Walker<'_>, file: &File) {
    let mut seen = BTreeMap::new();
    for flow in &file.flows {
        let id = &flow.id;
        if let Some(first) = seen.insert(id.value.as_str().to_lowercase(), id) {
            walker.report(
                Diagnostic::error(format!("`{}` and `{}` differ in nothing but case", first.value, id.value))
                    .at(&id.span)
                    .hint(format!(
                        "keep the one that the tenant has: the first is in line {}",
                        first.span.position().line
                    )),
            );
        }
    }
}

fn flows_are_of_one_kind(walker: &mut Walker<'_>, file: &File) {
    let Some(first) = file.flows.first() else {
        return;
    };
    let kind = first.id.value.kind();
    if let Some(other) = file.flows.iter().find(|flow| flow.id.value.kind() != kind) {
        walker.report(
            Diagnostic::error("a file cannot hold both B2C and B2X flows: a tenant has one kind only")
                .at(&other.id.span)
                .hint(format!(
                    "move the `{}` flows to the file of their own tenant",
                    other.id.value.kind().prefix()
                )),
        );
    }
}

fn bound_steps_are_listed(walker: &mut Walker<'_>, file: &File) {
    let listed = |step| match &file.steps {
        Some(steps) => steps.iter().any(|listed| listed.value == step),
        None => Step::DEFAULT.contains(&step),
    };
    if file.steps_unclear {
        return;
    }
    for (_, step, binding) in bindings(file) {
        if !listed(step) {
            walker.report(
                Diagnostic::error(format!("`{step}` is bound here, but `steps` does not list it"))
                    .at(&binding.step)
                    .hint(format!("add `{step}` to the `steps` at the top of the file")),
            );
        }
    }
}

/// Graph v1.0 has B2X flows only, two steps only, and neither in the US Government clouds
/// (<https://learn.microsoft.com/graph/api/b2xidentityuserflow-get-apiconnectorconfiguration>).
fn api_has_what_the_file_uses(walker: &mut Walker<'_>, file: &File) {
    let Some(api) = file.api.as_ref().filter(|api| api.value == Api::V1) else {
        return;
    };
    let beta = "write `api: beta`, or leave `api` out";
    if matches!(file.cloud, Cloud::Usgov | Cloud::UsgovDod) {
        walker.report(
            Diagnostic::error(format!("`api: v1.0` has no user flows in the cloud `{}`", file.cloud))
                .at(&api.span)
                .hint(beta),
        );
    }
    if let Some(flow) = file.flows.iter().find(|flow| flow.id.value.kind() == FlowKind::B2c) {
        walker.report(
            Diagnostic::error(format!("`api: v1.0` has no B2C flows such as `{}`", flow.id.value))
                .at(&api.span)
                .hint(beta),
        );
    }
    let listed = file.steps.iter().flatten();
    if let Some(step) = listed.into_iter().find(|step| step.value == Step::PreTokenIssuance) {
        walker.report(
            Diagnostic::error("`api: v1.0` has no step `preTokenIssuance`").at(&step.span).hint(beta),
        );
    }
}

/// With `connectors`, a name that is none of its keys is a slip that is found offline.
fn bindings_name_known_connectors(walker: &mut Walker<'_>, file: &File) {
    let Some(connectors) = &file.connectors else {
        return;
    };
    let by_display_name: BTreeMap<_, _> = connectors
        .iter()
        .filter_map(|(key, entry)| Some((entry.display_name.as_ref()?.value.as_str(), key)))
        .collect();
    for (_, _, binding) in bindings(file) {
        let Some(name) = &binding.connector else {
            continue;
        };
        if is_guid(&name.value) || connectors.contains_key(&name.value) {
            continue;
        }
        let problem =
            Diagnostic::error(format!("`{}` is none of the file's `connectors`", name.value)).at(&name.span);
        let problem = match by_display_name.get(name.value.as_str()) {
            Some(key) => problem.hint(format!("write its short name: `{key}`")),
            None => walker
                .suggest(problem, &name.value, connectors.keys().map(String::as_str))
                .hint(format!("add `{}` to `connectors`, or write the connector's id", name.value)),
        };
        walker.report(problem);
    }
}
