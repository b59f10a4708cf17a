//! Decodes the tree of a file to the keys of `schema`.
//!
//! Each key is checked alone: whether it is known, occurs once, and has a valid value. `check` holds the rules
//! between keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::decoder::{Decoder, Entry, Spanned};
use super::flows::{self, report_unknown_step};
use super::message::{Subject, duplicate_error, error, join_quoted, truncate};
use super::schema::{ClientIdEntry, ConnectorEntry, File, GuardsEntry, Version};
use super::source::{Node, Value};
use crate::diagnostic::{Code, Diagnostic, SourceLocation};
use crate::model::{ConnectorId, InvalidId, InvalidTargetUrl, NameMistake, Step, TargetUrl, Tenant, is_guid};

/// Keys of a file.
const KEYS: [&str; 11] = [
    "version",
    "extends",
    "tenant",
    "clientId",
    "cloud",
    "api",
    "steps",
    "connectors",
    "flows",
    "prune",
    "guards",
];

/// Values of `prune`, with what each disables.
const PRUNE_VALUES: &str = "`none`, `steps` (also disables the unlisted steps of listed flows) or `flows` (also those \
                            of unlisted flows)";

/// Decodes a file, and reports unknown keys and invalid values, which are left out. A file that is empty or
/// not a mapping is reported, and `None` is returned.
pub(super) fn decode_file(decoder: &mut Decoder<'_>, root: &Node<'_>) -> Option<File> {
    if let Value::Null { .. } = root.value {
        let hint = "write at least `version: 1`, `tenant:` and `flows:`";
        decoder.report(error(Code::EmptyFile, "the file is empty", &decoder.span(root), hint));
        return None;
    }
    if let Some(problem) = saved_file_error(decoder, root) {
        return decoder.reject(problem);
    }
    let expected = "keys and values: `version: 1`, `tenant:`, `flows:`";
    let mut fields = decoder.fields(root, Subject::File, expected)?;
    if fields.is_foreign(decoder, &KEYS) {
        let hint = format!("name desired-state files only; their keys are {}", join_quoted(&KEYS));
        let message = "the file has no key of a desired-state file";
        return decoder.reject(error(Code::UnknownKey, message, fields.span(), hint));
    }
    fields.require(decoder, "version", "1");
    Some(File {
        version: fields.decode(decoder, "version", decode_version),
        extends: fields.decode(decoder, "extends", decode_extends).unwrap_or_default(),
        tenant: fields.decode(decoder, "tenant", decode_tenant),
        client_id: fields.decode(decoder, "clientId", decode_client_id),
        cloud: fields.decode(decoder, "cloud", Decoder::one_of),
        api: fields.decode(decoder, "api", Decoder::one_of),
        steps: fields.decode(decoder, "steps", decode_steps),
        connectors: fields.decode(decoder, "connectors", decode_connectors),
        // A value of the wrong type was already reported, so it must not be reported as missing.
        flows: fields.decode(decoder, "flows", |decoder, node, key| {
            Some(flows::decode(decoder, node, key).unwrap_or_default())
        }),
        prune: fields
            .decode(decoder, "prune", |decoder, node, key| decoder.one_of_expected(node, key, PRUNE_VALUES)),
        guards: fields.decode(decoder, "guards", decode_guards).unwrap_or_default(),
        span: fields.span().clone(),
        invalid_keys: fields.finish(decoder),
    })
}

/// Returns the error of a snapshot, saved plan, drift or report in place of a desired-state file; `None` for any other
/// file.
fn saved_file_error(decoder: &Decoder<'_>, root: &Node<'_>) -> Option<Diagnostic> {
    let Value::Mapping(entries) = &root.value else { return None };
    let text = |wanted: &str| {
        entries.iter().find_map(|(key, node)| match (&key.value, &node.value) {
            (Value::String(key), Value::String(text)) if key == wanted => Some((&**text, node)),
            _ => None,
        })
    };
    let (_, node) = text("formatVersion")?;
    let (kind, node) =
        text("kind").unwrap_or((if text("takenAt").is_some() { "snapshot" } else { "" }, node));
    let span = decoder.span(node);
    let file = SourceLocation::from(&span).file;
    let (what, hint) = match kind {
        "snapshot" => {
            ("the snapshot of a tenant", format!("to run on the emulated tenant, add `--sandbox {file}`"))
        }
        "plan" => ("a saved plan", format!("to apply the plan, run `flowbind apply --plan {file}`")),
        "drift" => ("the saved output of `drift`", format!("to print the file, run `flowbind show {file}`")),
        "report" => ("an apply report", format!("to print the report, run `flowbind show {file}`")),
        _ => return None,
    };
    Some(error(Code::SavedFileKind, format!("`{file}` is {what}, not a desired-state file"), &span, hint))
}

/// Decodes the paths of the bases, as they are written: a string or a list of strings. Reports other values
/// and an empty list, and leaves them out.
fn decode_extends(decoder: &mut Decoder<'_>, node: &Node<'_>, key: &str) -> Option<Vec<Spanned<String>>> {
    const EXPECTED: &str = "a path, or a list of paths: `[base.yaml, europe.yaml]`";
    let Value::Sequence(items) = &node.value else {
        return decoder.name(node, key, EXPECTED).map(|base| vec![base]);
    };
    decoder.reject_empty_list(node, key, EXPECTED);
    Some(items.iter().filter_map(|item| decoder.name(item, Subject::ItemOf(key), "a path")).collect())
}

fn decode_guards(decoder: &mut Decoder<'_>, node: &Node<'_>, key: &str) -> Option<GuardsEntry> {
    let mut fields = decoder.fields(node, Subject::Key(key), "limits: `{maxChanges: 25, maxDisables: 5}`")?;
    let max_changes = fields.decode(decoder, "maxChanges", Decoder::count);
    let max_disables = fields.decode(decoder, "maxDisables", Decoder::count);
    fields.finish(decoder);
    Some(GuardsEntry { max_changes, max_disables })
}

fn decode_version(decoder: &mut Decoder<'_>, node: &Node<'_>, key: &str) -> Option<Spanned<Version>> {
    let Value::Number { literal } = &node.value else {
        return decoder.wrong_type(node, key, "a number", "`version: 1`");
    };
    let (span, version) = (decoder.span(node), decoder.text(literal));
    if version == "1" {
        return Some(Spanned { value: Version, span });
    }
    let message = format!("unsupported file version `{}`", truncate(version));
    let hint = "write `version: 1`, or use a flowbind that reads this version";
    decoder.reject(error(Code::UnsupportedVersion, message, &span, hint))
}

fn decode_tenant(decoder: &mut Decoder<'_>, node: &Node<'_>, key: &str) -> Option<Spanned<Tenant>> {
    let expected = "a domain, such as `contoso.onmicrosoft.com`, or a GUID";
    let Spanned { value, span } = match &node.value {
        Value::Number { .. } | Value::Bool(_) => {
            return decoder.wrong_type(node, key, "a string", expected);
        }
        _ => decoder.name(node, key, expected)?,
    };
    if let Ok(tenant) = value.parse() {
        return Some(Spanned { value: tenant, span });
    }
    let message = format!("invalid `tenant`: `{}`", truncate(&value));
    let problem = Diagnostic::error(Code::InvalidValue, message).at(&span);
    let host = value.strip_prefix("https://").map(|url| url.split('/').next().unwrap_or(url));
    decoder.reject(match (host, NameMistake::detect(&value)) {
        (Some(host), _) if host.parse::<Tenant>().is_ok() => problem.did_you_mean([host]),
        (_, Some(mistake @ NameMistake::Variable)) => problem.hint(mistake.hint()),
        _ => problem.hint(format!("write {expected}")),
    })
}

/// Decodes the id of one app, or those of two apps. Reports an app that is missing or invalid, and then returns `None`.
fn decode_client_id(decoder: &mut Decoder<'_>, node: &Node<'_>, key: &str) -> Option<Spanned<ClientIdEntry>> {
    const ONE: &str = "the application (client) id of the app registration";
    let span = decoder.span(node);
    let Value::Mapping(_) = &node.value else {
        let expected = format!("{ONE}, or two: `{{plan: GUID, apply: GUID}}`");
        let id = decoder.parsed(node, key, &expected, parse_guid)?;
        return Some(Spanned { value: ClientIdEntry::Single(id.value), span });
    };
    let mut fields = decoder.fields(node, key, ONE)?;
    let mut app = |name| {
        fields.require(decoder, name, "GUID");
        fields.decode(decoder, name, |decoder, node, key| decoder.parsed(node, key, ONE, parse_guid))
    };
    let (plan, apply) = (app("plan"), app("apply"));
    fields.finish(decoder);
    Some(Spanned { value: ClientIdEntry::Split { plan: plan?, apply: apply? }, span })
}

fn parse_guid(text: &str) -> Result<String, &'static str> {
    if is_guid(text) { Ok(text.to_owned()) } else { Err("must be a GUID") }
}

fn decode_steps(
    decoder: &mut Decoder<'_>,
    node: &Node<'_>,
    key: &str,
) -> Option<Spanned<Vec<Spanned<Step>>>> {
    const EXPECTED: &str = "a list: `[postFederationSignup, postAttributeCollection]`";
    let Value::Sequence(items) = &node.value else {
        return decoder.wrong_type(node, key, "a list", EXPECTED);
    };
    decoder.reject_empty_list(node, key, EXPECTED);
    let mut steps = Vec::<Spanned<Step>>::new();
    for item in items {
        let Some(name) = decoder.name(item, Subject::ItemOf(key), "the name of a step") else { continue };
        match name.value.parse() {
            Ok(step) => match steps.iter().find(|earlier| earlier.value == step) {
                Some(first) => decoder.report(duplicate_error(&name.value, &name.span, &first.span)),
                None => steps.push(Spanned { value: step, span: name.span }),
            },
            Err(_) => report_unknown_step(decoder, &name.value, &name.span),
        }
    }
    Some(Spanned { value: steps, span: decoder.span(node) })
}

fn decode_connectors(
    decoder: &mut Decoder<'_>,
    node: &Node<'_>,
    key: &str,
) -> Option<BTreeMap<String, ConnectorEntry>> {
    let expected = "short names, which bindings then use: `{fraud-check: Fraud check}`";
    let mut connectors = BTreeMap::new();
    let entries = decoder.entries(node, Subject::Key(key), expected)?;
    // An invalid entry is kept, so that the bindings that use its name are not reported as well.
    connectors.extend(
        decoder.unquoted_keys().map(|key| (key.to_owned(), ConnectorEntry::invalid(decoder.span(node)))),
    );
    for Entry { key, value } in entries {
        let mut report_name = |message| {
            let hint = "give the connector a readable short name";
            decoder.report(error(Code::InvalidShortName, message, &key.span, hint));
        };
        if key.value.is_empty() {
            report_name("the short name is empty".to_owned());
        }
        if is_guid(key.value) {
            report_name(format!("`{}` cannot be a short name, because a GUID is always an id", key.value));
        }
        let before = decoder.problem_count();
        let entry = decode_connector(decoder, &key, value);
        let is_invalid = decoder.problem_count() > before;
        connectors.insert(key.value.to_owned(), ConnectorEntry { is_invalid, ..entry });
    }
    Some(connectors)
}

fn decode_connector(decoder: &mut Decoder<'_>, key: &Spanned<&str>, node: &Node<'_>) -> ConnectorEntry {
    let expected = "a displayName, or `{displayName: Fraud check}`, or `{id: <GUID>}`";
    let mut entry = ConnectorEntry { is_invalid: false, ..ConnectorEntry::invalid(key.span.clone()) };
    let Value::Mapping(_) = node.value else {
        entry.display_name = decoder.name(node, key.value, expected);
        return entry;
    };
    let Some(mut fields) = decoder.fields(node, key.value, expected) else { return entry };
    entry.display_name = fields.decode(decoder, "displayName", |decoder, node, key| {
        decoder.name(node, key, "the connector's displayName")
    });
    entry.id = fields.decode(decoder, "id", |decoder, node, key| {
        decoder.parsed(node, key, "the GUID of a connector", |text| {
            parse_guid(text).and_then(|id| ConnectorId::parse(&id).map_err(|_: InvalidId| "must be a GUID"))
        })
    });
    entry.target_url = fields.decode(decoder, "targetUrl", decode_target_url);
    fields.finish(decoder);
    entry
}

/// Decodes an address. Reports an invalid one and returns `None`; the message does not repeat it, because it
/// may contain a key.
fn decode_target_url(
    decoder: &mut Decoder<'_>,
    node: &Node<'_>,
    key: &str,
) -> Option<Spanned<Arc<TargetUrl>>> {
    let expected = "the connector's address, such as `https://fraud.contoso.com/score`";
    let Spanned { value, span } = decoder.name(node, key, expected)?;
    if let Ok(url) = value.parse() {
        return Some(Spanned { value: Arc::new(url), span });
    }
    let with_scheme = format!("https://{value}");
    // The parsed form equals the text if there is neither user info nor a query, which may hold keys.
    let is_safe = with_scheme.parse().is_ok_and(|url: TargetUrl| url.to_string() == with_scheme);
    let hint = if is_safe && value.contains('.') {
        format!("did you mean `{}`?", truncate(&with_scheme))
    } else {
        format!("write {expected}")
    };
    decoder.reject(error(Code::InvalidValue, format!("`{key}` is {InvalidTargetUrl}"), &span, hint))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value as Json, json};
    use strum::VariantArray;

    use super::*;
    use crate::diagnostic::Source;
    use crate::model::{Api, Cloud, Guards, Prune, names};

    fn schema() -> Json {
        serde_json::from_str(include_str!("../../schemas/desired.schema.json")).unwrap()
    }

    /// The decoder takes keys by name and the schema documents them, so both lists must be equal.
    #[test]
    fn schema_and_decoder_have_the_same_keys() {
        let text = "x: 1\nclientId: {x: 1}\nconnectors: {a: {x: 1}}\nflows: {B2C_1_a: {x: a, preTokenIssuance: {x: 1, hold: {x: 1}}}}\nguards: {x: 1}\n";
        let source = Source::new("f", text);
        let root = super::super::source::parse(&source).unwrap();
        let mut decoder = Decoder::new(&source);
        assert!(decode_file(&mut decoder, &root).is_some());
        let problems = decoder.problems.take();
        let unknown = problems.iter().filter(|problem| problem.message.ends_with(" `x`"));
        let known: Vec<BTreeSet<_>> =
            unknown.map(|problem| problem.hints[0].split('`').skip(1).step_by(2).collect()).collect();
        let schema = schema();
        let mappings = ["ClientId/anyOf/1", "Connector/anyOf/1", "Flow", "Hold", "Binding/anyOf/1", "Guards"];
        let mappings = mappings.iter().map(|name| format!("/$defs/{name}")).chain([String::new()]);
        let documented = mappings.map(|mapping| {
            let mapping = schema.pointer(&mapping).unwrap();
            assert_eq!(mapping["additionalProperties"], false);
            mapping["properties"].as_object().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>()
        });
        let documented: Vec<_> = documented.collect();
        assert_eq!(known, documented);
        assert_eq!(known.last(), Some(&KEYS.into()));
    }

    #[test]
    fn schema_has_the_names_limits_and_defaults_of_the_types() {
        fn enumeration<T: VariantArray + Copy + Default + Into<&'static str>>() -> [Json; 2] {
            [json!(names::<T>()), json!(Into::<&str>::into(T::default()))]
        }
        let schema = schema();
        let [cloud, api, prune, steps] =
            ["cloud", "api", "prune", "steps"].map(|key| &schema["properties"][key]);
        let shown = |key: &Json| [key["enum"].clone(), key["default"].clone()];
        assert_eq!(shown(cloud), enumeration::<Cloud>());
        assert_eq!(shown(api), enumeration::<Api>());
        assert_eq!(shown(prune), enumeration::<Prune>());
        assert_eq!(steps["items"]["enum"], json!(names::<Step>()));
        assert_eq!(steps["default"], json!(Step::DEFAULT.map(Step::name)));
        let guards = &schema["$defs"]["Guards"]["properties"];
        assert_eq!(guards["maxDisables"]["default"], Guards::default().max_disables.number);
        for guard in ["maxChanges", "maxDisables"] {
            assert_eq!((&guards[guard]["minimum"], &guards[guard]["maximum"]), (&json!(0), &json!(u32::MAX)));
        }
    }
}
