//! Phrases that the formats of drift share.

use jiff::Timestamp;
use strum::VariantArray as _;

use super::super::escape;
use super::super::hold::Held;
use super::super::names::Names;
use super::super::wording::{incomplete_suffix, labeled, pluralize};
use crate::drift::{Difference, Drift, Kind, Subject, TargetDrift, Value};
use crate::plan::Hold;

/// Names of the connectors in the differences of a target.
pub(super) fn names(target: &TargetDrift) -> Names<'_> {
    let differences = target.differences.iter().chain(&target.resolved);
    let differing = differences.flat_map(|difference| {
        let values = [&difference.file, &difference.tenant].into_iter().flatten();
        let values = values.filter_map(|value| match value {
            Value::Connector(connector) => Some(connector),
            Value::Name(_) | Value::Text(_) => None,
        });
        values.chain(difference.subject.connector())
    });
    let in_sync = target.in_sync.iter().filter_map(|it| it.current.as_ref());
    let unmanaged = target.unmanaged.iter().filter_map(|it| it.current.as_ref());
    Names::from_connectors(differing.chain(in_sync).chain(unmanaged))
}

/// Returns the bindings of a target with an active hold: those that differ, then the others.
pub(super) fn held(target: &TargetDrift, names: &Names<'_>) -> Vec<Held> {
    let active = |hold: &Option<Box<Hold>>| hold.as_deref().filter(|hold| !hold.is_expired).cloned();
    let differing = target.differences.iter().filter_map(|it| {
        let (flow, step) = (it.subject.flow()?.clone(), it.subject.step()?);
        Some(Held { flow, step, value: value(it.file.as_ref(), names), hold: active(&it.hold)? })
    });
    let in_sync = target.in_sync.iter().filter_map(|it| {
        let value = names.bound(&it.current);
        Some(Held { flow: it.flow.clone(), step: it.step, value, hold: active(&it.hold)? })
    });
    differing.chain(in_sync).collect()
}

/// What the file says and what the tenant has, each in a few words. Not escaped for a format, but for a terminal.
pub(super) struct Sides {
    pub(super) file: String,
    pub(super) tenant: String,
}

impl Sides {
    pub(super) fn new(difference: &Difference, names: &Names<'_>) -> Self {
        let Difference { kind, subject, file, tenant, source, .. } = difference;
        let is_unlisted = source.is_none() && matches!(kind, Kind::Dangling | Kind::Unmanaged);
        let file = match (kind, subject, file) {
            (Kind::Certificate, ..) => "a valid certificate".to_owned(),
            (_, Subject::Flow(_), _) => "this flow".to_owned(),
            (_, _, None) if is_unlisted => "nothing (not listed)".to_owned(),
            (_, _, file) => value(file.as_ref(), names),
        };
        let tenant = match (kind, subject, tenant) {
            (Kind::Certificate, _, Some(Value::Text(until))) => format!("valid until {}", date_of(until)),
            (Kind::Certificate, ..) => "no active certificate".to_owned(),
            (Kind::Address, _, None) => "no address".to_owned(),
            (_, Subject::Flow(_), _) => "no such flow".to_owned(),
            (Kind::Dangling, _, tenant) => format!("{} (deleted)", value(tenant.as_ref(), names)),
            (_, _, tenant) => value(tenant.as_ref(), names),
        };
        Self { file, tenant }
    }

    /// Returns both sides in one line.
    pub(super) fn one_line(&self) -> String {
        format!("file says {}, tenant has {}", self.file, self.tenant)
    }
}

fn value(value: Option<&Value>, names: &Names<'_>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::Connector(connector)) => names.connector(connector),
        Some(Value::Name(name)) => format!("{} (unresolved)", escape::text(name)),
        Some(Value::Text(text)) => escape::text(text).into_owned(),
    }
}

/// Returns the day of a time in RFC 3339; any other text as it is.
fn date_of(time: &str) -> String {
    time.parse::<Timestamp>().map_or_else(|_| escape::text(time).into_owned(), date)
}

/// Returns the day of a time.
fn date(time: Timestamp) -> String {
    time.to_string().split('T').next().unwrap_or_default().to_owned()
}

/// Returns what a difference is about: the flow with the step, the flow, or the connector.
pub(super) fn subject(subject: &Subject, names: &Names<'_>) -> String {
    match subject {
        Subject::Binding(flow, step) => format!("{} {step}", escape::text(flow.as_str())),
        Subject::Flow(flow) => escape::text(flow.as_str()).into_owned(),
        Subject::Connector(connector) => names.connector(connector),
    }
}

/// Returns `new`, or the day of the first run that reported the difference. `None` if the run was not compared with an
/// earlier one.
pub(super) fn age(difference: &Difference) -> Option<String> {
    Some(match difference.is_new? {
        true => "new".to_owned(),
        false => format!("since {}", date(difference.first_seen)),
    })
}

/// Returns the number of differences of each kind that occurs, the most dangerous first, and how many are new:
/// `1 missing, 2 added (1 new)`. Empty without differences.
pub(super) fn counts<'a>(differences: impl Iterator<Item = &'a Difference>) -> String {
    let differences: Vec<_> = differences.collect();
    let count = |kind| differences.iter().filter(|difference| difference.kind == kind).count();
    let kinds = Kind::VARIANTS.iter().map(|kind| (count(*kind), kind.name()));
    let kinds: Vec<_> =
        kinds.filter(|(count, _)| *count > 0).map(|(count, kind)| format!("{count} {kind}")).collect();
    let new = differences.iter().filter(|difference| difference.is_new == Some(true)).count();
    let new = if new > 0 { format!(" ({new} new)") } else { String::new() };
    kinds.join(", ") + &new
}

/// Returns why drift is incomplete: `10 of 60 bindings could not be compared`, the number of errors, or without errors
/// `not all bindings could be read`.
pub(super) fn incompleteness<'a>(targets: impl Iterator<Item = &'a TargetDrift>, errors: usize) -> String {
    let (mut managed, mut not_compared) = (0_usize, 0_usize);
    for target in targets {
        managed = managed.saturating_add(target.count_managed());
        not_compared = not_compared.saturating_add(target.not_compared);
    }
    match not_compared {
        0 if errors > 0 => pluralize(errors, "error", "errors"),
        0 => "not all bindings could be read".to_owned(),
        not_compared => {
            format!("{not_compared} of {} could not be compared", pluralize(managed, "binding", "bindings"))
        }
    }
}

/// Returns the title: `name` and the label, with `, incomplete` if it is, then the counts, or that nothing differs, or
/// that the drift is unknown.
pub(super) fn title(drift: &Drift, name: &str) -> String {
    let name = labeled(name, drift.label.as_ref());
    match drift.is_drifted() {
        Some(true) => {
            format!("{name}{}: {}", incomplete_suffix(drift.is_complete()), counts(drift.differences()))
        }
        Some(false) => format!("{name}: none"),
        None => format!("{name}: unknown, because not everything could be read"),
    }
}
