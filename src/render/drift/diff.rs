//! Renders drift as a unified diff from the file to the tenant.

use std::collections::BTreeMap;

use super::super::diff::{Bindings, connector, render_sides, unified, value, with_scope};
use super::super::escape;
use super::super::hold;
use super::super::wording::push_line;
use super::wording;
use crate::diagnostic::SourceLocation;
use crate::drift::{Drift, Kind, Subject, TargetDrift, Value};
use crate::model::FlowId;

/// Renders a diff of bindings and pinned addresses for each target that differs, in the syntax of the file, and its held
/// bindings as comments. Empty if none differs and nothing is held.
pub(crate) fn render(drift: &Drift) -> String {
    with_scope(drift.label.as_ref(), drift.limit.as_ref(), drift.targets.iter().map(target_diff).collect())
}

fn target_diff(target: &TargetDrift) -> String {
    let mut bindings = Bindings::new(flows(target));
    for it in &target.in_sync {
        bindings.flow(&it.flow).insert(it.step, [value(&it.current), value(&it.current)]);
    }
    for difference in &target.differences {
        if let Subject::Binding(flow, step) = &difference.subject {
            let sides = [&difference.file, &difference.tenant].map(|side| side_value(side.as_ref()));
            bindings.flow(flow).insert(*step, sides);
        }
    }
    let mut texts = render_sides(&bindings);
    let addresses = target.differences.iter().filter(|difference| difference.kind == Kind::Address);
    for (at, difference) in addresses.enumerate() {
        let Some(pinned) = difference.subject.connector() else { continue };
        let name = pinned.display_name.as_deref().unwrap_or(pinned.id.as_str());
        for (text, side) in texts.iter_mut().zip([&difference.file, &difference.tenant]) {
            if at == 0 {
                text.push_str("connectors:\n");
            }
            push_line(text, format_args!("  {}:", escape::yaml(name)));
            push_line(text, format_args!("    targetUrl: {}", side_value(side.as_ref())));
        }
    }
    let held = wording::held(target, &wording::names(target));
    hold::comments(&held) + &unified(&texts, &target.file, &target.tenant)
}

/// Returns the flows of a target, each once, in the order of the file: those of its bases first, those that the file
/// does not list last.
fn flows(target: &TargetDrift) -> Vec<&FlowId> {
    let in_sync = target.in_sync.iter().map(|it| (&it.flow, Some(&it.source)));
    let differing = target.differences.iter().filter_map(|it| match &it.subject {
        Subject::Binding(flow, _) => Some((flow, it.source.as_ref())),
        Subject::Flow(_) | Subject::Connector(_) => None,
    });
    let key = |source: Option<&SourceLocation>| {
        (source.is_none(), source.map(|source| (source.file == target.file, source.line)))
    };
    let mut first = BTreeMap::new();
    for (flow, source) in in_sync.chain(differing) {
        let entry = first.entry(flow).or_insert_with(|| key(source));
        *entry = (*entry).min(key(source));
    }
    let mut flows: Vec<_> = first.into_iter().collect();
    flows.sort_by_key(|(_, key)| *key);
    flows.into_iter().map(|(flow, _)| flow).collect()
}

fn side_value(side: Option<&Value>) -> String {
    match side {
        None => "null".to_owned(),
        Some(Value::Connector(known)) => connector(known),
        Some(Value::Name(text) | Value::Text(text)) => escape::yaml(text).into_owned(),
    }
}
