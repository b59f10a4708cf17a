//! A plan as text, to be read in a terminal or a log.
//!
//! Every mark of colour stands beside a word that says the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthChar as _;

use super::escape;
use crate::apply::TargetReport;
use crate::model::{Action, Bound, Connector, ConnectorId, FlowId, Step, is_guid};
use crate::plan::{BrokenPin, Change, Plan, Problem, Refusal, Summary, Target, Unknown, Unmanaged};

const STRONG: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const ALARM: Style = AnsiColor::Red.on_default().bold();

/// Draws a plan, ending with the counts and the fingerprint; nothing of a plan of errors and no tenant,
/// since they are all there is to tell. Styled: what prints it strips the styles where they are not wanted.
pub fn plan(plan: &Plan) -> String {
    let mut text = String::new();
    if plan.targets.is_empty() && !plan.errors.is_empty() {
        return text;
    }
    for target in &plan.targets {
        text.push_str(&self::target(target));
    }
    if !plan.is_whole() {
        let errors = plan.errors.len();
        let unknown: usize = plan.targets.iter().map(|target| target.unknown.len()).sum();
        let errors = (errors > 0).then(|| counted(errors, "error", "errors"));
        let unknown = (unknown > 0).then(|| counted(unknown, "unknown binding", "unknown bindings"));
        let why: Vec<_> = errors.into_iter().chain(unknown).collect();
        line(&mut text, format_args!("{ALARM}This plan is not whole: {}.{ALARM:#}", why.join(", ")));
    }
    let Summary { enable, replace, disable, unchanged: _ } = plan.summary();
    if plan.has_changes() || !plan.is_whole() {
        let counts = format!("{enable} to enable, {replace} to replace, {disable} to disable");
        line(&mut text, format_args!("{STRONG}Plan: {counts}.{STRONG:#}"));
    } else {
        line(&mut text, format_args!("{STRONG}No changes.{STRONG:#}"));
    }
    line(&mut text, format_args!("Fingerprint: {}", plan.fingerprint()));
    text
}

/// Draws what would be done to one tenant, the beginning of what [`plan`] draws.
pub fn target(target: &Target) -> String {
    let Target {
        tenant,
        tenant_id: _,
        client_id: _,
        cloud,
        api,
        graph_url: _,
        file,
        changes,
        unchanged,
        in_sync: _,
        unmanaged,
        gone: _,
        unknown,
        pins,
        refusals,
        overrides,
        warnings,
    } = target;
    let names = Names::of_target(target);
    let mut text = String::new();
    let (tenant, file) = (escape::text(tenant), escape::text(file));
    line(&mut text, format_args!("{STRONG}{tenant}{STRONG:#} (cloud {cloud}, api {api}) from {file}\n"));

    for changes in changes.chunk_by(|one, next| one.flow == next.flow) {
        if let Some(first) = changes.first() {
            line(&mut text, format_args!("{STRONG}{}{STRONG:#}", flow(&first.flow)));
        }
        for change in changes {
            text.push_str(&self::change(change, &names));
        }
        text.push('\n');
    }
    if !pins.is_empty() {
        line(&mut text, format_args!("{ALARM}Connectors that do not call what they are pinned to:{ALARM:#}"));
        for BrokenPin { connector, expected, actual } in pins {
            let connector = names.connector(connector);
            let actual = actual.as_deref().unwrap_or("no address");
            let (expected, actual) = (escape::text(expected), escape::text(actual));
            line(&mut text, format_args!("    {connector} is pinned to {expected}, but calls {actual}"));
        }
        text.push('\n');
    }
    if !overrides.is_empty() {
        let flags: Vec<_> = overrides.iter().map(|flag| escape::flag(flag)).collect();
        line(&mut text, format_args!("Made with {}\n", flags.join(" ")));
    }
    for Refusal { reason, allow } in refusals {
        let reason = escape::text(reason);
        line(&mut text, format_args!("{ALARM}Refused{ALARM:#}: {reason}"));
        if let Some(flag) = allow {
            line(&mut text, format_args!("    allow it with {}", escape::flag(flag)));
        }
        text.push('\n');
    }
    for warning in warnings {
        let warning = escape::text(warning);
        line(&mut text, format_args!("{ALARM}Warning{ALARM:#}: {warning}\n"));
    }
    if !unknown.is_empty() {
        line(&mut text, format_args!("{ALARM}Unknown, could not be read:{ALARM:#}"));
        text.push_str(&unknowns(unknown));
    }
    if !unmanaged.is_empty() {
        line(&mut text, format_args!("Unmanaged, left alone:"));
        for Unmanaged { flow, step, current } in unmanaged {
            let (flow, current) = (self::flow(flow), names.bound(current));
            line(&mut text, format_args!("{FAINT}    {flow} {step}: {current}{FAINT:#}"));
        }
        text.push('\n');
    }
    if *unchanged > 0 {
        line(&mut text, format_args!("Unchanged: {}\n", counted(*unchanged, "binding", "bindings")));
    }
    text
}

fn change(change: &Change, names: &Names<'_>) -> String {
    let Change { flow: _, step, action, current, desired, protected, pin: _, source: _ } = change;
    let (mark, style) = match action {
        Action::Enable => ("+ enable ", AnsiColor::Green.on_default()),
        Action::Replace => ("~ replace", AnsiColor::Yellow.on_default()),
        // What takes a check away must not be overlooked, with or without colour.
        Action::Disable => ("- DISABLE", ALARM),
    };
    let width = Step::ALL.map(|step| step.name().len()).into_iter().max().unwrap_or_default();
    let (current, desired, step) = (names.bound(current), names.bound(desired), step.name());
    let protected = if *protected { "  (protected)" } else { "" };
    format!("  {style}{mark}{style:#}  {step:width$}  {current} → {desired}{protected}\n")
}

/// Bindings of one flow mostly share one reason, which is then told once.
fn unknowns(unknown: &[Unknown]) -> String {
    let mut text = String::new();
    for same in unknown.chunk_by(|one, next| one.flow == next.flow && one.error == next.error) {
        let Some(first) = same.first() else { continue };
        let steps: Vec<_> = same.iter().map(|unknown| unknown.step.name()).collect();
        let (flow, error) = (flow(&first.flow), escape::text(&first.error));
        line(&mut text, format_args!("  ? {flow} {}\n      {error}", steps.join(", ")));
    }
    text.push('\n');
    text
}

/// What connectors are called in one target: by name, and by id as well where the name does not
/// tell them apart for somebody who reads.
pub(super) struct Names<'a> {
    ids: BTreeMap<String, BTreeSet<&'a ConnectorId>>,
}

impl<'a> Names<'a> {
    pub(super) fn of_target(target: &'a Target) -> Self {
        let Target { changes, in_sync, unmanaged, pins, .. } = target;
        let changed = changes.iter().flat_map(|change| [&change.current, &change.desired]);
        let as_they_are = in_sync.iter().map(|it| &it.current).chain(unmanaged.iter().map(|it| &it.current));
        let bound = changed.chain(as_they_are).flatten();
        Self::of(bound.chain(pins.iter().map(|pin| &pin.connector)))
    }

    pub(super) fn of_report(target: &'a TargetReport) -> Self {
        let changes = target.changes.iter().map(|report| &report.change);
        Self::of(changes.flat_map(|change| [&change.current, &change.desired]).flatten())
    }

    pub(super) fn of(shown: impl Iterator<Item = &'a Connector>) -> Self {
        let mut ids: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for connector in shown {
            if let Some(name) = &connector.display_name {
                ids.entry(look(name)).or_default().insert(&connector.id);
            }
        }
        Self { ids }
    }

    pub(super) fn bound(&self, bound: &Bound) -> String {
        bound.as_ref().map_or("nothing".to_owned(), |connector| self.connector(connector))
    }

    pub(super) fn connector(&self, Connector { id, display_name }: &Connector) -> String {
        let id = escape::text(id.as_str());
        match display_name.as_deref().filter(|name| !name.trim().is_empty()) {
            Some(name) => {
                let shown = escape::text(name);
                let shared = self.ids.get(&look(name)).is_some_and(|ids| ids.len() > 1);
                if shared || is_unclear(name) { format!("{shown} ({id})") } else { shown.into_owned() }
            }
            // An id that is no GUID can be any word.
            None if is_unclear(&id) && !is_guid(&id) => format!("({id})"),
            None => id.into_owned(),
        }
    }
}

/// Whether a name could pass for one of our own words, for an id or for another name.
fn is_unclear(name: &str) -> bool {
    let ours = look(name) == "nothing" || name.contains('→') || name.contains("(protected)");
    let is_long = name.chars().nth(LONGEST_NAME).is_some();
    ours || is_long || has_guid(name) || !is_visible(name)
}

/// The most characters of a name that is told from others at a glance.
const LONGEST_NAME: usize = 120;

/// Whether a name looks as if it told an id.
fn has_guid(name: &str) -> bool {
    // Of bytes, since a GUID is ASCII, and this looks at every name of every format.
    name.as_bytes().windows(36).any(|bytes| str::from_utf8(bytes).is_ok_and(is_guid))
}

/// Whether each character of a name can be seen, but for single spaces within. The Hangul fillers
/// are letters that show nothing.
fn is_visible(name: &str) -> bool {
    let blank = |char: char| {
        char.width() == Some(0) || matches!(char, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}')
    };
    name.trim() == name && !name.chars().any(blank)
}

/// What is left of a name at a glance: neither case nor spaces nor what cannot be seen.
fn look(name: &str) -> String {
    name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

pub(super) fn flow(id: &FlowId) -> String {
    escape::text(id.as_str()).into_owned()
}

/// Why a plan is refused, and what would allow it.
pub(super) fn refusal(Refusal { reason, allow }: &Refusal) -> String {
    let allow = allow.as_ref().map(|flag| format!("; allow it with {}", escape::flag(flag)));
    format!("{reason}{}", allow.unwrap_or_default())
}

/// What a connector should call, and what it calls.
pub(super) fn pin(BrokenPin { connector: _, expected, actual }: &BrokenPin) -> String {
    format!("pinned to {expected}, calls {}", actual.as_deref().unwrap_or("no address"))
}

/// What went wrong, with where and in which tenant.
pub(super) fn problem(Problem { message, place, tenant }: &Problem) -> String {
    let tenant = tenant.as_ref().map(|tenant| format!("{tenant}: ")).unwrap_or_default();
    let place = place.as_ref().map(|at| format!("{}:{}:{}: ", at.file, at.line, at.column));
    format!("{tenant}{}{message}", place.unwrap_or_default())
}

/// A number and what it counts.
pub fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

pub(super) fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    _ = writeln!(text, "{line}");
}
