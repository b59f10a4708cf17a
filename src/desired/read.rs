//! Tree → the keys of `schema`.
//!
//! Every key is checked here for being known, single, of the right type and well-formed on its own;
//! what several keys say together is for `check`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::schema::{Binding, ConnectorEntry, File, Flow, GuardsEntry, Version};
use super::source::{Node, Value};
use super::walk::{Entry, Spanned, Walker, duplicate};
use crate::diagnostic::Diagnostic;
use crate::model::{
    Api, Cloud, ConnectorId, FlowId, InvalidId, InvalidTargetUrl, Prune, Step, TargetUrl, is_guid,
};

/// Reads the tree of a file. `None` where it has no keys at all.
pub(super) fn file(walker: &mut Walker<'_>, root: &Node) -> Option<File> {
    if let Value::Null { .. } = root.value {
        walker.report(
            Diagnostic::error("the file is empty")
                .at(&walker.span(root))
                .hint("write at least `version: 1`, `tenant:` and `flows:`"),
        );
        return None;
    }
    let mut fields = walker.fields(root, "the file", "keys and values: `version: 1`, `tenant:`, `flows:`")?;
    let version = fields.require(walker, "version", "1").and_then(|node| version(walker, node));
    let tenant = fields
        .require(walker, "tenant", "contoso.onmicrosoft.com")
        .and_then(|node| walker.parsed(node, "tenant", "a domain or a GUID", str::parse));
    let client_id = fields
        .take("clientId")
        .and_then(|node| walker.parsed(node, "clientId", "the GUID of the app registration", guid));
    let cloud = fields.take("cloud").and_then(|node| walker.one_of(node, "cloud", Cloud::ALL, Cloud::name));
    let api = fields.take("api").and_then(|node| walker.one_of(node, "api", Api::ALL, Api::name));
    let before = walker.problems();
    let steps = fields.take("steps").and_then(|node| steps(walker, node));
    let steps_unclear = walker.problems() > before;
    let connectors = fields.take("connectors").and_then(|node| connectors(walker, node));
    let flows = fields
        .require(walker, "flows", "{B2C_1_signup: {postFederationSignup: Fraud check}}")
        .and_then(|node| flows(walker, node));
    let prune = fields.take("prune").and_then(|node| walker.one_of(node, "prune", Prune::ALL, Prune::name));
    let guards = fields.take("guards").and_then(|node| guards(walker, node));
    fields.finish(walker);
    Some(File {
        version,
        tenant: tenant.map(|tenant| tenant.value),
        client_id: client_id.map(|id| id.value),
        cloud: cloud.map(|cloud| cloud.value).unwrap_or_default(),
        api,
        steps,
        steps_unclear,
        connectors,
        flows: flows.unwrap_or_default(),
        prune,
        guards,
    })
}

fn guards(walker: &mut Walker<'_>, node: &Node) -> Option<GuardsEntry> {
    let mut fields = walker.fields(node, "guards", "limits: `{maxChanges: 25, maxDisables: 5}`")?;
    let max_changes = fields.take("maxChanges").and_then(|node| walker.count(node, "maxChanges"));
    let max_disables = fields.take("maxDisables").and_then(|node| walker.count(node, "maxDisables"));
    fields.finish(walker);
    Some(GuardsEntry { max_changes, max_disables })
}

fn version(walker: &mut Walker<'_>, node: &Node) -> Option<Version> {
    let span = walker.span(node);
    match node.value {
        Value::Number { ref literal } if walker.text(literal) == "1" => Some(Version),
        Value::Number { ref literal } => {
            let version = walker.text(literal).to_owned();
            walker.report(
                Diagnostic::error(format!("version {version} is not known here"))
                    .at(&span)
                    .hint("write `version: 1`, or use a flowbind that knows this version"),
            );
            None
        }
        _ => {
            walker.wrong_type(node, "version", "a number", "`version: 1`");
            None
        }
    }
}

fn guid(text: &str) -> Result<String, &'static str> {
    if is_guid(text) { Ok(text.to_owned()) } else { Err("it must be a GUID") }
}

fn steps(walker: &mut Walker<'_>, node: &Node) -> Option<Vec<Spanned<Step>>> {
    const RIGHT: &str = "a list: `[postFederationSignup, postAttributeCollection]`";
    let Value::Sequence(items) = &node.value else {
        walker.wrong_type(node, "steps", "a list", RIGHT);
        return None;
    };
    if items.is_empty() {
        walker.report(
            Diagnostic::error("`steps` lists no step")
                .at(&walker.span(node))
                .hint(format!("write {RIGHT}, or leave `steps` out")),
        );
    }
    let mut steps = Vec::<Spanned<Step>>::new();
    for item in items {
        let Some(step) = walker.one_of(item, "step", Step::ALL, Step::name) else {
            continue;
        };
        match steps.iter().find(|earlier| earlier.value == step.value) {
            Some(first) => walker.report(duplicate(step.value.name(), &step.span, &first.span)),
            None => steps.push(step),
        }
    }
    Some(steps)
}

fn connectors(walker: &mut Walker<'_>, node: &Node) -> Option<BTreeMap<String, ConnectorEntry>> {
    let right = "short names: `{fraud-check: Fraud check}`";
    let mut connectors = BTreeMap::new();
    for Entry { key, value } in walker.entries(node, "connectors", right)? {
        if is_guid(key.value) {
            walker.report(
                Diagnostic::error(
                    "a GUID cannot be a short name: in a binding it is always a connector's id",
                )
                .at(&key.span)
                .hint("give the connector a readable short name"),
            );
        }
        // A bad entry is still an entry: the bindings that name it are not at fault.
        let entry = connector(walker, &key, value).unwrap_or_default();
        connectors.insert(key.value.to_owned(), entry);
    }
    Some(connectors)
}

fn connector(walker: &mut Walker<'_>, key: &Spanned<&str>, node: &Node) -> Option<ConnectorEntry> {
    let right = "a displayName, or `{displayName: Fraud check}`, or `{id: <GUID>}`";
    let Value::Mapping(_) = node.value else {
        let display_name = Some(walker.name(node, key.value, right)?);
        return Some(ConnectorEntry { display_name, ..ConnectorEntry::default() });
    };
    let mut fields = walker.fields(node, key.value, right)?;
    let name = fields.take("displayName");
    let id = fields.take("id");
    let pin = fields.take("targetUrl");
    if name.is_none() && id.is_none() {
        walker.report(
            Diagnostic::error(format!("`{}` names no connector", key.value))
                .at(&key.span)
                .hint(format!("write {right}")),
        );
    }
    let entry = ConnectorEntry {
        display_name: name.and_then(|node| walker.name(node, "displayName", "the connector's displayName")),
        id: id.and_then(|node| {
            walker.parsed(node, "id", "the GUID of a connector", |text| {
                guid(text).and_then(|id| ConnectorId::parse(&id).map_err(|_: InvalidId| "it must be a GUID"))
            })
        }),
        target_url: pin.and_then(|node| target_url(walker, node)).map(Arc::new),
    };
    fields.finish(walker);
    Some(entry)
}

/// What is no address may hold a key all the same, so it is not repeated.
fn target_url(walker: &mut Walker<'_>, node: &Node) -> Option<TargetUrl> {
    let right = "the connector's address, such as `https://fraud.contoso.com/score`";
    let Spanned { value, span } = walker.name(node, "targetUrl", right)?;
    match value.parse() {
        Ok(url) => Some(url),
        Err(InvalidTargetUrl) => {
            let problem = Diagnostic::error(format!("`targetUrl`: {InvalidTargetUrl}"));
            walker.report(problem.at(&span).hint(format!("write {right}")));
            None
        }
    }
}

fn flows(walker: &mut Walker<'_>, node: &Node) -> Option<Vec<Flow>> {
    let right = "flow ids with their steps, or `{}` for none";
    let mut flows = Vec::new();
    for Entry { key, value } in walker.entries(node, "flows", right)? {
        let bindings = bindings(walker, key.value, value);
        match FlowId::parse(key.value) {
            Ok(id) => flows.push(Flow {
                id: Spanned { value: id, span: key.span },
                bindings: bindings.unwrap_or_default(),
            }),
            Err(error) => walker.report(
                Diagnostic::error(format!("`{}` is no user flow's id: {error}", key.value))
                    .at(&key.span)
                    .hint("write the id as Graph gives it, such as `B2C_1_signup_signin`"),
            ),
        }
    }
    Some(flows)
}

fn bindings(walker: &mut Walker<'_>, flow: &str, node: &Node) -> Option<BTreeMap<Step, Binding>> {
    let right = "steps with their connectors, or `{}` to manage none";
    let mut bindings = BTreeMap::new();
    for Entry { key, value } in walker.entries(node, flow, right)? {
        let binding = binding(walker, &key, value);
        let Some(step) = Step::named(key.value) else {
            walker.report(
                Diagnostic::error(format!("unknown step `{}`", key.value))
                    .at(&key.span)
                    .suggest(key.value, Step::ALL.map(Step::name))
                    .hint("the steps are `postFederationSignup`, `postAttributeCollection` and `preTokenIssuance`"),
            );
            continue;
        };
        bindings.extend(binding.map(|binding| (step, binding)));
    }
    Some(bindings)
}

fn binding(walker: &mut Walker<'_>, step: &Spanned<&str>, node: &Node) -> Option<Binding> {
    let binding = |connector, span, protect| Binding { step: step.span.clone(), connector, span, protect };
    let Value::Mapping(_) = node.value else {
        let connector = bound(walker, step.value, node)?;
        return Some(binding(connector, walker.span(node), false));
    };
    let mut fields = walker.fields(node, step.value, "")?;
    let connector = fields
        .require(walker, "connector", "Fraud check")
        .and_then(|node| Some((bound(walker, "connector", node)?, walker.span(node))));
    let protect = fields.take("protect").map(|node| walker.boolean(node, "protect"));
    fields.finish(walker);
    let (connector, span) = connector?;
    Some(binding(connector, span, protect.flatten().unwrap_or(false)))
}

/// What a binding names: a connector, or nothing where `null` is spelled out. A key with nothing
/// after it is an error, since a half-typed line must not open a gate.
fn bound(walker: &mut Walker<'_>, key: &str, node: &Node) -> Option<Option<Spanned<String>>> {
    const RIGHT: &str = "a connector, or `null` to disable";
    match &node.value {
        Value::Null { literal } if walker.is_spelled_null(literal) => Some(None),
        Value::Null { .. } => {
            walker.report(
                Diagnostic::error(format!("`{key}` has no value"))
                    .at(&walker.span(node))
                    .hint("write `null` to disable, or name a connector"),
            );
            None
        }
        _ => walker.name(node, key, RIGHT).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::json_schema;
    use super::*;

    /// `Fields::take` knows the keys, the schema documents them: neither may know more.
    #[test]
    fn the_schema_and_the_reader_know_the_same_keys() {
        let schema = json_schema().to_value();
        for (key, property) in schema["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{key} has no description");
            assert!(property["examples"].is_array(), "{key} has no example");
        }
        let keys: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        let source = crate::diagnostic::Source::new("f", "no-such-key: 1\n");
        let root = super::super::source::parse(&source).unwrap();
        let mut walker = Walker::new(&source);
        assert!(file(&mut walker, &root).is_some());
        let problems = walker.finish();
        let unknown = problems.iter().find(|problem| problem.what == "unknown key `no-such-key`").unwrap();
        let mut known: Vec<_> = unknown.hints[0].split('`').skip(1).step_by(2).collect();
        known.sort_unstable();
        let mut keys: Vec<_> = keys.iter().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, known);
    }
}
