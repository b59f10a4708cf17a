//! What to do about drift: the command that ends it, or the lines that accept it.

use std::collections::{BTreeMap, BTreeSet};

use super::escape;
use super::text::line;
use crate::model::{Bound, Connector, ConnectorId, FlowId, Step, bound_id, is_guid};
use crate::plan::{BrokenPin, Target, Unmanaged};

/// Tells what to do next about the differences of a tenant; with `strict`, about what is bound and
/// not mentioned too. Nothing where nothing differs. `options` leads the command to the same place.
pub fn drift(target: &Target, gone: &[Unmanaged], strict: bool, options: &str) -> String {
    let gone: BTreeSet<_> = gone.iter().map(|gone| (&gone.flow, gone.step)).collect();
    let mut text = String::new();
    let file = escape::text(&target.file);
    if !target.changes.is_empty() {
        text.push_str(&end_it(target, options));
        let changes = target.changes.iter().map(|change| (&change.flow, change.step, &change.current));
        line(&mut text, format_args!("\nTo keep what the tenant has, write in {file}:\n"));
        text.push_str(&lines(changes, &gone));
    }
    if strict && !target.unmanaged.is_empty() {
        let unmanaged =
            target.unmanaged.iter().map(|unmanaged| (&unmanaged.flow, unmanaged.step, &unmanaged.current));
        line(&mut text, format_args!("\nTo manage what is bound besides, add to {file}:\n"));
        text.push_str(&lines(unmanaged, &gone));
    }
    if !target.pins.is_empty() {
        line(&mut text, format_args!("\nTo accept an address, mend its `targetUrl` in {file}:\n"));
        for BrokenPin { connector, expected: _, actual } in &target.pins {
            let name = connector.display_name.as_deref().unwrap_or(connector.id.as_str());
            let name = escape::text(name);
            match actual.as_deref().map(escape::yaml) {
                Some(actual) => line(&mut text, format_args!("    targetUrl: {actual}  # {name}")),
                None => line(&mut text, format_args!("    # {name} has no address: take its pin out")),
            }
        }
    }
    text
}

/// The command that ends the drift. Where the changes are refused, what stands above tells why, and the
/// flags are those that it names; of what no flag allows there is no command.
fn end_it(target: &Target, options: &str) -> String {
    let flags = target.refusals.iter().map(|refusal| refusal.allow.as_deref().map(escape::flag));
    let Some(flags) = flags.collect::<Option<Vec<_>>>() else { return String::new() };
    let (refused, flags) = if flags.is_empty() {
        ("", String::new())
    } else {
        (", in spite of why that is refused", format!(" {}", flags.join(" ")))
    };
    let file = escape::path(&target.file);
    format!(
        "\nTo make the tenant what the file says{refused}:\n\n    flowbind apply {file}{options}{flags}\n"
    )
}

/// The lines of a desired-state file for these bindings.
fn lines<'a>(
    bindings: impl Iterator<Item = (&'a FlowId, Step, &'a Bound)>,
    gone: &BTreeSet<(&FlowId, Step)>,
) -> String {
    let mut flows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (flow, step, bound) in bindings {
        flows.entry(flow).or_default().push((step, bound));
    }
    let mut text = "    flows:\n".to_owned();
    for (flow, steps) in flows {
        line(&mut text, format_args!("{}", escape::yaml_key(flow.as_str(), 6)));
        let mut can_be_written = false;
        for (step, bound) in steps {
            let value = match bound {
                None => Some("null".to_owned()),
                Some(_) if gone.contains(&(flow, step)) => {
                    Some("null  # its connector is gone, and cannot be kept".to_owned())
                }
                Some(connector) => self::connector(connector),
            };
            can_be_written |= value.is_some();
            match (value, bound) {
                (Some(value), _) => line(&mut text, format_args!("        {step}: {value}")),
                (None, bound) => {
                    let id = bound_id(bound).map(ConnectorId::as_str).map(escape::text).unwrap_or_default();
                    line(
                        &mut text,
                        format_args!("        # {step} is bound to {id}, which no file can name"),
                    );
                }
            }
        }
        if !can_be_written {
            line(&mut text, format_args!("        {{}}"));
        }
    }
    text
}

/// What a file calls a connector: by its id where that is a GUID, which always fits, else by its name.
/// `None` where neither would be taken for it.
fn connector(Connector { id, display_name }: &Connector) -> Option<String> {
    let name = display_name.as_deref().filter(|name| !name.trim().is_empty());
    if is_guid(id.as_str()) {
        return Some(format!("{id}  # {}", escape::text(name.unwrap_or("a connector without a name"))));
    }
    let name = name.filter(|name| !is_guid(name))?;
    let (name, id) = (escape::yaml(name), escape::text(id.as_str()));
    Some(format!("{name}  # {id}; or the short name that the file has for it"))
}
