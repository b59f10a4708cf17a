//! What to do about drift: the command that ends it, or the lines that accept it.

use std::collections::{BTreeMap, BTreeSet};

use super::escape;
use super::text::line;
use crate::model::{Bound, FlowId, Step};
use crate::plan::{BrokenPin, Target, Unmanaged};

/// Tells what to do next about the differences of a tenant; with `strict`, about what is bound and
/// not mentioned too. Nothing where nothing differs. `options` leads the command to the same place.
pub fn drift(target: &Target, gone: &[Unmanaged], strict: bool, options: &str) -> String {
    let gone: BTreeSet<_> = gone.iter().map(|gone| (&gone.flow, gone.step)).collect();
    let mut text = String::new();
    let file = escape::text(&target.file);
    let command = format!("flowbind apply {}{options}", escape::path(&target.file));
    if !target.changes.is_empty() {
        line(&mut text, format_args!("\nTo make the tenant what the file says:\n\n    {command}"));
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

/// The lines of a desired-state file for these bindings. Connectors stand by id, which always fits.
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
        for (step, bound) in steps {
            match bound {
                None => line(&mut text, format_args!("        {step}: null")),
                Some(_) if gone.contains(&(flow, step)) => {
                    line(
                        &mut text,
                        format_args!("        {step}: null  # its connector is gone, and cannot be kept"),
                    );
                }
                Some(connector) => {
                    let name = connector.display_name.as_deref().unwrap_or("a connector without a name");
                    let id = escape::yaml(connector.id.as_str());
                    line(&mut text, format_args!("        {step}: {id}  # {}", escape::text(name)));
                }
            }
        }
    }
    text
}
