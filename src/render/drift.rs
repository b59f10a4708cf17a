//! What to do about drift: the command that ends it, or the lines that accept it.

use std::collections::{BTreeMap, BTreeSet};

use super::escape;
use super::text::line;
use crate::model::{Bound, Connector, ConnectorId, FlowId, Step, bound_id, is_guid};
use crate::plan::{BrokenPin, Target, Unmanaged};

/// Tells what to do next about the differences of a target; with `strict`, about what is bound and not
/// mentioned too. Nothing where nothing differs. `options` leads the command that ends it to the same
/// place; `None` where none does, since not all is known.
pub fn drift(target: &Target, strict: bool, options: Option<&str>) -> String {
    let gone: BTreeSet<_> = target.gone.iter().map(|gone| (&gone.flow, gone.step)).collect();
    let mut text = String::new();
    let file = escape::text(&target.file);
    if !target.changes.is_empty() {
        text.extend(options.map(|options| end_it(target, options)));
        let changes = target.changes.iter();
        let changes =
            changes.map(|it| Line { protected: it.protected, ..Line::of(&it.flow, it.step, &it.current) });
        line(&mut text, format_args!("\nTo keep what the tenant has, write in {file}:\n"));
        text.push_str(&lines(changes, &gone));
    }
    let (what, unmanaged) = if strict {
        ("manage what is bound besides", target.unmanaged.iter().collect::<Vec<_>>())
    } else {
        let is_gone = |it: &&Unmanaged| gone.contains(&(&it.flow, it.step));
        ("end what is bound to connectors that are gone", target.unmanaged.iter().filter(is_gone).collect())
    };
    if !unmanaged.is_empty() {
        line(&mut text, format_args!("\nTo {what}, add to {file}:\n"));
        let unmanaged = unmanaged.into_iter().map(|it| Line::of(&it.flow, it.step, &it.current));
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

/// One binding of a desired-state file.
struct Line<'a> {
    flow: &'a FlowId,
    step: Step,
    bound: &'a Bound,
    protected: bool,
}

impl<'a> Line<'a> {
    fn of(flow: &'a FlowId, step: Step, bound: &'a Bound) -> Self {
        Self { flow, step, bound, protected: false }
    }
}

/// The lines of a desired-state file for these bindings.
fn lines<'a>(bindings: impl Iterator<Item = Line<'a>>, gone: &BTreeSet<(&FlowId, Step)>) -> String {
    let mut flows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in bindings {
        flows.entry(line.flow).or_default().push(line);
    }
    let mut text = "    flows:\n".to_owned();
    for (flow, steps) in flows {
        line(&mut text, format_args!("{}", escape::yaml_key(flow.as_str(), 6)));
        let mut can_be_written = false;
        for Line { flow, step, bound, protected } in steps {
            let value = match bound {
                None => Some(("null".to_owned(), String::new())),
                Some(_) if gone.contains(&(flow, step)) => {
                    Some(("null".to_owned(), "  # its connector is gone, and cannot be kept".to_owned()))
                }
                Some(connector) => self::connector(connector),
            };
            can_be_written |= value.is_some();
            match value {
                Some((value, comment)) if protected => {
                    let value = format!("{{connector: {value}, protect: true}}");
                    line(&mut text, format_args!("        {step}: {value}{comment}"));
                }
                Some((value, comment)) => line(&mut text, format_args!("        {step}: {value}{comment}")),
                None => {
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

/// What a file calls a connector, with a comment: its id where that is a GUID, which always fits, else its
/// name. `None` where neither would be taken for it.
fn connector(Connector { id, display_name }: &Connector) -> Option<(String, String)> {
    let name = display_name.as_deref().filter(|name| !name.trim().is_empty());
    if is_guid(id.as_str()) {
        let name = escape::text(name.unwrap_or("a connector without a name"));
        return Some((id.to_string(), format!("  # {name}")));
    }
    let name = name.filter(|name| !is_guid(name))?;
    let comment = format!("  # {}; or the short name that the file has for it", escape::text(id.as_str()));
    Some((escape::yaml(name).into_owned(), comment))
}
