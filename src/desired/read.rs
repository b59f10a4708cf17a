//! Tree → the keys of `schema`.
//!
//! Every key is checked here for being known, single, of the right type and well-formed on its own;
//! what several keys say together is for `check`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::schema::{Binding, ConnectorEntry, File, Flow, GuardsEntry, Version};
use super::source::{Node, Value};
use super::walk::{Entry, Spanned, Walker, cut, duplicate};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{
    Api, Cloud, ConnectorId, FlowId, InvalidId, InvalidTargetUrl, Prune, Step, StepMap, TargetUrl, is_guid,
};

/// Reads the tree of a file. `None` where it has no keys at all.
pub(super) fn file(walker: &mut Walker<'_>, root: &Node<'_>) -> Option<File> {
    if let Value::Null { .. } = root.value {
        walker.report(
            Diagnostic::error(Code::EmptyFile, "the file is empty")
                .at(&walker.span(root))
                .hint("write at least `version: 1`, `tenant:` and `flows:`"),
        );
        return None;
    }
    let mut fields = walker.fields(root, "the file", "keys and values: `version: 1`, `tenant:`, `flows:`")?;
    let version = fields.require(walker, "version", "1").and_then(|node| version(walker, node));
    let mut unclear = BTreeSet::new();
    let mut told = walker.problems();
    let mut clear = |walker: &Walker<'_>, key| {
        unclear.extend((walker.problems() > told).then_some(key));
        told = walker.problems();
    };
    clear(walker, "version");
    let extends = fields.take("extends").map(|node| extends(walker, node));
    clear(walker, "extends");
    let tenant = fields
        .take("tenant")
        .and_then(|node| walker.parsed(node, "tenant", "a domain or a GUID", str::parse));
    clear(walker, "tenant");
    let client_id = fields
        .take("clientId")
        .and_then(|node| walker.parsed(node, "clientId", "the GUID of the app registration", guid));
    let cloud = fields.take("cloud").and_then(|node| walker.one_of(node, "cloud", Cloud::ALL, Cloud::name));
    let api = fields.take("api").and_then(|node| walker.one_of(node, "api", Api::ALL, Api::name));
    clear(walker, "api");
    let steps = fields.take("steps").and_then(|node| steps(walker, node));
    clear(walker, "steps");
    let connectors = fields.take("connectors").and_then(|node| connectors(walker, node));
    // What is given and is no mapping was told: it is not missing.
    let flows = fields.take("flows").map(|node| flows(walker, node).unwrap_or_default());
    let prune = fields.take("prune").and_then(|node| walker.one_of(node, "prune", Prune::ALL, Prune::name));
    let guards = fields.take("guards").and_then(|node| guards(walker, node));
    let place = fields.place().clone();
    fields.finish(walker);
    Some(File {
        place,
        unclear,
        version,
        extends: extends.unwrap_or_default(),
        tenant,
        client_id,
        cloud,
        api,
        steps,
        connectors,
        flows,
        prune,
        guards: guards.unwrap_or_default(),
    })
}

/// The paths of the files that a file builds on, as written.
fn extends(walker: &mut Walker<'_>, node: &Node<'_>) -> Vec<Spanned<String>> {
    const RIGHT: &str = "a path, or a list of them: `[base.yaml, europe.yaml]`";
    let Value::Sequence(items) = &node.value else {
        return walker.name(node, "extends", RIGHT).into_iter().collect();
    };
    if items.is_empty() {
        let problem = Diagnostic::error(Code::InvalidValue, "`extends` lists no file").at(&walker.span(node));
        walker.report(problem.hint(format!("write {RIGHT}, or remove `extends`")));
    }
    items.iter().filter_map(|item| walker.name(item, "extends", RIGHT)).collect()
}

fn guards(walker: &mut Walker<'_>, node: &Node<'_>) -> Option<GuardsEntry> {
    let mut fields = walker.fields(node, "guards", "limits: `{maxChanges: 25, maxDisables: 5}`")?;
    let max_changes = fields.take("maxChanges").and_then(|node| walker.count(node, "maxChanges"));
    let max_disables = fields.take("maxDisables").and_then(|node| walker.count(node, "maxDisables"));
    fields.finish(walker);
    Some(GuardsEntry { max_changes, max_disables })
}

fn version(walker: &mut Walker<'_>, node: &Node<'_>) -> Option<Spanned<Version>> {
    let span = walker.span(node);
    match node.value {
        Value::Number { ref literal } if walker.text(literal) == "1" => {
            Some(Spanned { value: Version, span })
        }
        Value::Number { ref literal } => {
            let version = walker.text(literal).to_owned();
            walker.report(
                Diagnostic::error(
                    Code::UnsupportedVersion,
                    format!("unsupported file version {}", cut(&version)),
                )
                .at(&span)
                .hint("this flowbind reads version 1; upgrade, or write `version: 1`"),
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

fn steps(walker: &mut Walker<'_>, node: &Node<'_>) -> Option<Spanned<Vec<Spanned<Step>>>> {
    const RIGHT: &str = "a list: `[postFederationSignup, postAttributeCollection]`";
    let Value::Sequence(items) = &node.value else {
        walker.wrong_type(node, "steps", "a list", RIGHT);
        return None;
    };
    if items.is_empty() {
        walker.report(
            Diagnostic::error(Code::InvalidValue, "`steps` lists no step")
                .at(&walker.span(node))
                .hint(format!("write {RIGHT}, or remove `steps`")),
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
    Some(Spanned { value: steps, span: walker.span(node) })
}

fn connectors(walker: &mut Walker<'_>, node: &Node<'_>) -> Option<BTreeMap<String, ConnectorEntry>> {
    let right = "short names: `{fraud-check: Fraud check}`";
    let mut connectors = BTreeMap::new();
    for Entry { key, value } in walker.entries(node, "connectors", right)? {
        if key.value.is_empty() {
            let problem = Diagnostic::error(Code::InvalidShortName, "a short name is empty").at(&key.span);
            walker.report(problem.hint("give the connector a readable short name"));
        }
        if is_guid(key.value) {
            walker.report(
                Diagnostic::error(
                    Code::InvalidShortName,
                    "a GUID cannot be a short name, because in a binding it is always a connector's id",
                )
                .at(&key.span)
                .hint("give the connector a readable short name"),
            );
        }
        // A bad entry is still an entry: the bindings that name it are not at fault.
        let before = walker.problems();
        let entry = connector(walker, &key, value);
        let unclear = walker.problems() > before;
        connectors.insert(key.value.to_owned(), ConnectorEntry { unclear, ..entry });
    }
    Some(connectors)
}

fn connector(walker: &mut Walker<'_>, key: &Spanned<&str>, node: &Node<'_>) -> ConnectorEntry {
    let right = "a displayName, or `{displayName: Fraud check}`, or `{id: <GUID>}`";
    let key_span = key.span.clone();
    let mut entry =
        ConnectorEntry { key: key_span, display_name: None, id: None, target_url: None, unclear: false };
    let Value::Mapping(_) = node.value else {
        entry.display_name = walker.name(node, key.value, right);
        return entry;
    };
    let Some(mut fields) = walker.fields(node, key.value, right) else { return entry };
    if let Some(node) = fields.take("displayName") {
        entry.display_name = walker.name(node, "displayName", "the connector's displayName");
    }
    if let Some(node) = fields.take("id") {
        entry.id = walker.parsed(node, "id", "the GUID of a connector", |text| {
            guid(text).and_then(|id| ConnectorId::parse(&id).map_err(|_: InvalidId| "it must be a GUID"))
        });
    }
    if let Some(node) = fields.take("targetUrl") {
        entry.target_url = target_url(walker, node);
    }
    fields.finish(walker);
    entry
}

/// What is no address may hold a key all the same, so it is not repeated.
fn target_url(walker: &mut Walker<'_>, node: &Node<'_>) -> Option<Spanned<Arc<TargetUrl>>> {
    let right = "the connector's address, such as `https://fraud.contoso.com/score`";
    let Spanned { value, span } = walker.name(node, "targetUrl", right)?;
    match value.parse() {
        Ok(url) => Some(Spanned { value: Arc::new(url), span }),
        Err(InvalidTargetUrl) => {
            let problem = Diagnostic::error(Code::InvalidValue, format!("`targetUrl` is {InvalidTargetUrl}"));
            walker.report(problem.at(&span).hint(format!("write {right}")));
            None
        }
    }
}

fn flows(walker: &mut Walker<'_>, node: &Node<'_>) -> Option<Vec<Flow>> {
    let right = "flow ids with their steps, or `{}` for none";
    let entries = walker.entries(node, "flows", right)?;
    let mut flows = Vec::with_capacity(entries.len());
    for Entry { key, value } in entries {
        let bindings = bindings(walker, key.value, value);
        match FlowId::parse(key.value) {
            Ok(id) => flows.push(Flow {
                id: Spanned { value: id, span: key.span },
                bindings: bindings.unwrap_or_default(),
            }),
            Err(error) => walker.report(invalid_flow_id(&key, &error)),
        }
    }
    Some(flows)
}

fn invalid_flow_id(key: &Spanned<&str>, error: &InvalidId) -> Diagnostic {
    let id = cut(key.value);
    if key.value.starts_with("B2C_1A_") {
        let message = format!("`{id}` is a custom policy; flowbind manages user flows only");
        let hint =
            "custom policies call REST services by their own technical profiles; remove it from the file";
        return Diagnostic::error(Code::InvalidFlowId, message).at(&key.span).hint(hint);
    }
    if Step::from_name(key.value).is_some() {
        let message = format!("`{id}` is a step, not a flow");
        let hint = format!("indent it below its flow, such as `B2C_1_signup: {{{id}: …}}`");
        return Diagnostic::error(Code::InvalidFlowId, message).at(&key.span).hint(hint);
    }
    let problem = Diagnostic::error(Code::InvalidFlowId, format!("invalid flow id `{id}`: {error}"));
    let problem = problem.at(&key.span);
    match error {
        InvalidId::Prefix => problem.hint(format!("did you mean `B2C_1_{id}`?")),
        InvalidId::PrefixOnly | InvalidId::Empty | InvalidId::Character(_) => {
            problem.hint("write the id as Graph returns it, such as `B2C_1_signup_signin`")
        }
    }
}

fn bindings(walker: &mut Walker<'_>, flow: &str, node: &Node<'_>) -> Option<StepMap<Binding>> {
    let right = "steps with their connectors, or `{}` to manage none";
    let mut bindings = StepMap::default();
    for Entry { key, value } in walker.entries(node, flow, right)? {
        let binding = binding(walker, &key, value);
        let Some(step) = Step::from_name(key.value) else {
            let message = format!("unknown step `{}`", cut(key.value));
            let problem = Diagnostic::error(Code::UnknownStep, message).at(&key.span);
            let problem = walker.suggest(problem, key.value, Step::ALL.map(Step::name));
            walker.report(problem.hint(
                "the steps are `postFederationSignup`, `postAttributeCollection` and `preTokenIssuance`",
            ));
            continue;
        };
        bindings.extend(binding.map(|binding| (step, binding)));
    }
    Some(bindings)
}

fn binding(walker: &mut Walker<'_>, step: &Spanned<&str>, node: &Node<'_>) -> Option<Binding> {
    let binding = |connector: Option<Option<Spanned<_>>>, protect| Binding {
        step: step.span.clone(),
        unclear: matches!(connector, Some(None)),
        connector: connector.flatten(),
        protect,
    };
    let Value::Mapping(_) = node.value else {
        return Some(binding(Some(bound(walker, step.value, node)), None));
    };
    let mut fields = walker.fields(node, step.value, "")?;
    let connector = fields.take("connector").map(|node| bound(walker, "connector", node));
    let protect = fields.take("protect").and_then(|node| walker.boolean(node, "protect"));
    fields.finish(walker);
    Some(binding(connector, protect))
}

/// What a binding names: a connector, or nothing where `null` is spelled out. A key with nothing
/// after it is an error, since a half-typed line must not open a gate.
fn bound(walker: &mut Walker<'_>, key: &str, node: &Node<'_>) -> Option<Spanned<Option<String>>> {
    const RIGHT: &str = "a connector, or `null` to disable";
    match &node.value {
        Value::Null { literal } if walker.is_spelled_null(literal) => {
            Some(Spanned { value: None, span: walker.span(node) })
        }
        Value::Null { .. } => {
            walker.report(
                Diagnostic::error(Code::MissingValue, format!("`{key}` has no value"))
                    .at(&walker.span(node))
                    .hint("write `null` to disable, or name a connector"),
            );
            None
        }
        _ => {
            walker.name(node, key, RIGHT).map(|Spanned { value, span }| Spanned { value: Some(value), span })
        }
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
        let unknown = problems.iter().find(|problem| problem.message == "unknown key `no-such-key`").unwrap();
        let mut known: Vec<_> = unknown.hints[0].split('`').skip(1).step_by(2).collect();
        known.sort_unstable();
        let mut keys: Vec<_> = keys.iter().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, known);
    }
}
