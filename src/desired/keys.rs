//! Tree → the keys of `schema`.
//!
//! Every key is checked here for being known, single, of the expected type and well-formed on its own;
//! what several keys say together is for `check`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::decoder::{Decoder, Entry, Spanned, duplicate, truncate};
use super::schema::{Binding, ConnectorEntry, File, Flow, GuardsEntry, Version};
use super::source::{Node, Value};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{
    Api, Cloud, ConnectorId, FlowId, InvalidId, InvalidTargetUrl, Prune, Step, StepMap, TargetUrl, is_guid,
};

/// Reads the tree of a file. `None` where it has no keys at all.
pub(super) fn decode_file(decoder: &mut Decoder<'_>, root: &Node<'_>) -> Option<File> {
    if let Value::Null { .. } = root.value {
        decoder.report(
            Diagnostic::error(Code::EmptyFile, "the file is empty")
                .at(&decoder.span(root))
                .hint("write at least `version: 1`, `tenant:` and `flows:`"),
        );
        return None;
    }
    let mut fields =
        decoder.fields(root, "the file", "keys and values: `version: 1`, `tenant:`, `flows:`")?;
    let version = fields.require(decoder, "version", "1").and_then(|node| decode_version(decoder, node));
    let mut invalid_keys = BTreeSet::new();
    let mut problems_before = decoder.problem_count();
    let mut mark_if_invalid = |decoder: &Decoder<'_>, key| {
        invalid_keys.extend((decoder.problem_count() > problems_before).then_some(key));
        problems_before = decoder.problem_count();
    };
    mark_if_invalid(decoder, "version");
    let extends = fields.take("extends").map(|node| decode_extends(decoder, node));
    mark_if_invalid(decoder, "extends");
    let tenant = fields
        .take("tenant")
        .and_then(|node| decoder.parsed(node, "tenant", "a domain or a GUID", str::parse));
    mark_if_invalid(decoder, "tenant");
    let client_id = fields
        .take("clientId")
        .and_then(|node| decoder.parsed(node, "clientId", "the GUID of the app registration", guid));
    let cloud = fields.take("cloud").and_then(|node| decoder.one_of(node, "cloud", Cloud::ALL, Cloud::name));
    let api = fields.take("api").and_then(|node| decoder.one_of(node, "api", Api::ALL, Api::name));
    mark_if_invalid(decoder, "api");
    let steps = fields.take("steps").and_then(|node| decode_steps(decoder, node));
    mark_if_invalid(decoder, "steps");
    let connectors = fields.take("connectors").and_then(|node| decode_connectors(decoder, node));
    // What is given and is no mapping was told: it is not missing.
    let flows = fields.take("flows").map(|node| decode_flows(decoder, node).unwrap_or_default());
    let prune = fields.take("prune").and_then(|node| decoder.one_of(node, "prune", Prune::ALL, Prune::name));
    let guards = fields.take("guards").and_then(|node| decode_guards(decoder, node));
    let span = fields.span().clone();
    fields.finish(decoder);
    Some(File {
        span,
        invalid_keys,
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
fn decode_extends(decoder: &mut Decoder<'_>, node: &Node<'_>) -> Vec<Spanned<String>> {
    const EXPECTED: &str = "a path, or a list of them: `[base.yaml, europe.yaml]`";
    let Value::Sequence(items) = &node.value else {
        return decoder.name(node, "extends", EXPECTED).into_iter().collect();
    };
    if items.is_empty() {
        let problem =
            Diagnostic::error(Code::InvalidValue, "`extends` lists no file").at(&decoder.span(node));
        decoder.report(problem.hint(format!("write {EXPECTED}, or remove `extends`")));
    }
    items.iter().filter_map(|item| decoder.name(item, "extends", EXPECTED)).collect()
}

fn decode_guards(decoder: &mut Decoder<'_>, node: &Node<'_>) -> Option<GuardsEntry> {
    let mut fields = decoder.fields(node, "guards", "limits: `{maxChanges: 25, maxDisables: 5}`")?;
    let max_changes = fields.take("maxChanges").and_then(|node| decoder.count(node, "maxChanges"));
    let max_disables = fields.take("maxDisables").and_then(|node| decoder.count(node, "maxDisables"));
    fields.finish(decoder);
    Some(GuardsEntry { max_changes, max_disables })
}

fn decode_version(decoder: &mut Decoder<'_>, node: &Node<'_>) -> Option<Spanned<Version>> {
    let span = decoder.span(node);
    match node.value {
        Value::Number { ref literal } if decoder.text(literal) == "1" => {
            Some(Spanned { value: Version, span })
        }
        Value::Number { ref literal } => {
            let version = decoder.text(literal).to_owned();
            decoder.report(
                Diagnostic::error(
                    Code::UnsupportedVersion,
                    format!("unsupported file version {}", truncate(&version)),
                )
                .at(&span)
                .hint("this flowbind reads version 1; upgrade, or write `version: 1`"),
            );
            None
        }
        _ => {
            decoder.wrong_type(node, "version", "a number", "`version: 1`");
            None
        }
    }
}

fn guid(text: &str) -> Result<String, &'static str> {
    if is_guid(text) { Ok(text.to_owned()) } else { Err("it must be a GUID") }
}

fn decode_steps(decoder: &mut Decoder<'_>, node: &Node<'_>) -> Option<Spanned<Vec<Spanned<Step>>>> {
    const EXPECTED: &str = "a list: `[postFederationSignup, postAttributeCollection]`";
    let Value::Sequence(items) = &node.value else {
        decoder.wrong_type(node, "steps", "a list", EXPECTED);
        return None;
    };
    if items.is_empty() {
        decoder.report(
            Diagnostic::error(Code::InvalidValue, "`steps` lists no step")
                .at(&decoder.span(node))
                .hint(format!("write {EXPECTED}, or remove `steps`")),
        );
    }
    let mut steps = Vec::<Spanned<Step>>::new();
    for item in items {
        let Some(step) = decoder.one_of(item, "step", Step::ALL, Step::name) else {
            continue;
        };
        match steps.iter().find(|earlier| earlier.value == step.value) {
            Some(first) => decoder.report(duplicate(step.value.name(), &step.span, &first.span)),
            None => steps.push(step),
        }
    }
    Some(Spanned { value: steps, span: decoder.span(node) })
}

fn decode_connectors(decoder: &mut Decoder<'_>, node: &Node<'_>) -> Option<BTreeMap<String, ConnectorEntry>> {
    let expected = "short names: `{fraud-check: Fraud check}`";
    let mut connectors = BTreeMap::new();
    for Entry { key, value } in decoder.entries(node, "connectors", expected)? {
        if key.value.is_empty() {
            let problem = Diagnostic::error(Code::InvalidShortName, "a short name is empty").at(&key.span);
            decoder.report(problem.hint("give the connector a readable short name"));
        }
        if is_guid(key.value) {
            decoder.report(
                Diagnostic::error(
                    Code::InvalidShortName,
                    "a GUID cannot be a short name, because in a binding it is always a connector's id",
                )
                .at(&key.span)
                .hint("give the connector a readable short name"),
            );
        }
        // A bad entry is still an entry: the bindings that name it are not at fault.
        let before = decoder.problem_count();
        let entry = decode_connector(decoder, &key, value);
        let is_invalid = decoder.problem_count() > before;
        connectors.insert(key.value.to_owned(), ConnectorEntry { is_invalid, ..entry });
    }
    Some(connectors)
}

fn decode_connector(decoder: &mut Decoder<'_>, key: &Spanned<&str>, node: &Node<'_>) -> ConnectorEntry {
    let expected = "a displayName, or `{displayName: Fraud check}`, or `{id: <GUID>}`";
    let key_span = key.span.clone();
    let mut entry =
        ConnectorEntry { key: key_span, display_name: None, id: None, target_url: None, is_invalid: false };
    let Value::Mapping(_) = node.value else {
        entry.display_name = decoder.name(node, key.value, expected);
        return entry;
    };
    let Some(mut fields) = decoder.fields(node, key.value, expected) else { return entry };
    if let Some(node) = fields.take("displayName") {
        entry.display_name = decoder.name(node, "displayName", "the connector's displayName");
    }
    if let Some(node) = fields.take("id") {
        entry.id = decoder.parsed(node, "id", "the GUID of a connector", |text| {
            guid(text).and_then(|id| ConnectorId::parse(&id).map_err(|_: InvalidId| "it must be a GUID"))
        });
    }
    if let Some(node) = fields.take("targetUrl") {
        entry.target_url = decode_target_url(decoder, node);
    }
    fields.finish(decoder);
    entry
}

/// What is no address may hold a key all the same, so it is not repeated.
fn decode_target_url(decoder: &mut Decoder<'_>, node: &Node<'_>) -> Option<Spanned<Arc<TargetUrl>>> {
    let expected = "the connector's address, such as `https://fraud.contoso.com/score`";
    let Spanned { value, span } = decoder.name(node, "targetUrl", expected)?;
    match value.parse() {
        Ok(url) => Some(Spanned { value: Arc::new(url), span }),
        Err(InvalidTargetUrl) => {
            let problem = Diagnostic::error(Code::InvalidValue, format!("`targetUrl` is {InvalidTargetUrl}"));
            decoder.report(problem.at(&span).hint(format!("write {expected}")));
            None
        }
    }
}

fn decode_flows(decoder: &mut Decoder<'_>, node: &Node<'_>) -> Option<Vec<Flow>> {
    let expected = "flow ids with their steps, or `{}` for none";
    let entries = decoder.entries(node, "flows", expected)?;
    let mut flows = Vec::with_capacity(entries.len());
    for Entry { key, value } in entries {
        let bindings = decode_bindings(decoder, key.value, value);
        match FlowId::parse(key.value) {
            Ok(id) => flows.push(Flow {
                id: Spanned { value: id, span: key.span },
                bindings: bindings.unwrap_or_default(),
            }),
            Err(error) => decoder.report(invalid_flow_id(&key, &error)),
        }
    }
    Some(flows)
}

fn invalid_flow_id(key: &Spanned<&str>, error: &InvalidId) -> Diagnostic {
    let id = truncate(key.value);
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

fn decode_bindings(decoder: &mut Decoder<'_>, flow: &str, node: &Node<'_>) -> Option<StepMap<Binding>> {
    let expected = "steps with their connectors, or `{}` to manage none";
    let mut bindings = StepMap::default();
    for Entry { key, value } in decoder.entries(node, flow, expected)? {
        let binding = decode_binding(decoder, &key, value);
        let Some(step) = Step::from_name(key.value) else {
            let message = format!("unknown step `{}`", truncate(key.value));
            let problem = Diagnostic::error(Code::UnknownStep, message).at(&key.span);
            let problem = decoder.suggest(problem, key.value, Step::ALL.map(Step::name));
            decoder.report(problem.hint(
                "the steps are `postFederationSignup`, `postAttributeCollection` and `preTokenIssuance`",
            ));
            continue;
        };
        bindings.extend(binding.map(|binding| (step, binding)));
    }
    Some(bindings)
}

fn decode_binding(decoder: &mut Decoder<'_>, step: &Spanned<&str>, node: &Node<'_>) -> Option<Binding> {
    let binding = |connector: Option<Option<Spanned<_>>>, protect| Binding {
        step: step.span.clone(),
        is_invalid: matches!(connector, Some(None)),
        connector: connector.flatten(),
        protect,
    };
    let Value::Mapping(_) = node.value else {
        return Some(binding(Some(binding_value(decoder, step.value, node)), None));
    };
    let mut fields = decoder.fields(node, step.value, "")?;
    let connector = fields.take("connector").map(|node| binding_value(decoder, "connector", node));
    let protect = fields.take("protect").and_then(|node| decoder.boolean(node, "protect"));
    fields.finish(decoder);
    Some(binding(connector, protect))
}

/// What a binding names: a connector, or nothing where `null` is spelled out. A key with nothing
/// after it is an error, since a half-typed line must not open a gate.
fn binding_value(decoder: &mut Decoder<'_>, key: &str, node: &Node<'_>) -> Option<Spanned<Option<String>>> {
    const EXPECTED: &str = "a connector, or `null` to disable";
    match &node.value {
        Value::Null { literal } if decoder.is_spelled_null(literal) => {
            Some(Spanned { value: None, span: decoder.span(node) })
        }
        Value::Null { .. } => {
            decoder.report(
                Diagnostic::error(Code::MissingValue, format!("`{key}` has no value"))
                    .at(&decoder.span(node))
                    .hint("write `null` to disable, or name a connector"),
            );
            None
        }
        _ => decoder
            .name(node, key, EXPECTED)
            .map(|Spanned { value, span }| Spanned { value: Some(value), span }),
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
        let mut decoder = Decoder::new(&source);
        assert!(decode_file(&mut decoder, &root).is_some());
        let problems = decoder.finish();
        let unknown = problems.iter().find(|problem| problem.what == "unknown key `no-such-key`").unwrap();
        let mut known: Vec<_> = unknown.hints[0].split('`').skip(1).step_by(2).collect();
        known.sort_unstable();
        let mut keys: Vec<_> = keys.iter().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, known);
    }
}
