//! Renders what to do about drift: the command that reverts it, or the lines that accept it.

use std::collections::{BTreeMap, BTreeSet};

use super::escape;
use super::wording::push_line;
use crate::model::{Bound, Connector, ConnectorId, FlowId, Step, bound_id, is_guid};
use crate::plan::{BrokenPin, Drift, Target, Unmanaged};

/// Renders what to do about the drift of a target: the command that reverts its changes, and the lines that
/// accept the changes, the unlisted bindings with steps that the file lacks, and the new addresses of pinned
/// connectors. Without `drift.strict`, only unlisted bindings to deleted connectors are rendered, as lines that
/// disable them. Empty if none of these exist. `options` are those that select the same tenant; `None` omits the command, because the plan
/// is incomplete.
pub fn drift(target: &Target, drift: Drift, options: Option<&str>) -> String {
    let dangling: BTreeSet<_> = target.dangling.iter().map(|it| (&it.flow, it.step)).collect();
    let mut text = String::new();
    let file = escape::text(&target.file);
    if !target.changes.is_empty() {
        text.extend(options.map(|options| apply_command(target, options)));
        let changes = target.changes.iter();
        let changes = changes.map(|it| BindingLine {
            protected: it.protected,
            ..BindingLine::new(&it.flow, it.step, &it.current)
        });
        push_line(&mut text, format_args!("\nTo accept what the tenant has, edit {file}:\n"));
        text.push_str(&render_bindings(changes, &dangling));
    }
    let is_shown = |it: &&Unmanaged| drift.strict || dangling.contains(&(&it.flow, it.step));
    let unmanaged: Vec<_> = target.unmanaged.iter().filter(is_shown).collect();
    if !unmanaged.is_empty() {
        let what =
            if drift.strict { "manage the other bindings" } else { "disable bindings to deleted connectors" };
        push_line(&mut text, format_args!("\nTo {what}, add to {file}:\n"));
        let steps: BTreeSet<_> = unmanaged.iter().map(|it| it.step).chain(target.steps.clone()).collect();
        if steps.len() > target.steps.len() {
            let steps: Vec<_> = steps.into_iter().map(Step::name).collect();
            push_line(&mut text, format_args!("    steps: [{}]", steps.join(", ")));
        }
        let unmanaged = unmanaged.into_iter().map(|it| BindingLine::new(&it.flow, it.step, &it.current));
        text.push_str(&render_bindings(unmanaged, &dangling));
    }
    if !target.pins.is_empty() {
        let what = "To accept the new address, change its `targetUrl`";
        push_line(&mut text, format_args!("\n{what} in {file}:\n"));
        for BrokenPin { connector, expected: _, actual } in &target.pins {
            let name = connector.display_name.as_deref().unwrap_or(connector.id.as_str());
            let name = escape::text(name);
            match actual.as_deref().map(escape::yaml) {
                Some(actual) => push_line(&mut text, format_args!("    targetUrl: {actual}  # {name}")),
                None => push_line(&mut text, format_args!("    # {name} has no address: remove its pin")),
            }
        }
    }
    text
}

/// Renders the command that reverts the drift, without flags that override a guard but with a note if guards
/// block it. Empty if no flag lifts one of the blockers.
fn apply_command(target: &Target, options: &str) -> String {
    if target.blockers.iter().any(|blocker| blocker.lifted_by().is_none()) {
        return String::new();
    }
    let blocked = if target.blockers.is_empty() {
        ""
    } else {
        " (blocked by the guards above; review before overriding)"
    };
    let file = escape::path(&target.file);
    format!("\nTo revert the tenant to the file{blocked}:\n\n    flowbind apply {file}{options}\n")
}

/// Binding of a desired-state file.
struct BindingLine<'a> {
    flow: &'a FlowId,
    step: Step,
    bound: &'a Bound,
    protected: bool,
}

impl<'a> BindingLine<'a> {
    fn new(flow: &'a FlowId, step: Step, bound: &'a Bound) -> Self {
        Self { flow, step, bound, protected: false }
    }
}

/// Renders the `flows:` lines of a desired-state file for these bindings, sorted by flow. A binding whose
/// connector was deleted becomes `null`, and one that a file cannot name becomes a comment.
fn render_bindings<'a>(
    bindings: impl Iterator<Item = BindingLine<'a>>,
    dangling: &BTreeSet<(&FlowId, Step)>,
) -> String {
    let mut flows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for binding in bindings {
        flows.entry(binding.flow).or_default().push(binding);
    }
    let mut text = "    flows:\n".to_owned();
    for (flow, steps) in flows {
        push_line(&mut text, format_args!("{}", escape::yaml_key(flow.as_str(), 6)));
        let mut can_be_written = false;
        for BindingLine { flow, step, bound, protected } in steps {
            let value = match bound {
                None => Some(("null".to_owned(), String::new())),
                Some(_) if dangling.contains(&(flow, step)) => {
                    Some(("null".to_owned(), "  # its connector was deleted".to_owned()))
                }
                Some(connector) => connector_value(connector),
            };
            can_be_written |= value.is_some();
            let line = match value {
                Some((value, comment)) if protected => {
                    format!("{step}: {{connector: {value}, protect: true}}{comment}")
                }
                Some((value, comment)) => format!("{step}: {value}{comment}"),
                None => {
                    let id = bound_id(bound).map(ConnectorId::as_str).map(escape::text).unwrap_or_default();
                    format!("# {step} is bound to {id}, which a file cannot name")
                }
            };
            push_line(&mut text, format_args!("        {line}"));
        }
        if !can_be_written {
            text.push_str("        {}\n");
        }
    }
    text
}

/// Returns a connector as a file names it, with a comment: its id if that is a GUID, otherwise its name. `None`
/// if neither identifies it.
fn connector_value(Connector { id, display_name }: &Connector) -> Option<(String, String)> {
    let name = display_name.as_deref().filter(|name| !name.trim().is_empty());
    if is_guid(id.as_str()) {
        let name = escape::text(name.unwrap_or("a connector without a name"));
        return Some((id.to_string(), format!("  # {name}")));
    }
    let name = name.filter(|name| !is_guid(name))?;
    let comment = format!("  # {}; or its short name in the file", escape::text(id.as_str()));
    Some((escape::yaml(name).into_owned(), comment))
}
