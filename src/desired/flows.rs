//! Decodes flows: their ids, and the bindings of their steps.

use strum::VariantArray as _;

use super::binding;
use super::decoder::{Decoder, Entry, Spanned};
use super::message::{Subject, error, join_quoted, truncate};
use super::schema::{Binding, Flow};
use super::source::{Node, Value};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::model::{FlowId, FlowKind, InvalidId, Step, StepMap, names};

/// Decodes the flows of a file, and reports what is invalid in them.
pub(super) fn decode(decoder: &mut Decoder<'_>, node: &Node<'_>, key: &str) -> Option<Vec<Flow>> {
    let expected = "flow ids with their steps, or `{}` for none";
    let entries = decoder.all_entries(node, Subject::Key(key), expected)?;
    let mut entries = report_misplaced_steps(decoder, entries);
    decoder.remove_duplicates(&mut entries);
    let valid_id = entries.iter().find_map(|entry| FlowId::parse(entry.key.value).ok());
    let kind = valid_id.map_or(FlowKind::B2c, |id| id.kind());
    let mut flows = Vec::with_capacity(entries.len());
    for Entry { key, value } in entries {
        let bindings = decode_bindings(decoder, key.value, value);
        match FlowId::parse(key.value) {
            Ok(id) => flows.push(Flow {
                id: Spanned { value: id, span: key.span },
                bindings: bindings.unwrap_or_default(),
            }),
            Err(error) => decoder.report(invalid_flow_id(&key, &error, kind)),
        }
    }
    Some(flows)
}

/// Reports steps at the level of flows, and returns the other entries. Steps that follow one flow are one
/// problem, and the flow itself is removed if it has no value for that reason.
fn report_misplaced_steps<'n>(decoder: &mut Decoder<'_>, entries: Vec<Entry<'n>>) -> Vec<Entry<'n>> {
    let mut flows = Vec::with_capacity(entries.len());
    let mut steps = Vec::<Entry<'n>>::new();
    for entry in entries {
        if entry.key.value.parse::<Step>().is_ok() {
            steps.push(entry);
        } else {
            report_steps_after(decoder, &mut flows, &mut steps);
            flows.push(entry);
        }
    }
    report_steps_after(decoder, &mut flows, &mut steps);
    flows
}

/// Reports `steps` that follow the last of `flows` as one problem, and empties `steps`. Also removes this
/// flow if it has no value. Does nothing without steps.
fn report_steps_after(decoder: &mut Decoder<'_>, flows: &mut Vec<Entry<'_>>, steps: &mut Vec<Entry<'_>>) {
    let names: Vec<_> = steps.iter().map(|step| step.key.value).collect();
    let message = match names[..] {
        [] => return,
        [name] => format!("`{name}` is a step, not a flow"),
        _ => format!("`{}` are steps, not flows", names.join("` and `")),
    };
    let span = steps.first().map(|step| step.key.span.clone());
    let flow = flows.last().map(|flow| flow.key.value).filter(|id| FlowId::parse(id).is_ok());
    let hint = match flow {
        Some(flow) if names.len() == 1 => format!("indent it below `{}:`", truncate(flow)),
        Some(flow) => format!("indent them below `{}:`", truncate(flow)),
        None => "list the steps below their flow, such as `B2C_1_signup:`".to_owned(),
    };
    steps.clear();
    if flow.is_some() && flows.last().is_some_and(|flow| decoder.is_empty(flow.value)) {
        flows.pop();
    }
    let problem = Diagnostic::error(Code::InvalidFlowId, message).hint(hint);
    decoder.report(match &span {
        Some(span) => problem.at(span),
        None => problem,
    });
}

fn invalid_flow_id(key: &Spanned<&str>, reason: &InvalidId, kind: FlowKind) -> Diagnostic {
    let id = truncate(key.value);
    if key.value.starts_with("B2C_1A_") {
        let message = format!("`{id}` is a custom policy, and flowbind manages user flows only");
        let hint = "remove it from the file; custom policies call REST services by their technical profiles";
        return error(Code::InvalidFlowId, message, &key.span, hint);
    }
    let message = format!("invalid flow id `{id}`: {reason}");
    let problem = Diagnostic::error(Code::InvalidFlowId, message).at(&key.span);
    match (reason, with_prefix(key.value, kind)) {
        (InvalidId::Prefix, Some(valid)) => problem.did_you_mean([truncate(&valid)]),
        _ => problem.hint("write the id as Graph returns it, such as `B2C_1_signup_signin`"),
    }
}

/// Returns the text with the prefix of a flow id in correct case, or with that of `kind` in front; `None` if
/// the result is not a valid id.
fn with_prefix(text: &str, kind: FlowKind) -> Option<String> {
    let corrected = FlowKind::VARIANTS.iter().find_map(|kind| {
        let (start, name) = text.split_at_checked(kind.prefix().len())?;
        start.eq_ignore_ascii_case(kind.prefix()).then(|| format!("{}{name}", kind.prefix()))
    });
    let valid = corrected.unwrap_or_else(|| format!("{}{text}", kind.prefix()));
    FlowId::parse(&valid).is_ok().then_some(valid)
}

fn decode_bindings(decoder: &mut Decoder<'_>, flow: &str, node: &Node<'_>) -> Option<StepMap<Binding>> {
    let expected = "steps with their connectors, or `{}` to manage none";
    let mut bindings = StepMap::default();
    let entries = decoder.entries(node, Subject::Key(flow), expected)?;
    let first = entries.iter().find_map(|entry| Some((entry.key.value.parse().ok()?, entry.value)));
    for Entry { key, value } in entries {
        if let Ok(step) = key.value.parse() {
            let binding = binding::decode(decoder, &key, value);
            bindings.extend(binding.map(|binding| (step, binding)));
        } else if let Some((message, hint)) = misplaced_key(decoder, &key, value, first) {
            decoder.report(error(Code::UnknownStep, message, &key.span, hint));
        } else {
            report_unknown_step(decoder, key.value, &key.span);
            // A misspelled step has a binding.
            if !matches!(value.value, Value::Bool(_) | Value::Number { .. } | Value::Null { .. }) {
                binding::decode(decoder, &key, value);
            }
        }
    }
    Some(bindings)
}

/// Returns message and hint for a key that belongs to a binding or to the file, or that no part of a file has; `None`
/// for other keys. `first` is the first step of the flow, with its value.
fn misplaced_key(
    decoder: &Decoder<'_>,
    key: &Spanned<&str>,
    value: &Node<'_>,
    first: Option<(Step, &Node<'_>)>,
) -> Option<(String, String)> {
    let key = key.value;
    let step = first.map_or(Step::PostFederationSignup, |(step, _)| step);
    Some(match key {
        "connector" | "protect" | "hold" => {
            let connector = match first.map(|(_, node)| (&node.value, decoder.text(&node.range))) {
                Some((Value::String(_) | Value::Null { .. }, text)) if is_one_line(text) => text,
                _ => "Fraud check",
            };
            let written = literal(decoder, value);
            let value = match key {
                "connector" => String::new(),
                _ if is_one_line(written) => format!(", {key}: {written}"),
                "hold" => {
                    ", hold: {bind: null, until: 2026-12-01T06:00:00Z, reason: \"INC-4711\"}".to_owned()
                }
                _ => format!(", {key}: true"),
            };
            let hint = format!("write `{step}: {{connector: {connector}{value}}}`");
            (format!("`{key}` belongs to a binding, not to a flow"), hint)
        }
        "prune" | "guards" | "steps" | "connectors" | "cloud" | "api" | "extends" | "clientId" | "tenant" => {
            let hint = format!("move `{key}` to the top level of the file");
            (format!("`{key}` belongs to the file, not to a flow"), hint)
        }
        "disabled" | "disable" | "enabled" | "enable" => {
            let hint = format!("to call nothing, write `{step}: null`");
            (format!("a flow has no `{key}`"), hint)
        }
        _ => return None,
    })
}

/// Returns a value as it is written: a scalar, or a mapping that ends in its line; otherwise an empty text.
fn literal<'s>(decoder: &Decoder<'s>, node: &Node<'_>) -> &'s str {
    let Value::Mapping(_) = node.value else { return decoder.text(&node.range) };
    let rest = decoder.text(&(node.range.start..usize::MAX));
    let line = rest.lines().next().unwrap_or_default().trim_end();
    if line.starts_with('{') && line.ends_with('}') { line } else { "" }
}

/// Returns whether a text can be a part of a hint.
fn is_one_line(text: &str) -> bool {
    !text.is_empty() && text.len() <= 80 && !text.contains(['\n', '\r', '`']) && !text.contains("://")
}

/// Reports a name that is not a step.
pub(super) fn report_unknown_step(decoder: &mut Decoder<'_>, name: &str, span: &Span) {
    let message = format!("unknown step `{}`", truncate(name));
    let problem = Diagnostic::error(Code::UnknownStep, message).at(span);
    let problem = decoder.problems.suggester.suggest(problem, name, names::<Step>());
    decoder.report(problem.hint(format!("valid steps: {}", join_quoted(&names::<Step>()))));
}
