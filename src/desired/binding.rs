//! Decodes bindings: a connector, or a mapping with it and other keys.

use jiff::Timestamp;

use super::decoder::{Decoder, Spanned};
use super::message::{Subject, error};
use super::schema::{Binding, HoldEntry};
use super::source::{Node, Value};
use crate::diagnostic::Code;
use crate::model::NameMistake;

/// Decodes the value of a step, and reports what is invalid in it.
pub(super) fn decode(decoder: &mut Decoder<'_>, step: &Spanned<&str>, node: &Node<'_>) -> Option<Binding> {
    let binding = |connector: Option<Option<Spanned<_>>>, protect, hold, is_misspelled| Binding {
        step: step.span.clone(),
        is_invalid: matches!(connector, Some(None)) || is_misspelled,
        connector: connector.flatten(),
        protect,
        hold,
    };
    let Value::Mapping(_) = node.value else {
        return Some(binding(Some(binding_value(decoder, node, step.value)), None, None, false));
    };
    let mut fields = decoder.fields(node, Subject::Key(step.value), "")?;
    let connector =
        fields.decode(decoder, "connector", |decoder, node, key| Some(binding_value(decoder, node, key)));
    let protect = fields.decode(decoder, "protect", Decoder::boolean);
    let hold = fields.decode(decoder, "hold", decode_hold);
    let is_misspelled = fields.finish(decoder).contains("connector");
    Some(binding(connector, protect, hold, is_misspelled))
}

/// Decodes a hold, or `null` if it is spelled out. Reports an invalid or incomplete one and returns `None`.
fn decode_hold(decoder: &mut Decoder<'_>, node: &Node<'_>, key: &str) -> Option<Spanned<Option<HoldEntry>>> {
    let span = decoder.span(node);
    if matches!(node.value, Value::Null { .. }) && !decoder.is_empty(node) {
        return Some(Spanned { value: None, span });
    }
    let expected =
        "`{bind: null, until: 2026-12-01T06:00:00Z, reason: \"INC-4711: API down\"}`, or `null` for no hold";
    let mut fields = decoder.fields(node, Subject::Key(key), expected)?;
    fields.require(decoder, "until", "2026-12-01T06:00:00Z");
    fields.require(decoder, "reason", "\"INC-4711: fraud API down\"");
    let bind = fields.decode(decoder, "bind", binding_value);
    let until = fields.decode(decoder, "until", |decoder, node, key| {
        decoder.parsed(node, key, "a time such as `2026-12-01T06:00:00Z`, or a date", parse_time)
    });
    let reason = fields.decode(decoder, "reason", |decoder, node, key| {
        let expected = "why the binding is held, such as \"INC-4711: fraud API down\"";
        let (span, value) = match &node.value {
            // A text of several lines may be a block scalar.
            Value::String(text) if !text.is_empty() => (decoder.span(node), text.clone().into_owned()),
            _ => decoder.name(node, key, expected).map(|name| (name.span, name.value))?,
        };
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        if value.is_empty() {
            let problem = error(Code::InvalidValue, "`reason` is blank", &span, format!("write {expected}"));
            return decoder.reject(problem);
        }
        Some(Spanned { value, span })
    });
    fields.finish(decoder);
    Some(Spanned { value: Some(HoldEntry { bind, until: until?, reason: reason? }), span })
}

/// Parses a time in RFC 3339, or a date, which means its start in UTC.
fn parse_time(text: &str) -> Result<Timestamp, &'static str> {
    const ERROR: &str = "must be a time with its offset, or a date";
    let is_date = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let time = if is_date { format!("{text}T00:00:00Z").parse() } else { text.parse() };
    time.map_err(|_| ERROR)
}

/// Decodes the connector of a binding, or `null` if it is spelled out. Reports any other value and returns
/// `None`, also for a key without a value, because a half-typed line must not disable a check.
fn binding_value(decoder: &mut Decoder<'_>, node: &Node<'_>, key: &str) -> Option<Spanned<Option<String>>> {
    let (span, subject) = (decoder.span(node), Subject::Key(key));
    match &node.value {
        Value::Null { .. } if decoder.is_empty(node) => {
            let hint = "write `null` to disable, or name a connector";
            decoder.reject(error(Code::MissingValue, format!("{subject} has no value"), &span, hint))
        }
        Value::Null { .. } => Some(Spanned { value: None, span }),
        Value::Bool(false) => {
            let message = format!("{subject} must be a string or null, not a boolean");
            decoder.reject(error(Code::InvalidType, message, &span, NameMistake::Nothing.hint()))
        }
        _ => {
            let name = decoder.name(node, key, "a connector, or `null` to disable")?;
            Some(Spanned { value: Some(name.value), span })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_a_hold_is_rfc_3339_or_a_date() {
        let parse = |text| parse_time(text).map(|time| time.to_string());
        let six = Ok("2026-12-01T06:00:00Z".to_owned());
        for text in ["2026-12-01T06:00:00Z", "2026-12-01T07:00:00+01:00", "2026-12-01t06:00:00z"] {
            assert_eq!(parse(text), six, "{text}");
        }
        assert_eq!(parse("2026-12-01"), Ok("2026-12-01T00:00:00Z".to_owned()));
        for text in ["", "tomorrow", "2026-12", "2026-13-01", "20261201", "----------", "2026-12-01T06:00:00"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
